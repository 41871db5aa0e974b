"""Atomic writing, checksums, and formats recognized by their first bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from kerasnets.errors import FileError, KerasnetsError
from kerasnets.typing import File, Path

#: First bytes of a file -> its format.
FORMATS = {
    b'PK\x03\x04': '.keras',
    b'\x89HDF\r\n\x1a\n': '.h5',
    b'\x1f\x8b': '.pkl',
    b'\x80': '.pkl',
}

#: What a sealed file ends with: these bytes and the digest of all before them.
SEAL = b'kerasnet'
DIGEST = 32

#: Bytes that are read at a time.
BLOCK = 2**20


def local(path: Path) -> pathlib.Path:
    """A `Path` from what a user gave.

    Raises
    ------
    FileError
        For what is no path, and for addresses: nothing is ever fetched.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise FileError(f'expected a path or an open binary file, got {path!r}.') from None
    if re.match(r'[A-Za-z][A-Za-z0-9+.-]+:/', text):
        raise FileError(
            f'{text!r} is a URL: kerasnets reads and writes local files only. '
            'Download the file first, then pass its path.'
        )
    return pathlib.Path(text)


def format_of(path: pathlib.Path) -> str | None:
    """'.keras', '.h5' or '.pkl', by the first bytes of a file; None for another one."""
    with open(path, 'rb') as handle:
        start = handle.read(8)
    return next((suffix for first, suffix in FORMATS.items() if start.startswith(first)), None)


#: What to do about a file that is refused, where the reason does not say it.
REMEDY = 'Restore it from a backup that you trust.'


@contextlib.contextmanager
def at_hand(source: Any) -> Iterator[Any]:
    """The path of a file and what to call it, from a path or an open binary file.

    Raises
    ------
    FileError
        If there is no such file.
    """
    if not hasattr(source, 'read'):
        path = local(source)
        if not path.is_file():
            raise FileError(f'cannot read {str(path)!r}: there is no such file.')
        yield path, repr(str(path))
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'model')
            with open(path, 'wb') as copy:
                shutil.copyfileobj(source, copy, BLOCK)
            yield path, 'the open file'
    except OSError as error:
        if not isinstance(error, KerasnetsError) and (full := _temporary_fault()):
            raise FileError(f'cannot read the open file: {full}') from error
        raise


@contextlib.contextmanager
def reading(source: File) -> Iterator[Any]:
    """A file at hand; whatever goes wrong with it is a FileError that names it."""
    with at_hand(source) as (path, name):
        try:
            yield path
        except Exception as error:  # a hostile file may bring about anything at all
            ours = isinstance(error, KerasnetsError)
            if not ours and (full := _temporary_fault()):
                raise FileError(f'cannot read {name}: {full}') from error
            text = ' '.join(str(error if ours else f'{type(error).__name__}: {error}').split())
            remedy = '' if '. ' in text else f'{"" if text.endswith(".") else "."} {REMEDY}'
            raise FileError(f'cannot read {name}: {text}{remedy}') from error


def _temporary_fault() -> str | None:
    """What keeps Keras from its temporary files; None if nothing does."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b'0')
            file.flush()
    except OSError as error:
        return (
            f'Keras needs a temporary folder, and {tempfile.gettempdir()!r} takes no files '
            f'({error.strerror}). Make room there, or set TMPDIR to another folder.'
        )
    return None


@contextlib.contextmanager
def replacing(target: pathlib.Path) -> Iterator[Any]:
    """Yield a path next to the target, a file or a folder, which replaces it on success.

    It is on disk, as far as the system can say, before the target is touched. If anything goes
    wrong, the target is as it was, and nothing is left beside it.

    Parameters
    ----------
    target : Path
        A link is followed.

    Raises
    ------
    FileError
        Naming the target and what the system said.
    """
    name, target = target.name, pathlib.Path(os.path.realpath(target))
    try:
        if not target.parent.is_dir():
            raise FileError(
                f'cannot write {str(target)!r}: there is no folder {str(target.parent)!r}.'
            )
        with tempfile.TemporaryDirectory(dir=target.parent, prefix='.kerasnets-') as folder:
            path = pathlib.Path(folder, name)
            yield path
            if target.is_dir() and path.is_dir():
                os.replace(target, pathlib.Path(folder, 'old'))
            elif target.exists():
                shutil.copymode(target, path)
            _sync(path)
            os.replace(path, target)
        _sync(target.parent)
    except PermissionError as error:
        raise FileError(
            f'cannot write {str(target)!r}: the folder {str(target.parent)!r} is not '
            f'writable for this user ({error.strerror}).'
        ) from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f'cannot write {str(target)!r}: {error}') from error


def _sync(path: pathlib.Path) -> None:
    if os.name == 'nt' and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(content: bytes) -> Any:
    """Return the bytes to append to a file, which readers of HDF5 ignore."""
    return SEAL + hashlib.blake2b(content, digest_size=DIGEST).digest()


def check_seal(path: pathlib.Path) -> None:
    """Refuse a file that is not what it was when it was sealed; one without a seal is taken.

    Raises
    ------
    FileError
    """
    whole = os.path.getsize(path) - len(SEAL) - DIGEST
    if whole < 0:
        return
    with open(path, 'rb') as handle:
        handle.seek(whole)
        end = handle.read()
    if end.startswith(SEAL) and end[len(SEAL) :] != _digest(path, whole):
        raise FileError('the file is damaged: its contents changed after it was written.')


def _digest(path: pathlib.Path, size: Any) -> Any:
    """Of the first `size` bytes of a file."""
    found = hashlib.blake2b(digest_size=DIGEST)
    with open(path, 'rb') as handle:
        while size:
            block = handle.read(min(size, BLOCK))
            found.update(block)
            size -= len(block)
    return found.digest()
