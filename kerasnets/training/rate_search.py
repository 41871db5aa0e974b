"""The search for a learning rate by increasing it step by step.

L. Smith (2017), "Cyclical learning rates for training neural networks", WACV.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasnets import backend, keras_facts
from kerasnets.data import batches
from kerasnets.errors import ConfigurationError, number, positive
from kerasnets.graph.loss_graph import Asked
from kerasnets.optimizers import Esgd
from kerasnets.programs.training import Objective
from kerasnets.typing import Array

#: Where a search begins and ends, and its steps, unless it is told otherwise.
RANGE, STEPS = (1e-7, 10.0), 100

#: Weight of the past in the running mean of the losses.
SMOOTH = 0.9

#: The search ends when the loss is so many times the smallest.
BLOWN = 4.0


@dataclasses.dataclass(frozen=True)
class RateCurve:
    """The loss at each learning rate.

    Attributes
    ----------
    rates : array (steps,)
    losses : array (steps,)
        Running means of the loss.
    best : float
        The rate at which the loss fell most steeply.
    """

    rates: Array
    losses: Array
    best: float


def find(
    trainable: Any,
    source: Any,
    algo: Any,
    low: float,
    high: float,
    steps: int,
    batch_size: int,
    options: dict[str, Any],
) -> RateCurve:
    """Make an update at each of `steps` rates from `low` to `high`; the network stays as it was."""
    steps = positive(steps, 'steps', least=3)
    for name, rate in (('low', low), ('high', high)):
        number(rate, name, lambda r: 0 < r < math.inf, 'above 0')
    if not low < high:
        raise ConfigurationError(f'expected 0 < low < high, got low={low!r}, high={high!r}.')
    models = trainable.models
    models.check_losses()
    data = batches.dataset(source, models.data_spec.fit, batch_size=batch_size)
    optimizer = trainable.optimizer(algo, low, **options)
    way = models.data_spec.way(data.specs[: len(models.data_spec.inputs)])
    asked = Asked(curvature=isinstance(optimizer, Esgd))
    objective = trainable.programs.find(
        None, ('rates', way, id(optimizer)), lambda own: Objective(own.graph(way, asked))
    )
    objective.use(optimizer)
    variables = models.layer_variables
    before = backend.values(variables)
    rates = np.geomspace(low, high, steps)
    losses: list[float] = []
    mean = 0.0
    try:
        for i, (rate, batch) in enumerate(zip(rates, _endless(data))):
            optimizer.learning_rate = float(rate)
            with keras_facts.releasing_gradients():
                logs = objective.train_on_batch(batch, return_dict=True)
            objective.reset_metrics()
            mean = SMOOTH * mean + (1 - SMOOTH) * float(logs['loss'])
            losses.append(mean / (1 - SMOOTH ** (i + 1)))
            if not math.isfinite(losses[-1]) or losses[-1] > BLOWN * min(losses):
                break
    finally:
        backend.restore(variables, before)
    found = np.array(losses)
    finite = found[np.isfinite(found)]
    if len(finite) < 3:
        raise ConfigurationError(f'the loss diverged immediately. Try low={low / 1000:g}.')
    steepest = int(np.argmin(np.gradient(finite, np.log(rates[: len(finite)]))))
    return RateCurve(rates[: len(found)], found, float(rates[steepest]))


def _endless(source: Any) -> Iterator[Any]:
    while True:
        yield from source.epoch()
