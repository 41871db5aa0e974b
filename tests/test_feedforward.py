import numpy as np
import pytest
import sklearn.metrics

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
        ((X, np.array(['a'] * 40)), 'encode_labels'),
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


def test_logits_need_a_preactivation():
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


def r2(y, p, w=None):
    return sklearn.metrics.r2_score(y, p, sample_weight=w)


@pytest.mark.parametrize('loss', ['mse', 'mae'])
@pytest.mark.parametrize('weighted', [False, True])
def test_regressors_follow_their_loss(loss, weighted):
    net = kerasnets.Regressor([4, (6, 'tanh'), 2], loss=loss, weighted=weighted)
    y, w = RNG.normal(size=(40, 2)), RNG.random((40, 2))
    e = net.predict(X) - y
    e = e**2 if loss == 'mse' else abs(e)
    want = (w * e).sum() / w.sum() if weighted else e.mean()
    data = [X, y, w] if weighted else [X, y]
    got = net.evaluate(data, batch_size=7)
    assert list(got) == ['loss', 'err']
    np.testing.assert_allclose(got['loss'], want, rtol=1e-5, atol=1e-6)


def test_a_regressor_learns():
    net = kerasnets.Regressor([4, (20, 'tanh'), 2])
    x = RNG.normal(size=(400, 4))
    y = np.stack([x[:, 0] * x[:, 1], x[:, 2] + 1], 1)
    net.train([x, y], algo='adam', learning_rate=0.02, epochs=60)
    assert net.score(x, y) > 0.9


def test_the_score_of_a_regressor_is_scikit_learns():
    net = kerasnets.Regressor([4, (6, 'tanh'), 2])
    y, w = net.predict(X) + RNG.normal(size=(40, 2)) * [0.1, 3], RNG.random(40)
    np.testing.assert_allclose(net.score(X, y), r2(y, net.predict(X)), rtol=1e-6)
    np.testing.assert_allclose(net.score(X, y, w), r2(y, net.predict(X), w), rtol=1e-6)
    flat = np.stack([y[:, 0], np.ones(40)], 1)
    np.testing.assert_allclose(net.score(X, flat), r2(flat, net.predict(X)), rtol=1e-6)
    rec = kerasnets.recurrent.Regressor([4, (6, 'rnn', 'tanh'), 2])
    x, z = RNG.normal(size=(5, 8, 4)), RNG.normal(size=(5, 8, 2))
    want = r2(z.reshape(40, 2), rec.predict(x).reshape(40, 2))
    np.testing.assert_allclose(rec.score(x, z), want, rtol=1e-6)
    with pytest.raises(DataError, match=r'targets .*: expected shape \(any, 2\)'):
        net.score(X, y[:, :1])


@pytest.mark.parametrize('module', ['feedforward', 'recurrent'])
def test_autoencoders_encode_and_decode(module):
    net = getattr(kerasnets, module).Autoencoder(
        [4, (6, 'tanh' if module == 'feedforward' else 'rnn'), (3, 'logistic'), (6, 'tanh'), 4]
    )
    x = RNG.normal(size=(9, 4) if module == 'feedforward' else (9, 5, 4)).astype('f')
    out = net.feed_forward(x)
    np.testing.assert_allclose(net.encode(x), out['hid2:out'], atol=1e-6)
    np.testing.assert_allclose(net.encode(x, 'hid1'), out['hid1:out'], atol=1e-6)
    np.testing.assert_allclose(net.encode(x, 3), out['hid3:out'], atol=1e-6)
    np.testing.assert_allclose(net.decode(out['hid2:out']), net.predict(x), atol=1e-6)
    np.testing.assert_allclose(net.decode(out['hid1:out'], 'hid1'), net.predict(x), atol=1e-6)
    np.testing.assert_allclose(
        net.evaluate([x])['loss'], ((x - net.predict(x)) ** 2).mean(), rtol=1e-5
    )
    rows = x.reshape(-1, 4)
    np.testing.assert_allclose(
        net.score(x), r2(rows, net.predict(x).reshape(-1, 4)), rtol=1e-5, atol=1e-6
    )
    drawn = net.encode(x, sample=True)
    assert set(np.unique(drawn)) == {0, 1}
    with pytest.raises(ConfigurationError, match="no layer 'hid9'"):
        net.encode(x, 'hid9')
    with pytest.raises(DataError, match="outputs of 'hid2': expected shape"):
        net.decode(x)
    with pytest.raises(DataError, match='expected 1 arrays'):
        net.train([x, x], epochs=1)


def test_an_autoencoder_learns_to_compress(tmp_path):
    basis = RNG.normal(size=(2, 6))
    x = RNG.normal(size=(300, 2)) @ basis
    net = kerasnets.Autoencoder([6, (2, 'linear'), 6])
    net.train([x], algo='adam', learning_rate=0.05, epochs=60)
    assert net.score(x) > 0.98
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    assert type(again) is kerasnets.Autoencoder
    np.testing.assert_array_equal(again.encode(x), net.encode(x))
    assert again.losses[0].target == 'in:out'
    again.train([x], epochs=1)


def test_weighted_autoencoders():
    net = kerasnets.Autoencoder([4, (2, 'tanh'), 4], weighted=True)
    w = RNG.random((40, 4))
    e = (net.predict(X) - X) ** 2
    np.testing.assert_allclose(
        net.evaluate([X, w])['loss'], (w * e).sum() / w.sum(), rtol=1e-5, atol=1e-6
    )


def test_classes_have_names(tmp_path):
    words = np.array(['rose', 'iris', 'rose', 'lily'])
    labels, names = kerasnets.util.encode_labels(words)
    assert (labels.tolist(), names) == ([2, 0, 2, 1], ['iris', 'lily', 'rose'])
    x = np.eye(4, dtype='f')
    net = kerasnets.Classifier([4, 3], class_names=names)
    net.train([x, labels], algo='sgd', learning_rate=5.0, epochs=50)
    assert net.predict(x, names=True).tolist() == words.tolist()
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    assert again.predict(x, names=True).tolist() == words.tolist()
    assert again.predict(x).tolist() == labels.tolist()
    with pytest.raises(kerasnets.ConfigurationError, match=r'class_names of 3 classes.*got 2'):
        kerasnets.Classifier([4, 3], class_names=['a', 'b'])
    with pytest.raises(kerasnets.ConfigurationError, match='expected a network with class_names'):
        kerasnets.Classifier([4, 3]).predict(x, names=True)
    with pytest.raises(kerasnets.DataError, match=r'= kerasnets\.util\.encode_labels'):
        net.train([x, words])
    with pytest.raises(kerasnets.DataError, match='not one-hot rows'):
        net.train([x, np.eye(3)[labels]])
    np.testing.assert_array_equal(kerasnets.util.encode_labels(np.eye(3)[labels])[0], labels)


def test_objects_that_are_numbers_are_numbers():
    """Row 28."""
    pandas = pytest.importorskip('pandas')
    net = kerasnets.Classifier([2, 3])
    x, labels = np.array([[1, 2.5], [3, 4]]), np.array([0, 2])
    want = net.predict_proba(x)
    frame = pandas.DataFrame({'a': [1, 3], 'b': [2.5, 4]}).convert_dtypes()
    for same in (x.astype(object), frame, x.tolist(), frame.astype(object)):
        np.testing.assert_array_equal(net.predict_proba(same), want)
    loss = net.evaluate([x, labels])['loss']
    nullable = pandas.Series([0, 2], dtype='Int64')
    for same in (labels.astype(object), nullable, nullable.astype(object)):
        assert net.evaluate([frame, same])['loss'] == loss
    frame.loc[1, 'b'] = None
    with pytest.raises(kerasnets.DataError, match='finite numbers, got nan in row 1'):
        net.predict(frame)
    with pytest.raises(kerasnets.DataError, match="expected numbers, got '2' in row 0"):
        net.predict(np.array([[1, '2'], [3, 4]], object))
