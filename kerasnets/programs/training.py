"""Programs that train and evaluate: many batches in one computation.

A training program takes the values of all variables and a `Block` of batches, and returns the
values after them. On JAX these are states of a pure function. On TensorFlow optimizers assign
variables, so the program has variables of its own: it sets them from its arguments, and reads
them at its end.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import operator
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets import backend, devices, keras_facts
from kerasnets.backend import for_xla
from kerasnets.data.blocks import EPOCHS, Block
from kerasnets.data.data_spec import Layout
from kerasnets.devices import replicas, total
from kerasnets.graph.loss_graph import Extras, Graph, weighted_sum
from kerasnets.monitors import Means, metric_of
from kerasnets.programs.models import Models
from kerasnets.programs.program import Program
from kerasnets.programs.tracing import Traced
from kerasnets.typing import Monitors, Tensor

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
        Number of epochs that ended. Smaller than in the block if a loss was not finite.
    updates : list of int
        Number of batches of each epoch in this block.
    """

    values: list[Tensor]
    logs: list[Monitors]
    epochs: int
    updates: list[int]


class Objective(keras.Model):
    """The Keras model of a network's losses and monitors, trained by a program or ``fit``.

    The whole batch, targets and weights included, is its input. Its outputs are the quantities
    of a graph, of which ``loss`` is minimized.

    Parameters
    ----------
    graph : graph.loss_graph.Graph
    metrics : tuple of str or keras.metrics.Metric
        Of the first loss.
    rows : bool
        Whether the last of the graph's variables marks the rows that count.
    traced : bool
        Whether PyTorch may trace the graph.
    reports : bool
        Whether each step of Keras returns the monitors.
    """

    def __init__(
        self,
        graph: Graph,
        metrics: tuple[Any, ...] = (),
        rows: bool = False,
        traced: bool = False,
        reports: bool = True,
    ) -> None:
        kept = [(mean, mass) for _, mean, mass in graph.losses] + list(graph.monitors.values())
        outputs = {
            'loss': graph.loss,
            'means': _vector([mean for mean, _ in kept]),
            'masses': _vector([mass for _, mass in kept]),
            'penalties': list(graph.penalties),
        }
        if metrics:
            target, output, weights = graph.compared
            outputs['compared'] = [target, output]
            if weights is not None:  # metrics take one for a row of values
                whole = len(weights.shape) == len(output.shape)
                outputs['compared'].append(ops.mean(weights, axis=-1) if whole else weights)
        if graph.curvature:
            outputs['curvature'] = graph.curvature[1]
        if graph.adding:
            outputs['adding'] = graph.adding  # so that these layers are run
        super().__init__(graph.variables, outputs)
        self.curved = graph.curvature[:1]
        self.coefficients = [coefficient for coefficient, _, _ in graph.losses]
        self.monitors = list(graph.monitors)
        self.means = Means(len(kept) + 1)  # the last is the penalties'
        self.keras_metrics = [
            metric_of(metric, *outputs['compared'][:2])
            for metric in metrics
            if metric not in graph.monitors
        ]
        self.noises = graph.noises
        self.factors = graph.factors
        self.counts = rows
        self.reports = reports
        self._traced = Traced(self._run, list(self.variables)) if traced else None
        self.compile()

    def _run(self, *tensors: Tensor) -> Any:
        return super().call(list(tensors))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Compute the quantities for a batch."""
        if self._traced is None:
            return super().call(inputs, training=training, mask=mask)
        return self._traced(*inputs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile as a Keras model does, but without its mean of the losses."""
        super().compile(*args, **kwargs)
        keras_facts.without_loss_mean(self)

    def use(self, optimizer: Any, **settings: Any) -> None:
        """Compile with an optimizer and settings, unless that was the last call."""
        if self.optimizer is not optimizer or self._used != settings:
            self.compile(optimizer=optimizer, **settings)
            self._used = settings

    _used: Any = None

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables to train, in the order of the optimizer: on JAX it takes them by place."""
        found: list[Any] = super().trainable_variables
        known = keras_facts.trained_by(self.optimizer) if self.optimizer else []
        places = {id(variable): place for place, variable in enumerate(known)}
        return sorted(found, key=lambda variable: places.get(id(variable), len(places)))

    @property
    def seeds(self) -> list[Any]:
        """Variables that random layers draw from."""
        return [layer.seed_generator.state for layer in self.noises]

    @property
    def names(self) -> list[str]:
        """Names of the monitors: 'loss', 'err', and 'acc' for a classifier."""
        return ['loss', 'err', *self.monitors, *(m.name for m in self.keras_metrics)]

    @property
    def metrics(self) -> list[Any]:
        """The metrics that Keras resets at the start of an epoch."""
        return [self.means, *self.keras_metrics]

    def train_step(self, *args: Any) -> Any:
        """Make an update on a batch, as Keras' train step does."""
        *state, batch = args  # a state on JAX
        return super().train_step(*state, devices.whole(batch))

    def test_step(self, *args: Any) -> Any:
        """Evaluate a batch, as Keras' test step does."""
        *state, batch = args
        return super().test_step(*state, devices.whole(batch))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: Any = True,
    ) -> Any:
        """Return the sum of the network's losses and those that its layers add."""
        added = [ops.cast(loss, 'float32') for loss in self.losses]
        y_pred['penalties'] += added  # for `compute_metrics`
        if training and self.curved:
            self.optimizer.notice(self.curved[0], y_pred['curvature'])
        if replicas() == 1:
            return functools.reduce(operator.add, added, y_pred['loss'])
        # each device counts for what it has of the weights, and the optimizer adds them up
        rows = ops.cast(ops.shape(x[0])[0], 'float32')
        means, masses = y_pred['means'], y_pred['masses']
        parts = [(c, means[i], masses[i]) for i, c in enumerate(self.coefficients)]
        parts += [(1.0, penalty, rows) for penalty in y_pred['penalties']]
        return sum(c * mean * mass / total(mass) for c, mean, mass in parts)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Update all metrics with a batch. Return the monitors if `reports` is true."""

        def counted(mass: Tensor) -> Tensor:  # y holds the weights of rows from `devices.pipeline`
            return mass if y is None else ops.cast(mass, 'float32') * y[0]

        means, masses = y_pred['means'], counted(y_pred['masses'])
        penalty, rows = 0.0, 0.0
        if y_pred['penalties']:
            penalty = functools.reduce(operator.add, y_pred['penalties'])
            rows = counted(ops.sum(x[-1]) if self.counts else ops.shape(x[0])[0])
        self.means.update_state(_joined(means, penalty), _joined(masses, rows))
        for further in self.keras_metrics:
            target, output, *weights = y_pred['compared']
            if y is not None:
                weights = [counted(weights[0] if weights else ops.ones(ops.shape(target)[:1]))]
            further.update_state(target, output, *weights)
        return self.get_metrics_result() if self.reports else {}

    def get_metrics_result(self) -> dict[str, Tensor]:
        """Return the monitors from the state of the metrics."""
        *means, penalty = ops.unstack(self.means.result())
        err = weighted_sum((c, means[i]) for i, c in enumerate(self.coefficients))
        count = len(self.coefficients)
        monitors = {name: means[count + i] for i, name in enumerate(self.monitors)}
        further = {m.name: m.result() for m in self.keras_metrics}
        return {'loss': err + penalty, 'err': err, **monitors, **further}


def _vector(scalars: list[Tensor]) -> Tensor:
    return ops.stack([ops.cast(one, keras.config.floatx()) for one in scalars])


def _joined(vector: Tensor, scalar: Any) -> Tensor:
    return ops.append(*[ops.cast(one, 'float32') for one in (vector, scalar)])


class BlockProgram(Program):
    """Base of the programs that run over blocks.

    Parameters
    ----------
    models : Models
        Over the layers that are run.
    layout : tuple
        As `data_spec.layout` has it.
    extras : Extras
    metrics : tuple of str or keras.metrics.Metric
    optimizer : keras.optimizers.Optimizer or None
        Of the layers of `models`. None: only to evaluate.
    xla : bool
        Whether XLA compiles on TensorFlow. JAX always compiles; False is with few optimizations,
        in half the time.

    Attributes
    ----------
    variables : list of keras.Variable
        The variables of the layers and of the optimizer, then `further`.
    further : list of keras.Variable
        Seeds of noise, weights of regularizers and states of metrics.
    initial : list of tensor
        The values of the further variables when training begins.
    seeds : list of int
        Places of seeds among the further variables.
    weights : list of (int, int)
        Place of a weight among the further variables, and index of its regularizer.
    missed : float
        Estimated seconds that XLA would have saved in the trainings so far.
    metrics : list of (int, array)
        Place of a metric's state among all variables, and its value at the start of an epoch.
    """

    def __init__(
        self,
        models: Models,
        layout: Layout,
        extras: Extras,
        metrics: tuple[Any, ...],
        optimizer: keras.Optimizer | None,
        xla: bool,
    ) -> None:
        graph = models.graph(layout, extras)
        self.objective = objective = Objective(graph, metrics, extras.rows, reports=False)
        held = list(models.layer_variables)
        if optimizer is not None:
            objective.use(optimizer, jit_compile=False)
            held += optimizer.variables
        others = {id(v): v for v in (*objective.variables, *objective.metrics_variables)}
        for variable in held:
            others.pop(id(variable), None)
        self.further = list(others.values())
        super().__init__(models, [*held, *self.further])
        self.names, self.rows, self.xla, self.ran = objective.names, extras.rows, xla, False
        self.missed = 0.0
        objective.reset_metrics()
        values = backend.values(self.further)
        self.initial = [ops.convert_to_tensor(value) for value in values]
        places = {place: i for i, place in enumerate(others)}
        self.seeds = [places[id(v)] for v in objective.seeds]
        self.weights = [(places[id(v)], i) for v, i in objective.factors]
        states = [places[id(v)] for v in objective.metrics_variables]
        self.metrics = [(len(held) + place, values[place]) for place in states]
        self._fixed: dict[Any, Any] = {}  # functions for one shape of a block, on TensorFlow
        loose = self.sized(self._compute)  # for blocks of any shape
        if keras.backend.backend() == 'jax':
            import jax

            quick = None if xla else {'xla_backend_optimization_level': 0}
            self._loose = jax.jit(loose, static_argnames='steps', compiler_options=quick)
        else:
            import tensorflow as tf

            keras_facts.expect_retracing()
            self._loose = tf.function(loose, autograph=False, reduce_retracing=True)

    def run_block(self, values: list[Tensor], block: Block, *args: Any) -> Any:
        """Run a block; fall back to no XLA if XLA fails or the batch shape differs."""
        parts, steps = block.parts, len(block.rows)
        if self.rows:
            counts = np.arange(len(parts[0]) // steps) < block.rows[:, None]
            parts = *parts, counts.astype('float32').ravel()
        if keras.backend.backend() == 'jax':
            with self.lock:
                return self._loose(values, parts, *args, steps=steps)
        import tensorflow as tf

        flat = [v if isinstance(v, tf.Tensor) else tf.convert_to_tensor(v) for v in values]
        flat += map(tf.convert_to_tensor, (*parts, *args))
        ends = len(values), len(values) + len(parts)
        with self.lock:
            if not block.odd:
                try:
                    results = keras_facts.call(self._fixed_function(flat, ends, steps), flat)
                except tf.errors.OpError as error:
                    if self.ran or not self.xla:
                        raise
                    log.warning(
                        'XLA cannot compile this network, so it runs without: %s',
                        getattr(error, 'message', error),
                    )
                    self.xla = False
                    self._fixed.clear()
                else:
                    if self.xla and not self.ran:
                        executables.append(len(self.variables))
                    self.ran = True
                    return results
            return self._loose(*_divided(flat, ends), steps=steps)

    def _fixed_function(self, flat: list[Tensor], ends: tuple[int, int], steps: int) -> Any:
        """Return the concrete function for the shapes of some tensors."""
        import tensorflow as tf

        shapes = steps, *[tuple(tensor.shape) for tensor in flat[ends[0] :]]
        if shapes not in self._fixed:

            def compute(*flat: Tensor) -> Any:
                with for_xla(self.xla):
                    return self._compute(*_divided(flat, ends), steps=steps)

            function = tf.function(self.sized(compute), jit_compile=self.xla, autograph=False)
            specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in flat]
            self._fixed[shapes] = function.get_concrete_function(*specs)
        return self._fixed[shapes]

    def _batch(self, parts: tuple[Tensor, ...], i: Tensor, steps: int) -> tuple[tuple[Tensor, ...]]:
        """Return the i-th of `steps` batches of a block."""
        shapes = [part.shape if None not in part.shape else ops.shape(part) for part in parts]
        size = shapes[0][0] // steps
        first = i * size
        return (
            tuple(
                ops.slice(part, (first, *[0 for _ in row]), (size, *row))
                for part, (_, *row) in zip(parts, shapes)
            ),
        )

    def _results(self) -> Tensor:
        """Return the current monitors as a vector."""
        results = self.objective.get_metrics_result()
        return ops.stack([ops.cast(results[name], 'float32') for name in self.names])

    def _compute(
        self, values: list[Tensor], parts: tuple[Tensor, ...], *args: Any, steps: int
    ) -> Any:
        """Trace the computation over a block."""
        raise NotImplementedError


def _divided(flat: Any, ends: tuple[int, int]) -> Any:
    """Split a flat list into values, the parts of the block and further arguments."""
    return list(flat[: ends[0]]), tuple(flat[ends[0] : ends[1]]), *flat[ends[1] :]


class EvaluationProgram(BlockProgram):
    """A program that computes losses and monitors over blocks without an update."""

    def evaluate(
        self, values: list[Tensor], blocks: Iterable[Block], listeners: Any = None
    ) -> tuple[Monitors, list[Tensor]]:
        """Return the monitors over blocks and the final values of the further variables.

        Listeners are called for each block, with the monitors of all batches so far.
        """
        held, further = values[: -len(self.further)], values[-len(self.further) :]
        for i, block in enumerate(blocks):
            heard = listeners is not None and block.rows.any()
            if heard:
                listeners.on_test_batch_begin(i)
            row, further = self.run_block(
                [*held, *further], block, np.int32(block.ends[block.epochs])
            )
            monitors = dict(zip(self.names, map(float, np.asarray(row))))
            if heard:
                listeners.on_test_batch_end(i, monitors)
        return monitors, list(further)

    def _compute(self, values: Any, parts: Any, *args: Any, steps: int) -> Any:
        held, further = values[: -len(self.further)], values[-len(self.further) :]

        def step(i: Tensor, *further: Tensor) -> tuple[Tensor, ...]:
            """Update the metrics by a batch, as Keras' test step does."""
            (x,) = self._batch(parts, i, steps)
            mapping = list(zip(self.variables, [*held, *further]))
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
                outputs = self.objective(x, training=False)
                self.objective.compute_loss(x, None, outputs, training=False)
                self.objective.compute_metrics(x, None, outputs)
                return i + 1, *[scope.get_current_value(one) for one in self.further]

        loop = (ops.convert_to_tensor(0, 'int32'), *further)
        _, *further = ops.while_loop(lambda i, *_: i < args[0], step, loop)
        with keras.StatelessScope(state_mapping=list(zip(self.further, further))):
            return self._results(), further


class TrainingProgram(BlockProgram):
    """A program that trains over blocks."""

    def train(self, values: list[Tensor], block: Block) -> Computed:
        """Return the values and monitors after the batches of a block."""
        args = block.ends, np.int32(block.epochs), np.bool_(block.open)
        values, logs, done = self.run_block(values, block, *args)
        done = int(done)
        ended = done if done < block.epochs else done - block.open
        rows = [dict(zip(self.names, map(float, row))) for row in np.asarray(logs)[:done]]
        return Computed(list(values), rows, ended, np.diff(block.ends[: done + 1]).tolist())

    def _compute(self, values: Any, parts: Any, *args: Any, steps: int) -> Any:
        compute: Any = self._on_jax if keras.backend.backend() == 'jax' else self._on_tensorflow
        return compute(values, parts, *args, steps)

    def _on_tensorflow(
        self, values: Any, parts: Any, ends: Any, epochs: Any, open: Any, steps: int
    ) -> Any:
        import tensorflow as tf

        for variable, value in zip(self.variables, values):
            variable.value.assign(value)

        def step(i: Tensor) -> tuple[Tensor]:
            self.objective.train_step(self._batch(parts, i, steps))
            return (i + 1,)

        def epoch(e: Tensor, logs: Tensor, going: Tensor) -> tuple[Tensor, ...]:
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

        groups = keras_facts.trainer_state(self.objective)

        def step(i: Tensor, values: list[Tensor]) -> list[Tensor]:
            by_id = {id(variable): value for variable, value in zip(self.variables, values)}
            state = tuple([by_id[id(v)] for v in group] for group in groups)
            _, state = self.objective.train_step(state, self._batch(parts, i, steps))
            for group, part in zip(groups, state):
                by_id |= {id(variable): value for variable, value in zip(group, part)}
            return [ops.cast(by_id[id(v)], x.dtype) for v, x in zip(self.variables, values)]

        def epoch(carry: tuple[Any, ...]) -> tuple[Any, ...]:
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
