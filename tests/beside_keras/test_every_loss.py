"""Every loss of Keras is in a network what it is in a plain model.

The losses are found in ``keras.losses``: one that Keras adds fails until it has data here.
"""

import dataclasses
import inspect

import keras
import numpy as np
import plain
import pytest
from keras import layers as L  # noqa: N812
from keras import losses as K  # noqa: N812
from marks import quick

X = plain.values(4)
VALUES = plain.values(3, seed=2)
CLASSES = plain.labels(3)
ONE_HOT = np.eye(3, dtype='float32')[CLASSES]
BITS = plain.labels(2, 3).astype('float32')
SHARES = np.exp(VALUES) / np.exp(VALUES).sum(1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """Targets that suit a loss, and the activation of the output."""

    y: np.ndarray
    activation: str = 'linear'
    steps: int | None = None  # of the output; None: it has none


CASES = {
    'binary_crossentropy': Case(BITS, 'sigmoid'),
    'binary_focal_crossentropy': Case(BITS, 'sigmoid'),
    'categorical_crossentropy': Case(ONE_HOT, 'softmax'),
    'categorical_focal_crossentropy': Case(ONE_HOT, 'softmax'),
    'categorical_generalized_cross_entropy': Case(CLASSES, 'softmax'),
    'categorical_hinge': Case(ONE_HOT),
    'circle': Case(CLASSES, 'sigmoid'),
    'cosine_similarity': Case(VALUES),
    'ctc': Case(1 + plain.labels(2, 2), steps=4),
    'dice': Case(BITS, 'sigmoid'),
    'hinge': Case(2 * BITS - 1),
    'huber': Case(3 * VALUES),
    'kl_divergence': Case(SHARES, 'softmax'),
    'log_cosh': Case(VALUES),
    'mean_absolute_error': Case(VALUES),
    'mean_absolute_percentage_error': Case(VALUES),
    'mean_squared_error': Case(VALUES),
    'mean_squared_logarithmic_error': Case(abs(VALUES), 'softplus'),
    'poisson': Case(abs(VALUES), 'softplus'),
    'sparse_categorical_crossentropy': Case(CLASSES, 'softmax'),
    'squared_hinge': Case(2 * BITS - 1),
    'tversky': Case(BITS, 'sigmoid'),
}

#: Shorter names that `keras.losses.get` takes.
SHORT = {
    'bce': 'binary_crossentropy',
    'kld': 'kl_divergence',
    'mae': 'mean_absolute_error',
    'mape': 'mean_absolute_percentage_error',
    'mse': 'mean_squared_error',
    'msle': 'mean_squared_logarithmic_error',
}

#: A name that theanets has for another loss: of labels, with a margin of 0.
THEANETS = ('hinge', 'Hinge')

#: What is in ``keras.losses`` and no loss.
OTHERS = {'Loss', 'deserialize', 'get', 'serialize'}


def functions():
    """Return the names of every loss in ``keras.losses`` that is a function."""
    return {name for name, _ in inspect.getmembers(K, inspect.isfunction)} - OTHERS


def classes():
    """Return every class of ``keras.losses``, as the name of its function -> the class."""
    found = dict(inspect.getmembers(K, inspect.isclass))
    return {cls().fn.__name__: cls for name, cls in found.items() if name not in OTHERS}


def takes(name):
    """Return whether `keras.losses.get` knows a name."""
    try:
        return K.get(name) is not None
    except ValueError:
        return False


def pair(case, loss):
    """Return a plain model and a network whose outputs suit a loss."""

    def make():
        inner = [L.Dense(12), L.Reshape((case.steps, 3))] if case.steps else [L.Dense(5, 'tanh')]
        return keras.Sequential([keras.Input((4,)), *inner, L.Dense(3, case.activation)])

    return plain.pair(make, loss)


def assert_all_same(name, loss, mine=None):
    """Assert that a loss evaluates, and moves the weights once, as in a plain model."""
    case = CASES[name]
    model, net = pair(case, loss if mine is None else mine)
    plain.compiled(model, loss, keras.optimizers.SGD(0.05))
    plain.assert_same_loss(model, net, X, case.y)
    plain.steps(model, X, case.y, count=1)
    plain.updates(net, X, case.y, 'sgd', count=1, learning_rate=0.05)
    plain.assert_same_weights(model, net)


def test_every_loss_has_data():
    assert functions() == set(CASES)
    assert set(classes()) == set(CASES)
    assert [n for n in CASES if not takes(n)] == ['categorical_generalized_cross_entropy']


#: The names of classes, but two for the default run.
OF_CLASSES = [
    cls.__name__
    for cls in classes().values()
    if takes(cls.__name__) and cls.__name__ not in (*THEANETS, 'Dice', 'KLDivergence')
]

#: Those of the default run.
FIRST = (
    'binary_crossentropy',
    'categorical_crossentropy',
    'circle',
    'ctc',
    'dice',
    'huber',
    'kl_divergence',
    'sparse_categorical_crossentropy',
)


@pytest.mark.parametrize('name', quick(*FIRST, but=[n for n in CASES if n not in FIRST]))
def test_an_instance_is_what_it_is_in_keras(name):
    assert_all_same(name, classes()[name]())


@pytest.mark.slow
@pytest.mark.parametrize('name', [n for n in CASES if takes(n) and n not in THEANETS])
def test_a_function_by_name_is_what_it_is_in_keras(name):
    assert_all_same(name, name)


@pytest.mark.slow
@pytest.mark.parametrize('name', [n for n in CASES if takes(n)])
def test_a_function_is_what_it_is_in_keras(name):
    assert_all_same(name, getattr(K, name))


@pytest.mark.parametrize(
    'short', quick('bce', 'mae', but=[n for n in SHORT if n not in ('bce', 'mae')])
)
def test_a_short_name_is_what_it_is_in_keras(short):
    assert_all_same(SHORT[short], short)


@pytest.mark.parametrize('name', quick('Dice', 'KLDivergence', but=OF_CLASSES))
def test_the_name_of_a_class_is_what_it_is_in_keras(name):
    case = CASES[K.get(name).fn.__name__]
    model, net = pair(case, name)
    plain.assert_same_loss(plain.compiled(model, name), net, X, case.y)


def test_a_name_of_theanets_is_the_loss_of_theanets():
    """`keras.losses.Hinge()` and `keras.losses.hinge` are those of Keras."""
    for name in THEANETS:
        model, net = pair(CASES['sparse_categorical_crossentropy'], name)
        p = model.predict_on_batch(X)
        rows = np.arange(plain.ROWS)
        wrong = np.where(np.eye(3)[CLASSES] > 0, -np.inf, p).max(1)
        want = np.maximum(0, wrong - p[rows, CLASSES]).mean()
        np.testing.assert_allclose(net.evaluate([X, CLASSES])['loss'], want, rtol=1e-4)


SETTINGS = {
    'label_smoothing': (
        'categorical_crossentropy',
        lambda: K.CategoricalCrossentropy(label_smoothing=0.2),
    ),
    'from_logits': ('mean_squared_error', lambda: K.BinaryCrossentropy(from_logits=True)),
    'delta': ('huber', lambda: K.Huber(delta=0.3)),
    'the sum': ('mean_squared_error', lambda: K.MeanSquaredError(reduction='sum')),
    'the mean of weights': (
        'mean_squared_error',
        lambda: K.MeanSquaredError(reduction='mean_with_sample_weight'),
    ),
    'ignored classes': (
        'sparse_categorical_crossentropy',
        lambda: K.SparseCategoricalCrossentropy(ignore_class=1),
    ),
    'an axis': ('dice', lambda: K.Dice(axis=(1,))),
}


@pytest.mark.parametrize(
    'setting',
    quick(
        'the sum',
        'ignored classes',
        but=[n for n in SETTINGS if n not in ('the sum', 'ignored classes')],
    ),
)
def test_a_setting_is_respected_as_in_keras(setting):
    name, make = SETTINGS[setting]
    assert_all_same(name, make())
