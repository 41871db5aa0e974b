import inspect

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.programs import prediction

X = np.random.default_rng(3).normal(size=(11, 4)).astype('f')


def test_every_output_by_name():
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    out = net.feed_forward(X)
    assert list(out) == ['in:out', 'hid1:out', 'hid1:pre', 'out:out', 'out:pre']
    np.testing.assert_allclose(out['in:out'], X, atol=1e-6)
    w, b = (net.find('hid1', p).get_value() for p in 'wb')
    np.testing.assert_allclose(out['hid1:out'], np.tanh(X @ w + b), atol=1e-6)
    np.testing.assert_allclose(out['out:out'], net.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(out['out:pre'], net.predict_logit(X), atol=1e-6)


def test_build_graph_gives_the_same_as_symbols():
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    outputs, updates = net.build_graph()
    assert updates == net.updates() == []
    got = keras.Function(net.inputs, outputs)([X])
    for name, value in net.feed_forward(X).items():
        np.testing.assert_allclose(got[name], value, atol=1e-6)


def test_a_network_grows_by_add_layer():
    net = kerasnets.Network()
    net.add_layer(4)
    net.add_layer((5, 'tanh'))
    net.add_layer(3, name='out', activation='softmax')
    net.set_loss('xe')
    assert [spec.name for spec in net.specs] == ['in', 'hid1', 'out']
    built = kerasnets.Classifier([4, (5, 'tanh'), 3])
    np.testing.assert_array_equal(net.predict(X), built.predict_proba(X))
    net.add_layer(form='Dense', size=2)
    assert net.predict(X).shape == (11, 2)
    np.testing.assert_array_equal(net.find('hid1', 'w').get_value(), built.find(1, 0).get_value())


def test_add_layer_merges_keywords():
    net = kerasnets.Network([4])
    net.add_layer('rnn', size=3) if False else net.add_layer('ff', size=3)
    net.add_layer({'size': 5}, activation='tanh', name='b')
    assert (net.specs[1].size, net.specs[2].name, net.specs[2].activation) == (3, 'b', 'tanh')
    with pytest.raises(ConfigurationError, match='keywords with an int'):
        net.add_layer((3, 'tanh'), name='c')
    with pytest.raises(ConfigurationError, match="the name 'b' is taken"):
        net.add_layer(3, name='b')
    assert len(net.specs) == 3


def test_regularizers_are_not_swallowed():
    net = kerasnets.Classifier([4, 3])
    data = [X, np.zeros(11, 'i')]
    for call in (
        lambda: net.predict(X, wieght_l2=1),
        lambda: net.predict_proba(X, droput=1),
        lambda: net.predict_logit(X, l1=1),
        lambda: net.feed_forward(X, niose=1),
        lambda: net.evaluate(data, weight=1),
        lambda: net.loss(l2=1),
        lambda: net.monitors(l2=1),
        lambda: net.updates(l2=1),
        lambda: net.build_graph({'l2': 1}),
        lambda: net.score(*data, l2=1),
    ):
        with pytest.raises(ConfigurationError, match='unknown regularizer'):
            call()


def test_sequences_of_any_length():
    net = kerasnets.recurrent.Classifier([4, (5, 'lstm'), 3])
    rng = np.random.default_rng(1)
    for length in (1, 7, 50):
        assert net.predict(rng.normal(size=(2, length, 4))).shape == (2, length)


def test_prediction_in_batches_equals_prediction_at_once(monkeypatch):

    net = kerasnets.Classifier([4, 5, 3])
    whole = net.predict_proba(X)
    monkeypatch.setattr(prediction, 'BATCH_ROWS', 2)
    monkeypatch.setattr(prediction, 'BATCH_VALUES', 8)
    np.testing.assert_allclose(net.predict_proba(X), whole, atol=1e-7)
    assert list(net.feed_forward(X)) == list(net.build_graph()[0])


def test_theanets_signatures():
    net = kerasnets.Classifier
    names = {
        '__init__': 'layers loss weighted rng',
        'add_layer': 'layer',
        'add_loss': 'loss',
        'build_graph': 'regularizers',
        'classify': 'x',
        'feed_forward': 'x',
        'find': 'which param',
        'itertrain': 'train valid algo',
        'load': 'filename_or_handle',
        'save': 'filename_or_handle',
        'score': 'x y w',
    }
    for method, parameters in names.items():
        found = list(inspect.signature(getattr(net, method)).parameters)
        found = [name for name in found if name != 'self']
        assert found[: len(parameters.split())] == parameters.split(), method
    sequence = inspect.signature(kerasnets.recurrent.Classifier.predict_sequence).parameters
    assert list(sequence)[1:5] == ['labels', 'steps', 'streams', 'rng']
    assert (net.DEFAULT_OUTPUT_ACTIVATION, net.INPUT_NDIM, net.OUTPUT_NDIM) == ('softmax', 2, 1)
    net = kerasnets.recurrent.Classifier
    assert (net.DEFAULT_OUTPUT_ACTIVATION, net.INPUT_NDIM, net.OUTPUT_NDIM) == ('softmax', 3, 2)
    assert kerasnets.Classifier is kerasnets.feedforward.Classifier


def test_everything_public_can_be_reached():
    for name in kerasnets.__all__:
        assert getattr(kerasnets, name) is not None
        assert name in dir(kerasnets)
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        kerasnets.Clasifier  # noqa: B018


@pytest.mark.parametrize('name', ['_x', '-x', 'x>y', '9'])
def test_names_of_layers_that_keras_takes_are_taken(name):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name=name)])
    x = np.ones((4, 3), 'f')
    net = kerasnets.Regressor.from_keras(model)
    np.testing.assert_allclose(net.predict(x), model(x), atol=1e-6)
    net.train([x, np.ones((4, 2))], epochs=1)
    kerasnets.Regressor([3, dict(size=2, name=name), 1]).predict(x)
