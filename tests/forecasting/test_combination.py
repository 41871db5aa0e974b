"""How bands become wider or narrower by the errors of the whole series."""

import numpy as np
import pytest

from kerasnets.forecasting.combination import volatility


@pytest.mark.parametrize('season', [1, 4])
def test_volatility_is_the_quotient_of_naive_errors(season, rng):
    values = rng.normal(size=60)
    backs, horizon = [6, 8, 10], 6

    def squares(ends):
        naive = [np.resize(values[end - season : end], horizon) for end in ends]
        return [(values[end:][:horizon] - row) ** 2 for end, row in zip(ends, naive)]

    # each step's mean over all pairs of values that far apart, the ends of the series too
    lags = season * (1 + np.arange(horizon) // season)
    whole = np.mean([np.mean((values[lag:] - values[:-lag]) ** 2) for lag in lags])
    want = np.sqrt(whole / np.mean(squares([60 - back for back in backs])))
    assert volatility(values, season, horizon, backs) == pytest.approx(want)


def test_a_calm_end_widens_the_band(rng):
    values = np.concatenate([rng.normal(size=80), 0.1 * rng.normal(size=20)])
    assert volatility(values, 1, 4, [4, 6, 8]) > 3
    assert volatility(np.ones(30), 1, 4, [4, 6]) == 1
    growing = np.exp(np.cumsum(rng.normal(0.02, 0.05, 300)))
    assert 0.5 < volatility(growing, 1, 4, [4, 8, 12, 16, 20, 24]) < 2
