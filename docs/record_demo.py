"""Makes ``images/demo.svg``: the demo as it looks in a terminal.

python docs/record_demo.py [--epochs 8]
"""

import pathlib
import subprocess
import sys
import tempfile

import click
from rich.console import Console
from rich.text import Text

HERE = pathlib.Path(__file__).parent
DEMO = HERE.parent / 'examples/recurrent_text.py'

#: Characters of a line that fit into the picture.
WIDTH = 100


@click.command()
@click.option('--epochs', default=8, show_default=True)
def main(epochs):
    """Run the demo and draw what it prints."""
    console = Console(record=True, width=WIDTH)
    console.print('$ tox -e demo', style='bold')
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(DEMO), '--epochs', str(epochs), '--out', folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        output = done.stdout.replace(str(pathlib.Path(folder).resolve()), 'runs')
    for line in output.splitlines():
        style = 'green' if line.startswith('held out') else ''
        console.print(Text(line, style=style), no_wrap=True, overflow='ellipsis')
    console.save_svg(str(HERE / 'images/demo.svg'), title='kerasnets')


if __name__ == '__main__':
    main()
