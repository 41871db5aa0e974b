"""How time grows with the size of the work: ``python benchmarks/growth.py``.

    python benchmarks/growth.py [--json FILE] [--chart FILE]

One quantity grows, the others stay. The slope is that of the logarithm of the time of all the
work over the logarithm of the size: 1 where the cost of a unit stays the same, less where a fixed
cost is shared by more of them.
"""

import time

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

RUNS = 3  # after one that warms up; the best counts
LETTERS, UNITS = 64, 100

#: What grows -> the sizes, and what a unit of it is called in the chart.
SIZES = {
    'steps of sampling': [1000, 3000, 10_000, 30_000, 100_000],
    'streams of sampling': [1, 4, 16, 64, 256],
    'examples in a batch': [16, 32, 64, 128, 256],
    'length of sequences': [25, 50, 100, 200, 400],
    'units of a layer': [32, 64, 128, 256, 512],
    'epochs': [1, 2, 4, 8, 16],
    'rows to predict': [10_000, 30_000, 100_000, 300_000],
}


def best(run):
    """Seconds of the best run."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def network(units=UNITS):
    import kerasnets

    return kerasnets.recurrent.Classifier([LETTERS, (units, 'lstm'), LETTERS])


def training(batch=32, length=50, epochs=1, batches=32, units=UNITS):
    """Training a character model on so much."""
    labels = np.random.default_rng(1).integers(LETTERS, size=(batch * batches, length + 1))
    data, net = [labels[:, :-1], labels[:, 1:]], network(units)
    return lambda: net.train(data, epochs=epochs, batch_size=batch, jit=True)


def sampling(steps=1000, streams=1):
    """Writing so many labels in so many texts."""
    net = network()
    return lambda: sum(1 for _ in net.predict_sequence([0], steps, streams=streams))


def predicting(rows):
    """Probabilities of so many rows from a dense network."""
    import kerasnets

    x = np.random.default_rng(1).random((rows, 784), dtype='f')
    net = kerasnets.Classifier([784, 256, 10])
    return lambda: net.predict_proba(x)


#: What grows -> a function of the size that makes the work ready.
WORKS = {
    'steps of sampling': lambda n: sampling(steps=n),
    'streams of sampling': lambda n: sampling(streams=n),
    'examples in a batch': lambda n: training(batch=n),
    'length of sequences': lambda n: training(length=n),
    'units of a layer': lambda n: training(units=n, batches=8),
    'epochs': lambda n: training(epochs=n, batches=8),
    'rows to predict': predicting,
}


def slope(sizes, times):
    """Of log time over log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def draw(found, path):
    """A chart of the time of a unit, relative to that at the smallest size."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout='constrained')
    for name, times in found.items():
        sizes = np.array(SIZES[name])
        unit = np.array(times) / sizes
        label = f'{name} (slope {slope(sizes, times):.2f})'
        axes.plot(sizes / sizes[0], unit / unit[0], marker='o', label=label)
    axes.axhline(1, color='grey', linewidth=0.8)
    axes.set(xscale='log', xlabel='times the smallest size', ylabel='time of a unit, relative')
    axes.set_ylim(0)
    axes.legend()
    figure.savefig(path)


@click.command(help=__doc__.split('\n')[0])
@click.option('--json', 'as_json', type=click.Path(), help='Write the times here.')
@click.option('--chart', type=click.Path(), help='Draw them here.')
def main(as_json, chart):
    """Time works of growing size, and print, keep and draw what was found."""
    table = Table('what grows', 'sizes', 'seconds', 'slope')
    found = {}
    for name, sizes in track(SIZES.items(), 'timing'):
        times = found[name] = [best(WORKS[name](size)) for size in sizes]
        seconds = ' '.join(f'{t:.3g}' for t in times)
        table.add_row(name, ' '.join(map(str, sizes)), seconds, f'{slope(sizes, times):.2f}')
    Console().print(table)
    keep(found, as_json, draw, chart)


if __name__ == '__main__':
    main()
