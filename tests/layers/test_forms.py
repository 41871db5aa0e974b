"""Forms that join, share or turn layers about, and activations that learn."""

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.layers import dense

RNG = np.random.default_rng(6)
X = RNG.normal(size=(7, 4)).astype('f')


def test_a_layer_of_several_inputs_is_a_sum_of_stock_layers(tmp_path):
    net = kerasnets.Classifier(
        [4, dict(size=5, name='a'), dict(size=6, name='b', activation='tanh'),
         dict(size=3, name='c', inputs=('a', 'b:pre'))]
    )  # fmt: skip
    for param in net.params:
        param.set_value(RNG.normal(size=param.shape))
    out = net.feed_forward(X)
    w = [net.find('c', p).get_value() for p in ('w_a:out', 'w_b:pre', 'b')]
    want = out['a:out'] @ w[0] + out['b:pre'] @ w[1] + w[2]
    np.testing.assert_allclose(out['c:pre'], want, atol=1e-5)
    y = np.arange(7) % 3
    e = np.exp(want.astype('d'))
    loss = -np.log((e / e.sum(1, keepdims=True))[np.arange(7), y]).mean()
    np.testing.assert_allclose(net.evaluate([X, y])['loss'], loss, rtol=1e-5)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    assert [p.name for p in again.params] == [p.name for p in net.params]
    plain = keras.saving.load_model(tmp_path / 'net.keras')
    np.testing.assert_allclose(plain.predict(X, verbose=0), net.predict_proba(X), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() == 'torch', reason='it takes no dot in a name')
def test_a_layer_of_several_inputs_may_have_the_names_of_older_files(monkeypatch, tmp_path):
    monkeypatch.setattr(dense, '_part', lambda source: f'w_{source}'.replace(':', '.'))
    net = kerasnets.Classifier([4, dict(size=5, name='a'), dict(size=3, inputs=('a:pre', 'in'))])
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    assert [p.name for p in again.params][2:] == ['out.w_a:pre', 'out.w_in:out', 'out.b']
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_joins():
    net = kerasnets.Regressor(
        [4, dict(size=5, name='a'), dict(size=5, name='b', inputs='in'),
         dict(form='prod', inputs=('a', 'b'), name='p'),
         dict(form='concat', inputs=('p', 'a', 'in'), name='c'),
         dict(form='reshape', shape=(7, 2)), 'flat', 2]
    )  # fmt: skip
    out = net.feed_forward(X)
    np.testing.assert_allclose(out['p:out'], out['a:out'] * out['b:out'], atol=1e-6)
    want = np.concatenate([out['p:out'], out['a:out'], X], axis=1)
    np.testing.assert_allclose(out['c:out'], want)
    assert out['hid5:out'].shape == (7, 7, 2)


def test_tied_layers_share_their_partners_weights(tmp_path):
    net = kerasnets.Autoencoder([4, (6, 'tanh'), (3, 'tanh'), (6, 'tied'), (4, 'tied', 'linear')])
    assert [p.name for p in net.params] == [
        'hid1.w', 'hid1.b', 'hid2.w', 'hid2.b', 'hid3.b', 'out.b',
    ]  # fmt: skip
    out = net.feed_forward(X)
    for name, partner, before in (('hid3', 'hid2', 'hid2'), ('out', 'hid1', 'hid3')):
        want = out[f'{before}:out'] @ net.find(partner, 'w').get_value().T
        np.testing.assert_allclose(out[f'{name}:pre'], want, atol=1e-5)
    net.train([X], epochs=3, learning_rate=0.01)
    out = net.feed_forward(X)
    want = out['hid3:out'] @ net.find('hid1', 'w').get_value().T + net.find('out', 'b').get_value()
    np.testing.assert_allclose(out['out:out'], want, atol=1e-5)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_allclose(again.predict(X), net.predict(X), atol=1e-6)
    assert again.layers[-1].partner is again.layers[1]
    with pytest.raises(kerasnets.FileError, match=r'share weights.*net\.keras'):
        net.save(tmp_path / 'net.h5')
    assert kerasnets.Autoencoder([4, 3, 'tied']).predict(X).shape == (7, 4)


def test_a_tied_layer_without_a_size_learns_its_activation(tmp_path):
    net = kerasnets.Autoencoder([4, (6, 'elu'), (3, 'elu'), ('tied', 'elu'), ('tied', 'linear')])
    net.train([X], epochs=1)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_allclose(again.predict(X), net.predict(X), atol=1e-6)


@pytest.mark.parametrize(
    ('entries', 'says'),
    [
        ([4, (4, 'tied')], 'needs a dense partner, and there is none'),
        ([4, 3, dict(form='tied', partner='hid9')], "not 'hid9'.*hid1"),
        ([4, 3, (5, 'tied')], 'expected the size of what its partner reads, 4, got 5'),
        ([4, 3, (4, 'tied'), (4, 'tied')], 'there is none'),
    ],
)
def test_invalid_ties(entries, says):
    with pytest.raises(ConfigurationError, match=says):
        kerasnets.Autoencoder(entries)


@pytest.mark.parametrize('worker', quick('gru', 'clockwork', but=['rnn', 'lstm', 'rrnn', 'scrn']))
def test_both_halves_are_aligned_in_time(worker):
    net = kerasnets.recurrent.Regressor(
        [4, dict(form='bidirectional', worker=worker, size=8, name='bd', activation='tanh'), 2]
    )
    for param in net.params:
        param.set_value(RNG.normal(size=param.shape))
    x = RNG.normal(size=(1, 9, 4)).astype('f')
    base = net.feed_forward(x)['bd:out'][0]
    for t in range(9):
        changed = x.copy()
        changed[:, t] += 1
        moved = abs(net.feed_forward(changed)['bd:out'][0] - base) > 1e-7
        assert not moved[:t, :4].any()  # forwards: steps before t know nothing of it
        assert not moved[t + 1 :, 4:].any()  # backwards: steps after t know nothing of it
        assert moved[t, :4].any()
        assert moved[t, 4:].any()


def test_the_halves_go_by_names_of_their_own(tmp_path):
    net = kerasnets.recurrent.Classifier(
        [4, dict(form='bidirectional', worker='gru', size=6, name='bd'), 3]
    )
    names = [p.name for p in net.params]
    assert names[:2] == ['bd_fw.w', 'bd_fw.hh']
    assert 'bd_bw.hz' in names
    assert net.find('bd_fw', 'w').shape == (4, 9)
    forward, backward = (net.find(f'bd_{d}', 'w').get_value() for d in ('fw', 'bw'))
    assert (forward != backward).any()
    np.testing.assert_allclose(forward.std(), 1 / np.sqrt(13), rtol=0.5)
    x = RNG.normal(size=(2, 5, 4)).astype('f')
    net.save(tmp_path / 'net.keras')
    plain = keras.saving.load_model(tmp_path / 'net.keras')
    np.testing.assert_allclose(plain.predict(x, verbose=0), net.predict_proba(x), atol=1e-6)
    for entry, says in [
        (dict(form='bidirectional', size=5), 'an even size'),
        (dict(form='bidirectional', size=4, worker='ff'), "unknown worker 'ff'"),
        (dict(form='bidirectional', size=4, direction='back'), 'both directions'),
        (dict(form='bidirectional', size=4, wrker='rnn'), 'wrker'),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            kerasnets.recurrent.Classifier([4, entry, 3])


LEARNED = {
    'prelu': lambda x, p: np.where(x > 0, x, np.exp(p['leak']) * x),
    'lgrelu': lambda x, p: np.where(x > 0, np.exp(p['gain']), np.exp(p['leak'])) * x,
    'elu': lambda x, p: np.where(x > 0, x, np.exp(p['gain']) * np.expm1(x)),
    'maxout:3': lambda x, p: (x[..., None] * p['slope'] + p['intercept']).max(-1),
}


@pytest.mark.parametrize('form', quick('ff', 'rnn', but=['conv1']))
@pytest.mark.parametrize('name', LEARNED)
def test_activations_learn_their_parameters(name, form, tmp_path):
    entry = dict(form=form, size=5, activation=name)
    entry.update(dict(filter_size=1) if form == 'conv1' else {})
    net = kerasnets.recurrent.Regressor([4, entry, 2])
    params = {p.name[5:]: p for p in net.params if p.name.startswith('hid1.')}
    learned = {k: p for k, p in params.items() if k in ('leak', 'gain', 'slope', 'intercept')}
    assert learned
    for param in net.params:
        param.set_value(RNG.normal(size=param.shape) * 0.5)
    x = RNG.normal(size=(6, 5, 4)).astype('f')
    out = net.feed_forward(x)
    values = {k: p.get_value() for k, p in learned.items()}
    np.testing.assert_allclose(out['hid1:out'], LEARNED[name](out['hid1:pre'], values), atol=1e-5)
    net.train([x, RNG.normal(size=(6, 5, 2))], epochs=2, learning_rate=0.05, algo='sgd')
    for key, param in learned.items():
        assert (param.get_value() != values[key]).any(), key
    for suffix in ('.keras', '.h5'):
        net.save(tmp_path / f'net{suffix}')
        again = kerasnets.load(tmp_path / f'net{suffix}')
        np.testing.assert_allclose(again.predict(x), net.predict(x), atol=1e-6)


def test_invalid_activations():
    for name in ('maxout', 'maxout:0', 'prelu:2', 'maxout:x', 'prelu+tanh'):
        with pytest.raises(ConfigurationError, match=r'maxout:3|learned parameters'):
            kerasnets.Classifier([4, (5, name), 3])
