"""A stream read in chunks gives what Keras gives with stateful layers, and one long predict."""

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import recurrent
from kerasnets.errors import ConfigurationError, DataError

L = keras.layers
RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 23, 4)).astype('f')
CUTS = (0, 1, 3, 4, 20), (1, 3, 4, 20, 23)


def chunks(x):
    return [x[:, a:b] for a, b in zip(*CUTS)]


def entry(form, **options):
    return dict(form=form, size=8, **options)


STEPPING = {
    'rnn': entry('rnn'),
    'lstm': entry('lstm'),
    'lstm peepholes': entry('lstm', peepholes=True),
    'gru': entry('gru'),
    'gru reset after': entry('gru', reset_after=True),
    'rrnn': entry('rrnn'),
    'mrnn': entry('mrnn', factors=3),
    'mut1': entry('mut1'),
    'scrn': entry('scrn'),
    'clockwork': entry('clockwork', periods=(1, 2, 4, 8)),
    'bcrnn': entry('bcrnn', num_modules=2),
    'convolution': entry('conv1', filter_size=3, padding='causal'),
    'attention': entry('attention', heads=2),
    'transformer': entry('transformer', positions='rotary'),
}


@pytest.mark.parametrize('name', STEPPING)
def test_chunks_are_one_long_sequence_to_the_model_of_keras(name):
    net = recurrent.Regressor([4, STEPPING[name], (5, 'tanh'), 2], rng=1)
    stream = net.stream()
    found = np.concatenate([stream.predict(chunk) for chunk in chunks(X)], axis=1)
    want = net.model.predict(X, verbose=0)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    assert stream.steps == 23
    stream.reset()
    np.testing.assert_allclose(stream.predict(X[:1, :5]), want[:1, :5], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('cls', [L.SimpleRNN, L.LSTM, L.GRU])
@pytest.mark.parametrize('whole', [True, False])
def test_chunks_are_those_of_a_stateful_layer(cls, whole):
    if cls is L.LSTM and keras.backend.backend() == 'jax':
        pytest.skip("on JAX, Keras' stateful LSTM loses a state between two calls of predict")
    options = {'activation': 'relu', 'return_sequences': whole}
    model = keras.Sequential(
        [keras.Input((None, 4), batch_size=3), cls(6, stateful=True, **options), L.Dense(2)]
    )
    net = recurrent.Regressor([4, cls(6, **options), 2])
    for own, variable in zip(net.model.trainable_variables, model.trainable_variables):
        own.assign(keras.ops.convert_to_numpy(variable))
    stream = net.stream()
    for chunk in chunks(X):
        want = model.predict(chunk, batch_size=3, verbose=0)
        np.testing.assert_allclose(stream.predict(chunk), want, rtol=1e-4, atol=1e-5)


def test_classifiers_read_labels_and_streams_are_apart():
    net = recurrent.Classifier([5, (6, 'lstm'), 5], rng=2)
    labels = RNG.integers(5, size=(2, 300))
    one, other = net.stream(), net.stream()
    found = [
        one.predict(labels[:, :100]),
        other.predict(labels[:, 100:]),
        one.predict(labels[:, 100:]),
    ]
    want = net.predict(labels)
    np.testing.assert_array_equal(np.concatenate([found[0], found[2]], axis=1), want)
    again = net.stream()
    rows = np.eye(5)[labels]
    p = np.concatenate([again.predict_proba(rows[:, :9]), again.predict_proba(labels[:, 9:])], 1)
    np.testing.assert_allclose(p, net.model.predict(rows, verbose=0), rtol=1e-4, atol=1e-5)


def test_embeddings_time_major_and_learned_positions():
    labels = RNG.integers(7, size=(2, 12))
    net = recurrent.Classifier(
        [7, entry('embedding'), entry('transformer', context=12, positions='learned'), 7]
    )
    stream = net.stream()
    found = np.concatenate(
        [stream.predict_proba(labels[:, :5]), stream.predict_proba(labels[:, 5:])], 1
    )
    np.testing.assert_allclose(found, net.model.predict(labels, verbose=0), rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match='learned positions for 12 steps'):
        stream.predict(labels[:, :1])
    net = recurrent.Regressor([4, (6, 'gru'), 2], time_major=True)
    stream, turned = net.stream(), np.swapaxes(X, 0, 1)
    found = np.concatenate([stream.predict(turned[:8]), stream.predict(turned[8:])])
    np.testing.assert_allclose(found, net.predict(turned), rtol=1e-4, atol=1e-5)


def test_a_chunk_that_does_not_fit_changes_nothing():
    net = recurrent.Regressor([4, (6, 'rnn'), 2])
    stream = net.stream()
    first = stream.predict(X[:, :9])
    for wrong in (X[:2], X[:, :, :3], X[0], list(X), X[:, :0], np.full_like(X, np.nan), X[:0]):
        with pytest.raises(DataError):
            stream.predict(wrong)
    found = np.concatenate([first, stream.predict(X[:, 9:])], axis=1)
    np.testing.assert_allclose(found, net.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: recurrent.Regressor([4, entry('bidirectional'), 2]), 'bidirectional layers read'),
        (lambda: recurrent.Regressor([4, entry('rnn', direction='backwards'), 2]), 'backwards'),
        (lambda: recurrent.Regressor([4, entry('conv1', filter_size=3), 2]), "padding='causal'"),
        (lambda: recurrent.Regressor([4, L.LSTM(3, stateful=True), 2]), r'net\.stream\(\)'),
        (lambda: recurrent.Classifier([5, entry('embedding', mask_zero=True), 5]), 'mask_zero'),
        (lambda: kerasnets.Regressor([4, 2]), 'kerasnets.recurrent'),
    ],
)
def test_networks_that_cannot_run_in_a_stream_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make().stream()
