"""`Trainable`: the models, programs and optimizers that training uses."""

from __future__ import annotations

import logging
from typing import Any

import keras
from keras import ops

from kerasnets import backend, keras_facts, optimizers
from kerasnets.errors import ConfigurationError
from kerasnets.graph.nodes import full_name
from kerasnets.programs.models import Models
from kerasnets.programs.program import Programs
from kerasnets.typing import Array

log = logging.getLogger('kerasnets')


class Trainable:
    """The models, programs and optimizers of a network.

    Parameters
    ----------
    models : Models
    programs : Programs
    """

    def __init__(self, models: Models, programs: Programs) -> None:
        self.models = models
        self.programs = programs
        self._built: dict[Any, tuple[Any, list[Array]]] = {}  # optimizers, and their first state
        self._last: Any = None

    def optimizer(self, algo: Any, learning_rate: Any, keep: bool = False, **options: Any) -> Any:
        """Return the optimizer of an algorithm, with its state reset.

        The state is kept if `keep` is true, and an optimizer of the user keeps its own.

        Raises
        ------
        ConfigurationError
            For settings that the algorithm does not take, and for an optimizer of the user that
            was built for other variables.
        """
        variables = self.models.model.trainable_variables
        fresh = optimizers.build(algo, learning_rate, **options)
        if fresh is algo:  # one that the user made
            if learning_rate is not None:
                fresh.learning_rate = learning_rate
            if not fresh.built:
                fresh.build(variables)
            known = set(map(id, keras_facts.trained_by(fresh)))
            if not set(map(id, variables)) <= known:
                raise ConfigurationError(
                    f'the optimizer {fresh.name!r} was built for other variables. Pass a new one.'
                )
            return fresh
        scheduled = isinstance(learning_rate, optimizers.schedules.LearningRateSchedule)
        name: Any = str(algo).lower(), tuple(sorted(options.items()))
        name = (*name, learning_rate) if scheduled else name  # a schedule is part of it
        key = name, tuple(map(id, variables))
        if key not in self._built:
            if keep and self._last and self._last[0] == name:
                log.warning('continue_: other layers are frozen, so the optimizer starts anew.')
            fresh.build(variables)
            self._built[key] = fresh, backend.values(fresh.variables)
        optimizer, state = self._built[key]
        self._last = key
        if not keep:
            backend.restore(optimizer.variables, state)
        if not scheduled:
            optimizer.learning_rate = float(ops.convert_to_numpy(fresh.learning_rate))
        return optimizer

    def state(self) -> tuple[Any, list[tuple[Any, list[Array]]]]:
        """Return the attached optimizer, and all optimizers with the values of their variables."""
        attached = getattr(self.models.model, 'optimizer', None)
        held = [attached, *(optimizer for optimizer, _ in self._built.values())]
        unique = {id(one): one for one in held if one is not None}
        return attached, [(one, backend.values(one.variables)) for one in unique.values()]

    def restore(self, state: tuple[Any, list[tuple[Any, list[Array]]]]) -> None:
        """Restore an earlier `state`."""
        attached, values = state
        for optimizer, arrays in values:
            backend.restore(optimizer.variables, arrays)
        if attached is not None:
            self.attach(attached)

    def attach(self, optimizer: Any) -> Any:
        """Compile the network's own model with an optimizer, whose state goes into its files.

        Returns
        -------
        keras.optimizers.Optimizer
            The one of the model, which scales the loss where that is of half precision.
        """
        model = self.models.model
        current = getattr(model, 'optimizer', None)
        if current is not optimizer and getattr(current, 'inner_optimizer', 0) is not optimizer:
            first, nodes = self.models.losses[0], self.models.nodes
            single = len(self.models.losses) == 1 and len(model.outputs) == 1
            single &= full_name(nodes, first.output_name) == full_name(nodes)
            loss = first.keras_loss if single else None
            model.compile(optimizer, loss)
            if loss is not None and keras.backend.backend() == 'jax':
                targets = self.models.data_spec.tensors(self.models.data_spec.plain_layout())[2]
                given = len(targets[0]) > first.weighted  # not to an autoencoder
                keras_facts.build_loss(model, targets[0][0] if given else model.outputs[0])
        return model.optimizer
