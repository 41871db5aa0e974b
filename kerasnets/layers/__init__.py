"""What each form of layer becomes in Keras, and how its insides are read.

A file per family; `form` holds the two kinds of table that the others fill.
"""

import importlib

import keras

from kerasnets import registry
from kerasnets.errors import ConfigurationError, suggest
from kerasnets.layers import dense
from kerasnets.layers.form import Anatomy, Form


def register(name):
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

    def decorate(cls):
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


def form(name):
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
            f'keras.layers has no class {name!r}.{suggest(name, [*classes, *registry.FORMS])}'
        )
    return Form(choose=lambda options: cls, activation=None)


def anatomy(layer):
    """The `Anatomy` of a Keras layer; an empty one where theanets had no such layer."""
    if isinstance(layer, keras.Model):
        return dense.of_sum(layer) or Anatomy()
    kind = type(getattr(layer, 'cell', None)) if type(layer) is keras.layers.RNN else type(layer)
    for module in registry.load_layers():
        if kind in module.ANATOMIES:
            return module.ANATOMIES[kind]
    return Anatomy()


def parts(layer, name):
    """Name -> layer of what holds parameters: the layer itself, or the halves of it."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {f'{name}_fw': layer.forward_layer, f'{name}_bw': layer.backward_layer}
    return {name: layer}


def activation_of(layer):
    """The activation of a layer, or of what a layer is made of; None if it has none."""
    if isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    return getattr(layer, 'activation', None)
