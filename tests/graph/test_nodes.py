"""How data runs through the layers: states to start from, and the halves of a layer."""

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets

recurrent = kerasnets.recurrent
RNG = np.random.default_rng(9)
X = RNG.normal(size=(5, 8, 4)).astype('f')
START = RNG.normal(size=(5, 6)).astype('f')
FORMS = {
    'rnn': dict(form='rnn'),
    'gru': dict(form='gru'),
    'lstm': dict(form='lstm'),
    'peepholes': dict(form='lstm', peepholes=True),
    'rrnn': dict(form='rrnn'),
    'mrnn': dict(form='mrnn', factors=3),
    'mut1': dict(form='mut1'),
    'scrn': dict(form='scrn'),
    'clockwork': dict(form='clockwork', periods=[1]),
    'bcrnn': dict(form='bcrnn', num_modules=1),
}
SECOND = {'lstm': 'c', 'peepholes': 'c', 'scrn': 's', 'bcrnn': 'p'}


def states_of(name, net, x):
    """h and the second state after some steps, read from the cell itself."""
    cell = net.find  # noqa: F841
    layer = net.layers[-2].keras
    states = layer.cell.get_initial_state(batch_size=len(x))
    states = [states] if not isinstance(states, (list, tuple)) else list(states)
    for t in range(x.shape[1]):
        _, states = layer.cell(keras.ops.convert_to_tensor(x[:, t]), states)
        states = [states] if not isinstance(states, (list, tuple)) else list(states)
    return [keras.ops.convert_to_numpy(state) for state in states]


@pytest.mark.parametrize(
    'name', quick(*(n for n in FORMS if n != 'bcrnn'), but=['peepholes', 'mut1', 'rrnn'])
)
def test_a_sequence_goes_on_from_the_states_it_left(name, tmp_path):
    """The second half of a sequence, started from the states after the first, is the whole's."""
    entry = {'size': 6, 'activation': 'tanh', 'name': 'a', **FORMS[name]}
    whole = recurrent.Regressor([4, entry, 2])
    second = SECOND.get(name)
    inputs = [dict(form='input', shape=(6,), name='h')]
    keys = {'h_0': 'h'}
    if second:
        inputs.append(dict(form='input', shape=(6,), name='second'))
        keys[f'{second}_0'] = 'second:out'
    net = recurrent.Regressor([4, *inputs, {**entry, 'inputs': 'in', **keys}, 2])
    for param in whole.params:
        param.set_value(RNG.normal(size=param.shape, scale=0.5))
        net.find(*param.name.split('.')).set_value(param.get_value())
    left = states_of(name, whole, X[:, :3])[: len(inputs)]
    want, got = whole.feed_forward(X), net.feed_forward([X[:, 3:], *left])
    for part in want:
        if part != 'in:out':
            np.testing.assert_allclose(got[part], want[part][:, 3:], atol=2e-5, err_msg=part)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(again.predict([X, *left]), net.predict([X, *left]))
    lists = [x[: n + 1] for n, x in enumerate(X)]
    for i, p in enumerate(net.predict([lists, *left])):
        alone = net.predict([lists[i][None], *(state[i : i + 1] for state in left)])
        np.testing.assert_allclose(p, alone[0], atol=2e-6)


def test_a_state_from_another_layer():
    """An encoder's last output starts the decoder; what is not given starts at 0."""
    net = recurrent.Classifier(
        [4, dict(form='gru', size=6, return_sequences=False, name='encoder', activation='tanh'),
         dict(form='input', size=3, name='words'),
         dict(form='lstm', size=6, inputs='words', c_0='encoder', name='decoder'), 3]
    )  # fmt: skip
    words = RNG.normal(size=(5, 2, 3)).astype('f')
    out = net.feed_forward([X, words])
    decoder = net.layers[3].keras
    h, c = decoder.cell(words[:, 0], [np.zeros((5, 6), 'f'), out['encoder:out']])[1]
    np.testing.assert_allclose(out['decoder:out'][:, 0], h, atol=1e-6)
    np.testing.assert_allclose(out['decoder:cell'][:, 0], c, atol=1e-6)
    y = RNG.integers(3, size=(5, 2))
    before = net.find('encoder', 'hh').get_value()
    net.train([X, words, y], algo='sgd', learning_rate=0.5, epochs=2)
    assert (net.find('encoder', 'hh').get_value() != before).any()
    lengths = (8, 3, 5, 1, 2)
    lists = [x[:n] for x, n in zip(X, lengths)], [w[: i % 2 + 1] for i, w in enumerate(words)]
    for i, p in enumerate(net.predict_proba(list(lists))):
        alone = net.predict_proba([lists[0][i][None], lists[1][i][None]])
        np.testing.assert_allclose(p, alone[0], atol=2e-6)


@pytest.mark.parametrize('worker', quick('lstm', 'scrn', but=['rnn', 'gru', 'mut1', 'clockwork']))
def test_the_halves_of_a_bidirectional_layer(worker):
    net = recurrent.Regressor(
        [4, dict(form='bidirectional', size=8, worker=worker, activation='tanh', name='a'), 2]
    )
    for param in net.params:
        param.set_value(RNG.normal(size=param.shape, scale=0.5))
    out = net.feed_forward(X)
    for half, x in (('fw', X), ('bw', X[:, ::-1])):
        one = recurrent.Regressor([4, dict(form=worker, size=4, activation='tanh', name='a'), 2])
        for param in one.params:
            if param.name.startswith('a.'):
                name = param.name.split('.')[1]
                param.set_value(net.find(f'a_{half}', name).get_value())
        for part, value in one.feed_forward(x).items():
            layer, name = part.split(':')
            if layer == 'a':
                aligned = value[:, ::-1] if half == 'bw' else value
                np.testing.assert_allclose(out[f'a:{half}_{name}'], aligned, atol=1e-5)
                both = out[f'a:{name}']
                same = both[..., :4] if half == 'fw' else both[..., 4:]
                np.testing.assert_allclose(same, aligned, atol=1e-5, err_msg=part)


def test_a_bidirectional_layer_starts_both_halves():
    net = recurrent.Regressor(
        [4, dict(form='input', shape=(3,), name='h'),
         dict(form='bidirectional', size=6, worker='lstm', inputs='in', h_0='h', name='a'), 2]
    )  # fmt: skip
    h = START[:, :3]
    out = net.feed_forward([X, h])
    layer = net.layers[2].keras
    for half, x, t in ((layer.forward_layer, X[:, 0], 0), (layer.backward_layer, X[:, -1], -1)):
        want, _ = half.cell(x, [h, np.zeros_like(h)])
        part = 'fw' if t == 0 else 'bw'
        np.testing.assert_allclose(out[f'a:{part}_out'][:, t], want, atol=1e-6)
