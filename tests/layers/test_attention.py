"""Attention and transformer blocks against numpy, in files, in training and over time."""

import json

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets
from kerasnets.errors import ConfigurationError, DataError, FileError
from kerasnets.layers.attention import rotate
from kerasnets.programs.program import CACHE

WAYS = ('rotary', 'learned', None)


def spread(net):
    """Draw all parameters anew, so that a wrong one shows."""
    rng = np.random.default_rng(5)
    for param in net.params:
        scale = 0.3 if len(param.shape) < 2 else 1.5 / np.sqrt(param.shape[0])
        param.set_value(rng.normal(size=param.shape, scale=scale))
    return net


def rotated(x, steps):
    """Pairs of values as complex numbers, turned: (time, heads, width)."""
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(
        1j * steps[:, None, None] * 10000.0 ** (-np.arange(half) / half)
    )
    return np.concatenate([turned.real, turned.imag], axis=-1)


def norm(x, gamma, beta):
    return gamma * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) + beta


def attention(x, p, heads, positions, context):
    """One sequence (time, variables), a step and a head at a time."""
    q, k, v = ((x @ p[name] + p[f'b{name}']).reshape(len(x), heads, -1) for name in ('q', 'k', 'v'))
    if positions == 'rotary':
        q, k = (rotated(z, np.arange(len(x))) for z in (q, k))
    y = np.zeros_like(v)
    for t in range(len(x)):
        first = max(0, t - context + 1)
        for h in range(heads):
            scores = k[first : t + 1, h] @ q[t, h] / np.sqrt(q.shape[-1])
            weights = np.exp(scores - scores.max())
            y[t, h] = weights / weights.sum() @ v[first : t + 1, h]
    return y.reshape(len(x), -1) @ p['o'] + p['bo']


def block(x, p, heads, positions, context):
    x = x + p['p'][: len(x)] if positions == 'learned' else x
    h = x + attention(norm(x, p['gamma1'], p['beta1']), p, heads, positions, context)
    y = np.tanh(norm(h, p['gamma2'], p['beta2']) @ p['w1'] + p['b1'])
    return h + y @ p['w2'] + p['b2']


def parameters(net, name):
    return {
        param.name.partition('.')[2]: param.get_value().astype('d')
        for param in net.params
        if param.name.startswith(f'{name}.')
    }


@pytest.mark.parametrize('positions', WAYS)
def test_a_block_against_numpy(positions, rng):
    entry = dict(form='transformer', size=8, heads=2, hidden=5, activation='tanh')
    context = 6 if positions != 'learned' else 10
    net = spread(
        kerasnets.recurrent.Regressor([8, {**entry, 'positions': positions, 'context': context}, 2])
    )
    x = rng.normal(size=(3, 10, 8)).astype('f')
    p = parameters(net, 'hid1')
    assert p['q'].shape == p['o'].shape == (8, 8)
    assert p['w1'].shape == (8, 5)
    want = [block(one.astype('d'), p, 2, positions, context) for one in x]
    np.testing.assert_allclose(net.feed_forward(x)['hid1:out'], want, atol=2e-5)


def test_attention_alone_may_change_the_size(rng):
    net = spread(kerasnets.recurrent.Regressor([5, 8, dict(form='attention', size=6, heads=3), 2]))
    x = rng.normal(size=(2, 9, 5)).astype('f')
    out = net.feed_forward(x)
    assert out['hid2:out'].shape == (2, 9, 6)
    want = attention(out['hid1:out'][1].astype('d'), parameters(net, 'hid2'), 3, 'rotary', 256)
    np.testing.assert_allclose(out['hid2:out'][1], want, atol=2e-5)


def test_a_block_of_another_size_than_its_input(rng):
    net = spread(kerasnets.recurrent.Regressor([3, (8, 'transformer'), 2]))
    x = rng.normal(size=(2, 9, 3)).astype('f')
    p = parameters(net, 'hid1')
    entered = kerasnets.recurrent.Regressor([3, (8, 'linear'), (8, 'transformer'), 2])
    entered.find('hid1', 'w').set_value(p.pop('w0'))
    entered.find('hid1', 'b').set_value(p.pop('b0'))
    for name, value in p.items():
        entered.find('hid2', name).set_value(value)
    out = entered.feed_forward(x)['hid2:out']
    np.testing.assert_allclose(net.feed_forward(x)['hid1:out'], out, atol=1e-6)


def test_rotation_keeps_lengths_and_depends_on_distances_alone(rng):
    q, k = rng.normal(size=(2, 1, 1, 1, 6)).astype('f')
    at = [np.array(rotate(q, np.array([t]))) for t in (3, 13)]
    other = [np.array(rotate(k, np.array([t]))) for t in (1, 11)]
    assert np.isclose(np.linalg.norm(at[0]), np.linalg.norm(q))
    assert np.isclose((at[0] * other[0]).sum(), (at[1] * other[1]).sum(), atol=1e-5)


ENTRIES = {
    **{f'transformer-{way}': dict(form='transformer', positions=way, context=30) for way in WAYS},
    **{f'attention-{way}': dict(form='attention', positions=way, context=30) for way in WAYS},
    'conv1': dict(form='conv1', size=6, filter_size=3, padding='causal', dilation_rate=3),
}


@pytest.mark.parametrize('name', ENTRIES)
def test_the_past_does_not_see_the_future(name, rng):
    net = spread(kerasnets.recurrent.Regressor([3, 8, ENTRIES[name], 'norm', 2]))
    x = rng.normal(size=(2, 20, 3)).astype('f')
    other = x.copy()
    other[:, 11:] += rng.normal(size=(2, 9, 3))
    before, after = net.predict(x), net.predict(other)
    np.testing.assert_allclose(before[:, :11], after[:, :11], atol=1e-6)
    assert (np.abs(before - after)[:, 11:].max(-1) > 1e-3).all()


#: Entries whose parts are in others.
LIKE = ['transformer-None', 'attention-rotary', 'attention-learned']


@pytest.mark.parametrize('name', quick(*ENTRIES, but=LIKE))
def test_sequences_of_different_lengths(name, rng):
    """Each as if it were alone: in predictions, and in the loss that is trained."""
    net = spread(kerasnets.recurrent.Regressor([3, 8, ENTRIES[name], 2]))
    x = [rng.normal(size=(n, 3)).astype('f') for n in (4, 9, 1)]
    y = [rng.normal(size=(n, 2)).astype('f') for n in (4, 9, 1)]
    found = net.predict(x)
    for one, got in zip(x, found):
        np.testing.assert_allclose(got, net.predict(one[None])[0], atol=1e-5)
    errors = [((got - want) ** 2).mean(-1) for got, want in zip(found, y)]
    assert np.isclose(net.evaluate([x, y])['loss'], np.concatenate(errors).mean(), atol=1e-5)
    net.train([x, y], algo='sgd', learning_rate=0.01, epochs=1)


def test_dropout_is_drawn_in_training_alone(rng):
    x = rng.normal(size=(64, 5, 8)).astype('f')
    entry = dict(form='transformer', dropout=0.9, heads=2)
    losses = {}
    for seed in (1, 2):
        net = kerasnets.recurrent.Regressor([8, {**entry}, 8], rng=1)
        np.testing.assert_allclose(net.predict(x), net.predict(x))
        rows = net.train([x, x], algo='sgd', learning_rate=1e-9, epochs=1, batch_size=64)
        losses[seed] = rows[0]['loss'], net.evaluate([x, x])['loss']
    assert losses[1] == losses[2]
    assert not np.isclose(*losses[1])


def test_hdf5_files(tmp_path, rng):
    x = rng.normal(size=(2, 7, 8)).astype('f')
    for way in ('rotary', None):
        net = spread(kerasnets.recurrent.Regressor([8, dict(form='transformer', positions=way), 2]))
        net.save(tmp_path / 'net.h5')
        np.testing.assert_allclose(
            kerasnets.load(tmp_path / 'net.h5').predict(x), net.predict(x), atol=1e-6
        )
    net = kerasnets.recurrent.Regressor([8, dict(form='transformer', positions='learned'), 2])
    with pytest.raises(FileError, match=r'operations of keras\.ops.*net\.keras'):
        net.save(tmp_path / 'net.h5')


def test_the_parts_are_keras_own():
    net = kerasnets.recurrent.Classifier(
        [9, (8, 'embedding'), dict(form='transformer', positions=None, dropout=0.1), 9]
    )
    parts = [type(layer).__name__ for layer in net.model.layers[1].layers]
    want = 'InputLayer LayerNormalization MultiHeadAttention Dropout Add'.split()
    assert parts == [*want, 'LayerNormalization', 'Dense', 'Dense', 'Dropout', 'Add']
    assert json.loads(net.model.to_json())['config']['layers'][2]['class_name'] == 'Functional'
    assert isinstance(net.model, keras.Sequential)


def test_initial_weights_are_those_of_the_other_forms():
    net = kerasnets.recurrent.Regressor(
        [64, dict(form='transformer', std_w2=0.001, hidden=64, mean_bq=2.0), 2]
    )
    assert np.isclose(net.find('hid1', 'q').get_value().std(), 1 / np.sqrt(128), rtol=0.1)
    assert np.isclose(net.find('hid1', 'w2').get_value().std(), 0.001, rtol=0.1)
    assert (net.find('hid1', 'gamma1').get_value() == 1).all()
    assert (net.find('hid1', 'bk').get_value() == 0).all()
    assert np.isclose(net.find('hid1', 'bq').get_value().mean(), 2.0, atol=0.5)


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(heads=3), 'heads that divide the size of 8, got heads=3'),
        (dict(heads=8), 'even parts, as rotary positions need, got heads=8'),
        (dict(heads=0), 'heads as an int of 1 or more'),
        (dict(context=0), 'context as an int of 1 or more'),
        (dict(hidden=-1), 'hidden as an int of 1 or more'),
        (dict(dropout=1), 'dropout as a number of at least 0 and under 1'),
        (dict(positions='rotery'), "unknown positions 'rotery'. Did you mean 'rotary'"),
        (dict(size=6), 'heads that divide the size of 6, got heads=4'),
        (dict(head=2), "unknown keyword of transformer 'head'.*heads"),
        (dict(inputs=('in', 'hid1')), 'expected one input of sequences'),
    ],
)
def test_wrong_entries_name_their_layer(entry, says):
    with pytest.raises(ConfigurationError, match=says) as error:
        kerasnets.recurrent.Regressor([8, 8, dict(form='transformer', **entry), 2])
    assert str(error.value).startswith("layer 2 ('hid2'), {'form': 'transformer'")


def test_labels_and_vectors_are_no_sequences_of_vectors():
    with pytest.raises(ConfigurationError, match='expected one input of sequences of vectors'):
        kerasnets.Regressor([8, 'transformer', 2])


def test_sequences_longer_than_the_learned_positions(rng):
    entry = dict(form='transformer', positions='learned', context=10)
    net = kerasnets.recurrent.Classifier([5, (8, 'embedding'), entry, 5])
    long = rng.integers(5, size=(2, 11))
    with pytest.raises(DataError, match=r'at most 10 steps.*got 11'):
        net.predict(long)
    with pytest.raises(DataError, match=r'at most 10 steps.*got 11'):
        net.train([long, long], epochs=1)
    with pytest.raises(DataError, match=r'sequence 1.*at most 10 steps'):
        net.predict([long[0, :4], long[1]])
    with pytest.raises(DataError, match='within that, got 11'):
        net.predict_sequence([1, 2, 3], 9)
    assert len(list(net.predict_sequence([1, 2, 3], 8))) == 8


@pytest.mark.parametrize('name', ENTRIES)
def test_networks_of_equal_layers_share_what_is_compiled(name, rng):
    kerasnets.clear_cache()
    x = rng.normal(size=(8, 6, 3)).astype('f')
    found = []
    for seed in (1, 2):
        net = kerasnets.recurrent.Regressor([3, 8, dict(ENTRIES[name]), 2], rng=seed)
        net.predict(x)
        found.append(CACHE.made)
    shared = net._programs.layers_key() is not None
    assert shared == ('learned' not in name)  # whose operations Keras numbers
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ('form', 'positions'),
    [
        ('transformer', 'rotary'),
        ('attention', None),
        pytest.param('transformer', 'learned', marks=pytest.mark.slow),
    ],
)
def test_training_by_xla_is_training_without(form, positions, rng):
    """The way that XLA compiles against the one of Keras' own layers: every parameter."""
    x = rng.normal(size=(20, 9, 3)).astype('f')
    y = rng.normal(size=(20, 9, 2)).astype('f')
    context = 5 if positions != 'learned' else 9
    entry = dict(form=form, size=8, heads=2, positions=positions, context=context)
    nets = [kerasnets.recurrent.Regressor([3, entry, 2]) for _ in range(2)]
    for net, jit in zip(nets, (True, False)):
        spread(net)
        net.train([x, y], algo='sgd', learning_rate=0.05, epochs=3, batch_size=8, jit=jit)
    for one, other in zip(nets[0].params, nets[1].params):
        np.testing.assert_allclose(one.get_value(), other.get_value(), atol=2e-5, err_msg=one.name)


@pytest.mark.parametrize(
    ('entry', 'mean', 'deviation'),
    [
        (dict(form='dropout', rate=0.3), 1.0, (0.3 / 0.7) ** 0.5),
        (dict(form='GaussianDropout', rate=0.2), 1.0, 0.5),
        (dict(form='GaussianNoise', stddev=0.7), 1.0, 0.7),
    ],
)
@pytest.mark.parametrize('jit', [True, False])
def test_noise_of_keras_layers(entry, mean, deviation, jit):
    """Read off the gradient: the bias of a layer after ones, at a rate of 1."""
    net = kerasnets.Regressor([4000, dict(entry), dict(size=1, name='out')])
    net.find('out', 'w').set_value(np.zeros((4000, 1)))
    x, y = np.ones((1, 4000)), np.ones((1, 1))
    net.train([x, y], algo='sgd', learning_rate=0.5, epochs=1, jit=jit)
    drawn = net.find('out', 'w').get_value()[:, 0]  # the gradient of (0 - 1)² is -2 x
    assert np.isclose(drawn.mean(), mean, atol=0.05)
    assert np.isclose(drawn.std(), deviation, rtol=0.05)
    if entry['form'] == 'dropout':
        assert set(np.round(drawn, 4)) == {0, np.float32(1.4286)}
    np.testing.assert_allclose(net.predict(x), x @ drawn[:, None] + 1, rtol=1e-3)
