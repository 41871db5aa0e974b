import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from paths import ROOT

import kerasnets
from kerasnets.errors import ConfigurationError


def data_for(net, rng, weighted):
    x = rng.normal(size=(9, 7, 4)).astype('f')
    y = rng.integers(3, size=(9, 7)).astype('i')
    return [x, y, rng.random((9, 7)).astype('f')] if weighted else [x, y]


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('loss', ['xe', 'hinge'])
def test_the_symbolic_loss_equals_evaluate_and_numpy(loss, weighted, rng):
    net = kerasnets.recurrent.Classifier([4, (5, 'lstm'), 3], loss=loss, weighted=weighted)
    data = data_for(net, rng, weighted)
    symbolic = float(keras.Function(net.variables, net.loss())(data))
    p = net.predict_proba(data[0]).astype('d')
    target = np.take_along_axis(p, data[1][..., None], -1)[..., 0]
    wrong = np.where(np.eye(3, dtype=bool)[data[1]], -1, p).max(-1)
    e = -np.log(target) if loss == 'xe' else np.maximum(0, wrong - target)
    w = data[2] if weighted else np.ones_like(e)
    np.testing.assert_allclose(symbolic, (w * e).sum() / w.sum(), rtol=1e-5)
    np.testing.assert_allclose(net.evaluate(data)['loss'], symbolic, rtol=1e-5)


READ = """
import warnings
import numpy as np
import kerasnets, keras
warnings.simplefilter('error', UserWarning)
net = kerasnets.Classifier([4, (5, 'tanh'), 3], weighted=True)
rng = np.random.default_rng(1)
data = [rng.normal(size=(9, 4)).astype('f'), rng.integers(3, size=9), np.ones(9, 'f')]
f = keras.Function(net.variables, net.loss(weight_l2=0.1))
value, want = f(data), net.evaluate(data, weight_l2=0.1)['loss']
np.testing.assert_allclose([float(value), np.asarray(value)], want, rtol=1e-5)
assert f'{value:.3f}' == f'{float(value):.3f}'
np.testing.assert_allclose(np.array([value], 'd') + np.array(value), 2 * want, rtol=1e-5)
monitors = keras.Function(net.variables, [tensor for _, tensor in net.monitors()])
found = net.evaluate(data)
np.testing.assert_allclose(np.asarray(monitors(data)), [found['err'], found['acc']], rtol=1e-5)
if keras.backend.backend() == 'torch':
    value.backward()
    assert all(float(abs(v.value.grad).sum()) > 0 for v in net.model.trainable_variables)
print('done')
"""


def test_a_symbolic_loss_is_read_on_pytorch_as_elsewhere():
    pytest.importorskip('torch')
    env = os.environ | {'KERAS_BACKEND': 'torch', 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([sys.executable, '-c', READ], env=env, capture_output=True, text=True)
    assert done.stdout == 'done\n', done.stderr[-3000:]


def test_the_symbolic_loss_follows_the_parameters(rng):
    net = kerasnets.recurrent.Classifier([4, (5, 'lstm'), 3])
    data = data_for(net, rng, False)
    function = keras.Function(net.variables, net.loss())
    before = float(function(data))
    net.find('out', 'w').set_value(rng.normal(size=(5, 3)))
    after = float(function(data))
    assert before != after
    np.testing.assert_allclose(after, net.evaluate(data)['loss'], rtol=1e-5)


def test_monitors_are_symbolic_too(rng):
    net = kerasnets.recurrent.Classifier([4, (5, 'lstm'), 3], weighted=True)
    data = data_for(net, rng, True)
    monitors = dict(net.monitors())
    assert list(monitors) == ['err', 'acc']
    got = keras.Function(net.variables, list(monitors.values()))(data)
    want = net.evaluate(data)
    np.testing.assert_allclose(got, [want['err'], want['acc']], rtol=1e-5)
    right = net.predict(data[0]) == data[1]
    np.testing.assert_allclose(want['acc'], (data[2] * right).sum() / data[2].sum(), rtol=1e-5)


def test_variables_are_inputs_targets_and_weights():
    net = kerasnets.Classifier([4, 3], weighted=True)
    assert [tuple(v.shape) for v in net.variables] == [(None, 4), (None,), (None,)]
    assert net.variables[0] is net.inputs[0]
    assert all(keras.ops.is_tensor(v) or hasattr(v, 'dtype') for v in net.variables)


def test_several_losses_add_up(rng):
    net = kerasnets.Classifier([4, dict(size=3, name='a', activation='softmax'), 3])
    x, y, z = rng.normal(size=(9, 4)), rng.integers(3, size=9), rng.integers(3, size=9)
    first = net.evaluate([x, y])['loss']
    net.add_loss('hinge', weight=0.5, output_name='a')
    p = net.feed_forward(x)['a:out']
    wrong = np.where(np.eye(3, dtype=bool)[z], -1, p).max(-1)
    second = np.maximum(0, wrong - p[np.arange(9), z]).mean()
    got = net.evaluate([x, y, z], batch_size=4)
    np.testing.assert_allclose(got['loss'], first + 0.5 * second, rtol=1e-5)
    training, _ = net.train([x, y, z], epochs=1, batch_size=9, learning_rate=0)
    np.testing.assert_allclose(training['loss'], got['loss'], rtol=1e-5)


def test_losses_come_from_logits_and_survive_extremes():
    net = kerasnets.Classifier([2, 2])
    net.find('out', 'w').set_value(np.eye(2) * 200)
    x = np.array([[1, 0], [0, 1]], 'f')
    np.testing.assert_allclose(net.evaluate([x, [1, 0]])['loss'], 200, rtol=1e-6)
    assert net.evaluate([x, [0, 1]])['loss'] == 0
    net.train([x, [1, 0]], algo='sgd', learning_rate=1.0, epochs=1)
    assert np.isfinite(net.find('out', 'w').get_value()).all()


@pytest.mark.parametrize('last', [(3, 'Softmax'), dict(form='Activation', activation='softmax')])
def test_a_softmax_layer_of_its_own_has_logits_too(last, rng):
    entries = [4, (3, 'linear'), 'Softmax' if isinstance(last, tuple) else last]
    net = kerasnets.Classifier(entries)
    net.find('hid1', 'w').set_value(rng.normal(size=(4, 3)) * 300)
    x = rng.normal(size=(5, 4))
    y = net.predict_logit(x).argmin(1)
    logits = net.predict_logit(x).astype('d')
    want = (logits.max(1) - logits.min(1)).mean()
    np.testing.assert_allclose(net.evaluate([x, y])['loss'], want, rtol=1e-3)


def test_a_linear_output_is_said_to_be_no_distribution():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        kerasnets.Classifier([4, (3, 'linear')])
    assert any("activation 'linear', so its outputs are no prob" in str(w.message) for w in seen)


def test_no_loss_no_training():
    net = kerasnets.Network([4, 3])
    with pytest.raises(ConfigurationError, match='has no loss'):
        net.train([np.zeros((2, 4))], epochs=1)


def test_set_loss_replaces_and_a_wrong_one_changes_nothing(rng):
    net = kerasnets.Classifier([4, 3])
    model = net.model
    with pytest.raises(ConfigurationError):
        net.set_loss('hing')
    assert [loss.form for loss in net.losses] == ['xe']
    net.set_loss('hinge', weighted=True)
    assert net.losses == [kerasnets.Loss('hinge', weighted=True)]
    assert len(net.variables) == 3
    assert net.model is model
    net.set_loss(form='xe')
    net.add_loss({'form': 'xe', 'weight': 2})
    assert [loss.weight for loss in net.losses] == [1, 2]
