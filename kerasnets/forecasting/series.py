"""Series as a user has them, in arrays and data frames, as values of even steps."""

from __future__ import annotations

import collections
import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kerasnets.data.columns import Column, as_numbers
from kerasnets.data.notation import Notation
from kerasnets.data.tables import Table, find_column
from kerasnets.errors import ConfigurationError, DataError, positive, stacklevel, suggest
from kerasnets.forecasting.dates import (
    Frequency,
    is_dates,
    is_named,
    join_parts,
    of_numbers,
    with_offset,
)
from kerasnets.forecasting.methods import factors
from kerasnets.forecasting.seasons import USUAL, find
from kerasnets.typing import Array, Data

#: Share of dates that occur twice from which the rows are of several series.
SHARED = 0.2


@dataclasses.dataclass
class Series:
    """One or several values at each of a number of even steps.

    Attributes
    ----------
    values : array (steps, targets)
    known : array (steps + ahead, columns)
        Columns that are known ahead, also for steps after the values.
    group : Any
        The group, None where there is one series.
    frequency : Frequency or None
    first : int
        The step of the first value, after the start of `frequency`.
    """

    values: Array
    known: Array
    group: Any = None
    frequency: Frequency | None = None
    first: int = 0

    @property
    def ahead(self) -> int:
        """Number of steps after the values of which the known columns are there."""
        return len(self.known) - len(self.values)

    def dates(self, steps: int, before: int = 0) -> pd.Index[Any]:
        """Return the dates of steps after the values and before, or the numbers of the steps."""
        after = self.first + len(self.values) + np.arange(-before, steps)
        return pd.Index(after) if self.frequency is None else self.frequency.dates(after)

    def date(self, step: int) -> str:
        """Return the date of a step, or its number, as text."""
        if self.frequency is None:
            return str(self.first + step)
        return _dates(self.frequency, np.array([self.first + step]))

    def append(self, new: Series, missing: str) -> None:
        """Append new steps, and interpolate those that are missing before them.

        Raises
        ------
        DataError
            For steps that are there already, for missing ones if `missing` is 'error', and for
            other columns.
        """
        steps = len(self.values)
        gap = new.first - (0 if new.frequency is None else self.first + steps)
        if gap < 0 or (gap and missing == 'error'):
            raise DataError(
                f'expected new steps from {self.date(steps)} on, got them from {new.date(0)} on. '
                'Pass the steps in between, and none twice.'
            )
        for what, columns, other in (
            ('series', self.values, new.values),
            ('columns that are known ahead', self.known, new.known),
        ):
            if columns.shape[1] != other.shape[1]:
                raise DataError(
                    f'expected new steps of {columns.shape[1]} {what}, as in fit, got '
                    f'{other.shape[1]}. Pass the same columns.'
                )
        if gap:
            warnings.warn(
                f'{gap} step{"s are" if gap > 1 else " is"} missing from {self.date(steps)} on. '
                'Missing values are interpolated.',
                stacklevel=stacklevel(),
            )
        lost = np.full((gap, new.values.shape[1]), np.nan)
        whole = np.concatenate([self.values, lost, new.values])
        # in the gap the known columns are those after the values, or the last ones
        rows = np.minimum(np.arange(steps + gap), len(self.known) - 1)
        self.known = np.concatenate([self.known[rows], new.known])
        self.values = np.stack([interpolate(column) for column in whole.T], axis=1)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The columns of a data frame, and what they mean.

    Attributes
    ----------
    date, group : str or None
    in_index : bool
        Whether the dates are the index.
    index_name : Any
        The name of such an index.
    targets : tuple of str
    known : tuple of Column
        Columns that are known ahead, with their encoding.
    """

    date: str | None
    group: str | None
    in_index: bool
    targets: tuple[str, ...]
    known: tuple[Column, ...]
    index_name: Any = None

    @property
    def width(self) -> int:
        """Number of values that the known columns become."""
        return sum(column.width if column.words is not None else 1 for column in self.known)

    def encode(self, frame: pd.DataFrame) -> Array:
        """Return the known columns as numbers (rows, width), NaN where they are missing."""
        parts = [np.zeros((len(frame), 0))]
        for column in self.known:
            values = _word(_typed(frame[[column.name]])[column.name])
            if column.words is None:
                parts.append(as_numbers(values)[:, None])
                continue
            words = values.astype('category')
            if unseen := column.unseen(words):
                warnings.warn(f'column {column.name!r}: {unseen}.', stacklevel=stacklevel())
            encoded = np.zeros((len(frame), column.width))
            column.encode(column.plain(words), encoded)
            if '' not in (column.words or ()):
                encoded[values.isna().to_numpy()] = np.nan
            parts.append(encoded)
        return np.concatenate(parts, axis=1)

    def dates(self, frame: pd.DataFrame) -> pd.Series[Any]:
        """Return the column of dates of another data frame."""
        column = _typed(frame[[self.date]])[self.date]
        dates = of_numbers(column, named=True)
        return column if dates is None else dates


def layout_of(
    frame: pd.DataFrame,
    date: str | None,
    group: str | None,
    targets: Sequence[str] | None,
    known: Sequence[str] | None,
) -> tuple[Layout, pd.DataFrame]:
    """Return what the columns of a data frame mean, and the frame with typed columns.

    Parameters
    ----------
    frame : pandas.DataFrame
    date, group : str, optional
        Names of columns. The date column is looked for where it has no name.
    targets : sequence of str, optional
        Default: every column of numbers with no other use.
    known : sequence of str, optional
        Default: none, or every column with no other use if `targets` is empty.

    Raises
    ------
    DataError
        For names that are no columns, and where several columns hold dates.
    """
    frame = unstacked(frame).rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f'two columns are named {twice[0]!r}. Rename one of them.')
    index_name, index = frame.index.name, index_dates(frame.index)
    in_index = index is not None and date in (None, index_name)
    if in_index:
        date = str('date' if index_name is None else index_name)
        frame = frame.set_axis(index, axis=0).reset_index(names=date)
    used = {*(targets or ()), *(known or ())}
    for name in filter(None, (group, *used)):
        find_column(frame, name)
    for name in targets or ():
        _check_numbers(frame, name)
    frame = _typed(frame, skip=[group] if group else [])
    if date is None or date not in frame:  # of an update
        frame, name, parts = join_parts(frame, group, targets or (), known or ())
        if parts and date is None:
            warnings.warn(
                f'the columns {", ".join(parts)} are joined to the dates {name!r}.',
                stacklevel=stacklevel(),
            )
            date = name
    if date is None:
        rest = [n for n in frame if n != group and n not in (targets or ())]
        date = date_column(frame, rest, group, known or ())
    if date is not None:
        find_column(frame, date)
        dates = of_numbers(frame[date], named=True)
        frame = frame if dates is None else frame.assign(**{date: dates})
        known = None if known is None else [n for n in known if n != date]  # the calendar is known
    rest = [name for name in frame if name not in (date, group)]
    if targets is None:
        numeric = pd.api.types.is_numeric_dtype
        targets = [n for n in rest if n not in (known or ()) and numeric(frame[n].dtype)]
        if not targets:
            raise DataError(
                f'expected a column of numbers to forecast, got {", ".join(rest) or "none"}. '
                'Name it.'
            )
    if known is None:
        known = [] if targets else rest
    for name in {*targets} & {*known}:
        raise DataError(f'{name!r} is to be forecast, so it is not known ahead. Leave it out.')
    columns = tuple(Column.of(n, _word(frame[n]), Notation()) for n in known)
    return Layout(date, group, in_index, tuple(targets), columns, index_name), frame


def _word(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return truth values as numbers, and dates as days."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype(float)
    return values


def _typed(frame: pd.DataFrame, skip: Iterable[str] = ()) -> pd.DataFrame:
    """Return a frame with its columns of texts read as numbers, dates or words."""
    kinds = object, 'string', 'str'
    texts = [n for n in frame.select_dtypes(include=list(kinds)).columns if n not in skip]
    read = {n: _read(frame[n]).set_axis(frame.index) for n in texts}
    return frame.assign(**read) if read else frame


def _read(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of texts as numbers, dates or words."""
    plain = column.reset_index(drop=True)
    found = Table.of(plain.to_frame()).frame[column.name]
    dates = with_offset(plain) if is_dates(found) else None
    return found if dates is None else dates


def unstacked(data: pd.DataFrame | pd.Series[Any]) -> pd.DataFrame | pd.Series[Any]:
    """Return data with the levels of an index of several levels as columns."""
    return data.reset_index() if isinstance(data.index, pd.MultiIndex) else data


def index_dates(index: pd.Index[Any]) -> pd.Index[Any] | None:
    """Return the dates of an index, also of texts and years; None for an index without dates."""
    if is_dates(index):
        return index
    numeric = pd.api.types.is_numeric_dtype(index.dtype)
    if isinstance(index, pd.MultiIndex) or (numeric and index.name is None):
        return None
    name = 'index' if index.name is None else str(index.name)
    frame = _typed(pd.DataFrame({name: index.to_numpy()}))
    return pd.Index(frame[name]) if date_column(frame, [name], None) else None


def date_column(
    frame: pd.DataFrame, names: list[str], group: str | None, known: Sequence[str] = ()
) -> str | None:
    """Return the only column of dates, or a column of even numbers with the name of a date.

    A column that is known ahead holds the dates only if no other column does.
    """
    found = [name for name in names if is_dates(frame[name])]
    found = [name for name in found if name not in known] or found
    if len(found) > 1:
        raise DataError(f'the columns {", ".join(found)} hold dates. Name it: date={found[0]!r}.')
    if not found:
        parts = [frame] if group is None else [part for _, part in frame.groupby(group)]
        found = [n for n in names if n not in known and all(_counts(part[n]) for part in parts)]
        found = [name for name in found if is_named(name)] or found
    return found[0] if found else None


def _counts(column: pd.Series[Any]) -> bool:
    """Return True for numbers that are dates: 20240131, years, or even ones with such a name."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    if not numeric or pd.api.types.is_bool_dtype(column.dtype) or column.isna().any():
        return False
    if of_numbers(column, is_named(column.name)) is not None:
        return True
    values = np.sort(column.to_numpy(float))
    changes = np.diff(values)
    years = len(values) > 2 and values[0] >= 1000 and values[-1] < 2200 and set(changes) == {1.0}
    return years or bool(is_named(column.name) and len(changes) and (changes > 0).all())


def of_frame(
    frame: pd.DataFrame,
    layout: Layout,
    missing: str,
    frequency: Frequency | None = None,
) -> list[Series]:
    """Return the series of a typed data frame, one for each group.

    Rows are sorted by date. Missing dates and values are filled in and named in a warning, or
    refused. Rows at the end without any target are steps ahead.

    Raises
    ------
    DataError
        For gaps and duplicates, if `missing` is 'error'; for rows that are of several series.
    """
    known = layout.encode(frame)
    if layout.date is not None:
        _check_complete(frame, layout.date, 'date')
        frequency = frequency or _frequency(frame, layout)
    values = frame[list(layout.targets)].to_numpy(float)
    groups = [(None, np.arange(len(frame)))]
    if layout.group is not None:
        _check_complete(frame, layout.group, 'group')
        order = frame.groupby(layout.group, sort=False, observed=True).indices
        groups = [(name, np.asarray(rows)) for name, rows in order.items()]
    return [
        _series(frame, layout, rows, values[rows], known[rows], group, frequency, missing)
        for group, rows in groups
    ]


def _frequency(frame: pd.DataFrame, layout: Layout) -> Frequency:
    dates = frame[layout.date]
    return Frequency.of(dates, f'column {layout.date!r}')


def _check_complete(frame: pd.DataFrame, name: str, what: str) -> None:
    """Refuse a column of dates or groups with missing values."""
    missing = np.flatnonzero(frame[name].isna())
    if len(missing):
        raise DataError(
            f'column {name!r}: expected a {what} in {_rows(frame, missing)}, got none. Fill it in.'
        )


def _check_numbers(frame: pd.DataFrame, name: str) -> None:
    """Refuse a column to forecast that holds other values than numbers."""
    if pd.api.types.is_numeric_dtype(frame[name].dtype):
        return
    table = Table.of(frame[[name]].reset_index(drop=True))
    reading = table.readings[name]
    if reading.kind != 'number' or reading.doubt:
        why = reading.doubt or f'got {reading.example!r}'
        raise DataError(f'column {name!r}: expected numbers: {why}. Fix it.')


def _series(
    frame: pd.DataFrame,
    layout: Layout,
    rows: Array,
    values: Array,
    known: Array,
    group: Any,
    frequency: Frequency | None,
    missing: str,
) -> Series:
    """Return one series with even steps."""
    of_group = '' if group is None else f' of {group!r}'
    empty = DataError(f'the series{of_group} has no value. Leave it out.')
    if not len(values):
        raise empty
    problems = []
    first, seen = 0, np.ones(len(values), bool)
    if frequency is not None and layout.date is not None:
        dates = frame[layout.date].iloc[rows]
        steps = frequency.steps(dates, f'column {layout.date!r}')
        order = np.argsort(steps, kind='stable')
        steps, values, known, rows = steps[order], values[order], known[order], rows[order]
        unique, places, counts = np.unique(steps, return_inverse=True, return_counts=True)
        twice = unique[counts > 1]
        if len(twice):
            shown = _dates(frequency, twice)
            if len(twice) > SHARED * len(unique) or missing == 'error':
                unused = [n for n in frame if n not in (*layout.targets, layout.date, layout.group)]
                apart = [n for n in unused if not frame.duplicated([layout.date, n]).any()]
                remedy = (
                    f'Name the column of the series, such as group={apart[0]!r}'
                    if apart
                    else 'Name the column that tells several series apart with group='
                )
                raise DataError(
                    f'column {layout.date!r}{of_group}: dates occur more than once: {shown} '
                    f'({len(twice)} in all). {remedy}, or remove the duplicates.'
                )
            occur = 'date occurs' if len(twice) == 1 else 'dates occur'
            problems.append(f'{len(twice)} {occur} more than once ({shown}): values are averaged')
            values, known = (_mean(part, places, len(unique)) for part in (values, known))
        first = int(unique[0])
        whole = np.arange(first, unique[-1] + 1)
        if len(whole) > len(unique):
            lost = np.setdiff1d(whole, unique)
            if len(lost) > 2 * len(unique):
                raise DataError(
                    f'column {layout.date!r}{of_group}: {len(lost)} of {len(whole)} steps (one '
                    f'each {frequency}) are missing. Resample the series, for example with pandas.'
                )
            problems.append(
                f'{len(lost)} {"step is" if len(lost) == 1 else "steps are"} missing '
                f'({_dates(frequency, lost)})'
            )
            at = unique - first
            wide = np.full((len(whole), values.shape[1]), np.nan)
            wide[at], values = values, wide
            filled = np.full((len(whole), known.shape[1]), np.nan)
            filled[at], known = known, filled
            seen = np.isin(whole, unique)
        else:
            seen = np.ones(len(unique), bool)
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        raise DataError(
            f'expected finite numbers, got an infinite one in {_rows(frame, rows[infinite[0]])}. '
            'Fix it.'
        )
    given = np.flatnonzero(np.isfinite(values).any(axis=1))
    if not len(given):
        raise empty
    start, end = int(given[0]), int(given[-1]) + 1
    values, known, first = values[start:end], known[start:], first + start
    lacking = np.isnan(values).any(axis=1)
    lacking &= seen[start:end]
    if lacking.any():
        places = first + np.flatnonzero(lacking)
        shown = (
            _dates(frequency, places)
            if frequency is not None
            else _rows(frame, rows[start:end][np.flatnonzero(lacking)])
        )
        count = int(lacking.sum())
        problems.append(f'{count} {"value is" if count == 1 else "values are"} missing ({shown})')
    if problems and missing == 'error':
        raise DataError(
            f'the series{of_group}: {"; ".join(problems)}. Fill them in, or say '
            "missing='interpolate'."
        )
    if problems:
        filled_in = ' Missing values are interpolated.' if np.isnan(values).any() else ''
        warnings.warn(
            f'the series{of_group}: {"; ".join(problems)}.{filled_in}', stacklevel=stacklevel()
        )
        values = np.stack([interpolate(column) for column in values.T], axis=1)
    lacking = np.isnan(known).any(axis=1)
    if lacking.any():
        count = int((lacking & seen[start:]).sum())
        if count:
            problem = f'known columns lack values in {count} row{"s" if count > 1 else ""}'
            if missing == 'error':
                raise DataError(f'the series{of_group}: {problem}. Fill them in.')
            warnings.warn(
                f'the series{of_group}: {problem}. The value before is taken.',
                stacklevel=stacklevel(),
            )
        known = pd.DataFrame(known).ffill().bfill().fillna(0.0).to_numpy()
    return Series(values, known, group, frequency, first)


def rows_ahead(frame: pd.DataFrame, layout: Layout, whole: Sequence[Series]) -> list[Array]:
    """Return the known columns of a data frame for each series, in the order of dates.

    Raises
    ------
    DataError
        For columns and values that are missing, and for dates that do not follow a series.
    """
    frame = unstacked(frame).rename(columns=str)
    names = [column.name for column in layout.known]
    if layout.date is not None and layout.date not in frame:
        frame, _, _ = join_parts(frame, layout.group, layout.targets, names)
    for name in names:
        if name not in frame:
            raise DataError(
                f'there is no column {name!r}.{suggest(name, frame)} Give {", ".join(names)}.'
            )
    if layout.in_index and (index := index_dates(frame.index)) is not None:
        frame = frame.set_axis(index, axis=0).reset_index(names=layout.date)
    known = layout.encode(frame)
    if not np.isfinite(known).all():
        row = int(np.flatnonzero(~np.isfinite(known).all(axis=1))[0])
        raise DataError(
            f'column {", ".join(name for name in names if frame[name].isna().any())}: expected '
            f'values that are known ahead, got none in row {row}. Fill them in.'
        )
    found = []
    for one in whole:
        rows = np.arange(len(frame))
        if layout.group is not None and layout.group in frame:
            rows = np.flatnonzero(frame[layout.group].astype(str) == str(one.group))
        if layout.date in frame and one.frequency is not None:
            dates = layout.dates(frame).iloc[rows]
            steps = one.frequency.steps(dates, f'column {layout.date!r}')
            order = np.argsort(steps, kind='stable')
            rows, steps = rows[order], steps[order]
            want = one.first + len(one.values) + np.arange(len(rows))
            if not np.array_equal(steps, want):
                raise DataError(
                    f'inputs: expected the dates after {one.date(len(one.values) - 1)}, one each '
                    f'{one.frequency}, got {dates.iloc[order[0]]} to {dates.iloc[order[-1]]}. '
                    'Fix them.'
                )
        found.append(known[rows])
    return found


def seasons_of(one: Series, season: Any) -> tuple[int, ...]:
    """Return the seasons of a series, in steps.

    They are those that `season` names; 'auto' finds at most two.
    """
    if season is None:
        return ()
    if not isinstance(season, str):
        listed = season if isinstance(season, (list, tuple)) else [season]
        return tuple(s for s in (positive(s, 'season') for s in listed) if s > 1)
    if season != 'auto':
        raise ConfigurationError(
            f"expected season as 'auto', a number of steps or None, got {season!r}. Choose one."
        )
    usual = USUAL if one.frequency is None else one.frequency.seasons
    logs = (np.log(column) if column.min() > 0 else column for column in one.values.T)
    found = collections.Counter(s for column in logs for s in find(column, usual, most=2))
    return tuple(s for s, _ in found.most_common(2))


def _dates(frequency: Frequency, steps: Array) -> str:
    dates = frequency.dates(steps[:3])
    shown = [str(d).removesuffix(' 00:00:00') for d in dates]
    return ', '.join(shown) + (', …' if len(steps) > 3 else '')


def _rows(frame: pd.DataFrame, rows: Array) -> str:
    """Return the labels of some rows: lines of a file where the index holds these."""
    shown = ', '.join(map(str, frame.index[rows[:3]]))
    return f'{frame.index.name or "row"} {shown}' + (', …' if len(rows) > 3 else '')


def _mean(rows: Array, places: Array, count: int) -> Array:
    """Return the means of rows of one place."""
    frame = pd.DataFrame(rows).groupby(places).mean()
    return frame.reindex(range(count)).to_numpy()


def interpolate(values: Array) -> Array:
    """Return a series without gaps: straight lines between values, apart from the season.

    >>> interpolate(np.array([1.0, np.nan, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    lacking = np.isnan(values)
    if not lacking.any():
        return values
    steps, found = np.arange(len(values)), values.copy()

    def fill(series: Array) -> Array:
        return np.interp(steps[lacking], steps[~lacking], series[~lacking])

    found[lacking] = fill(values)
    for season in find(found) * 3:  # each time from factors of better values
        factor = factors(found, season)[steps % season]
        found[lacking] = fill(values - factor) + factor[lacking]
    return found


def of_array(values: Data, known: Data, missing: str, name: str) -> Series:
    """Return the series of an array (time,) or (time, targets)."""
    values = numbers(values, name, nan=True)
    known = np.zeros((len(values), 0)) if known is None else numbers(known, 'X')
    if len(known) != len(values):
        raise DataError(
            f'expected as many rows of X as steps of y, got {len(known)} and {len(values)}. '
            'Give a row for each.'
        )
    frame = pd.DataFrame(values)
    layout = Layout(None, None, False, (), ())
    rows = np.arange(len(frame))
    return _series(frame, layout, rows, values, known, None, None, missing)


def numbers(array: Data, name: str, columns: int | None = None, nan: bool = False) -> Array:
    """Return numbers as (rows, columns).

    Raises
    ------
    DataError
        For what is no number, has more axes, or is not finite.
    """
    try:
        if np.iscomplexobj(array):
            raise TypeError
        if isinstance(array, np.ma.MaskedArray) and nan:
            array = np.ma.filled(array.astype(float), np.nan)
        array = np.asarray(array, float)
    except (TypeError, ValueError):
        raise DataError(f'{name}: expected numbers, got {array!r:.60}. Convert them.') from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        raise DataError(
            f'{name}: expected (time, {columns or "columns"}), got an array of shape '
            f'{array.shape}. Reshape it.'
        )
    wrong = np.isinf(array) if nan else ~np.isfinite(array)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        value = array[row][wrong[row]][0]
        raise DataError(f'{name}: expected finite numbers, got {value} in row {row}. Fix it.')
    return array


def check_missing(missing: Any) -> str:
    """Return the parameter `missing`, if it is known."""
    if missing not in ('interpolate', 'error'):
        raise ConfigurationError(
            f"expected missing as 'interpolate' or 'error', got {missing!r}. Choose one."
        )
    return str(missing)
