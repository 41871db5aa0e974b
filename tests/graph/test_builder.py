import random

import keras
import numpy as np
import pytest
from fresh import run

import kerasnets
from kerasnets.errors import ConfigurationError

recurrent = kerasnets.recurrent


def test_a_chain_is_exactly_a_sequential_of_stock_layers():
    net = recurrent.Classifier(
        [10, (20, 'rnn'), (8, 'lstm'), (7, 'gru'), 'LayerNormalization', (6, 'relu'), 5]
    )
    assert type(net.model) is keras.Sequential
    kinds = [type(layer) for layer in net.model.layers]
    k = keras.layers
    assert kinds == [k.SimpleRNN, k.LSTM, k.GRU, k.LayerNormalization, k.Dense, k.Dense]
    assert [layer.name for layer in net.model.layers] == [
        'hid1', 'hid2', 'hid3', 'hid4', 'hid5', 'out',
    ]  # fmt: skip
    assert net.model.input_shape == (None, None, 10)
    assert net.model.output_shape == (None, None, 5)


def test_defaults_of_the_forms():
    net = recurrent.Classifier([4, 5, (5, 'rnn'), (5, 'lstm'), (5, 'gru'), 3])
    _, dense, rnn, lstm, gru, out = (layer.keras for layer in net.layers)
    assert dense.activation is rnn.activation is gru.activation is keras.activations.relu
    assert lstm.activation is keras.activations.tanh
    assert out.activation is keras.activations.softmax
    assert all(layer.return_sequences for layer in (rnn, lstm, gru))
    assert not gru.reset_after


def test_keywords_pass_through_to_keras():
    net = recurrent.Classifier(
        [4, dict(form='gru', size=5, reset_after=True, activation='tanh', dropout=0.25), 3]
    )
    gru = net.layers[1].keras
    assert gru.reset_after
    assert gru.dropout == 0.25
    assert gru.activation is keras.activations.tanh


def test_keras_classes_and_instances():
    shared = keras.layers.Dense(7, name='mine')
    net = kerasnets.Classifier(
        [4, (6, 'Dense', 'tanh'), shared, dict(form='Dropout', rate=0.5), 'BatchNormalization', 3]
    )
    assert net.layers[2].keras is shared
    assert net.find('mine', 'w').shape == (6, 7)
    assert net.layers[3].keras.rate == 0.5
    assert net.find('hid4', 'gamma').shape == (7,)


def test_a_branch_is_a_functional_model(rng):
    net = kerasnets.Classifier(
        [4, dict(size=5, name='a'), dict(size=5, name='b', inputs='in'),
         dict(form='Add', inputs=('a', 'b:pre')), 3]
    )  # fmt: skip
    assert type(net.model).__name__ == 'Functional'
    out = net.feed_forward(rng.normal(size=(6, 4)))
    np.testing.assert_allclose(out['hid3:out'], out['a:out'] + out['b:pre'], atol=1e-6)


def test_initial_weights_are_theanets_own():
    net = kerasnets.Classifier([200, 300, 10])
    w = net.find('hid1', 'w').get_value()
    np.testing.assert_allclose(w.std(), 1 / np.sqrt(500), rtol=0.02)
    assert abs(w.mean()) < 1e-3
    assert not net.find('hid1', 'b').get_value().any()
    net = recurrent.Classifier([40, (60, 'gru'), 10])
    np.testing.assert_allclose(net.find('hid1', 'w').get_value().std(), 1 / np.sqrt(220), rtol=0.03)
    for name in ('hh', 'hr', 'hz'):
        got = net.find('hid1', name).get_value().std()
        np.testing.assert_allclose(got, 1 / np.sqrt(120), rtol=0.05)


def test_settings_about_squares_are_about_the_squares_of_a_recurrent_layer():
    """Wide matrices count as squares side by side, as in theanets."""
    net = recurrent.Classifier([4, dict(form='lstm', size=9, radius=0.7), 3])
    for block in np.split(net.find('hid1', 'hh').get_value(), 4, axis=1):
        np.testing.assert_allclose(abs(np.linalg.eigvals(block)).max(), 0.7, rtol=1e-4)
    net = recurrent.Classifier([4, dict(form='lstm', size=3, diagonal=0.5), 3])
    want = np.tile(np.eye(3) * 0.5, 4)
    np.testing.assert_array_equal(net.find('hid1', 'hh').get_value(), want)
    assert net.find('hid1', 'xh').get_value().all()


def test_initial_settings():
    entry = dict(form='rnn', size=30, std=0.5, radius_hh=1.1, mean_b=2, std_b=0.1)
    net = recurrent.Classifier([40, entry, 3])
    np.testing.assert_allclose(net.find('hid1', 'xh').get_value().std(), 0.5, rtol=0.05)
    eigenvalues = np.linalg.eigvals(net.find('hid1', 'hh').get_value())
    np.testing.assert_allclose(abs(eigenvalues).max(), 1.1, rtol=1e-4)
    np.testing.assert_allclose(net.find('hid1', 'b').get_value().mean(), 2, atol=0.1)
    for name, entry in {
        'std_xx': dict(form='rnn', size=3, std_xx=1),
        'std': dict(form='Dropout', rate=0.1, std=1),
    }.items():
        with pytest.raises(ConfigurationError, match=f'{name!r} sets no parameter'):
            recurrent.Classifier([4, entry, 3])


def test_layers_of_keras_start_as_keras_starts_them():
    net = recurrent.Classifier([40, (60, 'Dense'), 'BatchNormalization', 3])
    limit = np.sqrt(6 / 100)  # Glorot's uniform distribution
    w = net.find('hid1', 'w').get_value()
    assert abs(w).max() <= limit
    np.testing.assert_allclose(w.std(), limit / np.sqrt(3), rtol=0.05)
    assert (net.find('hid2', 'gamma').get_value() == 1).all()
    net = recurrent.Classifier([40, dict(form='Dense', size=60, std=0.5), 3])
    np.testing.assert_allclose(net.find('hid1', 'w').get_value().std(), 0.5, rtol=0.05)


def test_a_keras_initializer_is_respected():
    net = kerasnets.Classifier([4, dict(size=5, kernel_initializer='ones'), 3])
    assert (net.find('hid1', 'w').get_value() == 1).all()


def test_one_seed_one_network_and_no_two_layers_equal():
    entries = [6, 6, 6, dict(form='Dense', size=6, kernel_initializer='he_normal'),
               dict(form='Conv1D', size=6, kernel_size=1), 6]  # fmt: skip
    state = random.getstate()
    nets = [recurrent.Classifier(entries, rng=seed) for seed in (1, 1, 2)]
    assert random.getstate() == state
    values = [[p.get_value() for p in net.params if len(p.shape) > 1] for net in nets]
    for a, b, c in zip(*values):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    first = [v.ravel()[:36] for v in values[0]]
    assert all((a != b).any() for i, a in enumerate(first) for b in first[:i])


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        ((20, 'rnnn'), "unknown activation 'rnnn'.*Did you mean 'rnn'"),
        ((3, 'glu'), "unknown activation 'glu'"),
        ((20, 'tanj'), "Did you mean 'tanh'"),
        ('lstm', 'it has no size'),
        (dict(activation='relu'), 'it has no size'),
        (dict(form='concat', inputs=('in', 'in'), size=3), 'the size that follows from its inputs'),
        (('flatten', 'tanh'), 'takes no activation'),
        (dict(size=3, shape=(3, 4)), 'only an input has a shape'),
        (dict(form='lstm', size=3, peephole=True), "Did you mean 'peepholes'"),
        (dict(form='lstm', size=3, return_sequence=1), "Did you mean 'return_sequences'"),
        (dict(size=3, actvation='relu'), "Did you mean 'activation'"),
        ('Laternormalization', "got 'Laternormalization'.*'LayerNormalization'"),
        (dict(size=3, inputs='in:pre'), "no output 'in:pre'"),
        (dict(form='Dropout', rate=7), 'rate'),
        (dict(size=3, radius=1), 'square'),
        (dict(form='rnn', size=3, h_0='in'), r'expected h_0 of shape \(any, 3\), got .*vector'),
        (dict(form='rnn', size=3, h_0='im'), "its input 'im:out' is not there.*before it: in"),
        (
            dict(form='rnn', size=3, c_0='in'),
            "unknown state of this layer 'c_0'. Did you mean 'h_0'",
        ),
        (dict(size=3, h_0='in'), "unknown state of this layer 'h_0'"),
        (dict(form='embedding', size=3, inputs='in', input_dim=0), 'input_dim'),
        (dict(form='rnn', size=3, radius_xh=1), 'radius: expected a square matrix'),
    ],
)
def test_errors_of_building_name_the_layer_and_entry(entry, says):
    with pytest.raises(ConfigurationError, match=says) as error:
        recurrent.Classifier([4, entry, 3])
    assert str(error.value).startswith("layer 1 ('hid1'), ")
    assert repr(entry) in str(error.value)


def test_two_inputs_of_one_name():
    with pytest.raises(ConfigurationError, match=r"layer 1 \('in'\).*is taken by layer 0"):
        recurrent.Classifier([4, dict(form='input', size=3), 3])


@pytest.mark.parametrize('form', ['rnn', 'lstm', 'gru'])
def test_a_recurrent_layer_in_a_feedforward_model(form):
    with pytest.raises(ConfigurationError, match=r'layer 1 .*kerasnets\.recurrent'):
        kerasnets.Classifier([4, (5, form), 3])


def test_a_network_needs_layers():
    with pytest.raises(ConfigurationError, match='expected an input and at least one layer'):
        kerasnets.Classifier([4]).predict(np.zeros((1, 4)))
    for wrong in (3, 'ff', {'size': 3}):
        with pytest.raises(ConfigurationError, match='expected a list of layers'):
            kerasnets.Classifier(wrong)


NAMES = """
import numpy as np, kerasnets
hidden = [dict(size=4, name='square'), dict(size=1, name='mean', activation='linear')]
covar = dict(size=1, name='covar', activation='softplus', inputs='square')
loss = dict(form='gll', mean_name='mean', covar_name='covar')
net = kerasnets.Regressor([3, *hidden, covar], loss=loss)
net.train([np.zeros((40, 3)), np.zeros((40, 1))], weight_l2=1e-3, hidden_l1=0.1, epochs=1)
print('trained')
"""


def test_layers_may_be_called_as_operations_of_keras_are():
    """In a process where Keras has named nothing yet."""
    assert run(NAMES).split() == ['trained']
