import keras
import numpy as np
import pytest

from kerasnets import optimizers
from kerasnets.errors import ConfigurationError


def descend(optimizer, steps=20):
    """Steps of an optimizer on Σ a x² / 2 from (1, -2); gradients are a x."""
    a, x = np.array([1.0, 10.0], 'f'), keras.Variable(np.array([1.0, -2.0], 'f'))
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(a * x.numpy())], [x])
    return x.numpy()


def sgd(x, a, lr, momentum=0.0, nesterov=False, clip=None):
    v = np.zeros(2)
    for _ in range(20):
        g = a * x
        if clip:
            g = g * min(1, clip / np.sqrt((g * g).sum()))
        v = momentum * v - lr * g
        x = x + (momentum * v - lr * g if nesterov else v)
    return x


def rmsprop(x, a, lr, momentum=0.0, halflife=14, regularizer=1e-8):
    keep, v = np.exp(-np.log(2) / halflife), np.zeros(2)
    g1 = g2 = np.zeros(2)
    for _ in range(20):
        g = a * x
        g1, g2 = keep * g1 + (1 - keep) * g, keep * g2 + (1 - keep) * g * g
        v = momentum * v - lr * g / np.sqrt(g2 - g1 * g1 + regularizer)
        x = x + v
    return x


def adam(x, a, lr, b1=0.9, b2=0.999):
    m = v = np.zeros(2)
    for t in range(1, 21):
        g = a * x
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x = x - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + 1e-7)
    return x


@pytest.mark.parametrize(
    ('algo', 'options', 'reference'),
    [
        ('sgd', {}, sgd),
        ('SGD', dict(momentum=0.9), sgd),
        ('sgd', dict(momentum=0.9, nesterov=True), sgd),
        ('sgd', dict(max_gradient_norm=0.5), lambda *s, max_gradient_norm: sgd(*s, clip=0.5)),
        ('rmsprop', {}, rmsprop),
        ('rmsprop', dict(momentum=0.5), rmsprop),
        (
            'rmsprop',
            dict(rms_halflife=5, rms_regularizer=1e-3),
            lambda *s, rms_halflife, rms_regularizer: rmsprop(*s, 0, rms_halflife, rms_regularizer),
        ),
        ('adam', {}, adam),
    ],
)
def test_against_numpy(algo, options, reference):
    got = descend(optimizers.build(algo, 0.03, **options))
    want = reference(np.array([1.0, -2.0]), np.array([1.0, 10.0]), 0.03, **options)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_elements_are_clipped():
    got = descend(optimizers.build('sgd', 0.1, max_gradient_elem=0.5), steps=1)
    np.testing.assert_allclose(got, [0.95, -1.95], rtol=1e-6)


@pytest.mark.parametrize(
    ('algo', 'options', 'says'),
    [
        ('rmsprob', {}, "Did you mean 'rmsprop'"),
        (None, {}, 'unknown algorithm None'),
        ('sgd', dict(momentun=1), "Did you mean 'momentum'"),
        ('adam', dict(momentum=1), "unknown keyword of 'adam' 'momentum'"),
        ('sgd', dict(momentum='a'), 'momentum as a number'),
        ('sgd', dict(max_gradient_norm=-1), 'max_gradient_norm as a number of 0 or more'),
    ],
)
def test_what_cannot_be(algo, options, says):
    with pytest.raises(ConfigurationError, match=says):
        optimizers.build(algo, **options)
