"""Networks as Keras files, with kerasnets' own metadata in the same file.

A `.keras` file is a zip in which Keras reads the members that it knows; an `.h5` file is HDF5
in which Keras reads the group that it knows. The description of the network, a JSON text, is a
member (or dataset) of its own called ``kerasnets.json``. An `.h5` file is sealed with a digest;
a zip has its own.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import pathlib
import shutil
import tempfile
import types
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np

from kerasnets import devices, keras_facts
from kerasnets.errors import FileError, positive, stacklevel
from kerasnets.files import atomic, contents, keras_models, metadata, policy
from kerasnets.files.theanets import network as theanets
from kerasnets.graph.nodes import shares_weights
from kerasnets.typing import Config, File, Json, Tensor, TensorFunction

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel, KerasOptimizer

#: Members of a .keras archive that Keras reads, in addition to its folder of assets.
KERAS_MEMBERS = ('metadata.json', 'config.json', 'model.weights.h5', 'model.weights.npz')

#: Suffixes of the formats; a file with another name is a .keras archive.
SUFFIXES = ('.weights.h5', '.keras', '.h5')

#: What has no description of its own in a file, as objects of a class have.
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, functools.partial)


def save(net: Any, target: Any, members: Mapping[str, bytes] = MappingProxyType({})) -> None:
    """Write a network to a path or a binary file.

    A path ending in .h5 or .weights.h5 gets that format, any other a .keras archive.

    The file is written next to its target, read back, and then replaces it. `members` are
    additional members of a .keras file, as bytes by name.
    """
    if hasattr(target, 'write'):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'model.keras')
            _write(net, path, '.keras', members)
            with open(path, 'rb') as written:
                shutil.copyfileobj(written, target, atomic.BLOCK)
        return
    target = atomic.local(target)
    suffix = next((s for s in SUFFIXES if target.name.endswith(s)), '.keras')
    if not target.name.endswith(suffix):
        warnings.warn(
            f'{str(target)!r} is written as a .keras archive. kerasnets.load() opens it; plain '
            f'Keras requires a name that ends in .keras.',
            stacklevel=stacklevel(),
        )
    unfit = _unfit(net.model) if suffix == '.h5' else None
    if unfit:
        raise FileError(
            f'cannot write {str(target)!r}: {unfit}, which an .h5 file cannot store. '
            f'Write {str(target.with_suffix(".keras"))!r} instead.'
        )
    if devices.is_first():
        with atomic.replacing(target) as path, devices.alone():
            unknown = _write(net, path, suffix, members)
        if unknown and not members:
            warnings.warn(
                f'{str(target)!r} has the activation {", ".join(sorted(unknown))}, which plain '
                'Keras does not find by its name. kerasnets.load() opens the file.',
                stacklevel=stacklevel(),
            )
    if not members:  # processes do not wait for a checkpoint: each has its own clock
        devices.together(f'saved {target.name}')


def load(
    source: File, cls: type, max_params: int | None = None, max_values: int | None = None
) -> Any:
    """Read a network of class `cls`, or of one derived from it, from a path or a binary file."""
    if max_values is not None:
        max_values = positive(max_values, 'max_values')
    if max_params is not None:
        max_params = positive(max_params, 'max_params')
    with atomic.reading(source) as path:
        suffix = atomic.format_of(path)
        if suffix == '.pkl':
            net = theanets.load(path.read_bytes(), metadata.all_classes(cls), max_params)
            if not isinstance(net, cls):
                raise metadata.other_class(type(net).__name__, cls)
            return net
        stored = contents.read(path)
        if stored.config is None:
            raise FileError(
                'the file holds only weights. Build the network and call its load_weights().'
            )
        objects = policy.check(stored, max_params, max_values)
        with keras.saving.custom_object_scope(objects):
            if suffix == '.keras':
                model = keras_facts.load_model(_for_keras(path))
            else:
                with _named(path, suffix) as link:
                    model = keras.saving.load_model(link, custom_objects=objects)
                    if stored.optimizer:
                        _restore_optimizer(model, link)
        if stored.about is None:
            return _of(model, cls)
        return metadata.restore(stored.about, model, cls)


def load_weights(net: Any, source: File) -> None:
    """Set all parameters of a network to those of a file; on an error, change none."""
    with atomic.reading(source) as path:
        stored = contents.read(path)
        policy.compare(net.model, stored.weights)
        before = [np.array(keras.ops.convert_to_numpy(w)) for w in net.model.weights]
        try:
            with _named(path, stored.format) as link:
                net.model.load_weights(link)
        except Exception:
            for weight, value in zip(net.model.weights, before):
                weight.assign(value)
            raise


def _for_keras(path: pathlib.Path) -> io.BytesIO:
    """Return a .keras archive in memory, without our own members.

    Keras unpacks an archive with more members than its own to the disk, which may be full.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(memory, 'w') as target:
        for name in source.namelist():
            if name in KERAS_MEMBERS or name.startswith('assets/'):
                target.writestr(name, source.read(name))
    return memory


@contextlib.contextmanager
def _named(path: pathlib.Path, suffix: str | None) -> Iterator[Any]:
    """Yield a path of the file with the suffix that Keras requires for its format.

    A .keras file always gets a new path, since Keras may extract its arrays next to it.
    """
    if suffix is not None and suffix != '.keras' and path.name.endswith(suffix):
        with _quiet():
            yield path
        return
    with tempfile.TemporaryDirectory() as folder, _quiet():
        link = pathlib.Path(folder, f'model{suffix}')
        os.symlink(path.resolve(), link)
        yield link


def _unfit(model: KerasModel) -> str | None:
    """Return the property of a model that an .h5 file cannot hold; None if there is none."""
    if shares_weights(model):
        return 'layers of this network share weights'
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if any(not isinstance(o, keras.Layer) for m in inner for o in getattr(m, 'operations', ())):
        return 'a layer of this network has operations of keras.ops, as learned positions are'
    return None


def _write(net: Any, path: pathlib.Path, suffix: str, members: Mapping[str, bytes]) -> set[str]:
    """Write a network and verify the file.

    Returns the names of functions that plain Keras does not find.
    """
    unknown = set() if suffix == '.weights.h5' else _check_activations(net.model)
    about = json.dumps(metadata.describe(net))
    if suffix == '.keras':
        written = path.with_name(f'{path.name}.keras')  # the only name that Keras writes
        net.model.save(written)
        os.replace(written, path)
        with zipfile.ZipFile(path, 'a') as archive:
            archive.writestr(contents.MEMBER, about)
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        hdf5 = _hdf5(net.model, suffix, about)
        with open(path, 'wb') as handle:
            handle.write(hdf5)
            handle.write(atomic.seal(bytes(hdf5)))
    stored = contents.read(path)
    try:
        policy.check_names(stored)
    except FileError as cause:
        raise FileError(
            f'the network could not be loaded again: {cause} Decorate your own functions with '
            '@keras.saving.register_keras_serializable(), or save only the parameters, as '
            ".weights.h5. net.model.save('a.keras') writes a file for Keras."
        ) from None
    kept = {contents.digest(keras.ops.convert_to_numpy(w)) for w in net.model.weights}
    if json.dumps(stored.about) != about or not kept <= contents.digests(path):
        raise FileError(
            f'cannot write {str(path)!r}: what was read back differs from what was written. '
            'Save to another disk.'
        )
    return unknown


def _check_activations(model: KerasModel) -> set[str]:
    """Refuse functions for which a file would give others back: it holds their names alone.

    Returns the names of those that plain Keras does not find.
    """
    elementwise = {name: getattr(keras.ops, name) for name in policy.ELEMENTWISE}
    values, unknown = keras.ops.linspace(-6.0, 6.0, 49)[None], set()
    for layer in keras_facts.parts(model):
        for key in ('activation', 'recurrent_activation'):
            function = getattr(layer, key, None)
            if not isinstance(function, FUNCTIONS) or not _is_stored(layer, key):
                continue
            name = getattr(function, '__name__', repr(function))
            again = _again(function, {}) or _again(function, elementwise)
            if again is None or not (again is function or _alike(again, function, values)):
                raise FileError(
                    f'the layer {layer.name!r} has the {key} {name} of {function.__module__}, and '
                    "a file stores only a function's name: "
                    f'{"another" if again else "no"} function would be loaded. Write a function '
                    'with a name of its own and decorate it with '
                    '@keras.saving.register_keras_serializable(), or save only the parameters, as '
                    '.weights.h5.'
                )
            if elementwise.get(name) is again:
                unknown.add(name)
    return unknown


def _is_stored(layer: KerasLayer, key: str) -> bool:
    """Return False if a layer of the user makes its activation itself."""
    if type(layer).__module__.startswith(('keras.', 'kerasnets.')):
        return True
    try:
        return key in layer.get_config()
    except Exception:  # the function may have no description
        return True


def _again(function: TensorFunction, objects: Mapping[str, TensorFunction]) -> Any:
    """Return the function that a file would give back; None if there is none."""
    if getattr(function, '__name__', '') == '<lambda>':
        return None
    try:
        config = keras.activations.serialize(function)
        with keras.saving.custom_object_scope(objects):
            return keras.activations.get(config)
    except (TypeError, ValueError):
        return None


def _alike(one: TensorFunction, other: TensorFunction, values: Tensor) -> bool:
    try:
        a, b = (keras.ops.convert_to_numpy(function(values)) for function in (one, other))
    except Exception:  # a function of the user may need another width
        return False
    return bool(np.allclose(a, b, atol=1e-6, equal_nan=True))


class _Memory(io.BytesIO):
    """A file in memory with a name, from which Keras derives the format."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return self.name

    __fspath__ = __str__


def _hdf5(model: KerasModel, suffix: str, about: Json) -> memoryview:
    """Return the content of an HDF5 file.

    It is built in memory, because HDF5 may crash on a full disk.
    """
    memory = _Memory(f'model{suffix}')
    with _quiet(), _compilation_kept(model):
        (model.save_weights if suffix == '.weights.h5' else model.save)(memory)
    with h5py.File(memory, 'a') as file:
        file.create_dataset(contents.MEMBER, data=np.frombuffer(about.encode(), dtype='uint8'))
    return memory.getbuffer()


@contextlib.contextmanager
def _compilation_kept(model: KerasModel) -> Iterator[Any]:
    """Restore the model's compile settings, which Keras loses while saving as .h5."""
    config = model.get_compile_config() if model.compiled else None
    yield
    if config is not None and model.get_compile_config() != config:
        _compile(model, config, model.optimizer)


def _restore_optimizer(model: KerasModel, path: pathlib.Path) -> None:
    """Restore the optimizer state of an .h5 file, which Keras does not load."""
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    with h5py.File(path, 'r') as file:
        state = file['optimizer_weights']
        parts = sorted((len(key), key) for key in state.attrs if key.startswith('weight_names'))
        names = [name for _, key in parts for name in state.attrs[key]]
        for variable, name in zip(optimizer.variables, names, strict=True):
            variable.assign(state[name][()])
    _compile(model, model.get_compile_config(), optimizer)


def _compile(model: KerasModel, config: Config, optimizer: KerasOptimizer) -> None:
    arguments = keras.saving.deserialize_keras_object(config)
    model.compile(**{**arguments, 'optimizer': optimizer})


def _of(model: KerasModel, cls: type) -> Any:
    """Return a network over a model that Keras saved, of the most suitable class."""
    known = metadata.classes(cls)
    return known.get(keras_models.class_name(model), cls).from_keras(model)


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Silence Keras' advice against .h5, which the user chose."""
    logger = logging.getLogger('absl')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
