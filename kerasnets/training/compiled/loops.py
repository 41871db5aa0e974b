"""Loops over the steps of a block, as a backend compiles them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets import backend
from kerasnets.backend import for_xla
from kerasnets.data.blocks import EPOCHS


def build(objective: Any, model: Any, xla: bool, beginning: Any = None) -> Any:
    """The loops of an objective for the backend in use; the parameters are those of `Loop`."""
    loop: Any = TensorFlow if keras.backend.backend() == 'tensorflow' else Jax
    return loop(objective, model, xla, beginning)


def refusals() -> Any:
    """Exceptions by which a compiler refuses."""
    if keras.backend.backend() != 'tensorflow':
        return ()
    import tensorflow as tf

    return (tf.errors.OpError,)


def said(error: Any) -> str:
    """Return the message of the compiler."""
    return str(getattr(error, 'message', error))


def improves(loss: Any, best: Any, margin: Any) -> Any:
    """Whether a loss is better than the best by more than a part of it."""
    part = ops.where(ops.isfinite(best), ops.abs(best) * margin, 0.0)
    return best - loss > part


class Loop:
    """Common to the backends.

    Parameters
    ----------
    objective : Objective
    model : keras.Model
        Whose variables are kept after the best epoch.
    xla : bool
    beginning : list of array, optional
        Values of the metrics' variables at the start of an epoch. Default: they are reset.

    Attributes
    ----------
    ran : bool
        Whether anything has been computed.
    """

    #: Whether there is a loop that is not compiled for each shape of a batch anew.
    loose = False

    def __init__(self, objective: Any, model: Any, xla: bool, beginning: Any) -> None:
        self.objective, self.model, self.xla = objective, model, xla
        self.ran = False
        if beginning is None:
            objective.reset_metrics()
            beginning = backend.values(objective.metrics_variables)
        self.beginning = beginning

    def _quietly(self, step: Any, *args: Any) -> Any:
        """Run a step of the objective, without the results of its metrics."""
        self.objective.quiet = True
        try:
            return step(*args)
        finally:
            self.objective.quiet = False


class TensorFlow(Loop):
    """Loops that change the variables in place."""

    loose = True

    def __init__(self, objective: Any, model: Any, xla: bool, beginning: Any) -> None:
        import tensorflow as tf

        super().__init__(objective, model, xla, beginning)
        self.kept: list[Any] | None = None
        backend.expect_retracing()
        how = {'jit_compile': xla, 'autograph': False, 'reduce_retracing': not xla}
        self._train, self._test = (tf.function(f, **how) for f in (self._epochs, self._steps))

    def train(self, parts: Any, ends: Any, epochs: int, open: bool, steps: int, *best: Any) -> Any:
        """Run the epochs of a block: their logs, which were best, how many were run."""
        import tensorflow as tf

        if self.kept is None:
            self.kept = [tf.Variable(v.value, trainable=False) for v in self.model.weights]
        parts = tuple(map(tf.convert_to_tensor, parts))
        given = tf.constant(ends), tf.constant(epochs), tf.constant(bool(open))
        found = self._train(parts, *given, *map(tf.constant, best), steps=steps)
        self.ran = True
        return [value.numpy() for value in found]

    def test(self, parts: Any, count: int, steps: int) -> Any:
        """Evaluate so many of the batches: the monitors of all until now."""
        import tensorflow as tf

        parts = tuple(map(tf.convert_to_tensor, parts))
        return self._test(parts, tf.constant(count), steps=steps).numpy()

    def best(self) -> Any:
        """The values of the model's variables after the best epoch."""
        return [value.numpy() for value in self.kept or ()]

    def _epochs(
        self, parts: Any, ends: Any, epochs: Any, open: Any, best: Any, margin: Any, steps: int
    ) -> Any:
        import tensorflow as tf

        def epoch(e: Any, best: Any, logs: Any, flags: Any, going: Any) -> Any:
            self._over(parts, ends[e], ends[e + 1], steps, self.objective.train_step)
            ended = tf.logical_not(tf.logical_and(open, tf.equal(e, epochs - 1)))
            row = self._results()
            logs = tf.tensor_scatter_nd_update(logs, [[e]], [row])
            better = tf.logical_and(ended, improves(row[0], best, margin))
            for kept, variable in zip(self.kept or (), self.model.weights):
                kept.assign(tf.where(better, variable.value, kept))
            for start, variable in zip(self.beginning, self.objective.metrics_variables):
                variable.assign(tf.where(ended, start, variable.value))
            flags = tf.tensor_scatter_nd_update(flags, [[e]], [better])
            going = tf.logical_or(tf.math.is_finite(row[0]), tf.logical_not(ended))
            return e + 1, tf.where(better, row[0], best), logs, flags, going

        width = len(self.objective.names)
        start = 0, best, tf.zeros([EPOCHS, width]), tf.zeros([EPOCHS], tf.bool), True
        with for_xla(self.xla):
            done, _, logs, flags, _ = tf.while_loop(
                lambda e, best, logs, flags, going: tf.logical_and(e < epochs, going), epoch, start
            )
        return logs, flags, done

    def _steps(self, parts: Any, count: Any, steps: int) -> Any:
        with for_xla(self.xla):
            self._over(parts, 0, count, steps, self.objective.test_step)
            return self._results()

    def _over(self, parts: Any, start: Any, end: Any, steps: int, run: Any) -> None:
        import tensorflow as tf

        def step(i: Any) -> Any:
            batch = []
            for part in parts:
                rows = part.shape[0] // steps if part.shape[0] else tf.shape(part)[0] // steps
                size = [rows, *(-1 if n is None else n for n in part.shape[1:])]
                batch.append(tf.slice(part, [i * rows] + [0] * (len(size) - 1), size))
            self._quietly(run, (tuple(batch),))
            return (i + 1,)

        tf.while_loop(lambda i: i < end, step, [start])

    def _results(self) -> Any:
        import tensorflow as tf

        results = self.objective.get_metrics_result()
        return tf.stack([tf.cast(results[name], tf.float32) for name in self.objective.names])


class Jax(Loop):
    """Loops from a state to the next, which the variables are set to afterwards."""

    def __init__(self, objective: Any, model: Any, xla: bool, beginning: Any) -> None:
        import jax

        super().__init__(objective, model, xla, beginning)
        self.kept: Any = None
        self._train = jax.jit(self._epochs, static_argnames='steps')
        self._test = jax.jit(self._steps, static_argnames='steps')
        trained = [*objective.trainable_variables, *objective.non_trainable_variables]
        self.places = [next(i for i, t in enumerate(trained) if t is v) for v in model.weights]
        self.state: Any = None  # of fit, which takes the values out of the variables

    def train(self, parts: Any, ends: Any, epochs: int, open: bool, steps: int, *best: Any) -> Any:
        """Run the epochs of a block: their logs, which were best, how many were run."""
        import jax

        parts = tuple(jax.numpy.array(part) for part in parts)
        kept = self._of(self.state) if self.kept is None else self.kept
        self.state, self.kept, *found = self._train(
            self.state, kept, parts, ends, epochs, open, *best, steps=steps
        )
        self.ran = True
        return [np.asarray(value) for value in found]

    def test(self, parts: Any, count: int, steps: int) -> Any:
        """Evaluate so many of the batches: the monitors of all until now."""
        import jax

        parts = tuple(jax.numpy.array(part) for part in parts)
        kinds = ('trainable_variables', 'non_trainable_variables', 'metrics_variables')
        state = tuple([v.value for v in getattr(self.objective, kind)] for kind in kinds)
        row, metrics = self._test(state, parts, count, steps=steps)
        for variable, value in zip(self.objective.metrics_variables, metrics):
            variable.assign(value)
        return np.asarray(row)

    def best(self) -> Any:
        """The values of the model's variables after the best epoch."""
        return [np.asarray(value) for value in self.kept]

    def _of(self, state: Any) -> Any:
        """The values of the model's variables in a state."""
        trained = [*state[0], *state[1]]
        return [trained[i] for i in self.places]

    def _epochs(
        self,
        state: Any,
        kept: Any,
        parts: Any,
        ends: Any,
        epochs: Any,
        open: Any,
        best: Any,
        margin: Any,
        steps: int,
    ) -> Any:
        import jax

        def step(i: Any, state: Any) -> Any:
            batch = self._batch(parts, i, steps)
            return self._quietly(self.objective.train_step, state, (batch,))[1]

        def epoch(carry: Any) -> Any:
            e, best, state, kept, logs, flags, going = carry
            state = _over(step, ends[e], ends[e + 1], state)
            ended = ~(open & (e == epochs - 1))
            row = self._results(state[-1])
            better = ended & improves(row[0], best, margin)
            kept = [jax.numpy.where(better, v, k) for v, k in zip(self._of(state), kept)]
            reset = [
                jax.numpy.where(ended, jax.numpy.asarray(b, v.dtype), v)
                for b, v in zip(self.beginning, state[-1])
            ]
            going = jax.numpy.isfinite(row[0]) | ~ended
            best = jax.numpy.where(better, row[0], best)
            logs, flags = logs.at[e].set(row), flags.at[e].set(better)
            return e + 1, best, (*state[:-1], reset), kept, logs, flags, going

        logs = jax.numpy.zeros([EPOCHS, len(self.objective.names)])
        flags = jax.numpy.zeros([EPOCHS], bool)
        state = tuple(map(list, state))
        carry = 0, best, state, list(kept), logs, flags, True
        done, _, state, kept, logs, flags, _ = jax.lax.while_loop(
            lambda carry: (carry[0] < epochs) & carry[-1], epoch, carry
        )
        return state, kept, logs, flags, done

    def _steps(self, state: Any, parts: Any, count: Any, steps: int) -> Any:
        def step(i: Any, state: Any) -> Any:
            batch = self._batch(parts, i, steps)
            _, state = self._quietly(self.objective.test_step, state, (batch,))
            return tuple(map(list, state))

        state = _over(step, 0, count, tuple(map(list, state)))
        return self._results(state[-1]), state[-1]

    def _batch(self, parts: Any, i: Any, steps: int) -> Any:
        import jax

        def cut(part: Any) -> Any:
            rows = part.shape[0] // steps
            return jax.lax.dynamic_slice_in_dim(part, i * rows, rows)

        return tuple(map(cut, parts))

    def _results(self, metrics: Any) -> Any:
        mapping = list(zip(self.objective.metrics_variables, metrics))
        with keras.StatelessScope(state_mapping=mapping):
            results = self.objective.get_metrics_result()
        return ops.stack([ops.cast(results[name], 'float32') for name in self.objective.names])


def _over(step: Any, start: Any, end: Any, state: Any) -> Any:
    """Run steps from `start` to before `end`."""
    import jax

    def body(carry: Any) -> Any:
        i, state = carry
        return i + 1, tuple(map(list, step(i, state)))

    return jax.lax.while_loop(lambda carry: carry[0] < end, body, (start, state))[1]
