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

    def better(self, loss: Any, counts: bool = True) -> Any:
        """Record a loss. Return True if it is the best; else count a failure, if `counts`."""
        margin = abs(self.best) * self.min_improvement if math.isfinite(self.best) else 0.0
        if self.best - loss > margin:
            self.best, self.failures = loss, 0
            return True
        self.failures += counts
        return False

    @property
    def exhausted(self) -> Any:
        return self.failures > self.patience
