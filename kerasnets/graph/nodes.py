"""The layers of a network as nodes of a graph, and how data runs through them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import keras

from kerasnets import layers
from kerasnets.errors import ConfigurationError, suggest
from kerasnets.graph import masks
from kerasnets.graph.parameters import parameters
from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Pass
from kerasnets.typing import Tensor


@dataclasses.dataclass(frozen=True)
class Node:
    """A layer of the network: what was asked for, what it is, what it gives."""

    spec: LayerSpec
    layer: keras.layers.Layer
    output: Tensor

    @property
    def name(self) -> Any:
        return self.spec.name

    def parts(self) -> Any:
        """Name -> {name -> Parameter} of the layer, or of what it is made of."""
        if self.spec.form == 'input':
            return {self.name: {}}
        found = layers.parts(self.layer, self.name)
        if self.spec.options.get('whole'):  # the network's only layer: no need to name it
            found = {name.removeprefix(f'{self.name}/'): part for name, part in found.items()}
        return {name: parameters(layer, name) for name, layer in found.items()}

    def params(self) -> Any:
        """All `Parameter`s of the layer."""
        return [param for part in self.parts().values() for param in part.values()]

    def outputs(self) -> Any:
        """Name -> `Output` of what can be read inside the layer, beside its 'out'."""
        insides = layers.anatomy(self.layer).outputs
        whole = getattr(self.layer, 'return_sequences', True)
        return {name: o for name, o in insides.items() if whole or not o.after}


@keras.saving.register_keras_serializable('kerasnets')
class Probe(keras.layers.Layer):
    """Reads a quantity inside another layer, with that layer's own weights.

    Parameters
    ----------
    layer : keras.layers.Layer
    part : str
        Name of one of the outputs in its anatomy, such as 'pre'.
    """

    def __init__(self, layer: Any, part: Any, **kwargs: Any) -> None:
        super().__init__(**{'dtype': layer.dtype_policy, **kwargs})
        self.supports_masking = True
        self.layer = layer
        self.part = part

    def compute_output_spec(self, x: Any, *after: Any, **kwargs: Any) -> Any:
        output = layers.anatomy(self.layer).outputs[self.part]
        if output.after:
            return super().compute_output_spec(x, *after, **kwargs)
        found = output.read(Pass(self.layer, x))  # Keras infers the shape without tracing it
        return keras.KerasTensor(found.shape, dtype=found.dtype)

    def call(
        self, x: Any, y: Any = None, states: Any = (), mask: Any = None, x_mask: Any = None
    ) -> Any:
        # Keras fills in the one mask or the other, by the number of tensors
        masks = [m for m in keras.tree.flatten([mask, x_mask]) if m is not None]
        run = Pass(self.layer, x, y, tuple(states), masks[0] if masks else None)
        return layers.anatomy(self.layer).outputs[self.part].read(run)

    def get_config(self) -> Any:
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), 'layer': layer, 'part': self.part}

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The probe again; within one file Keras finds the layer that is there already."""
        layer = keras.saving.deserialize_keras_object(config['layer'])
        return cls(**{**config, 'layer': layer})


def inputs_of(nodes: Any) -> Any:
    """Name -> KerasTensor of what the network reads."""
    return {node.name: node.output for node in nodes if node.spec.form == 'input'}


def classes_of(nodes: Any, name: str) -> Any:
    """Number of labels that an input of integers takes; None for an input of values."""
    (source,) = (node for node in nodes if node.name == name)
    for node in nodes:
        if isinstance(node.layer, keras.layers.Embedding) and f'{name}:out' in node.spec.inputs:
            return node.layer.input_dim
    return source.spec.size if 'int' in source.output.dtype else None


def reach_of(nodes: Any) -> int | None:
    """The number of steps that a network has learned positions for; None for any number."""
    found = [layers.reach(node.layer) for node in nodes]
    return min((steps for steps in found if steps is not None), default=None)


def is_chain(nodes: Any) -> Any:
    """Whether each layer reads the one before it, and nothing else."""
    before = [(), *((f'{node.name}:out',) for node in nodes)]
    return all(
        node.spec.inputs == source and not node.spec.states for node, source in zip(nodes, before)
    )


def shares_weights(model: Any) -> Any:
    """Whether a layer of the model uses the weights of another one."""
    return any(hasattr(layer, 'partner') or isinstance(layer, Probe) for layer in model.layers)


def output_names(nodes: Any) -> Any:
    """Every name that `connect` can be asked for: 'in:out', 'hid1:out', 'hid1:pre', …"""
    return [f'{node.name}:{part}' for node in nodes for part in ('out', *node.outputs())]


def full_name(nodes: Any, name: Any = None) -> Any:
    """'hid1:out' for 'hid1'; for None the output of the last layer."""
    name = nodes[-1].name if name is None else name
    return name if ':' in name else f'{name}:out'


def find_output(nodes: Any, name: Any = None) -> Any:
    """The KerasTensor of an output by name, such as 'hid1:out' or 'hid1'; default the last."""
    name = full_name(nodes, name)
    return connect(nodes, {node.name: node.output for node in nodes}, [name])[name]


class Flow(Mapping[str, Any]):
    """All outputs of a network over some inputs, by name, each computed when first asked for.

    Parameters
    ----------
    nodes : list of Node
    inputs : dict of str to KerasTensor
        Outputs that are given, by name: those of the input layers, or of layers further on.
        Only the layers between them and the outputs asked for are run.
    padded : bool
        Whether masks go along with the inputs.
    change : callable, optional
        (name, tensor) -> tensor, for each output before other layers read it.
    swift : bool
        Whether layers are run in the way that is faster to train.
    training : bool, optional
        What layers are told of training. Default: what the model around them is told.

    Asking for a name that is not there raises ConfigurationError.
    """

    def __init__(
        self,
        nodes: Any,
        inputs: Any,
        padded: bool = False,
        change: Any = None,
        swift: bool = False,
        training: bool | None = None,
    ) -> None:
        self.training = training
        self.nodes = {node.name: node for node in nodes}
        self.swift = swift and not padded
        self.padded = padded
        self.change = change or (lambda name, tensor: tensor)
        self.made = {full_name(nodes, name): tensor for name, tensor in inputs.items()}
        self.changed = {name: self.change(name, tensor) for name, tensor in self.made.items()}

    @functools.cached_property
    def names(self) -> Any:
        """Every name there is; what is found in the layers is looked up only when asked for."""
        return output_names(self.nodes.values())

    def __getitem__(self, name: str) -> Any:
        if name not in self.changed:
            if name not in self.names:
                raise ConfigurationError(
                    f'the network has no output {name!r}.{suggest(name, self.names)} '
                    f'It has: {", ".join(self.names)}.'
                )
            self.made[name] = self._run(*name.split(':'))
            self.changed[name] = self.change(name, self.made[name])
        return self.changed[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> Any:
        return len(self.names)

    def _run(self, name: str, part: Any) -> Any:
        node = self.nodes[name]
        if part == 'out':
            swift = self.swift and not node.spec.states
            layer = layers.as_trained(node.layer) if swift else node.layer
            return run_layer(layer, node.spec, self.__getitem__, self.padded, self.training)
        y = None
        if node.outputs()[part].after:
            self[f'{name}:out']
            y = self.made[f'{name}:out']  # as the layer made it, without the change
        x, states = _read(node.layer, node.spec, self.__getitem__)
        return Probe(node.layer, part)(x, y, states)


def connect(
    nodes: Any,
    inputs: Any,
    wanted: Any,
    padded: bool = False,
    change: Any = None,
    training: bool | None = None,
) -> Any:
    """The wanted outputs over some inputs, a dict by name; the rest is as for `Flow`."""
    flow = Flow(nodes, inputs, padded, change, training=training)
    return {name: flow[name] for name in wanted}


def _read(layer: Any, spec: Any, tensor: Any) -> Any:
    """Return the tensors that a layer reads, and its initial states.

    `tensor` finds an output by its name.
    """
    sources = [tensor(name) for name in spec.inputs]
    states = {key: tensor(name) for key, name in spec.states}
    return sources[0] if len(sources) == 1 else sources, layers.start(layer, states)


def run_layer(
    layer: Any, spec: Any, tensor: Any, padded: bool = False, training: bool | None = None
) -> Any:
    """The output of a layer over the outputs that its spec names."""
    x, states = _read(layer, spec, tensor)
    kwargs = {'initial_state': states} if states else {}
    if training is not None and 'training' in inspect.signature(layer.call).parameters:
        kwargs['training'] = training  # some layers of Keras train unless they are told otherwise
    return masks.run(layer, x, **kwargs) if padded else layer(x, **kwargs)
