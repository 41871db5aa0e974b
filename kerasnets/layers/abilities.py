"""What each class of layers can do: one table, and questions about a layer answered by it.

A class that is not in the table has none of the abilities: it runs in a program of the network's
own, reads whole sequences, and rows are not added to its batches. Tests judge each entry by what
Keras computes.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import keras

from kerasnets import keras_facts
from kerasnets.layers.form import modules

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel


@dataclasses.dataclass(frozen=True)
class Abilities:
    """What a class of layers can do."""

    #: Configuration and variables determine all that it computes, so that networks may share a
    #: compiled program.
    shared: bool = False
    by_rows: bool = False  # computes each row of a batch from that row alone
    by_steps: bool = False  # treats each time step by itself
    joins: bool = False  # merges several inputs step by step
    loses_mask: bool = False  # in Keras takes no mask of steps, though every step stays in place
    gains_by_xla: bool = False  # trains faster under XLA on a CPU, as measured
    refused: str = ''  # why a file may not contain it


NONE = Abilities()
_BATCH = Abilities(shared=True)  # looks at a batch as a whole, or adds a loss that does
_ROWS = Abilities(shared=True, by_rows=True)
_STEPS = Abilities(shared=True, by_rows=True, by_steps=True)
_JOINS = Abilities(shared=True, by_rows=True, joins=True)


def _with(abilities: Abilities, **changes: Any) -> Abilities:
    return dataclasses.replace(abilities, **changes)


#: Abilities -> names of the classes that have them: of keras.layers, or as kerasnets saves them.
_CLASSES: dict[Abilities, str] = {
    _ROWS: """
        Attention AveragePooling1D AveragePooling2D AveragePooling3D Bidirectional Conv1D Conv2D
        Conv3D Conv1DTranspose Conv2DTranspose Cropping1D Cropping2D Cropping3D DepthwiseConv1D
        DepthwiseConv2D Dot EinsumDense GRU GRUCell GlobalAveragePooling1D GlobalAveragePooling2D
        GlobalMaxPooling1D GlobalMaxPooling2D GroupNormalization LSTM LSTMCell Masking
        MaxPooling1D MaxPooling2D MaxPooling3D MultiHeadAttention PReLU Permute RNN RepeatVector
        SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell SpatialDropout2D StackedRNNCells
        UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
        BCRNNCell ClockworkCell Ensemble LearnedActivation MRNNCell MUT1Cell PeepholeLSTMCell
        RRNNCell Rescaled RotaryAttention SCRNCell""",
    _with(_ROWS, gains_by_xla=True): 'Flatten InputLayer Reshape',
    _with(_ROWS, loses_mask=True): 'Functional Sequential',  # whose layers are looked at singly
    _STEPS: """
        ELU GaussianDropout GaussianNoise Identity LeakyReLU ReLU SpatialDropout1D TimeDistributed
        UnitNormalization""",
    _with(_STEPS, gains_by_xla=True): 'Activation Dense Dropout LayerNormalization',
    _with(_STEPS, gains_by_xla=True, loses_mask=True): 'Embedding Softmax',
    _with(_STEPS, loses_mask=True): 'RMSNormalization',
    _JOINS: 'Average Maximum Minimum Subtract',
    _with(_JOINS, gains_by_xla=True): 'Add Concatenate Multiply',
    _with(_BATCH, by_steps=True): 'ActivityRegularization BatchNormalization',
    Abilities(by_steps=True): 'AlphaDropout Rescaling',
    Abilities(loses_mask=True): 'Model',
    NONE: 'Tied',  # which shares the weights of another layer
    Abilities(
        refused='runs code that lies in the file'
    ): 'Lambda TorchModuleWrapper JaxLayer FlaxLayer',
    Abilities(refused='runs a program that lies elsewhere'): 'TFSMLayer',
}

#: Name of a class -> its abilities.
BY_NAME = {name: found for found, names in _CLASSES.items() for name in names.split()}


@functools.cache
def table() -> dict[type, Abilities]:
    """Return the table: class -> its abilities, without classes that files may not contain."""
    modules()  # which register the classes
    entry = keras.Input((1,))
    functional = type(keras.Model(entry, keras.layers.Identity()(entry)))  # Keras hides its name
    models = {'Functional': functional, 'Sequential': keras.Sequential, 'Model': keras.Model}
    return {
        models.get(name)
        or getattr(keras.layers, name, None)
        or keras.saving.get_registered_object(f'kerasnets>{name}'): abilities
        for name, abilities in BY_NAME.items()
        if not abilities.refused
    }


def of(cls: type) -> Abilities:
    """Return the abilities of a class of layers.

    A class derived from one in the table may compute anything, so it has none but what its
    `call` cannot change: it loses masks as its base does.
    """
    if cls in table():
        return table()[cls]
    base = next((table()[one] for one in cls.__mro__ if one in table()), NONE)
    return Abilities(loses_mask=base.loses_mask)


def works_by_rows(layer: KerasLayer) -> bool:
    """Return True if a layer computes each row of a batch from that row alone.

    The layers inside it must do so too.
    """
    return all(
        of(type(one)).by_rows
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
        or not of(type(one)).shared
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
        or not of(type(one)).shared
        or isinstance(one, keras.layers.ActivityRegularization)
        for one in keras_facts.parts(layer)
    )
