"""The noise of a training with XLA beside the noise of one without."""

import keras
import numpy as np
import pytest

import kerasnets

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='of TensorFlow, where XLA has another algorithm'
)


@pytest.mark.parametrize('settings', [{'hidden_dropout': 0.3}, {'input_noise': 0.2}])
@pytest.mark.parametrize('form', ['tanh', 'lstm'])
def test_xla_changes_no_noise_of_training(form, settings):
    rng = np.random.default_rng(3)
    sequences = form == 'lstm'
    x = rng.normal(size=(24, 5, 4) if sequences else (24, 4)).astype('f')
    y = rng.integers(3, size=24)
    module, found = kerasnets.recurrent if sequences else kerasnets, []
    for jit in (False, True):
        net = module.Classifier([4, (6, form), 3], rng=7)
        targets = np.repeat(y[:, None], 5, 1) if sequences else y
        net.train([x, targets], epochs=3, batch_size=8, jit=jit, **settings)
        found.append([param.get_value() for param in net.params])
    for plain, compiled in zip(*found):
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
