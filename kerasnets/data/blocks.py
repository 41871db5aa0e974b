"""Many batches in one block of arrays, so that one computation can train on all of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from kerasnets.typing import Array

#: Bytes of a block, at most, and batches.
BYTES, BATCHES = 2**23, 1024

#: Epochs that end in a block, at most.
EPOCHS = 64


@dataclasses.dataclass(frozen=True)
class Block:
    """Batches of equal shape, one after the other, of one epoch or several.

    Attributes
    ----------
    parts : tuple of array (capacity × rows, …)
        Only the batches up to the last of `ends` are filled.
    rows : array (capacity,) of int32
        How many examples each batch has; the others repeat one of them and must not count.
    ends : array (EPOCHS + 1,) of int32
        0, then the number of batches up to the end of each epoch.
    epochs : int
        How many of `ends` are given.
    open : bool
        Whether the last epoch goes on in the next block.
    odd : bool
        Whether it is one batch of another shape than usual.
    """

    parts: tuple[Array, ...]
    rows: Array
    ends: Array
    epochs: int
    open: bool
    odd: bool = False


#: Batches of a small block, for little data.
FEW = 64


def capacity(source: Any, batches: int | None = None) -> int:
    """Return the capacity of a block in batches: a power of two, smaller for little data."""
    if not source.block:
        return 1
    size = source.batch_size * sum(part.nbytes for part in source.row())
    most = min(BATCHES, 1 << max(0, (BYTES // max(1, size)).bit_length() - 1))
    return min(most, FEW) if batches is not None and batches <= FEW else most


def pack(
    source: Any, updates: Iterable[int | None], steps: int, most: int, pads: bool
) -> Iterator[Block]:
    """Yield the batches of some epochs as blocks; the arrays are reused for each of them.

    Parameters
    ----------
    source : batches.Dataset
        Whose batches have one shape, but for the last of an epoch.
    updates : iterable of int or None
        Batches of each epoch. None: all.
    steps : int
        Batches that a block has room for.
    most : int
        Batches that a block is filled with, at most.
    pads : bool
        Whether a batch with fewer rows is filled up, instead of given a block of its own.
    """
    if not source.block:
        yield from _single(source, updates)
        return
    filler = Filler(steps, source.batch_size, source)
    for count in updates:
        for items, rows in source.pieces(count, lambda: min(most, steps) - len(filler.rows)):
            if not filler.takes(items, rows, pads):
                yield from filler.flush()
                odd = Filler(1, rows[-1], source, items).add(items, rows).block(True)
                yield dataclasses.replace(odd, odd=True)
                continue
            filler.add(items, rows)
            if len(filler.rows) == min(most, steps):
                yield filler.block(True)
        filler.end()
        if len(filler.ends) > EPOCHS:
            yield filler.block(False)
    if filler.ends[1:]:
        yield filler.block(False)


def _single(source: Any, updates: Iterable[int | None]) -> Iterator[Block]:
    """Yield each batch of some epochs as a block of its own, for batches of different shapes."""
    for count in updates:
        batches = itertools.islice(source.epoch(), count)
        batch = next(batches, None)
        while batch is not None:
            after = next(batches, None)
            ends = np.zeros(EPOCHS + 1, 'int32')
            ends[1] = 1
            rows = np.array([len(batch[0])], 'int32')
            yield Block(batch, rows, ends, 1, open=after is not None, odd=True)
            batch = after


class Filler:
    """Collects batches until they are taken out as a block.

    Parameters
    ----------
    steps, size : int
        Batches that a block has room for, and rows of a batch.
    source : batches.Dataset
    items : object, optional
        A batch of the shape that is collected. Default: the usual one of the source.
    """

    def __init__(self, steps: int, size: int, source: Any, items: Any = None) -> None:
        self.steps, self.size, self.source = steps, size, source
        self.row = source.row(items)
        self.room = [np.empty((steps * size, *p.shape[1:]), p.dtype) for p in self.row]
        self._clear()

    def takes(self, items: Any, rows: list[int], pads: bool) -> bool:
        """Whether batches are like the others here, or with `pads` have fewer rows."""
        enough = rows[-1] == self.size or (pads and rows[-1] < self.size)
        shapes = [part.shape[1:] for part in self.source.row(items)]
        return enough and shapes == [part.shape[1:] for part in self.row]

    def _clear(self) -> None:
        self.items: list[Any] = []
        self.rows: list[int] = []
        self.ends = [0]

    def add(self, items: Any, rows: list[int]) -> Filler:
        """Add what `Dataset.write` takes for some batches, and the rows of each."""
        self.items.append(items)
        self.rows += rows
        return self

    def end(self) -> None:
        """Here an epoch ends."""
        self.ends.append(len(self.rows))

    def flush(self) -> Iterator[Block]:
        """Yield what there is, if anything, as a block whose last epoch goes on."""
        if self.rows:
            yield self.block(True)

    def block(self, open: bool) -> Block:
        """Take out what there is as a block."""
        self.source.write(self.items, self.size, self.room)
        rows = np.zeros(self.steps, 'int32')
        rows[: len(self.rows)] = self.rows
        if open:
            self.end()
        ends = np.zeros(EPOCHS + 1, 'int32')
        ends[: len(self.ends)] = self.ends
        made = Block(tuple(self.room), rows, ends, len(self.ends) - 1, open)
        self._clear()
        return made


def index(order: Array, size: int, free: Callable[[], int]) -> Iterator[tuple[Array, list[int]]]:
    """Cut the rows of an epoch into pieces of whole batches, as many as are free each time.

    A last batch with fewer rows is a piece of its own.
    """
    while len(order):
        piece, order = order[: free() * size], order[free() * size :]
        rest = len(piece) % size
        rows = [size] * (len(piece) // size)
        if rows:
            yield piece[: len(piece) - rest], rows
        if rest:
            yield piece[len(piece) - rest :], [rest]


def filled(piece: Array, size: int) -> Array:
    """The rows with the last one repeated, so that they are a whole number of batches."""
    missing = -len(piece) % size
    return np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
