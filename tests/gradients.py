"""Gradients by the backend, and by finite differences."""

import keras
import numpy as np


def gradient(function, x):
    """Of a scalar function of one array, as the backend has it."""
    if keras.backend.backend() == 'jax':
        import jax

        return np.array(jax.grad(function)(x))
    if keras.backend.backend() == 'torch':
        import torch

        x = torch.tensor(x, requires_grad=True)
        function(x).backward()
        return x.grad.numpy()
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
        moved = [keras.ops.convert_to_tensor(x + s * step * direction) for s in (1, -1)]
        ahead, behind = (float(function(one)) for one in moved)
        want = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(
            (found * direction).sum(), want, **{'rtol': 2e-2, 'atol': 2e-2, **tolerance}
        )
