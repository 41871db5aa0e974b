"""Training as an iterator over its epochs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerasnets.typing import Monitors


class Run(Iterator[tuple[Monitors, Monitors]]):
    """Yields (training, validation) monitors after each epoch.

    Attributes
    ----------
    each : bool
        Set to False before the first epoch, it yields only where something is to be done between
        epochs, which is faster.
    """

    each = True
    _epochs: Any = None

    def run(self) -> Iterator[Any]:
        """Yield what the iterator does."""
        raise NotImplementedError

    def __next__(self) -> Any:
        if self._epochs is None:
            self._epochs = self.run()
        return next(self._epochs)

    def close(self) -> None:
        """End training here."""
        if self._epochs is not None:
            self._epochs.close()


class InTurn(Run):
    """Runs one after the other: the first is there, each other is made when its turn comes."""

    def __init__(self, first: Run, others: Any) -> None:
        self.first, self.others = first, others

    def run(self) -> Iterator[Any]:
        """Yield the epochs of all."""
        self.first.each = self.each
        yield from self.first
        for run in self.others:
            run.each = self.each
            yield from run


class Once(Run):
    """Something that is done at once, when it is first asked for."""

    def __init__(self, epochs: Iterator[Any]) -> None:
        self._epochs = epochs
