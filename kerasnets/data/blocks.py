"""Many batches in one block of arrays, so that one computation can train on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kerasnets.typing import Array

#: Bytes of a block, at most, and batches; batches of a block of little data.
BYTES, BATCHES, FEW = 2**23, 1024, 64

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
    updates : iterable of int or None
        Batches of each epoch. None: all.
    steps, most : int
        Batches that a block has room for, and batches that it is filled with, at most.
    pads : bool
        Whether a batch with fewer rows is filled up, instead of given a block of its own.
    """
    size, most = source.batch_size, min(most, steps)
    row = source.row() if source.block else []
    room = tuple([np.empty((steps * size, *p.shape[1:]), p.dtype) for p in row])
    pieces: list[Any] = []
    rows: list[int] = []
    ends = [0]

    def block(open: bool) -> Block:
        """Take out the batches that were collected."""
        source.write(pieces, size, room)
        made = _block(room, rows, steps, [*ends, len(rows)] if open else ends, open)
        pieces.clear()
        rows.clear()
        ends[:] = [0]
        return made

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
        if not source.block:  # nothing is left but the end of the epoch
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
    """Return the rows with the last one repeated, so that they are a whole number of batches."""
    missing = -len(piece) % size
    return np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
