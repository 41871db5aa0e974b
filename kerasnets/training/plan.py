"""The schedule of a training: joint epochs, checks, saves, early stopping.

Also a hint about a learning rate that is too small.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

from kerasnets import optimizers
from kerasnets.data.blocks import EPOCHS
from kerasnets.errors import fraction, positive
from kerasnets.training.settings import BY_PARTS

log = logging.getLogger('kerasnets')

#: A loss that fell by more than this over the last fifth of the epochs is still falling steeply.
STEEP = 0.05

#: Minimum number of epochs to judge the course of a loss.
FEWEST = 5


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Consecutive epochs that run in one call.

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
    """The schedule of checks, saves and the end of a training.

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
        steps = self.steps
        left = math.inf if self.max_updates is None else self.max_updates - updates
        count = 1 if self.single or steps is None else EPOCHS
        count = min(count, self.check_every - epoch % self.check_every)
        if self.save_every:
            count = min(count, self.save_every - epoch % self.save_every)
        if self.epochs is not None:
            count = min(count, self.epochs - epoch)
        if steps is not None and left < math.inf:
            count = min(count, math.ceil(left / steps))
        if count <= 0 or left <= 0:
            return None
        batches: list[int | None] = [steps] * count
        if left < math.inf:  # the last epoch may be shorter
            batches[-1] = int(left if steps is None else min(steps, left - (count - 1) * steps))
        after = epoch + count
        ends = after == self.epochs or (left < math.inf and sum(n or 0 for n in batches) >= left)
        checks = ends or after % self.check_every == 0
        saves = ends or (self.save_every > 0 and after % self.save_every == 0)
        return Stretch(epoch, batches, checks, saves)

    @property
    def chooses(self) -> bool:
        """True if the training has more than one epoch. Only then can it choose parameters."""
        most = math.inf if self.max_updates is None else self.max_updates
        return self.epochs not in (0, 1) and most > (self.steps or -1)


@dataclasses.dataclass
class Patience:
    """Early stopping: tracks the best validation loss and the failures since.

    Attributes
    ----------
    patience : int
        Number of validations without improvement before training stops.
    min_improvement : float
        Fraction of the best loss by which another must be below it to count as progress.
    """

    patience: int = 5
    min_improvement: float = 0.0
    best: float = math.inf
    failures: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        positive(self.patience, 'patience', least=0)
        fraction(self.min_improvement, 'min_improvement')

    def note(self, loss: float) -> bool:
        """Record a loss; return True if it is the best, else count a failure."""
        margin = abs(self.best) * self.min_improvement if math.isfinite(self.best) else 0.0
        if self.best - loss > margin:
            self.best, self.failures = loss, 0
            return True
        self.failures += 1
        return False

    @property
    def exhausted(self) -> bool:
        """True if more than `patience` validations in a row did not improve."""
        return self.failures > self.patience


def advise(rows: list[dict[str, Any]], algo: Any, options: dict[str, Any]) -> None:
    """Log one line if the default learning rate was too small for the epochs that were run.

    Parameters
    ----------
    rows : list of dict
        The history of the training.
    algo : str, keras.optimizers.Optimizer or None
    options : dict
        The keywords of the training.
    """
    algo = 'rmsprop' if algo is None else algo
    default = isinstance(algo, str) and options.get('learning_rate') is None
    if not default or algo in BY_PARTS or algo.lower() in optimizers.RATES:
        return
    fell, epochs = falling(rows)
    if fell > STEEP and options.get('verbose', 'auto') != 0:
        log.warning(
            'the loss still fell by %.0f%% in the last %d of %d epochs, with the learning rate of '
            "%g. algo='adam', learning_rate='auto' would be faster.",
            100 * fell,
            epochs,
            len(rows),
            optimizers.RATE,
        )


def falling(rows: list[dict[str, Any]]) -> tuple[float, int]:
    """Return by which fraction the loss fell over the last fifth of the epochs, and their number.

    >>> fell, epochs = falling([{'epoch': i, 'loss': 1 / (i + 1)} for i in range(10)])
    >>> round(fell, 2), epochs
    (0.2, 2)
    """
    name = 'val_loss' if any('val_loss' in row for row in rows) else 'loss'
    losses = [(i, row[name]) for i, row in enumerate(rows) if name in row]
    start = [(i, loss) for i, loss in losses if i < len(rows) - len(rows) // 5]
    if len(rows) < FEWEST or len(losses) < 2 or not start:
        return 0.0, 0
    (first, before), (last, after) = start[-1], losses[-1]
    if last == first or not 0 < after < before:
        return 0.0, 0
    return 1 - after / before, last - first
