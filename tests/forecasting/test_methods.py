"""Methods beside their definitions, statsmodels and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import f_oneway
from sklearn.linear_model import Ridge
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from kerasnets.forecasting import methods, seasons

SEASONAL = np.tile([3.0, 1.0, 7.0, 2.0], 20) + np.arange(80) / 2


def test_naive_and_drift():
    series = np.array([1.0, 2, 3, 5, 7, 9])
    assert methods.naive(series, [6, 5], 4, 3).tolist() == [[5, 7, 9, 5], [3, 5, 7, 3]]
    assert methods.drift(series, [6], 4, 1)[0] == pytest.approx(9 + 1.6 * np.arange(1, 5))


@pytest.mark.parametrize('name', ['drift', 'smoothing', 'ridge'])
def test_a_season_with_a_trend_goes_on(name):
    want = np.resize([3.0, 1.0, 7.0, 2.0], 9) + np.arange(80, 89) / 2
    found = methods.METHODS[name](SEASONAL, [80], 9, 4)[0]
    np.testing.assert_allclose(found, want, atol=0.15)


@pytest.mark.parametrize('name', methods.METHODS)
@pytest.mark.parametrize('season', [1, 4])
def test_a_forecast_reads_nothing_after_its_end(name, season, rng):
    series = rng.normal(size=60).cumsum() + 20
    other = series.copy()
    other[45:] = 1e3
    one, two = (methods.METHODS[name](s, [30, 45], 5, season) for s in (series, other))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one[1], methods.METHODS[name](series[:45], [45], 5, season)[0])


def test_smoothing_is_near_the_best_of_statsmodels(rng):
    """One-step errors of the grid's choice are as small as those of an optimizer, within 10 %."""
    level = 50 + rng.normal(size=120).cumsum()
    series = level + np.tile(10 * np.sin(np.arange(12) * np.pi / 6), 10) + rng.normal(size=120)
    ends = list(range(80, 120, 3))
    ours = methods.smoothing(series, ends, 1, 12)[:, 0]
    theirs = [
        ExponentialSmoothing(
            series[:end], trend='add', damped_trend=True, seasonal='add', seasonal_periods=12
        )
        .fit()
        .forecast(1)[0]
        for end in ends
    ]
    assert np.abs(ours - series[ends]).mean() < 1.1 * np.abs(theirs - series[ends]).mean()


def test_the_ridge_regression_is_that_of_scikit_learn(rng):
    x, noise = rng.normal(size=(80, 5)), rng.normal(size=80)
    y = x @ np.arange(5) + 3 + noise
    slopes, constant = methods.regress(x, y)
    scaled = x / np.sqrt((x**2).mean(axis=0))
    rated = []
    for penalty in np.logspace(-3, 1.5, 10) * 80:
        model = Ridge(alpha=penalty).fit(scaled, y)
        middle = scaled - scaled.mean(axis=0)
        hat = middle @ np.linalg.solve(middle.T @ middle + penalty * np.eye(5), middle.T)
        error = ((y - model.predict(scaled)) ** 2).sum() / (79 - np.trace(hat)) ** 2
        rated.append((error, model.predict(scaled)))
    np.testing.assert_allclose(x @ slopes + constant, min(rated, key=lambda r: r[0])[1])


def test_factors_of_a_season():
    np.testing.assert_allclose(methods.factors(SEASONAL, 4), [-0.25, -2.25, 3.75, -1.25])


@pytest.mark.parametrize('season', [4, 7, 12, 16, 24])
def test_a_season_is_found(season, rng):
    steps = np.arange(12 * season)
    series = np.sin(2 * np.pi * steps / season) + rng.normal(0, 0.1, len(steps)) + steps / 50
    assert seasons.find(series)[:1] == (season,)


def test_no_season_is_found_in_noise_and_random_walks(rng):
    found = [seasons.find(rng.normal(size=150)) for _ in range(40)]
    found += [seasons.find(rng.normal(size=150).cumsum()) for _ in range(40)]
    assert sum(map(bool, found)) <= 4
    assert (
        seasons.find(np.ones(50)) == seasons.find(np.arange(50.0)) == seasons.find(np.ones(1)) == ()
    )


def test_a_noisy_year_of_months_is_no_season_of_13_months(rng):
    """The autocorrelation at a lag of 12 can lie below those beside it."""
    steps = np.arange(107)
    for _ in range(20):
        series = 9 * np.sin(2 * np.pi * steps / 12) + rng.normal(0, 3, 107)
        assert seasons.find(series, most=2)[:1] == (12,)


def test_a_weak_season_is_found_by_the_means_of_its_steps(rng):
    """Autocorrelation alone cannot tell it from noise in a short series."""
    found = [
        seasons.find(np.resize([0.0, 1, 1.5, 0.2], 48) + rng.normal(0, 0.8, 48).cumsum())
        for _ in range(20)
    ]
    assert found.count((4,)) >= 12


def test_the_share_that_a_season_explains_is_that_of_an_f_test(rng):
    values = np.resize([0.0, 1, 2], 60) + rng.normal(size=60)
    share, chance = seasons.explained(values, 3)
    test = f_oneway(*values.reshape(-1, 3).T)
    assert chance == pytest.approx(test.pvalue)
    residual = values - np.resize(values.reshape(-1, 3).mean(axis=0), 60)
    assert share == pytest.approx(1 - residual.var(ddof=3) / values.var(ddof=1))
