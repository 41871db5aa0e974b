"""Rate forecasts of several methods by a back test, average them, and add prediction bands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from kerasnets.forecasting.methods import METHODS, factors, naive, regress
from kerasnets.typing import Array

#: Origins of the back test; the multiple of the least error up to which a method counts, for one
#: series and for many; the share of the errors over many series in the error of one.
ORIGINS, WITHIN, WITHIN_MANY, SHARED = 6, 2.0, 1.5, 0.8

#: Factors of the weights, chosen on public series; 1 for other methods.
RATES = {'smoothing': 3.0, 'theta': 2.0, 'ridge': 3.0, 'drift': 0.1, 'network': 0.5}

#: The band is wider than the errors in the back test, by which the weights were chosen: by this
#: factor, and by `volatility` within these limits.
WIDER, VOLATILE = 1.1, (0.5, 2.5)

#: Steps before the first origin that a method reads at most.
LONGEST = 3000

#: Steps of a series up to which only the simplest forecast is made.
FEW = 8


@dataclasses.dataclass(frozen=True, order=True)
class Candidate:
    """A method, on the values or on their logarithms, with or without a season."""

    method: str
    season: int = 1
    log: bool = False

    def __str__(self) -> str:
        """Return the candidate in words.

        >>> str(Candidate('theta', 12, True))
        'theta of logarithms, season 12'
        """
        season = f', season {self.season}' if self.season > 1 else ''
        return f'{self.method}{" of logarithms" if self.log else ""}{season}'


def offsets(horizon: int, longest: int) -> list[int]:
    """Return the origins of the back test, as steps before the end; 0 is the forecast itself."""
    gap = max(1, horizon // 3)
    found = [horizon + i * gap for i in range(ORIGINS)]
    return [0, *(back for back in found if back < longest)]


def usable(steps: int, backs: Sequence[int], seasons: Sequence[int]) -> list[int]:
    """Return the origins that leave enough steps of a series before them."""
    least = max(FEW, steps // 3)
    season = max(seasons, default=1)
    if season > 1 and steps - backs[min(1, len(backs) - 1)] >= 2 * season + 2:
        least = max(least, 2 * season + 2)
    return [back for back in backs if back == 0 or steps - back >= least]


def candidates(
    values: Array,
    ends: list[int],
    horizon: int,
    seasons: Sequence[int],
    methods: Sequence[str] = tuple(METHODS),
) -> dict[Candidate, Array]:
    """Return the forecasts (ends, horizon) of every candidate for one series."""
    found = {}
    for season in sorted({1, *seasons}):
        for name in methods:
            for log in (False, True):
                if not log or (values.min() > 0 and name != 'naive'):
                    one = Candidate(name, season, log)
                    found[one] = _forecast(one, values, ends, horizon)
    return found


@dataclasses.dataclass(frozen=True)
class Band:
    """The spread of errors that grows with the step: variance ``start + growth * step``.

    Attributes
    ----------
    start, growth : float
    sizes : array
        Sorted absolute errors in deviations of their step; empty where a normal distribution
        takes their place.
    wider : float
        Factor of the quantiles of `sizes`.
    """

    start: float
    growth: float
    sizes: Array
    wider: float = 1.0

    @classmethod
    def of(cls, errors: Array, values: Array, wider: float = 1.0) -> Band:
        """Return the band of back-test errors (origins, horizon), NaN where there are none."""
        if not np.isfinite(errors).any():
            changes = np.diff(values)
            return cls(0.0, float((changes**2).mean()) if len(changes) else 0.0, np.zeros(0))
        step = np.broadcast_to(1 + np.arange(errors.shape[1]), errors.shape)[np.isfinite(errors)]
        squares = errors[np.isfinite(errors)] ** 2
        growth = 0.0
        if len(np.unique(step)) > 1:
            spread = step - step.mean()
            growth = max(0.0, float(spread @ squares / (spread @ spread)))
        start = float(squares.mean()) - growth * float(step.mean())
        if start < 0:  # a line through 0
            start, growth = 0.0, float(squares.mean() / step.mean())
        deviation = np.sqrt(start + growth * step)
        sizes = np.sqrt(squares) / np.where(deviation > 0, deviation, 1.0)
        return cls(start, growth, np.sort(sizes), wider)

    def distance(self, quantile: float, steps: int) -> Array:
        """Return the distance of a quantile from the forecast (steps,), below 0 for low ones."""
        deviation = np.sqrt(self.start + self.growth * (1 + np.arange(steps)))
        share = abs(2 * quantile - 1)
        far = NormalDist().inv_cdf(0.5 + share / 2)
        if count := len(self.sizes):
            level = share * (1 + 1 / count)
            size = self.wider * float(np.quantile(self.sizes, min(1.0, level)))
            # beyond the largest error of the back test as a normal distribution
            far = size if level <= 1 else size * far / NormalDist().inv_cdf(1 - 0.5 / (count + 1))
        return np.sign(quantile - 0.5) * far * deviation


class Track:
    """One series with the candidates of its forecast.

    Parameters
    ----------
    values : array (time,)
    known : array (time or more, columns)
        Columns known ahead, standardized.
    seasons : tuple of int
    horizon : int
    backs : list of int
        Origins of the back test, as steps before the end, after 0.

    Attributes
    ----------
    effect : str
        How the known columns act: 'none', 'levels' or 'changes'.
    errors : dict of Candidate to array (origins, horizon)
        Errors of the back test.
    weights : dict of Candidate to float
    band : Band
    """

    def __init__(
        self,
        values: Array,
        known: Array,
        seasons: Sequence[int],
        horizon: int,
        backs: Sequence[int],
    ) -> None:
        self.values, self.known, self.horizon = values, known, horizon
        self.seasons = tuple(s for s in seasons if len(values) > s)
        self.backs = usable(len(values), backs, self.seasons)
        self.effect = 'none'
        self.errors: dict[Candidate, Array] = {}
        self.past: dict[Candidate, Array] = {}
        self.weights: dict[Candidate, float] = {}
        self.band = Band(0.0, 0.0, np.zeros(0))

    @property
    def naive(self) -> Candidate:
        """The seasonal naive forecast, or the naive one."""
        return Candidate('naive', next(iter(self.seasons), 1))

    def simple(self, steps: int) -> Array:
        """Return the (seasonal) naive forecast (steps,)."""
        return naive(self.values, [len(self.values)], steps, self.naive.season)[0]

    def best(self, method: str) -> Candidate:
        """Return the candidate of a method with the least error in the back test."""
        rated = {c: e for c, e in self.rated().items() if c.method == method}
        season = self.naive.season if len(self.values) >= 3 * self.naive.season else 1
        return min(rated, key=rated.__getitem__) if rated else Candidate(method, season)

    def rate(self) -> None:
        """Make the forecasts of the back test."""
        if len(self.backs) == 1:
            return
        if self.known.shape[1]:
            tried = {e: self._candidates(e, ['ridge']) for e in ('none', 'levels', 'changes')}
            means = {
                e: min(_size(errors(f, self.values, self.backs[1:])) for f in each.values())
                for e, each in tried.items()
            }
            self.effect = min(means, key=means.__getitem__)
        found = self._candidates(self.effect)
        if self.effect != 'none':  # naive is what the others are compared with
            found.update(self._candidates('none', ['naive']))
        for candidate, forecasts in found.items():
            self.add(candidate, forecasts)

    def add(self, candidate: Candidate, forecasts: Array) -> None:
        """Add a candidate's forecasts (origins, horizon), NaN where there is none."""
        self.past[candidate] = forecasts
        self.errors[candidate] = errors(forecasts, self.values, self.backs[1:])

    def rated(self) -> dict[Candidate, float]:
        """Return the mean absolute errors of the candidates.

        Those that lack some origins are compared with the others at the origins they have.
        """
        whole = {c: _size(e) for c, e in self.errors.items()}
        for candidate, error in self.errors.items():
            rows = np.isfinite(error).any(axis=1)
            if not rows.all() and rows.any():
                others = [
                    (whole[c], _size(e[rows]))
                    for c, e in self.errors.items()
                    if np.isfinite(e).any(axis=1).all()
                ]
                ratios = [np.log(a / b) for a, b in others if a > 0 and b > 0]
                whole[candidate] *= float(np.exp(np.median(ratios))) if ratios else 1.0
        return {c: error for c, error in whole.items() if np.isfinite(error)}

    def weigh(self, shared: dict[Candidate, float] | None = None) -> None:
        """Choose the candidates and their weights, and the band of what they make together.

        Parameters
        ----------
        shared : dict of Candidate to float, optional
            Errors relative to the naive forecast over many series, of candidates of `kind`.
        """
        rated = self.rated()
        if not rated:
            self.weights = {self.naive: 1.0}
            self.band = Band.of(np.full((1, 1), np.nan), self.values)
            return
        if shared:
            base = rated[self.naive] or 1.0
            rated = {
                c: max(e / base, 1e-6) ** (1 - SHARED) * shared[kind(c)] ** SHARED
                for c, e in rated.items()
                if kind(c) in shared
            }
        self.weights = weights(rated, WITHIN_MANY if shared else WITHIN)
        total, sum_of_weights = (np.zeros_like(self.past[self.naive]) for _ in range(2))
        for candidate, weight in self.weights.items():
            there = np.isfinite(self.past[candidate])
            total = total + np.where(there, weight * np.nan_to_num(self.past[candidate]), 0.0)
            sum_of_weights = sum_of_weights + weight * there
        with np.errstate(invalid='ignore', divide='ignore'):
            self.combined = errors(total / sum_of_weights, self.values, self.backs[1:])
        usual = volatility(self.values, self.naive.season, self.horizon, self.backs[1:])
        self.band = Band.of(self.combined, self.values, WIDER * float(np.clip(usual, *VOLATILE)))

    def forecast(self, steps: int, ahead: Array, more: dict[Candidate, Array]) -> Array:
        """Return the forecast (steps,) after the values.

        Parameters
        ----------
        steps : int
        ahead : array (steps, columns)
            Known columns.
        more : dict of Candidate to array (steps,)
            Forecasts of the network.
        """
        known = np.concatenate([self.known[: len(self.values)], ahead])
        found = np.zeros(steps)
        for candidate, weight in self.weights.items():
            if candidate in more:
                found += weight * more[candidate]
                continue
            how = 'none' if candidate.method == 'naive' else self.effect
            rest, effect = self.without(known, len(self.values), how, steps)
            found += weight * (_forecast(candidate, rest, [len(rest)], steps)[0] + effect)
        return found

    def without(self, known: Array, end: int, effect: str, steps: int) -> tuple[Array, Array]:
        """Return the values up to an end without the effect of the known columns.

        And that effect on the steps after it.
        """
        past = self.values[:end]
        if effect == 'none' or not known.shape[1]:
            return past, np.zeros(steps)
        x = known[:end]
        season = max(self.seasons, default=1)
        if effect == 'changes':
            lag = season if end > 3 * season else 1
            slopes, _ = regress(x[lag:] - x[:-lag], past[lag:] - past[:-lag], 0.01)
        else:
            time = np.arange(end)
            basis = np.stack([np.ones(end), time / end], axis=1)
            both = np.column_stack([x, past])
            both = both - np.stack([factors(c, season)[time % season] for c in both.T], axis=1)
            both = both - basis @ np.linalg.lstsq(basis, both, rcond=None)[0]
            slopes, _ = regress(both[:, :-1], both[:, -1], 0.01)
        return past - x @ slopes, known[end : end + steps] @ slopes

    def _candidates(
        self, effect: str, methods: Sequence[str] = tuple(METHODS)
    ) -> dict[Candidate, Array]:
        """Return the forecasts (origins, horizon) of the methods in the back test."""
        ends = [len(self.values) - back for back in self.backs[1:]]
        if effect == 'none':
            return candidates(self.values, ends, self.horizon, self.seasons, methods)
        parts = []
        for end in ends:
            rest, more = self.without(self.known, end, effect, self.horizon)
            part = candidates(rest, [end], self.horizon, self.seasons, methods)
            parts.append({c: f[0] + more for c, f in part.items()})
        return {
            c: np.stack([part[c] for part in parts]) for c in parts[0] if all(c in p for p in parts)
        }


def kind(candidate: Candidate) -> Candidate:
    """Return what a candidate shares with those of other series: all but the season's length."""
    return dataclasses.replace(candidate, season=min(candidate.season, 2))


def share(tracks: Sequence[Track]) -> dict[Candidate, float]:
    """Return the mean error of each kind of candidate relative to naive, over many series."""
    logs: dict[Candidate, list[float]] = {}
    for track in tracks:
        rated = track.rated()
        base = rated.get(track.naive, 0.0)
        for candidate, error in rated.items():
            if base > 0:
                logs.setdefault(kind(candidate), []).append(np.log(max(error / base, 1e-3)))
    return {
        c: float(np.exp(np.mean(found)))
        for c, found in logs.items()
        if 2 * len(found) >= len(tracks)
    }


def _size(error: Array) -> float:
    return float(np.abs(error[np.isfinite(error)]).mean()) if np.isfinite(error).any() else np.inf


def _forecast(candidate: Candidate, values: Array, ends: list[int], horizon: int) -> Array:
    method = METHODS[candidate.method]
    cut = max(0, min(ends) - LONGEST)
    values, ends = values[cut:], [end - cut for end in ends]
    if not candidate.log:
        return method(values, ends, horizon, candidate.season)
    if values.min() <= 0:  # of an update
        return naive(values, ends, horizon, candidate.season)
    limit = np.log(values.max()) + 3
    return np.exp(np.minimum(method(np.log(values), ends, horizon, candidate.season), limit))


def errors(forecasts: Array, values: Array, backs: Sequence[int]) -> Array:
    """Return the errors (origins, horizon) of forecasts made at past origins."""
    steps = forecasts.shape[1]
    found = np.full(forecasts.shape, np.nan)
    for row, forecast, back in zip(found, forecasts, backs):
        seen = min(back, steps)
        row[:seen] = values[len(values) - back :][:seen] - forecast[:seen]
    return found


def volatility(values: Array, season: int, horizon: int, backs: Sequence[int]) -> float:
    """Return the size of naive errors in the whole series, relative to those of the back test.

    Errors are those of logarithms where all values are positive.
    """
    values = np.log(values[-LONGEST:]) if values.min() > 0 else values[-LONGEST:]
    lags = season * (1 + np.arange(horizon) // season)
    lags = lags[lags < len(values)]
    ends = [len(values) - back for back in backs]
    recent = errors(naive(values, ends, horizon, season), values, backs)[:, : len(lags)]
    if not np.nan_to_num(recent).any():
        return 1.0
    usual = np.mean([((values[lag:] - values[:-lag]) ** 2).mean() for lag in lags])
    return float(np.sqrt(usual / np.nanmean(recent**2)))


def weights(rated: dict[Candidate, float], within: float = WITHIN) -> dict[Candidate, float]:
    """Return the weights of candidates from their back-test errors.

    Of each method the best candidate stays, if its error is near that of the best method, or
    below all others for the network. The weights go with the inverse of the squared error.
    """
    order = [*METHODS, *{c.method for c in rated if c.method not in METHODS}]
    best: dict[str, Candidate] = {}
    for candidate in sorted(rated, key=lambda c: order.index(c.method)):
        chosen = best.setdefault(candidate.method, candidate)
        if rated[candidate] < rated[chosen]:
            best[candidate.method] = candidate
    exact = [one for one in best.values() if rated[one] == 0]
    if exact:  # needs no help
        return {exact[0]: 1.0}
    least = min(rated[one] for one in best.values())
    if 'network' in best and rated[best['network']] > least:
        del best['network']
    kept = {
        one: RATES.get(one.method, 1.0) / rated[one] ** 2
        for one in best.values()
        if rated[one] <= within * least
    }
    total = sum(kept.values())
    return {one: weight / total for one, weight in sorted(kept.items(), key=lambda kv: -kv[1])}
