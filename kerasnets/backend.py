"""Compilation and gradients on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets import keras_facts
from kerasnets.errors import ConfigurationError
from kerasnets.typing import Shape, Tensor, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import Array, Variable

_under_xla = contextvars.ContextVar('under_xla', default=False)


def under_xla() -> bool:
    """Return True if the code that runs now is compiled by XLA."""
    return keras.backend.backend() == 'jax' or _under_xla.get()


def has_gpu() -> bool:
    """Return True if TensorFlow sees a GPU; without one, Keras does not use XLA by default."""
    if keras.backend.backend() != 'tensorflow':
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices('GPU'))


def is_distributed() -> bool:
    """Return True if a TensorFlow strategy or a Keras distribution shares the batches."""
    if keras.backend.backend() != 'tensorflow':
        return keras.distribution.distribution() is not None
    import tensorflow as tf

    return bool(tf.distribute.has_strategy())


@contextlib.contextmanager
def for_xla(compiled: bool = True) -> Iterator[Any]:
    """Mark what is traced in this context as compiled by XLA, or not."""
    token = _under_xla.set(compiled)
    try:
        yield
    finally:
        _under_xla.reset(token)


def compiled(
    function: Callable[..., Any],
    variables: Sequence[Variable],
    signature: Any = None,
    xla: bool = True,
    stored: int = 0,
) -> Any:
    """Compile a function written in `keras.ops`.

    Parameters
    ----------
    function : callable
        Of arrays or tensors, nested in lists as need be.
    variables : list of keras.Variable
        All that the function reads.
    signature : list of KerasTensor, optional
        Shapes and dtypes of the arguments, with None for any length. With it TensorFlow
        traces the function once for all lengths.
    xla : bool
        Whether TensorFlow compiles with XLA; JAX always does.
    stored : int
        Number of values, the first ones, that are always `value` of a Keras variable. With a
        signature, TensorFlow's program reads these itself: a read by Python takes 50 µs.

    Returns
    -------
    callable
        Of the values of the variables, a list, and the arguments. What the function changes in
        variables is lost.
    """
    backend = keras.backend.backend()

    def stateless(values: Tensors, *args: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values))):
            return function(*args)

    if backend == 'jax':
        import jax

        return jax.jit(stateless)
    if backend == 'torch':
        import torch

        def without_gradients(values: Tensors, *args: Any) -> Any:
            with torch.no_grad():
                tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, args)
                values = [keras.ops.convert_to_tensor(value).detach() for value in values]
                return stateless(values, *tensors)

        return without_gradients
    if backend != 'tensorflow':
        return stateless
    import tensorflow as tf

    keras_facts.expect_retracing()

    def scoped(*args: Any) -> Any:
        with tf.name_scope('network'):  # at the root, a layer's name may not begin with '_'
            return stateless(*args)

    if signature is None:
        traced = tf.function(scoped, jit_compile=xla, autograph=False)
        return lambda values, *args: traced([tf.convert_to_tensor(v) for v in values], *args)
    stored = 0 if is_distributed() else stored

    def reading(handles: Tensors, values: Tensors, *args: Any) -> Any:
        read = []
        for handle, variable in zip(handles, variables):
            read.append(tf.raw_ops.ReadVariableOp(resource=handle, dtype=variable.dtype))
            read[-1].set_shape(variable.shape)
        return scoped([*read, *values], *args)

    concrete = tf.function(reading, jit_compile=xla, autograph=False).get_concrete_function(
        [tf.TensorSpec([], tf.resource)] * stored,
        [tf.TensorSpec(v.shape, v.dtype) for v in variables[stored:]],
        *(tf.TensorSpec(tuple(t.shape), t.dtype) for t in signature),
    )
    return lambda values, *args: concrete(
        [value.handle for value in values[:stored]],
        [tf.convert_to_tensor(value) for value in values[stored:]],
        *map(tf.convert_to_tensor, args),
    )


def omitted(x: Tensor, rate: float | Tensor, seeds: Tensor) -> Tensor:
    """Return a tensor with dropout at a rate; the values that stay are scaled up. See `_drawn`."""
    drawn = _drawn('uniform', keras.ops.shape(x), seeds, x.dtype)
    return keras.ops.where(drawn >= rate, x / (1 - rate), keras.ops.zeros_like(x))


def noisy(x: Tensor, deviation: float | Tensor, seeds: Tensor) -> Tensor:
    """Return a tensor with normal noise added to it. See `_drawn`."""
    return x + deviation * _drawn('normal', keras.ops.shape(x), seeds, x.dtype)


def _drawn(kind: str, shape: Shape, seeds: Tensor, dtype: str) -> Tensor:
    """Draw 'uniform' or 'normal' numbers as keras.random does.

    Under XLA, TensorFlow's own choice of an algorithm is 50 times slower on a CPU.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    if keras.backend.backend() != 'tensorflow' or not under_xla():
        return getattr(keras.random, kind)(shape, dtype=dtype, seed=seeds)
    return keras_facts.draw_under_xla(kind, shape, seeds, dtype)


def gradients(function: Callable[..., Any], variables: Sequence[Variable]) -> list[Tensor]:
    """Return the gradients of a scalar function without arguments with respect to variables."""
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        values = [v.value for v in variables]  # tensors in a stateless scope
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = function()
        found = tape.gradient(y, values)
        zeros = keras.ops.zeros_like
        return [
            zeros(v) if g is None else tf.convert_to_tensor(g) for v, g in zip(variables, found)
        ]
    if backend == 'jax':
        import jax

        def pure(values: Tensors) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return function()

        return jax.grad(pure)([v.value for v in variables])
    if backend == 'torch':
        import torch

        values = [v.value for v in variables]
        with torch.enable_grad():
            found = torch.autograd.grad(function(), values, allow_unused=True, retain_graph=True)
        return [torch.zeros_like(v) if g is None else g for v, g in zip(values, found)]
    raise ConfigurationError(f'monitor_gradients is not supported on {backend}. Leave it out.')


class _Scalar(keras.Operation):
    """The identity. On PyTorch the result converts to float and numpy, as on other backends."""

    def call(self, x: Tensor) -> Tensor:
        """Return the tensor; on PyTorch as a subclass through which gradients still flow."""
        if keras.backend.backend() != 'torch':
            return x
        import torch

        class Scalar(torch.Tensor):
            def numpy(self, **_options: Any) -> Array:
                plain: Array = self.detach().cpu().as_subclass(torch.Tensor).numpy()
                return plain

            def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
                return np.array(self.numpy(), dtype, copy=copy)

            def __float__(self) -> float:
                return float(self.item())

            def __format__(self, spec: str) -> str:
                return format(self.item(), spec)

        return x.as_subclass(Scalar)

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return a symbolic tensor like the input."""
        return keras.KerasTensor(x.shape, x.dtype)


def readable(tensor: Tensor) -> Tensor:
    """Return a symbolic scalar whose values convert to float and numpy on every backend."""
    return _Scalar()(tensor) if keras.backend.backend() == 'torch' else tensor


def squared_jacobian(function: Callable[..., Any], x: Tensor) -> Tensor:
    """Return the mean over examples of the squared derivatives of a function, Σ (∂h/∂x)².

    Parameters
    ----------
    function : callable
        Written in `keras.ops`, of a tensor (examples, …); treats each example by itself.
    x : tensor (examples, …)
    """
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            h = function(x)
            h = tf.reshape(h, (tf.shape(h)[0], -1))
        jacobian = tape.batch_jacobian(h, x)
    elif backend == 'jax':
        import jax

        jacobian = jax.vmap(jax.jacrev(lambda one: function(one[None])[0]))(x)
    elif backend == 'torch':
        import torch

        jacobian = torch.func.vmap(torch.func.jacrev(lambda one: function(one[None])[0]))(x)
    else:
        raise ConfigurationError(
            f'contractive penalties are not supported on {backend}. Leave out contractive.'
        )
    total = keras.ops.sum(keras.ops.square(jacobian))
    return total / keras.ops.cast(keras.ops.shape(x)[0], total.dtype)


def values(variables: Sequence[Variable]) -> list[Array]:
    """Return copies of the values of Keras variables, as numpy arrays."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def restore(variables: Sequence[Variable], arrays: Any) -> None:
    """Set Keras variables from arrays."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def torch_graph(function: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
    """Trace a function of PyTorch's tensors as a graph of PyTorch's own operations.

    A function that reads the value of a tensor, such as ``if x[0] > 0``, cannot be traced. It is
    returned unchanged.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    try:
        graph = make_fx(function)(*args)
    except RuntimeError:  # such as an index that is read from a tensor
        return function
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph
