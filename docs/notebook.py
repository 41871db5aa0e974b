"""Makes ``images/notebook.png``: a notebook that a real kernel ran, seen by a headless Chromium.

python docs/notebook.py [--chromium /usr/bin/chromium]
"""

import os
import pathlib
import tempfile

import click
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from screenshot import picture

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
CELLS = [
    """\
import numpy as np
import kerasnets
x = np.random.default_rng(1).normal(size=(500, 4)).astype('f')
y = x[:, :3].argmax(axis=1)
net = kerasnets.Classifier([4, (8, 'tanh'), (6, 'tanh'), dict(size=3, inputs=('hid1', 'hid2'))])
net""",
    "net.train([x[:400], y[:400]], [x[400:], y[400:]], algo='adam', learning_rate=0.01, epochs=50)",
    'net.history',
    "net.history.plot('loss')",
    "net.save('net.keras')\nkerasnets.inspect('net.keras')",
]


def executed(cells, folder):
    """A notebook after its cells, lines of code, were run by a kernel of its own."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in cells]
    )
    resources = {'metadata': {'path': str(folder)}}
    return NotebookClient(notebook, timeout=300, resources=resources).execute()


@click.command()
@click.option('--chromium', default='/usr/bin/chromium', show_default=True)
def main(chromium):
    """Run the notebook and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        page, _ = HTMLExporter().from_notebook_node(executed(CELLS, folder))
        path = pathlib.Path(folder, 'notebook.html')
        path.write_text(page, encoding='utf-8')
        picture(chromium, path.as_uri(), 'notebook.png', (1000, 1900))


if __name__ == '__main__':
    main()
