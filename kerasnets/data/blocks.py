"""Blocks: many batches in one set of arrays, for one compiled computation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kerasnets.typing import Array

#: Maximum bytes and batches of a block; batches of a block of small data.
BYTES, BATCHES, FEW = 2**23, 1024, 64

#: Maximum number of epochs that end in a block.
EPOCHS = 64


@dataclasses.dataclass(frozen=True)
class Block:
    """Batches of equal shape, one after the other, of one epoch or several.

    Attributes
    ----------
    parts : tuple of array (capacity × rows, …)
        Arrays of the batches. Only those up to the last of `ends` are valid.
    rows : array (capacity,) of int32
        Number of examples in each batch. Further rows are padding and must not count.
    ends : array (EPOCHS + 1,) of int32
        0, then the number of batches up to the end of each epoch.
    epochs : int
        Number of valid `ends`.
    open : bool
        Whether the last epoch continues in the next block.
    odd : bool
        Whether the block is one batch of an unusual shape.
    """

    parts: tuple[Array, ...]
    rows: Array
    ends: Array
    epochs: int
    open: bool
    odd: bool = False


def capacity(source: Any, batches: int | None = None) -> int:
    """Return the capacity of a block in batches: a power of two, smaller for small data."""
    if not source.block:
        return 1
    size = source.batch_size * sum(part.nbytes for part in source.row())
    most = min(BATCHES, 1 << max(0, (BYTES // max(1, size)).bit_length() - 1))
    return min(most, FEW) if batches is not None and batches <= FEW else most


def pack(
    source: Any, updates: Iterable[int | None], steps: int, most: int, pads: bool
) -> Iterator[Block]:
    """Yield the batches of some epochs as blocks; all blocks share the same arrays.

    Parameters
    ----------
    source : batches.Dataset
    updates : iterable of int or None
        Number of batches of each epoch. None: all.
    steps, most : int
        Capacity of a block in batches, and the maximum number of batches to put in it.
    pads : bool
        Whether a batch with fewer rows is padded. Otherwise it gets a block of its own.
    """
    size, most = source.batch_size, min(most, steps)
    row = source.row() if source.block else []
    room = tuple([np.empty((steps * size, *p.shape[1:]), p.dtype) for p in row])
    pieces: list[Any] = []
    rows: list[int] = []
    ends = [0]

    def block(open: bool) -> Block:
        """Return a block of the collected batches and start a new one."""
        source.write(pieces, size, room)
        packed = _block(room, rows, steps, [*ends, len(rows)] if open else ends, open)
        pieces.clear()
        rows.clear()
        ends[:] = [0]
        return packed

    for count in updates:
        odd: Any = None
        for piece, length, usual in source.pieces(count):
            if usual and (length == size or (pads and length < size)):
                pieces.append(piece)
                rows.append(length)
                if len(rows) == most:
                    yield block(True)
                continue
            if rows or ends[1:]:
                yield block(True)
            odd = _block(source.parts(piece), [length], 1, [0, 1], True, odd=True)
            yield odd
        ends.append(len(rows))
        if not source.block:  # mark the end of the epoch
            ends = [0]
            yield dataclasses.replace(odd, rows=0 * odd.rows, ends=0 * odd.ends, open=False)
        elif len(ends) > EPOCHS:
            yield block(False)
    if ends[1:]:
        yield block(False)


def _block(
    parts: tuple[Array, ...], rows: list[int], steps: int, ends: list[int], open: bool, **odd: bool
) -> Block:
    places = np.zeros(EPOCHS + 1, 'int32')
    places[: len(ends)] = ends
    counts = np.zeros(steps, 'int32')
    counts[: len(rows)] = rows
    return Block(parts, counts, places, len(ends) - 1, open, **odd)


def filled(piece: Array, size: int) -> Array:
    """Repeat the last row until the rows fill a whole number of batches."""
    missing = -len(piece) % size
    return np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
