"""Runs code and commands of the documentation in a folder with the files that they name."""

import pathlib
import shlex

from click.testing import CliRunner
from paths import TESTS

from kerasnets.cli import main


def write_files(folder):
    """Write the files that the README and the pages name."""
    folder = pathlib.Path(folder)
    (folder / 'corpus.txt').write_text('The end of the beginning. ' * 200, encoding='utf-8')
    rows = [f'{n},{"odd" if n % 2 else "even"},{n % 2}' for n in range(60)]
    (folder / 'data.csv').write_text('\n'.join(['number,kind,rest', *rows]), encoding='utf-8')
    sales = [str(n % 12 + n / 50) for n in range(96)]
    (folder / 'sales.csv').write_text('\n'.join(['sales', *sales]), encoding='utf-8')
    pickle = TESTS / 'pickles' / '0.7.3-rec_lstm.theanets.pkl.gz'
    (folder / 'old.pkl.gz').write_bytes(pickle.read_bytes())


def run_commands(lines):
    """Run ``kerasnets …`` commands; each must succeed."""
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
