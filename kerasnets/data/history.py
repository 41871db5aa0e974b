"""The history of a network's training, as a list and as a table."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from kerasnets.markup import html_table
from kerasnets.typing import Monitors

#: Maximum number of rows that a notebook shows: the first and the last ones.
SHOWN = 20


class History(list[dict[str, Any]]):
    """One dict for each epoch: 'epoch', 'seconds', the monitors. A list for pandas.DataFrame.

    The seconds are those of the updates and of the validation. Epochs that one call of a compiled
    program computed share the time of the call.

    Attributes
    ----------
    best : dict
        The kept parameters of the last training: their 'epoch' (0: the initial ones), and the
        monitors of the validation that selected them.

    >>> net = kerasnets.Classifier([4, 3])
    >>> _ = net.train([np.eye(4), [0, 1, 2, 0]], epochs=2)
    >>> [row['epoch'] for row in net.history]
    [1, 2]
    """

    @functools.cached_property
    def best(self) -> dict[str, Any]:
        """The epoch whose parameters the last training kept, with its monitors."""
        return {}

    def plot(self, monitor: str = 'loss', axes: Any = None) -> Any:
        """Draw a monitor over the epochs, with matplotlib; see `plots.learning_curves`."""
        plots = importlib.import_module('kerasnets.plots')  # which stands above
        return plots.learning_curves(self, monitor, axes)

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for row in self for name in row))
        rows = [[_short(row.get(name, '')) for name in names] for row in self]
        return html_table(names, rows, SHOWN)


class Trained(tuple[Monitors, Monitors]):
    """The monitors (training, validation) of the parameters that a training kept.

    Attributes
    ----------
    epochs : int
        Number of epochs of the training.
    seconds : float
        Time of the whole training, its preparation included.

    A notebook shows them as a table.
    """

    epochs: int
    seconds: float

    @classmethod
    def of(cls, kept: tuple[Monitors, Monitors], epochs: int, seconds: float) -> Trained:
        """Return the monitors with the size of their training."""
        made = cls(kept)
        made.epochs, made.seconds = epochs, seconds
        return made

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for monitors in self for name in monitors))
        rows = [
            [called, *(_short(monitors.get(name, '')) for name in names)]
            for called, monitors in zip(('training', 'validation'), self)
            if monitors
        ]
        ended = f'{self.epochs} epoch{"s" * (self.epochs != 1)} in {self.seconds:.1f} s. '
        return f'<div>{ended}The network keeps:</div>{html_table(["", *names], rows)}'


def _short(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
