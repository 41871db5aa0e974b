import keras
import numpy as np
import pytest
import scipy.signal

import kerasnets
from kerasnets.errors import ConfigurationError, DataError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 9, 8, 2)).astype('f')


def test_conv2_is_a_true_convolution_in_theanets_layout():
    net = kerasnets.convolution.Classifier(
        [(9, 8, 2), dict(form='conv2', size=3, filter_size=(3, 2), activation='tanh'), 'flat', 5]
    )
    w, b = RNG.normal(size=(3, 2, 3, 2)), RNG.normal(size=3)
    assert net.find('hid1', 'w').shape == (3, 2, 3, 2)
    net.find('hid1', 'w').set_value(w)
    net.find('hid1', 'b').set_value(b)
    np.testing.assert_allclose(net.find('hid1', 'w').get_value(), w, rtol=1e-6)
    want = np.stack(
        [
            sum(scipy.signal.convolve2d(X[0, :, :, i], w[o, i], 'valid') for i in range(2)) + b[o]
            for o in range(3)
        ],
        axis=-1,
    )
    out = net.feed_forward(X)
    np.testing.assert_allclose(out['hid1:pre'][0], want, atol=1e-4)
    np.testing.assert_allclose(out['hid1:out'][0], np.tanh(want), atol=1e-4)
    assert out['hid2:out'].shape == (4, 7 * 7 * 3)


def test_conv1_is_a_true_convolution():
    net = kerasnets.recurrent.Regressor([4, dict(form='conv1', size=3, filter_size=2), 2])
    w = RNG.normal(size=(3, 4, 1, 2))
    net.find('hid1', 'w').set_value(w)
    np.testing.assert_allclose(net.find('hid1', 'w').get_value(), w, rtol=1e-6)
    x = RNG.normal(size=(2, 7, 4)).astype('f')
    want = sum(np.convolve(x[0, :, i], w[1, i, 0], 'valid') for i in range(4))
    np.testing.assert_allclose(net.feed_forward(x)['hid1:pre'][0, :, 1], want, atol=1e-5)
    assert net.predict(x).shape == (2, 6, 2)
    net.train([x, np.zeros((2, 6, 2))], epochs=1)
    with pytest.raises(DataError, match=r'expected shape \(any, 6, 2\), got \(2, 7, 2\)'):
        net.train([x, np.zeros((2, 7, 2))], epochs=1)


@pytest.mark.parametrize(('mode', 'reduce'), [('max', np.max), ('avg', np.mean)])
def test_pooling(mode, reduce):
    net = kerasnets.convolution.Regressor(
        [(9, 8, 2), dict(form='pool2', mode=mode, pool_size=(3, 2), stride=(3, 2)), 'flat', 2]
    )
    got = net.feed_forward(X)['hid1:out']
    want = reduce(X.reshape(4, 3, 3, 4, 2, 2), axis=(2, 4))
    np.testing.assert_allclose(got, want, atol=1e-6)
    net = kerasnets.recurrent.Regressor([4, dict(form='pool1', mode=mode, pool_size=2), 3])
    x = RNG.normal(size=(2, 6, 4)).astype('f')
    want = reduce(x.reshape(2, 3, 2, 4), axis=2)
    np.testing.assert_allclose(net.feed_forward(x)['hid1:out'], want, atol=1e-6)


def test_filters_start_as_theanets_starts_them():
    net = kerasnets.convolution.Classifier(
        [(9, 8, 20), dict(form='conv2', size=30, filter_size=(3, 3)), 'flat', 3]
    )
    got = net.find('hid1', 'w').get_value().std()
    np.testing.assert_allclose(got, 1 / np.sqrt(50), rtol=0.03)


def test_the_model_is_stock_keras_and_learns(tmp_path):
    x = RNG.normal(size=(200, 6, 6, 1)).astype('f') * 0.1
    y = RNG.integers(2, size=200)
    x[y == 1, 2:4, 2:4] += 1
    net = kerasnets.convolution.Classifier(
        [(6, 6, 1), dict(form='conv2', size=4, filter_size=3), dict(form='pool2', pool_size=2),
         'flat', 2]
    )  # fmt: skip
    assert type(net.model) is keras.Sequential
    net.train([x, y], algo='adam', learning_rate=0.02, epochs=10)
    assert net.score(x, y) > 0.98
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    assert type(again) is kerasnets.convolution.Classifier
    np.testing.assert_array_equal(again.predict_proba(x), net.predict_proba(x))


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(form='pool2', mode='sum'), "unknown mode of pooling 'sum'"),
        (dict(form='conv2', filter_size=3), 'it has no size'),
        (dict(form='conv2', size=3, filtersize=3), 'filtersize'),
        (dict(form='conv2', size=3, filter_size=30), 'layer 1'),
        (dict(form='pool2', size=3), 'takes no size'),
    ],
)
def test_invalid_arguments(entry, says):
    with pytest.raises(ConfigurationError, match=says):
        kerasnets.convolution.Classifier([(9, 8, 2), entry, 'flat', 3])
