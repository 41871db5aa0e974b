"""Keys: texts that are equal for networks whose programs compute the same.

A key describes every attribute of layers, variables, optimizers and what they hold that may be
read while a program is traced. An object of a class that is not known to be complete, a function
of the user or an attribute of an unknown kind has no key: its network runs in programs of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from types import FunctionType
from typing import Any

import keras
import numpy as np

from kerasnets import activations, keras_facts, optimizers, regularizers
from kerasnets.graph.loss_graph import Extras
from kerasnets.layers import abilities
from kerasnets.loss_functions import LOSSES
from kerasnets.monitors import Below
from kerasnets.programs.models import Models


def _named(module: Any, names: str) -> list[type]:
    return [getattr(module, name) for name in names.split()]


#: Optimizers whose settings and variables determine everything that they compute.
OPTIMIZERS: tuple[type, ...] = (
    *_named(
        keras.optimizers,
        'SGD RMSprop Adam AdamW Adadelta Adagrad Adamax Adafactor Nadam Ftrl Lion Lamb',
    ),
    optimizers.Rprop,
    optimizers.Esgd,
)

#: Learning rate schedules, regularizers and constraints of Keras with plain numbers only.
PLAIN: tuple[type, ...] = (
    *_named(
        keras.optimizers.schedules,
        'CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay '
        'PiecewiseConstantDecay PolynomialDecay',
    ),
    *_named(keras.regularizers, 'L1 L2 L1L2 OrthogonalRegularizer'),
    *_named(keras.constraints, 'MaxNorm MinMaxNorm NonNeg UnitNorm'),
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
    """An object whose attributes may not determine what it computes."""


class Description:
    """A description of objects as plain data, with the objects that it covers.

    Attributes
    ----------
    seen : list
        Objects with attributes. A `Snapshot` of them shows whether any attribute changed since.
    """

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def of(self, value: Any) -> Any:
        """Return nested tuples of plain values; raise UnknownError for an unknown object."""
        if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
            return value
        if isinstance(value, (list, tuple)):
            return tuple([self.of(item) for item in value])
        if isinstance(value, dict):
            return tuple([(name, self.of(item)) for name, item in value.items()])
        if isinstance(value, (set, frozenset)):
            return tuple(sorted([self.of(item) for item in value]))
        if isinstance(value, FunctionType):
            steady = value.__module__.split('.')[0] in STEADY
            if not steady or '<' in value.__qualname__ or value.__closure__:
                raise UnknownError(f'{value.__qualname__} is a function of the user')
            return value.__module__, value.__qualname__
        if isinstance(value, keras.layers.InputLayer):
            return tuple(value.batch_shape), value.dtype
        cls = type(value)
        head: Any = ()
        if isinstance(value, keras.Variable):
            head = tuple(value.shape), value.dtype
        elif isinstance(value, keras.layers.Layer):
            if not abilities.of(cls).shared or getattr(value, 'stateful', False):
                raise UnknownError(f'{cls.__name__} is not known to be complete')
            if isinstance(value, keras.Model):
                return self._model(value)
        elif cls in OPTIMIZERS:
            rate = vars(value)['_learning_rate']  # a variable, a schedule or a function
            head = None if isinstance(rate, keras.Variable) else self.of(rate)
        elif keras.ops.is_tensor(value) and not len(value.shape):  # such as a penalty's factor
            return float(value)
        elif cls not in PLAIN:
            raise UnknownError(f'{cls.__name__} is not known to be complete')
        self.seen.append(value)
        derived = DERIVED.get(cls, ())
        items = [(k, self.of(v)) for k, v in sorted(telling(value).items()) if k not in derived]
        return cls.__qualname__, head, *items

    def _model(self, model: Any) -> Any:
        """Return the layers of a model and their connections."""
        if not abilities.is_of_layers(model):
            raise UnknownError('a model with operations, which Keras numbers')
        layers = [(layer.name, self.of(layer)) for layer in model.layers]
        with keras_facts.without_tensorflow():
            config = model.get_config()
        joints = [(one.get('name'), one.get('inbound_nodes')) for one in config['layers']]
        ends = config.get('input_layers'), config.get('output_layers')
        return type(model).__qualname__, layers, repr(joints), repr(ends)

    def network(self, models: Models) -> str:
        """Return the key of a network's layers.

        Initial values, seeds and names that Keras gives do not matter.
        """
        described = []
        for node in models.nodes:
            spec, output = node.spec, node.output
            connected = spec.name, spec.form, spec.inputs, spec.states
            described.append((*connected, self.of(node.layer), tuple(output.shape), output.dtype))
        return repr((settings(), described))


def telling(value: Any) -> dict[str, Any]:
    """Return the attributes of an object that may decide what it computes."""
    hidden = keras_facts.BOOKKEEPING.fullmatch
    return {name: item for name, item in vars(value).items() if not hidden(name)}


class Snapshot:
    """The attributes of some objects at one moment, to detect later changes."""

    def __init__(self, objects: Iterable[Any]) -> None:
        self.objects = list(objects)
        self.values, self.settings = self._values(), settings()

    def _values(self) -> list[Any]:
        """Return all attributes except the values of variables, which a key leaves out."""
        attributes = [item for one in self.objects for item in vars(one).items()]
        return [item for name, item in attributes if name != '_value']

    def holds(self) -> bool:
        """Return True if no attribute has changed since the snapshot."""
        now = self._values()
        same = len(now) == len(self.values) and all(map(operator.is_, now, self.values))
        return same and self.settings == settings()


def settings() -> tuple[Any, ...]:
    """Return Keras' global settings that are read while a program is traced."""
    config = keras.config
    return config.backend(), config.floatx(), config.epsilon(), config.image_data_format()


def of_losses(models: Models) -> str:
    """Return the key of a network's losses and monitors; raise UnknownError without one."""
    cls = type(getattr(models.monitors, '__self__', None))
    places = {id(variable): i for i, variable in enumerate(models.layer_variables)}
    order = [places.get(id(variable)) for variable in models.model.trainable_variables]
    if cls.__module__.split('.')[0] != 'kerasnets' or None in order:
        raise UnknownError('monitors of the user, or variables outside of the layers')
    for loss in models.losses:
        if not isinstance(loss.form, str) or loss.is_custom:
            raise UnknownError('a loss of the user')
    return repr((models.losses, cls.__qualname__, models.takes_labels, order))


def of_extras(extras: Extras) -> str:
    """Return the key of what a graph computes besides the losses, without weights."""
    known = [type(one) in PENALTIES for one in extras.regularizers]
    known += [isinstance(monitor.function, Below) for monitor in extras.monitors]
    if not all(known):
        raise UnknownError('a regularizer or a monitor of the user')
    return repr(extras.without_weights())


def fills_up(models: Models, extras: Extras) -> bool:
    """Return True if padding rows can be excluded from all results."""
    if extras.monitors or extras.curvature or extras.gradients:
        return False
    if any(loss.is_custom or loss.form not in LOSSES or loss.whole for loss in models.losses):
        return False
    if not all(type(one) in BY_ROWS for one in extras.regularizers):
        return False
    return all(abilities.works_by_rows(node.layer) for node in models.nodes)
