"""The Keras layer of each form, and access to its inner quantities.

A file per family; `form` holds the two kinds of table that the others fill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasnets.errors import ConfigurationError
from kerasnets.language import registry
from kerasnets.layers.attention import reach as reach
from kerasnets.layers.fast.variants import fast_variant as fast_variant
from kerasnets.layers.fast.variants import gains_by_xla as gains_by_xla
from kerasnets.layers.form import Anatomy as Anatomy
from kerasnets.layers.form import Form as Form
from kerasnets.layers.form import Output as Output
from kerasnets.layers.form import activation_of as activation_of
from kerasnets.layers.form import anatomy as anatomy
from kerasnets.layers.form import get_form as get_form
from kerasnets.layers.form import modules as modules
from kerasnets.layers.form import parts as parts
from kerasnets.layers.form import start as start


def register(name: str) -> Callable[[type], type]:
    """Return a decorator that makes a Keras layer class a form of the language of layers.

    It also registers the class with Keras for saving, unless that is done already.

    Parameters
    ----------
    name : str
        The form's name in lists of layers.

    Raises
    ------
    ConfigurationError
        If the name is taken, or the decorated object is not a class of Keras layers.

    >>> @kerasnets.register('twice')
    ... class Twice(keras.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> kerasnets.Network([3, 'twice']).predict(np.ones((1, 3))).tolist()
    [[2.0, 2.0, 2.0]]
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError(
            f"expected the name of a form, got {name!r}. Write for example @register('twice')."
        )

    def decorate(cls: Any) -> type:
        if not (isinstance(cls, type) and issubclass(cls, keras.layers.Layer)):
            raise ConfigurationError(
                f'expected a class of keras.layers.Layer, got {cls!r}. Derive the class from it.'
            )
        same = registry.OWN.get(name)
        if name.lower() in registry.FORMS or (same and same.__qualname__ != cls.__qualname__):
            raise ConfigurationError(f'the form {name!r} is taken. Choose another name.')
        if keras.saving.get_registered_object(keras.saving.get_registered_name(cls)) is None:
            cls = keras.saving.register_keras_serializable('kerasnets')(cls)
        registry.OWN[name] = cls
        return cls

    return decorate
