import keras
import numpy as np
import pytest
from gradients import check

from kerasnets import losses
from kerasnets.errors import ConfigurationError
from kerasnets.losses import Loss


@pytest.fixture
def batch(rng):
    logits = rng.normal(size=(4, 5, 3), scale=2)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return rng.integers(3, size=(4, 5)), p, logits


def of_target(values, target):
    return np.take_along_axis(values, target[..., None], -1)[..., 0]


def test_cross_entropy(batch):
    y, p, logits = batch
    want = -np.log(of_target(p, y))
    np.testing.assert_allclose(losses.cross_entropy(y, p, logits), want, rtol=1e-5)
    np.testing.assert_allclose(losses.cross_entropy(y, p), want, rtol=1e-5)


def test_cross_entropy_of_extreme_logits_is_exact():
    logits = np.array([[100.0, -100.0], [-100.0, 100.0]], 'f')
    p = keras.ops.softmax(logits)
    np.testing.assert_allclose(losses.cross_entropy(np.array([0, 0]), p, logits), [0, 200])
    assert np.isfinite(losses.cross_entropy(np.array([0, 0]), p)).all()


def test_hinge(batch):
    y, p, _ = batch
    wrong = np.where(np.eye(3, dtype=bool)[y], -np.inf, p).max(-1)
    want = np.maximum(0, wrong - of_target(p, y))
    assert (want > 0).any()
    assert (want == 0).any()
    np.testing.assert_allclose(losses.hinge(y, p.astype('f')), want, atol=1e-6)


@pytest.mark.parametrize('form', losses.KINDS)
@pytest.mark.parametrize('weighted', [False, True])
def test_gradients_by_finite_differences(form, weighted, batch, rng):
    """Of the loss in what the network gives: logits for the cross-entropy, else the output."""
    y, p, logits = batch
    kind = losses.KINDS[form]
    covar = 'covar' if kind.variance else None
    loss = Loss(form, weighted=weighted and not kind.whole, covar_name=covar)
    target = y if loss.of_labels else rng.random(p.shape).astype('f')
    w = rng.random(loss.weights_shape(p.shape)).astype('f') if loss.weighted else None
    variance = rng.random(p.shape).astype('f') + 0.5 if covar else None
    check(lambda z: loss.value(z, z if kind.logits else None, target, w, variance)[0],
          logits if kind.logits else p)  # fmt: skip
    if covar:
        check(lambda v: loss.value(p.astype('f'), None, target, w, v)[0], variance)


def test_averages_are_weighted(rng):
    e, w = rng.random((4, 5)).astype('f'), rng.random((4, 5)).astype('f')
    mean, mass = losses.average(e, w)
    np.testing.assert_allclose([mean, mass], [(w * e).sum() / w.sum(), w.sum()], rtol=1e-6)
    np.testing.assert_allclose(losses.average(e), [e.mean(), 20], rtol=1e-6)
    np.testing.assert_array_equal(losses.average(e, 0 * w), [0, 0])


def test_accuracy_is_weighted(batch, rng):
    y, p, _ = batch
    w = rng.random(y.shape).astype('f')
    right = p.argmax(-1) == y
    np.testing.assert_allclose(Loss().accuracy(p, y)[0], right.mean(), rtol=1e-6)
    np.testing.assert_allclose(Loss().accuracy(p, y, w)[0], (w * right).sum() / w.sum(), rtol=1e-6)


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
def test_what_cannot_be(form, kwargs, says):
    with pytest.raises(ConfigurationError, match=says):
        Loss.build(form, **kwargs)
