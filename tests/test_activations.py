import keras
import numpy as np
import pytest
from gradients import check

import kerasnets
from kerasnets import activations
from kerasnets.errors import ConfigurationError


def _norm(x, what):
    mean, std = x.mean(-1, keepdims=True), x.std(-1, keepdims=True) + 1e-8
    return {'mean': x - mean, 'std': x / std, 'z': (x - mean) / std}[what]


REFERENCE = {
    'linear': lambda x: x,
    'logistic': lambda x: 1 / (1 + np.exp(-x)),
    'sigmoid': lambda x: 1 / (1 + np.exp(-x)),
    'tanh': np.tanh,
    'softplus': lambda x: np.log1p(np.exp(x)),
    'softmax': lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    'relu': lambda x: np.maximum(x, 0),
    'rect:max': lambda x: np.maximum(x, 0),
    'rect:min': lambda x: np.minimum(x, 1),
    'rect:minmax': lambda x: np.clip(x, 0, 1),
    'norm:mean': lambda x: _norm(x, 'mean'),
    'norm:std': lambda x: _norm(x, 'std'),
    'norm:z': lambda x: _norm(x, 'z'),
    'norm:max': lambda x: x / (abs(x).max(-1, keepdims=True) + 1e-8),
    'relu+tanh': lambda x: np.tanh(np.maximum(x, 0)),
    'tanh+relu': lambda x: np.maximum(np.tanh(x), 0),
    'softplus+norm:z+rect:min': lambda x: np.minimum(_norm(np.log1p(np.exp(x)), 'z'), 1),
}


LEARNED = ['prelu', 'prelu:slope', 'lgrelu', 'lgrelu:slope', 'elu', 'maxout:3']


@pytest.mark.parametrize('name', REFERENCE)
def test_values(name, rng):
    x = rng.normal(size=(4, 6)).astype('f')
    function = keras.activations.get(activations.get(name))
    np.testing.assert_allclose(function(x), REFERENCE[name](x.astype('d')), atol=1e-5)


@pytest.mark.parametrize('name', [*REFERENCE, *LEARNED])
def test_gradients_by_finite_differences(name, rng):
    function = keras.activations.get(activations.get(name))
    x = rng.normal(size=(4, 6)).astype('f')
    if isinstance(function, keras.layers.Layer):
        function.build(x.shape)
        for variable in function.variables:
            variable.assign(rng.normal(size=variable.shape))
    weigh = keras.ops.convert_to_tensor(rng.normal(size=function(x).shape).astype('f'))
    check(lambda x: keras.ops.sum(weigh * function(x)), x)


def test_slopes_and_their_logarithms(rng):
    x = rng.normal(size=(4, 6)).astype('f')
    for name in ('prelu', 'lgrelu'):
        as_logarithm, as_is = activations.get(name), activations.get(f'{name}:slope')
        as_is(x)
        for variable in as_is.variables:
            variable.assign(rng.uniform(0.1, 2, size=6))
        as_logarithm(x)
        for a, b in zip(as_logarithm.variables, as_is.variables):
            a.assign(np.log(keras.ops.convert_to_numpy(b)))
        want = np.where(x > 0, x, x * keras.ops.convert_to_numpy(as_is.leak))
        want = (
            np.where(x > 0, x * keras.ops.convert_to_numpy(as_is.gain), want)
            if name == 'lgrelu'
            else want
        )
        np.testing.assert_allclose(as_is(x), want, rtol=1e-6)
        np.testing.assert_allclose(as_logarithm(x), want, rtol=1e-6)


def test_stock_layers_stay_stock_layers():
    for name in ('linear', 'logistic', 'rect:max', 'tanh', 'gelu', 'softmax'):
        assert activations.get(name) == {'logistic': 'sigmoid', 'rect:max': 'relu'}.get(name, name)
    assert activations.get(keras.ops.tanh) is keras.ops.tanh


@pytest.mark.parametrize('name', ['norm:z', 'relu+tanh'])
def test_config_round_trip(name):
    layer = keras.layers.Dense(3, activation=activations.get(name))
    again = keras.layers.Dense.from_config(layer.get_config())
    assert again.activation == layer.activation == activations.Activation(name)


@pytest.mark.parametrize(
    ('name', 'says'), [('tanj', "Did you mean 'tanh'"), ('relu+tanj', 'tanj'), (3, 'by name')]
)
def test_unknown(name, says):
    with pytest.raises(ConfigurationError, match=says):
        activations.get(name)


@pytest.mark.parametrize('name', ['norm:z', 'norm:std', 'norm:max', 'norm:mean', 'relu+norm:z'])
@pytest.mark.parametrize('jit', [True, False])
def test_rows_of_equal_values_train_without_nan(name, jit):
    """The root in a deviation has no derivative at 0; XLA does not forgive that."""
    jit = 'auto' if keras.backend.backend() == 'torch' else jit
    net = kerasnets.Regressor([4, (5, name), 3])
    net.train([np.zeros((6, 4), 'f'), np.ones((6, 3), 'f')], algo='sgd', epochs=2, jit=jit)
    for param in net.params:
        assert np.isfinite(param.get_value()).all(), param.name


def test_maxout_is_the_largest_and_so_is_its_gradient(rng):
    x, y = rng.normal(size=(30, 4)).astype('f'), np.zeros((30, 3), 'f')
    net = kerasnets.Regressor([4, (5, 'maxout:3'), 3])
    for param in net.params:
        param.set_value(rng.normal(size=param.shape))
    by_name = {p.name: p.get_value() for p in net.params}
    slope, intercept = by_name['hid1.slope'], by_name['hid1.intercept']
    pre = x @ by_name['hid1.w'] + by_name['hid1.b']
    pieces = pre[..., None] * slope + intercept
    out = pieces.max(-1) @ by_name['out.w'] + by_name['out.b']
    np.testing.assert_allclose(net.predict(x), out, rtol=1e-4, atol=1e-4)
    # the mean squared error goes back to the piece that was the largest
    back = 2 * out / out.size @ by_name['out.w'].T
    chosen = np.eye(3)[pieces.argmax(-1)]
    want = slope - 0.1 * (back[..., None] * pre[..., None] * chosen).sum(0)
    net.train([x, y], algo='sgd', learning_rate=0.1, epochs=1, batch_size=30)
    np.testing.assert_allclose(net.find('hid1', 'slope').get_value(), want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('activation', [keras.ops.glu, keras.ops.sum], ids=range(2))
def test_an_activation_keeps_the_shape(activation):
    with pytest.raises(ConfigurationError, match='keeps the shape'):
        kerasnets.Classifier([5, (8, activation), 3])
