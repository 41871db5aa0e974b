"""Caches of compiled functions, shared by networks of equal structure."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

#: Bytes that a compiled function takes, as measured for small networks.
CODE = 2**22

#: The same for an engine, whose functions hold whole loops of training.
LOOPS = 2**24


@dataclasses.dataclass(frozen=True)
class Function:
    """A compiled function, and about how many bytes it takes to keep it."""

    call: Callable[..., Any]
    bytes: int = CODE


#: Bytes of the engines that are kept, at most.
BYTES = 2**29


class Cache:
    """Lends engines. One that is lent is nobody else's until it is given back.

    Parameters
    ----------
    limit : int
        Bytes that are kept; the engines that were not used for longest go first.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self.limit = limit
        self._idle: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self.made = 0  # how many engines have been built

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._idle

    def lend(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """An engine for a key, a new one if there is none at rest."""
        with self._lock:
            if key in self._idle:
                rest = self._idle[key]
                found = rest.pop()
                if not rest:
                    del self._idle[key]
                return found
            self.made += 1
        return make()

    def find(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the object for a key, building it if needed. Several users may share it."""
        found = self.lend(key, make)
        self.give_back(key, found)
        return found

    def give_back(self, key: Hashable, engine: Any) -> None:
        """Keep an engine for the next one who needs it."""
        with self._lock:
            self._idle.setdefault(key, []).append(engine)
            self._idle.move_to_end(key)
            while self._idle and self._bytes() > self.limit:
                first = next(iter(self._idle))
                self._idle[first].pop(0)
                if not self._idle[first]:
                    del self._idle[first]

    def _bytes(self) -> int:
        return sum(engine.bytes for rest in self._idle.values() for engine in rest)

    def clear(self) -> None:
        """Forget all engines that nobody uses."""
        with self._lock:
            self._idle.clear()


#: The engines of this process, and its functions that predict and sample.
ENGINES = Cache()
FUNCTIONS = Cache()


def clear_cache() -> None:
    """Forget the compiled functions of all networks. TensorFlow may keep part of the memory.

    kerasnets keeps compiled functions for the next network of the same structure: up to 512 MB
    for training, and up to 512 MB for prediction and sampling.

    >>> kerasnets.clear_cache()
    """
    ENGINES.clear()
    FUNCTIONS.clear()
