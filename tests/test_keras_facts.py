"""What kerasnets relies on in Keras and TensorFlow without their documentation saying so.

A test that fails here names what a new release has changed.
"""

import gc
import io
import itertools
import random
import threading
import weakref

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import backend, keras_facts
from kerasnets.errors import ConfigurationError
from kerasnets.programs.key import telling

BACKEND = keras.backend.backend()
X, Y = np.random.default_rng(1).normal(size=(8, 3)).astype('f'), np.ones((8, 2), 'f')
not_torch = pytest.mark.skipif(BACKEND == 'torch', reason='programs do not run on PyTorch')
tensorflow_only = pytest.mark.skipif(BACKEND != 'tensorflow', reason='of TensorFlow')


def small(**options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, **options)])
    model.compile(keras.optimizers.SGD(0.1), 'mse')
    model.optimizer.build(model.trainable_variables)
    return model


@not_torch
def test_a_layer_has_no_attributes_but_bookkeeping_and_known_ones():
    """A new attribute decides what a layer computes, or belongs into BOOKKEEPING."""
    layer = keras.layers.Layer()
    layer.build((None, 3))
    known = {
        'activity_regularizer', 'autocast', 'supports_jit', '_dtype_policy', '_trainable',
        '_supports_masking', '_convert_input_args', '_allow_non_tensor_positional_args',
        '_remat_mode',
    }  # fmt: skip
    assert set(telling(layer)) == known


def test_a_variable_has_no_attributes_but_bookkeeping_and_known_ones():
    known = {
        '_aggregation', '_autocast', '_constraint', '_dtype', '_layout',
        '_overwrite_with_gradient', '_regularizer', '_synchronization', '_trainable',
    }  # fmt: skip
    assert set(telling(keras.Variable(np.zeros(2, 'f')))) == known


def test_an_optimizer_has_no_attributes_but_bookkeeping_and_known_ones():
    known = {
        'weight_decay', 'clipnorm', 'global_clipnorm', 'clipvalue', 'use_ema', 'ema_momentum',
        'ema_overwrite_frequency', 'loss_scale_factor', 'gradient_accumulation_steps',
        'momentum', 'nesterov', 'momentums',
    }  # fmt: skip
    assert set(telling(small().optimizer)) <= known


def test_keras_draws_its_default_seeds_from_the_module_random():
    def seeds():
        with keras_facts.seeded(7):
            layers = [keras.layers.Dropout(0.5) for _ in range(2)]
            return [
                keras.ops.convert_to_numpy(layer.seed_generator.state).tolist() for layer in layers
            ]

    state = random.getstate()
    assert seeds() == seeds()
    assert random.getstate() == state


def test_two_threads_do_not_share_a_seed():
    found = {}

    def draw(seed):
        with keras_facts.seeded(seed):
            found[seed] = [random.random() for _ in range(1000)]

    threads = [threading.Thread(target=draw, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, drawn in found.items():
        draw(seed)
        assert found[seed] == drawn


def test_operations_of_two_threads_can_be_in_one_model():
    keras_facts.share_names()
    entry = keras.Input((3,))
    outputs = [entry * 2]

    def add():
        keras_facts.share_names()
        outputs.append(outputs[0] * 3)

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    assert keras.Model(entry, outputs[1])(np.ones((1, 3), 'f')).shape == (1, 3)


@not_torch
def test_fit_calls_a_train_function_that_is_there():
    model, values = small(), []
    if BACKEND == 'jax':
        keras_facts.build_loss(model, keras.KerasTensor((None, 2)))

    def step():
        kernel = model.trainable_variables[0]
        values.append(keras.ops.convert_to_numpy(kernel).copy())
        kernel.assign(kernel + 1)
        return {'loss': 2.0, 'err': 1.0}

    keras_facts.fit(model, step, range(3, 6))
    assert model.history.epoch == [3, 4, 5]
    assert model.history.history == {'loss': [2.0] * 3, 'err': [1.0] * 3}
    for before, after in itertools.pairwise(values):
        np.testing.assert_allclose(after, before + 1)
    last = keras.ops.convert_to_numpy(model.trainable_variables[0])
    np.testing.assert_allclose(last, values[-1] + 1)
    model.fit(X, Y, verbose=0)  # as ever


@not_torch
def test_a_train_function_that_is_there_stops_training():
    model, calls = small(), []
    if BACKEND == 'jax':
        keras_facts.build_loss(model, keras.KerasTensor((None, 2)))

    def step():
        calls.append(1)
        model.stop_training = len(calls) == 2
        return {'loss': 1.0}

    keras_facts.fit(model, step, range(9))
    assert len(calls) == 2


@not_torch
def test_an_error_of_a_train_function_leaves_the_values_of_that_moment():
    model, calls = small(), []
    if BACKEND == 'jax':
        keras_facts.build_loss(model, keras.KerasTensor((None, 2)))

    def step():
        calls.append(1)
        kernel = model.trainable_variables[0]
        kernel.assign(np.full((3, 2), len(calls), 'f'))
        if len(calls) == 3:
            raise RuntimeError
        return {'loss': 1.0}

    with pytest.raises(RuntimeError):
        keras_facts.fit(model, step, range(9))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.trainable_variables[0]), 3)


def test_losses_that_layers_add_are_forgotten_within_a_context():
    class Again(keras.layers.Layer):
        """Runs a model twice; the losses of one call count."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def call(self, x):
            with keras_facts.without_losses(self.model):
                self.model(x + 1)
            return self.model(x)

    inner = keras.Sequential([keras.Input((3,)), keras.layers.ActivityRegularization(l2=0.5)])
    model = keras.Sequential([keras.Input((3,)), Again(inner)])
    model(X)
    (loss,) = model.losses
    assert float(loss) == pytest.approx(0.5 * float((X**2).sum()) / len(X), rel=1e-5)


def test_values_are_taken_out_of_variables_by_fit_on_jax_alone():
    model, taken = small(), []
    variables = model.trainable_variables
    see = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: taken.append(keras_facts.are_taken(variables))
    )
    model.fit(X, Y, callbacks=[see], verbose=0)
    assert taken == [keras_facts.takes_values()]
    assert not keras_facts.are_taken(variables)


def test_an_optimizer_knows_the_variables_it_was_built_for():
    model = small()
    variables = model.trainable_variables
    assert [id(v) for v in keras_facts.trained_by(model.optimizer)] == list(map(id, variables))
    assert [keras_facts.state_index(model.optimizer, v) for v in variables] == [0, 1]


@not_torch
def test_assigning_without_checks():
    variable = keras.Variable(np.zeros(3, 'f'))
    before = keras_facts.tensor(variable)
    keras_facts.assign(variable, keras.ops.convert_to_tensor(np.ones(3, 'f')))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), 1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(before), 0)


def test_parts_of_a_layer_are_its_cells_and_wrapped_layers():
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2))
    layer.build((None, 4, 3))
    names = {type(part).__name__ for part in keras_facts.parts(layer)}
    assert names == {'Bidirectional', 'LSTM', 'LSTMCell'}


def test_calls_of_the_layers_of_a_model():
    layer, source = keras.layers.Dense(3), keras.Input((3,))
    model = keras.Model(source, layer(layer(source)))
    shown = [
        (one.name, len(inputs), outputs[0].shape)
        for one, inputs, outputs in keras_facts.calls(model)
    ]
    entry = model.layers[0].name
    assert shown == [(entry, 0, (None, 3)), (layer.name, 1, (None, 3)), (layer.name, 1, (None, 3))]
    chain = keras.Sequential([keras.Input((3,)), layer, keras.layers.ReLU()])
    assert [one for one, *_ in keras_facts.calls(chain)][1:] == chain.layers
    assert keras_facts.calls(layer) == []


@pytest.mark.filterwarnings('ignore:Tensor.T')  # of Keras on PyTorch
def test_a_model_runs_without_an_equalization():
    (kind,) = keras_facts.LEFT_OUT
    images = np.random.default_rng(1).uniform(0, 200, (2, 4, 4, 3)).astype('f')
    assert not np.array_equal(kind()(images, training=True), images)
    model = keras.Sequential([keras.Input((4, 4, 3)), kind(), keras.layers.Flatten()])
    assert np.array_equal(model(images, training=True), images.reshape(2, -1))
    with pytest.raises(ConfigurationError, match='got Equalization, which it leaves out'):
        kerasnets.Classifier([(4, 4, 3), kind(), 'flat', 2])
    with pytest.raises(ConfigurationError, match='got Equalization, which it leaves out'):
        kerasnets.Classifier.from_keras(model)


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='traces for any shape')
def test_steps_are_mistaken_for_examples_where_both_vary():
    import tensorflow as tf

    def layer():
        return keras.layers.TimeDistributed(keras.layers.Dense(2))

    steps = np.ones((3, 7, 4), 'f')
    anything = tf.function(layer(), input_signature=[tf.TensorSpec((None, None, 4))])
    assert anything(steps).shape == (3, 3, 2)
    with pytest.raises(ConfigurationError, match='a fixed number of steps for TimeDistributed'):
        kerasnets.recurrent.Classifier([4, layer(), 2])
    net = kerasnets.recurrent.Classifier([(7, 4), layer(), 2])
    np.testing.assert_allclose(net.predict_proba(steps), net.model(steps), atol=1e-6)


def test_losses_that_layers_added_can_be_forgotten():
    model = small(activity_regularizer='l2')
    model(X)
    assert model.losses
    keras_facts.clear_losses(model)
    assert not model.losses


@tensorflow_only
def test_a_traced_gradient_is_forgotten_and_the_graph_with_it():
    import tensorflow as tf

    @tf.custom_gradient
    def double(x):
        return 2 * x, lambda upstream: 5 * upstream

    def gradient(x):
        with keras_facts.releasing_gradients(), tf.GradientTape() as tape:
            tape.watch(x)
            y = double(x)
            return tape.gradient(y, x)

    before = set(keras_facts.gradient_registry())
    function = tf.function(gradient)
    assert float(function(tf.constant(1.0))) == 5
    assert set(keras_facts.gradient_registry()) == before
    assert float(function(tf.constant(3.0))) == 5
    graph = weakref.ref(function.get_concrete_function(tf.TensorSpec((), 'float32')).graph)
    del function
    gc.collect()
    assert graph() is None


@tensorflow_only
def test_tensorflow_warns_of_retracing_but_not_of_ours(caplog):
    import tensorflow as tf

    def theirs(size):
        tf.function(lambda x: x + size)(np.ones(size))

    def ours(size):
        stream = kerasnets.recurrent.Classifier([4, (size, 'rnn'), 2]).stream()
        stream.predict(np.ones((1, size, 4)))

    for use, warns in ((ours, False), (theirs, True)):
        for size in range(20, 28):
            use(size)
        assert ('triggered tf.function retracing' in caplog.text) == warns


@tensorflow_only
def test_the_cache_of_kernels_can_be_dropped():
    import tensorflow as tf

    function = tf.function(lambda x: x + 1)
    assert float(function(tf.constant(1.0))) == 2
    keras_facts.forget_kernels()
    assert float(function(tf.constant(2.0))) == 3


@tensorflow_only
def test_a_concrete_function_can_be_called_with_flat_tensors():
    import tensorflow as tf

    held = tf.Variable(2.0)
    function = tf.function(lambda x, y: (x * held, [y, x + y]))
    tensors = [tf.constant(3.0), tf.constant(4.0)]
    concrete = function.get_concrete_function(*(tf.TensorSpec((), 'float32') for _ in tensors))
    first, (second, third) = keras_facts.call(concrete, tensors)
    assert [float(first), float(second), float(third)] == [6, 4, 7]


def test_an_archive_in_memory_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / 'model.keras')
    loaded = keras_facts.load_model(io.BytesIO((tmp_path / 'model.keras').read_bytes()))
    np.testing.assert_array_equal(loaded.layers[0].kernel, model.layers[0].kernel)


class Bare(keras.Model):
    """A model with metrics of its own alone."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.own = keras.metrics.Mean(name='own')

    @property
    def metrics(self):
        return [self.own]

    def call(self, x):
        return self.dense(x)


def test_a_model_without_the_mean_of_its_losses_trains_as_one_with_it():
    plain, bare = small(), Bare()
    bare.compile(keras.optimizers.SGD(0.1), 'mse')
    keras_facts.without_loss_mean(bare)
    bare(X)
    bare.set_weights(plain.get_weights())
    for model in (plain, bare):
        model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(plain.get_weights(), bare.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@tensorflow_only
@pytest.mark.parametrize('shape', [(8,), (5,), (1,), (3, 7), (40, 11, 9)])
@pytest.mark.parametrize('kind', ['uniform', 'normal'])
def test_xla_draws_the_numbers_of_keras(kind, shape):
    import tensorflow as tf

    expected = getattr(keras.random, kind)(shape, seed=keras.random.SeedGenerator(5))
    seeds, zeros = keras.random.SeedGenerator(5), np.zeros(shape, 'f')

    @tf.function(jit_compile=True, autograph=False)
    def draw():
        with backend.for_xla():
            if kind == 'normal':
                return backend.noisy(tf.constant(zeros), 1.0, seeds)
            return backend.omitted(tf.constant(zeros + 1), 0.3, seeds)

    if kind == 'uniform':
        expected = np.where(expected >= 0.3, 1 / (1 - 0.3), 0)
    np.testing.assert_allclose(draw(), expected, rtol=1e-5, atol=1e-6)
