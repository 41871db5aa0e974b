import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from gradients import check

import kerasnets
from kerasnets import losses
from kerasnets.errors import ConfigurationError
from kerasnets.losses import Loss


def tensors(*arrays):
    """Arrays as tensors of float32 or of labels; None as it is."""
    return [
        None
        if a is None
        else keras.ops.convert_to_tensor(
            a, 'int32' if np.asarray(a).dtype.kind == 'i' else 'float32'
        )
        for a in arrays
    ]


@pytest.fixture
def batch(rng):
    logits = rng.normal(size=(4, 5, 3), scale=2)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return rng.integers(3, size=(4, 5)), p, logits


def of_target(values, target):
    return np.take_along_axis(values, target[..., None], -1)[..., 0]


def test_cross_entropy(batch):
    y, p, logits = batch
    want, p, logits = -np.log(of_target(p, y)), p.astype('f'), logits.astype('f')
    np.testing.assert_allclose(losses.cross_entropy(*tensors(y, p, logits)), want, rtol=1e-5)
    np.testing.assert_allclose(losses.cross_entropy(*tensors(y, p)), want, rtol=1e-5)


def test_cross_entropy_of_extreme_logits_is_exact():
    logits = np.array([[100.0, -100.0], [-100.0, 100.0]], 'f')
    p = keras.ops.softmax(logits)
    np.testing.assert_allclose(
        losses.cross_entropy(*tensors(np.array([0, 0]), p, logits)), [0, 200]
    )
    assert np.isfinite(losses.cross_entropy(*tensors(np.array([0, 0]), p))).all()


def test_hinge(batch):
    y, p, _ = batch
    wrong = np.where(np.eye(3, dtype=bool)[y], -np.inf, p).max(-1)
    want = np.maximum(0, wrong - of_target(p, y))
    assert (want > 0).any()
    assert (want == 0).any()
    np.testing.assert_allclose(losses.hinge(*tensors(y, p.astype('f'))), want, atol=1e-6)


@pytest.mark.parametrize('form', losses.LOSSES)
@pytest.mark.parametrize('weighted', [False, True])
def test_gradients_by_finite_differences(form, weighted, batch, rng):
    """Of the loss in what the network gives: logits for the cross-entropy, else the output."""
    y, p, logits = batch
    kind = losses.LOSSES[form]
    covar = 'covar' if kind.variance else None
    loss = Loss(form, weighted=weighted and not kind.whole, covar_name=covar)
    target = y if loss.of_labels else rng.random(p.shape).astype('f')
    w = rng.random(loss.weights_shape(p.shape)).astype('f') if loss.weighted else None
    variance = rng.random(p.shape).astype('f') + 0.5 if covar else None
    target, w, variance, fixed = tensors(target, w, variance, p)
    check(lambda z: loss.value(z, z if kind.logits else None, target, w, variance)[0],
          logits if kind.logits else p)  # fmt: skip
    if covar:
        check(lambda v: loss.value(fixed, None, target, w, v)[0], variance)


def test_averages_are_weighted(rng):
    e, w = rng.random((4, 5)).astype('f'), rng.random((4, 5)).astype('f')
    mean, mass = losses.average(*tensors(e, w))
    np.testing.assert_allclose([mean, mass], [(w * e).sum() / w.sum(), w.sum()], rtol=1e-6)
    np.testing.assert_allclose(losses.average(*tensors(e)), [e.mean(), 20], rtol=1e-6)
    np.testing.assert_array_equal(losses.average(*tensors(e, 0 * w)), [0, 0])


def test_accuracy_is_weighted(batch, rng):
    y, p, _ = batch
    w = rng.random(y.shape).astype('f')
    right = p.argmax(-1) == y
    np.testing.assert_allclose(Loss().accuracy(*tensors(p, y))[0], right.mean(), rtol=1e-6)
    np.testing.assert_allclose(
        Loss().accuracy(*tensors(p, y, w))[0], (w * right).sum() / w.sum(), rtol=1e-6
    )


def test_build():
    assert Loss.build('XE') == Loss('xe')
    assert Loss.build({'form': 'hinge', 'weight': 2}, weighted=True) == Loss('hinge', 2, True)
    loss = Loss('xe', output_name='a')
    assert Loss.build(loss) is loss


@pytest.mark.parametrize(
    ('form', 'kwargs', 'says'),
    [
        ('xee', {}, "Did you mean 'xe'"),
        (3, {}, 'loss by name'),
        (None, {}, 'loss by name'),
        ('xe', {'wieghted': True}, "Did you mean 'weighted'"),
        ('xe', {'weight': 'a'}, 'weight of a loss'),
        ('xe', {'weight': float('nan')}, 'weight of a loss'),
    ],
)
def test_invalid_arguments(form, kwargs, says):
    with pytest.raises(ConfigurationError, match=says):
        Loss.build(form, **kwargs)


def test_divergence(batch, rng):
    _, p, logits = batch
    t = rng.dirichlet([1.0] * 3, size=(4, 5))
    t[0, 0] = [0, 1, 0]
    want = scipy.stats.entropy(t, p, axis=-1)
    np.testing.assert_allclose(losses.divergence(*tensors(t, p)), want, atol=1e-5)
    np.testing.assert_allclose(losses.divergence(*tensors(t, p, logits)), want, atol=1e-5)
    steep = np.array([[100.0, -100.0, 0.0]], 'f')
    got = losses.divergence(
        *tensors(np.array([[0.0, 1.0, 0.0]], 'f'), keras.ops.softmax(steep), steep)
    )
    np.testing.assert_allclose(got, [200], rtol=1e-5)


def test_gaussian_log_likelihood(rng):
    t, mean, variance = (
        rng.normal(size=(4, 5, 3)),
        rng.normal(size=(4, 5, 3)),
        rng.random((4, 5, 3)),
    )
    want = -scipy.stats.norm.logpdf(t, mean, np.sqrt(variance)).sum(-1)
    np.testing.assert_allclose(losses.gaussian(*tensors(t, mean, None, variance)), want, rtol=1e-5)
    assert np.isfinite(losses.gaussian(*tensors(t, mean, None, 0 * variance))).all()


X = np.random.default_rng(7).normal(size=(20, 4)).astype('f')
T = np.random.default_rng(8).normal(size=(20, 2)).astype('f')
W = np.random.default_rng(9).random(20).astype('f')


def test_gll_fits_a_mean_and_a_variance():
    layers = [
        4, dict(size=6, name='h', activation='tanh'),
        dict(size=2, name='covar', inputs='h', activation='softplus'),
        dict(size=2, name='mean', inputs='h', activation='linear'),
    ]  # fmt: skip
    net = kerasnets.Regressor(layers, loss=None)
    net.set_loss('gll', mean_name='mean', covar_name='covar', weighted=True)
    out = net.feed_forward(X)
    each = -scipy.stats.norm.logpdf(T, out['mean:out'], np.sqrt(out['covar:out'])).sum(-1)
    got = net.evaluate([X, T, W], batch_size=7)['loss']
    np.testing.assert_allclose(got, np.average(each, weights=W), rtol=1e-4)
    y = np.stack([X[:, 0] * 0 + 3, X[:, 0] * 0], 1) + 0.5 * np.random.default_rng(1).normal(
        size=(20, 2)
    )
    net.train(lambda: [X, y, W], algo='adam', learning_rate=0.01, epochs=4)
    out = net.feed_forward(X)
    assert abs(out['mean:out'].mean(0) - [3, 0]).max() < 0.5
    assert 0.02 < out['covar:out'].mean() < 0.6


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize(
    ('loss', 'errors'),
    [
        ('huber', lambda t, p: scipy.special.huber(1, t - p).mean(1)),
        (keras.losses.LogCosh(), lambda t, p: np.log(np.cosh(p - t)).mean(1)),
        ('CosineSimilarity', lambda t, p: -((t * p).sum(1) / np.linalg.norm(t, axis=1)
                                            / np.linalg.norm(p, axis=1))),
        (lambda t, p: keras.ops.abs(t - p) ** 3, lambda t, p: (abs(t - p) ** 3).mean(1)),
    ],
)  # fmt: skip
def test_losses_of_keras_and_functions(loss, errors, weighted):
    net = kerasnets.Regressor([4, (5, 'tanh'), 2], loss=loss, weighted=weighted)
    data = [X, T, W] if weighted else [X, T]
    want = np.average(errors(T, net.predict(X)), weights=W if weighted else None)
    np.testing.assert_allclose(net.evaluate(data, batch_size=7)['loss'], want, rtol=1e-4)
    net.train(data, epochs=1)


def test_files_hold_what_a_file_can_hold(tmp_path, caplog):
    own = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    for loss in ('huber', own, 'mae', len):
        net = kerasnets.Regressor([4, 2])
        net.set_loss(loss, weight=0.5)
        net.save(tmp_path / 'net.keras')
        again = kerasnets.load(tmp_path / 'net.keras')
        if loss is len:
            assert again.losses == []
            assert 'the loss len is a function' in caplog.text
        else:
            assert again.evaluate([X, T]) == net.evaluate([X, T])


def test_several_losses_each_with_its_own_target():
    net = kerasnets.Regressor([4, dict(size=2, name='a'), dict(size=3, name='out')], loss='mae')
    net.add_loss('mse', output_name='a', weight=0.5, weighted=True)
    net.add_loss('mse', output_name='a', target='a:pre', weight=2)
    three = np.ones((20, 3))
    out = net.feed_forward(X)
    parts = (
        abs(out['out:out'] - three).mean(),
        np.average((out['a:out'] - T) ** 2, weights=np.repeat(W[:, None], 2, 1)),
        ((out['a:out'] - out['a:pre']) ** 2).mean(),
    )
    got = net.evaluate([X, three, T, W], batch_size=6)
    np.testing.assert_allclose(got['loss'], parts[0] + 0.5 * parts[1] + 2 * parts[2], rtol=1e-4)
    assert len(net.variables) == 4


def test_losses_of_one_output_share_their_target_unless_told_otherwise():
    net = kerasnets.Regressor([4, 2])
    net.add_loss('mae', weight=0.1)
    p = net.predict(X)
    base, gap = ((p - T) ** 2).mean(), abs(p - T).mean()
    np.testing.assert_allclose(net.evaluate([X, T])['loss'], base + 0.1 * gap, rtol=1e-5)
    assert len(net.variables) == 2
    net.add_loss('mae', weighted=True)
    got = net.evaluate([X, T, W])['loss']
    weighed = np.average(abs(p - T).mean(1), weights=W)
    np.testing.assert_allclose(got, base + 0.1 * gap + weighed, rtol=1e-5)
    net.set_loss('mse')
    net.add_loss('mse', target=True)
    np.testing.assert_allclose(
        net.evaluate([X, T, p])['loss'], base + ((p - p) ** 2).mean(), rtol=1e-5
    )


def test_class_weights_are_factors():
    net = kerasnets.Classifier([4, 3])
    y = np.arange(20) % 3
    p = net.predict_proba(X)[np.arange(20), y]
    w = np.array([1.0, 2.0, 0.5])[y]
    training, _ = net.train([X, y], class_weight={0: 1, 1: 2, 2: 0.5}, learning_rate=0, epochs=1)
    np.testing.assert_allclose(training['loss'], np.average(-np.log(p), weights=w), rtol=1e-5)
    for wrong, says in [  # row 8
        ({0: 1, 1: 2}, 'each class of 0 to 2, got {0: 1, 1: 2}'),
        ({0: 1, 1: 2, 2: 1, 3: 1}, 'each class of 0 to 2'),
        ({0: 1, 1: 2, 2: -1}, 'weight of class 2 as a number'),
        ([1, 2, 3], 'as a dict'),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            net.train([X, y], class_weight=wrong, epochs=1)
    with pytest.raises(ConfigurationError, match="for labels, not for the loss 'mse'"):
        kerasnets.Regressor([4, 2]).train([X, T], class_weight={0: 1, 1: 1}, epochs=1)


@pytest.mark.parametrize(
    ('form', 'kwargs', 'says'),
    [
        ('gll', {}, 'expected covar_name'),
        ('mse', {'covar_name': 'a'}, 'expected covar_name'),
        ('mse', {'output_name': 3}, 'output_name as the name of an output, got 3'),
        ('mse', {'target': 0.3}, 'target as the name of an output, got 0.3'),
        ('gll', {'mean_name': 3, 'covar_name': 'a'}, 'output_name as the name of an output'),
        ('gll', {'covar_name': 3}, 'covar_name as the name of an output, got 3'),
        ('hubert', {}, "Did you mean 'huber'"),
        ('mmd', {'weighted': True}, 'over a whole batch'),
    ],
)
def test_other_invalid_arguments(form, kwargs, says):
    with pytest.raises(ConfigurationError, match=says):
        Loss.build(form, **kwargs)


@pytest.mark.parametrize('loss', ['mse', 'categorical_crossentropy', 'kl', 'huber', 'poisson'])
def test_a_classifier_learns_from_a_value_for_each_class(loss, rng):
    x, y = rng.normal(size=(60, 5)).astype('f'), rng.dirichlet([1, 1, 1], 60).astype('f')
    net = kerasnets.Classifier([5, 8, 3], loss=loss)
    model = keras.models.clone_model(net.model)
    model.set_weights(net.model.get_weights())
    name = {'kl': 'kl_divergence'}.get(loss, loss)
    model.compile(keras.optimizers.SGD(0.1), name, metrics=['categorical_accuracy'])
    net.train([x, y], algo='sgd', learning_rate=0.1, batch_size=60, epochs=3)
    model.fit(x, y, batch_size=60, epochs=3, verbose=0)
    for ours, theirs in zip(net.model.get_weights(), model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    want = model.evaluate(x, y, verbose=0)
    got = net.evaluate([x, y])
    np.testing.assert_allclose([got['loss'], got['acc']], want, rtol=1e-4)


def test_accuracy_of_one_output_is_that_of_keras(rng):
    x, y = rng.normal(size=(60, 5)).astype('f'), rng.integers(2, size=(60, 1))
    net = kerasnets.Classifier([5, (1, 'logistic')], loss='binary_crossentropy')
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(y, net.model(x))
    assert net.evaluate([x, y])['acc'] == pytest.approx(float(metric.result()))


def test_accuracy_is_that_of_argmax(rng):
    from kerasnets.losses import Loss

    outputs = rng.integers(4, size=(500, 5)).astype('f')  # with many that are equal
    outputs[:5] = 1.0
    target = np.r_[0, 1, 2, 3, 4, rng.integers(5, size=495)]
    mean, mass = Loss('xe').accuracy(*tensors(outputs, target))
    assert float(mean) == pytest.approx(np.mean(outputs.argmax(-1) == target), abs=1e-6)
    assert float(mass) == 500
    assert float(Loss('xe').accuracy(*tensors(np.full((3, 2), np.nan), np.zeros(3, 'i')))[0]) == 0
