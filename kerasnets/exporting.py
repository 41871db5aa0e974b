"""Networks as files of other runtimes: TensorFlow's SavedModel, ONNX, LiteRT."""

import importlib.util
import keyword

import keras

from kerasnets import files
from kerasnets.errors import ConfigurationError, FileError

#: Suffix -> what Keras calls the format; a path without suffix is a folder.
FORMATS = {'': 'tf_saved_model', '.onnx': 'onnx', '.tflite': 'litert'}

#: Format -> the module that Keras needs for it on TensorFlow, and our extra that brings it.
NEEDS = {'onnx': ('tf2onnx', 'onnx')}


def export(net, path):
    """Write a network for inference elsewhere: see `Persistent.export`."""
    path = files.local(path)
    if path.suffix not in FORMATS:
        raise FileError(
            f'cannot export to {str(path)!r}: expected a folder (a path without suffix, for a '
            f'SavedModel), or a file ending in {" or ".join(filter(None, FORMATS))}.'
        )
    kind = FORMATS[path.suffix]
    module, extra = NEEDS.get(kind, (None, None))
    if module and keras.backend.backend() == 'tensorflow' and not importlib.util.find_spec(module):
        raise ConfigurationError(
            f"to export to {path.suffix} needs {module}: pip install 'kerasnets[{extra}]'."
        )
    with files.replacing(path) as target:
        _renamed(net.model).export(target, format=kind, verbose=False)


def _renamed(model):
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


def _example(tensor):
    return keras.ops.zeros([n or 1 for n in tensor.shape], tensor.dtype)
