"""Monitors and gradient norms as symbolic scalars of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import keras
from keras import ops

from kerasnets import keras_facts
from kerasnets.backend import gradients
from kerasnets.errors import matching, scalar
from kerasnets.graph.nodes import Node
from kerasnets.graph.parameters import Parameter, Value
from kerasnets.monitors import Monitor
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel


def monitor_values(
    monitors: Sequence[Monitor],
    nodes: Sequence[Node],
    outputs: Mapping[str, Tensor],
    anchor: Tensor,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return name -> (value, mass) of all that the monitors match, as symbolic scalars."""
    params = {param.name: param for node in nodes for param in node.params()}
    held = [node.layer for node in nodes]
    one = anchor[(slice(None), *(0,) * (len(anchor.shape) - 1))]
    mass = ops.sum(ops.ones_like(one, dtype='float32'))
    values = {}
    for monitor in monitors:
        for name in matching(monitor.pattern, [*outputs, *params], 'the monitor'):
            tensor = outputs[name] if name in outputs else Value(params[name], held)(anchor)
            value = scalar(monitor.function(tensor), f'the monitor {name}{monitor.label}')
            values[f'{name}{monitor.label}'] = ops.cast(value, 'float32'), mass
    return values


class GradientNorms(keras.layers.Layer):
    """The squared norm of a loss's gradient with respect to each parameter.

    Parameters
    ----------
    model : keras.Model
        From all that the data holds to the loss.
    params : list of Parameter
    """

    def __init__(self, model: KerasModel, params: list[Parameter]) -> None:
        super().__init__()
        self.model = lambda: model  # not tracked: Keras forgets the losses of tracked layers
        self.params = params

    def call(self, data: list[Tensor]) -> Tensor:
        """Return the squared norms."""
        variables = list({id(p.variable): p.variable for p in self.params}.values())
        model = self.model()
        with keras_facts.without_losses(model):
            slopes = gradients(lambda: model(data, training=False), variables)
        by_variable = {id(v): g for v, g in zip(variables, slopes)}
        return [
            ops.sum(ops.square(p.layout.read(by_variable[id(p.variable)]))) for p in self.params
        ]

    def compute_output_spec(self, data: list[Tensor]) -> Tensor:
        """Return the shape and dtype of the output."""
        return [keras.KerasTensor((), dtype='float32') for _ in self.params]
