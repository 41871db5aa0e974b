"""The objectives of a network, and the optimizers that minimize them."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kerasnets import backend, optimizers
from kerasnets.errors import ConfigurationError, number
from kerasnets.graph.models import PLAIN
from kerasnets.graph.nodes import find_output
from kerasnets.training.objective import Objective


class Objectives:
    """The objectives of a network and its optimizers, each built when first used.

    Parameters
    ----------
    models : graph.models.Models
    """

    def __init__(self, models: Any) -> None:
        self.models = models
        self.engines: dict[Any, Any] = {}  # those that no other network can use
        self._objectives: Any = {}
        self._optimizers: Any = {}

    def find(self, source: Any, asked: Any = PLAIN, metrics: Any = ()) -> Any:
        """The compiled `Objective` for a Dataset."""
        way = self.models.data_spec.way(source.specs[: len(self.models.data_spec.inputs)])
        key = way, asked, metrics
        if key not in self._objectives:
            self._objectives[key] = Objective.over(self.models.graph(way, asked), metrics)
        return self._objectives[key]

    def class_weight(self, asked: Any) -> Any:
        """Factors for the classes, in order, from a dict of them.

        Raises
        ------
        ConfigurationError
            If a class has none, or there is no such class.
        """
        if asked is None:
            return None
        output = find_output(self.models.nodes, self.models.losses[0].output_name)
        classes = range(output.shape[-1])
        if not isinstance(asked, dict) or set(asked) != set(classes):
            raise ConfigurationError(
                f'expected class_weight as a dict with each class of 0 to {classes[-1]}, '
                f'got {asked!r}.'
            )
        finite = (lambda w: 0 <= w < np.inf), 'of 0 or more'
        return tuple(number(asked[k], f'the weight of class {k}', *finite) for k in classes)

    def optimizer(self, algo: Any, learning_rate: Any, keep: bool = False, **options: Any) -> Any:
        """An optimizer as new: one made before for the same algorithm, its state set back.

        The compiled training step, which belongs to the optimizer, is thereby used again. Its
        state is kept if that is asked for, and an optimizer of the user's own is as it is.
        """
        fresh = optimizers.build(algo, learning_rate, **options)
        if fresh is algo and learning_rate is not None:
            fresh.learning_rate = learning_rate
        scheduled = isinstance(learning_rate, optimizers.schedules.LearningRateSchedule)
        key: Any = algo if fresh is algo else str(algo).lower(), tuple(sorted(options.items()))
        key = (*key, learning_rate) if scheduled else key  # a schedule is part of it
        if key not in self._optimizers:
            fresh.build(self.models.model.trainable_variables)
            self._optimizers[key] = fresh, backend.values(fresh.variables)
        optimizer, state = self._optimizers[key]
        if not keep and optimizer is not algo:
            backend.restore(optimizer.variables, state)
        if not scheduled and optimizer is not algo:
            optimizer.learning_rate = float(ops.convert_to_numpy(fresh.learning_rate))
        return optimizer

    def announce(self, optimizer: Any) -> None:
        """Compile the network's own model with an optimizer, whose state goes into its files.

        Callbacks see this model too.
        """
        if getattr(self.models.model, 'optimizer', None) is not optimizer:
            single = len(self.models.losses) == 1 and len(self.models.model.outputs) == 1
            self.models.model.compile(
                optimizer, self.models.losses[0].keras_loss if single else None
            )
