"""Every layer of Keras in a network: predictions, losses and updates are those of plain Keras.

The classes are found in ``keras.layers``: one that Keras adds fails until it has a sample here.
"""

import importlib.util
import inspect

import keras
import numpy as np
import plain
import pytest
from keras import layers as L  # noqa: N812
from marks import quick
from samples import SAMPLES, V, Y, model_of

import kerasnets
from kerasnets import keras_facts


def reads_words(layer):
    """Return whether a network refuses the words that plain Keras reads."""
    words = plain.words('a b c d e a b c d a b a'.split())
    model = keras.Sequential([keras.Input((1,), dtype='string'), layer, L.Dense(3)])
    assert model.predict_on_batch(words).shape == (plain.ROWS, 3)
    with pytest.raises(kerasnets.errors.DataError, match='expected numbers'):
        kerasnets.Network.from_keras(model).predict(words)
    return True


#: Classes without a sample: name -> (why, whether that is still so).
LEFT_OUT = {
    'Equalization': (
        'is left out of a model by Keras',
        lambda: issubclass(L.Equalization, keras_facts.LEFT_OUT),
    ),
    'FlaxLayer': ('needs flax', lambda: importlib.util.find_spec('flax') is None),
    'InputSpec': ('is no layer', lambda: not issubclass(L.InputSpec, L.Layer)),
    'StringLookup': (
        'reads words, and a network arrays of numbers',
        lambda: reads_words(L.StringLookup(vocabulary=['a', 'b'])),
    ),
    'TextVectorization': (
        'reads words, and a network arrays of numbers',
        lambda: reads_words(L.TextVectorization(vocabulary=['a'], output_sequence_length=2)),
    ),
}

#: Those of them that plain Keras runs on TensorFlow alone.
OF_WORDS = ('StringLookup', 'TextVectorization')

#: Samples of the default run, a few of each family; the others are slow.
QUICK = """
    ActivityRegularization Attention BatchNormalization Bidirectional Concatenate Conv2D Dense
    Dropout Embedding HashedCrossing Lambda Layer LSTM Masking MultiHeadAttention Normalization
    PReLU RandomFlip SpectralNormalization TFSMLayer Wrapper
""".split()


#: Those that are tried with XLA too, beside Dense.
COMPILED = """
    ActivityRegularization Attention BatchNormalization Conv2D Embedding LSTM Lambda Normalization
""".split()


def classes():
    """Return the names of every class of ``keras.layers``, the class's own of several."""
    found = dict(inspect.getmembers(L, inspect.isclass))
    return {
        name for name, cls in found.items() if name == cls.__name__ or cls.__name__ not in found
    }


def assert_all_same(make, x, **keywords):
    """Assert that a network predicts, evaluates and learns as a plain model does."""
    model, net = plain.pair(make)
    plain.compiled(model, optimizer=keras.optimizers.SGD(0.05))
    plain.assert_same_outputs(model, net, x)
    plain.assert_same_loss(model, net, x, Y)
    if not plain.draws(model, x):
        plain.steps(model, x, Y)
        plain.updates(net, x, Y, 'sgd', learning_rate=0.05, **keywords)
        plain.assert_same_weights(model, net)


def test_every_class_has_a_sample_or_a_reason():
    assert classes() - {*SAMPLES, *LEFT_OUT} == set()
    assert {*SAMPLES, *LEFT_OUT} - classes() == set()


@pytest.mark.parametrize('name', LEFT_OUT)
def test_the_reason_for_which_a_class_has_no_sample_holds(name):
    if name in OF_WORDS and plain.BACKEND != 'tensorflow':
        pytest.skip('Keras reads words on TensorFlow alone')
    why, holds = LEFT_OUT[name]
    assert holds(), f'{name} {why}: no longer so'


@pytest.mark.parametrize('name', quick(*QUICK, but=[n for n in SAMPLES if n not in QUICK]))
def test_a_layer_computes_and_learns_as_in_keras(name, tmp_path):
    """Where a backend does not have it, plain Keras refuses it."""
    sample = SAMPLES[name]
    if plain.BACKEND not in sample.only:
        if name == 'TorchModuleWrapper':
            pytest.importorskip('torch')
        with pytest.raises((NotImplementedError, RuntimeError, ValueError)):
            plain.compiled(model_of(sample, str(tmp_path / 'saved'))).test_on_batch(sample.x, Y)
        return
    assert_all_same(lambda: model_of(sample, str(tmp_path / 'saved')), sample.x)


@pytest.mark.skipif(plain.BACKEND == 'torch', reason='PyTorch does not compile')
@pytest.mark.parametrize('name', quick('Dense', but=COMPILED))
def test_a_layer_that_xla_compiles_learns_as_in_keras(name):
    sample = SAMPLES[name]
    assert_all_same(lambda: model_of(sample, None), sample.x, jit=True)


def stack(*made):
    """Return a function that builds a chain of layers over vectors, each made anew."""
    return lambda: keras.Sequential([keras.Input((4,)), *(make() for make in made), L.Dense(3)])


def frozen(make):
    """Return a function that makes a layer that is not trained."""

    def made():
        layer = make()
        layer.trainable = False
        return layer

    return made


def kernel_frozen():
    """Return a model whose first kernel alone is not trained."""
    model = stack(lambda: L.Dense(5))()
    model.layers[0].kernel.trainable = False
    return model


def kernel_constrained():
    """Return a model whose first kernel has a constraint that was set on the variable."""
    model = stack(lambda: L.Dense(5))()
    model.layers[0].kernel.constraint = keras.constraints.NonNeg()
    return model


def nested():
    """Return a model that holds a model, with a penalty on its weights."""
    inner = stack(lambda: L.Dense(5, 'tanh', kernel_regularizer=keras.regularizers.L2(0.1)))()
    return keras.Sequential([keras.Input((4,)), inner, L.Dense(3)])


def over_the_batch():
    """Return a model whose outputs depend on the other rows."""
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(3)(x - keras.ops.mean(x, axis=0, keepdims=True)))


VARIANTS = {
    'kernel_regularizer': stack(lambda: L.Dense(5, kernel_regularizer=keras.regularizers.L2(1.0))),
    'all regularizers': stack(
        lambda: L.Dense(
            5,
            kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
            bias_regularizer=keras.regularizers.L1(0.3),
            activity_regularizer=keras.regularizers.L2(0.1),
        )
    ),
    'a regularizer of a frozen layer': stack(
        frozen(lambda: L.Dense(5, kernel_regularizer=keras.regularizers.L2(1.0)))
    ),
    'orthogonal_regularizer': stack(
        lambda: L.Dense(5, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1))
    ),
    'activity_regularizer': stack(
        lambda: L.Dense(5, 'tanh', activity_regularizer=keras.regularizers.L1(0.1))
    ),
    'constraint': stack(lambda: L.Dense(5, kernel_constraint=keras.constraints.MaxNorm(0.5))),
    'a constraint of a bias': stack(lambda: L.Dense(5, bias_constraint=keras.constraints.NonNeg())),
    'lora': stack(lambda: L.Dense(5, lora_rank=2)),
    'frozen': stack(frozen(lambda: L.Dense(5, 'tanh'))),
    'a frozen BatchNormalization': stack(lambda: L.Dense(5), frozen(L.BatchNormalization)),
    'BatchNormalization of another momentum': stack(
        lambda: L.Dense(5), lambda: L.BatchNormalization(momentum=0.5, epsilon=0.1)
    ),
    'BatchNormalization without a scale': stack(
        lambda: L.BatchNormalization(scale=False, center=False)
    ),
    'dropout of a rate of 0': stack(lambda: L.Dense(5), lambda: L.Dropout(0.0)),
    'a kernel that is frozen': kernel_frozen,
    'a kernel that is constrained': kernel_constrained,
    'nested': nested,
    'over the batch': over_the_batch,
}


#: Those that differ little from others.
SLOW = (
    'kernel_regularizer',
    'a regularizer of a frozen layer',
    'orthogonal_regularizer',
    'activity_regularizer',
    'a constraint of a bias',
    'BatchNormalization of another momentum',
    'BatchNormalization without a scale',
    'dropout of a rate of 0',
)


@pytest.mark.parametrize(
    'name',
    quick(
        *(name for name in VARIANTS if name not in SLOW),
        but=SLOW,
    ),
)
def test_a_setting_of_a_layer_is_respected_as_in_keras(name):
    assert_all_same(VARIANTS[name], V)


def test_a_last_batch_with_fewer_rows_changes_nothing_in_a_layer_over_the_batch():
    model, net = plain.pair(over_the_batch)
    plain.compiled(model)
    want = model.evaluate(V, Y, batch_size=8, verbose=0)
    np.testing.assert_allclose(net.evaluate([V, Y], batch_size=8)['loss'], want, rtol=1e-4)
