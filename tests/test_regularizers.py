import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError

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
def test_what_cannot_be(net, keywords, says):
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
    with pytest.raises(ConfigurationError, match='no hidden layer puts out sequences'):
        kerasnets.Classifier([4, 5, 3]).evaluate([X, Y], **{name: 1})
