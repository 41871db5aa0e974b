"""Keys: networks share a program only where they compute the same."""

import inspect

import keras
import numpy as np
import plain
import pytest
from keras import layers as L  # noqa: N812
from samples import SAMPLES, model_of

import kerasnets
from kerasnets import activations
from kerasnets.layers import abilities
from kerasnets.programs import key, program

pytestmark = pytest.mark.skipif(plain.BACKEND == 'torch', reason='nothing is shared on PyTorch')

#: Classes that have no sample: one is the entry of a model, the others are kinds of models.
NO_LAYERS = ('Functional', 'InputLayer', 'Sequential')

STOCK = sorted(
    cls.__name__
    for cls, found in abilities.table().items()
    if found.shared and cls.__module__.startswith('keras.') and cls.__name__ not in NO_LAYERS
)

#: Classes of kerasnets -> a network with one.
OURS = {
    'LearnedActivation': lambda: kerasnets.Classifier([4, (6, 'maxout:3'), 3]),
    'RotaryAttention': lambda: kerasnets.recurrent.Classifier([4, (8, 'attention'), 3]),
    'BCRNNCell': lambda: kerasnets.recurrent.Classifier(
        [4, dict(form='bcrnn', size=6, num_modules=2), 3]
    ),
    'ClockworkCell': lambda: kerasnets.recurrent.Classifier(
        [4, dict(form='clockwork', size=6, periods=(1, 2)), 3]
    ),
    'MRNNCell': lambda: kerasnets.recurrent.Classifier(
        [4, dict(form='mrnn', size=6, factors=2), 3]
    ),
    'MUT1Cell': lambda: kerasnets.recurrent.Classifier([4, (6, 'mut1'), 3]),
    'RRNNCell': lambda: kerasnets.recurrent.Classifier(
        [4, dict(form='rrnn', size=6, rate='vector'), 3]
    ),
    'SCRNCell': lambda: kerasnets.recurrent.Classifier([4, (6, 'scrn'), 3]),
    'PeepholeLSTMCell': lambda: kerasnets.recurrent.Classifier(
        [4, dict(form='lstm', size=6, peepholes=True), 3]
    ),
    'Ensemble': lambda: ensemble(),
    'Rescaled': lambda: ensemble(),
}


def ensemble():
    """Return a network with scaled inputs and two networks side by side."""
    layers = [
        4,
        dict(form='rescaled', binned=[1], bins=3),
        dict(form='ensemble', size=2, members=2, hidden=[5], activation='silu'),
        'GlobalAveragePooling1D',
    ]
    net = kerasnets.Regressor(layers)
    net.model.layers[0].adapt(np.random.default_rng(0).normal(size=(50, 4)).astype('f') * 3 + 1)
    return net


def described(value):
    """Return the key of an object, or None where it has none."""
    try:
        return repr(key.Description().of(value))
    except key.UnknownError:
        return None


def network(name):
    """Return a network around the sample of a class."""
    return kerasnets.Network.from_keras(model_of(SAMPLES[name], None), 'mse')


def layer_of(net, name):
    """Return the layer of a class in a network, or the one that has it as a cell."""
    parts = [part for node in net.nodes for part in key.keras_facts.parts(node.layer)]
    return next(part for part in parts if type(part).__name__ == name)


def changed(layer):
    """Yield configurations of a layer that differ in one flag or number."""
    config = layer.get_config()
    for name, value in config.items():
        if name in ('name', 'trainable', 'seed', 'stateful', 'return_state', 'rms_scaling'):
            continue
        if name == 'synchronized' and plain.BACKEND != 'tensorflow':
            continue
        if isinstance(value, bool):
            yield name, {**layer.get_config(), name: not value}
        elif isinstance(value, float):
            yield name, {**layer.get_config(), name: value / 3 + 0.05}


def test_every_class_of_the_table_is_shown():
    ours = {
        cls.__name__
        for cls, found in abilities.table().items()
        if found.shared and cls.__module__.startswith('kerasnets.')
    }
    assert ours == set(OURS)
    assert set(STOCK) <= set(SAMPLES)


@pytest.mark.parametrize('name', STOCK)
def test_layers_that_differ_in_a_setting_have_different_keys(name):
    net = network(name)
    layer = layer_of(net, name)
    whole = described(layer)
    again = layer_of(network(name), name)
    assert described(again) == whole is not None
    for setting, config in changed(layer):
        found = [described(type(layer).from_config(one)) for one in (config, layer.get_config())]
        assert found[0] != found[1], (setting, config)


@pytest.mark.parametrize('name', [*STOCK, *OURS])
def test_a_copy_computes_what_the_original_computes(name):
    """Judged by the plain Keras model of the original."""
    if name in OURS:
        net = OURS[name]()
        x = np.random.default_rng(1).normal(size=(5, *(n or 6 for n in net.model.input_shape[1:])))
        x = x.astype('float32')
    else:
        net, x = network(name), SAMPLES[name].x
    models = net._models
    copied = program.copy(models, losses=True)
    assert key.Description().network(copied) == key.Description().network(models)
    ids = set(map(id, models.layer_variables))
    for ours, theirs in zip(models.layer_variables, copied.layer_variables, strict=True):
        assert id(theirs) not in ids
        theirs.assign(ours)
    expected = keras.ops.convert_to_numpy(net.model(x, training=False))
    found = keras.ops.convert_to_numpy(copied.model(x, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('name', [n for n in STOCK if abilities.table()[getattr(L, n)].by_rows])
def test_each_row_is_computed_from_that_row_alone(name):
    model = model_of(SAMPLES[name], None)
    x = SAMPLES[name].x
    arrays = x if isinstance(x, list) else [x]
    rows = [a[3:5] for a in arrays]
    whole = keras.ops.convert_to_numpy(model(x, training=False))[3:5]
    part = keras.ops.convert_to_numpy(model(rows if rows[1:] else rows[0], training=False))
    np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('cls', key.OPTIMIZERS, ids=lambda cls: cls.__name__)
def test_optimizers_that_differ_in_a_setting_have_different_keys(cls):
    def built(**settings):
        optimizer = cls(0.1, **settings)
        optimizer.build([keras.Variable(np.zeros((2, 3), 'f'))])
        return described(optimizer)

    if cls.__name__ == 'Esgd' and plain.BACKEND != 'tensorflow':
        pytest.skip('of TensorFlow')
    own = {
        name: parameter.default
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if isinstance(parameter.default, (bool, float)) and name != 'learning_rate'
    }
    other = {
        **{n: not v if isinstance(v, bool) else v / 2 + 0.01 for n, v in own.items()},
        **dict(clipnorm=0.3, global_clipnorm=0.4, clipvalue=0.5, use_ema=True),
    }
    keys = [built(), *(built(**{name: value}) for name, value in other.items())]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert built() == keys[0]


@pytest.mark.parametrize('cls', [c for c in key.PLAIN if issubclass(c, keras.Regularizer)])
def test_regularizers_that_differ_in_a_factor_have_different_keys(cls):
    values = [{}, *({n: 0.7} for n in inspect.signature(cls.__init__).parameters if n != 'self')]
    values = [v for v in values if 'mode' not in v]
    keys = [described(cls(**v)) for v in values]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_what_a_user_writes_or_sets_has_no_key():
    class Twice(L.Layer):
        def call(self, x):
            return 2 * x

    def has_key(*entries):
        return kerasnets.Classifier([4, *entries, 3])._programs.layers_key() is not None

    assert has_key((6, 'tanh'), (5, 'relu+tanh'))
    assert not has_key(Twice())
    assert not has_key(L.Lambda(lambda x: x))
    assert not has_key(dict(size=6, activation=lambda x: x))
    assert not has_key(L.Dense(6, kernel_regularizer=lambda w: 0.0))
    assert isinstance(kerasnets.Classifier([4, (6, 'relu+tanh'), 3]).model.layers[0].activation,
                      activations.Activation)  # fmt: skip


def test_a_setting_after_building_makes_another_key():
    net = kerasnets.Classifier([4, (6, 'tanh'), 3])
    layer = net.model.layers[0]
    keys = [net._programs.layers_key()]
    for change in (
        lambda: setattr(layer, 'activation', keras.activations.relu),
        lambda: setattr(layer, 'trainable', False),
        lambda: setattr(layer.bias, 'trainable', True),
        lambda: setattr(layer.kernel, 'constraint', keras.constraints.NonNeg()),
        lambda: setattr(layer.kernel, 'regularizer', keras.regularizers.L2(0.1)),
        lambda: keras.config.set_epsilon(1e-3),
    ):
        try:
            change()
            keys.append(net._programs.layers_key())
        finally:
            keras.config.set_epsilon(1e-7)
    assert len(set(keys)) == len(keys)
    layer.call = lambda x: x
    assert net._programs.layers_key() is None
