"""Seasons of a series: found by a test of autocorrelation, and their factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import fdtrc

from kerasnets.typing import Array

#: Seasons that are looked for where no dates tell the frequency.
USUAL = 4, 7, 12, 24, 48, 52

#: Probability up to which the F test confirms a season; a fiftieth where autocorrelation does not.
CHANCE = 0.05


def autocorrelation(values: Array, lags: int) -> Array:
    """Return the autocorrelation at lags of 0 to `lags`."""
    centred = values - values.mean()
    size = 1 << (2 * len(values) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    found = np.fft.irfft(power)[: lags + 1]
    return found / found[0] if found[0] > 0 else np.zeros(lags + 1)


def explained(changes: Array, season: int) -> tuple[float, float]:
    """Return the share of variance that the means of a season's steps explain, and its chance.

    The share is adjusted for the number of means. The chance is that of an F test: the
    probability that noise explains as much.
    """
    rows = changes[len(changes) % season :].reshape(-1, season)
    free = rows.size - season
    if not free:
        return 0.0, 1.0
    total = ((rows - rows.mean()) ** 2).sum()
    rest = ((rows - rows.mean(axis=0)) ** 2).sum()
    if not rest or not total:
        return float(total > 0), float(not total)
    quotient = (total - rest) / (season - 1) / (rest / free)
    adjusted = 1 - rest / free / (total / (rows.size - 1))
    return float(adjusted), float(fdtrc(season - 1, free, quotient))


def find(series: Array, usual: Sequence[int] = USUAL, most: int = 1) -> tuple[int, ...]:
    """Return the seasons that a test of autocorrelation confirms, the strongest first.

    The changes from step to step are tested, so that a trend does not hide a season. The
    autocorrelation at the lag of a season lies above the bound of noise at 99 %, above that of
    half a season, and about as high as those of the lags around it. The means of the season's
    steps differ by an F test, and explain more than those of seasons a step shorter or longer.

    >>> find(np.tile([3.0, 1.0, 7.0, 2.0], 10))
    (4,)
    """
    rated: list[tuple[float, int]] = []
    changes = np.diff(series)
    if not len(changes) or np.ptp(changes) <= 1e-9 * np.abs(series).max(initial=0):
        return ()
    longest = min(len(series) // 3, 2 * max(usual, default=USUAL[-1]))
    found = autocorrelation(changes, min(len(changes) - 1, longest + longest // 2))
    bound = max(0.25, 2.5 / np.sqrt(len(changes)))
    inner = found[1:-1]
    tops = 1 + np.flatnonzero((inner > found[:-2]) & (inner >= found[2:]) & (inner > 0.6))
    strong = sorted(tops.tolist(), key=found.__getitem__)[-1:]
    for season in sorted({*usual, *strong}):
        if season > longest or found[season] < max(0.2, found[season // 2] + 0.1):
            continue
        share, chance = explained(changes, season)
        if chance > (CHANCE if found[season] > bound else CHANCE / 50):
            continue
        if share < max(
            explained(changes, other)[0] for other in (season - 1, season + 1) if other > 1
        ):
            continue
        near = found[season // 2 + 1 : season + season // 2 + 1].copy()
        near[season - season // 2 - 2 : season - season // 2 + 1] = found[season]
        # a longer season that is a multiple of a shorter one repeats its autocorrelation
        multiple = any(
            min(season % other, -season % other) <= season // 24
            and found[season] < value + (0.1 if season >= 5 * other else 0.3)
            for value, other in rated
        )
        if found[season] > near.max() - 0.06 and not multiple:
            rated.append((float(found[season]), season))
    return tuple(season for _, season in sorted(rated, reverse=True))[:most]
