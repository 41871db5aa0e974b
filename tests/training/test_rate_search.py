import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError

X = np.random.default_rng(3).normal(size=(64, 4))
Y = X[:, :3].argmax(1)


def test_a_learning_rate_is_found_and_the_network_stays_as_it_was():
    net = kerasnets.Classifier([4, 8, 3])
    before = [p.get_value() for p in net.params]
    curve = net.find_learning_rate([X, Y], 'sgd')
    for a, b in zip(before, net.params):
        np.testing.assert_array_equal(a, b.get_value())
    assert len(curve.rates) == len(curve.losses) <= 100
    assert curve.rates[0] == pytest.approx(1e-7)
    assert 1e-3 < curve.best < 10
    start = net.evaluate([X, Y])['loss']
    trained, _ = net.train([X, Y], algo='sgd', learning_rate=curve.best, epochs=10)
    slow = kerasnets.Classifier([4, 8, 3])
    other, _ = slow.train([X, Y], algo='sgd', learning_rate=curve.best / 1000, epochs=10)
    assert trained['loss'] < other['loss'] < start + 1e-3


@pytest.mark.parametrize(
    ('keywords', 'says'),
    [
        (dict(low=1, high=0.1), '0 < low < high'),
        (dict(low='a'), 'low as a number above 0'),
        (dict(steps=1), 'steps as an int of 3'),
        (dict(momentun=1), "Did you mean 'momentum'"),
        (dict(low=1e20, high=1e30), 'diverged immediately'),
    ],
)
def test_invalid_arguments(keywords, says):
    net = kerasnets.Regressor([4, 8, 3])
    with pytest.raises(ConfigurationError, match=says):
        net.find_learning_rate([X, X[:, :3]], 'sgd', **keywords)


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='of TensorFlow')
def test_esgd_is_told_the_curvature_here_too():
    """Without it the first step, over nothing but epsilon, would blow the loss up at once."""
    net = kerasnets.Regressor([4, 2])
    curve = net.find_learning_rate([X, X[:, :2]], 'esgd', steps=20, batch_size=len(X))
    assert 1e-3 < curve.best < 10


def test_a_learning_rate_is_found_for_training():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 5)).astype('f')
    y = x[:, :3].argmax(1)
    nets = [kerasnets.Classifier([5, (8, 'tanh'), 3], rng=2) for _ in range(3)]
    best = nets[0].find_learning_rate([x, y], 'adam').best
    nets[0].train([x, y], algo='adam', learning_rate=best, epochs=5)
    nets[1].train([x, y], algo='adam', learning_rate='auto', epochs=5)
    assert float(nets[1].model.optimizer.learning_rate) == pytest.approx(best)
    for a, b in zip(nets[0].params, nets[1].params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    nets[2].train([x, y], algo='adam', epochs=5)  # with the default rate
    assert nets[1].score(x, y) > nets[2].score(x, y) + 0.1
    with pytest.raises(kerasnets.ConfigurationError, match=r"'auto', got 'fast'"):
        nets[0].train([x, y], learning_rate='fast')
    with pytest.raises(kerasnets.ConfigurationError, match='that can be read twice'):
        nets[0].train(iter([[x, y]]), learning_rate='auto', epochs=1)
