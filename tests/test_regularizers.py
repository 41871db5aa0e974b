import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.programs import prediction
from kerasnets.regularizers import Regularizer

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(20, 4)).astype('f'), RNG.integers(3, size=20)


@pytest.fixture
def net():
    return kerasnets.Classifier([4, (5, 'tanh'), (6, 'tanh'), 3])


def weights(net, *names):
    return [net.find(*name.split('.')).get_value() for name in names]


PENALTIES = {
    'weight_l1': lambda n, o: np.mean([abs(w).mean() for w in _all(n)]),
    'weight_l2': lambda n, o: np.mean([(w**2).mean() for w in _all(n)]),
    'weight_sparsity': lambda n, o: np.mean([abs(w).mean() for w in _all(n)]),
    'weight_decay': lambda n, o: np.mean([(w**2).mean() for w in _all(n)]),
    'hidden_l1': lambda n, o: np.mean([abs(o[f'hid{i}:out']).mean() for i in (1, 2)]),
    'hidden_sparsity': lambda n, o: np.mean([abs(o[f'hid{i}:out']).mean() for i in (1, 2)]),
}


def _all(net):
    return weights(net, 'hid1.w', 'hid2.w', 'out.w')


@pytest.mark.parametrize('name', PENALTIES)
def test_each_changes_the_loss_by_its_formula(net, name):
    plain, penalized = net.evaluate([X, Y]), net.evaluate([X, Y], **{name: 0.3}, batch_size=7)
    want = 0.3 * PENALTIES[name](net, net.feed_forward(X))
    np.testing.assert_allclose(penalized['loss'] - plain['loss'], want, rtol=1e-4)
    np.testing.assert_allclose(penalized['err'], plain['err'], rtol=1e-6)
    assert penalized['acc'] == pytest.approx(plain['acc'])
    symbolic = keras.Function(net.variables, net.loss(**{name: 0.3}))([X, Y.astype('i')])
    np.testing.assert_allclose(float(symbolic), penalized['loss'], rtol=1e-5)


def test_patterns_choose(net):
    base = net.evaluate([X, Y])['loss']
    (w,) = weights(net, 'hid2.w')
    got = net.evaluate([X, Y], weight_l2=dict(weight=1, pattern='hid2.w'))['loss'] - base
    np.testing.assert_allclose(got, (w**2).mean(), rtol=1e-4)
    out = net.feed_forward(X)
    got = net.evaluate([X, Y], hidden_l1=dict(weight=1, pattern='hid?:pre'))['loss'] - base
    want = np.mean([abs(out['hid1:pre']).mean(), abs(out['hid2:pre']).mean()])
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_several_add_up_and_follow_the_parameters(net):
    base = net.evaluate([X, Y])['loss']
    parts = [net.evaluate([X, Y], **{n: 0.2})['loss'] - base for n in ('weight_l1', 'hidden_l1')]
    both = net.evaluate([X, Y], weight_l1=0.2, hidden_l1=0.2)['loss'] - base
    np.testing.assert_allclose(both, sum(parts), rtol=1e-4)
    net.find('hid1', 'w').set_value(np.ones((4, 5)))
    before = net.evaluate([X, Y])['loss']
    after = net.evaluate([X, Y], weight_l1=0.2)['loss'] - before
    want = 0.2 * np.mean([abs(w).mean() for w in _all(net)])
    np.testing.assert_allclose(after, want, rtol=1e-4)


def test_training_follows_the_penalty():
    """A step of gradient descent shrinks the weights by lr · 2w/size."""
    nets = [kerasnets.Classifier([4, 3]) for _ in range(2)]
    (w,) = weights(nets[0], 'out.w')
    options = dict(algo='sgd', learning_rate=0.5, batch_size=20, epochs=1)
    nets[0].train([X, Y], **options)
    training, _ = nets[1].train([X, Y], weight_l2=3, **options)
    a, b = (weights(net, 'out.w')[0] for net in nets)
    np.testing.assert_allclose(a - b, 0.5 * 3 * 2 * w / 12, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(training['loss'] - training['err'], 3 * (w**2).mean(), rtol=1e-4)


def test_the_network_itself_stays_clean(net, tmp_path):
    net.train([X, Y], epochs=1, weight_l2=0.1, hidden_l1=0.1)
    assert not net.model.losses
    assert [type(layer).__name__ for layer in net.model.layers] == ['Dense'] * 3
    net.save(tmp_path / 'net.keras')
    assert kerasnets.load(tmp_path / 'net.keras').evaluate([X, Y]) == net.evaluate([X, Y])


@pytest.mark.parametrize(
    ('keywords', 'says'),
    [
        (dict(wieght_l2=0.1), "Did you mean 'weight_l2'"),
        (dict(weight_l2='a'), 'weight of weight_l2 as a number'),
        (dict(weight_l2=-1), 'weight of weight_l2 as a number'),
        (dict(weight_l2=dict(wieght=1)), "Did you mean 'weight'"),
        (dict(weight_l2=dict(pattern='hid1.w')), 'weight of weight_l2 as a number'),
        (dict(weight_l2=dict(weight=1, pattern='hid9.w')), 'matches nothing'),
        (dict(hidden_l1=dict(weight=1, pattern='hid9:out')), 'matches nothing'),
    ],
)
def test_invalid_arguments(net, keywords, says):
    for call in (net.train, net.evaluate):
        with pytest.raises(ConfigurationError, match=says):
            call([X, Y], **keywords)


@pytest.mark.parametrize('name', ['recurrent_state', 'recurrent_norm'])
def test_penalties_of_sequences(name):
    net = kerasnets.recurrent.Classifier([4, (5, 'rnn', 'tanh'), (6, 'lstm'), 3])
    x, y = RNG.normal(size=(8, 7, 4)), RNG.integers(3, size=(8, 7))
    out = net.feed_forward(x)
    want = []
    for part in ('hid1:out', 'hid2:out'):
        h = out[part]
        norms = (h**2).sum(-1)
        state, norm = (np.diff(h, axis=1) ** 2).mean(), -np.diff(norms, axis=1).mean()
        want.append(state if name == 'recurrent_state' else norm)
    gap = net.evaluate([x, y], **{name: 0.5})['loss'] - net.evaluate([x, y])['loss']
    np.testing.assert_allclose(gap, 0.5 * np.mean(want), rtol=1e-3, atol=1e-6)
    one = {name: dict(weight=0.5, pattern='hid1:out')}
    gap = net.evaluate([x, y], **one)['loss'] - net.evaluate([x, y])['loss']
    np.testing.assert_allclose(gap, 0.5 * want[0], rtol=1e-3, atol=1e-6)
    one = [x[:, :1], y[:, :1]]  # a sequence of one step, which does not change
    assert net.evaluate(one, **{name: 0.5}) == net.evaluate(one)
    with pytest.raises(ConfigurationError, match='no hidden layer outputs sequences'):
        kerasnets.Classifier([4, 5, 3]).evaluate([X, Y], **{name: 1})


# Noise


def always(name, net, x, **keywords):
    """An output of 4000 copies of a row, with noise."""
    return net.feed_forward(np.repeat(x, 4000, axis=0), **keywords)[name]


@pytest.mark.parametrize(
    ('keywords', 'name'),
    [
        (dict(input_dropout=0.3), 'in:out'),
        (dict(hidden_dropout=0.3), 'hid1:out'),
        (dict(output_dropout=0.3), 'out:out'),
        (dict(dropout={'hid?:out': 0.3}), 'hid2:out'),
        (dict(dropout={('hid1:out', 'hid1:pre'): 0.3}), 'hid1:out'),
    ],
)
def test_dropout_sets_its_share_to_zero_and_keeps_the_mean(net, keywords, name):
    x = np.ones((1, 4))
    want = net.feed_forward(x)[name]
    got = always(name, net, x, **keywords)
    if name == 'hid2:out':  # what it reads is dropped too
        assert abs((got == 0).mean() - 0.3) < 0.25
        return
    alive = want[0] != 0
    np.testing.assert_allclose((got[:, alive] == 0).mean(0), 0.3, atol=0.04)
    np.testing.assert_allclose(got.mean(0), want[0], rtol=0.06, atol=0.02)
    kept = got[:, alive]
    np.testing.assert_allclose(
        kept[kept != 0] * 0.7, (want[0, alive] + 0 * kept)[kept != 0], rtol=1e-4
    )


def test_noise_has_its_standard_deviation(net):
    x = np.ones((1, 4))
    got = always('in:out', net, x, input_noise=0.25)
    np.testing.assert_allclose(got.std(0), 0.25, rtol=0.05)
    np.testing.assert_allclose(got.mean(0), 1, atol=0.02)
    got = always('hid1:out', net, x, noise={'hid1:out': 2.0})
    np.testing.assert_allclose(got.std(0), 2, rtol=0.05)
    exact = net.feed_forward(x)
    pre = always('hid1:pre', net, x, noise={'hid1:out': 2.0})
    np.testing.assert_allclose(pre, exact['hid1:pre'] + 0 * pre, atol=1e-5)


def test_noise_is_drawn_from_the_one_seed():
    nets = [kerasnets.Classifier([4, 5, 3], rng=seed) for seed in (1, 1, 2)]
    draws = [[net.predict_proba(X, hidden_dropout=0.5) for _ in range(2)] for net in nets]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0][0] != draws[0][1]).any()
    for net in nets[:2]:
        net.train([X, Y], epochs=2, hidden_dropout=0.5, input_noise=0.2)
    for a, b in zip(nets[0].params, nets[1].params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())


def test_validation_and_the_saved_model_are_without_noise(net, tmp_path):
    _, validation = net.train([X, Y], [X, Y], epochs=1, hidden_dropout=0.9, input_noise=9)
    exact = net.evaluate([X, Y])
    assert validation['loss'] == pytest.approx(exact['loss'], rel=1e-5)
    assert net.evaluate([X, Y], input_noise=9.0)['loss'] != pytest.approx(exact['loss'], rel=1e-3)
    assert all(type(layer).__name__ == 'Dense' for layer in net.model.layers)


def test_an_autoencoder_learns_to_give_back_what_was_there_before_the_noise():
    net = kerasnets.Autoencoder([4, (4, 'linear')])
    net.find('out', 'w').set_value(np.eye(4))
    x = np.zeros((3000, 4))
    np.testing.assert_allclose(net.evaluate([x], input_noise=0.5)['loss'], 0.25, rtol=0.05)


# Contraction, and penalties of one's own


def test_the_contractive_penalty_is_the_squared_jacobian(net):
    step, h = 1e-3, {}
    for i in range(4):
        for sign in (1, -1):
            moved = X + sign * step * np.eye(4)[i]
            h[i, sign] = net.feed_forward(moved)
    want = {
        name: sum(
            (((h[i, 1][name] - h[i, -1][name]) / (2 * step)) ** 2).sum(1).mean() for i in range(4)
        )
        for name in ('hid1:out', 'hid2:out')
    }
    base = net.evaluate([X, Y])['loss']
    got = net.evaluate([X, Y], contractive=0.1)['loss'] - base
    np.testing.assert_allclose(got, 0.1 * np.mean(list(want.values())), rtol=0.02)
    both = dict(weight=0.1, pattern=['hid1:out', 'hid2:out'])
    np.testing.assert_allclose(
        net.evaluate([X, Y], contractive=both)['loss'] - base, got, rtol=1e-5
    )
    one = dict(weight=0.1, pattern='hid1:out', wrt='in')
    got = net.evaluate([X, Y], contractive=one)['loss'] - base
    np.testing.assert_allclose(got, 0.1 * want['hid1:out'], rtol=0.02)
    with pytest.raises(ConfigurationError, match="'out' matches nothing"):
        net.evaluate([X, Y], contractive=dict(weight=0.1, wrt='out'))


def test_penalties_of_ones_own(net):
    class Top(Regularizer):
        def penalty(self, values, mask=None):
            return keras.ops.max(values)

    class Small(Regularizer):
        of = 'weights'

        def penalty(self, values, mask=None):
            return keras.ops.min(values)

    base, out = net.evaluate([X, Y])['loss'], net.feed_forward(X)
    for given, want in [
        ([Top(0.5, 'hid2:out')], 0.5 * out['hid2:out'].max()),
        ([Top(0.5)], 0.25 * (out['hid1:out'].max() + out['hid2:out'].max())),
        ([Small(2.0, 'hid1.w')], 2 * net.find('hid1', 'w').get_value().min()),
        ([lambda outputs: keras.ops.mean(outputs['hid1:pre'])], out['hid1:pre'].mean()),
        ({'hidden_l1': 0.3}, net.evaluate([X, Y], hidden_l1=0.3)['loss'] - base),
    ]:
        got = net.evaluate([X, Y], regularizers=given)['loss'] - base
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_a_custom_penalty_must_be_a_scalar(net):
    with pytest.raises(ConfigurationError, match=r'to give a scalar, got shape .None, 5.'):
        net.evaluate([X, Y], regularizers=[lambda outputs: outputs['hid1:out']])


def test_penalties_pass_over_padding():
    net = kerasnets.recurrent.Regressor([4, (5, 'rnn', 'tanh'), 2])
    x = [RNG.normal(size=(n, 4)) for n in (3, 7, 2)]
    y = [RNG.normal(size=(n, 2)) for n in (3, 7, 2)]
    h = net.feed_forward(x)['hid1:out']
    base = net.evaluate([x, y])['loss']
    steps = [np.diff(s, axis=0) for s in h]
    norms = [-np.diff((s**2).sum(-1)) for s in h]
    for name, want in [
        ('hidden_l1', abs(np.concatenate(h)).mean()),
        ('recurrent_state', (np.concatenate(steps) ** 2).mean()),
        ('recurrent_norm', np.concatenate(norms).mean()),
    ]:
        got = net.evaluate([x, y], **{name: 1.0})['loss'] - base
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ('keywords', 'says'),
    [
        (dict(dropout=0.5), "expected dropout as a dict .*Write dropout={'hid"),
        (dict(dropout={'hid9:out': 0.5}), "'hid9:out' matches nothing.*Did you mean"),
        (dict(noise={3: 0.1}), "a pattern of names, such as 'hid.:out', got 3"),
        (dict(hidden_l1=dict(weight=1, pattern=3)), 'a pattern of names, .*got 3'),
        (dict(contractive=dict(weight=1, wrt=3)), 'a pattern of names, .*got 3'),
        (dict(hidden_dropout=1.0), 'probability of dropout as a number of 0 to under 1'),
        (dict(input_noise=-1), 'weight of Noise as a number'),
        (dict(hiden_noise=1), "Did you mean 'hidden_noise'"),
        (dict(regularizers=3), 'list of Regularizer or functions, got 3'),
        (dict(regularizers={'weight_l3': 1}), "Did you mean 'weight_l1'|Did you mean 'weight_l2'"),
    ],
)
def test_invalid_noise(net, keywords, says):
    calls = (
        lambda: net.train([X, Y], **keywords),
        lambda: net.evaluate([X, Y], **keywords),
        lambda: net.predict(X, **keywords),
        lambda: net.feed_forward(X, **keywords),
    )
    for call in calls:
        with pytest.raises(ConfigurationError, match=says):
            call()


def test_each_batch_of_a_prediction_has_noise_of_its_own(monkeypatch):
    monkeypatch.setattr(prediction, 'BATCH_VALUES', 1)
    net = kerasnets.Regressor([4, 3])
    same = np.ones((2 * prediction.BATCH_ROWS, 4))
    first, second = np.split(net.feed_forward(same, input_noise=1.0)['in:out'], 2)
    assert not np.array_equal(first, second)


def test_networks_of_one_structure_predict_by_their_own_weights():
    nets = [kerasnets.Classifier([4, 5, 3], rng=seed) for seed in (1, 2)]
    found = [net.predict_proba(X) for net in nets]
    for net, p in zip(nets, found):
        h = np.maximum(0, X @ net.find('hid1', 'w').get_value() + net.find('hid1', 'b').get_value())
        z = h @ net.find('out', 'w').get_value() + net.find('out', 'b').get_value()
        want = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(p, want, atol=1e-5)
