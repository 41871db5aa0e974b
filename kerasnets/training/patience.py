"""When training stops for lack of improvement."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from kerasnets.errors import number, positive


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
