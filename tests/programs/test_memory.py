"""Memory of networks that are made, used and dropped, in fresh processes, beside plain Keras."""

import os

import keras
import pytest
from fresh import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='reads /proc of Linux'),
    pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='looks into TensorFlow'),
]

#: Functions for the processes: memory, and networks that are made, used and dropped.
USES = """
import ctypes
import gc
import sys
import weakref

import keras
import numpy as np

x = np.random.default_rng(1).normal(size=(64, 8)).astype('f')
y = np.arange(64) % 3
labels = np.random.default_rng(1).integers(6, size=(32, 11))
one_hot = np.eye(6, dtype='f')[labels[:, :-1]]

def memory():
    for _ in range(3):
        gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096 / 2**20

def plain_dense(size):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(size, 'tanh'),
                              keras.layers.Dense(3, 'softmax')])
    model.compile('adam', 'sparse_categorical_crossentropy')
    model.fit(x, y, epochs=2, verbose=0)
    model.predict(x, verbose=0)

def plain_lstm(size):
    model = keras.Sequential([keras.Input((None, 6)),
                              keras.layers.LSTM(size, return_sequences=True),
                              keras.layers.Dense(6, 'softmax')])
    model.compile('adam', 'sparse_categorical_crossentropy')
    model.fit(one_hot, labels[:, 1:], epochs=2, verbose=0)
    model.predict(one_hot, verbose=0)

def ours_dense(size):
    import kerasnets
    net = kerasnets.Classifier([8, (size, 'tanh'), 3])
    net.train([x, y], algo='adam', epochs=2, **options)
    net.predict(x)
    return references(net)

def ours_lstm(size):
    import kerasnets
    net = kerasnets.recurrent.Classifier([6, (size, 'lstm'), 6])
    net.train([labels[:, :-1], labels[:, 1:]], algo='adam', epochs=2, **options)
    net.predict(labels[:, :-1])
    list(net.predict_sequence([0, 1], 10, rng=1))
    return references(net)

def references(net):
    return [weakref.ref(one) for one in (net, net.model, *net.model.layers, *net.model.variables)]

options = {}
"""

GROWTH = f"""{USES}
use, count = globals()[sys.argv[1]], int(sys.argv[2])
for size in range(3):
    use(500 + size)
start = memory()
for size in range(count):
    use(3 + size)
print(memory() - start)
if 'kerasnets' in sys.modules:
    sys.modules['kerasnets'].clear_cache()
print(memory() - start)
"""


def grown(use, count):
    """Return the megabytes that some structures leave behind, and those after `clear_cache`."""
    return map(float, run(GROWTH, use, count).split())


@pytest.mark.parametrize(('kind', 'count'), [('dense', 300), ('lstm', 60)])
def test_structures_leave_no_more_behind_than_in_plain_keras(kind, count):
    allowed, _ = grown(f'plain_{kind}', count)
    left, _ = grown(f'ours_{kind}', count)
    assert left <= allowed


@pytest.mark.parametrize(('kind', 'count', 'part'), [('dense', 60, 0.5), ('lstm', 20, 0.7)])
def test_clear_cache_leaves_a_part_of_what_plain_keras_keeps(kind, count, part):
    """TensorFlow keeps executables of XLA for good. A loop that samples, in 'lstm', is one."""
    allowed, _ = grown(f'plain_{kind}', count)
    _, left = grown(f'ours_{kind}', count)
    assert left <= part * allowed


ALIVE = f"""{USES}
import kerasnets
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

def alive():
    for _ in range(3):
        gc.collect()
    named = [n for n in ops.gradient_registry._registry if n.startswith('CustomGradient-')]
    return [
        sum(isinstance(one, FuncGraph) for one in gc.get_objects()),
        len(named),
        sum(not n.startswith('__wrapped__') for n in context.context().list_function_names()),
    ]

options = dict(jit=sys.argv[1] == 'True')
use = globals()[sys.argv[2]]
use(3)
kerasnets.clear_cache()
before = alive()
found = [reference for size in range(8) for reference in use(5 + size)]
gc.collect()
print(sum(reference() is not None for reference in found))
kerasnets.clear_cache()
print(*(after - count for after, count in zip(alive(), before)))
"""


@pytest.mark.parametrize('use', ['ours_dense', 'ours_lstm'])
@pytest.mark.parametrize('jit', [False, True])
def test_nothing_of_dropped_networks_is_alive(use, jit):
    """Graphs, names of gradients, functions of the context; layers even without `clear_cache`."""
    held, graphs, gradients, functions = map(int, run(ALIVE, jit, use).split())
    assert held == 0
    assert graphs == 0
    assert gradients == 0
    assert functions <= 0


STEADY = f"""{USES}
import kerasnets
net = kerasnets.recurrent.Classifier([6, (8, 'lstm'), 6])
data = [labels[:, :-1], labels[:, 1:]]

def work(count):
    for _ in range(count):
        CALL

work(100)
for _ in range(2):
    start = memory()
    work(200)
    print(memory() - start)
"""

CALLS = {
    'train': "net.train(data, algo='adam', epochs=1)",
    'validate': "net.train(data, data, algo='sgd', epochs=1)",
    'evaluate': 'net.evaluate(data)',
    'predict': 'net.predict(data[0])',
    'sample': 'list(net.predict_sequence([0, 1], 10, rng=1))',
    'noise': 'net.predict(data[0], input_noise=0.1)',
    'leave': "next(net.itertrain(data, algo='sgd', epochs=2))",
}


@pytest.mark.parametrize('call', CALLS)
def test_further_calls_of_one_network_leave_nothing_behind(call):
    """200 more of them, in megabytes; pages come and go, so the better of two rounds counts."""
    assert min(map(float, run(STEADY.replace('CALL', CALLS[call])).split())) < 1


WORKER = f"""{USES}
import kerasnets
options = dict(jit=False)
start = memory()
for size in range(40):
    ours_dense(3 + size)
    kerasnets.clear_cache()
print(memory() - start)
"""


def test_a_process_that_clears_the_cache_after_each_network_stays_small():
    assert float(run(WORKER)) < 100
