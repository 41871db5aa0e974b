"""Keys: texts that are equal for networks whose programs compute the same.

A key describes every attribute of layers, variables, optimizers and what they hold that may be
read while a program is traced. An object of a class that is not known to be complete, a function
of the user or an attribute of an unknown kind has no key: its network runs in programs of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

import keras
import numpy as np

from kerasnets import activations, keras_facts, optimizers, regularizers
from kerasnets.graph.loss_graph import Asked
from kerasnets.graph.nodes import Node
from kerasnets.layers import abilities
from kerasnets.loss_functions import KINDS
from kerasnets.monitors import Below
from kerasnets.programs.models import Models

#: Optimizers whose settings and variables say everything that they compute.
OPTIMIZERS: tuple[type, ...] = (
    *(
        getattr(keras.optimizers, name)
        for name in (
            'SGD RMSprop Adam AdamW Adadelta Adagrad Adamax Adafactor Nadam Ftrl Lion Lamb'
        ).split()
    ),
    optimizers.Rprop,
    optimizers.Esgd,
)

#: Learning rate schedules, regularizers and constraints of Keras with plain numbers only.
PLAIN: tuple[type, ...] = (
    *(
        getattr(keras.optimizers.schedules, name)
        for name in (
            'CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay '
            'PiecewiseConstantDecay PolynomialDecay'
        ).split()
    ),
    *(getattr(keras.regularizers, name) for name in 'L1 L2 L1L2 OrthogonalRegularizer'.split()),
    *(getattr(keras.constraints, name) for name in 'MaxNorm MinMaxNorm NonNeg UnitNorm'.split()),
    type(keras.dtype_policies.get('float32')),
    activations.Activation,
    Below,
)

#: Our own penalties and noises, whose weights are arguments of a program.
PENALTIES: tuple[type, ...] = (
    regularizers.WeightL1,
    regularizers.WeightL2,
    regularizers.HiddenL1,
    regularizers.HiddenL2,
    regularizers.RecurrentNorm,
    regularizers.RecurrentState,
    regularizers.Contractive,
    regularizers.Noise,
    regularizers.Dropout,
)

#: Those that can leave out the rows that fill up a batch.
BY_ROWS = tuple(
    one for one in PENALTIES if one not in (regularizers.HiddenL2, regularizers.Contractive)
)

#: Attributes that follow from others.
DERIVED: dict[type, tuple[str, ...]] = {
    activations.Activation: ('steps',),
    activations.LearnedActivation: ('function',),
}

#: Packages whose functions do not change while a process runs.
STEADY = ('keras', 'kerasnets')


class UnknownError(Exception):
    """Raised for an object whose attributes may not say everything."""


class Description:
    """Describes objects as plain data, and remembers which objects it has seen.

    Attributes
    ----------
    seen : list
        Objects with attributes. `Snapshot` tells whether any of these was set since.
    """

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def of(self, value: Any) -> Any:
        """Return a nest of tuples and plain values; raise UnknownError where that is not all."""
        if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
            return value
        if keras.ops.is_tensor(value) and not len(value.shape):  # such as the factor of a penalty
            return float(value)
        if isinstance(value, (list, tuple)):
            return tuple(map(self.of, value))
        if isinstance(value, (set, frozenset)):
            return tuple(sorted(map(self.of, value)))
        if isinstance(value, dict):
            return tuple((name, self.of(item)) for name, item in value.items())
        if isinstance(value, keras.Variable):
            return self._attributes(value, tuple(value.shape), value.dtype)
        if isinstance(value, keras.layers.Layer):
            return self._layer(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if type(value) in PLAIN:
            return self._attributes(value)
        raise UnknownError(f'{type(value).__name__} is not known to be complete')

    def optimizer(self, optimizer: Any) -> Any:
        """Return the description of an optimizer without the values of its variables."""
        if type(optimizer) not in OPTIMIZERS:
            raise UnknownError(f'{type(optimizer).__name__} is not known to be complete')
        rate = vars(optimizer)['_learning_rate']  # a variable, a schedule or a function
        rate = None if isinstance(rate, keras.Variable) else self.of(rate)
        return self._attributes(optimizer, rate)

    def _layer(self, layer: Any) -> Any:
        if not abilities.is_complete(type(layer)) or getattr(layer, 'stateful', False):
            raise UnknownError(f'{type(layer).__name__} is not known to be complete')
        if isinstance(layer, keras.layers.InputLayer):
            return tuple(layer.batch_shape), layer.dtype
        return self._model(layer) if isinstance(layer, keras.Model) else self._attributes(layer)

    def _model(self, model: Any) -> Any:
        """Return the layers of a model, and how they are connected."""
        if not abilities.is_of_layers(model):
            raise UnknownError('a model with operations, which Keras numbers')
        layers = [(layer.name, self.of(layer)) for layer in model.layers]
        config = model.get_config()
        joints = [(one.get('name'), one.get('inbound_nodes')) for one in config['layers']]
        ends = config.get('input_layers'), config.get('output_layers')
        return type(model).__qualname__, layers, repr(joints), repr(ends)

    def _attributes(self, value: Any, *more: Any) -> Any:
        self.seen.append(value)
        found = keras_facts.telling(value)
        for name in DERIVED.get(type(value), ()):
            found.pop(name, None)
        described = [(name, self.of(found[name])) for name in sorted(found)]
        return type(value).__qualname__, *more, *described

    def _function(self, function: Any) -> Any:
        steady = function.__module__.split('.')[0] in STEADY
        if not steady or '<' in function.__qualname__ or function.__closure__:
            raise UnknownError(f'{function.__qualname__} is a function of the user')
        return function.__module__, function.__qualname__


class Snapshot:
    """Tells whether any attribute of some objects was set since it was taken."""

    def __init__(self, objects: Iterable[Any]) -> None:
        self.objects = list(objects)
        self.values = self._values()
        self.settings = settings()

    def _values(self) -> list[Any]:
        """Return all attributes but the values of variables, which are no part of a key."""
        values = [dict(vars(one)) for one in self.objects]
        if keras_facts.replaces_values():
            for attributes in values:
                attributes.pop('_value', None)
        return [value for attributes in values for value in attributes.values()]

    def holds(self) -> bool:
        """Return whether no attribute was set since the snapshot was taken."""
        now = self._values()
        same = len(now) == len(self.values) and all(map(operator.is_, now, self.values))
        return same and self.settings == settings()


def settings() -> tuple[Any, ...]:
    """Return Keras' global settings that are read while a program is traced."""
    config = keras.config
    return config.backend(), config.floatx(), config.epsilon(), config.image_data_format()


def text(describe: Callable[[], Any]) -> str | None:
    """Return a description as a text, or None where there is none that is complete."""
    try:
        return repr(describe())
    except UnknownError:
        return None


def of_nodes(nodes: list[Node], description: Description | None = None) -> str | None:
    """Return the key of a network's layers, or None where there is none.

    Initial values, seeds and names that Keras gives do not matter.
    """
    description = description or Description()
    return text(lambda: (settings(), [_node(node, description) for node in nodes]))


def _node(node: Node, description: Description) -> Any:
    spec, output = node.spec, node.output
    connected = spec.name, spec.form, spec.inputs, spec.states
    return *connected, description.of(node.layer), tuple(output.shape), output.dtype


def of_losses(models: Models) -> str | None:
    """Return the key of a network's losses and monitors, or None where there is none."""
    kind = type(getattr(models.monitors, '__self__', None))
    if kind.__module__.split('.')[0] != 'kerasnets':
        return None
    if not all(isinstance(loss.form, str) and not loss.written for loss in models.losses):
        return None
    places = {id(variable): i for i, variable in enumerate(models.layer_variables)}
    order = [places.get(id(variable)) for variable in models.model.trainable_variables]
    if None in order:
        return None
    return repr((models.losses, kind.__qualname__, models.takes_labels, order))


def of_asked(asked: Asked) -> str | None:
    """Return the key of what a graph computes besides the losses, without weights."""
    for one in asked.regularizers:
        if type(one) not in PENALTIES:
            return None
    if not all(isinstance(monitor.function, Below) for monitor in asked.monitors):
        return None
    return repr(asked.without_weights())


def of_optimizer(optimizer: Any, description: Description | None = None) -> str | None:
    """Return the key of an optimizer without its learning rate, or None where there is none."""
    description = description or Description()
    return text(lambda: description.optimizer(optimizer))


def fills_up(models: Models, asked: Asked) -> bool:
    """Return whether padding rows can be excluded from all results."""
    if asked.monitors or asked.curvature or asked.gradients:
        return False
    if any(loss.written or loss.form not in KINDS or loss.whole for loss in models.losses):
        return False
    if not all(type(one) in BY_ROWS for one in asked.regularizers):
        return False
    return all(abilities.works_by_rows(node.layer) for node in models.nodes)
