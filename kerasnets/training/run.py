"""Training as an iterator over its epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kerasnets.typing import Monitors

Pair = tuple[Monitors, Monitors]


class Run(Iterator[Pair]):
    """Yields (training, validation) monitors after each epoch.

    Attributes
    ----------
    each : bool
        Set to False before the first epoch, it yields only once, when training has ended, which
        is faster.
    kept : (training, validation)
        The monitors of the parameters that the network kept, once training has ended.
    """

    each = True
    kept: Pair = ({}, {})
    _epochs: Iterator[Pair] | None = None

    def run(self) -> Iterator[Pair]:
        """Yield what the iterator does."""
        raise NotImplementedError

    def __next__(self) -> Pair:
        if self._epochs is None:
            self._epochs = self.run()
        return next(self._epochs)

    def close(self) -> None:
        """End training here."""
        if self._epochs is not None:
            self._epochs.close()  # type: ignore[attr-defined]


class Sequence(Run):
    """Runs one training after the other; each is prepared when the one before has ended."""

    def __init__(self, first: Run, others: Iterable[Run]) -> None:
        self.first, self.others = first, others

    def run(self) -> Iterator[Pair]:
        """Yield the epochs of all."""
        yield from self._through(self.first)
        for run in self.others:
            yield from self._through(run)

    def _through(self, run: Run) -> Iterator[Pair]:
        run.each = self.each
        yield from run
        self.kept = run.kept


class Immediate(Run):
    """Runs a training without epochs in a single step."""

    def __init__(self, train: Callable[[], Pair]) -> None:
        self._train = train

    def run(self) -> Iterator[Pair]:
        """Yield once."""
        self.kept = self._train()
        yield self.kept
