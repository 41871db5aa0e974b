"""Each form against a few lines of numpy, and what is read inside it."""

import keras
import numpy as np
import pytest

from kerasnets import recurrent
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


FORMS = [
    (dict(form='rnn', size=6, activation='tanh'), rnn),
    (dict(form='gru', size=6, activation='tanh'), gru),
    (dict(form='lstm', size=6), lstm),
    (dict(form='lstm', size=6, peepholes=True), lstm),
]
IDS = ['rnn', 'gru', 'lstm', 'peepholes']


@pytest.mark.parametrize('backwards', [False, True])
@pytest.mark.parametrize(('entry', 'step'), FORMS, ids=IDS)
def test_outputs_against_numpy(entry, step, backwards, rng):
    net, params = net_of({**entry, 'go_backwards': backwards}, rng)
    x = rng.normal(size=(5, 9, 4)).astype('f')
    got = net.feed_forward(x)
    h = c = np.zeros((5, 6))
    for t in range(9):
        want, h, c = step(params, x[:, 8 - t if backwards else t], h, c)
        for name, value in want.items():
            np.testing.assert_allclose(got[f'hid1:{name}'][:, t], value, atol=1e-5, err_msg=name)


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
