"""Makes ``images/tensorboard.png``: a real TensorBoard, seen by a headless Chromium.

python docs/screenshot.py [--chromium /usr/bin/chromium]
"""

import pathlib
import subprocess
import tempfile

import click
from tensorboard import program

import kerasnets

IMAGES = pathlib.Path(__file__).parent / 'images'


def train(logs):
    """Two trainings with all that can be logged."""
    corpus = (
        'she sells sea shells by the sea shore; the shells she sells are sea shells. '
        * 60
    )
    text = kerasnets.recurrent.Text(corpus, min_count=1)
    for size in (16, 48):
        net = kerasnets.recurrent.Classifier(
            [text.classes, (size, 'lstm'), text.classes], text=text
        )
        net.train(
            text.classifier_batches(40, 16, rng=1),
            text.sequences(40),
            algo='adam',
            learning_rate=0.01,
            epochs=12,
            train_batches=20,
            validate_every=1,
            tensorboard=dict(path=logs, histograms=True, images=True, graph=True),
            verbose=0,
        )


def picture(chromium, address, name, size):
    """Have a browser draw a page as one of the images, of so many pixels."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            chromium,
            *'--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run'.split(),
            *'--disable-background-networking --disable-component-update --disable-sync'.split(),
            f'--user-data-dir={folder}',
            f'--window-size={size[0]},{size[1]}',
            '--virtual-time-budget=20000',
            f'--screenshot={IMAGES / name}',
            address,
        ]
        subprocess.run(command, check=True, timeout=120)


@click.command()
@click.option('--chromium', default='/usr/bin/chromium', show_default=True)
def main(chromium):
    """Train, serve the logs and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        logs = pathlib.Path(folder, 'logs')
        train(logs)
        board = program.TensorBoard()
        board.configure(
            argv=['', '--logdir', str(logs), '--port', '0', '--load_fast', 'false']
        )
        address = f'{board.launch()}?darkMode=false#timeseries'
        picture(chromium, address, 'tensorboard.png', (1400, 1000))


if __name__ == '__main__':
    main()
