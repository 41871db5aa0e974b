"""Forecast series."""

from __future__ import annotations

import collections
import dataclasses
import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from sklearn import base
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from kerasnets import recurrent
from kerasnets.errors import ConfigurationError, DataError, number, positive, stacklevel
from kerasnets.estimators.base import Estimator, constructor
from kerasnets.estimators.forecast_networks import (
    MANY,
    NETWORK,
    POOLED,
    TRAINED,
    Ensemble,
    Looped,
    Pooled,
    View,
)
from kerasnets.forecasting import combination, series
from kerasnets.forecasting.combination import Candidate, Track
from kerasnets.forecasting.dates import is_dates
from kerasnets.forecasting.series import Layout, Series
from kerasnets.typing import Array, Data

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11


class SequenceForecaster(base.RegressorMixin, Estimator):
    """Forecast one or several series.

    Simple methods (naive, drift, exponential smoothing, Theta, ridge regression on lags) and an
    average of small networks forecast the past of the series at up to six origins. Those with
    small errors in this back test are averaged, with weights of their inverse squared errors; the
    network only if its error is the least.
    Each method stands with and without the season, and on the values and their logarithms.

    Parameters
    ----------
    layers : sequence, optional
        Hidden layers of a `recurrent.Regressor` that reads a window step by step. Default: an
        ensemble of small networks that read the window at once.
    loss, algo, validation_fraction, random_state, **training
        As for `base.Estimator`. `validation_fraction` is the end of the series.
    horizon : int
        Steps of a forecast, and of the back test.
    window : int, optional
        Steps that the network reads.
    season : 'auto', int, list of int or None
        Steps in a season. 'auto' takes those of the dates' frequency, or those that a test of
        autocorrelation confirms.
    members : int
        Networks in the ensemble.
    date, group : str, optional
        The columns of a data frame that hold the date and the name of the series.
    target : str or list of str, optional
        The columns of a data frame to forecast. Default: all numbers with no other use.
    known : str or list of str, optional
        The columns of a data frame that are known ahead.
    missing : 'interpolate' or 'error'
        Fill gaps and average duplicates, with a warning, or refuse them.
    lower : 'auto', float or None
        The least value of a forecast. 'auto' is 0 for series without values below 0.

    Attributes
    ----------
    report_ : pandas.DataFrame
        Errors in the back test and weights of all candidates. ``relative`` is the error divided
        by that of the (seasonal) naive forecast.
    net_ : Network or None
        None where every series is too short for a network.
    series_ : list of kerasnets.forecasting.series.Series
        The series with even steps, a group each.
    seasons_ : list of tuple of int
        The seasons of each series.

    >>> series = 10 + np.tile([3.0, 1.0, 7.0, 2.0], 20) + np.arange(80) / 10
    >>> model = SequenceForecaster(horizon=4, epochs=2).fit(series)
    >>> model.predict().round(3).tolist()
    [21.0, 19.1, 25.2, 20.3]
    """

    KIND = recurrent.Regressor
    __init__ = constructor(
        layers=None,
        horizon=24,
        window=None,
        season='auto',
        members=4,
        date=None,
        group=None,
        target=None,
        known=None,
        missing='interpolate',
        lower='auto',
        learning_rate=0.015,
        epochs=30,
        batch_size=None,
    )

    def fit(self, X: Data, y: Data = None) -> Self:
        """Learn one or several series.

        Parameters
        ----------
        X : array (time,), array (time, targets), list of arrays, pandas Series or DataFrame
            The series; with `y`, the columns known ahead, (time, columns). A list holds several
            series. A data frame may hold dates, in a column or the index, and groups.
        y : array (time,) or (time, targets), optional
            The series.

        Returns
        -------
        self

        Raises
        ------
        DataError
            For series of fewer than two steps, uneven dates and unknown columns.
        """
        series.check_missing(self.missing)
        found = self._series(X, y, fresh=True)
        if self._goes_on(found):
            return self
        self.series_ = found
        self._learnt = {k: v for k, v in self.get_params().items() if k != 'verbose'}
        self._learn()
        return self

    def update(self, X: Data, y: Data = None) -> Self:
        """Append steps to the series without training anew.

        The candidates and their weights stay as they are. The next forecast starts after the new
        steps. Steps that are missing before them are interpolated, or refused, as `missing` says.

        Parameters
        ----------
        X, y : as in `fit`
            The steps after those of training.
        """
        check_is_fitted(self)
        new = self._series(X, y, fresh=False)
        old = {str(one.group): one for one in self.series_}
        tracks = {str(one.group): each for one, each in zip(self.series_, self._tracks)}
        for one in new:
            before = old.get(str(one.group))
            if before is None:
                raise DataError(
                    f'expected steps of the series {", ".join(old)}, got those of {one.group!r}. '
                    'Call fit for a new series.'
                )
            before.append(one, self.missing)
            self._renew(before, tracks[str(one.group)])
        return self

    def predict(self, X: Data = None) -> Data:
        """Forecast the steps after those of training.

        Parameters
        ----------
        X : int, array (steps, columns) or DataFrame, optional
            The number of steps, or the columns known ahead, a row for each step. Default: the
            rows without a target at the end of the data, else `horizon` steps.

        Returns
        -------
        array (steps,) or (steps, targets)
            (series, steps) for a list of series. For a data frame alone, or a pandas Series with
            dates, of the same type, with the dates of the forecast.
        """
        return self._shaped([found.middle for found in self._forecast(X)])

    def predict_quantiles(
        self, X: Data = None, quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    ) -> Array:
        """Forecast quantiles from the errors of the back test.

        Parameters
        ----------
        X : as in `predict`
        quantiles : list of float

        Returns
        -------
        array (quantiles, steps) or (quantiles, steps, targets)
            (quantiles, series, steps) for a list of series; of a data frame with groups, the rows
            of `predict`.
        """
        if np.ndim(quantiles) != 1:
            raise ConfigurationError(
                f'expected quantiles as a list, got {quantiles!r}. Write for example [0.1, 0.9].'
            )
        levels = [number(q, 'quantiles', lambda v: 0 < v < 1, 'between 0 and 1') for q in quantiles]
        found = self._forecast(X)
        result = []
        for level in levels:
            parts = []
            for one, group in zip(found, self.series_):
                rows = np.stack([distance(level) for distance in one.bands], axis=1)
                parts.append(self._clip(one.middle + rows, group))
            result.append(self._plain(parts))
        return np.stack(result)

    def score(self, X: Data, y: Data = None, sample_weight: Data = None) -> float:
        """Return R² of the steps after those of training: X and y go on where `fit` ended."""
        if y is not None:
            predicted = self.predict(X)
            return float(r2_score(np.asarray(y, float), predicted, sample_weight=sample_weight))
        actual = self._series(X, None, fresh=False)
        steps = len(actual[0].values)
        found = self._forecast(steps)
        true = np.concatenate([one.values for one in actual])
        return float(r2_score(true, np.concatenate([one.middle for one in found])))

    def backtest(self, X: Data, y: Data = None, folds: int = 5) -> pd.DataFrame:
        """Forecast the ends of shorter and shorter parts of a series, each trained anew.

        Parameters
        ----------
        X, y : as in `fit`
        folds : int
            Parts. Each is `horizon` steps shorter than the one before it.

        Returns
        -------
        DataFrame
            A row for each fold, series and target: the last step of training, the mean absolute
            errors of the forecast and of the (seasonal) naive one, their quotient and the share of
            values in the 80 % band.
        """
        folds, horizon = positive(folds, 'folds'), positive(self.horizon, 'horizon')
        whole = self._series(X, y, fresh=True)
        shortest = min(len(one.values) for one in whole)
        room = (shortest - 2) // horizon
        if room < 1:
            raise DataError(
                f'expected a series of more than {horizon + 2} steps, the horizon and two, got '
                f'{shortest}. Give a smaller horizon.'
            )
        if room < folds:
            warnings.warn(
                f'{shortest} steps leave room for {room} of {folds} folds of {horizon} steps.',
                stacklevel=stacklevel(),
            )
        rows = []
        for fold in range(min(folds, room), 0, -1):
            model = base.clone(self)
            model._adopt(self)
            model.series_ = [_cut(one, fold * horizon, horizon) for one in whole]
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                model._learn()
            forecasts = model._forecast(horizon)
            for one, cut, tracks, found in zip(whole, model.series_, model._tracks, forecasts):
                start = len(cut.values)
                last = one.dates(1, before=len(one.values) - start + 1)[0]
                for i, track in enumerate(tracks):
                    true, predicted = one.values[start : start + horizon, i], found.middle[:, i]
                    low, high = (predicted + found.bands[i](q) for q in (0.1, 0.9))
                    error = np.abs(true - predicted).mean()
                    naive = np.abs(true - track.simple(horizon)).mean()
                    rows.append(
                        {
                            **self._labels(one, i),
                            'trained to': last,
                            'error': error,
                            'naive': naive,
                            'relative': error / naive if naive else np.nan,
                            'in band': float(((true >= low) & (true <= high)).mean()),
                        }
                    )
        return pd.DataFrame(rows)

    # ---------------------------------------------------------------------------- data

    def _adopt(self, other: Any) -> None:
        for name in ('_mode', '_layout', '_name', 'n_features_in_', 'feature_names_in_'):
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))

    def _series(self, X: Data, y: Data, fresh: bool) -> list[Series]:
        """Return the series of what a user passes; `fresh` decides what its columns mean."""
        if y is not None:
            return self._with_known(X, y, fresh)
        if isinstance(X, (pd.Series, pd.DataFrame)):
            X = series.unstacked(X)
        if isinstance(X, pd.Series):
            if series.index_dates(X.index) is not None:
                name = 'value' if X.name is None else str(X.name)
                if fresh:
                    self._name: Any = X.name
                return self._of_frame(X.to_frame(name), fresh, 'dated', [name])
            X = X.to_numpy()
        if isinstance(X, pd.DataFrame):
            return self._of_frame(X, fresh, 'frame', _names(self.target))
        if isinstance(X, (list, tuple)) and any(np.ndim(one) for one in X):
            parts = []
            for i, one in enumerate(X):
                if isinstance(one, (pd.Series, pd.DataFrame)):  # in the order of their dates
                    index = series.index_dates(one.index)
                    one = one if index is None else one.set_axis(index, axis=0).sort_index()
                parts.append(series.of_array(one, None, self.missing, f'series {i}'))
                parts[-1].group = i
            return self._arrays(parts, 'list', fresh)
        part = series.of_array(X, None, self.missing, 'X')
        return self._arrays([part], 'flat' if np.ndim(X) == 1 else 'columns', fresh)

    def _with_known(self, X: Data, y: Data, fresh: bool) -> list[Series]:
        flat = np.ndim(y) == 1
        mode = 'flat' if flat else 'columns'
        if not isinstance(X, pd.DataFrame):
            part = series.of_array(y, X, self.missing, 'y')
            return self._arrays([part], mode, fresh)
        values = series.numbers(y, 'y', nan=True)
        if len(values) != len(X):
            raise DataError(
                f'expected as many rows of X as steps of y, got {len(X)} and {len(values)}. '
                'Give a row for each.'
            )
        names = [f'y{i}' if f'y{i}' not in X else f' y{i}' for i in range(values.shape[1])]
        frame = X.assign(**dict(zip(names, values.T)))
        known = _names(self.known)
        if known is None:
            drop = {self.date, self.group, *names}
            known = [str(n) for n in X.columns if n not in drop and not is_dates(X[n])]
        return self._of_frame(frame, fresh, mode, names, known)

    def _arrays(self, parts: list[Series], mode: str, fresh: bool) -> list[Series]:
        if fresh:
            self._mode: str = mode
            self._layout: Layout | None = None
            self.n_features_in_ = parts[0].known.shape[1]
            if hasattr(self, 'feature_names_in_'):
                del self.feature_names_in_
        return parts

    def _of_frame(
        self,
        frame: pd.DataFrame,
        fresh: bool,
        mode: str,
        targets: list[str] | None,
        known: list[str] | None = None,
    ) -> list[Series]:
        known = _names(self.known) if known is None else known
        if not fresh and self._layout is not None:
            layout = self._layout
            targets, known = list(layout.targets), [column.name for column in layout.known]
            date = None if layout.in_index else layout.date
            _, frame = series.layout_of(frame, date, layout.group, targets, known)
            frequency = self.series_[0].frequency
            return series.of_frame(frame, layout, self.missing, frequency)
        layout, frame = series.layout_of(frame, self.date, self.group, targets, known or [])
        self._mode, self._layout = mode, layout
        self.n_features_in_ = len(layout.known)
        self.feature_names_in_ = np.array([column.name for column in layout.known], object)
        return series.of_frame(frame, layout, self.missing)

    def _goes_on(self, found: list[Series]) -> bool:
        """Append the new steps of series that begin as those learnt; False for others."""
        old = getattr(self, 'series_', None)
        now = {k: v for k, v in self.get_params().items() if k != 'verbose'}
        if old is None or len(old) != len(found) or repr(now) != repr(self._learnt):
            return False
        for one, other in zip(old, found):
            steps = len(one.values)
            new = len(other.values) - steps
            same = (
                one.group == other.group
                and one.first == other.first
                and str(one.frequency) == str(other.frequency)
                and one.known.shape[1] == other.known.shape[1]
                and 0 <= new <= steps // 4
                and np.array_equal(one.values, other.values[:steps])
                and np.array_equal(one.known[:steps], other.known[:steps])
            )
            if not same:
                return False
        self.series_ = found
        for one, tracks in zip(found, self._tracks):
            self._renew(one, tracks)
        return True

    def _renew(self, one: Series, tracks: list[Track]) -> None:
        """Give tracks the values and known columns of a series that goes on."""
        for i, track in enumerate(tracks):
            track.values, track.known = one.values[:, i], self._known(one)

    # ---------------------------------------------------------------------------- learning

    def _learn(self) -> None:
        """Rate the candidates of `series_`, train the network and choose."""
        whole: list[Series] = self.series_
        lengths = [len(one.values) for one in whole]
        if min(lengths) < 2:
            group = whole[int(np.argmin(lengths))].group
            raise DataError(
                f'expected a series of two steps or more, got {min(lengths)}'
                + ('. Pass more steps.' if group is None else f' of {str(group)!r}. Leave it out.')
            )
        horizon = max(one.ahead for one in whole) or positive(self.horizon, 'horizon')
        backs = combination.offsets(horizon, max(lengths))
        frequency = whole[0].frequency
        self._calendar = frequency is not None and 0 < 2 * frequency.year < max(lengths)
        known = np.concatenate([one.known for one in whole])
        spread = known.std(axis=0)
        self._center = known.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self._tracks: list[list[Track]] = []
        self.seasons_ = [series.seasons_of(one, self.season) for one in whole]
        usual = collections.Counter(season for found in self.seasons_ for season in found)
        often = tuple(s for s, count in usual.items() if 2 * count >= len(whole) >= MANY)
        self.seasons_ = [tuple(dict.fromkeys((*found, *often)))[:2] for found in self.seasons_]
        for one, found in zip(whole, self.seasons_):
            columns = one.values.T
            known = self._known(one)
            self._tracks.append([Track(c, known, found, horizon, backs) for c in columns])
        tracks = [track for each in self._tracks for track in each]
        for track in _bar(tracks, self.verbose, 'back test'):
            track.rate()
        self.net_, self.n_iter_, self.loss_curve_ = None, 0, []
        self._learners: dict[Candidate, Any] = {}
        if max(lengths) >= TRAINED:
            self._train_network(tracks, backs)
        short = [one for one in whole if len(one.values) < TRAINED]
        if short:
            names = [repr(one.group) for one in short[:3] if one.group is not None]
            of = f' of {", ".join(names)}{", …" if len(short) > 3 else ""}' if names else ''
            warnings.warn(
                f'{max(len(one.values) for one in short)} steps{of} are too few for a network. The '
                f'forecast is of simple methods; a network needs {TRAINED} steps.',
                stacklevel=stacklevel(),
            )
        shared = combination.share(tracks) if len(tracks) >= MANY else None
        for track in tracks:
            track.weigh(shared)
        self.report_ = self._report()
        if isinstance(self.lower, (int, float)):
            below = sum(int((one.values < self.lower).sum()) for one in whole)
            if below:
                warnings.warn(
                    f'{below} of {sum(lengths)} values are less than the lower limit of '
                    f'{self.lower:g}. Forecasts are not.',
                    stacklevel=stacklevel(),
                )

    def _known(self, one: Series) -> Array:
        """Return the known columns standardized, with those of the calendar."""
        mean, spread = self._center
        parts = [(one.known - mean) / spread]
        if self._calendar and one.frequency is not None:
            parts.append(one.frequency.calendar(one.first + np.arange(len(one.known))))
        return np.concatenate(parts, axis=1)

    def _train_network(self, tracks: list[Track], backs: list[int]) -> None:
        """Train what learns from all series, and add its forecasts to the candidates."""
        kind = Ensemble if self.layers is None else Looped
        network = kind(self, tracks)
        learners: dict[Candidate, Any] = {NETWORK: network}
        if len(tracks) >= MANY:
            learners[POOLED] = Pooled(network.lags, network.columns)
        self._learners = learners
        for candidate, learner in learners.items():
            used = [0, *backs[1:2], *backs[3:4]][: kind.ORIGINS] if learner is network else backs
            views = {back: [View.of(t, back, learner.lags) for t in tracks] for back in used}
            views = {back: each for back, each in views.items() if any(each)}
            learner.train(views)
            rows = [np.full((len(t.backs) - 1, t.horizon), np.nan) for t in tracks]
            for back, each in views.items():
                some = [i for i, t in enumerate(tracks) if back and back in t.backs and each[i]]
                if not some:
                    continue
                ends = [len(tracks[i].values) - back for i in some]
                ahead = [tracks[i].known[e : e + tracks[i].horizon] for i, e in zip(some, ends)]
                made = learner.forecast(back, [each[i] for i in some], ahead, tracks[0].horizon)
                for i, row in zip(some, made):
                    rows[i][tracks[i].backs.index(back) - 1] = row
            for track, found in zip(tracks, rows):
                if np.isfinite(found).any():
                    track.add(candidate, found)
        self.net_ = network.net
        self.loss_curve_ = [row['loss'] for row in self.net_.history]
        self.n_iter_ = len(self.loss_curve_)

    def _report(self) -> pd.DataFrame:
        rows = []
        for one, tracks in zip(self.series_, self._tracks):
            for i, track in enumerate(tracks):
                rated = track.rated()
                naive = rated.get(track.naive, np.nan)
                for candidate in sorted({*rated, *track.weights}, key=lambda c: rated.get(c, 0)):
                    error = rated.get(candidate, np.nan)
                    rows.append(
                        {
                            **self._labels(one, i),
                            'method': candidate.method,
                            'season': candidate.season,
                            'logarithms': candidate.log,
                            'error': error,
                            'relative': error / naive if naive else np.nan,
                            'weight': track.weights.get(candidate, 0.0),
                        }
                    )
        return pd.DataFrame(rows)

    def _labels(self, one: Series, target: int) -> dict[str, Any]:
        """Return the series and the target of a row of a table, where there are several."""
        found = {} if one.group is None else {'series': one.group}
        if one.values.shape[1] > 1:
            found['target'] = target if self._layout is None else self._layout.targets[target]
        return found

    # ---------------------------------------------------------------------------- forecasts

    def _forecast(self, X: Data) -> list[Forecast]:
        """Return the forecast of each series."""
        check_is_fitted(self)
        ahead = self._ahead(X)
        flat = [track for tracks in self._tracks for track in tracks]
        rows = [row for row, tracks in zip(ahead, self._tracks) for _ in tracks]
        made: list[dict[Candidate, Array]] = [{} for _ in flat]
        for candidate, learner in self._learners.items():
            need = [i for i, track in enumerate(flat) if candidate in track.weights]
            for steps in sorted({len(rows[i]) for i in need}):
                some = [i for i in need if len(rows[i]) == steps]
                views = [View.of(flat[i], 0, learner.lags) for i in some]
                each = learner.forecast(0, views, [rows[i] for i in some], steps)
                for i, one in zip(some, each):
                    made[i][candidate] = one
        parts = iter([t.forecast(len(r), r, more) for t, r, more in zip(flat, rows, made)])
        return [
            Forecast(
                self._clip(np.stack([next(parts) for _ in tracks], axis=1), one),
                [functools.partial(t.band.distance, steps=len(row)) for t in tracks],
            )
            for one, tracks, row in zip(self.series_, self._tracks, ahead)
        ]

    def _ahead(self, X: Data) -> list[Array]:
        """Return the known columns of the steps to forecast, (steps, columns) for each series."""
        whole: list[Series] = self.series_
        width = whole[0].known.shape[1]
        rows: list[Array] | None = None
        if np.ndim(X) == 0:
            steps = None if X is None else positive(X, 'X, the number of steps,')
            counts = [steps or one.ahead or positive(self.horizon, 'horizon') for one in whole]
            rows = [one.known[len(one.values) :][:n] for one, n in zip(whole, counts)]
            lack = [n for n, row in zip(counts, rows) if len(row) < n]
            if width and lack:
                names = '' if self._layout is None else f' ({", ".join(self.feature_names_in_)})'
                raise DataError(
                    f'expected X, the columns that are known ahead{names}, a row for each of '
                    f'{lack[0]} steps to forecast, got {X}. Pass it to predict.'
                )
            if not width:
                rows = [np.zeros((n, 0)) for n in counts]
        elif isinstance(X, pd.DataFrame) and self._layout is not None:
            rows = series.rows_ahead(X, self._layout, whole)
        else:
            array = series.numbers(X, 'X', None if not len(X) else width)
            rows = [array[:, :width] for _ in whole]
        ahead = []
        for one, row in zip(whole, rows):
            steps = len(one.values)
            joined = dataclasses.replace(one, known=np.concatenate([one.known[:steps], row]))
            ahead.append(self._known(joined)[steps:])
        return ahead

    def _clip(self, rows: Array, one: Series) -> Array:
        """Keep forecasts (steps, targets) at or above the lower limit."""
        if self.lower is None:
            return rows
        if isinstance(self.lower, str):
            if self.lower != 'auto':
                raise ConfigurationError(
                    f"expected lower as 'auto', a number or None, got {self.lower!r}. Choose one."
                )
            limit = np.where(one.values.min(axis=0) >= 0, 0.0, -np.inf)
            return np.maximum(rows, limit)
        return np.maximum(rows, number(self.lower, 'lower', np.isfinite, 'that is finite'))

    def _plain(self, parts: list[Array]) -> Array:
        """Return forecasts (steps, targets) of all series as an array."""
        if self._mode == 'list':
            found = np.stack(parts)
            return found[..., 0] if found.shape[-1] == 1 else found
        found = np.concatenate(parts)
        single = self._mode in ('flat', 'dated') or (
            self._layout is not None and self._mode == 'frame' and found.shape[1] == 1
        )
        return found[:, 0] if single else found

    def _shaped(self, parts: list[Array]) -> Data:
        """Return forecasts as the data came: with dates and groups where it had them."""
        layout = self._layout
        if layout is None or self._mode not in ('dated', 'frame'):
            return self._plain(parts)
        dates = [one.dates(len(part)) for one, part in zip(self.series_, parts)]
        index = dates[0].append(dates[1:]) if len(dates) > 1 else dates[0]
        if self._mode == 'dated':
            index, name = index.rename(layout.index_name), self._name
            return pd.Series(parts[0][:, 0], index, name=name)
        columns: dict[str, Any] = {}
        if layout.date is not None and not layout.in_index:
            columns[layout.date] = index
        if layout.group is not None:
            groups = pd.Index([one.group for one in self.series_])
            columns[layout.group] = groups.repeat([len(part) for part in parts])
        columns.update(zip(layout.targets, np.concatenate(parts).T))
        frame = pd.DataFrame(columns)
        return frame.set_index(index.rename(layout.index_name)) if layout.in_index else frame


@dataclasses.dataclass(frozen=True)
class Forecast:
    """The forecast of a series.

    Attributes
    ----------
    middle : array (steps, targets)
    bands : list of callable
        For each target the distance (steps,) of a quantile from the forecast.
    """

    middle: Array
    bands: list[Callable[[float], Array]]


def _bar(tracks: list[Track], verbose: Any, what: str) -> Iterator[Track]:
    """Yield series, with a bar on a terminal."""
    on = sys.stderr.isatty() if verbose == 'auto' else bool(verbose)
    with Progress(console=Console(stderr=True), transient=True, disable=not on) as progress:
        yield from progress.track(tracks, description=what)


def _names(names: str | Sequence[str] | None) -> list[str] | None:
    return [names] if isinstance(names, str) else None if names is None else list(names)


def _cut(one: Series, back: int, horizon: int) -> Series:
    """Return a series without its last steps, of which the known columns stay."""
    end = len(one.values) - back
    return dataclasses.replace(one, values=one.values[:end], known=one.known[: end + horizon])
