"""Read pickles without running them: every object becomes a record of its parts.

A pickle is a program that may call any importable function. Here all allowed names stand for
`Record`, which only stores its arguments, and other names are refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zlib
from typing import Any

import numpy as np

from kerasnets.errors import FileError
from kerasnets.files.atomic import RESTORE, damaged
from kerasnets.typing import Array

#: Modules of which all names are allowed, and single names of other modules.
MODULES = ('theanets', 'theano')
NAMES = {
    'numpy': ('dtype', 'ndarray', 'int64'),
    'numpy.core.multiarray': ('_reconstruct', 'scalar'),
    'numpy._core.multiarray': ('_reconstruct', 'scalar'),
    'numpy.core.numeric': ('_frombuffer',),
    'numpy._core.numeric': ('_frombuffer',),
    'numpy.random': ('__RandomState_ctor',),
    'numpy.random._pickle': ('__randomstate_ctor', '__bit_generator_ctor'),
    'collections': ('OrderedDict',),
    'copy_reg': ('_reconstructor',),
    'copyreg': ('_reconstructor',),
    '__builtin__': ('object', 'set', 'slice', 'bytearray'),
    'builtins': ('object', 'set', 'slice', 'bytearray'),
    '_codecs': ('encode',),
}

#: Maximum bytes of an expanded file, and maximum number of operations in a pickle.
LARGEST = 2**30
OPERATIONS = 2**24


class Record:
    """The contents of one object in a pickle.

    Attributes
    ----------
    kind : str
        The class, such as 'theanets.layers.feedforward.Feedforward'.
    args : tuple
        The arguments of its constructor.
    state : dict or other
        The state of the object.
    items : list
        The items appended to it or set in it.
    """

    kind = ''
    args: Any
    state: Any
    items: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a record of the arguments."""
        record = object.__new__(cls)
        record.args, record.state, record.items = args, {}, []
        return record

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        """Store the state."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Store an item with its key."""
        self.items.append((key, value))

    def append(self, item: object) -> None:
        """Append an item."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """Append several items."""
        self.items.extend(items)

    @property
    def name(self) -> str:
        """The name of the class without its module."""
        return self.kind.rpartition('.')[2]

    def get(self, key: Any, default: Any = None) -> Any:
        """Return an item of its state."""
        return self.state.get(key, default) if isinstance(self.state, dict) else default


class _Reader(pickle.Unpickler):
    """An unpickler that makes records only."""

    def find_class(self, module: Any, name: str) -> Any:
        """Return a subclass of `Record` for an allowed name; refuse others."""
        known = module.split('.')[0] in MODULES or name in NAMES.get(module, ())
        if not known:
            raise FileError(
                f'the file names {module}.{name}, which is not part of a theanets model. '
                f'It may be harmful; it was not executed. {RESTORE}'
            )
        return type(name, (Record,), {'kind': f'{module}.{name}'})

    def persistent_load(self, pid: Any) -> None:
        """Refuse references to objects outside of the file."""
        raise damaged('the file refers to objects outside of it')


def read(content: bytes) -> Any:
    """Return the `Record` (or plain data) that a pickle describes, which may be gzipped.

    Raises
    ------
    FileError
        If it is damaged, names unknown objects, or would need too much memory.
    """
    if content[:2] == b'\x1f\x8b':
        content = _unzipped(content)
    try:
        _check(content)
        return _Reader(io.BytesIO(content), encoding='latin1').load()
    except FileError:
        raise
    except Exception as error:  # a damaged pickle may raise any error
        raise damaged(f'the pickle is damaged ({type(error).__name__}: {error})') from None


def _unzipped(content: bytes) -> bytes:
    try:
        unzip = zlib.decompressobj(wbits=31)
        data = unzip.decompress(content, LARGEST)
    except zlib.error as error:
        raise damaged(f'the gzip file is damaged ({error})') from None
    if unzip.unconsumed_tail:
        raise damaged(f'the file expands to more than {LARGEST:,} bytes')
    if not unzip.eof:
        raise damaged('the gzip file is truncated')
    return data


def _check(content: bytes) -> None:
    """Refuse pickles that would allocate more memory than their contents need."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if count > OPERATIONS:
            raise damaged(f'the file has more than {OPERATIONS:,} operations')
        puts = operation.name in ('PUT', 'BINPUT', 'LONG_BINPUT')
        if puts and int(argument or 0) > 2 * count + 1000:
            raise damaged('the file uses object numbers that it does not need')


def array(record: Any) -> Array:
    """Return a numpy array from its record, or from plain numbers.

    Raises
    ------
    FileError
        If the record is of another object, or its shape and its bytes disagree.
    """
    if not isinstance(record, Record):
        return np.asarray(record)
    if record.name == '_reconstruct':
        _, shape, dtype, fortran, data = record.state
        return _array(shape, dtype, 'F' if fortran else 'C', data)
    if record.name == '_frombuffer':
        data, dtype, shape, order = record.args
        return _array(shape, dtype, order, data)
    if record.name == 'scalar':
        return _array((), record.args[0], 'C', record.args[1])
    raise damaged(f'expected an array, got {record.kind}')


def _array(shape: Any, dtype: Any, order: Any, data: Any) -> Array:
    byteorder: Any
    code = str(dtype.args[0])
    byteorder = dtype.state[1] if isinstance(dtype.state, tuple) else '<'
    if code not in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u4', 'u8', 'b1'):
        raise damaged(f'expected an array of numbers, got dtype {code!r}')
    dtype = np.dtype(code).newbyteorder(byteorder)
    if isinstance(data, Record) and data.name == 'encode':  # bytes, as Python 2 wrote them
        data = data.args[0]
    data = data.encode('latin1') if isinstance(data, str) else bytes(data)
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise damaged(f'an array of shape {tuple(shape)} cannot have {len(data)} bytes')
    return np.frombuffer(data, dtype).reshape(shape, order=order)
