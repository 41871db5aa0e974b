"""Keys for networks of equal structure, and copies of a network's layers for an engine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import random
import warnings
from collections.abc import Hashable, Iterator
from typing import Any

import keras

from kerasnets import regularizers
from kerasnets.graph import builder
from kerasnets.graph.nodes import Node, Probe, find_output, run_layer

#: Settings of layers and optimizers that only say what values they begin with, or Keras' own
#: names for them.
VALUES = ('name', 'seed', 'learning_rate')

#: Settings by which the description of a layer or an optimizer is told from that of a function,
#: whose name matters.
NAMED = ('dtype', 'learning_rate')

#: Where the code lives that never changes while a process runs.
KNOWN = ('keras', 'kerasnets')

#: Regularizers that can leave out rows that do not count.
BY_ROWS = (
    regularizers.WeightL1,
    regularizers.WeightL2,
    regularizers.HiddenL1,
    regularizers.RecurrentNorm,
    regularizers.RecurrentState,
    regularizers.Noise,
    regularizers.Dropout,
)


class UnknownError(Exception):
    """Raised for an object that its settings do not describe completely."""


def of_models(models: Any, nodes: Hashable) -> Hashable:
    """Return a key that is equal for networks of equal layers and losses; None if unknown.

    Initial values, seeds and names of Keras' own do not matter. `nodes` is the key of the layers.
    """
    losses = tuple(models.losses)
    if nodes is None or not all(isinstance(x.form, str) and not x.written for x in losses):
        return None
    kind = type(getattr(models.monitors, '__self__', None))
    places = {id(v): i for i, v in enumerate(layer_variables(models.nodes))}
    order = tuple(places.get(id(v)) for v in models.model.trainable_variables)
    if not _known(kind) or None in order:
        return None
    return nodes, losses, kind, models.data_spec.takes_labels, order


def of_nodes(nodes: Any) -> Hashable:
    """Return a key that is equal for layers of equal settings; None if unknown."""
    try:
        return tuple(map(_node, nodes)), keras.config.floatx(), keras.config.backend()
    except UnknownError:
        return None


def of_optimizer(optimizer: Any) -> Hashable:
    """Return a key for an optimizer without its learning rate; None if unknown."""
    try:
        config = optimizer.get_config()
        scheduled = isinstance(config.get('learning_rate'), dict)
        if not _known(type(optimizer)):
            return None
        return type(optimizer), _settings(config, () if scheduled else VALUES), scheduled
    except UnknownError:
        return None


def of_asked(asked: Any) -> Any:
    """Return the request for a graph without the weights of its regularizers; None if unknown."""
    for regularizer in asked.regularizers:
        if not _known(type(regularizer)) or isinstance(regularizer, regularizers.Function):
            return None
    plain = tuple(dataclasses.replace(r, weight=0.5) for r in asked.regularizers)
    return dataclasses.replace(asked, regularizers=plain)


def fills_up(models: Any, asked: Any, nodes: Hashable) -> bool:
    """Whether rows that do not count can be left out of all that is computed.

    `nodes` is the key of the layers.
    """
    if asked.monitors or asked.curvature or asked.gradients:
        return False
    if any(loss.whole or loss.written or not isinstance(loss.form, str) for loss in models.losses):
        return False
    if nodes is None or 'BatchNormalization' in str(nodes):
        return False
    return all(type(r) in BY_ROWS for r in asked.regularizers)


def twin(models: Any) -> Any:
    """Models over layers of the same kind, with values of their own."""
    nodes: list[Node] = []
    with _undisturbed():
        for node in models.nodes:
            layer = type(node.layer).from_config(node.layer.get_config())
            if node.spec.form == 'input':
                nodes.append(Node(node.spec, layer, layer.output))
                continue
            output = run_layer(layer, node.spec, lambda name: find_output(nodes, name))
            nodes.append(Node(node.spec, layer, output))
        model = builder.assemble(nodes)
    how = models.data_spec.takes_labels, models.data_spec.time_major
    spec = type(models.data_spec)(nodes, models.losses, model, *how)
    monitors = functools.partial(models.monitors.__func__, None)
    return type(models)(nodes, model, models.losses, monitors, spec)


def layer_variables(nodes: Any) -> list[Any]:
    """All variables of the layers, in their order."""
    return [v for node in nodes for v in node.layer.variables]


def _node(node: Any) -> Hashable:
    """Return a key for the settings of a layer."""
    layer, spec = node.layer, node.spec
    if not _known(type(layer)) or hasattr(layer, 'partner') or isinstance(layer, Probe):
        raise UnknownError
    output = tuple(node.output.shape), node.output.dtype
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')  # of functions that no file could hold
            settings = _settings(layer.get_config(), VALUES)
    except Warning:
        raise UnknownError from None
    return spec.name, spec.form, spec.inputs, spec.states, type(layer), settings, output


def _settings(config: Any, but: Any) -> str:
    """Return settings as JSON, without those that do not matter."""
    try:
        return json.dumps(_plain(config, but), sort_keys=True)
    except (TypeError, ValueError):
        raise UnknownError from None


def _plain(config: Any, but: Any) -> Any:
    if isinstance(config, (list, tuple)):
        return [_plain(item, but) for item in config]
    if not isinstance(config, dict):
        return config
    if 'class_name' in config and not str(config['class_name']).startswith('__'):
        module, registered = config.get('module') or '', config.get('registered_name') or ''
        if not (module.split('.')[0] in KNOWN or registered.startswith('kerasnets>')):
            raise UnknownError
    left_out = but if any(key in config for key in NAMED) else ()
    return {
        key: _plain(value, but)
        for key, value in config.items()
        if key not in left_out and not (left_out and key.endswith('_initializer'))
    }


def _known(cls: type) -> bool:
    return cls.__module__.split('.')[0] in KNOWN


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave Python's generator as it was: Keras draws seeds from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
