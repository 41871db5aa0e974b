"""theanets' activation objects: callables with a name and the parameters that they learn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets.activations import get
from kerasnets.errors import ConfigurationError
from kerasnets.typing import Data, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import Array


@dataclasses.dataclass(frozen=True)
class Built:
    """An activation for a layer: a callable, with a name and parameters as theanets has them.

    Attributes
    ----------
    name : str
        'norm:z(relu)' for 'relu+norm:z'.
    function : callable
    params : list
        Variables that it learns, for a layer of `size` units.
    """

    name: str
    function: Any
    params: list[Any]

    def __call__(self, x: Data) -> Tensor:
        """Apply the function."""
        return self.function(ops.convert_to_tensor(x))


@dataclasses.dataclass(frozen=True)
class Learned:
    """A parameter of an activation that is in no network: its name and values."""

    name: str
    variable: Any

    def get_value(self) -> Array:
        """Return the values, an array."""
        return np.array(ops.convert_to_numpy(self.variable.value))


def build(name: str, layer: Any = None, **kwargs: Any) -> Built:
    """Make an activation by theanets' name, for a layer with a `size` and a `name`.

    Parameters
    ----------
    name : str, Built or callable
    layer : layers.Layer, optional
        Needed where the activation learns parameters.

    >>> build('relu+norm:z').name, np.array(build('tanh')([0.])).tolist()
    ('norm:z(relu)', [0.0])
    """
    if isinstance(name, Built):
        return name
    if not isinstance(name, str):
        return Built(getattr(name, '__name__', str(name)), get(name), [])
    name = f'{name}:{kwargs["pieces"]}' if 'pieces' in kwargs else name
    first, *others = name.split('+')
    called = first
    for other in others:
        called = f'{other}({called})'
    function = get(name)
    if not isinstance(function, keras.layers.Layer):
        return Built(called, keras.activations.get(function), [])
    if getattr(layer, 'size', None) is None:
        raise ConfigurationError(
            f'{name!r} learns parameters: expected a layer with a size, got {layer!r}. '
            'Set the size of the layer.'
        )
    function.build((None, layer.size))
    params = [Learned(f'{layer.name}.{key}', getattr(function, key)) for key in function.parameters]
    return Built(called, function, params)
