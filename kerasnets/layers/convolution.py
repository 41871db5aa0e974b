"""Convolutions in time (`conv1`) and in space (`conv2`), and pooling (`pool1`, `pool2`).

theanets convolves truly, with the kernel turned round, and keeps its weights as (outputs,
inputs, rows, columns); Keras correlates, with (rows, columns, inputs, outputs).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, suggest
from kerasnets.layers.form import Anatomy, Form, Layout, Output, Pass
from kerasnets.typing import Shape, Tensor

#: theanets' keyword -> Keras'.
_RENAMED = {'filter_size': 'kernel_size', 'stride': 'strides', 'border_mode': 'padding'}


@dataclasses.dataclass(frozen=True)
class Filters(Layout):
    """The layout of a kernel of one or two axes."""

    axes: int = 2

    def read(self, value: Tensor) -> Tensor:
        """Return theanets' filters from Keras' array."""
        value = ops.flip(value, axis=tuple(range(self.axes)))
        value = ops.expand_dims(value, 0) if self.axes == 1 else value
        return ops.transpose(value, (3, 2, 0, 1))

    def write(self, value: Tensor, array: Tensor) -> Tensor:
        """Copy theanets' filters into Keras' array; return Keras'."""
        array = array.transpose(2, 3, 1, 0)
        array = array[0, ::-1] if self.axes == 1 else array[::-1, ::-1]
        value[...] = array
        return value

    def shape(self, shape: Shape) -> Shape:
        """Return the shape of theanets' filters."""
        *filters, inputs, outputs = shape
        return (outputs, inputs, *((1,) if self.axes == 1 else ()), *filters)


def _pre(run: Pass) -> Tensor:
    y = run.layer.convolution_op(run.inputs, run.layer.kernel)
    return y if run.layer.bias is None else y + run.layer.bias


def _conv(cls: Any) -> Form:
    return Form(choose=cls, renamed=_RENAMED, defaults={'data_format': 'channels_last'})


def _pool(axes: int) -> Form:
    classes = {
        'max': (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D)[axes - 1],
        'avg': (keras.layers.AveragePooling1D, keras.layers.AveragePooling2D)[axes - 1],
    }
    classes.update(average=classes['avg'], mean=classes['avg'])

    def choose(options: dict[str, Any]) -> type:
        mode = options.pop('mode', 'max')
        if mode not in classes:
            raise ConfigurationError(
                f'unknown mode of pooling {mode!r}.{suggest(mode, classes)} '
                'Choose one of: max, avg.'
            )
        return classes[mode]

    return Form(
        choose=choose,
        activation=None,
        defaults={'pool_size': 2},
        renamed=_RENAMED,
        own=('mode',),
    )


FORMS = {
    'conv1': _conv(keras.layers.Conv1D),
    'conv2': _conv(keras.layers.Conv2D),
    'pool1': _pool(1),
    'pool2': _pool(2),
}
ANATOMIES = {
    cls: Anatomy({'w': Filters('kernel', axes=axes), 'b': Layout('bias')}, {'pre': Output(_pre)})
    for axes, cls in ((1, keras.layers.Conv1D), (2, keras.layers.Conv2D))
}
