"""The classes of layers whose configuration and variables say everything they compute.

Networks share a compiled program only where all of their layers are in this table, and rows are
added to a batch only where each layer of it treats every row by itself. `tests/programs` shows
both of each class. A class that is not here is run in a program of the network's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from kerasnets import keras_facts
from kerasnets.layers.form import modules

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Stock layers that compute each row of a batch from that row alone.
_BY_ROWS = """
    Activation Add Attention Average AveragePooling1D AveragePooling2D AveragePooling3D
    Bidirectional Concatenate Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Cropping1D
    Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense
    Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D GroupNormalization Identity
    InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D
    MaxPooling3D Maximum Minimum MultiHeadAttention Multiply PReLU Permute RMSNormalization RNN
    ReLU RepeatVector Reshape SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax
    SpatialDropout1D SpatialDropout2D StackedRNNCells Subtract TimeDistributed UnitNormalization
    UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
""".split()

#: Stock layers that look at a batch as a whole, or add a loss that does.
_BY_BATCH = ['ActivityRegularization', 'BatchNormalization']

#: Layers of kerasnets that compute each row from that row alone, by the names that Keras saves.
_OURS = """
    BCRNNCell ClockworkCell Ensemble LearnedActivation MRNNCell MUT1Cell PeepholeLSTMCell RRNNCell
    Rescaled RotaryAttention SCRNCell
""".split()


def _table() -> dict[type, bool]:
    """Return class -> whether it computes each row of a batch from that row alone."""
    stock = [*((name, True) for name in _BY_ROWS), *((name, False) for name in _BY_BATCH)]
    table: dict[type, bool] = {getattr(keras.layers, name): rows for name, rows in stock}
    modules()  # which register the classes
    table.update({keras.saving.get_registered_object(f'kerasnets>{n}'): True for n in _OURS})
    # a model's layers are looked at one by one
    return {**table, keras.Sequential: True, type(_functional()): True}


def _functional() -> keras.Model:
    """Return a functional model, whose class Keras does not export."""
    entry = keras.Input((1,))
    return keras.Model(entry, keras.layers.Identity()(entry))


_made: dict[type, bool] = {}


def table() -> dict[type, bool]:
    """Return the table: class -> whether it computes each row from that row alone."""
    if not _made:
        _made.update(_table())
    return _made


def is_complete(cls: type) -> bool:
    """Return True if configuration and variables say everything that a layer class computes."""
    return cls in table()


def works_by_rows(layer: KerasLayer) -> bool:
    """Return True if a layer, and all that it is made of, treats each row by itself."""
    return all(
        table().get(type(one), False)
        and one.activity_regularizer is None
        and is_of_layers(one)
        and not _has_axis_of_rows(one)
        for one in keras_facts.parts(layer)
    )


def _has_axis_of_rows(layer: KerasLayer) -> bool:
    """Return True if a layer may work along the axis of the rows, as ``Softmax(axis=0)`` does."""
    axes: list[Any] = []
    for name in ('axis', 'axes', '_attention_axes'):
        value = getattr(layer, name, None)
        if not callable(value):
            axes += value if isinstance(value, (list, tuple)) else [value]
    known = isinstance(layer, keras.layers.Dot)  # whose axes are never those of the rows
    return not known and any(a is not None and a != -1 and a < 1 for a in axes)


def may_mask(layer: KerasLayer) -> bool:
    """Return True if a layer may mask time steps."""
    return any(
        getattr(one, 'mask_zero', False)
        or isinstance(one, keras.layers.Masking)
        or not is_complete(type(one))
        for one in keras_facts.parts(layer)
    )


def is_of_layers(layer: KerasModel) -> bool:
    """Return True if a model consists of layers alone, without operations of `keras.ops`."""
    operations = getattr(layer, 'operations', ())
    return all(isinstance(one, keras.layers.Layer) for one in operations)


def may_add_losses(layer: KerasLayer) -> bool:
    """Return True if a layer may add a loss when it is called."""
    return any(
        one.activity_regularizer is not None
        or not is_complete(type(one))
        or isinstance(one, keras.layers.ActivityRegularization)
        for one in keras_facts.parts(layer)
    )
