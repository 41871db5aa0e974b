"""What would have been faster, said when training ends early on its way down."""

from __future__ import annotations

import logging
from typing import Any

from kerasnets import optimizers
from kerasnets.training.settings import BY_PARTS

log = logging.getLogger('kerasnets')

#: A loss that fell by more than this over the last fifth of the epochs is still falling steeply.
STEEP = 0.05

#: Fewer epochs say nothing about the course of a loss.
FEWEST = 5


def advise(rows: list[dict[str, Any]], asked: dict[str, Any]) -> None:
    """Log one line if the default learning rate was too small for the epochs that were run.

    Parameters
    ----------
    rows : list of dict
        The history of the training.
    asked : dict
        The keywords it was asked for with.
    """
    algo = asked.get('algo') or 'rmsprop'
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
