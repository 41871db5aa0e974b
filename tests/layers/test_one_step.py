"""A step of a layer at a time is what the layer does at once."""

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.layers.fast.stepping import STEPS, stepper

L = keras.layers
RNG = np.random.default_rng(3)
LABELS = RNG.integers(6, size=(3, 9))


class Adding(keras.layers.Layer):
    """A cell of one's own, which has no activation."""

    state_size = output_size = 6

    def get_initial_state(self, batch_size=None):
        return [keras.ops.zeros((batch_size, 6))]

    def call(self, x, states):
        return x + states[0], [x + states[0]]


LAYERS = {
    'own': lambda: L.RNN(Adding()),
    'lstm': lambda: L.LSTM(4),
    'lstm without bias': lambda: L.LSTM(4, use_bias=False),
    'lstm of another kind': lambda: L.LSTM(4, activation='relu'),
    'gru': lambda: L.GRU(4),
    'gru of theanets': lambda: L.GRU(4, reset_after=False),
    'gru without bias': lambda: L.GRU(4, use_bias=False),
    'gru with hard gates': lambda: L.GRU(4, recurrent_activation='hard_sigmoid'),
    'rnn': lambda: L.SimpleRNN(4),
    'rnn without bias': lambda: L.SimpleRNN(4, use_bias=False),
    'rnn of another kind': lambda: L.SimpleRNN(4, activation='relu', dropout=0.5),
    'scrn': lambda: kerasnets.recurrent.Regressor([6, (4, 'scrn'), 2]).layers[1].keras,
}


@pytest.mark.parametrize('labels', [True, False])
@pytest.mark.parametrize('name', LAYERS)
def test_steps(name, labels):
    x = np.eye(6, dtype='f')[LABELS]
    layer = LAYERS[name]()
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    layer.return_sequences = False
    want = keras.ops.convert_to_numpy(layer(x))
    step = stepper(layer, 6 if labels else None)
    states = keras.tree.flatten(layer.cell.get_initial_state(batch_size=3))
    for t in range(x.shape[1]):
        y, states = step(LABELS[:, t] if labels else x[:, t], states)
        states = keras.tree.flatten(states)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(y), want, rtol=1e-5, atol=1e-6)


def test_stock_cells_have_fast_steps():
    for layer in (L.LSTM(2), L.GRU(2), L.SimpleRNN(2)):
        assert type(layer.cell) in STEPS
