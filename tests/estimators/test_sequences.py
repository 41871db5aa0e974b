"""Estimators of sequences of values, and the forecaster."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from kerasnets.errors import ConfigurationError, DataError
from kerasnets.estimators import SequenceForecaster, SequenceRegressor

WAVE = np.sin(np.arange(240) * np.pi / 8)


def test_a_value_for_each_sequence(rng):
    x = [rng.uniform(size=(n, 2)) for n in rng.integers(3, 6, size=64)]
    y = np.array([one[:, 0].sum() for one in x])
    model = SequenceRegressor([(12, 'gru')], epochs=30, learning_rate=0.03).fit(x, y)
    assert model.predict(x).shape == (64,)
    assert model.score(x, y) > 0.9
    rows = SequenceRegressor([(4, 'gru')], epochs=1).fit(x, np.stack([y, -y], axis=1))
    assert rows.predict(x[:7]).shape == (7, 2)
    assert rows.score(x, np.stack([y, -y], axis=1)) < 1


def test_a_value_for_each_step(rng):
    x = [rng.uniform(size=(n, 2)) for n in rng.integers(3, 6, size=64)]
    y = [one[:, 1] for one in x]
    model = SequenceRegressor([(8, 'rnn', 'tanh')], epochs=30, learning_rate=0.03).fit(x, y)
    assert [one.shape for one in model.predict(x)] == [one.shape for one in y]
    assert model.score(x, y) > 0.9
    weights = np.zeros(64)
    weights[3] = 1
    error = ((model.predict(x)[3] - y[3]) ** 2).sum()
    want = 1 - error / ((y[3] - y[3].mean()) ** 2).sum()
    assert np.isclose(model.score(x, y, weights), want)
    deep = [one[:, None] for one in y]
    assert (
        SequenceRegressor([(4, 'gru')], epochs=1).fit(x, deep).predict(x)[0].shape == deep[0].shape
    )


def test_a_series_alone():
    model = SequenceForecaster(horizon=16, epochs=60).fit(WAVE)
    want = np.sin(np.arange(240, 256) * np.pi / 8)
    np.testing.assert_allclose(model.predict(), want, atol=0.25)
    assert model.predict(np.zeros((40, 0))).shape == (40,)
    assert model.score(want) > 0.9
    two = SequenceForecaster(horizon=5, epochs=1).fit(np.stack([WAVE, -WAVE], axis=1))
    assert two.predict().shape == (5, 2)


def test_a_season_is_what_is_learnt_beyond():
    """A series that repeats itself with a trend is met at once: nothing is left to learn."""
    series = np.tile([3.0, 1.0, 7.0, 2.0], 20) + np.arange(80)
    model = SequenceForecaster(horizon=9, season=4, epochs=1).fit(series)
    np.testing.assert_allclose(
        model.predict(), np.resize([3.0, 1.0, 7.0, 2.0], 9) + np.arange(80, 89), atol=1e-6
    )


def test_what_is_known_of_a_step_is_read_before_it_is_forecast(rng):
    known = rng.normal(size=(200, 1))
    series = 2 * known[:, 0] + 5
    model = SequenceForecaster([(8, 'tanh')], horizon=10, epochs=80, learning_rate=0.02)
    model.fit(known[:180], series[:180])
    np.testing.assert_allclose(model.predict(known[180:]), series[180:], atol=0.4)
    frame = pd.DataFrame({'price': known[180:, 0]})
    np.testing.assert_allclose(model.predict(frame), model.predict(known[180:]))


def test_in_the_tools_of_scikit_learn(rng):
    known = rng.normal(size=(200, 1))
    series = 2 * known[:, 0] + 5
    model = SequenceForecaster([(8, 'tanh')], epochs=60, learning_rate=0.02)
    assert cross_val_score(model, known, series, cv=TimeSeriesSplit(3)).min() > 0.9
    search = GridSearchCV(model, {'window': [8, 32]}, cv=TimeSeriesSplit(2)).fit(known, series)
    assert search.best_params_['window'] in (8, 32)
    assert clone(model).get_params()['horizon'] == 24


def test_quantiles_of_noise(rng):
    """Of white noise of deviation 2 around 7: the forecast of every step."""
    series = rng.normal(7, 2, size=600)
    model = SequenceForecaster([(2, 'rnn')], loss='gll', horizon=6, epochs=120).fit(series)
    low, middle, high = model.predict_quantiles(streams=2000)
    assert low.shape == (6,)
    np.testing.assert_allclose(middle, 7, atol=0.8)
    np.testing.assert_allclose(high - low, 2 * 1.2816 * 2, rtol=0.25)
    np.testing.assert_array_equal(model.predict_quantiles(rng=1), model.predict_quantiles(rng=1))
    with pytest.raises(ConfigurationError, match="expected the loss 'gll'"):
        SequenceForecaster(epochs=1).fit(series).predict_quantiles()


@pytest.mark.parametrize(
    ('x', 'y', 'says'),
    [
        ([1.0], None, 'two steps or more'),
        ([1.0, np.nan, 2.0], None, 'finite numbers, got none in row 1'),
        (['a', 'b'], None, 'X: expected numbers'),
        (np.zeros((3, 1)), [1.0, 2.0], 'as many rows of X as steps of y, got 3 and 2'),
        (np.zeros((3, 2, 2)), None, r'expected \(time, columns\)'),
    ],
)
def test_wrong_series(x, y, says):
    with pytest.raises(DataError, match=says):
        SequenceForecaster(epochs=1).fit(x, y)


def test_wrong_columns_ahead():
    model = SequenceForecaster([(2, 'gru')], epochs=1).fit(np.zeros((20, 2)), np.arange(20.0))
    with pytest.raises(DataError, match='expected X, the 2 columns that are known ahead'):
        model.predict()
    with pytest.raises(DataError, match=r'expected \(time, 2\)'):
        model.predict(np.zeros((5, 3)))
