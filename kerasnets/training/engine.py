"""The compiled engine: many training steps in one computation, and when it is used."""

from __future__ import annotations

import logging
from typing import Any

import keras
from keras.callbacks import Callback

from kerasnets.backend import for_xla
from kerasnets.devices import replicas
from kerasnets.errors import ConfigurationError
from kerasnets.training import cost_model

log = logging.getLogger(__name__)

#: Steps that one call makes, at most, where nobody watches the steps.
STEPS = 32


def choose(
    models: Any, source: Any, settings: Any, callbacks: Any = (), curved: bool = False
) -> Any:
    """Settings for `Views.compile`.

    The choice follows from what is asked for, never from a clock: two runs with one seed give
    the same numbers to the last digit.

    Parameters
    ----------
    models : graph.models.Models
    source : data.Dataset
    settings : training.Settings
    callbacks : list of keras.callbacks.Callback
        Those of the user.
    curved : bool
        Whether the optimizer looks at the curvature.

    Raises
    ------
    ConfigurationError
        If it is to be compiled on a backend that cannot.
    """
    backend = keras.backend.backend()
    if backend == 'torch' and settings.jit is True:
        raise ConfigurationError(
            'jit=True: expected Keras on TensorFlow or JAX, got PyTorch, which does not compile '
            'these models. Leave out jit.'
        )
    if backend != 'tensorflow':
        return {'jit_compile': settings.jit}
    one = settings.max_updates is not None or any(map(_watches_steps, callbacks))
    if one or replicas() > 1:  # TensorFlow cannot make several steps at once on several devices
        return {'jit_compile': settings.jit, 'steps_per_execution': 1}
    if source.block and not curved and cost_model.compiles(models, source, settings):
        return {'jit_compile': False, 'block': (min(source.block, STEPS), source.batch_size)}
    return {'jit_compile': settings.jit, 'steps_per_execution': STEPS}


def _watches_steps(callback: Any) -> Any:
    """Whether a callback does anything at a step, not only at epochs."""
    return any(
        getattr(getattr(callback, name), '__func__', None) is not getattr(Callback, name)
        for name in ('on_batch_begin', 'on_batch_end', 'on_train_batch_begin', 'on_train_batch_end')
    )


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

    def __init__(self, objective: Any, batches: Any, rows: Any, plain: Any) -> None:
        import tensorflow as tf

        self.objective = objective
        self.batches, self.rows = batches, rows
        self.plain = plain
        self.source = iter(())
        self.refused: bool | None = None  # not known before the first call
        self.shape: list[Any] | None = None
        self.many = tf.function(self._many, jit_compile=True, autograph=False)

    def __call__(self, iterator: Any) -> Any:
        import tensorflow as tf

        logs: Any = None
        blocks: Any = next(self.source)
        for block, rows in blocks:
            logs = self._train(tuple(map(tf.convert_to_tensor, block)), rows)
        return logs

    def _train(self, block: Any, rows: Any) -> Any:
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

    def _takes(self, block: Any, rows: Any) -> Any:
        """Whether the block is like the first, for XLA compiles anew for each shape."""
        shape = [rows, *(part.shape[1:] for part in block)]
        self.shape = self.shape or shape
        return not self.refused and shape == self.shape

    def _filled(self, block: Any) -> Any:
        """The block with as many rows as any: XLA compiles anew for each number of them."""
        import tensorflow as tf

        missing = self.rows * self.batches - len(block[0])
        if not missing:
            return block
        return tuple(tf.pad(part, [[0, missing]] + [[0, 0]] * (part.ndim - 1)) for part in block)

    def _many(self, block: Any, count: Any) -> Any:
        import tensorflow as tf

        def step(i: Any) -> Any:
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
