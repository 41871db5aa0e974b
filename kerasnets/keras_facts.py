"""Undocumented behaviour of Keras and TensorFlow that kerasnets relies on.

Each fact is a function or a constant here, and has a test in `tests/test_keras_facts.py` that
fails when a release of Keras or TensorFlow changes it.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import functools
import itertools
import logging
import math
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from kerasnets.typing import (
        KerasLayer,
        KerasModel,
        KerasOptimizer,
        Tensor,
        TensorFunction,
        Tensors,
        Variable,
    )

#: Attributes in which PyTorch's modules, as Keras' layers are there, repeat Keras' attributes.
TORCH_BOOKKEEPING = '_parameters _modules _buffers _non_persistent_buffers_set training'.split()

#: Attributes of layers, variables and optimizers that Keras keeps for itself. No layer computes
#: anything with them: names, trackers, shapes of the first call, initial values.
BOOKKEEPING = re.compile(
    '|'.join(
        """
    _tracker _tracked _lock _auto_config _distribution_strategy _path _parent_path _name name
    _inbound_nodes _outbound_nodes _losses _loss_ids _losses_override _called built build quantize
    _saved_model_inputs_spec _saved_model_arg_spec _build_shapes_dict _input_spec input_spec
    _call_signature call_signature_parameters _call_has_training_arg _call_has_mask_arg
    _call_context_args _call_has_context_arg _trainable_variables _non_trainable_variables _layers
    _metrics _seed_generators _initializer _value _shape _ndim _trainable_variables_indices
    _variables _iterations _learning_rate _initial_seed _init_seed _backend seed seed_generator
    _expected_batch_size _config quantization_config _exclude_from_weight_decay_cache
    _self_.* .*_initializer
    """.split()
        + TORCH_BOOKKEEPING * (keras.backend.backend() == 'torch')
    )
)

#: Layers whose symbolic output is their input, so that a model runs without them.
LEFT_OUT = (keras.layers.Equalization,)

_seeding = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int | None = None) -> Iterator[None]:
    """Let Keras draw its default seeds from `seed`, and leave Python's generator unchanged.

    Keras takes the seed of a layer or an initializer without one from the module `random`. One
    thread at a time uses it here.
    """
    with _seeding:
        state = random.getstate()
        if seed is not None:
            random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)


_names: collections.defaultdict[str, int] = collections.defaultdict(int)


def share_names() -> None:
    """Let Keras count the names of this thread's operations together with those of the others.

    Each thread has its own count, and a model refuses operations of one name that two threads
    made.
    """
    from keras.src.backend.common import global_state

    own = global_state.get_global_attribute('object_name_uids') or {}
    if own is not _names:
        for name, count in own.items():
            _names[name] = max(count, _names.get(name, 0))
        global_state.set_global_attribute('object_name_uids', _names)


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep Keras from importing TensorFlow on other backends, only to compare types.

    Its `serialize_keras_object`, which most `get_config` call, asks if a value is a shape of
    TensorFlow. No value is one before TensorFlow is imported, which takes seconds.
    """
    from keras.src.utils.module_utils import tensorflow

    if 'tensorflow' in sys.modules or tensorflow._available is not None:
        yield
        return
    tensorflow._available = False
    try:
        yield
    finally:
        tensorflow._available = None


def fit(model: KerasModel, step: Callable[[], dict[str, float]], epochs: range) -> None:
    """Run ``model.fit``, with `step` doing the work of each epoch.

    Keras calls `train_function` if the model has one, instead of making it; on JAX with the
    values of all variables, which it has taken out of them.

    Parameters
    ----------
    model : keras.Model
        Compiled with an optimizer.
    step : callable
        Trains for one epoch of ``fit`` and returns its logs. It reads and assigns variables, and
        may set ``model.stop_training``.
    epochs : range
    """
    if keras.backend.backend() == 'jax':

        def train(state: Any, iterator: Any) -> Any:
            for variable, value in zip(_flat(trainer_state(model)), _flat(state)):
                variable.assign(value)
            model._jax_state_synced = True  # so that callbacks do not assign earlier values
            logs = step()
            return logs, tuple([v.value for v in part] for part in trainer_state(model))
    else:

        def train(iterator: Any) -> Any:  # type: ignore[misc]
            return step()

    model.train_function = train
    try:
        model.fit(
            _ticks(),
            steps_per_epoch=1,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            verbose=0,
            shuffle=False,
        )
    finally:
        model.train_function = None


def draw_under_xla(kind: str, shape: Any, seeds: Any, dtype: str) -> Tensor:
    """Draw the numbers under XLA that ``keras.random`` draws without it on TensorFlow.

    Both have the same random integers (philox), but XLA makes other floats of them. So float32
    is computed here as TensorFlow does outside of XLA. Other dtypes have other numbers.

    Parameters
    ----------
    kind : str
        'uniform' or 'normal'.
    shape : tuple of int
    seeds : keras.random.SeedGenerator
    dtype : str
    """
    import tensorflow as tf

    seed = tf.cast(tf.math.floormod(seeds.next(), tf.int32.max - 1), 'int32')  # as Keras does
    if dtype != 'float32':
        return getattr(tf.random, f'stateless_{kind}')(shape, seed, dtype=dtype, alg='philox')
    size = math.prod(shape)
    pairs = [(size + 1) // 2, 2]
    bits = tf.random.stateless_uniform(pairs, seed, None, None, 'uint32', alg='philox')
    mantissa = tf.bitwise.bitwise_or(bits & 0x7FFFFF, tf.constant(0x3F800000, 'uint32'))
    drawn = tf.bitcast(mantissa, 'float32') - 1
    if kind == 'normal':  # by Box and Muller (1958)
        radius = tf.sqrt(-2 * tf.math.log(tf.maximum(drawn[:, :1], 1e-7)))
        angle = 2 * math.pi * drawn[:, 1:]
        drawn = radius * tf.concat([tf.sin(angle), tf.cos(angle)], 1)
    return tf.reshape(tf.reshape(drawn, [-1])[:size], shape)


class _Nothing:
    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


def without_loss_mean(model: KerasModel) -> None:
    """Remove the mean of the losses, which Keras updates in each step, from a compiled model.

    The model's property `metrics` must return its own metrics only.
    """
    model._loss_tracker = _Nothing()


def trainer_state(model: KerasModel) -> Tensors:
    """Return the variables whose values JAX's trainer passes around, in its order."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def _flat(parts: Any) -> list[Any]:
    return [item for part in parts for item in part]


def _ticks() -> Any:
    """Return data without end for ``fit``, of which nothing is read."""
    if keras.backend.backend() == 'tensorflow':
        return _tensorflow_ticks()
    return ((tick,) for tick in itertools.count())


@functools.cache
def _tensorflow_ticks() -> Any:
    import tensorflow as tf

    return tf.data.Dataset.range(1).repeat()


def takes_values() -> bool:
    """Return True if ``fit`` takes the values out of the variables while it runs."""
    return keras.backend.backend() == 'jax'


def are_taken(variables: list[Any]) -> bool:
    """Return True if a failed ``fit`` has left variables without values."""
    return any(variable._value is None for variable in variables)


def build_loss(model: KerasModel, target: Tensor) -> None:
    """Build the loss of a compiled model from a symbolic target.

    On JAX and PyTorch, ``fit`` builds a missing loss from its data, and ours gets no data.
    """

    class Loss(keras.layers.Layer):
        def call(self, y: Tensor, y_pred: Tensor) -> Tensors:
            return model.compute_loss(y=y, y_pred=y_pred)

    Loss().compute_output_spec(target, model.outputs[0])


def parts(layer: KerasLayer) -> list[Any]:
    """Return a layer and all layers that it is made of, cells and wrapped layers included."""
    return list(layer._flatten_layers())


def calls(model: KerasModel) -> list[tuple[Any, list[Any], list[Any]]]:
    """Return the layer, the symbolic inputs and outputs of each call of a layer in a model."""
    levels = getattr(getattr(model, '_functional', None) or model, '_nodes_by_depth', {})
    nodes = [node for depth in sorted(levels, reverse=True) for node in levels[depth]]
    return [(node.operation, node.input_tensors, node.output_tensors) for node in nodes]


def needs_fixed_steps(layer: KerasLayer) -> bool:
    """Return True if a layer takes the number of examples for that of steps where both are open."""
    tensorflow = keras.backend.backend() == 'tensorflow'
    return tensorflow and isinstance(layer, keras.layers.TimeDistributed)


def clear_losses(model: KerasModel) -> None:
    """Forget the losses that layers added in the last call, which keep the graph of it alive."""
    model._clear_losses()


@contextlib.contextmanager
def without_losses(model: KerasModel) -> Iterator[None]:
    """Forget the losses that the layers of a model add within the context.

    A layer that runs a model again, as for its gradient, would add them once more.
    """
    from keras.src.backend.common import stateless_scope

    layers, scope = parts(model), stateless_scope.get_stateless_scope()
    held = [layer._losses for layer in layers] + ([scope.losses] if scope is not None else [])
    counts = list(map(len, held))
    try:
        yield
    finally:
        for losses, count in zip(held, counts):
            for layer in layers:
                layer._loss_ids.difference_update(map(id, losses[count:]))
            del losses[count:]


def trained_by(optimizer: KerasOptimizer) -> list[Any]:
    """Return the variables that an optimizer was built for, in the order of its own state."""
    return list(optimizer._trainable_variables)


def state_index(optimizer: KerasOptimizer, variable: Variable) -> int:
    """Return the place of a model's variable among those of an optimizer."""
    return optimizer._get_variable_index(variable)


def assign(variable: Variable, value: Tensor) -> None:
    """Set a variable to a tensor of its shape and dtype, without checks on TensorFlow."""
    if keras.backend.backend() == 'tensorflow':
        variable.value.assign(value, read_value=False)
    else:
        variable.assign(value)


def call(function: Any, tensors: list[Any]) -> Tensors:
    """Call a concrete function of TensorFlow whose arguments are tensors, one after the other.

    This leaves out the binding of arguments, which takes as long as a small function.
    """
    return function._call_flat(tensors, function.captured_inputs)


def tensor(variable: Variable) -> Tensor:
    """Return the value of a variable as a tensor that later assignments do not change."""
    value = variable.value
    return value.read_value() if keras.backend.backend() == 'tensorflow' else value


# Gradients of traced functions

_traced_gradients: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    'traced_gradients', default=None
)


class _Gradients(dict[str, Any]):
    """TensorFlow's registry of gradients; notes what is added in `releasing_gradients`."""

    def __setitem__(self, name: str, gradient: TensorFunction) -> None:
        super().__setitem__(name, gradient)
        names = _traced_gradients.get()
        if names is not None and name.startswith('CustomGradient-'):
            names.append(name)


@contextlib.contextmanager
def releasing_gradients() -> Iterator[None]:
    """Forget the gradients that TensorFlow registers while a function is traced, at its end.

    TensorFlow registers a gradient for each call of ``custom_gradient`` in a graph, for good, and
    the graph with it; optimizers of Keras make such calls. Whatever is differentiated must be
    differentiated within the context.
    """
    if keras.backend.backend() != 'tensorflow':
        yield
        return
    registry = gradient_registry()
    names: list[str] = []
    token = _traced_gradients.set(names)
    try:
        yield
    finally:
        _traced_gradients.reset(token)
        for name in names:
            registry.pop(name, None)


def gradient_registry() -> dict[str, Any]:
    """Return TensorFlow's gradients by name."""
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry
    if not isinstance(registry._registry, _Gradients):
        registry._registry = _Gradients(registry._registry)
    return registry._registry


# What TensorFlow keeps


def forget_kernels() -> None:
    """Drop TensorFlow's cache of kernels, which holds those of functions that are gone."""
    if keras.backend.backend() == 'tensorflow':
        from tensorflow.python.eager import context

        context.context().clear_kernel_cache()


# What TensorFlow logs


def expect_retracing() -> None:
    """Keep TensorFlow from warning that functions of ours are traced for each structure."""
    logging.getLogger('tensorflow').addFilter(_is_unexpected)


def _is_unexpected(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    ours = any(name in text for name in ('kerasnets', 'Program._compute', 'compiled.<locals>'))
    return not (ours and 'triggered tf.function retracing' in text)


def load_model(file: IO[bytes]) -> Any:
    """Return the model of a .keras archive that is an open file.

    `keras.saving.load_model` takes paths alone, but the function that it calls takes open files.
    """
    from keras.src.saving import saving_lib

    return saving_lib.load_model(file)
