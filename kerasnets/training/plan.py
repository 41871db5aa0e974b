"""The plan of a training: which epochs run together, and when checks and saves come."""

from __future__ import annotations

import dataclasses

from kerasnets.data.blocks import EPOCHS


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Epochs that run without a stop.

    Attributes
    ----------
    epoch : int
        Number of epochs before it.
    updates : list of int or None
        Batches of each of its epochs. None: as many as there are.
    checks : bool
        Whether the loss is compared with the best one after it.
    saves : bool
        Whether a checkpoint is written after it.
    """

    epoch: int
    updates: list[int | None]
    checks: bool
    saves: bool


@dataclasses.dataclass(frozen=True)
class Plan:
    """When checks, saves and the end of a training come.

    Attributes
    ----------
    epochs, max_updates : int or None
        Limits of the training.
    steps : int or None
        Batches in an epoch, if that is known.
    check_every : int
        Epochs between checks.
    save_every : int
        Epochs between saves; 0 for none.
    single : bool
        Whether each epoch is a stretch of its own, because a callback or the caller acts on it.
    """

    epochs: int | None
    max_updates: int | None
    steps: int | None
    check_every: int
    save_every: int = 0
    single: bool = False

    def stretch(self, epoch: int, updates: int) -> Stretch | None:
        """Return the next stretch after some epochs and updates, or None at the end.

        >>> plan = Plan(epochs=25, max_updates=None, steps=4, check_every=10)
        >>> [len(plan.stretch(epoch, 4 * epoch).updates) for epoch in (0, 10, 20)]
        [10, 10, 5]
        >>> plan.stretch(25, 100) is None
        True
        """
        if self._ends(epoch, updates):
            return None
        count = 1 if self.single or self.steps is None else EPOCHS
        count = min(count, self.check_every - epoch % self.check_every)
        if self.save_every:
            count = min(count, self.save_every - epoch % self.save_every)
        if self.epochs is not None:
            count = min(count, self.epochs - epoch)
        batches = self._batches(count, updates)
        after = epoch + len(batches)
        ends = self._ends(after, updates + sum(n or 0 for n in batches))
        checks = ends or after % self.check_every == 0
        saves = ends or (self.save_every > 0 and after % self.save_every == 0)
        return Stretch(epoch, batches, checks, saves)

    def _batches(self, count: int, updates: int) -> list[int | None]:
        """Return the batches of up to `count` epochs, within the limit of updates."""
        if self.max_updates is None:
            return [self.steps] * count
        left = self.max_updates - updates
        if self.steps is None:
            return [left]
        epochs = min(count, -(-left // self.steps))
        return [min(self.steps, left - i * self.steps) for i in range(epochs)]

    def _ends(self, epoch: int, updates: int) -> bool:
        past = self.epochs is not None and epoch >= self.epochs
        return past or (self.max_updates is not None and updates >= self.max_updates)

    @property
    def chooses(self) -> bool:
        """Whether the training has more than one epoch, so that parameters can be compared."""
        one_pass = (
            self.max_updates is not None
            and self.steps is not None
            and self.max_updates <= self.steps
        )
        return self.epochs not in (0, 1) and not one_pass
