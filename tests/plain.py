"""A plain Keras model and a network over an identical model: build, train and compare them."""

import keras
import numpy as np

import kerasnets

BACKEND = keras.backend.backend()

#: Rows of every data set: all of them are one batch.
ROWS = 12

#: Eager TensorFlow runs a few steps sooner than it traces them. JAX compiles each operation anyway.
EAGER = BACKEND == 'tensorflow'

#: Differences that the order of additions makes.
CLOSE = {'rtol': 2e-4, 'atol': 2e-5}


def values(*shape, seed=0):
    """Return normal values of float32, always the same."""
    return np.random.default_rng([seed, *shape]).normal(size=(ROWS, *shape)).astype('float32')


def labels(classes, *shape):
    """Return labels of int32, always the same."""
    return np.random.default_rng(3).integers(0, classes, (ROWS, *shape)).astype('int32')


def pair(make, loss='mse', **keywords):
    """Return a plain Keras model and a network over another model of equal values.

    `make` builds the model; `keywords` are those of ``Network.from_keras``.
    """
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        models.append(make())
    model, other = models
    other.set_weights(model.get_weights())
    return model, kerasnets.Network.from_keras(other, loss, **keywords)


def compiled(model, loss='mse', optimizer='sgd', **keywords):
    """Compile a plain model, and return it."""
    settings = {'run_eagerly': EAGER, **({} if EAGER else {'jit_compile': 'auto'}), **keywords}
    model.compile(optimizer, loss, **settings)
    return model


def fit(model, x, y, epochs=3):
    """Train a compiled plain model to the end, with updates over all rows."""
    model.fit(x, y, batch_size=len(y), epochs=epochs, shuffle=False, verbose=0)


def steps(model, x, y, count=3):
    """Train a compiled plain model with so many updates over all rows, and no end of training."""
    for _ in range(count):
        model.train_on_batch(x, y)


def updates(net, x, y, algo, count=3, jit=False, **keywords):
    """Train a network with so many updates over all rows, and leave before it restores the best.

    A caller who leaves early keeps the parameters of the moment.
    """
    run = net.itertrain(data(x, y), algo=algo, batch_size=len(y), jit=jit, **keywords)
    for _ in range(count):
        next(run)
    run.close()


def train(net, x, y, algo, count=3, jit=False, **keywords):
    """Train a network to the end, with so many updates over all rows."""
    net.train(data(x, y), algo=algo, batch_size=len(y), epochs=count, jit=jit, **keywords)


def data(x, y):
    """Return inputs and targets as a network takes them: one flat list."""
    return [*x, y] if isinstance(x, list) else [x, y]


def assert_same_weights(model, net, what='weights', **tolerance):
    """Assert that a plain model and a network have equal weights, those not trained included."""
    for plain, own in zip(model.weights, net.model.weights, strict=True):
        got, want = (keras.ops.convert_to_numpy(v.value) for v in (own, plain))
        if want.dtype.kind in 'fiub':
            named = f'{what}: {plain.path}'
            np.testing.assert_allclose(got, want, **{**CLOSE, **tolerance}, err_msg=named)


def assert_same_outputs(model, net, x):
    """Assert that a plain model and a network predict the same."""
    want = model.predict_on_batch(x)
    np.testing.assert_allclose(net.predict(x), want, **CLOSE, err_msg='predict')


def assert_same_loss(model, net, x, y):
    """Assert that a compiled plain model and a network evaluate to the same loss."""
    want = model.test_on_batch(x, y, return_dict=True)['loss']
    got = net.evaluate(data(x, y))['loss']
    np.testing.assert_allclose(got, want, **CLOSE, err_msg='evaluate')


def draws(model, x):
    """Return whether a model draws random numbers in training: whether two calls differ.

    Its weights are as before.
    """
    weights, outputs = model.get_weights(), []
    for _ in range(2):
        outputs.append(keras.ops.convert_to_numpy(model(x, training=True)))
        model.set_weights(weights)
    return not np.array_equal(*outputs)


def words(column):
    """Return words as a tensor of a column, which Keras takes where it takes no array of them."""
    import tensorflow as tf

    return tf.constant([[word] for word in column])
