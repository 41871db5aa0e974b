import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError, DataError

RNG = np.random.default_rng(4)
X, Y, W = RNG.normal(size=(40, 4)), RNG.integers(3, size=40), RNG.random(40)


@pytest.fixture(scope='module')
def net():
    return kerasnets.Classifier([4, (6, 'tanh'), 3])


def test_logits_and_probabilities_agree(net):
    logits, p = net.predict_logit(X).astype('d'), net.predict_proba(X)
    want = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(p, want / want.sum(1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(net.predict(X), p.argmax(1))
    assert net.predict(X).dtype.kind == 'i'


def test_score(net):
    right = net.predict(X) == Y
    assert net.score(X, Y) == right.mean()
    np.testing.assert_allclose(net.score(X, Y, W), (W * right).sum() / W.sum())
    assert net.score(X, net.predict(X)) == 1


@pytest.mark.parametrize(
    ('args', 'says'),
    [
        ((X, Y[:-1]), 'as many'),
        ((X, Y + 5), 'labels of 0 to 2'),
        ((X, Y, W[:-1]), 'as many weights'),
        ((X, Y, -W), 'weights of 0 or more'),
        ((X[:, :2], Y), 'expected shape'),
        ((X, np.array(['a'] * 40)), 'np.unique'),
    ],
)
def test_wrong_scores(net, args, says):
    with pytest.raises(DataError, match=says):
        net.score(*args)


def test_nothing_to_score(net):
    with pytest.raises(DataError, match='at least one example'):
        net.score(X[:0], Y[:0])
    with pytest.raises(DataError, match='weights add up to 0'):
        net.score(X, Y, W * 0)


def test_classify_is_predict(net):
    with pytest.warns(DeprecationWarning, match='predict'):
        np.testing.assert_array_equal(net.classify(X), net.predict(X))


def test_no_logits_without_a_preactivation():
    net = kerasnets.recurrent.Classifier([4, (3, 'lstm', 'softmax')])
    with pytest.raises(ConfigurationError, match="no output 'out:pre'"):
        net.predict_logit(np.zeros((1, 2, 4)))


def test_weights_change_what_is_learnt():
    """With all weight on one class, that class is learnt."""
    for label in range(3):
        net = kerasnets.Classifier([4, 3], weighted=True)
        net.train(
            [X, Y, (label == Y).astype('f')],
            algo='adam',
            learning_rate=0.1,
            epochs=30,
        )
        assert (net.predict(X) == label).mean() > 0.9
