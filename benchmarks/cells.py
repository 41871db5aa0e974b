"""Training time per batch of each recurrent form, against the stock LSTM of the same size.

    python benchmarks/cells.py [--size 100] [--steps 100] [--json FILE]

All in one process, best of five epochs after one for warming up; only the ratios mean anything.
"""

import time

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

import kerasnets

FORMS = {
    'lstm': {},
    'lstm, peepholes': dict(form='lstm', peepholes=True),
    'rnn': {},
    'gru': dict(activation='tanh'),
    'rrnn': {},
    'rrnn, vector': dict(form='rrnn', rate='vector'),
    'mrnn': {},
    'mut1': {},
    'scrn': {},
    'clockwork': dict(periods=[1, 2, 4, 8]),
    'bcrnn': dict(num_modules=4),
    'bidirectional lstm': dict(form='bidirectional', worker='lstm'),
}


def seconds_per_batch(entry, steps, batches=10, classes=64):
    """The best of five epochs, by the batch."""
    rng = np.random.default_rng(1)
    labels = rng.integers(classes, size=(32 * batches, steps))
    net = kerasnets.recurrent.Classifier([classes, entry, classes])
    times, start = [], time.perf_counter()
    for _ in net.itertrain([labels, labels], epochs=6):
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return min(times[1:]) / batches


def measure(size, steps):
    """Seconds a batch of each form."""
    return {
        name: seconds_per_batch({'form': name, 'size': size, **options}, steps)
        for name, options in track(FORMS.items(), 'timing')
    }


def show(found):
    """Print them as a table."""
    table = Table('form', 'ms a batch', 'over the LSTM')
    for name, seconds in found.items():
        table.add_row(name, f'{1e3 * seconds:.1f}', f'{seconds / found["lstm"]:.2f}')
    Console().print(table)


@click.command(help=__doc__.split('\n')[0])
@click.option('--size', default=100, show_default=True)
@click.option('--steps', default=100, show_default=True)
@click.option('--json', 'path', type=click.Path(), help='Write the figures here too.')
def main(size, steps, path):
    """Measure all forms and print a table."""
    found = measure(size, steps)
    show(found)
    keep(found, path)


if __name__ == '__main__':
    main()
