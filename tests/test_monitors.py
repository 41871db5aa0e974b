import time

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets
from kerasnets import monitors
from kerasnets.errors import ConfigurationError

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(50, 4)).astype('f'), RNG.integers(3, size=50)


@pytest.fixture(scope='module')
def net():
    return kerasnets.Classifier([4, (5, 'tanh'), 3])


def test_levels_are_fractions_below(net):
    asked = {'hid1:out': (0.1, -0.5), 'hid1.w': 0.0, '*.b': {'top': keras.ops.max}}
    got = net.evaluate([X, Y], monitors=asked, batch_size=7)
    h, w = net.feed_forward(X)['hid1:out'], net.find('hid1', 'w').get_value()
    want = {
        'hid1:out<0.1': (h < 0.1).mean(),
        'hid1:out<-0.5': (h < -0.5).mean(),
        'hid1.w<0.0': (w < 0).mean(),
        'hid1.b:top': 0.0,
        'out.b:top': 0.0,
    }
    assert list(got) == ['loss', 'err', 'acc', *want]
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, atol=1e-6, err_msg=name)


def test_monitors_are_in_what_training_returns_and_in_the_history(net, tmp_path):
    training, validation = net.train(
        [X, Y], [X, Y], epochs=2, monitors=[('hid1:out', 0.1)], learning_rate=0.1
    )
    exact = net.evaluate([X, Y], monitors=[('hid1:out', 0.1)])
    np.testing.assert_allclose(validation['hid1:out<0.1'], exact['hid1:out<0.1'], rtol=1e-5)
    row = net.history[-1]
    assert row['hid1:out<0.1'] == training['hid1:out<0.1']
    assert row['val_hid1:out<0.1'] == validation['hid1:out<0.1']
    assert row['seconds'] > 0
    assert [r['epoch'] for r in net.history[-2:]] == [1, 2]


def test_the_seconds_of_an_epoch_are_its_share_of_the_time(net):
    net.train([X, Y], epochs=30)  # compiles
    start = time.perf_counter()
    net.train([X, Y], [X, Y], epochs=30)
    elapsed = time.perf_counter() - start
    seconds = [row['seconds'] for row in net.history[-30:]]
    assert min(seconds) > max(seconds) / 1000  # ten epochs are one call
    assert 0.1 * elapsed < sum(seconds) < elapsed


def test_a_pair_alone_is_a_level(net):
    got = net.evaluate([X, Y], monitors={'hid1:out': ('top', keras.ops.max)})
    np.testing.assert_allclose(
        got['hid1:out:top'], net.feed_forward(X)['hid1:out'].max(), atol=1e-6
    )


def test_metrics_of_keras(net):
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name='top2')
    got = net.evaluate([X, Y], monitors=['sparse_categorical_accuracy', top], batch_size=16)
    ranked = net.predict_proba(X).argsort(1)[:, ::-1]
    np.testing.assert_allclose(got['sparse_categorical_accuracy'], got['acc'], rtol=1e-6)
    np.testing.assert_allclose(got['top2'], (ranked[:, :2] == Y[:, None]).any(1).mean(), rtol=1e-6)
    weighted = kerasnets.Regressor([4, 2], weighted=True)
    t, w = RNG.normal(size=(50, 2)), RNG.random((50, 2))
    got = weighted.evaluate([X, t, w], monitors=[keras.metrics.MeanAbsoluteError(name='m')])
    p = weighted.predict(X)
    want = np.average(abs(p - t).mean(1), weights=w.mean(1))
    assert abs(got['m'] - want) < 0.2 * want


@pytest.mark.parametrize('form', quick('gru', but=['rnn']))
def test_gradients_are_watched(form):
    net = kerasnets.recurrent.Classifier([4, (5, form, 'tanh'), 3])
    x, y = RNG.normal(size=(6, 7, 4)).astype('f'), RNG.integers(3, size=(6, 7))
    got = net.evaluate([x, y], monitor_gradients=True)
    before = {p.name: p.get_value() for p in net.params}
    net.train([x, y], algo='sgd', learning_rate=1.0, epochs=1, batch_size=6)
    for param in net.params:
        want = ((param.get_value() - before[param.name]) ** 2).sum()
        np.testing.assert_allclose(got[f'grad({param.name})'], want, rtol=1e-3, atol=1e-7)
    training, _ = net.train([x, y], epochs=1, monitor_gradients=True)
    assert set(training) >= {f'grad({p.name})' for p in net.params}


@pytest.mark.parametrize(
    ('asked', 'says'),
    [
        ({'hid9:out': 0.1}, "'hid9:out' matches nothing.*Did you mean 'hid1:out'"),
        ({'hid1:out': 'x'}, 'a number or a .label, function. pair'),
        (['acuracy'], 'unknown metric'),
        (3, 'monitors as a dict of patterns, or a list, got 3'),
        ('hid1:out', 'monitors as a dict of patterns'),
        ({'hid1:out': keras.ops.abs}, r'hid1:out:abs to give a scalar, got shape .None, 5.'),
        ([3], 'a pattern with its levels, or a Keras metric, got 3'),
    ],
)
def test_invalid_arguments(net, asked, says):
    for call in (net.train, net.evaluate):
        with pytest.raises(ConfigurationError, match=says):
            call([X, Y], monitors=asked)


def test_equal_monitors_are_equal():
    """So that a second training with the same ones compiles nothing anew."""
    asked = [('a', (0.1, 0.2)), 'sparse_categorical_accuracy']
    assert monitors.build(asked) == monitors.build(asked)
    assert hash(monitors.build(asked)) == hash(monitors.build(asked))
