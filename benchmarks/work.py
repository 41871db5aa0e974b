"""What is timed, for all peers alike: sizes, data, and how.

A peer is a file of functions named after the works; each makes all ready and returns a function
that does the work once. ``python benchmarks/by_keras.py lstm`` prints the seconds of each run.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np

RUNS = 5  # after one that warms up; the best counts; of the long grid search 2
ROWS, VARIABLES, HIDDEN, CLASSES = 60_000, 784, 256, 10
SEQUENCES, STEPS, LETTERS, UNITS, BATCH = 3200, 100, 64, 100, 32
WIDE, SHORT = 256, 64  # units and steps of the wide recurrent layers
SAMPLED = 1000

#: Work -> what it is.
WORKS = {
    'dense_32': 'dense 784-256-10, 60,000 rows, batch 32, one epoch',
    'dense_256': 'the same, batch 256',
    'lstm': 'LSTM character model 64-100-64, 32×100, one epoch of 100 batches',
    'gru': 'GRU, the same',
    'rnn': 'simple RNN, the same',
    'predict': 'probabilities of 100,000 rows, dense',
    'sample_1': 'sampling, one stream, 1,000 steps',
    'sample_64': 'sampling, 64 streams, 1,000 steps',
    'small': '178 rows, 13-100-3, Adam, batch 32, 200 epochs, a further network',
    'small_first': 'the same, the first network of a process',
    'small_cached': 'the same, where a process before filled the compilation cache',
    'digits': 'digits, 1,797 rows, 64-100-10, Adam, batch 32, 30 epochs',
    'search': 'grid search on digits: 3 rates × 2 penalties × 5 folds, defaults',
    'folds': 'cross_val_score on breast cancer, 5 folds, defaults',
    'short_32': 'dense 784-256-10, 30,000 rows, batch 32, one epoch',
    'short_256': 'the same, batch 256',
    'short_lstm': 'LSTM, 30 batches of 32×100, one epoch, labels as inputs',
    'short_gru': 'GRU, the same',
    'short_rnn': 'simple RNN, the same',
    'wide_lstm': 'LSTM 64-256-64, 30 batches of 32×64, one epoch, labels as inputs',
    'wide_gru': 'GRU, the same',
    'predict_1': 'probabilities of one row, 1,000 times',
    'first': 'from import to the end of a first epoch, LSTM',
    'memory': 'peak memory, training on an array of 1 GB',
}


def rows(count=ROWS):
    """Vectors and their classes."""
    rng = np.random.default_rng(1)
    return rng.random((count, VARIABLES), dtype='f'), rng.integers(CLASSES, size=count)


def few():
    """A few rows with classes that can be learned."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(178, 13)).astype('f')
    return x, x[:, :3].argmax(axis=1)


def digits():
    """Images of 8×8 pixels between 0 and 1, and their digits."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype('f'), y


def cancer():
    """Standardized measurements of cells, and whether they are benign."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(x), y


def letters(count=SEQUENCES, steps=STEPS):
    """Labels to read and labels to write, (sequences, steps)."""
    labels = np.random.default_rng(1).integers(LETTERS, size=(count, steps + 1))
    return labels[:, :-1], labels[:, 1:]


def one_hot(labels):
    """The same as vectors of floats."""
    return np.eye(LETTERS, dtype='f')[labels]


def keep(found, as_json, draw=None, chart=None):
    """Write what was found as JSON, and draw it, where paths for that are given."""
    if as_json:
        pathlib.Path(as_json).write_text(json.dumps(found, indent=2), encoding='utf-8')
    if chart:
        draw(found, chart)


def main(peer):
    """Time the work that the command line names, as a peer does it, and print JSON."""
    start = time.perf_counter()
    work = sys.argv[1]
    run = peer[work]()
    if work in ('small_first', 'small_cached'):
        start = time.perf_counter()
        run()
        print(json.dumps([time.perf_counter() - start]))
        return
    if work in ('first', 'memory'):
        run()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([memory if work == 'memory' else time.perf_counter() - start]))
        return
    times = []
    for _ in range((2 if work == 'search' else RUNS) + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(json.dumps(times[1:]))
