"""The search for a learning rate by increasing it step by step.

L. Smith (2017), "Cyclical learning rates for training neural networks", WACV.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kerasnets import backend, keras_facts
from kerasnets.data import batches
from kerasnets.errors import ConfigurationError, number, positive
from kerasnets.graph.loss_graph import Extras
from kerasnets.optimizers import Esgd
from kerasnets.programs.training import Objective
from kerasnets.typing import Array

#: Default range and number of steps of a search.
RANGE, STEPS = (1e-7, 10.0), 100

#: Weight of the past in the running mean of the losses.
SMOOTH = 0.9

#: The default rate, which the best one must not be worse than; and parts of the steepest rate that
#: are tried too.
DEFAULT, MARGINS = 1e-4, np.array([0.1, 0.3, 1.0])

#: The search ends when the loss is this many times the smallest one.
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
        Of the rate at which the loss fell most steeply, parts of it, and the default rate: the one
        with the least loss after `steps` updates.
    """

    rates: Array
    losses: Array
    best: float

    def plot(self, axes: Any = None) -> Any:
        """Draw the losses over the rates, with matplotlib; see `plots.rate_curve`."""
        return importlib.import_module('kerasnets.plots').rate_curve(self, axes)

    def _repr_png_(self) -> bytes | None:
        if importlib.util.find_spec('matplotlib') is None:
            return None
        found: bytes = self.plot()._repr_png_()
        return found

    def __repr__(self) -> str:
        """Return the best rate and the range that was tried."""
        return f'<RateCurve: best {self.best:.3g}, of {self.rates[0]:.3g} to {self.rates[-1]:.3g}>'


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
    """Search for a learning rate, as `Network.find_learning_rate` describes."""
    steps = positive(steps, 'steps', least=3)
    for name, rate in (('low', low), ('high', high)):
        number(rate, name, lambda r: 0 < r < math.inf, 'above 0')
    if not low < high:
        raise ConfigurationError(
            f'expected 0 < low < high, got low={low!r}, high={high!r}. Swap or change them.'
        )
    models = trainable.models
    models.check_losses()
    data = batches.dataset(source, models.data_spec.fit, batch_size=batch_size)
    data.shuffle(np.random.default_rng(0))  # rows may be sorted by class
    optimizer = trainable.optimizer(algo, low, **options)
    layout = models.data_spec.layout(data.specs[: len(models.data_spec.inputs)])
    extras = Extras(curvature=isinstance(optimizer, Esgd))
    objective = trainable.programs.find(
        None, ('rates', layout, id(optimizer)), lambda own: Objective(own.graph(layout, extras))
    )
    rates = np.geomspace(low, high, steps)
    variables = models.layer_variables
    before = backend.values(variables)

    def losses_at(rates: Iterable[float]) -> Iterator[float]:
        """Yield the loss of one update at each rate, from the initial parameters."""
        optimizer = trainable.optimizer(algo, low, **options)
        objective.use(optimizer)
        backend.restore(variables, before)
        for rate, batch in zip(rates, _endless(data)):
            optimizer.learning_rate = float(rate)
            with keras_facts.releasing_gradients():
                logs = objective.train_on_batch(batch, return_dict=True)
            objective.reset_metrics()
            yield float(logs['loss'])

    try:
        curve = _means(losses_at(rates), ends_at=BLOWN)
        finite = curve[np.isfinite(curve)]
        if len(finite) < 3:
            raise ConfigurationError(f'the loss diverged immediately. Try low={low / 1000:g}.')
        steepest = float(rates[np.argmin(np.gradient(finite, np.log(rates[: len(finite)])))])
        # a single update predicts little about many updates: try this rate, and some below it
        tried = [rate for rate in (DEFAULT, *(steepest * MARGINS)) if low <= rate]
        ends = [_means(losses_at([rate] * steps))[-1] for rate in tried]
        ends = [end if math.isfinite(end) else math.inf for end in ends]
    finally:
        backend.restore(variables, before)
    return RateCurve(rates[: len(curve)], curve, tried[int(np.argmin(ends))])


def _means(losses: Iterable[float], ends_at: float = math.inf) -> Array:
    """Return running means of losses, up to one that is `ends_at` times the smallest."""
    means: list[float] = []
    mean = 0.0
    for i, loss in enumerate(losses):
        mean = SMOOTH * mean + (1 - SMOOTH) * loss
        means.append(mean / (1 - SMOOTH ** (i + 1)))
        if not math.isfinite(means[-1]) or means[-1] > ends_at * min(means):
            break
    return np.array(means)


def _endless(source: Any) -> Iterator[Any]:
    while True:
        yield from source.epoch()
