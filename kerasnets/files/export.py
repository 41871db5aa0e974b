"""Networks as files of other runtimes: TensorFlow's SavedModel, ONNX, LiteRT."""

from __future__ import annotations

import importlib.util
import keyword
import os
import pathlib
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets.errors import ConfigurationError, FileError
from kerasnets.files import atomic
from kerasnets.typing import Array, Path, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel

#: Suffix -> what Keras calls the format; a path without suffix is a folder.
FORMATS = {'': 'tf_saved_model', '.onnx': 'onnx', '.tflite': 'litert'}

#: What a folder of a SavedModel holds.
SAVED_MODEL = {'assets', 'fingerprint.pb', 'saved_model.pb', 'variables'}

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
            f'SavedModel), or a file ending in {" or ".join(filter(None, FORMATS))}. '
            'Choose such a path.'
        )
    others = set(os.listdir(path)) - SAVED_MODEL if path.is_dir() else set()
    if others:
        raise FileError(
            f'cannot export to {str(target)!r}: the folder holds other files, such as '
            f'{min(others)!r}, which would be replaced. Choose a new folder.'
        )
    target = FORMATS[path.suffix]
    backend = keras.backend.backend()
    if target not in MADE_ON.get(backend, ()):
        raise ConfigurationError(
            f'{target} cannot be made on {backend}. Save the network as .keras, and export it '
            'where KERAS_BACKEND is tensorflow.'
        )
    module, source = NEEDS.get((target, backend), (None, None))
    if module and not importlib.util.find_spec(module):
        raise ConfigurationError(
            f'export to {path.suffix} needs the package {module}, which is not installed. Run: '
            f'pip install {source}'
        )
    if target == 'onnx' and backend == 'tensorflow':
        _convert_more_operations()
    with atomic.replacing(path) as written:
        _renamed(net.model).export(written, format=target, verbose=False)
        if target == 'onnx':
            _check_onnx(net.model, written)


def _convert_more_operations() -> None:
    """Register Erfc and Expm1 with tf2onnx 1.17, which gelu and elu need."""
    from tf2onnx import handler

    def add(name: str, inner: str, constant_first: bool) -> None:
        def convert(cls: Any, /, graph: Any, node: Any, **kwargs: Any) -> None:
            dtype, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
            value = graph.make_node(inner, node.input).output[0]
            one = graph.make_const(f'{node.name}_one', np.array(1, np.float32)).output[0]
            inputs = [one, value] if constant_first else [value, one]
            graph.remove_node(node.name)
            graph.make_node(
                'Sub', inputs, outputs=node.output, shapes=[shape], dtypes=[dtype], name=node.name
            )

        handler.tf_op(name)(type(name, (), {'version_9': classmethod(convert)}))

    known = handler.tf_op.get_opsets().get('', [])
    for name, inner, constant_first in (('Erfc', 'Erf', True), ('Expm1', 'Exp', False)):
        if not any(name in opset for opset in known):
            add(name, inner, constant_first)


def _check_onnx(model: keras.Model, path: pathlib.Path) -> None:
    """Check an ONNX file; where onnxruntime is installed, compare it with the model.

    Raises
    ------
    ConfigurationError
        If the file does not run, or gives other numbers than the model.
    """
    import onnx

    try:
        onnx.checker.check_model(str(path))
        if not importlib.util.find_spec('onnxruntime'):
            return
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised
        session = onnxruntime.InferenceSession(str(path), options)
        rng = np.random.default_rng(0)
        batch = [_draw(tensor, rng) for tensor in model.inputs]
        outputs = session.run(None, {i.name: x for i, x in zip(session.get_inputs(), batch)})
    except Exception as error:
        raise ConfigurationError(
            f'the network cannot be written as ONNX: {" ".join(str(error).split())[:300]} '
            'Export it as a SavedModel, to a path without a suffix.'
        ) from error
    expected = keras.tree.flatten(model(batch if batch[1:] else batch[0]))
    for output, other in zip(outputs, map(keras.ops.convert_to_numpy, expected), strict=True):
        if output.shape != other.shape or not np.allclose(output, other, rtol=1e-3, atol=1e-4):
            raise ConfigurationError(
                'the network cannot be written as ONNX: the file gives other numbers than the '
                'network. Export it as a SavedModel, to a path without a suffix.'
            )


def _draw(tensor: Any, rng: np.random.Generator) -> Array:
    """Return a batch of two examples for an input; axes of any length get the length 5."""
    first, *rest = tensor.shape
    shape = (first or 2, *(n or 5 for n in rest))
    if 'int' in tensor.dtype:
        return np.zeros(shape, tensor.dtype)
    return rng.normal(size=shape).astype(tensor.dtype)


def _renamed(model: KerasModel) -> Any:
    """Return the model with inputs renamed if their names are Python keywords."""
    inputs = [
        keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            name='inputs' if keyword.iskeyword(tensor.name) else tensor.name,
        )
        for tensor in model.inputs
    ]
    inputs = inputs if inputs[1:] else inputs[0]
    renamed = keras.Model(inputs, model(inputs))
    renamed(keras.tree.map_structure(_example, inputs))  # Keras exports what was called
    return renamed


def _example(tensor: Tensor) -> Any:
    return keras.ops.zeros([n or 1 for n in tensor.shape], tensor.dtype)
