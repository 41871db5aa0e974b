"""Names for the types of what users pass and get."""

import os
from collections.abc import Iterable
from typing import IO, Any, TypeAlias

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
