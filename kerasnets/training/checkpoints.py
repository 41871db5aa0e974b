"""Checkpoints: all that a training run needs to go on as if it had never stopped.

A checkpoint is the network's own `.keras` file with one member more, ``training.npz``, that
holds the arrays and, as JSON, the rest. Whoever opens it for the network alone does not see it.
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import time
import warnings
import zipfile
from typing import Any

import numpy as np

from kerasnets import deprecated
from kerasnets.data.blocks import EPOCHS
from kerasnets.errors import ConfigurationError, FileError
from kerasnets.files import atomic, contents, keras_files

MEMBER = 'training.npz'


class Checkpoints:
    """Saves a run every so often.

    Parameters
    ----------
    path : str or path
        The file, written as a `.keras` archive; '{}' in it becomes the time in seconds since 1970.
    every : int or float
        Epochs from one save to the next if it is an int, minutes if it is a float. At 0 there
        is a save at the end alone.
    """

    def __init__(self, path: Any, every: Any = 0) -> None:
        folder = pathlib.Path(path).parent
        if not folder.is_dir():
            raise FileError(
                f'cannot save progress to {str(path)!r}: there is no folder {folder}. '
                'Make it first.'
            )
        if not os.access(folder, os.W_OK):
            raise FileError(
                f'cannot save progress to {str(path)!r}: the folder {str(folder)!r} is not '
                'writable for this user. Choose another.'
            )
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileError(
                f'cannot save progress to {str(path)!r}: it is no file, but a folder or a device. '
                'Choose another name.'
            )
        number = isinstance(every, (int, float)) and not isinstance(every, bool)
        if not number or every < 0:
            raise ConfigurationError(
                f'expected save_every as an int of epochs or a float of minutes, got {every!r}.'
            )
        self.path = str(path)
        self.every = every
        self.last = time.monotonic()

    def due(self, epochs: Any) -> Any:
        """Whether to save, after so many epochs."""
        if isinstance(self.every, float):
            return 0 < self.every * 60 <= time.monotonic() - self.last
        return self.every > 0 and epochs % self.every == 0

    def ahead(self, epochs: int) -> int:
        """Return the number of epochs that can run before the next save may be due."""
        if isinstance(self.every, float):
            return 1 if self.every else EPOCHS
        return self.every - epochs % self.every if self.every else EPOCHS

    def save(self, net: Any, state: Any) -> None:
        """Write a checkpoint, replacing an existing one.

        If that fails, as on a full disk, training goes on; the next save tries again.
        """
        path = pathlib.Path(self.path.format(int(time.time())))
        try:
            keras_files.save(net, path, {MEMBER: pack(state)})
        except FileError as error:
            message = f'progress is not saved, training goes on: {error}'
            warnings.warn(message, stacklevel=deprecated.callers())
        self.last = time.monotonic()


def pack(state: Any) -> Any:
    """A dict of arrays, lists of arrays and plain data as the bytes of an .npz file."""
    arrays: Any
    arrays, plain = {}, {}
    for key, value in state.items():
        if isinstance(value, list) and all(isinstance(v, np.ndarray) for v in value):
            arrays |= {f'{key}/{i}': v for i, v in enumerate(value)}
            plain[key] = {'arrays': len(value)}
        else:
            plain[key] = {'value': value}
    handle = io.BytesIO()
    text = json.dumps(plain, default=np.ndarray.tolist)
    np.savez(handle, plain=text, **arrays)
    return handle.getvalue()


def unpack(content: Any) -> Any:
    """Return the dict that `pack` stored."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        contents.members(archive, len(content))
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        plain = json.loads(str(found['plain']))
        return {
            key: [found[f'{key}/{i}'] for i in range(value['arrays'])]
            if 'arrays' in value
            else value['value']
            for key, value in plain.items()
        }


def read(path: Any) -> Any:
    """The state of the run that a checkpoint holds.

    Raises
    ------
    FileError
        If there is no such file, or it is none.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(f'expected resume as a path, or True, got {path!r}.')
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
    except Exception as error:  # a broken file raises anything at all
        raise FileError(
            f'cannot resume from {str(path)!r}: expected a checkpoint as train(..., '
            f'save_progress=path) writes them ({error}).'
        ) from None


def compare(data: Any, given: Any) -> None:
    """Warn if a run goes on with other batches than it began with."""
    for name, before in data.items():
        if given.get(name) not in (None, before):
            message = (
                f'the checkpoint was written with {name} {before}, and this training has '
                f'{given[name]}: it goes on, but not with the numbers of an unbroken run.'
            )
            warnings.warn(message, stacklevel=deprecated.callers())


def check(variables: Any, arrays: Any, what: str) -> None:
    """Refuse arrays that are not those of some Keras variables.

    Raises
    ------
    FileError
        If they are those of another network.
    """
    shapes = [tuple(v.shape) for v in variables], [a.shape for a in arrays]
    if shapes[0] != shapes[1]:
        raise FileError(
            f'the checkpoint is of another network or algorithm: expected {what} of shapes '
            f'{shapes[0]}, got {shapes[1]}.'
        )
