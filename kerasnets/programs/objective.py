"""The Keras model that trains a network: a `graphs.Graph` with ``fit``."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets import devices
from kerasnets.devices import replicas, total
from kerasnets.monitors import metric_of


class Objective(keras.Model):
    """Maps a network's variables to its losses and monitors; trained by ``fit``.

    The whole batch, targets and weights included, is the input of the model. Its outputs are
    the quantities of a `Graph`, of which ``loss`` is followed downhill.
    """

    @classmethod
    def over(cls, graph: Any, metrics: Any = (), rows: bool = False) -> Any:
        """The Objective of a `Graph`, with Keras metrics of its first loss.

        With `rows`, the last of the variables says which rows count.
        """
        outputs = {
            'loss': graph.loss,
            'losses': [(mean, mass) for _, mean, mass in graph.losses],
            'penalty': graph.loss - graph.err,
            'monitors': dict(graph.monitors),
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
        objective = cls(graph.variables, outputs)
        objective.curved = graph.curvature[:1]
        objective.coefficients = [coefficient for coefficient, _, _ in graph.losses]
        objective.penalty = keras.metrics.Mean(name='penalty')
        objective.means = [keras.metrics.Mean(name=f'loss_{i}') for i in range(len(graph.losses))]
        objective.monitor_means = {name: keras.metrics.Mean(name=name) for name in graph.monitors}
        objective.keras_metrics = [
            metric_of(asked, *outputs['compared'][:2])
            for asked in metrics
            if asked not in graph.monitors
        ]
        objective.noises = graph.noises
        objective.factors = graph.factors
        objective.counts = rows
        objective.compile()
        return objective

    def use(self, optimizer: Any, **settings: Any) -> None:
        """Train with this optimizer from now on, with settings of ``compile``."""
        if self.optimizer is not optimizer or self._used != settings:
            self.compile(optimizer=optimizer, **settings)
            self._used = settings

    _used: Any = None

    @property
    def seeds(self) -> Any:
        """Variables that random layers draw from."""
        return [layer.seed_generator.state for layer in self.noises]

    @property
    def names(self) -> Any:
        """Names of the monitors: 'loss', 'err', and 'acc' for a classifier."""
        return ['loss', 'err', *self.monitor_means, *(m.name for m in self.keras_metrics)]

    @property
    def metrics(self) -> Any:
        return [*self.means, self.penalty, *self.monitor_means.values(), *self.keras_metrics]

    def train_step(self, *args: Any) -> Any:
        *state, batch = args  # a state on JAX
        return super().train_step(*state, devices.whole(batch))

    def test_step(self, *args: Any) -> Any:
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
        """Return the losses of the network, and those that its layers add."""
        added = [ops.cast(loss, 'float32') for loss in self.losses]
        y_pred['added'] = sum(added) if added else ops.zeros(())  # for `compute_metrics`
        if training and self.curved:
            self.optimizer.notice(self.curved[0], y_pred['curvature'])
        if replicas() == 1:
            return y_pred['loss'] + y_pred['added']
        # each device counts for what it has of the weights, and the optimizer adds them up
        rows = ops.cast(ops.shape(x[0])[0], 'float32')
        parts = [(c, *kept) for c, kept in zip(self.coefficients, y_pred['losses'])]
        parts.append((1.0, y_pred['penalty'] + y_pred['added'], rows))
        return sum(c * mean * mass / total(mass) for c, mean, mass in parts)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        def counted(mass: Any) -> Any:  # y is what rows count, where `devices.pipeline` says so
            return mass if y is None else ops.cast(mass, 'float32') * y[0]

        for kept, (mean, mass) in zip(self.means, y_pred['losses']):
            kept.update_state(mean, sample_weight=counted(mass))
        rows = ops.sum(x[-1]) if self.counts else ops.shape(x[0])[0]
        penalty = y_pred['penalty'] + y_pred['added']
        self.penalty.update_state(penalty, sample_weight=counted(rows))
        for name, (mean, mass) in y_pred['monitors'].items():
            self.monitor_means[name].update_state(mean, sample_weight=counted(mass))
        for further in self.keras_metrics:
            target, output, *weights = y_pred['compared']
            if y is not None:
                weights = [counted(weights[0] if weights else ops.ones(ops.shape(target)[:1]))]
            further.update_state(target, output, *weights)
        return self.get_metrics_result()

    def get_metrics_result(self) -> Any:
        """Return the monitors from the state of the metrics."""
        results = [mean.result() for mean in self.means]
        err = sum(c * r for c, r in zip(self.coefficients, results))
        monitors = {name: mean.result() for name, mean in self.monitor_means.items()}
        further = {m.name: m.result() for m in self.keras_metrics}
        return {'loss': err + self.penalty.result(), 'err': err, **monitors, **further}
