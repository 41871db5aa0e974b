"""When training stops for lack of improvement, and what is said where it stopped too early."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

from kerasnets import optimizers
from kerasnets.errors import number, positive
from kerasnets.training.settings import BY_PARTS

log = logging.getLogger('kerasnets')

#: A loss that fell by more than this over the last fifth of the epochs is still falling steeply.
STEEP = 0.05

#: Fewer epochs say nothing about the course of a loss.
FEWEST = 5


@dataclasses.dataclass
class Patience:
    """Tracks the best validation loss, and decides when training stops.

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
        positive(self.patience, 'patience', least=0)
        number(self.min_improvement, 'min_improvement', lambda v: 0 <= v < 1, 'of 0 to under 1')

    def note(self, loss: float, better: bool | None = None, counts: bool = True) -> bool:
        """Record a loss. Return True if it is the best; else count a failure, if `counts`.

        Whether it is better than the best is decided here, or has been by who computed it.
        """
        margin = abs(self.best) * self.min_improvement if math.isfinite(self.best) else 0.0
        better = self.best - loss > margin if better is None else better
        if better:
            self.best, self.failures = loss, 0
            return True
        self.failures += counts
        return False

    @property
    def left(self) -> int:
        """The number of further failures after which training stops."""
        return self.patience + 1 - self.failures

    @property
    def exhausted(self) -> Any:
        return self.failures > self.patience


def advise(rows: list[dict[str, Any]], algo: Any, asked: dict[str, Any]) -> None:
    """Log one line if the default learning rate was too small for the epochs that were run.

    Parameters
    ----------
    rows : list of dict
        The history of the training.
    algo : str, keras.optimizers.Optimizer or None
    asked : dict
        The keywords it was asked for with.
    """
    algo = 'rmsprop' if algo is None else algo
    default = isinstance(algo, str) and asked.get('learning_rate') is None
    if not default or algo in BY_PARTS or algo.lower() in optimizers.RATES:
        return
    fell, epochs = falling(rows)
    if fell > STEEP and asked.get('verbose', 'auto') != 0:
        log.warning(
            'the loss still fell by %.0f%% in the last %d of %d epochs, with the learning rate of '
            "%g. algo='adam', learning_rate='auto' would be faster.",
            100 * fell,
            epochs,
            len(rows),
            optimizers.RATE,
        )


def falling(rows: list[dict[str, Any]]) -> tuple[float, int]:
    """The fraction by which the watched loss fell over the last fifth of the epochs, and those.

    >>> fell, epochs = falling([{'epoch': i, 'loss': 1 / (i + 1)} for i in range(10)])
    >>> round(fell, 2), epochs
    (0.2, 2)
    """
    name = 'val_loss' if any('val_loss' in row for row in rows) else 'loss'
    watched = [(i, row[name]) for i, row in enumerate(rows) if name in row]
    start = [(i, loss) for i, loss in watched if i < len(rows) - len(rows) // 5]
    if len(rows) < FEWEST or len(watched) < 2 or not start:
        return 0.0, 0
    (first, before), (last, after) = start[-1], watched[-1]
    if last == first or not 0 < after < before:
        return 0.0, 0
    return 1 - after / before, last - first
