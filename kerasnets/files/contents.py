"""The contents of a Keras file, read from its metadata without Keras.

Whatever a file could do to who reads it is refused here: members of an archive that would land
elsewhere or unfold to more than they are, links out of HDF5 files, arrays that are not stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import math
import pathlib
import zipfile
from typing import Any

import h5py
import numpy as np

from kerasnets.errors import FileError
from kerasnets.files import atomic
from kerasnets.files.atomic import damaged
from kerasnets.typing import Array, Shape

#: The member with our description of the network, and Keras' members.
MEMBER = 'kerasnets.json'
CONFIG, METADATA, WEIGHTS = 'config.json', 'metadata.json', 'model.weights.h5'

#: Maximum ratio of expanded to stored bytes, and expanded bytes that are always allowed.
EXPANSION, FLOOR = 20, 2**24

#: Maximum number of members or groups, bytes of JSON, and depth of groups.
COUNT, JSON_BYTES, DEPTH = 50_000, 2**26, 64

#: Maximum bytes of an HDF5 file outside of its arrays: attributes, which are read whole.
ATTRIBUTES = 2**28

#: Filters of HDF5 that arrays may have passed: deflate, shuffle, fletcher32, lzf.
FILTERS = {1, 2, 3, 32000}


@dataclasses.dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Attributes
    ----------
    format : str
        '.keras', '.h5' or '.weights.h5'.
    size : int
        Bytes of the file.
    config, training : dict or None
        Keras' descriptions of the model, and of how it was compiled.
    about : dict or None
        Our description of the network.
    versions : dict of str to str
        Versions of the software that wrote the file.
    weights : dict of str to dict
        Layer -> name of an array -> its shape.
    optimizer : dict of str to tuple
        The same, of the optimizer's state.
    """

    format: str
    size: int
    config: dict[str, Any] | None
    training: dict[str, Any] | None
    about: dict[str, Any] | None
    versions: dict[str, Any]
    weights: dict[str, dict[str, Shape]]
    optimizer: dict[str, Shape]

    @property
    def num_values(self) -> int:
        """Number of values in the arrays of the layers."""
        return sum(math.prod(shape) for layer in self.weights.values() for shape in layer.values())


def read(path: pathlib.Path) -> Contents:
    """Return the `Contents` of a .keras or .h5 file.

    Raises
    ------
    FileError
        If it has another format, is damaged, refers to other files, or expands beyond its size.
    """
    path = pathlib.Path(path)
    size, suffix = path.stat().st_size, atomic.format_of(path)
    if suffix not in ('.keras', '.h5'):
        raise FileError(
            'the file is not a .keras or .h5 file, nor a theanets pickle. Choose another file, or '
            'restore it from a backup that you trust.'
        )
    try:
        if suffix == '.keras':
            with zipfile.ZipFile(path) as archive:
                return _of_archive(archive, size)
        atomic.check_seal(path)
        with h5py.File(path, 'r') as file:
            return _of_hdf5(file, size)
    except FileError:
        raise
    except Exception as error:  # a damaged file may raise any error
        cause = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise damaged(f'the file is damaged ({cause})') from None


def digests(path: pathlib.Path) -> set[tuple[Shape, bytes]]:
    """Return the digests of all arrays in a file that `read` has accepted."""
    with contextlib.ExitStack() as stack:
        if atomic.format_of(path) == '.keras':
            archive = stack.enter_context(zipfile.ZipFile(path))
            source: Any = io.BytesIO(archive.read(WEIGHTS))
        else:
            source = path
        file = stack.enter_context(h5py.File(source, 'r'))
        hashes: set[tuple[Shape, bytes]] = set()
        file.visititems(
            lambda name, item: (
                hashes.add(digest(item[()])) if isinstance(item, h5py.Dataset) else None
            )
        )
        return hashes


def digest(array: Array) -> tuple[Shape, bytes]:
    """Return the shape of a numpy array and the digest of its bytes."""
    flat: Any = np.ascontiguousarray(array).reshape(-1).view('uint8')
    return np.shape(array), hashlib.blake2b(flat, digest_size=16).digest()


def _of_archive(archive: zipfile.ZipFile, size: int) -> Contents:
    names = members(archive, size)
    for name in (CONFIG, METADATA, WEIGHTS):
        if name not in names:
            raise FileError(
                f'the file has no {name!r}: it is not a Keras model. Choose another file.'
            )
    for name in names:
        if name not in (CONFIG, METADATA, WEIGHTS, MEMBER):
            _read_through(archive, name)
    config = _json(archive.read(CONFIG), CONFIG)
    with h5py.File(io.BytesIO(archive.read(WEIGHTS)), 'r') as file:
        arrays = _arrays(file, size)
        owners = {key: _owner(file, key) for key in arrays}
    groups: Any = {'optimizer': {}}
    for key, shape in arrays.items():
        if 'seed_generator' not in key.split('/'):  # seeds are no parameters
            groups.setdefault(owners[key], {})[key] = shape
    optimizer = groups.pop('optimizer')
    metadata = _json(archive.read(METADATA), METADATA)
    return Contents(
        format='.keras',
        size=size,
        config=config,
        training=config.get('compile_config'),
        about=_json(archive.read(MEMBER), MEMBER) if MEMBER in names else None,
        versions={'keras': metadata.get('keras_version'), 'date': metadata.get('date_saved')},
        weights=groups,
        optimizer=optimizer,
    )


def members(archive: zipfile.ZipFile, size: int) -> list[str]:
    """Return the names of the members of an archive with `size` bytes.

    Raises
    ------
    FileError
        If a member lies outside of the archive's folder, or they expand to too many bytes.
    """
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(names) > COUNT or len(set(names)) < len(names):
        raise damaged('the file has too many members, or two of one name')
    for info in infos:
        parts = info.filename.replace('\\', '/').split('/')
        outside = '..' in parts or parts[0] == '' or ':' in parts[0] or '\\' in info.filename
        if outside or (info.external_attr >> 28) == 0o12:
            raise damaged(f'the member {info.filename!r} would be extracted outside its folder')
    _check_unfolded(sum(info.file_size for info in infos), size)
    return names


def _read_through(archive: zipfile.ZipFile, name: str) -> None:
    """Read a member in blocks to verify its checksum."""
    with archive.open(name) as member:
        while member.read(atomic.BLOCK):
            pass


def _owner(file: h5py.File, key: str) -> str:
    """Return the name of the layer that owns an array in a .keras file; or 'optimizer'."""
    parts = key.split('/')
    if parts[0] == 'optimizer':
        return 'optimizer'
    for end in range(2, len(parts)):
        group = file.get('/'.join([*parts[:end], 'vars']))
        if isinstance(group, h5py.Group) and 'name' in group.attrs:
            return str(group.attrs['name'])
    return '/'.join(parts[:2])


def _of_hdf5(file: h5py.File, size: int) -> Contents:
    arrays = _arrays(file, size)
    about = file[MEMBER][()].tobytes() if MEMBER in arrays else None
    arrays.pop(MEMBER, None)
    config = _attribute(file, 'model_config')
    weights: Any
    weights, optimizer = {}, {}
    for key, shape in arrays.items():
        first, _, rest = key.partition('/')
        if first.startswith('optimizer'):
            optimizer[rest] = shape
        elif first == 'model_weights':
            layer, _, name = rest.partition('/')
            weights.setdefault(layer, {})[name] = shape
        else:
            weights.setdefault(_owner(file, key), {})[key] = shape
    return Contents(
        format='.weights.h5' if config is None else '.h5',
        size=size,
        config=config,
        training=_attribute(file, 'training_config'),
        about=_json(about, MEMBER) if about is not None else None,
        versions={'keras': _text(file, 'keras_version')},
        weights=weights,
        optimizer=optimizer,
    )


def _text(file: h5py.File, name: str) -> str | None:
    """Return a text attribute; None if it does not exist."""
    if name not in file.attrs:
        return None
    value = file.attrs[name]
    if not isinstance(value, (str, bytes)):
        raise damaged(f'expected {name!r} as a text, got {type(value).__name__}')
    return value.decode() if isinstance(value, bytes) else value


def _attribute(file: h5py.File, name: str) -> dict[str, Any] | None:
    text = _text(file, name)
    return None if text is None else _json(text, name)


def _json(text: str | bytes, name: str) -> dict[str, Any]:
    if len(text) > JSON_BYTES:
        raise damaged(f'{name!r} has {len(text):,} bytes, more than {JSON_BYTES:,}')
    parsed = json.loads(text)
    if not isinstance(parsed, dict):
        raise damaged(f'{name!r} is not a description of a model')
    return parsed


def _arrays(file: h5py.File, size: int) -> dict[str, Shape]:
    """Return the shape of each array in an HDF5 file by its path; refuse external arrays."""
    shapes: dict[str, Shape] = {}
    seen: set[int] = set()
    total = 0
    stack = [('', file)]
    while stack:
        prefix, group = stack.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or prefix.count('/') > DEPTH or len(seen) + len(shapes) > COUNT:
            raise damaged(
                f'the groups of the file are cyclic, too many or too deep at {prefix[-80:]!r}'
            )
        seen.add(address)
        for key in group:
            name = f'{prefix}{key}'
            if type(group.get(key, getlink=True)) is not h5py.HardLink:
                raise damaged(f'{name!r} is a link to another file')
            item = group[key]
            if isinstance(item, h5py.Group):
                stack.append((f'{name}/', item))
                continue
            total += _stored(name, item)
            _check_unfolded(total, size)
            shapes[name] = item.shape
    if size - total > ATTRIBUTES:
        raise damaged(f'the file has {size - total:,} bytes outside of its arrays')
    return shapes


def _stored(name: str, item: Any) -> int:
    """Return the bytes of an array; refuse all but numbers in this file."""
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise damaged(f'{name!r} is not an array')
    if item.external or item.is_virtual:
        raise damaged(f'the values of {name!r} lie in another file')
    if item.dtype.kind not in 'biufcV' or item.dtype.hasobject or item.dtype.names:
        raise damaged(f'{name!r} is not an array of numbers')
    creation = item.id.get_create_plist()
    if not {creation.get_filter(i)[0] for i in range(creation.get_nfilters())} <= FILTERS:
        raise damaged(f'{name!r} is compressed with an unknown filter')
    return math.prod(item.shape) * item.dtype.itemsize


def _check_unfolded(total: int, size: int) -> None:
    if total > max(EXPANSION * size, FLOOR):
        raise damaged(f'the file of {size:,} bytes would expand to {total:,}')
