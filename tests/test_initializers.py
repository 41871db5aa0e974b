import numpy as np
import pytest

from kerasnets.errors import ConfigurationError
from kerasnets.initializers import generator, settings, weights


def test_default_distribution(rng):
    w = weights((300, 500), rng)
    assert w.dtype == 'float32'
    assert abs(w.mean()) < 1e-3
    np.testing.assert_allclose(w.std(), 1 / np.sqrt(800), rtol=0.01)
    np.testing.assert_allclose(weights((400, 400), rng, mean=2, std=0.5).mean(), 2, atol=0.01)
    np.testing.assert_allclose(weights((400, 400), rng, mean=2, std=0.5).std(), 0.5, rtol=0.02)


def test_sparsity_keeps_the_diagonal(rng):
    w = weights((200, 200), rng, sparsity=0.9)
    assert np.all(np.diag(w) != 0)
    np.testing.assert_allclose((w == 0).mean(), 0.9, atol=0.02)


def test_radius_is_the_spectral_radius(rng):
    w = weights((50, 50), rng, radius=1.2)
    np.testing.assert_allclose(abs(np.linalg.eigvals(w)).max(), 1.2, rtol=1e-5)


def test_diagonal(rng):
    np.testing.assert_array_equal(weights((3, 3), rng, diagonal=0.5), np.eye(3) * 0.5)


@pytest.mark.parametrize(
    ('shape', 'options'),
    [((3, 4), {'radius': 1}), ((3,), {'diagonal': 1}), ((3, 3), {'sparsity': 1})],
)
def test_invalid_arguments(shape, options, rng):
    with pytest.raises(ConfigurationError):
        weights(shape, rng, **options)


def test_settings_of_one_parameter_come_first():
    options = {'std': 1, 'std_w': 2, 'mean_b': 3}
    assert settings(options, 'w') == {'std': 2}
    assert settings(options, 'b') == {'std': 1, 'mean': 3}


def test_generator():
    assert generator(3).random() == generator(3).random()
    state = np.random.RandomState(3)
    assert generator(state).random() == generator(np.random.RandomState(3)).random()
    own = np.random.default_rng(1)
    assert generator(own) is own
    with pytest.raises(ConfigurationError, match='numpy random generator'):
        generator('seed')
