"""Recurrent layers with a backward pass by hand give the stock layers' numbers and gradients."""

import keras
import numpy as np
import pytest
from keras import ops
from marks import quick

from kerasnets import backend
from kerasnets.layers.fast import recurrent as fast
from kerasnets.layers.fast import variants

LAYERS = {
    'lstm': lambda **kw: keras.layers.LSTM(5, **kw),
    'gru': lambda **kw: keras.layers.GRU(5, reset_after=False, **kw),
    'gru that resets after': lambda **kw: keras.layers.GRU(5, **kw),
    'rnn': lambda **kw: keras.layers.SimpleRNN(5, **kw),
}
compiles = pytest.mark.skipif(
    keras.backend.backend() == 'torch', reason='XLA compiles them, and nothing else runs them'
)
MORE = [
    {},
    {'use_bias': False},
    {'go_backwards': True, 'return_sequences': False},
]


def built(name, **kwargs):
    """A layer of five units with weights that differ from each other, over three variables."""
    layer = LAYERS[name](**{'return_sequences': True, **kwargs})
    layer.build((None, None, 3))
    rng = np.random.default_rng(3)
    layer.set_weights([rng.normal(size=w.shape) * 0.6 for w in layer.get_weights()])
    return layer


def grown(layer, x, factors):
    """The outputs, and the gradients of Σ (outputs · factors) by all weights and the input."""
    x = keras.Variable(x)
    variables = [*layer.trainable_variables, x]

    def function():
        with backend.for_xla():
            y = layer(x)
            return y, *backend.gradients(lambda: ops.sum(layer(x) * factors), variables)

    values = [v.value for v in variables]
    return [np.asarray(part) for part in backend.compiled(function, variables)(values)]


def compare(layer, steps=7):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, steps, 3)).astype('f')
    factors = rng.normal(size=layer(x).shape).astype('f')
    wrapped = variants.fast_variant(layer)
    assert type(wrapped) is fast.FastRecurrent
    for a, b in zip(*(grown(each, x, factors) for each in (wrapped, layer)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@compiles
@pytest.mark.parametrize('more', quick(*MORE, but=[{'use_bias': False}]), ids=str)
@pytest.mark.parametrize('name', LAYERS)
def test_outputs_and_gradients_are_those_of_the_stock_layer(name, more):
    compare(built(name, **more))


@compiles
@pytest.mark.parametrize('name', LAYERS)
def test_one_step(name):
    compare(built(name), steps=1)


@compiles
@pytest.mark.parametrize(
    ('name', 'activation'),
    [('gru', 'relu'), ('gru that resets after', 'sigmoid'), ('rnn', 'linear')],
)
def test_other_activations(name, activation):
    compare(built(name, activation=activation))


@compiles
@pytest.mark.parametrize('sequences', [True, False])
def test_both_directions(sequences):
    layer = keras.layers.Bidirectional(LAYERS['rnn'](return_sequences=sequences))
    layer.build((None, None, 3))
    compare(layer)


@pytest.mark.parametrize(
    'more',
    [
        {'dropout': 0.1},
        {'recurrent_dropout': 0.1},
        {'unroll': True},
        {'stateful': True},
        {'activation': 'selu'},
        {'recurrent_activation': 'hard_sigmoid'},
        {'dtype': 'mixed_bfloat16'},
    ],
    ids=str,
)
def test_unknown_settings_use_the_stock_layer(more):
    layer = LAYERS['gru'](**more)
    assert variants.fast_variant(layer) is layer


@pytest.mark.skipif(keras.backend.backend() != 'jax', reason='of JAX; test_pace has TensorFlow')
def test_on_a_gpu_cudnn_has_the_lstm(monkeypatch):
    import jax

    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    for name, more in [('lstm', {}), ('lstm', {'use_bias': False}), ('gru', {})]:
        layer = LAYERS[name](**more)
        assert (variants.fast_variant(layer) is layer) == ((name, more) == ('lstm', {}))


def test_data_with_a_mask_stays_with_the_stock_layer():
    layer = built('lstm')
    x, mask = np.ones((2, 4, 3), 'f'), np.array([[True] * 4, [True, False, True, False]])
    with backend.for_xla():
        got = fast.FastRecurrent(layer)(x, mask=mask)
    np.testing.assert_array_equal(got, layer(x, mask=mask))
