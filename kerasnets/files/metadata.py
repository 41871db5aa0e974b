"""The parts of a network that its Keras model lacks, as plain data for ``kerasnets.json``."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import kerasnets
from kerasnets.data.columns import Columns
from kerasnets.errors import FileError
from kerasnets.files.atomic import damaged
from kerasnets.graph import nodes as graph_nodes
from kerasnets.graph.nodes import Probe
from kerasnets.language.spec import LayerSpec
from kerasnets.losses import WRITTEN, Loss
from kerasnets.text import Text
from kerasnets.typing import Json

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel

log = logging.getLogger(__name__)

VERSION = 1

#: Functions that import the modules of networks, which defines the subclasses.
PROVIDERS: list[Callable[[], object]] = []


def describe(net: Any) -> Json:
    """Return the parts of a network that its Keras model lacks, as plain data for JSON."""
    text = getattr(net, 'text', None)
    return {
        'version': VERSION,
        'kerasnets': kerasnets.__version__,
        'class': class_name(type(net)),
        'layers': [_spec(spec) for spec in net.specs],
        'losses': [_loss(loss) for loss in net.losses],
        'text': text and text.about(),
        'table': net.table and net.table.as_dict(),
        'time_major': net.time_major,
        'class_names': _plain(getattr(net, 'class_names', None)),
        'feedback': _plain(getattr(net, 'feedback', None)),
    }


def restore(about: Json, model: KerasModel, cls: type) -> Any:
    """Return the network that `describe` described, over a model that Keras has loaded."""
    if about['version'] > VERSION:
        raise FileError(
            f'the file was written by a newer kerasnets (format {about["version"]}, this one '
            f'reads {VERSION}). Upgrade kerasnets.'
        )
    known = classes(cls)
    if about['class'] not in known:
        raise other_class(about['class'], cls)
    net = known[about['class']](loss=None)
    net.losses = list(filter(None, map(_loss_from, about['losses'])))
    specs = [_spec_from(fields, model) for fields in about['layers']]
    _check_all_described(specs, model)
    net.adopt(graph_nodes.adopt(specs, model), model)
    net.time_major = about.get('time_major', False)
    if about.get('class_names'):
        net.class_names = list(about['class_names'])
    if about.get('feedback') is not None:
        net.feedback = list(about['feedback'])
    if about['text']:
        net.text = Text.from_dict(about['text'])
    if about.get('table'):
        net.table = Columns.from_dict(about['table'])
    return net


def _check_all_described(specs: list[LayerSpec], model: KerasModel) -> None:
    names = {spec.name for spec in specs}
    for layer in [] if model.name in names else model.layers:
        if not isinstance(layer, (keras.layers.InputLayer, Probe)) and layer.name not in names:
            raise damaged(f'the file has a layer {layer.name!r} without a description')


def _loss(loss: Loss) -> Json:
    """Return a loss as plain data: a Keras loss by its config, a function by its name."""
    fields = {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}
    if loss.is_custom:
        fields['form'] = {'written': type(loss).__name__.lower()}
    elif isinstance(loss.form, keras.losses.Loss):
        fields['form'] = {'keras': keras.losses.serialize(loss.form)}
    elif not isinstance(loss.form, str):
        fields['form'] = {'function': loss.name}
    return fields


def _loss_from(fields: dict[str, Any]) -> Any:
    form = fields['form']
    if isinstance(form, dict) and 'written' in form:
        if form['written'] in WRITTEN:
            return Loss.build(form['written'], **{k: v for k, v in fields.items() if k != 'form'})
        form = {'function': form['written']}
    if isinstance(form, dict) and 'function' in form:
        log.warning(
            'the loss %s is a function, which cannot be saved. Set it again with set_loss().',
            *form.values(),
        )
        return None
    if isinstance(form, dict):
        form = keras.losses.deserialize(form['keras'])
    return Loss.build(form, **{k: v for k, v in fields.items() if k != 'form'})


def classes(cls: type) -> dict[str, type[Any]]:
    """Return a class of networks and its subclasses, by their names in files."""
    for load in PROVIDERS:
        load()
    return {class_name(c): c for c in _with_subclasses(cls)}


def all_classes(cls: type) -> dict[str, type[Any]]:
    """Return all classes of networks by their names in files; `cls` is one of them."""
    return classes([base for base in cls.__mro__ if hasattr(base, 'from_keras')][-1])


def _with_subclasses(cls: Any) -> Iterator[type]:
    yield cls
    for derived in cls.__subclasses__():
        yield from _with_subclasses(derived)


def _spec(spec: LayerSpec) -> dict[str, Any]:
    """Return a spec as plain data; the model keeps activations that JSON cannot hold."""
    fields = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    del fields['layer'], fields['sizes']
    fields['options'] = {k: _plain(v) for k, v in spec.options.items()}
    fields['activation'] = _plain(spec.activation)
    fields['entry'] = _plain(spec.entry)
    return fields


def _plain(value: Any) -> Json:
    """Return a value in the types of JSON; its repr if they cannot hold it."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return {'tuple': [_plain(v) for v in value]}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _value_from(value: Any) -> Json:
    if isinstance(value, dict):
        if set(value) == {'tuple'}:
            return tuple(_value_from(v) for v in value['tuple'])
        return {k: _value_from(v) for k, v in value.items()}
    return [_value_from(v) for v in value] if isinstance(value, list) else value


def _spec_from(fields: dict[str, Any], model: KerasModel) -> LayerSpec:
    fields = dict(fields)
    for name in ('shape', 'inputs'):
        fields[name] = fields[name] and tuple(fields[name])
    fields['inputs'] = fields['inputs'] or ()
    fields['states'] = tuple(map(tuple, fields.get('states', ())))
    for name in ('entry', 'activation', 'options'):
        fields[name] = _value_from(fields[name])
    layer = None
    if fields['form'] == 'keras':
        whole = fields['name'] == model.name
        layer = model if whole else model.get_layer(fields['name'])
        fields['entry'] = layer
    return LayerSpec(layer=layer, **fields)


def class_name(cls: type) -> str:
    """Return the name of a network class in files, such as 'recurrent.Classifier'."""
    return f'{cls.__module__.rpartition(".")[2]}.{cls.__name__}'


def other_class(held: str, cls: type) -> FileError:
    """Return the error for a file with a network of another class than requested."""
    return FileError(
        f'the file holds a {held}, not a {cls.__name__}. Open it with kerasnets.load().'
    )
