"""What forecasts learn from all series: an ensemble of networks, a network, a regression."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from kerasnets import feedforward, recurrent
from kerasnets.errors import fraction, positive
from kerasnets.forecasting.combination import Candidate, Track
from kerasnets.forecasting.methods import factors, regress
from kerasnets.typing import Array

if TYPE_CHECKING:
    from kerasnets.estimators.forecasts import SequenceForecaster

#: Steps before a step that the network reads, at most one of these.
WINDOWS = 12, 24, 48

#: Rows of training: this by powers of four up to `MOST`, so that series share programs.
ROWS, MOST = 256, 2

#: Rows up to which training is compiled with few optimizations, or without XLA.
QUICK = 4 * ROWS

#: Steps of a series from which on a network is trained on it, and series that share weights.
TRAINED, MANY = 24, 4

#: The candidates that learn from all series.
NETWORK, POOLED = Candidate('network'), Candidate('ridge of all series')


@dataclasses.dataclass
class View:
    """A series up to an origin as the network sees it: without season and effects, scaled.

    Attributes
    ----------
    values : array (steps,)
    known : array (steps, columns)
    lags : array (rows, lags), changes : array (rows,)
        Steps before each step less the last one, 0 before the series; and the change of the step.
    last : array (lags,)
        The lags of the forecast.
    first : int
        The first lag that the series is long enough for.
    scale : float
    factors : array
        Factors of the season, from the step after the values.
    log : bool
        Whether the values are logarithms.
    track : Track
        Of the series.
    """

    values: Array
    known: Array
    lags: Array
    changes: Array
    last: Array
    first: int
    scale: float
    factors: Array
    log: bool
    track: Track

    @classmethod
    def of(cls, track: Track, back: int, lags: int) -> View | None:
        """Return the view, None for a series that is too short."""
        end = len(track.values) - back
        if end < TRAINED // 2 or (back and back not in track.backs):
            return None
        rest, _ = track.without(track.known, end, track.effect, 0)
        best = track.best('ridge')
        log = best.log and rest.min() > 0
        rest = np.log(rest) if log else rest
        factor = factors(rest, best.season)
        phase = np.arange(end) % best.season
        rest = rest - factor[phase]
        own = min(lags, max(4, end - 10))
        rows = sliding_window_view(rest, own + 1)
        before = np.zeros((len(rows) + 1, lags))
        before[:-1, lags - own :] = rows[:, :-1] - rows[:, -2:-1]
        before[-1, lags - own :] = rest[-own:] - rest[-1]
        scale = float(np.abs(before).mean()) or 1.0
        return cls(
            rest,
            track.known[:end],
            before[:-1] / scale,
            (rows[:, -1] - rows[:, -2]) / scale,
            before[-1] / scale,
            lags - own,
            scale,
            np.roll(factor, -(end % best.season)),
            log,
            track,
        )

    def restore(self, changes: Array, ahead: Array) -> Array:
        """Return a forecast from the change since the last value, in units of `scale`."""
        steps = len(changes)
        found = self.values[-1] + changes * self.scale + np.resize(self.factors, steps)
        if self.log:
            found = np.exp(np.minimum(found, self.values.max() + 3))
        end = len(self.values)
        known = np.concatenate([self.track.known[:end], ahead])
        return found + self.track.without(known, end, self.track.effect, steps)[1]


class Ensemble:
    """Small networks side by side in one model: some for each origin of the back test.

    Each has a hidden layer and a linear path from the lags to the change of the next step, and is
    trained on windows of all series before its origin, drawn with replacement. `EinsumDense`
    keeps their weights apart, so that one program trains them.
    """

    ORIGINS = 3
    HIDDEN = 16

    def __init__(self, owner: SequenceForecaster, tracks: list[Track]) -> None:
        self.owner, self.members = owner, positive(owner.members, 'members')
        longest = max((s for track in tracks for s in track.seasons), default=1)
        usual = next((w for w in WINDOWS if w >= 1.5 * longest), WINDOWS[-1])
        self.lags = usual if owner.window is None else positive(owner.window, 'window')
        self.columns = tracks[0].known.shape[1]

    def train(self, views: dict[int, list[View | None]]) -> None:
        """Train on the views of all series, by their origins."""
        self.places = {back: i for i, back in enumerate(views)}
        count, width = len(views) * self.members, self.lags + self.columns

        def dense(name: str, size: int, **more: Any) -> dict[str, Any]:
            return dict(
                form='EinsumDense',
                name=name,
                equation='bmi,mio->bmo',
                output_shape=(count, size),
                kernel_initializer='zeros',
                **more,
            )

        layers = [
            (count, width),
            dense('hidden', self.HIDDEN, bias_axes='mo', activation='relu'),
            dense('change', 1, bias_axes='mo'),
            dense('linear', 1, inputs='in'),
            dict(form='Add', name='out', inputs=('change', 'linear')),
        ]
        loss = 'mae' if self.owner.loss in (None, 'gll') else self.owner.loss
        self.net = feedforward.Regressor(layers, loss=loss, rng=self.owner._seed())
        rng = np.random.default_rng(self.owner._seed())
        for name in ('hidden', 'change'):  # JAX compiles a program for each draw of its own
            kernel = self.net.find(name, 'kernel')
            limit = np.sqrt(6 / (count * sum(kernel.shape[1:])))
            kernel.set_value(rng.uniform(-limit, limit, kernel.shape))
        pools = {back: _pool([v for v in each if v is not None]) for back, each in views.items()}
        held = fraction(self.owner.validation_fraction, 'validation_fraction')
        most = max(len(y) for _, y, _ in pools.values())
        rows = next(ROWS * 4**i for i in range(12) if ROWS * 4**i >= most or i == MOST)
        parts = []
        for valid in (False, True) if held else (False,):
            x = np.zeros((rows // 4 if valid else rows, count, width), 'float32')
            y = np.zeros((len(x), count, 1), 'float32')
            for back, place in self.places.items():
                inputs, changes, age = pools[back]
                some = np.flatnonzero((age < held) == valid) if held else np.arange(len(age))
                some = some if len(some) else np.arange(len(age))
                for member in range(place * self.members, (place + 1) * self.members):
                    drawn = rng.choice(some, len(x), replace=len(some) < len(x))
                    x[:, member], y[:, member, 0] = inputs[drawn], changes[drawn]
            parts.append([x, y])
        keywords = self.owner._keywords()
        keywords.setdefault('batch_size', rows)
        keywords['validate_every'] = max(1, self.owner.epochs // 20) if held else self.owner.epochs
        if keywords.get('jit') == 'auto' and rows <= QUICK:  # compiling takes longer than training
            keywords['jit'] = False
        data: Any = parts[0]
        if not held:  # an iterator, so that no evaluation is compiled
            data, keywords['train_batches'] = itertools.repeat(data), 1
        with _one_thread():
            self.net.train(data, parts[1] if held else None, **keywords)

    def forecast(
        self, back: int, views: Sequence[View | None], ahead: Sequence[Array], steps: int
    ) -> list[Array]:
        """Return the forecasts (steps,) of series from an origin: the mean of the members."""
        place = self.places[back] * self.members
        own = slice(place, place + self.members)
        x = np.zeros((1, self.net.inputs[0].shape[1], self.lags + self.columns), 'float32')

        def change(state: Array, known: Array) -> Array:
            """Return the change of the next step (series, members)."""
            rows = np.repeat(x, len(state), axis=0)
            rows[:, own, : self.lags], rows[:, own, self.lags :] = state, known[:, None]
            return np.asarray(self.net.predict(rows))[:, own, 0]

        with _one_thread():
            return _step_by_step(change, self.members, views, ahead, steps)


class Pooled:
    """A ridge regression on the lags of all series together, from each origin."""

    def __init__(self, lags: int, columns: int) -> None:
        self.lags, self.columns = lags, columns
        self.weights: dict[int, tuple[Array, float]] = {}

    def train(self, views: dict[int, list[View | None]]) -> None:
        """Estimate the weights from the views of all series, by their origins."""
        for back, each in views.items():
            inputs, changes, _ = _pool([view for view in each if view is not None])
            self.weights[back] = regress(inputs, changes, rows=len(changes))

    def forecast(
        self, back: int, views: Sequence[View | None], ahead: Sequence[Array], steps: int
    ) -> list[Array]:
        """Return the forecasts (steps,) of series from an origin."""
        weights, constant = self.weights[back]

        def change(state: Array, known: Array) -> Array:
            """Return the change of the next step (series, 1)."""
            return np.concatenate([state[:, 0], known], axis=1) @ weights[:, None] + constant

        return _step_by_step(change, 1, views, ahead, steps)


def _one_thread() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which PyTorch uses one thread: for small arrays, others only wait."""
    torch = keras.backend.backend() == 'torch'
    return threadpool_limits(1, 'openmp') if torch else contextlib.nullcontext()


def _step_by_step(
    change: Callable[[Array, Array], Array],
    members: int,
    views: Sequence[View | None],
    ahead: Sequence[Array],
    steps: int,
) -> list[Array]:
    """Return forecasts (steps,) that read their own steps, as means over members."""
    there = [view for view in views if view is not None]
    state = np.repeat(np.stack([view.last for view in there])[:, None], members, axis=1)
    seen = np.stack([np.arange(state.shape[-1]) >= view.first for view in there])[:, None]
    known = np.stack(list(ahead))
    total, found = np.zeros((len(there), members)), np.zeros((len(there), steps))
    for i in range(steps):
        moved = np.clip(change(state, known[:, i]), -20, 20)
        total = np.clip(total + moved, -100, 100)
        found[:, i] = total.mean(axis=1)
        state = np.concatenate([state[..., 1:], state[..., -1:] + moved[..., None]], axis=-1)
        state = (state - state[..., -1:]) * seen
    return [view.restore(row, rows) for view, row, rows in zip(there, found, ahead)]


class Looped:
    """A `recurrent.Regressor` of the layers that a user gives, which reads its own forecasts."""

    ORIGINS = 2

    def __init__(self, owner: SequenceForecaster, tracks: list[Track]) -> None:
        self.owner = owner
        steps = max(32, 2 * tracks[0].horizon)
        steps = steps if owner.window is None else positive(owner.window, 'window')
        self.lags = max(1, min(steps, min(len(t.values) for t in tracks) // 2))
        self.columns = tracks[0].known.shape[1]
        self.nets: dict[int, Any] = {}

    def train(self, views: dict[int, list[View | None]]) -> None:
        """Train a network for each origin."""
        for back, each in views.items():
            x, y = [], []
            for view in (v for v in each if v is not None):
                _, values = self._scaled(view)
                steps = min(self.lags, len(values) - 1)
                starts = range(0, len(values) - steps, max(1, steps // 8))
                rows = np.array(sorted({*starts, len(values) - 1 - steps}))[:, None] + np.arange(
                    steps
                )
                known = view.known[-len(values) :]
                x.append(np.concatenate([values[rows][..., None], known[rows + 1]], axis=-1))
                y.append(values[rows + 1][..., None])
            least = min(len(part[0]) for part in x)
            x, y = ([p[:, -least:] for p in part] for part in (x, y))
            data, valid = _split(
                np.concatenate(x), np.concatenate(y), self.owner.validation_fraction
            )
            net = self._network()
            keywords = self.owner._keywords()
            net.train(data, valid, **keywords)
            self.nets[back] = net
        self.net = self.nets[0]

    def forecast(
        self, back: int, views: Sequence[View | None], ahead: Sequence[Array], steps: int
    ) -> list[Array]:
        """Return the forecasts (steps,) of series from an origin."""
        there = [view for view in views if view is not None]
        found = []
        for view, rows in zip(there, ahead):
            level, values = self._scaled(view)
            length = min(self.lags, len(values))
            known = np.concatenate([view.known, rows])[-length - steps + 1 :]
            padded = np.concatenate([known, np.zeros((1, known.shape[1]))])[: length + steps]
            seed = np.concatenate([values[-length:, None], padded[:length]], axis=1)
            future = padded[length : length + steps] if self.columns else None
            if future is not None and len(future) < steps:
                future = np.concatenate([future, np.zeros((steps - len(future), self.columns))])
            made = self.nets[back].predict_sequence(seed, steps, future=future, temperature=0.0)
            made = np.asarray(made).reshape(-1)
            mean, spread, changed = level
            made = made * spread + mean
            made = np.cumsum(made) if changed else made - view.values[-1]
            found.append(view.restore(made / view.scale, rows))
        return found

    def _scaled(self, view: View) -> tuple[tuple[float, float, bool], Array]:
        """Return values or, where they move little from step to step, changes, standardized."""
        changes = np.diff(view.values)
        changed = bool(changes.std() < view.values.std())
        values = changes if changed else view.values
        spread = float(values.std()) or 1.0
        return (float(values.mean()), spread, changed), (values - values.mean()) / spread

    def _network(self) -> Any:
        owner, columns = self.owner, 1 + self.columns
        hidden = owner._hidden()
        if owner.loss != 'gll':
            loss = {} if owner.loss is None else {'loss': owner.loss}
            net = recurrent.Regressor([columns, *hidden, 1], rng=owner._seed(), **loss)
        else:
            mean = dict(size=1, name='mean', activation='linear')
            last = f'hid{len(hidden)}' if hidden else 'in'
            covar = dict(size=1, name='covar', activation='softplus', inputs=last)
            gll = dict(form='gll', mean_name='mean', covar_name='covar')
            net = recurrent.Regressor([columns, *hidden, mean, covar], loss=gll, rng=owner._seed())
        net.feedback = [0]
        return net


def _pool(views: list[View]) -> tuple[Array, Array, Array]:
    """Return the inputs, the changes and the ages (1 for the oldest) of all windows of series."""
    inputs, changes, ages = [], [], []
    for view in views:
        rows = len(view.changes)
        inputs.append(np.concatenate([view.lags, view.known[-rows:]], axis=1))
        changes.append(view.changes)
        ages.append(1 - (np.arange(rows) + 0.5) / rows)
    return np.concatenate(inputs), np.concatenate(changes), np.concatenate(ages)


def _split(x: Array, y: Array, part: float) -> tuple[Any, Any]:
    """Return windows for training, and those of the end for validation or None."""
    held = fraction(part, 'validation_fraction')
    if not held:
        return [x, y], None
    steps = x.shape[1]
    cut = max(1, int(len(x) * (1 - held)))
    apart = max(1, cut - max(1, steps // max(1, steps // 8)))  # windows that reach the held out end
    return [x[:apart], y[:apart]], [x[cut:], y[cut:]] if cut < len(x) else None
