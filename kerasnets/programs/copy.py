"""Copies of a network's layers, over which shared programs are compiled."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from kerasnets import keras_facts
from kerasnets.graph.nodes import Node, assemble, find_output, run_layer
from kerasnets.programs import key
from kerasnets.programs.models import Models


def of_models(models: Models, losses: bool) -> Models:
    """Return models over layers of equal configuration, with variables of their own.

    They have the losses of the network if `losses` is true.
    """
    nodes: list[Node] = []
    with keras_facts.seeded():
        for node in models.nodes:
            layer = type(node.layer).from_config(node.layer.get_config())
            given = layer if node.spec.layer is not None else None  # no layer of the network
            spec = dataclasses.replace(node.spec, layer=given, entry=repr(node.spec.entry))
            if spec.form == 'input':
                nodes.append(Node(spec, layer, layer.output))
                continue
            output = run_layer(layer, spec, lambda name: find_output(nodes, name))
            nodes.append(Node(spec, layer, output))
        model = assemble(nodes)
    kept = models.losses if losses else []
    method: Any = models.monitors  # of the network, which a copy does not hold
    monitors = functools.partial(method.__func__, None)
    return Models(nodes, model, kept, monitors, models.takes_labels, models.time_major)


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
