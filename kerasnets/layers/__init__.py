"""The Keras layer of each form, and access to its inner quantities.

A file per family; `form` holds the two kinds of table that the others fill.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, check_known, suggest
from kerasnets.language import registry
from kerasnets.layers import attention, dense
from kerasnets.layers.attention import reach as reach
from kerasnets.layers.fast.trained import as_trained as as_trained
from kerasnets.layers.fast.trained import gains_by_xla as gains_by_xla
from kerasnets.layers.form import Anatomy, Form, Output, Pass


@functools.cache
def modules() -> list[ModuleType]:
    """Import every module of layers, so that Keras knows our classes, and return them."""
    names = sorted(set(registry.FORMS.values()))
    return [importlib.import_module(f'kerasnets.layers.{name}') for name in names]


def register(name: str) -> Callable[[type], type]:
    """Make a Keras layer class a form, by a decorator.

    The class is made known to Keras' saving too, if it is not yet.

    Parameters
    ----------
    name : str
        As it stands in lists of layers.

    Raises
    ------
    ConfigurationError
        If the name is taken, or what is decorated is no class of Keras layers.

    >>> @kerasnets.register('twice')
    ... class Twice(keras.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> kerasnets.Network([3, 'twice']).predict(np.ones((1, 3))).tolist()
    [[2.0, 2.0, 2.0]]
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f'expected the name of a form, got {name!r}.')

    def decorate(cls: Any) -> type:
        if not (isinstance(cls, type) and issubclass(cls, keras.layers.Layer)):
            raise ConfigurationError(f'expected a class of keras.layers.Layer, got {cls!r}.')
        same = registry.OWN.get(name)
        if name.lower() in registry.FORMS or (same and same.__qualname__ != cls.__qualname__):
            raise ConfigurationError(f'the form {name!r} is taken. Choose another name.')
        if keras.saving.get_registered_object(keras.saving.get_registered_name(cls)) is None:
            cls = keras.saving.register_keras_serializable('kerasnets')(cls)
        registry.OWN[name] = cls
        return cls

    return decorate


def form(name: str) -> Any:
    """The `Form` called `name`: one of kerasnets, or made for a class of keras.layers.

    Raises
    ------
    ConfigurationError
        If keras.layers has no such class.
    """
    if name in registry.FORMS:
        return importlib.import_module(f'kerasnets.layers.{registry.FORMS[name]}').FORMS[name]
    cls = registry.OWN.get(name) or getattr(keras.layers, name, None)
    if not (isinstance(cls, type) and issubclass(cls, keras.layers.Layer)):
        classes = [n for n in dir(keras.layers) if n[0].isupper()]
        raise ConfigurationError(
            f'expected a class of keras.layers, got {name!r}.'
            f'{suggest(name, [*classes, *registry.FORMS])}'
        )
    if hasattr(cls, 'as_form'):
        return cls.as_form()
    return Form(choose=lambda options: cls, activation=None)


def anatomy(layer: Any) -> Any:
    """Return the `Anatomy` of a Keras layer; an empty one if nothing inside it has a name."""
    if isinstance(layer, keras.Model):
        return dense.of_sum(layer) or attention.of_block(layer) or Anatomy()
    if isinstance(layer, keras.layers.Bidirectional):
        return _of_halves(layer)
    if hasattr(layer, 'as_anatomy'):
        return layer.as_anatomy()
    kind = type(getattr(layer, 'cell', None)) if type(layer) is keras.layers.RNN else type(layer)
    for module in modules():
        if kind in module.ANATOMIES:
            return module.ANATOMIES[kind]
    return Anatomy()


def parts(layer: Any, name: str) -> dict[str, Any]:
    """Name -> layer of what holds parameters: the layer itself, or what it is made of."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {f'{name}_fw': layer.forward_layer, f'{name}_bw': layer.backward_layer}
    if isinstance(layer, keras.Model) and not anatomy(layer).params:
        return {
            f'{name}/{k}': part
            for inner in layer.layers
            for k, part in parts(inner, inner.name).items()
        }
    return {name: layer}


def start(layer: Any, given: Any) -> Any:
    """States for a recurrent layer to start from, in the order in which it takes them.

    Parameters
    ----------
    layer : keras.layers.Layer
    given : dict of str to KerasTensor
        Some of the states by key, 'h_0' and so on, (examples, units); others are zeros.

    Raises
    ------
    ConfigurationError
        If the layer has no such state, or it has another shape.
    """
    if not given:
        return ()
    halves = list(parts(layer, layer.name).values())
    keys = anatomy(halves[0]).states
    check_known(given, keys, 'state of this layer')
    some = next(iter(given.values()))
    states = []
    for half in halves:
        for i, size in enumerate(keras.tree.flatten(half.cell.state_size)):
            state = given.get(keys[i]) if i < len(keys) else None
            if state is not None and tuple(state.shape[1:]) != (size,):
                raise ConfigurationError(
                    f'expected {keys[i]} of shape (any, {size}), got {tuple(state.shape)}. Name an '
                    'input with shape=(units,), or a layer that gives one vector for an example.'
                )
            states.append(ops.zeros_like(some[:, :size]) if state is None else state)
    return tuple(states)


def activation_of(layer: Any) -> Any:
    """The activation of a layer, or of what a layer is made of; None if it has none."""
    if isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    return getattr(layer, 'activation', None)


def _of_halves(layer: Any) -> Any:
    """The `Anatomy` of a bidirectional layer: its halves' outputs, aligned in time.

    'fw_pre' and 'bw_pre' are those of each half, 'pre' is both side by side.
    """
    insides = anatomy(layer.forward_layer).outputs
    if layer.merge_mode != 'concat' or not layer.return_sequences:
        return Anatomy()

    def half(run: Any, backwards: bool, read: Any = None) -> Any:
        inner = layer.backward_layer if backwards else layer.forward_layer
        width, count = run.y.shape[-1] // 2, len(run.states) // 2
        y = run.y[..., width:] if backwards else run.y[..., :width]
        if read is None:
            return y
        states = run.states[count:] if backwards else run.states[:count]
        y = ops.flip(y, axis=1) if backwards else y
        found = read(Pass(inner, run.given, y, states, run.mask))
        return ops.flip(found, axis=1) if backwards else found

    outputs = {
        'fw_out': Output(lambda run: half(run, False), after=True),
        'bw_out': Output(lambda run: half(run, True), after=True),
    }
    for name, inside in insides.items():
        for part, backwards in (('fw', False), ('bw', True)):
            outputs[f'{part}_{name}'] = Output(
                lambda run, b=backwards, read=inside.read: half(run, b, read), after=True
            )
        outputs[name] = Output(
            lambda run, read=inside.read: ops.concatenate(
                [half(run, backwards, read) for backwards in (False, True)], axis=-1
            ),
            after=True,
        )
    return Anatomy(outputs=outputs)
