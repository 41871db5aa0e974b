"""Each recurrent form against a few lines of numpy, and what is read inside it."""

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets
from kerasnets import recurrent
from kerasnets.errors import ConfigurationError
from kerasnets.layers.lstm import PeepholeLSTMCell


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def net_of(entry, rng, size=6):
    """A recurrent network of one hidden layer, all parameters random; theirs by name."""
    net = recurrent.Classifier([4, entry, 3])
    for param in net.params:
        param.set_value(rng.normal(size=param.shape, scale=0.7))
    return net, {p.name.split('.')[1]: p.get_value() for p in net.params if 'hid1' in p.name}


def rnn(p, x, h, c):
    pre = x @ p['xh'] + h @ p['hh'] + p['b']
    return {'pre': pre, 'out': np.tanh(pre)}, np.tanh(pre), c


def gru(p, x, h, c):
    xh, xr, xz = np.split(x @ p['w'] + p['b'], 3, -1)
    z = sigmoid(xz + h @ p['hz'])
    pre = xh + (sigmoid(xr + h @ p['hr']) * h) @ p['hh']
    new = (1 - z) * h + z * np.tanh(pre)
    return {'pre': pre, 'hid': np.tanh(pre), 'rate': z, 'out': new}, new, c


def lstm(p, x, h, c):
    i, f, g, o = np.split(x @ p['xh'] + h @ p['hh'] + p['b'], 4, -1)
    ci, cf, co = (p.get(k, 0) for k in ('ci', 'cf', 'co'))
    c = sigmoid(f + cf * c) * c + sigmoid(i + ci * c) * np.tanh(g)
    h = sigmoid(o + co * c) * np.tanh(c)
    return {'cell': c, 'out': h}, h, c


def rrnn(rates):
    def step(p, x, state):
        h = state.get('h', np.zeros((len(x), 6)))
        pre = x @ p['xh'] + h @ p['hh'] + p['b']
        r = rates(p, x)
        new = (1 - r) * h + r * np.tanh(pre)
        return {'pre': pre, 'hid': np.tanh(pre), 'rate': r + 0 * pre, 'out': new}, {'h': new}

    return step


def mrnn(p, x, state):
    h = state.get('h', np.zeros((len(x), 6)))
    factors = x @ p['xf']
    pre = (factors * (h @ p['hf'])) @ p['fh'] + x @ p['xh'] + p['b']
    return {'pre': pre, 'factors': factors, 'out': np.tanh(pre)}, {'h': np.tanh(pre)}


def mut1(p, x, state):
    h = state.get('h', np.zeros((len(x), 6)))
    r, z = sigmoid(x @ p['xr'] + h @ p['hr'] + p['br']), sigmoid(x @ p['xz'] + p['bz'])
    pre = np.tanh(x @ p['xh'] + p['bh']) + (r * h) @ p['hh']
    new = (1 - z) * h + z * np.tanh(pre)
    return {'pre': pre, 'hid': np.tanh(pre), 'rate': z, 'out': new}, {'h': new}


def scrn(p, x, state):
    h, s = (state.get(k, np.zeros((len(x), 6))) for k in 'hs')
    xh, xs = np.split(x @ p['w'], 2, -1)
    r = sigmoid(p['r'])
    s = (1 - r) * s + r * xs
    h = np.tanh(xh + h @ p['hh'] + s @ p['sh'])
    out = h @ p['ho'] + s @ p['so'] + p['b']
    return {'hid': h, 'state': s, 'pre': out, 'out': out, 'rate': r + 0 * h}, {'h': h, 's': s}


MASK = np.kron([[1, 0, 0], [1, 1, 0], [1, 1, 1]], np.ones((2, 2)))


def clockwork(p, x, state):
    h, q = (state.get(k, np.zeros((len(x), 6))) for k in 'hq')
    t = state.get('t', 0)
    due = t % np.array([1, 1, 2, 2, 4, 4]) == 0
    q = np.where(due, x @ p['xh'] + h @ (p['hh'] * MASK) + p['b'], q)
    return {'pre': q, 'out': np.tanh(q)}, {'h': np.tanh(q), 'q': q, 't': t + 1}


def bcrnn(p, x, state):
    h, q = (state.get(k, np.zeros((len(x), 6))) for k in 'hq')
    r = np.repeat(1 - 10.0 ** -np.linspace(1e-4, 6, 3), 2)
    q = (1 - r) * (x @ p['xh'] + h @ (p['hh'] * MASK) + p['b']) + r * q
    return {'pre': q, 'out': np.tanh(q)}, {'h': np.tanh(q), 'q': q}


def plain(step):
    """A step of (h, c) as one of a dict of states."""

    def dressed(p, x, state):
        h, c = (state.get(k, np.zeros((len(x), 6))) for k in 'hc')
        out, h, c = step(p, x, h, c)
        return out, {'h': h, 'c': c}

    return dressed


FORMS = {
    'rnn': (dict(form='rnn'), plain(rnn)),
    'gru': (dict(form='gru'), plain(gru)),
    'lstm': (dict(form='lstm'), plain(lstm)),
    'peepholes': (dict(form='lstm', peepholes=True), plain(lstm)),
    'rrnn-matrix': (dict(form='rrnn'), rrnn(lambda p, x: sigmoid(x @ p['xr'] + p['r']))),
    'rrnn-vector': (dict(form='rrnn', rate='vector'), rrnn(lambda p, x: sigmoid(p['r']))),
    'rrnn-uniform': (dict(form='rrnn', rate='uniform'), rrnn(lambda p, x: p['rates'])),
    'rrnn-log': (dict(form='rrnn', rate='log'), rrnn(lambda p, x: p['rates'])),
    'mrnn': (dict(form='mrnn', factors=3), mrnn),
    'mut1': (dict(form='mut1'), mut1),
    'scrn': (dict(form='scrn'), scrn),
    'clockwork': (dict(form='clockwork', periods=[4, 1, 2]), clockwork),
    'bcrnn': (dict(form='bcrnn', num_modules=3), bcrnn),
}
FORMS = {
    k: ({'size': 6, 'activation': 'tanh', **entry}, step) for k, (entry, step) in FORMS.items()
}
OWN = [k for k in FORMS if k not in ('rnn', 'gru', 'lstm')]


@pytest.mark.parametrize('direction', ['forward', 'backwards'])
@pytest.mark.parametrize('name', FORMS)
def test_outputs_against_numpy(name, direction, rng):
    entry, step = FORMS[name]
    net, params = net_of({**entry, 'direction': direction}, rng)
    if 'rates' in dir(net.layers[1].keras.cell):
        params['rates'] = keras.ops.convert_to_numpy(net.layers[1].keras.cell.rates)
    x = rng.normal(size=(5, 9, 4)).astype('f')
    got = net.feed_forward(x)
    state = {}
    for t in range(9):
        want, state = step(params, x[:, 8 - t if direction == 'backwards' else t], state)
        for part, value in want.items():
            np.testing.assert_allclose(got[f'hid1:{part}'][:, t], value, atol=2e-5, err_msg=part)


@pytest.mark.parametrize('name', OWN)
def test_masked_steps_change_nothing(name, rng):
    net, _ = net_of(FORMS[name][0], rng)
    layer = net.layers[1].keras
    x = rng.normal(size=(3, 9, 4)).astype('f')
    mask = np.ones((3, 9), bool)
    mask[1, 5:] = mask[2, :4] = False
    got = layer(x, mask=keras.ops.convert_to_tensor(mask))
    np.testing.assert_allclose(got[0], layer(x[:1])[0], atol=1e-6)
    np.testing.assert_allclose(got[1, :5], layer(x[1:2, :5])[0], atol=1e-6)
    np.testing.assert_allclose(got[2, 4:], layer(x[2:3, 4:])[0], atol=1e-6)


@pytest.mark.parametrize('name', OWN)
def test_config_round_trip(name, rng):
    layer = net_of(FORMS[name][0], rng)[0].layers[1].keras
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.cell.units == 6


#: Cells whose gradients are those of others, more or less.
LIKE = ['peepholes', 'rrnn-uniform', 'rrnn-vector', 'rrnn-log', 'bcrnn']


@pytest.mark.parametrize('name', quick(*OWN, but=LIKE))
def test_gradients_by_finite_differences(name, rng):
    """A small step along the gradient changes the loss by its squared length."""
    net, _ = net_of(FORMS[name][0], rng)
    x, y = rng.normal(size=(4, 6, 4)).astype('f'), rng.integers(3, size=(4, 6))
    before = {p.name: p.get_value().astype('d') for p in net.params}
    net.train([x, y], algo='sgd', learning_rate=1.0, batch_size=4, epochs=1)
    after = {p.name: p.get_value() for p in net.params}
    for param in net.params:
        gradient = before[param.name] - after[param.name]
        direction = rng.normal(size=gradient.shape)
        losses = []
        for e in (1e-2, -1e-2):
            for other in net.params:
                other.set_value(before[other.name])
            param.set_value(before[param.name] + e * direction)
            losses.append(net.evaluate([x, y])['loss'])
        want = (losses[0] - losses[1]) / 2e-2
        got = (gradient * direction).sum()
        np.testing.assert_allclose(got, want, atol=2e-3, rtol=2e-2, err_msg=param.name)


def test_rates_are_drawn_from_the_one_seed_and_lie_between_0_and_1():
    for form in ('rrnn', 'scrn'):
        for rate in ('uniform', 'log'):
            entry = dict(form=form, size=400, rate=rate)
            nets = [recurrent.Classifier([4, entry, 3], rng=seed) for seed in (1, 1, 2)]
            rates = [keras.ops.convert_to_numpy(net.layers[1].keras.cell.rates) for net in nets]
            np.testing.assert_array_equal(rates[0], rates[1])
            assert (rates[0] != rates[2]).any()
            assert rates[0].min() > 0
            assert rates[0].max() < 1
            median = np.median(rates[0])
            assert abs(median - (0.5 if rate == 'uniform' else np.exp(-3))) < 0.08


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(form='rrnn', size=3, rate='vectr'), "Did you mean 'vector'"),
        (dict(form='scrn', size=3, rate='matrix'), "unknown rate 'matrix'"),
        (dict(form='mrnn', size=3, factors=0), 'factors as an int of 1 or more'),
        (dict(form='clockwork', size=5, periods=[1, 2]), 'a multiple of 2'),
        (dict(form='clockwork', size=4, periods=[1, 0]), 'a period as an int of 1 or more'),
        (dict(form='clockwork', size=4, periods=3), 'periods as a list of int'),
        (dict(form='bcrnn', size=5, num_modules=2), 'a multiple of 2'),
        (dict(form='rnn', size=5, direction='sideways'), "direction as 'forward' or 'backwards'"),
        (dict(form='ff', size=5, direction='backwards'), "unknown keyword of Dense 'direction'"),
        (dict(form='clockwork', size=4, period=[1]), "Did you mean 'periods'"),
    ],
)
def test_invalid_arguments(entry, says):
    with pytest.raises(ConfigurationError, match=says):
        recurrent.Classifier([4, entry, 3])


def test_gru_after_reset_reads_the_same_insides(rng):
    net, _ = net_of(dict(form='gru', size=6, activation='tanh', reset_after=True), rng)
    out = net.feed_forward(rng.normal(size=(5, 9, 4)))
    before = np.concatenate([np.zeros((5, 1, 6)), out['hid1:out'][:, :-1]], axis=1)
    z = out['hid1:rate']
    np.testing.assert_allclose(out['hid1:out'], (1 - z) * before + z * out['hid1:hid'], atol=1e-5)


def test_lstm_with_zero_peepholes_is_the_stock_lstm(rng):
    plain, params = net_of(dict(form='lstm', size=6), rng)
    own, _ = net_of(dict(form='lstm', size=6, peepholes=True), rng)
    for name, value in params.items():
        own.find('hid1', name).set_value(value)
    for name in ('ci', 'cf', 'co'):
        own.find('hid1', name).set_value(np.zeros(6))
    x = rng.normal(size=(5, 9, 4))
    np.testing.assert_allclose(
        own.feed_forward(x)['hid1:out'], plain.feed_forward(x)['hid1:out'], atol=1e-6
    )


def test_the_peephole_cell_starts_and_serialises_like_keras():
    layer = keras.layers.RNN(PeepholeLSTMCell(5, activation='relu', use_bias=False))
    again = keras.layers.RNN.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    net = recurrent.Classifier([4, dict(form='lstm', size=3, peepholes=True), 3])
    bias = net.find('hid1', 'b').get_value()
    np.testing.assert_array_equal(bias, [0] * 3 + [1] * 3 + [0] * 6)


def test_dense_and_activation_layers(rng):
    net = recurrent.Classifier([4, (6, 'relu'), keras.layers.Activation('tanh'), 3])
    out = net.feed_forward(rng.normal(size=(2, 5, 4)))
    np.testing.assert_allclose(out['hid1:out'], np.maximum(out['hid1:pre'], 0))
    w, b = (net.find('hid1', p).get_value() for p in 'wb')
    np.testing.assert_allclose(out['hid1:pre'], out['in:out'] @ w + b, atol=1e-5)


def test_no_states_no_insides(rng):
    net = recurrent.Classifier([4, dict(form='rnn', size=6, return_sequences=False), 3])
    assert 'hid1:pre' not in net.feed_forward(rng.normal(size=(2, 5, 4)))


@pytest.mark.parametrize('precision', ['float16', 'bfloat16'])
def test_insides_under_mixed_precision(precision, rng):
    entry = dict(form='lstm', size=6, dtype=f'mixed_{precision}')
    net, params = net_of(entry, rng)
    x = rng.normal(size=(2, 3, 4)).astype('f')
    got = net.feed_forward(x)['hid1:cell']
    want, _, _ = lstm(params, x[:, 0], np.zeros((2, 6)), np.zeros((2, 6)))
    np.testing.assert_allclose(got[:, 0].astype('f'), want['cell'], atol=0.05)


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(form='rescaled', binned=[4]), 'expected columns of 0 to 3, got 4'),
        (dict(form='rescaled', binned=[-1]), 'binned as an int of 0 or more'),
        (dict(form='rescaled', bins=0), 'bins as an int of 1 or more'),
        (dict(form='ensemble', size=2, members=0), 'members as an int of 1 or more'),
        (dict(form='ensemble', size=2, hidden=[0]), 'hidden as an int of 1 or more'),
        (dict(form='ensemble', size=2, dropout=1), 'dropout as a number of 0 to under 1'),
    ],
)
def test_wrong_settings_of_ensembles(entry, says):
    with pytest.raises(ConfigurationError, match=says):
        kerasnets.Network([4, entry])
