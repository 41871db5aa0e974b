"""Programs that train and evaluate: many batches in one computation.

A training program takes the values of all variables and a `Block` of batches, and returns the
values after them. On JAX these are states of a pure function. On TensorFlow optimizers assign
variables, so the program has variables of its own: it sets them from its arguments, and reads
them at its end.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets import backend, keras_facts
from kerasnets.backend import for_xla
from kerasnets.data.blocks import EPOCHS, Block
from kerasnets.graph.loss_graph import Asked
from kerasnets.programs.models import Models
from kerasnets.programs.objective import Objective
from kerasnets.programs.program import Traced
from kerasnets.typing import Array, Monitors, Tensor

log = logging.getLogger('kerasnets')


#: An item for each program that XLA has compiled on TensorFlow, which never frees executables.
executables: list[int] = []


@dataclasses.dataclass(frozen=True)
class Computed:
    """The results of a block.

    Attributes
    ----------
    values : list of tensor
        The values of all variables after it.
    logs : list of dict
        The monitors of each epoch, the last one perhaps unfinished.
    epochs : int
        Number of these epochs that ended. Fewer than the block has if a loss was not finite.
    updates : list of int
        Number of batches of each epoch in this block.
    """

    values: list[Tensor]
    logs: list[Monitors]
    epochs: int
    updates: list[int]


class BlockProgram(Traced):
    """Base of the programs that run over blocks.

    Parameters
    ----------
    models : Models
        Over the layers that are run.
    way : tuple
        As `data_spec.way` has it.
    asked : Asked
    metrics : tuple of str or keras.metrics.Metric
    optimizer : keras.optimizers.Optimizer or None
        Of the layers of `models`. None: only to evaluate.
    xla : bool
        Whether XLA compiles on TensorFlow; JAX always does.

    Attributes
    ----------
    variables : list of keras.Variable
        Those of the layers, of the optimizer, and `further` ones.
    further : list of keras.Variable
        Seeds of noise, weights of regularizers and states of metrics.
    beginning : list of array
        The values of the further variables when training begins.
    """

    def __init__(
        self,
        models: Models,
        way: Any,
        asked: Asked,
        metrics: tuple[Any, ...],
        optimizer: Any,
        xla: bool,
    ) -> None:
        objective = Objective.over(models.graph(way, asked), metrics, asked.rows)
        if optimizer is not None:
            objective.use(optimizer, jit_compile=False)
        held = [*models.layer_variables, *(optimizer.variables if optimizer is not None else ())]
        ids = set(map(id, held))
        others = {id(v): v for v in (*objective.variables, *objective.metrics_variables)}
        self.further = [v for v in others.values() if id(v) not in ids]
        super().__init__(models, [*held, *self.further])
        self.objective = objective
        self.names: list[str] = objective.names
        self.rows = asked.rows
        self.xla = xla
        self.ran = False
        objective.reset_metrics()
        self.beginning = backend.values(self.further)
        #: The same as tensors.
        self.initial = [ops.convert_to_tensor(value) for value in self.beginning]
        places = {id(v): i for i, v in enumerate(self.further)}
        self.seeds = [places[id(v)] for v in objective.seeds]
        #: (place among the further variables, which of the regularizers has its weight there)
        self.weights = [(places[id(v)], i) for v, i in objective.factors]
        #: Place among all variables, and value at the start of an epoch, of each metric's state.
        self.metrics = [
            (len(held) + places[id(v)], self.beginning[places[id(v)]])
            for v in objective.metrics_variables
        ]
        self._compile()

    def _compile(self) -> None:
        """Make the compiled function for batches of any shape."""
        self._fixed: dict[Any, Any] = {}  # functions for one shape of a block, on TensorFlow
        if keras.backend.backend() == 'jax':
            import jax

            self._loose = jax.jit(self.sized(self._compute), static_argnames='steps')
            return
        import tensorflow as tf

        keras_facts.expect_retracing()
        loose = self.sized(self._compute)
        self._loose = tf.function(loose, autograph=False, reduce_retracing=True)

    def run(self, values: list[Tensor], block: Block, *args: Any) -> Any:
        """Compute over a block; without XLA where it refuses, or the batch has another shape."""
        parts, steps = self._parts(block), len(block.rows)
        if keras.backend.backend() == 'jax':
            with self.lock:
                return self._loose(values, parts, *args, steps=steps)
        import tensorflow as tf

        flat = [v if isinstance(v, tf.Tensor) else tf.convert_to_tensor(v) for v in values]
        flat += map(tf.convert_to_tensor, (*parts, *args))
        with self.lock:
            if block.odd:
                return self._loosely(flat, len(parts), steps)
            try:
                found = keras_facts.call(self._fixed_function(flat, len(parts), steps), flat)
            except _refusals() as error:
                if self.ran or not self.xla:
                    raise
                log.warning(
                    'XLA cannot compile this network, so it runs without: %s',
                    getattr(error, 'message', error),
                )
                self.xla = False
                self._fixed.clear()
                return self._loosely(flat, len(parts), steps)
            if self.xla and not self.ran:
                executables.append(len(self.variables))
            self.ran = True
            return found

    def _loosely(self, flat: list[Tensor], parts: int, steps: int) -> Any:
        values, parts, args = self._divided(flat, parts)
        return self._loose(values, parts, *args, steps=steps)

    def _divided(self, flat: Any, parts: int) -> Any:
        """Return the values, the parts of the block and further arguments among all tensors."""
        count = len(self.variables)
        return list(flat[:count]), tuple(flat[count : count + parts]), flat[count + parts :]

    def _fixed_function(self, flat: list[Tensor], parts: int, steps: int) -> Any:
        """Return the function for the shapes of some tensors, which TensorFlow calls fastest."""
        import tensorflow as tf

        shapes = steps, *(tuple(t.shape) for t in flat[len(self.variables) :])
        if shapes not in self._fixed:

            def compute(*flat: Tensor) -> Any:
                values, arrays, args = self._divided(flat, parts)
                with for_xla(self.xla):
                    return self._compute(values, arrays, *args, steps=steps)

            function = tf.function(self.sized(compute), jit_compile=self.xla, autograph=False)
            specs = [tf.TensorSpec(t.shape, t.dtype) for t in flat]
            self._fixed[shapes] = function.get_concrete_function(*specs)
        return self._fixed[shapes]

    def _parts(self, block: Block) -> tuple[Array, ...]:
        """Return the arrays of a block and, if rows fill it up, which of its rows count."""
        if not self.rows:
            return block.parts
        size = len(block.parts[0]) // len(block.rows)
        counts = np.arange(size) < block.rows[:, None]
        return *block.parts, counts.astype('float32').ravel()

    def _batch(self, parts: Any, i: Any, steps: int) -> Any:
        """Return the i-th of `steps` batches of a block."""

        def cut(part: Any) -> Any:
            rows = ops.shape(part)[0] // steps
            start = (i * rows, *(0 for _ in part.shape[1:]))
            return ops.slice(part, start, (rows, *ops.shape(part)[1:]))

        return (tuple(map(cut, parts)),)

    def _results(self) -> Any:
        """Return the monitors of the metrics' current state as a vector."""
        results = self.objective.get_metrics_result()
        return ops.stack([ops.cast(results[name], 'float32') for name in self.names])

    def _compute(self, values: Any, parts: Any, *args: Any, steps: int) -> Any:
        """Compute over a block, while it is traced."""
        raise NotImplementedError


class EvaluationProgram(BlockProgram):
    """Computes the losses and monitors over blocks, and changes nothing."""

    def evaluate(self, values: list[Tensor], blocks: Any) -> tuple[Monitors, list[Tensor]]:
        """Return the monitors over blocks, and the values of the further variables after them."""
        held, further = values[: -len(self.further)], values[-len(self.further) :]
        row: Any = None
        for block in blocks:
            count = np.int32(block.ends[block.epochs])
            row, further = self.run([*held, *further], block, count)
        return dict(zip(self.names, map(float, np.asarray(row)))), list(further)

    def _compute(self, values: Any, parts: Any, *args: Any, steps: int) -> Any:
        (count,) = args
        held, further = values[: -len(self.further)], values[-len(self.further) :]

        def step(i: Any, *further: Any) -> Any:
            batch = self._batch(parts, i, steps)
            return i + 1, *self._tested([*held, *further], batch)

        loop = (ops.convert_to_tensor(0, 'int32'), *further)
        _, *further = ops.while_loop(lambda i, *_: i < count, step, loop)
        with keras.StatelessScope(state_mapping=list(zip(self.further, further))):
            return self._results(), further

    def _tested(self, values: list[Any], batch: Any) -> list[Any]:
        """Update the metrics by a batch, as Keras' test step does; return the further values."""
        (x,) = batch
        mapping = list(zip(self.variables, values))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            outputs = self.objective(x, training=False)
            self.objective.compute_loss(x, None, outputs, training=False)
            self.objective.compute_metrics(x, None, outputs)
            return [scope.get_current_value(variable) for variable in self.further]


class TrainingProgram(BlockProgram):
    """Trains over blocks."""

    def train(self, values: list[Tensor], block: Block) -> Computed:
        """Return the values and monitors after the batches of a block."""
        args = block.ends, np.int32(block.epochs), np.bool_(block.open)
        values, logs, done = self.run(values, block, *args)
        done = int(done)
        ended = done if done < block.epochs else done - block.open
        rows = [dict(zip(self.names, map(float, row))) for row in np.asarray(logs)[:done]]
        updates = np.diff(block.ends[: done + 1]).tolist()
        return Computed(list(values), rows, ended, updates)

    def _compute(self, values: Any, parts: Any, *args: Any, steps: int) -> Any:
        compute: Any = self._on_jax if keras.backend.backend() == 'jax' else self._on_tensorflow
        return compute(values, parts, *args, steps)

    def _on_tensorflow(
        self, values: Any, parts: Any, ends: Any, epochs: Any, open: Any, steps: int
    ) -> Any:
        import tensorflow as tf

        for variable, value in zip(self.variables, values):
            variable.value.assign(value)

        def step(i: Any) -> Any:
            self.objective.train_step(self._batch(parts, i, steps))
            return (i + 1,)

        def epoch(e: Any, logs: Any, going: Any) -> Any:
            tf.while_loop(lambda i: i < ends[e + 1], step, [ends[e]])
            ended = tf.logical_not(tf.logical_and(open, tf.equal(e, epochs - 1)))
            row = self._results()
            logs = tf.tensor_scatter_nd_update(logs, [[e]], [row])
            for place, start in self.metrics:
                metric = self.variables[place].value
                metric.assign(tf.where(ended, start, metric))
            return e + 1, logs, tf.logical_or(tf.math.is_finite(row[0]), tf.logical_not(ended))

        start = 0, tf.zeros([EPOCHS, len(self.names)]), True
        done, logs, _ = tf.while_loop(
            lambda e, logs, going: tf.logical_and(e < epochs, going), epoch, start
        )
        keras_facts.clear_losses(self.objective)
        return [variable.value.read_value() for variable in self.variables], logs, done

    def _on_jax(
        self, values: Any, parts: Any, ends: Any, epochs: Any, open: Any, steps: int
    ) -> Any:
        import jax

        def step(i: Any, values: list[Any]) -> list[Any]:
            batch = self._batch(parts, i, steps)
            _, state = self.objective.train_step(self._state(values), batch)
            return self._values(values, state)

        def epoch(carry: Any) -> Any:
            e, values, logs, _ = carry
            values = jax.lax.fori_loop(ends[e], ends[e + 1], step, values)
            ended = ~(open & (e == epochs - 1))
            with keras.StatelessScope(state_mapping=list(zip(self.variables, values))):
                row = self._results()
            for place, start in self.metrics:
                values[place] = jax.numpy.where(ended, start, values[place])
            return e + 1, values, logs.at[e].set(row), jax.numpy.isfinite(row[0]) | ~ended

        carry = 0, list(values), jax.numpy.zeros([EPOCHS, len(self.names)]), True
        done, values, logs, _ = jax.lax.while_loop(
            lambda carry: (carry[0] < epochs) & carry[-1], epoch, carry
        )
        return values, logs, done

    def _groups(self) -> Any:
        """Return the variables in the order of the state of Keras' train step on JAX."""
        return (
            self.objective.trainable_variables,
            self.objective.non_trainable_variables,
            self.objective.optimizer.variables,
            self.objective.metrics_variables,
        )

    def _state(self, values: list[Any]) -> Any:
        found = {id(variable): value for variable, value in zip(self.variables, values)}
        return tuple([found[id(v)] for v in group] for group in self._groups())

    def _values(self, values: list[Any], state: Any) -> list[Any]:
        found = {
            id(variable): value
            for group, part in zip(self._groups(), state)
            for variable, value in zip(group, part)
        }
        before = zip(self.variables, values)
        return [ops.cast(found.get(id(v), value), value.dtype) for v, value in before]


def _refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions by which a compiler refuses."""
    if keras.backend.backend() != 'tensorflow':
        return ()
    import tensorflow as tf

    return (tf.errors.OpError,)
