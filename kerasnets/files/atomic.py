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
from typing import IO, Any, cast

from kerasnets.errors import FileError, KerasnetsError
from kerasnets.typing import File, Path

#: First bytes of a file -> its format.
FORMATS = {
    b'PK\x03\x04': '.keras',
    b'\x89HDF\r\n\x1a\n': '.h5',
    b'\x1f\x8b': '.pkl',
    b'\x80': '.pkl',
}

#: The end of a sealed file: these bytes, and the digest of all bytes before them.
SEAL = b'kerasnet'
DIGEST = 32

#: Number of bytes that are read at once.
BLOCK = 2**20


def local(path: Path) -> pathlib.Path:
    """Return a user's path as a `pathlib.Path`.

    Raises
    ------
    FileError
        For an object that is not a path, and for URLs: nothing is ever downloaded.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise FileError(
            f'expected a path or an open binary file, got {path!r}. Pass a path.'
        ) from None
    if re.match(r'[A-Za-z][A-Za-z0-9+.-]+:/', text):
        raise FileError(
            f'{text!r} is a URL: kerasnets reads and writes local files only. '
            'Download the file first, then pass its path.'
        )
    return pathlib.Path(text)


def format_of(path: pathlib.Path) -> str | None:
    """Return '.keras', '.h5' or '.pkl' by the first bytes of a file; None for others."""
    with open(path, 'rb') as handle:
        start = handle.read(8)
    return next((suffix for first, suffix in FORMATS.items() if start.startswith(first)), None)


#: The remedies for an invalid file, and for a valid one that kerasnets refuses.
RESTORE = 'Restore it from a backup that you trust.'
OPEN_WITH_KERAS = 'If you trust the file, open it with Keras and pass the model to from_keras().'


def damaged(cause: str) -> FileError:
    """Return the error for a file with invalid contents: the cause and the remedy."""
    return FileError(f'{cause}. {RESTORE}')


def refused(cause: str) -> FileError:
    """Return the error for a file that may be harmful: the cause and the remedy."""
    return FileError(f'{cause}. {OPEN_WITH_KERAS}')


#: Maximum number of characters of a cause that a message quotes.
LONGEST = 1000


@contextlib.contextmanager
def _local_copy(source: File) -> Iterator[tuple[pathlib.Path, str]]:
    """Yield a local path and a name for messages, of a path or an open binary file.

    Raises
    ------
    FileError
        If there is no such file.
    """
    if not hasattr(source, 'read'):
        path = local(source)
        if not path.is_file():
            why = 'it is a folder' if path.is_dir() else 'there is no such file'
            raise FileError(f'cannot read {str(path)!r}: {why}. Check the path.')
        yield path, repr(str(path))
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'model')
            with open(path, 'wb') as copy:
                shutil.copyfileobj(cast(IO[bytes], source), copy, BLOCK)
            yield path, 'the open file'
    except OSError as error:
        if not isinstance(error, KerasnetsError) and (fault := _temporary_fault()):
            raise FileError(f'cannot read the open file: {fault}') from error
        raise


@contextlib.contextmanager
def reading(source: File) -> Iterator[pathlib.Path]:
    """Open a local copy; re-raise any error as a FileError naming the file."""
    with _local_copy(source) as (path, name):
        try:
            yield path
        except Exception as error:  # a hostile file may cause any error
            ours = isinstance(error, KerasnetsError)
            if not ours and (fault := _temporary_fault()):
                raise FileError(f'cannot read {name}: {fault}') from error
            text = ' '.join(str(error if ours else f'{type(error).__name__}: {error}').split())
            text = text if len(text) < LONGEST else f'{text[:LONGEST]} …'
            remedy = f'{"" if text.endswith(".") else "."} {RESTORE}'
            remedy = '' if ours and '. ' in text else remedy
            raise FileError(f'cannot read {name}: {text}{remedy}') from error


def _temporary_fault() -> str | None:
    """Return the reason why temporary files cannot be written; None if they can."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b'0')
            file.flush()
    except OSError as error:
        return (
            f'Keras needs a temporary folder, and {tempfile.gettempdir()!r} is not writable '
            f'({error.strerror}). Make room there, or set TMPDIR to another folder.'
        )
    return None


@contextlib.contextmanager
def replacing(target: pathlib.Path) -> Iterator[Any]:
    """Yield a path next to the target file or folder, which replaces it on success.

    The new file is flushed to disk first. On an error the target stays unchanged, and no other file
    remains.

    Parameters
    ----------
    target : Path
        A link is followed.

    Raises
    ------
    FileError
        If the target cannot be written; the message holds the system's reason.
    """
    name, target = target.name, pathlib.Path(os.path.realpath(target))
    try:
        if not target.parent.is_dir():
            raise FileError(
                f'cannot write {str(target)!r}: there is no folder {str(target.parent)!r}. '
                'Create it first.'
            )
        with tempfile.TemporaryDirectory(dir=target.parent, prefix='.kerasnets-') as folder:
            path = pathlib.Path(folder, name)
            yield path
            if target.is_dir() and path.is_dir():
                os.replace(target, pathlib.Path(folder, 'old'))
            elif target.is_dir():
                raise FileError(
                    f'cannot write {str(target)!r}: it is a folder. Choose another name.'
                )
            elif target.exists():
                shutil.copymode(target, path)
            _sync(path)
            os.replace(path, target)
        _sync(target.parent)
    except PermissionError as error:
        raise FileError(
            f'cannot write {str(target)!r}: the folder {str(target.parent)!r} is not '
            f'writable for this user ({error.strerror}). Choose another folder.'
        ) from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f'cannot write {str(target)!r}: {error}. Check the disk, or choose another folder.'
        ) from error


def _sync(path: pathlib.Path) -> None:
    if os.name == 'nt' and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(content: bytes) -> bytes:
    """Return the bytes to append to a file, which readers of HDF5 ignore."""
    return SEAL + hashlib.blake2b(content, digest_size=DIGEST).digest()


def check_seal(path: pathlib.Path) -> None:
    """Refuse a sealed file whose contents have changed; accept a file without a seal.

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
        raise damaged('the file is damaged: its contents changed after it was written')


def _digest(path: pathlib.Path, size: int) -> bytes:
    """Return the digest of the first `size` bytes of a file."""
    hasher = hashlib.blake2b(digest_size=DIGEST)
    with open(path, 'rb') as handle:
        while size:
            block = handle.read(min(size, BLOCK))
            hasher.update(block)
            size -= len(block)
    return hasher.digest()
