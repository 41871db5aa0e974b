"""Models that Keras made, and networks on their way to other places."""

import copy
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor

import fresh
import joblib
import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError

L = keras.layers
RNG = np.random.default_rng(6)
X = RNG.normal(size=(12, 4)).astype('f')
S = RNG.normal(size=(6, 5, 4)).astype('f')


def functional():
    a, b = keras.Input((4,), name='a'), keras.Input((4,), name='b')
    both = L.Concatenate(name='both')([L.Dense(3, 'tanh', name='left')(a), b])
    return keras.Model([a, b], L.Dense(2, name='last')(both))


MODELS = {
    'feedforward.Classifier': lambda: keras.Sequential(
        [keras.Input((4,)), L.Dense(5, 'relu', name='mid'), L.Dense(3, 'softmax')]
    ),
    'recurrent.Classifier': lambda: keras.Sequential(
        [keras.Input((None, 4)), L.LSTM(5, return_sequences=True), L.Dense(4, 'softmax')]
    ),
    'convolution.Regressor': lambda: keras.Sequential(
        [keras.Input((6, 6, 1)), L.Conv2D(3, 3), L.Flatten(), L.Dense(2)]
    ),
}


@pytest.mark.parametrize('suffix', ['.keras', '.h5'])
@pytest.mark.parametrize('name', MODELS)
def test_files_of_keras_open_as_networks(name, suffix, tmp_path):
    model = MODELS[name]()
    model.save(tmp_path / f'model{suffix}')
    net = kerasnets.load(tmp_path / f'model{suffix}')
    module, cls = name.split('.')
    assert type(net) is getattr(getattr(kerasnets, module), cls)
    x = RNG.normal(size=(3, *[n or 7 for n in model.input_shape[1:]])).astype('f')
    want = model.predict(x, verbose=0)
    got = net.predict_proba(x) if cls == 'Classifier' else net.predict(x)
    np.testing.assert_allclose(got, want, atol=1e-6)
    target = want.argmax(-1) if cls == 'Classifier' else want * 0
    before = net.evaluate([x, target])['loss']
    net.train([x, target], algo='adam', learning_rate=0.01, epochs=5)
    assert net.evaluate([x, target])['loss'] < before
    net.save(tmp_path / f'again{suffix}')
    again = kerasnets.load(tmp_path / f'again{suffix}')
    np.testing.assert_allclose(again.predict(x), net.predict(x), atol=1e-6)


def test_inspecting_a_keras_model():
    model = MODELS['feedforward.Classifier']()
    net = kerasnets.Classifier.from_keras(model)
    assert net.model is model
    assert net.find('mid', 'w').variable is model.layers[0].kernel
    assert list(net.feed_forward(X))[:3] == ['in:out', 'mid:out', 'mid:pre']
    net = kerasnets.recurrent.Classifier.from_keras(MODELS['recurrent.Classifier']())
    assert len(list(net.predict_sequence([0, 1], 9, rng=1))) == 9


def test_a_functional_model(tmp_path):
    model = functional()
    net = kerasnets.Regressor.from_keras(model)
    want = model.predict([X, X], verbose=0)
    np.testing.assert_allclose(net.predict([X, X]), want, atol=1e-6)
    net.train([X, X, want * 0], algo='sgd', learning_rate=0.1, epochs=2)
    assert net.find('left', 'w').shape == (4, 3)
    model.save(tmp_path / 'model.keras')
    assert kerasnets.load(tmp_path / 'model.keras').predict({'a': X, 'b': X}).shape == (12, 2)


def operations():
    a = keras.Input((4,))
    return keras.Model(a, keras.ops.softmax(L.Dense(3)(L.Dense(4)(a) + 2 * a)))


def twice():
    a, dense = keras.Input((4,)), L.Dense(4, name='dense')
    return keras.Model(a, dense(dense(a)))


def nested():
    layers = [keras.Input((4,)), L.Dense(3, 'tanh', name='dense')]
    a = keras.Input((4,))
    return keras.Model(a, L.Dense(2, name='dense')(keras.Sequential(layers, name='inner')(a)))


def attention():
    a = keras.Input((5, 4))
    return keras.Model(a, L.Dense(3, 'softmax')(L.MultiHeadAttention(2, 3)(a, a)))


def states():
    a = keras.Input((5, 4))
    y, h, c = L.LSTM(5, return_state=True, return_sequences=True, name='dense')(a)
    return keras.Model(a, L.Dense(3)(L.LSTM(5)(y, initial_state=[h, c])))


@pytest.mark.parametrize('make', [operations, twice, nested, attention, states])
def test_models_that_are_not_lists_of_layers(make, tmp_path):
    """One layer of the network is then the model."""
    model = make()
    model.save(tmp_path / 'model.keras')
    x = S if len(model.input_shape) > 2 else X
    want = model.predict(x, verbose=0)
    for net in (kerasnets.Network.from_keras(model), kerasnets.load(tmp_path / 'model.keras')):
        predict = getattr(net, 'predict_proba', net.predict)
        np.testing.assert_allclose(predict(x), want, atol=1e-6)
        net.save(tmp_path / 'net.keras')
        again = kerasnets.load(tmp_path / 'net.keras')
        assert [p.name for p in again.params] == [p.name for p in net.params]
        np.testing.assert_allclose(again.predict(x), net.predict(x), atol=1e-6)
    if make in (twice, nested, states):
        assert net.find('inner/dense' if make is nested else 'dense', 0).shape[0] == 4
    assert len({p.name for p in net.params}) == len(net.params)
    target = want.argmax(-1) if hasattr(net, 'predict_proba') else 0 * want
    before = net.evaluate([x, target])['loss']
    net.train([x, target], algo='adam', learning_rate=0.01, epochs=5)
    assert net.evaluate([x, target])['loss'] < before


def test_the_first_output_of_several_is_predicted():
    a = keras.Input((4,))
    model = keras.Model(a, [L.Dense(2, name='x')(a), L.Dense(3, name='y')(a)])
    net = kerasnets.Regressor.from_keras(model)
    np.testing.assert_allclose(net.predict(X), model.predict(X, verbose=0)[0], atol=1e-6)
    assert {'x:out', 'y:out'} < set(net.feed_forward(X))


def test_models_that_cannot_be_networks():
    a = keras.Input((4,))
    with pytest.raises(ConfigurationError, match='expected a built Sequential or functional'):
        kerasnets.Regressor.from_keras(keras.Sequential([L.Dense(3)]))
    with pytest.raises(ConfigurationError, match='expected a built Sequential or functional'):
        kerasnets.Regressor.from_keras(3)
    with pytest.raises(ConfigurationError, match='the model has 2 outputs, and a layer'):
        kerasnets.Regressor.from_keras(keras.Model(a, [a + 1, L.Dense(3)(a)]))


def ways(net, tmp_path):
    yield copy.deepcopy(net)
    yield copy.copy(net)
    yield pickle.loads(pickle.dumps(net))
    joblib.dump(net, tmp_path / 'net.joblib')
    yield joblib.load(tmp_path / 'net.joblib')


@pytest.mark.parametrize('kind', ['plain', 'own', 'tied'])
def test_copies_are_networks_of_their_own(kind, tmp_path):
    net, x, data = {
        'plain': lambda: (kerasnets.Classifier([4, 5, 3]), X, [X, np.arange(12) % 3]),
        'own': lambda: (kerasnets.recurrent.Regressor([4, (6, 'scrn'), 2]), S, [S, S[..., :2]]),
        'tied': lambda: (kerasnets.Autoencoder([4, (3, 'prelu'), (4, 'tied')]), X, [X]),
    }[kind]()
    net.train(data, algo='adam', epochs=2)
    want = net.predict(x)
    for other in ways(net, tmp_path):
        assert type(other) is type(net)
        assert other.history == net.history
        assert other.losses == net.losses
        np.testing.assert_array_equal(other.predict(x), want)
        assert other.rng.random() == copy.deepcopy(net.rng).random()
        other.train(data, algo='sgd', learning_rate=0.5, epochs=1)
        np.testing.assert_array_equal(net.predict(x), want)


def test_two_networks_in_two_threads():
    """Row 23."""
    nets = [kerasnets.Classifier([4, 5, 3], rng=seed) for seed in (1, 2)]
    alone = [kerasnets.Classifier([4, 5, 3], rng=seed) for seed in (1, 2)]
    y = np.arange(12) % 3

    def work(net):
        net.train([X, y], algo='sgd', learning_rate=0.1, epochs=3)
        net.predict(X)

    threads = [threading.Thread(target=work, args=[net]) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for net, other in zip(nets, alone):
        work(other)
        np.testing.assert_allclose(net.predict_proba(X), other.predict_proba(X), atol=1e-6)


def predictions(net, x):
    """Found again by name in a process that knows nothing."""
    return net.predict(x), net.history


def test_a_worker_process_is_sent_a_network():
    """Row 23: started anew, it has the network from its own file."""
    net = kerasnets.recurrent.Regressor([4, (6, 'scrn'), 2])
    net.train([S, S[..., :2]], epochs=1)
    with ProcessPoolExecutor(1, mp_context=fresh.SERVER) as pool:
        found, history = pool.submit(predictions, net, S).result()
    np.testing.assert_allclose(found, net.predict(S), atol=1e-6)
    assert history == net.history
