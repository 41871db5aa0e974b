"""The random numbers of a compiled program beside those of Keras."""

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import backend

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='of TensorFlow, where XLA has another algorithm'
)


@pytest.mark.parametrize('shape', [(8,), (5,), (1,), (3, 7), (40, 11, 9)])
@pytest.mark.parametrize('kind', ['uniform', 'normal'])
def test_xla_draws_the_numbers_of_keras(kind, shape):
    import tensorflow as tf

    expected = getattr(keras.random, kind)(shape, seed=keras.random.SeedGenerator(5))
    seeds, zeros = keras.random.SeedGenerator(5), np.zeros(shape, 'f')

    @tf.function(jit_compile=True, autograph=False)
    def draw():
        with backend.for_xla():
            if kind == 'normal':
                return backend.noisy(tf.constant(zeros), 1.0, seeds)
            return backend.omitted(tf.constant(zeros + 1), 0.3, seeds)

    if kind == 'uniform':
        expected = np.where(expected >= 0.3, 1 / (1 - 0.3), 0)
    np.testing.assert_allclose(draw(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('settings', [{'hidden_dropout': 0.3}, {'input_noise': 0.2}])
@pytest.mark.parametrize('form', ['tanh', 'lstm'])
def test_xla_changes_no_noise_of_training(form, settings):
    rng = np.random.default_rng(3)
    sequences = form == 'lstm'
    x = rng.normal(size=(24, 5, 4) if sequences else (24, 4)).astype('f')
    y = rng.integers(3, size=24)
    module, found = kerasnets.recurrent if sequences else kerasnets, []
    for jit in (False, True):
        net = (module.Classifier)([4, (6, form), 3], rng=7)
        targets = np.repeat(y[:, None], 5, 1) if sequences else y
        net.train([x, targets], epochs=3, batch_size=8, jit=jit, **settings)
        found.append([param.get_value() for param in net.params])
    for plain, compiled in zip(*found):
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
