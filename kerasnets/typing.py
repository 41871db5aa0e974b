"""Names for the types of what users pass and get."""

import os
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

#: Arrays, lists of sequences, lists and dicts of arrays for several inputs, data frames, sparse
#: matrices; for training also callables, generators and datasets.
Data: TypeAlias = Any

#: An array, or for a list of sequences a list of arrays.
Found: TypeAlias = Any

#: Of the language of layers: an int, a tuple, a dict, a name or a Keras layer.
Entry: TypeAlias = Any
Layers: TypeAlias = Iterable[Entry]

Seed: TypeAlias = int | np.random.Generator | np.random.RandomState | None
Path: TypeAlias = str | os.PathLike[str]
File: TypeAlias = Path | IO[bytes]

#: The monitors of an epoch: 'loss', 'err', 'acc', …
Monitors: TypeAlias = dict[str, float]

#: A tensor of the backend, or a symbolic one of Keras, which has no types.
Tensor: TypeAlias = Any

#: Sizes of the axes of an array or a tensor; None for any size.
Shape: TypeAlias = tuple[Any, ...]

#: The configuration of a Keras object, as `get_config` gives it.
Config: TypeAlias = dict[str, Any]

#: A function of tensors, such as an activation.
TensorFunction: TypeAlias = Callable[..., Tensor]

#: Tensors in any nesting of lists, tuples and dicts, such as the states of a cell.
Tensors: TypeAlias = Any

#: Data that JSON holds: dicts, lists, texts, numbers.
Json: TypeAlias = Any

#: What Keras passes to a callback.
Logs: TypeAlias = dict[str, Any] | None

#: An activation by name, or a callable; None for the default.
Activation: TypeAlias = str | TensorFunction | None

if TYPE_CHECKING:  # Keras has no types yet: to a checker these are Any
    import keras

    KerasLayer: TypeAlias = keras.layers.Layer
    KerasModel: TypeAlias = keras.Model
    KerasOptimizer: TypeAlias = keras.optimizers.Optimizer
    Variable: TypeAlias = keras.Variable
