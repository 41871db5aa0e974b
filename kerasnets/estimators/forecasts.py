"""An estimator that writes a series on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import base
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from kerasnets import recurrent
from kerasnets.errors import ConfigurationError, DataError, positive
from kerasnets.estimators.base import Estimator, constructor
from kerasnets.typing import Array, Data, Seed

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11


class SequenceForecaster(base.RegressorMixin, Estimator):
    """A `recurrent.Regressor` that learns a series and forecasts the steps after it.

    The series is standardized and cut in windows that overlap; the network learns the step after
    each. A forecast starts from the last window.

    Parameters
    ----------
    layers, loss, algo, validation_fraction, random_state, **training
        As for `base.Estimator`. With ``loss='gll'`` the network predicts a mean and a variance,
        and `predict_quantiles` is there.
    horizon : int
        Steps that `predict` gives if nothing else is said.
    window : int, optional
        Steps in a window. Default: twice the horizon, at least 32.
    season : int, optional
        Steps in a season: the network learns how much each step differs from the one a season
        before, which helps where a series has a trend. With 1 it learns the changes.

    The parts of ``TimeSeriesSplit`` follow each other, so that a forecaster is scored on the part
    after the one it learnt.

    >>> series = np.sin(np.arange(80) / 3)
    >>> model = SequenceForecaster([(8, 'gru')], horizon=5, epochs=2).fit(series)
    >>> model.predict().shape
    (5,)
    """

    KIND = recurrent.Regressor
    __init__ = constructor(
        layers=((32, 'gru', 'tanh'),), horizon=24, window=None, season=None, learning_rate=0.003
    )

    def fit(self, X: Data, y: Data = None) -> Self:
        """Learn a series.

        Parameters
        ----------
        X : array (time, columns), or the series
            What is known ahead of each step, such as the month or a price; without `y`, the
            series itself, and nothing is known ahead.
        y : array (time,) or (time, values), optional
            The series.
        """
        series, known = (X, None) if y is None else (y, X)
        self._flat = np.ndim(series) == 1
        series = _checked(series, 'y' if known is not None else 'X')
        known = np.zeros((len(series), 0)) if known is None else _checked(known, 'X')
        if len(known) != len(series):
            raise DataError(
                f'expected as many rows of X as steps of y, got {len(known)} and {len(series)}.'
            )
        self._before = series
        if self.season is not None:
            season = positive(self.season, 'season')
            series, known = series[season:] - series[:-season], known[season:]
        steps = max(32, 2 * positive(self.horizon, 'horizon')) if self.window is None else None
        steps = min(steps or positive(self.window, 'window'), len(series) - 1)
        if steps < 1:
            raise DataError(
                f'expected a series of two steps or more, and a season, got {len(self._before)}.'
            )
        self._scales = [_scale(series), _scale(known)]
        self._past = self._scaled(series, 0), self._scaled(known, 1)
        self._steps = steps
        self.n_features_in_ = known.shape[1]
        self._make(series.shape[1])
        series, known = self._past
        starts = sorted(
            {*range(0, len(series) - steps, max(1, steps // 8)), len(series) - 1 - steps}
        )
        rows = np.array(starts)[:, None] + np.arange(steps)
        x = np.concatenate([series[rows], known[rows + 1]], axis=-1)
        return self._train([x, series[rows + 1]])

    def predict(self, X: Data = None) -> Array:
        """Forecast the steps after those of training.

        Parameters
        ----------
        X : array (steps, columns), optional
            What is known ahead, a row for each step to forecast. Default: `horizon` steps.

        Returns
        -------
        array (steps,) or (steps, values)
        """
        return self._forecast(X, 1, None, 0.0)[0]

    def predict_quantiles(
        self,
        X: Data = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        streams: int = 500,
        rng: Seed = 13,
    ) -> Array:
        """Forecast quantiles, from many forecasts that are drawn.

        Parameters
        ----------
        X : array (steps, columns), optional
        quantiles : list of float
        streams : int
            Forecasts to draw.
        rng : int or numpy random generator

        Returns
        -------
        array (quantiles, steps) or (quantiles, steps, values)

        Raises
        ------
        ConfigurationError
            If the loss is not 'gll'.
        """
        if self.loss != 'gll':
            raise ConfigurationError(
                f"expected the loss 'gll', whose forecasts are drawn, got {self.loss!r}. Make the "
                "forecaster with loss='gll'."
            )
        found: Array = np.quantile(self._forecast(X, streams, rng, 1.0), quantiles, axis=0)
        return found

    def score(self, X: Data, y: Data = None, sample_weight: Data = None) -> float:
        """R² of the steps after those of training: X and y go on where those of `fit` ended."""
        if y is None:
            X, y = np.zeros((len(X), 0)), X
        return float(r2_score(y, self.predict(X), sample_weight=sample_weight))

    def _make(self, values: int) -> None:
        """The network: of one output, or of a mean and a variance."""
        columns = values + self.n_features_in_
        if self.loss != 'gll':
            self._build((columns, values), False)
        else:
            mean = dict(size=values, name='mean', activation='linear')
            hidden = self._hidden()
            last = f'hid{len(hidden)}' if hidden else 'in'
            covar = dict(size=values, name='covar', activation='softplus', inputs=last)
            loss = dict(form='gll', mean_name='mean', covar_name='covar')
            seed = self._seed()
            self.net_ = self.KIND([columns, *hidden, mean, covar], loss=loss, rng=seed)
        self.net_.feedback = list(range(values))

    def _forecast(self, X: Data, streams: int, rng: Seed, temperature: float) -> Array:
        """Forecasts (streams, steps) or (streams, steps, values)."""
        check_is_fitted(self)
        series, known = self._past
        if X is None and self.n_features_in_:
            raise DataError(
                f'expected X, the {self.n_features_in_} columns that are known ahead, a row for '
                'each step to forecast, got None.'
            )
        ahead = np.zeros((self.horizon if X is None else len(X), 0))
        if self.n_features_in_:
            ahead = self._scaled(_checked(X, 'X', self.n_features_in_), 1)
        after = np.concatenate([known[1:], ahead, np.zeros((1, known.shape[1]))])  # of the step
        seed = np.concatenate([series, after[: len(series)]], axis=1)[-self._steps :]
        future = after[len(series) :] if self.n_features_in_ else None
        found = self.net_.predict_sequence(
            seed, len(ahead), streams, rng, future=future, temperature=temperature
        )
        found = found.reshape(streams, len(ahead), -1)
        mean, std = self._scales[0]
        found = found * std + mean
        if self.season is not None:
            for step in range(len(ahead)):
                back = step - self.season
                found[:, step] += found[:, back] if back >= 0 else self._before[back]
        return found[..., 0] if self._flat else found

    def _scaled(self, array: Any, which: int) -> Any:
        mean, std = self._scales[which]
        return (array - mean) / std


def _scale(array: Any) -> Any:
    """Mean and deviation of each column; a deviation of 1 where there is none."""
    std = array.std(axis=0)
    return array.mean(axis=0), np.where(std > 0, std, 1.0)


def _checked(array: Any, name: str, columns: int | None = None) -> Any:
    """Numbers as (rows, columns)."""
    try:
        array = np.asarray(array, float)
    except (TypeError, ValueError):
        raise DataError(f'{name}: expected numbers, got {array!r:.60}.') from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        raise DataError(
            f'{name}: expected (time, {columns or "columns"}), got an array of shape {array.shape}.'
        )
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f'{name}: expected finite numbers, got none in row {row}. Fill it in.')
    return array
