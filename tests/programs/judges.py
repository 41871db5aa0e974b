"""Judges of training: plain Keras over copies of layers, and numpy."""

import keras
import numpy as np

LABELS = 'sparse_categorical_crossentropy'


def values(net):
    """Return the values of all variables of a network's model."""
    return [np.array(value) for value in net.model.get_weights()]


def arrays(variables):
    """Return the values of Keras variables as arrays of their own."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def copy(model):
    """Return plain Keras layers of equal configuration and values."""
    made = keras.models.clone_model(model)
    made.set_weights(model.get_weights())
    return made


def course(model, optimizer, batches, loss=LABELS):
    """Return the values of a plain Keras model before training, and after each batch."""
    model.compile(optimizer, loss, run_eagerly=True)
    states = [model.get_weights()]
    for x, y in batches:
        model.train_on_batch(x, y)
        states.append(model.get_weights())
    return states


def assert_close(found, expected, atol=1e-5):
    """Check that arrays are equal but for rounding."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, atol=atol, rtol=1e-4)


def assert_equal(found, expected):
    """Check that arrays are equal in every bit."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)


def is_close(found, expected, atol=1e-5):
    """Return whether arrays are equal but for rounding."""
    return all(np.allclose(a, b, atol=atol, rtol=1e-4) for a, b in zip(found, expected))


def cross_entropy(weights, x, y):
    """Return the loss of a dense classifier with one hidden layer of tanh."""
    (w, b, v, c) = (np.asarray(value, 'd') for value in weights)
    z = np.tanh(x @ w + b) @ v + c
    z -= z.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]))
