"""Checkpoints: the state from which a training run continues exactly.

A checkpoint is the network's `.keras` file with one more member, ``training.npz``, which holds the
arrays, and the rest as JSON. A reader of the network ignores that member.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import pathlib
import time
import warnings
import zipfile
from typing import Any

import numpy as np

from kerasnets.errors import ConfigurationError, FileError, named, stacklevel
from kerasnets.files import atomic, contents, keras_files
from kerasnets.initializers import restored
from kerasnets.typing import Array

MEMBER = 'training.npz'


class Checkpoints:
    """Saves a training run at intervals.

    Parameters
    ----------
    path : str or path
        The file, written as a `.keras` archive; '{}' in it becomes the time in seconds since 1970.
    every : int or float
        Epochs between saves if it is an int, minutes if it is a float. 0: save at the end only.
    """

    def __init__(self, path: Any, every: Any = 0) -> None:
        folder = pathlib.Path(path).parent
        if not folder.is_dir():
            raise FileError(
                f'cannot save progress to {str(path)!r}: there is no folder {folder}. '
                'Create it first.'
            )
        if not os.access(folder, os.W_OK):
            raise FileError(
                f'cannot save progress to {str(path)!r}: the folder {str(folder)!r} is not '
                'writable for this user. Choose another.'
            )
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileError(
                f'cannot save progress to {str(path)!r}: it is a folder or a device, not a file. '
                'Choose another name.'
            )
        number = isinstance(every, (int, float)) and not isinstance(every, bool)
        if not number or every < 0:
            raise ConfigurationError(
                f'expected save_every as an int of epochs or a float of minutes, got {every!r}. '
                'Write save_every=1 to save after each epoch.'
            )
        self.path = str(path)
        self.every = every
        self.last = time.monotonic()

    def is_due(self) -> bool:
        """Return True if the last save is `save_every` minutes ago or more."""
        minutes = isinstance(self.every, float)
        return minutes and 0 < self.every * 60 <= time.monotonic() - self.last

    def save(self, net: Any, state: State) -> None:
        """Write a checkpoint, replacing an existing one.

        If that fails, as on a full disk, training goes on; the next save tries again.
        """
        path = pathlib.Path(self.path.format(int(time.time())))
        try:
            keras_files.save(net, path, {MEMBER: state.pack()})
        except FileError as error:
            message = f'progress is not saved, training goes on: {error}'
            warnings.warn(message, stacklevel=stacklevel())
        self.last = time.monotonic()


@dataclasses.dataclass
class State:
    """The state from which a training run continues exactly.

    Attributes
    ----------
    parameters, optimizer : list of array
        The values of the variables of the model and of the optimizer.
    noises : list of array
        The states of the generators of noise.
    best : list of array
        The best parameters so far.
    epoch, updates : int
        Number of completed epochs and updates.
    validation : dict
        The monitors of the last validation.
    patience : list of float and int
        The best loss, and the number of checks since.
    history : list of dict
    rngs : list of dict
        The states of the generators of the data and of the network; empty for data in order.
    kept : dict
        'epoch', 'training' and 'validation' of the best parameters. Empty in older files.
    about : dict
        What determines the result: the algorithm, its settings, regularizers, data.
    """

    parameters: list[Array]
    optimizer: list[Array]
    noises: list[Array]
    best: list[Array]
    epoch: int
    updates: int
    validation: dict[str, float]
    patience: list[Any]
    history: list[dict[str, Any]]
    rngs: list[dict[str, Any]]
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)
    about: dict[str, Any] = dataclasses.field(default_factory=dict)

    def pack(self) -> bytes:
        """Return the state as the bytes of an .npz file."""
        arrays: dict[str, Array] = {}
        plain: dict[str, Any] = {}
        for key, value in vars(self).items():
            if key in ARRAYS:
                arrays |= {f'{key}/{i}': v for i, v in enumerate(value)}
                plain[key] = {'arrays': len(value)}
            else:
                plain[key] = {'value': value}
        handle = io.BytesIO()
        text = json.dumps(plain, default=np.ndarray.tolist)
        np.savez(handle, plain=text, **arrays)  # type: ignore[arg-type]
        return handle.getvalue()

    def check(self, own: State) -> None:
        """Refuse a state that does not match this training's own state.

        Raises
        ------
        FileError
            If a field is damaged, or belongs to another network, algorithm or generator.
        """
        for name in ARRAYS:
            _check_arrays(name, getattr(own, name), getattr(self, name))
        for name, (shape, expected) in PLAIN.items():
            value = getattr(self, name)
            if not _fits(value, shape) and not (name == 'kept' and value == {}):  # of older files
                raise _damaged(name, expected, value)
        if len(self.rngs) != len(own.rngs):
            raise _damaged('rngs', f'{len(own.rngs)} generators', self.rngs)
        for i, state in enumerate(self.rngs):
            try:
                generator = type(restored(state).bit_generator).__name__
            except Exception:  # numpy may raise any error
                raise _damaged('rngs', 'the state of a generator', state) from None
            if i == 0 and generator != 'PCG64':  # by which data is shuffled; a network may have any
                raise _damaged('rngs', 'a state of PCG64', state)

    def compare(self, own: dict[str, Any]) -> list[str]:
        """Return the keywords of this training that differ from those of the checkpoint.

        Raises
        ------
        FileError
            If the checkpoint is of another algorithm or of other data.
        """
        before = self.about
        for name, what in (('algo', 'the algorithm'), ('rows', 'this number of rows:')):
            if name in before and before[name] != own.get(name):
                raise FileError(
                    f'cannot resume: the checkpoint was written with {what} {before[name]}, and '
                    f'this training has {own.get(name)}. Train as before, or leave out '
                    f'{named("resume")}.'
                )
        differ = [n for n in ('learning_rate', 'batch_size') if before.get(n, own[n]) != own[n]]
        if before.get('settings', own['settings']) != own['settings']:
            differ += _different(before['options'], own['options']) or ['algo']
        return differ + _different(
            before.get('regularizers', own['regularizers']), own['regularizers']
        )


#: The fields of a state that are lists of arrays.
ARRAYS = ('parameters', 'optimizer', 'noises', 'best')


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_loss(value: Any) -> bool:
    return _is_number(value) and not math.isnan(value)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_anything(value: Any) -> bool:
    return True


MONITORS = {'*': _is_number}

#: The other fields -> (their shape, as `_fits` takes it, and what is expected).
PLAIN: dict[str, tuple[Any, str]] = {
    'epoch': (_is_count, 'an int of 0 or more'),
    'updates': (_is_count, 'an int of 0 or more'),
    'validation': (MONITORS, 'numbers by name'),
    'patience': ((_is_loss, _is_count), 'the best loss and a count'),
    'history': ([MONITORS], 'a list of dicts of numbers'),
    'kept': (
        {'epoch': _is_count, 'training': MONITORS, 'validation': MONITORS},
        'an epoch and its monitors',
    ),
    'about': (
        {**dict.fromkeys(('options', 'settings', 'regularizers'), _is_dict), '*': _is_anything},
        'settings by name',
    ),
    'rngs': ([_is_dict], 'the states of generators'),
}


def _fits(value: Any, shape: Any) -> bool:
    """Return True if a JSON value has the structure that `shape` describes.

    A shape is a predicate, a list with the shape of all items, a tuple with the shape of each item,
    or a dict with the shape of each value, where '*' stands for any name.
    """
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        same = isinstance(value, list) and len(value) == len(shape)
        return same and all(map(_fits, value, shape))
    if isinstance(shape, dict):
        any_name = shape.get('*')
        same = isinstance(value, dict) and (any_name is not None or set(value) == set(shape))
        return same and all(_fits(item, shape.get(name, any_name)) for name, item in value.items())
    return bool(shape(value))


def _different(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _damaged(name: str, expected: str, value: Any) -> FileError:
    return FileError(
        f'cannot resume: in the checkpoint, {name!r} is {str(value)[:80]}, expected {expected}. '
        f'Restore the file from a backup, or leave out {named("resume")}.'
    )


def _check_arrays(name: str, own: list[Array], arrays: Any) -> None:
    """Refuse arrays whose shapes or dtypes do not match those of the variables."""
    if not isinstance(arrays, list) or not all(isinstance(a, np.ndarray) for a in arrays):
        raise _damaged(name, 'a list of arrays', arrays)
    shapes = [a.shape for a in own], [a.shape for a in arrays]
    if shapes[0] != shapes[1]:
        raise FileError(
            f'cannot resume: the checkpoint is of another network or algorithm: expected {name} '
            f'of shapes {shapes[0]}, got {shapes[1]}. Train as before, or leave out '
            f'{named("resume")}.'
        )
    for ours, theirs in zip(own, arrays):
        kinds = ours.dtype.kind, theirs.dtype.kind  # V: bfloat16
        if kinds[1] not in ('V' if kinds[0] == 'V' else 'iub' if kinds[0] in 'iub' else 'iubf'):
            raise _damaged(name, f'{ours.dtype}', theirs.dtype)
        if kinds[1] == 'f' and not np.isfinite(theirs).all():
            raise _damaged(name, 'finite numbers', 'NaN or infinite')
        if name == 'optimizer' and kinds[1] == 'i' and (theirs < 0).any():
            raise _damaged(name, 'counts of 0 or more', theirs.min())


def unpack(content: bytes) -> State:
    """Return the state that `State.pack` stored; ValueError if a field is missing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        contents.members(archive, len(content))
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        plain = json.loads(str(stored['plain']))
        fields: dict[str, Any] = {
            key: [stored[f'{key}/{i}'] for i in range(value['arrays'])]
            if 'arrays' in value
            else value['value']
            for key, value in plain.items()
        }
    data = fields.pop('data', {})  # of files from before there was 'about'
    if not isinstance(data, dict):
        raise ValueError(f"'data' is {data!r}")
    if data and 'about' not in fields:
        fields['about'] = {'rows': data.get('rows'), 'batch_size': data.get('batches of')}
    needed = [f.name for f in dataclasses.fields(State) if f.default_factory is dataclasses.MISSING]
    missing = sorted(set(needed) - set(fields))
    if missing:
        raise ValueError(f'it lacks {", ".join(missing)}')  # which `read` explains
    return State(**fields)


def read(path: Any) -> State:
    """Return the state in a checkpoint.

    Raises
    ------
    FileError
        If the file does not exist or is not a checkpoint.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(
            f'expected resume as a path, or True, got {path!r}. Write resume=True to go on from '
            'save_progress.'
        )
    path = atomic.local(path)
    if not path.is_file():
        raise FileError(
            f'cannot resume from {str(path)!r}: there is no such file. '
            'Leave out resume to start from the beginning.'
        )
    try:
        contents.read(path)  # refuses what would harm
        with zipfile.ZipFile(path) as archive:
            return unpack(archive.read(MEMBER))
    except Exception as error:  # a damaged file may raise any error
        raise FileError(
            f'cannot resume from {str(path)!r}: expected a checkpoint, as {named("save_progress")} '
            f'writes them, got another file ({str(error).rstrip(".")}). Choose another path, or '
            f'leave out {named("resume")}.'
        ) from None
