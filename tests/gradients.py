"""Gradients by the backend, and by finite differences."""

import keras
import numpy as np


def gradient(function, x):
    """Of a scalar function of one array, as the backend has it."""
    if keras.backend.backend() == 'jax':
        import jax

        return np.array(jax.grad(function)(x))
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


def check(function, x, step=2e-4, **tolerance):
    """Hold the gradient against differences in a few random directions."""
    rng = np.random.default_rng(0)
    x = np.asarray(x, 'float32')
    found = gradient(function, x)
    assert np.isfinite(found).all()
    for _ in range(4):
        direction = rng.normal(size=x.shape).astype('f')
        ahead, behind = (float(function(x + s * step * direction)) for s in (1, -1))
        want = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(
            (found * direction).sum(), want, **{'rtol': 2e-2, 'atol': 2e-2, **tolerance}
        )
