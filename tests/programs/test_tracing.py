"""On PyTorch, training by a traced graph gives the parameters of plain Keras."""

import os
import subprocess
import sys

import keras
import pytest
from paths import ROOT

SCRIPT = """
import itertools
import keras, numpy as np, kerasnets
from kerasnets.programs import tracing
tracing.CALLS = 2
layers = keras.layers
rng = np.random.default_rng(1)
x, labels = rng.normal(size=(22, 5)).astype('f'), rng.integers(0, 3, 22)
numbers = x[:, :3] * 2

def pair(last, loss, hidden=(), **keywords):
    def make():
        keras.utils.set_random_seed(3)
        entry = keras.Input((5,))
        y = layers.Dense(8, 'tanh', **keywords)(entry)
        for layer in hidden:
            y = layer()(y)
        return keras.Model(entry, layers.Dense(3, last)(y))
    plain = make()
    plain.compile(keras.optimizers.Adam(0.01), loss)
    names = {'mse': 'mse', 'sparse_categorical_crossentropy': 'xe'}
    return plain, kerasnets.Network.from_keras(make(), names[loss])

def train(plain, net, y, epochs, **keywords):
    batches = itertools.cycle([[x[i : i + 8], y[i : i + 8]] for i in (0, 8, 16)])
    net.train(lambda: next(batches), algo='adam', learning_rate=0.01, train_batches=3,
              epochs=epochs, **keywords)
    plain.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)

def compare(plain, net, name):
    for a, b in zip(plain.get_weights(), net.model.get_weights()):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5, err_msg=name)

def graphs(net):
    return [len(one.model._traced._graphs) if one.model._traced else None for one in STEPS]

from kerasnets.training import steps
STEPS, old = [], steps.KerasSteps.__init__
def init(self, *args, **keywords):
    old(self, *args, **keywords)
    STEPS.append(self)
steps.KerasSteps.__init__ = init

cases = {
    'labels': ('softmax', 'sparse_categorical_crossentropy', (), {}, labels, True),
    'numbers': (None, 'mse', (), {}, numbers, True),
    'a penalty of a layer': (None, 'mse', (), {'kernel_regularizer': 'l2'}, numbers, True),
    'normalization': (None, 'mse', (layers.LayerNormalization,), {}, numbers, True),
    'moving means': (None, 'mse', (layers.BatchNormalization,), {}, numbers, False),
}
for name, (last, loss, hidden, keywords, y, traced) in cases.items():
    STEPS.clear()
    plain, net = pair(last, loss, hidden, **keywords)
    train(plain, net, y, 4)
    compare(plain, net, name)
    assert graphs(net)[0] == (2 if traced else None), (name, graphs(net))

# what changes between two trainings is not part of an old graph
plain, net = pair(None, 'mse')
train(plain, net, numbers, 3)
net.model.layers[1].trainable = plain.layers[1].trainable = False
plain.compile(keras.optimizers.Adam(0.01), 'mse')
train(plain, net, numbers, 3)
compare(plain, net, 'a frozen layer')
weights = []
for strength in (0.0, 10.0):
    net = kerasnets.Regressor([5, 8, 3], rng=1)
    for l2 in (0.1, strength):
        net.train([x, numbers], batch_size=8, epochs=4, weight_l2=l2, learning_rate=0.01)
    weights.append(abs(net.model.get_weights()[0]).mean())
assert weights[1] < 0.8 * weights[0], weights
print('done')
"""


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='starts PyTorch by itself')
def test_a_traced_graph_trains_as_plain_keras_does():
    pytest.importorskip('torch')
    env = os.environ | {'KERAS_BACKEND': 'torch', 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([sys.executable, '-c', SCRIPT], env=env, capture_output=True, text=True)
    assert done.stdout == 'done\n', done.stderr[-3000:]
