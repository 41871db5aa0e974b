"""The cache of compiled programs, shared by all networks of a process."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Protocol

from kerasnets import keras_facts

#: Bytes of the programs that are kept, at most.
BYTES = 2**29


class Sized(Protocol):
    """What the cache holds: it knows about how many bytes it takes."""

    @property
    def bytes(self) -> int:
        """Estimated bytes of its variables, graphs and executables."""


class Cache:
    """Programs by key. Those that were not used for longest go first.

    Parameters
    ----------
    limit : int
        Bytes that are kept, at most. The newest program is always kept.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self.limit = limit
        self.made = 0  # how many programs have been built
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._programs

    def __len__(self) -> int:
        with self._lock:
            return len(self._programs)

    def get(self, key: Hashable) -> Any:
        """Return the program of a key, or None."""
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
            return found

    def put(self, key: Hashable, program: Sized) -> Any:
        """Keep a program; return the one that another thread has kept meanwhile, if any."""
        with self._lock:
            self.made += key not in self._programs
            return self._programs.setdefault(key, program)

    def shrink(self) -> None:
        """Drop programs until those that are left take no more than the limit."""
        with self._lock:
            dropped = []
            taken = sum(program.bytes for program in self._programs.values())
            while taken > self.limit and len(self._programs) > 1:
                dropped.append(self._programs.popitem(last=False)[1])
                taken -= dropped[-1].bytes
        if dropped:
            _release(dropped)

    def clear(self) -> None:
        """Drop all programs."""
        with self._lock:
            dropped = list(self._programs.values())
            self._programs.clear()
        _release(dropped)
        trim = getattr(ctypes.CDLL(None), 'malloc_trim', None) if os.name == 'posix' else None
        if trim is not None:  # of glibc, which else keeps what is free
            trim(0)


def _release(programs: list[Any]) -> None:
    """Give the memory of dropped programs back."""
    programs.clear()
    gc.collect()  # a graph refers to itself
    keras_facts.forget_kernels()


#: The programs of this process: for training, evaluation, prediction, sampling and forecasts.
CACHE = Cache()


def clear_cache() -> None:
    """Drop the compiled programs of all networks, and give their memory back.

    kerasnets keeps programs for the next network of the same structure, up to 512 MB of them.

    >>> kerasnets.clear_cache()
    """
    CACHE.clear()
