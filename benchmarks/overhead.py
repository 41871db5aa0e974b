"""What `train` and `itertrain` cost over `model.fit` of the same model and settings.

    python benchmarks/overhead.py [--epochs 3] [--rounds 5]

For each kind of network a table's row: seconds an epoch of `model.fit`, and the time of `train`
and of `itertrain` over it. The best of the rounds counts, which take turns.
"""

import argparse
import time

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import kerasnets

RNG = np.random.default_rng(1)


def dense():
    """A classifier of vectors: 784-256-10, 20,000 rows."""
    x, y = RNG.random((20_000, 784), dtype='f'), RNG.integers(10, size=20_000)
    return lambda: kerasnets.Classifier([784, 256, 10]), x, y


def sequences():
    """A classifier of steps: 64-100-64, 640 sequences of 100 steps."""
    x = np.eye(64, dtype='f')[RNG.integers(64, size=(640, 100))]
    return lambda: kerasnets.recurrent.Classifier([64, (100, 'lstm'), 64]), x, x.argmax(-1)


def by_fit(make, x, y, epochs):
    """Seconds an epoch of `model.fit`, once it is compiled."""
    model = make().model
    model.compile(keras.optimizers.RMSprop(1e-4, centered=True), 'sparse_categorical_crossentropy',
                  metrics=['accuracy'])  # fmt: skip
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)

    def run():
        start = time.perf_counter()
        model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
        return (time.perf_counter() - start) / epochs

    return run


def by_train(make, x, y, epochs, stepwise):
    """The same for `train`, or for `itertrain`."""
    net = make()
    net.train([x, y], epochs=1, verbose=0)

    def run():
        start = time.perf_counter()
        options = dict(epochs=epochs, verbose=0, patience=99)
        if stepwise:
            for _ in net.itertrain([x, y], **options):
                pass
        else:
            net.train([x, y], **options)
        return (time.perf_counter() - start) / epochs

    return run


def main(epochs=3, rounds=5):
    """Time all, and print a table; returns name -> (fit, train, itertrain) seconds."""
    table = Table('network', 'model.fit, s an epoch', 'train', 'itertrain')
    found = {}
    for kind in (dense, sequences):
        make, x, y = kind()
        runs = [
            by_fit(make, x, y, epochs),
            by_train(make, x, y, epochs, False),
            by_train(make, x, y, epochs, True),
        ]
        times = np.min([[run() for run in runs] for _ in range(rounds)], axis=0)
        found[kind.__name__] = tuple(times)
        fit, train, steps = times
        table.add_row(kind.__name__, f'{fit:.3f}', f'{train / fit:.3f}', f'{steps / fit:.3f}')
    Console().print(table)
    return found


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--rounds', type=int, default=5)
    main(**vars(parser.parse_args()))
