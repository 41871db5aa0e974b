"""Memory that networks of ever new sizes leave behind: ``python benchmarks/structures.py``.

    python benchmarks/structures.py [--json FILE]

Each of some networks has a structure of its own, is trained for two epochs, predicts, and is
dropped; those of kerasnets with an LSTM write labels too. Every row of the table is a process.
"""

import ctypes
import gc
import json
import subprocess
import sys

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

#: Kind of network -> how many structures.
COUNTS = {'dense': 300, 'lstm': 60}
WARM = 3  # structures before those that count
VARIABLES, CLASSES, LETTERS = 8, 3, 6


def memory():
    """Megabytes of this process, with no garbage in it."""
    for _ in range(3):
        gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/statm', encoding='utf-8') as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def rows():
    """Vectors and their classes."""
    return np.random.default_rng(1).normal(size=(64, VARIABLES)).astype('f'), np.arange(64) % 3


def letters():
    """Labels to read and labels to write."""
    labels = np.random.default_rng(1).integers(LETTERS, size=(32, 11))
    return labels[:, :-1], labels[:, 1:]


def keras_dense(size):
    import keras

    dense = keras.layers.Dense
    layers = [keras.Input((VARIABLES,)), dense(size, 'tanh'), dense(CLASSES, 'softmax')]
    _fit(keras.Sequential(layers), *rows())


def keras_lstm(size):
    import keras

    x, y = letters()
    lstm = keras.layers.LSTM(size, return_sequences=True)
    layers = [keras.Input((None, LETTERS)), lstm, keras.layers.Dense(LETTERS, 'softmax')]
    _fit(keras.Sequential(layers), np.eye(LETTERS, dtype='f')[x], y)


def _fit(model, x, y):
    model.compile('adam', 'sparse_categorical_crossentropy')
    model.fit(x, y, epochs=2, verbose=0)
    model.predict(x, verbose=0)


def kerasnets_dense(size):
    import kerasnets

    x, y = rows()
    net = kerasnets.Classifier([VARIABLES, (size, 'tanh'), CLASSES])
    net.train([x, y], algo='adam', epochs=2)
    net.predict(x)


def kerasnets_lstm(size):
    import kerasnets

    x, y = letters()
    net = kerasnets.recurrent.Classifier([LETTERS, (size, 'lstm'), LETTERS])
    net.train([x, y], algo='adam', epochs=2)
    net.predict(x)
    list(net.predict_sequence([0, 1], 10, rng=1))


#: Name of a library and a kind of network -> function of a size.
WORKS = {
    'kerasnets dense': kerasnets_dense,
    'keras dense': keras_dense,
    'kerasnets lstm': kerasnets_lstm,
    'keras lstm': keras_lstm,
}


def grown(work, count):
    """Return the megabytes that a structure leaves behind, and those after `clear_cache`."""
    for size in range(WARM):
        work(500 + size)
    start = memory()
    for size in range(count):
        work(3 + size)
    left = memory() - start
    if 'kerasnets' in sys.modules:
        sys.modules['kerasnets'].clear_cache()
    return left / count, (memory() - start) / count


def measured(name, count):
    """Return what `grown` finds in a process of its own."""
    command = [sys.executable, __file__, '--work', name, '--count', str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@click.command(help=__doc__.split('\n')[0])
@click.option('--json', 'as_json', type=click.Path(), help='Write the megabytes here.')
@click.option('--count', type=int, help='Structures of each kind.')
@click.option('--work', type=click.Choice(list(WORKS)), help='Measure this one, in this process.')
def main(as_json, count, work):
    """Measure each work in a process of its own, and print and keep what was found."""
    if work:
        print(json.dumps(grown(WORKS[work], count)))
        return
    table = Table('networks', 'structures', 'MB each', 'MB each after clear_cache')
    found = {}
    for name in track(WORKS, 'measuring'):
        number = count or COUNTS[name.split()[1]]
        found[name] = measured(name, number)
        table.add_row(name, str(number), *(f'{megabytes:.2f}' for megabytes in found[name]))
    Console().print(table)
    keep(found, as_json)


if __name__ == '__main__':
    main()
