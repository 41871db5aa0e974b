"""Keras models as networks: their layers are the entries of the list."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras

from kerasnets.errors import ConfigurationError
from kerasnets.language.spec import LayerSpec
from kerasnets.layers import activation_of
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Options of a layer that is the whole network: its layers keep their own names.
WHOLE = MappingProxyType({'whole': True})

#: Axes of the inputs -> the module of the network's class.
MODULES = {2: 'feedforward', 3: 'recurrent', 4: 'convolution'}


def specs_of(model: KerasModel) -> list[LayerSpec]:
    """Return the specs of the layers of a built Keras model, the inputs first.

    Raises
    ------
    ConfigurationError
        For a model that is neither Sequential nor functional, or has no input shape yet.
    """
    if not isinstance(model, keras.Model) or not model.built or not getattr(model, 'inputs', None):
        raise ConfigurationError(
            'expected a built Sequential or functional model of Keras, got another one or one '
            'without an input shape. Give it an Input, or call it once.'
        )
    if isinstance(model, keras.Sequential):
        layers = [layer for layer in model.layers if not _is_input(layer)]
        first = _input('in', model.inputs[0], 0)
        names = [first.name, *(layer.name for layer in layers)]
        return [
            first,
            *(_spec(layer, i + 1, (f'{names[i]}:out',)) for i, layer in enumerate(layers)),
        ]
    return _functional(model)


def class_name(model: KerasModel) -> str:
    """Return the most suitable class for a model, such as 'recurrent.Classifier'."""
    module = MODULES.get(len(model.inputs[0].shape), 'feedforward')
    activation = activation_of(model.layers[-1])
    softmax = activation is keras.activations.softmax
    softmax = softmax or isinstance(model.layers[-1], keras.layers.Softmax)
    return f'{module}.{"Classifier" if softmax else "Regressor"}'


def _functional(model: KerasModel) -> list[LayerSpec]:
    """Return the specs of a graph's layers, or of the whole graph if a layer is shared."""
    calls = {entry['name']: entry['inbound_nodes'] for entry in model.get_config()['layers']}
    inputs = [layer for layer in model.layers if _is_input(layer)]
    others = [layer for layer in model.layers if not _is_input(layer)]
    specs = [_input(layer.name, layer.output, place) for place, layer in enumerate(inputs)]
    names = tuple(f'{spec.name}:out' for spec in specs)
    plain = {layer.name for layer in others if _is_plain(calls[layer.name])}
    if len(plain) + len(inputs) < len(calls):
        if len(model.outputs) > 1:
            raise ConfigurationError(
                f'the model has {len(model.outputs)} outputs, and a layer that is called more than '
                'once or with several arguments. Pass a model with one output.'
            )
        return [*specs, dataclasses.replace(_spec(model, len(specs), names), options=WHOLE)]
    sources = {layer.name: tuple(_sources(calls[layer.name][0]['args'])) for layer in others}
    read = {name for found in sources.values() for name in found}
    first = keras.tree.flatten(model.outputs)[0]
    ends = [x for x in others if f'{x.name}:out' not in read and x.output is first]
    order = [layer for layer in others if layer not in ends] + ends  # the last one is predicted
    places = range(len(specs), len(specs) + len(order))
    return [*specs, *(_spec(x, place, sources[x.name]) for x, place in zip(order, places))]


def _is_plain(calls: Any) -> bool:
    """Return True if a layer is called once, with one tensor or one list of tensors."""
    if len(calls) != 1 or len(calls[0]['args']) != 1:
        return False
    (given,), keywords = calls[0]['args'], calls[0]['kwargs']
    tensors = given if isinstance(given, list) else [given]
    first = all((_history(tensor) or (0, 0, 1))[2] == 0 for tensor in tensors)
    return first and not any(value is not None for value in keywords.values())


def _sources(value: Any) -> Iterator[str]:
    """Yield the names of the outputs in the arguments of a layer's call."""
    if isinstance(value, dict):
        history = _history(value)
        if history:
            yield f'{history[0]}:out'
            return
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _sources(part)


def _history(value: Any) -> Any:
    """Return (layer, call, output) of a tensor in a config; None for other values."""
    if isinstance(value, dict) and value.get('class_name') == '__keras_tensor__':
        return value['config']['keras_history']
    return None


def _is_input(layer: KerasLayer) -> bool:
    return isinstance(layer, keras.layers.InputLayer)


def _input(name: str, tensor: Tensor, place: int) -> LayerSpec:
    shape = tuple(tensor.shape[1:])
    return LayerSpec('input', name, place, shape, shape=shape)


def _spec(layer: KerasLayer, place: int, inputs: tuple[str, ...]) -> LayerSpec:
    return LayerSpec('keras', layer.name, place, layer, inputs=inputs, layer=layer)
