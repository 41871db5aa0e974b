"""A cache on disk of what XLA compiles, so that later processes need not compile again."""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import stat
import sys

import platformdirs

from kerasnets.errors import ConfigurationError, FileError, positive
from kerasnets.typing import Path

#: Bytes that a cache may have.
LIMIT = 2**28

#: File with the digest of each entry of a cache.
DIGESTS = 'digests.json'

#: The setting of TensorFlow that names the folder.
FLAG = '--tf_xla_persistent_cache_directory='


def enable_compilation_cache(path: Path | None = None, limit: int = LIMIT) -> pathlib.Path:
    """Cache what XLA compiles in a folder, for this process and later ones.

    Call it before anything imports TensorFlow, which reads its settings only then. An entry is
    native code, so the folder must belong to the user alone. An entry that is damaged, or was
    written by a process that crashed, is compiled anew. ``jit='auto'`` compiles sooner with a
    cache on TensorFlow, since later processes gain too.

    Parameters
    ----------
    path : str or path, optional
        The folder. Default: ``xla`` in the user's folder of caches for kerasnets.
    limit : int
        Bytes that the folder may have. The oldest entries above it are removed.

    Returns
    -------
    pathlib.Path
        The folder for this backend, its version and this machine.

    Raises
    ------
    ConfigurationError
        If TensorFlow is imported already, or the backend is not TensorFlow or JAX.
    FileError
        If the folder cannot be made, belongs to another user, or others can write to it.
    """
    if path is not None and (not isinstance(path, (str, os.PathLike)) or not os.fspath(path)):
        raise ConfigurationError(
            f'expected the path of a folder, got {path!r}. Leave it out for the folder of caches.'
        )
    limit = positive(limit, 'limit')
    name = _backend()
    if name not in ('tensorflow', 'jax'):
        raise ConfigurationError(
            f'the backend {name!r} compiles nothing that can be kept. Leave the call out, or set '
            'KERAS_BACKEND to tensorflow or jax.'
        )
    if name == 'tensorflow' and 'tensorflow' in sys.modules:
        raise ConfigurationError(
            'the module tensorflow is imported already, and reads its settings only then. Call '
            'kerasnets.enable_compilation_cache() first, before `import keras`.'
        )
    root = pathlib.Path(path or platformdirs.user_cache_path('kerasnets') / 'xla')
    folder = root / f'{name}-{importlib.metadata.version(name)}-{_machine()}'
    try:
        for one in (root, folder):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(one)
        digests = _remove_damaged(folder)
        _remove_oldest(root, limit)
    except FileError:
        raise
    except (OSError, ValueError) as error:
        raise FileError(
            f'cannot use {str(folder)!r} as a cache: {error}. Give another path.'
        ) from None
    if name == 'tensorflow':
        flags = os.environ.get('TF_XLA_FLAGS', '').split()
        others = [flag for flag in flags if not flag.startswith(FLAG)]
        os.environ['TF_XLA_FLAGS'] = ' '.join([*others, f'{FLAG}{folder}'])
    else:
        settings = {
            'jax_compilation_cache_dir': str(folder),
            'jax_persistent_cache_min_entry_size_bytes': -1,
            'jax_persistent_cache_min_compile_time_secs': 0,
        }
        for setting, value in settings.items():
            os.environ[setting.upper()] = str(value)  # which JAX reads when it is imported
            if 'jax' in sys.modules:
                sys.modules['jax'].config.update(setting, value)
    atexit.register(_record, folder, digests)
    return folder


def has_cache() -> bool:
    """Return True if TensorFlow caches compiled programs on disk."""
    return FLAG in os.environ.get('TF_XLA_FLAGS', '')


def _backend() -> str:
    """Return the name of Keras' backend, without importing Keras."""
    if 'keras' in sys.modules:
        return str(sys.modules['keras'].backend.backend())
    if os.environ.get('KERAS_BACKEND'):
        return os.environ['KERAS_BACKEND']
    home = pathlib.Path(os.environ.get('KERAS_HOME') or pathlib.Path.home() / '.keras')
    try:
        return str(json.loads((home / 'keras.json').read_text())['backend'])
    except (OSError, ValueError, KeyError):
        return 'tensorflow'


def _machine() -> str:
    """Return a word for what code compiled here runs on: the features of the processor."""
    try:
        text = pathlib.Path('/proc/cpuinfo').read_text()
        lines = text.splitlines()
        features = next(line for line in lines if line.startswith(('flags', 'Features')))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f'{platform.machine()} {features}'.encode()).hexdigest()[:8]


def _check_owner(folder: pathlib.Path) -> None:
    """Refuse a folder of another user, or one that others can write to."""
    if not hasattr(os, 'getuid'):  # Windows, where a user's folders are private
        return
    about = folder.stat()
    if about.st_uid != os.getuid():
        raise FileError(f'{str(folder)!r} belongs to another user. Give a path of your own.')
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise FileError(
            f'others can write to {str(folder)!r}, and so could run code as you. Run '
            f'`chmod go-w {folder}`, and empty it.'
        )


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of a cache, without the digests and what JAX notes of each use."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return [
        path
        for path in files
        if not path.name.startswith(DIGESTS) and not path.name.endswith('-atime')
    ]


def _digest(path: pathlib.Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _remove_damaged(folder: pathlib.Path) -> dict[str, str]:
    """Remove entries that are not as a process left them; return the digests of the others."""
    try:
        known = dict(json.loads((folder / DIGESTS).read_text()))
    except (OSError, ValueError, TypeError):
        known = {}
    digests = {path: _digest(path) for path in _entries(folder)}
    for path, digest in digests.items():
        if known.get(path.name) != digest:
            path.unlink(missing_ok=True)
    return {p.name: digest for p, digest in digests.items() if known.get(p.name) == digest}


def _remove_oldest(root: pathlib.Path, limit: int) -> None:
    """Remove the oldest entries of all folders until they hold at most some bytes."""
    found = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in _entries(root))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _record(folder: pathlib.Path, digests: dict[str, str]) -> None:
    """Add the digests of new entries to those there are, when the process ends."""
    try:
        new = [path for path in _entries(folder) if path.name not in digests]
        if new:
            digests = {**digests, **{path.name: _digest(path) for path in new}}
            partial = folder / f'{DIGESTS}.{os.getpid()}'
            partial.write_text(json.dumps(digests))
            os.replace(partial, folder / DIGESTS)
    except OSError:
        return  # they are compiled anew
