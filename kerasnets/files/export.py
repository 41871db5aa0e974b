"""Networks as files of other runtimes: TensorFlow's SavedModel, ONNX, LiteRT."""

from __future__ import annotations

import importlib.util
import keyword
import pathlib
from typing import TYPE_CHECKING, Any

import keras

from kerasnets.errors import ConfigurationError, FileError
from kerasnets.files import atomic
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel

#: Suffix -> what Keras calls the format; a path without suffix is a folder.
FORMATS = {'': 'tf_saved_model', '.onnx': 'onnx', '.tflite': 'litert'}

#: Backend -> formats that are right there. On PyTorch, Keras 3.15 fails to make a SavedModel, and
#: its ONNX of a recurrent network gives other numbers than the network.
MADE_ON = {'tensorflow': FORMATS.values(), 'jax': ('tf_saved_model', 'onnx')}

#: Format and backend -> the module that Keras needs, and how to get it.
NEEDS = {
    ('onnx', 'tensorflow'): ('tf2onnx', "'kerasnets[onnx]'"),
    ('onnx', 'jax'): ('jax2onnx', 'jax2onnx'),
}


def export(net: Any, target: Path) -> None:
    """Write a network for inference elsewhere: see `Network.export`."""
    path = atomic.local(target)
    if path.suffix not in FORMATS:
        raise FileError(
            f'cannot export to {str(path)!r}: expected a folder (a path without suffix, for a '
            f'SavedModel), or a file ending in {" or ".join(filter(None, FORMATS))}.'
        )
    kind = FORMATS[path.suffix]
    backend = keras.backend.backend()
    if kind not in MADE_ON.get(backend, ()):
        raise ConfigurationError(
            f'{kind} cannot be made on {backend}. Save the network as .keras, and export it where '
            'KERAS_BACKEND is tensorflow.'
        )
    module, source = NEEDS.get((kind, backend), (None, None))
    if module and not importlib.util.find_spec(module):
        raise ConfigurationError(
            f'to export to {path.suffix} needs {module}: pip install {source}.'
        )
    with atomic.replacing(path) as target:
        _renamed(net.model).export(target, format=kind, verbose=False)


def _renamed(model: KerasModel) -> Any:
    """The model with inputs whose names are none of Python's: TensorFlow takes no 'in'."""
    inputs = [
        keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            name='inputs' if keyword.iskeyword(tensor.name) else tensor.name,
        )
        for tensor in model.inputs
    ]
    inputs = inputs if inputs[1:] else inputs[0]
    made = keras.Model(inputs, model(inputs))
    made(keras.tree.map_structure(_example, inputs))  # Keras exports what was called
    return made


def _example(tensor: Tensor) -> Any:
    return keras.ops.zeros([n or 1 for n in tensor.shape], tensor.dtype)
