"""Copies of a network's layers, over which shared programs are compiled."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from kerasnets import keras_facts
from kerasnets.graph import builder
from kerasnets.graph.models import Models
from kerasnets.graph.nodes import Node, find_output, run_layer
from kerasnets.programs import key


def of_models(models: Models, losses: bool) -> Models:
    """Return models over layers of equal configuration, with variables of their own.

    They have the losses of the network if `losses` is true.

    Raises
    ------
    key.UnknownError
        If the configuration of a layer does not make it again.
    """
    nodes: list[Node] = []
    with keras_facts.seeded():
        for node in models.nodes:
            try:
                layer = type(node.layer).from_config(node.layer.get_config())
            except Exception as error:  # such as a function that is not registered with Keras
                raise key.UnknownError('a layer that its configuration does not make') from error
            given = layer if node.spec.layer is not None else None  # no layer of the network
            spec = dataclasses.replace(node.spec, layer=given, entry=repr(node.spec.entry))
            if spec.form == 'input':
                nodes.append(Node(spec, layer, layer.output))
                continue
            output = run_layer(layer, spec, lambda name: find_output(nodes, name))
            nodes.append(Node(spec, layer, output))
        model = builder.assemble(nodes)
    data, kept = models.data_spec, models.losses if losses else []
    copied = type(data)(nodes, kept, model, data.takes_labels, data.time_major)
    method: Any = models.monitors  # of the network, which a copy does not hold
    monitors = functools.partial(method.__func__, None)
    return Models(nodes, model, kept, monitors, copied)


def of_optimizer(optimizer: Any, models: Models) -> Any:
    """Return an optimizer of equal settings for the variables of other models.

    Raises
    ------
    key.UnknownError
        If something was set on the optimizer that its configuration does not tell.
    """
    with keras_facts.seeded():
        made = type(optimizer).from_config(optimizer.get_config())
    made.build(models.model.trainable_variables)
    if key.of_optimizer(made) != key.of_optimizer(optimizer):
        raise key.UnknownError('an optimizer with settings of its own')
    return made
