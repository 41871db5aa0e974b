"""Forecasts without a network: functions of a series, the origins and the season.

Each method takes `series`, an array (time,), `ends`, the number of steps that each forecast may
read, `horizon` and `season`, and returns an array (ends, horizon). A forecast reads nothing
after its own end, so one call serves the back test and the forecast itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasnets.typing import Array

Method: TypeAlias = Callable[[Array, list[int], int, int], Array]


def naive(series: Array, ends: list[int], horizon: int, season: int) -> Array:
    """Repeat the last season."""
    return np.stack([np.resize(series[max(0, end - season) : end], horizon) for end in ends])


def drift(series: Array, ends: list[int], horizon: int, season: int) -> Array:
    """Repeat the last season, moved by the mean change from one season to the next."""
    found = naive(series, ends, horizon, season)
    ahead = 1 + np.arange(horizon) // season
    for row, end in zip(found, ends):
        past = series[:end]
        changes = past[season:] - past[:-season]
        if len(changes):
            row += ahead * changes.mean()
    return found


def factors(series: Array, season: int) -> Array:
    """Return the additive factor of each step of a season, (season,), with a mean of 0.

    The trend is a centred moving average. The factors are means of what remains, in which recent
    seasons weigh more.
    """
    if season == 1 or len(series) < 2 * season:
        return np.zeros(season)
    kernel = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    trend = np.convolve(series, kernel / season, 'valid')
    first = season // 2
    rest = np.full(-(-len(series) // season) * season, np.nan)
    rest[first : first + len(trend)] = series[first : first + len(trend)] - trend
    rows = rest.reshape(-1, season)
    recent = RECENT ** np.arange(len(rows))[::-1, None] * np.isfinite(rows)
    found = (np.nan_to_num(rows) * recent).sum(axis=0) / recent.sum(axis=0)
    return found - found.mean()


def _in_season(
    series: Array, ends: list[int], horizon: int, season: int, method: Callable[[Array], Array]
) -> Array:
    """Forecast what remains without the season, and add the season."""
    found = []
    for end in ends:
        past = series[:end]
        factor = factors(past, season)[np.arange(end + horizon) % season]
        found.append(method(past - factor[:end]) + factor[end:])
    return np.stack(found)


#: Weight of a season beside the next one.
RECENT = 0.85

#: Steps that a regression reads at most.
ROWS = 2000

#: Smoothing of the level, of the trend, of the season, and damping of the trend.
ALPHA = 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.99
BETA = 0.01, 0.05, 0.15, 0.3
GAMMA = 0.02, 0.1, 0.25, 0.5
PHI = 0.8, 0.9, 0.98, 1.0


def _grid(seasonal: bool) -> tuple[Array, Array]:
    """Return the parameters (4, settings) and the number of free parameters of each."""
    trends = [(0.0, 0.0, 0), *((b, p, 2 + (p < 1)) for b, p in itertools.product(BETA, PHI))]
    seasons = [(0.0, 0), *((g, 1) for g in GAMMA)] if seasonal else [(0.0, 0)]
    rows = [
        (a, a * b, (1 - a) * g, p, 2 + k + j)
        for a, (b, p, k), (g, j) in itertools.product(ALPHA, trends, seasons)
    ]
    *parameters, free = np.array(rows).T
    return np.array(parameters), free


def smoothing(series: Array, ends: list[int], horizon: int, season: int) -> Array:
    """Return the forecast of exponential smoothing, the parameters chosen from a grid by AICc.

    Level, damped trend and additive season (Holt and Winters). All settings and all ends run
    through the series together.
    """
    (alpha, beta, gamma, phi), free = _grid(season > 1)
    shape = len(ends), len(alpha)
    starts = [series[:end] - factors(series[:end], season)[np.arange(end) % season] for end in ends]
    first = max(2, min(10, min(ends) // 3))
    level = np.repeat([[one[:first].mean()] for one in starts], shape[1], axis=1)
    early = [[np.polyfit(np.arange(2 * first), one[: 2 * first], 1)[0]] for one in starts]
    trend = np.array(early) * (phi > 0)
    level = level - trend * (first + 1) / 2
    seasons = np.stack([factors(series[:end], season) for end in ends], axis=1)[:, :, None]
    seasons = np.repeat(seasons, shape[1], axis=2)
    squares = np.zeros(shape)
    found = np.empty((len(ends), horizon))
    for t in range(max(ends)):
        phase = t % season
        expected = level + phi * trend
        error = series[t] - expected - seasons[phase]
        squares += error**2
        level = expected + alpha * error
        trend = phi * trend + beta * error
        seasons[phase] += gamma * error
        for i, end in enumerate(ends):
            if end == t + 1:
                k = free + 1
                loss = end * np.log(squares[i] / end + 1e-300)
                aicc = loss + 2 * k + 2 * k * (k + 1) / np.maximum(end - k - 1, 1)
                best = int(np.argmin(aicc))
                p = phi[best]
                ahead = np.cumsum(p ** np.arange(1, horizon + 1))
                phases = (end + np.arange(horizon)) % season
                found[i] = level[i, best] + ahead * trend[i, best] + seasons[phases, i, best]
    return found


def theta(series: Array, ends: list[int], horizon: int, season: int) -> Array:
    """Return the Theta method's forecast: smoothing with half the slope of a line as drift."""

    def method(past: Array) -> Array:
        n = len(past)
        slope, cut = np.polyfit(np.arange(n), past, 1)
        line = cut + slope * np.arange(n)
        theta = 2 * past - line
        alpha = np.array(ALPHA)
        level = np.full(len(alpha), theta[0])
        squares = np.zeros(len(alpha))
        for value in theta:
            error = value - level
            squares += error**2
            level = level + alpha * error
        best = int(np.argmin(squares))
        ahead = np.arange(1, horizon + 1)
        lines = cut + slope * (n - 1 + ahead)
        return (level[best] + lines) / 2

    return _in_season(series, ends, horizon, season, method)


def regress(x: Array, y: Array, weight: float = 1.0, rows: int = ROWS) -> tuple[Array, float]:
    """Return the weights (columns,) and the constant of a ridge regression.

    The penalty is chosen by generalized cross-validation.
    """
    x, y = x[-rows:], y[-rows:]
    scale = np.sqrt((x**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    x = x / scale
    middle, level = x.mean(axis=0), y.mean()
    u, s, vt = np.linalg.svd(x - middle, full_matrices=False)
    projected = u.T @ (y - level)
    total = ((y - level) ** 2).sum() - (projected**2).sum()
    penalty = np.logspace(-3, 1.5, 10)[:, None] * len(y) * weight
    shrink = s**2 / (s**2 + penalty)
    rest = total + (((1 - shrink) * projected) ** 2).sum(axis=1)
    free = np.maximum(len(y) - 1 - shrink.sum(axis=1), 0.5)
    best = int(np.argmin(rest / free**2))
    weights = vt.T @ (projected * s / (s**2 + penalty[best])) / scale
    return weights, level - (middle * scale) @ weights


def _lagged(past: Array, lags: int) -> tuple[Array, Array]:
    """Return the lags of each step less the last value before it, and the change of the step."""
    rows = sliding_window_view(past, lags + 2)
    last = rows[:, -2:-1]
    return rows[:, :-2] - last, (rows[:, -1:] - last)[:, 0]


def _go_on(past: Array, weights: Array, constant: float, horizon: int) -> Array:
    """Forecast step by step with weights of the lags less the last value."""
    lags = len(weights)
    low, high = past.min() - 3 * np.ptp(past), past.max() + 3 * np.ptp(past)
    values = np.concatenate([past[-lags - 1 :], np.zeros(horizon)])
    for i in range(lags + 1, len(values)):
        last = values[i - 1]
        step = (values[i - 1 - lags : i - 1] - last) @ weights + constant
        values[i] = min(max(last + step, low), high)
    return values[lags + 1 :]


def _autoregression(past: Array, horizon: int, lags: int) -> Array:
    lags = max(1, min(lags, len(past) // 3 - 1))
    return _go_on(past, *regress(*_lagged(past, lags)), horizon)


def ridge(series: Array, ends: list[int], horizon: int, season: int) -> Array:
    """Return the mean forecast of ridge regressions on lags, the last value subtracted from each.

    They differ in their lags, and in how the season is taken out: by factors, by lags of two
    seasons, or by differences from the season before.
    """

    def short(past: Array) -> Array:
        lags = {4, 13, min(max(season + 1, 9), 30)} | ({8} if season == 1 else set())
        return np.mean([_autoregression(past, horizon, n) for n in sorted(lags)], axis=0)

    without = _in_season(series, ends, horizon, season, short)
    if season == 1 or season > 30:
        return without
    found = []
    for row, end in zip(without, ends):
        past = series[:end]
        parts = [row, row, row, _autoregression(past, horizon, 2 * season + 1)]
        if end >= 3 * season:
            changes = past[season:] - past[:-season]
            ahead = _autoregression(changes, horizon, season + 1)
            whole = np.concatenate([past[-season:], ahead])
            for i in range(season, len(whole)):
                whole[i] += whole[i - season]
            parts.append(whole[season:])
        found.append(np.mean(parts, axis=0))
    return np.stack(found)


METHODS: dict[str, Method] = {
    'naive': naive,
    'drift': drift,
    'smoothing': smoothing,
    'theta': theta,
    'ridge': ridge,
}
