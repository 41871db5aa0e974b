"""Functions of tensors compiled by whichever backend Keras runs on."""

import contextlib
import contextvars
import logging

import keras

from kerasnets.errors import ConfigurationError

log = logging.getLogger(__name__)

_under_xla = contextvars.ContextVar('under_xla', default=False)


def under_xla():
    """Whether XLA compiles what runs now, a training step and all around it."""
    return keras.backend.backend() == 'jax' or _under_xla.get()


@contextlib.contextmanager
def for_xla():
    """What is traced here will be compiled by XLA, whichever the backend."""
    token = _under_xla.set(True)
    try:
        yield
    finally:
        _under_xla.reset(token)


def replicas():
    """Devices that share each batch, by a strategy of TensorFlow whose scope this is."""
    if keras.backend.backend() != 'tensorflow':
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def total(value):
    """The sum of a value over the devices that share a batch, of which there are several."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


class Blocks:
    """Training steps on TensorFlow, many batches in one computation that XLA compiles.

    It has the place of Keras' ``train_function``. The iterator that it is called with, of as many
    numbers as there are calls, is left alone: the rows come from `source`. It makes a step for
    each batch of them, and returns the metrics.
    The rows after the last whole batch are left to Keras' own function, and so are batches of
    another shape than the first, and all once XLA has refused.

    Parameters
    ----------
    objective : keras.Model
    batches : int
        Batches in a block, at most.
    rows : int
        Examples in a batch.
    plain : callable
        The ``train_function`` that Keras made.

    Attributes
    ----------
    source : iterator
        Of an epoch, each item a list of blocks: a tuple of numpy arrays, and the rows of a batch.
    shape : list or None
        What all batches are like: that of the first.
    """

    def __init__(self, objective, batches, rows, plain):
        import tensorflow as tf

        self.objective = objective
        self.batches, self.rows = batches, rows
        self.plain = plain
        self.source = iter(())
        self.refused = None  # not known before the first call
        self.shape = None
        self.many = tf.function(self._many, jit_compile=True, autograph=False)

    def __call__(self, iterator):
        import tensorflow as tf

        for block, rows in next(self.source):
            logs = self._train(tuple(map(tf.convert_to_tensor, block)), rows)
        return logs

    def _train(self, block, rows):
        import tensorflow as tf

        count = len(block[0]) // rows if self._takes(block, rows) else 0
        if count:
            try:
                logs = self.many(self._filled(block), tf.constant(count))
                self.refused = False
            except tf.errors.OpError as error:
                if self.refused is False:
                    raise
                log.warning('XLA does not compile this training: %s', error.message)
                self.refused, count = True, 0
        for start in range(count * rows, len(block[0]), rows):
            logs = self.plain([(tuple(part[start : start + rows] for part in block),)])
        return logs

    def _takes(self, block, rows):
        """Whether the block is like the first, for XLA compiles anew for each shape."""
        shape = [rows, *(part.shape[1:] for part in block)]
        self.shape = self.shape or shape
        return not self.refused and shape == self.shape

    def _filled(self, block):
        """The block with as many rows as any: XLA compiles anew for each number of them."""
        import tensorflow as tf

        missing = self.rows * self.batches - len(block[0])
        if not missing:
            return block
        return tuple(tf.pad(part, [[0, missing]] + [[0, 0]] * (part.ndim - 1)) for part in block)

    def _many(self, block, count):
        import tensorflow as tf

        def step(i):
            batch = tuple(
                tf.slice(
                    part, [i * self.rows] + [0] * (part.ndim - 1), [self.rows, *part.shape[1:]]
                )
                for part in block
            )
            self.objective.train_step((batch,))
            return i + 1

        with for_xla():
            tf.while_loop(lambda i: i < count, step, [0])
        return self.objective.get_metrics_result()


def compiled(function, variables, signature=None, xla=True):
    """Compile a function written in `keras.ops`.

    Parameters
    ----------
    function : callable
        Of arrays or tensors, nested in lists as need be.
    variables : list of keras.Variable
        All that the function reads. It sees their values at each call.
    signature : list of KerasTensor, optional
        Shapes and dtypes of the arguments, with None for any length. With it TensorFlow
        traces the function once for all lengths.
    xla : bool
        Whether TensorFlow compiles with XLA; JAX always does.

    Returns
    -------
    callable
    """
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        function = tf.function(function, jit_compile=xla, autograph=False)
        if signature is None:
            return function
        traced = function.get_concrete_function(
            *(tf.TensorSpec(tuple(t.shape), t.dtype) for t in signature)
        )
        return lambda *args: traced(*map(tf.convert_to_tensor, args))
    if backend == 'jax':
        import jax

        def pure(values, *args):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return function(*args)

        pure = jax.jit(pure)
        return lambda *args: pure([v.value for v in variables], *args)
    if backend == 'torch':
        import torch

        def without_gradients(*args):
            with torch.no_grad():
                return function(*keras.tree.map_structure(keras.ops.convert_to_tensor, args))

        return without_gradients
    return function


def gradients(function, variables):
    """The gradients of a scalar function of nothing by variables that it reads: a list."""
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        with tf.GradientTape() as tape:
            y = function()
        found = tape.gradient(y, [v.value for v in variables])
        zeros = keras.ops.zeros_like
        return [
            zeros(v) if g is None else tf.convert_to_tensor(g) for v, g in zip(variables, found)
        ]
    if backend == 'jax':
        import jax

        def pure(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return function()

        return jax.grad(pure)([v.value for v in variables])
    if backend == 'torch':
        import torch

        values = [v.value for v in variables]
        with torch.enable_grad():
            found = torch.autograd.grad(function(), values, allow_unused=True, retain_graph=True)
        return [torch.zeros_like(v) if g is None else g for v, g in zip(values, found)]
    raise ConfigurationError(
        f'gradients are not to be watched on {backend}. Leave out monitor_gradients.'
    )


def squared_jacobian(function, x):
    """The mean over examples of the squared derivatives of a function of a batch, Σ (∂h/∂x)².

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
            f'contractive penalties are not to be had on {backend}. Leave out contractive.'
        )
    total = keras.ops.sum(keras.ops.square(jacobian))
    return total / keras.ops.cast(keras.ops.shape(x)[0], total.dtype)
