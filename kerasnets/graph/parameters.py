"""Handles on parameters, under theanets' names and in theanets' layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets import activations, layers
from kerasnets.errors import DataError
from kerasnets.layers.form import Layout
from kerasnets.typing import Array, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, Variable


class Parameter:
    """One parameter of a layer.

    Attributes
    ----------
    name : str
        Such as ``'hid1.w'``.
    shape : tuple of int
    variable : keras.Variable
        Holds the values. It may hold those of other parameters too: a GRU's `hh`, `hr` and
        `hz` are parts of one Keras variable.
    """

    def __init__(self, name: str, variable: Variable, layout: Layout) -> None:
        self.name = name
        self.variable = variable
        self.layout = layout
        self.shape = layout.shape(tuple(self.variable.shape))

    @property
    def keras_name(self) -> str:
        """The attribute of the Keras layer: 'kernel', 'recurrent_kernel', 'bias'."""
        return self.layout.path.split('.')[-1]

    def get_value(self) -> Array:
        """Return a numpy copy of the values, in theanets' layout."""
        return np.array(keras.ops.convert_to_numpy(self.layout.read(_numpy(self.variable))))

    def set_value(self, array: Any) -> None:
        """Set the values from an array in theanets' layout.

        Raises
        ------
        DataError
            If its shape is not the parameter's, or it holds what is no number.
        """
        try:
            array = np.asarray(array, dtype='float32')
        except (TypeError, ValueError):
            raise DataError(
                f'{self.name}: expected numbers, got {array!r}. Pass an array of numbers.'
            ) from None
        if array.shape != self.shape:
            raise DataError(
                f'{self.name}: expected an array of shape {self.shape}, got {array.shape}. '
                'Pass one of that shape.'
            )
        self.variable.assign(self.layout.write(_numpy(self.variable), array))

    def __repr__(self) -> str:
        """Return a short description."""
        return f'<Parameter {self.name} {self.shape}>'


class Value(keras.layers.Layer):
    """The value of a parameter, read anew at each call with any tensor of the graph."""

    def __init__(self, param: Parameter, layers: list[KerasLayer]) -> None:
        super().__init__()
        self.param = param
        self.layers = layers  # so that their variables are those of the model

    def call(self, anchor: Tensor) -> Tensor:
        """Return the value."""
        return keras.ops.multiply(self.param.layout.read(self.param.variable), 1)

    def compute_output_spec(self, anchor: Tensor) -> Tensor:
        """Return the shape and dtype of the output."""
        return keras.KerasTensor(self.param.shape, dtype='float32')


def parameters(layer: KerasLayer, prefix: str) -> dict[str, Parameter]:
    """Return name -> `Parameter` of a built Keras layer.

    A layer that theanets did not have goes by the names of its Keras variables.
    """
    layouts = layers.anatomy(layer).params
    variables = {name: layout.variable(layer) for name, layout in layouts.items()}
    held = [v for v in variables.values() if v is not None]
    if not all(isinstance(v, keras.Variable) for v in held):  # a kernel that lora adds up
        layouts = {}
    if not layouts:
        variables = {}
        for v in layer.trainable_variables:
            variables[v.name if v.name not in variables else f'{v.name}_{len(variables)}'] = v
    variables.update(activations.learned(layer))
    return {
        name: Parameter(f'{prefix}.{name}', variable, layouts.get(name, Layout(variable.name)))
        for name, variable in variables.items()
        if variable is not None
    }


def _numpy(variable: Variable) -> Array:
    return np.array(keras.ops.convert_to_numpy(variable.value))
