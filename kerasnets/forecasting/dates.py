"""The dates of a series: the frequency, and dates as numbers of steps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from kerasnets.errors import DataError
from kerasnets.typing import Array

#: Names of columns of numbers that can be dates, such as years.
NAMES = {*'date time year ds timestamp day week month quarter period yyyymm yyyymmdd'.split()}

#: Names of columns with a part of a date -> the part.
PARTS = {
    **{name: name for name in ('year', 'quarter', 'month', 'week', 'day', 'hour')},
    **dict(yr='year', yyyy='year', qtr='quarter', mon='month', mo='month', mm='month'),
    **dict(wk='week', dd='day', hr='hour'),
}

#: English months by their first three letters.
_MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split()

#: Texts of dates with an offset from UTC.
_OFFSET = r'\d{4}-.*:.*(?:Z|[+-]\d\d:?\d\d)'

#: Seconds of a day.
_DAY = 86_400.0


@dataclasses.dataclass(frozen=True)
class Frequency:
    """An even distance between dates.

    Attributes
    ----------
    unit : str
        'month' for steps of whole months, 'business' for Monday to Friday, 'time' for a fixed
        time, 'number' for dates that are numbers, such as years.
    size : float
        Months, or seconds, or the difference of two numbers.
    start : Timestamp or float
        The date of step 0.
    day : int or str
        The day of each month, or the last one of shorter months; 'business start' or 'business
        end' for its first or last weekday.
    period : str
        The frequency of a pandas Period, '' for other dates.
    zone : Any
        The time zone, None for dates without one.
    """

    unit: Literal['month', 'business', 'time', 'number']
    size: float
    start: Any
    day: int | str = 1
    period: str = ''
    zone: Any = None

    @classmethod
    def of(cls, dates: pd.Series[Any] | pd.Index[Any], name: str = 'date') -> Frequency:
        """Return the frequency of dates in any order, with gaps and duplicates.

        Raises
        ------
        DataError
            If the dates are not evenly spaced.
        """
        period, zone = '', None
        index = pd.Index(dates)
        if isinstance(index, pd.PeriodIndex):
            period = index.freqstr
        zone = getattr(index, 'tz', None)
        plain = _plain(index, zone)
        unique = np.unique(plain)
        if len(unique) < 2:
            raise DataError(
                f'{name}: expected two different dates or more, got {len(unique)}. Give a row '
                'for each step.'
            )
        if unique.dtype.kind != 'M':
            numbers = unique.astype(float)
            size = _even(np.diff(numbers), name)
            steps = np.rint(np.diff(numbers) / size).sum()
            size = float(numbers[-1] - numbers[0]) / steps
            whole = round(1 / size) if size < 1 else 0  # steps of a year, as in 1949.083
            if whole and abs(1 / size - whole) < 0.01 * whole:
                size = 1 / whole
            return cls('number', size, float(numbers[0]))
        stamps = pd.DatetimeIndex(unique)
        made: dict[str, Any] = dict(period=period, zone=zone)
        months = stamps.year * 12 + stamps.month - 1
        distinct = months.nunique() == len(months)
        if distinct and bool((stamps == stamps.normalize()).all()):
            latest = 31 if stamps.is_month_end.all() else int(stamps.day.max())
            for day in (latest, 'business start', 'business end'):
                if (_days_of(stamps.to_period('M'), day) == stamps).all():
                    size = float(np.gcd.reduce(np.diff(months)))
                    return cls('month', size, stamps[0], day, **made)
        seconds = np.diff(unique.astype('datetime64[us]').astype('int64')) / 1e6
        size = _even(seconds, name, _duration)
        weekdays = stamps.day_of_week < 5
        if size == _DAY and weekdays.all() and (stamps[-1] - stamps[0]).days > 6:
            return cls('business', _DAY, stamps[0], **made)
        return cls('time', size, stamps[0], **made)

    def steps(self, dates: pd.Series[Any] | pd.Index[Any], name: str = 'date') -> Array:
        """Return dates as whole numbers of steps after the first one.

        Raises
        ------
        DataError
            If a date lies between two steps.
        """
        index = pd.Index(dates)
        plain = _plain(index, self.zone)
        if self.unit == 'number':
            exact = (plain.astype(float) - self.start) / self.size
        elif self.unit == 'month':
            stamps = pd.DatetimeIndex(plain)
            first = self.start.year * 12 + self.start.month
            exact = (np.asarray(stamps.year * 12 + stamps.month) - first) / self.size
        elif self.unit == 'business':
            days = plain.astype('datetime64[D]')
            exact = np.busday_count(np.datetime64(self.start, 'D'), days).astype(float)
        else:
            stamps = pd.DatetimeIndex(plain)
            exact = np.asarray((stamps - self.start).total_seconds()) / self.size
        found = np.rint(exact).astype(int)
        off = np.flatnonzero(np.abs(exact - found) > 0.02)
        if len(off):
            raise DataError(
                f'{name}: the date {index[off[0]]} lies between two steps. Expected a step every '
                f'{self}. Resample the series first, for example with pandas.'
            )
        return found

    def dates(self, steps: Sequence[int] | Array) -> pd.Index[Any]:
        """Return the dates of steps, of the type that the series has."""
        steps = np.asarray(steps)
        if self.unit == 'number':
            values = self.start + self.size * steps
            whole = float(self.start).is_integer() and float(self.size).is_integer()
            return pd.Index(np.rint(values).astype(int) if whole else np.round(values, 6))
        if self.unit == 'month':
            first = pd.Period(self.start, 'M')
            months = pd.PeriodIndex([first + int(step * self.size) for step in steps], freq='M')
            stamps = _days_of(months, self.day)
        elif self.unit == 'business':
            found = np.busday_offset(np.datetime64(self.start, 'D'), steps, roll='forward')
            stamps = pd.DatetimeIndex(found)
        else:
            stamps = self.start + pd.to_timedelta(steps * self.size, unit='s')
        if self.period:
            return stamps.to_period(self.period)
        return stamps if self.zone is None else _local(stamps, self)

    @property
    def seasons(self) -> tuple[int, ...]:
        """The steps of a day, a week and a year, where they are whole and more than one step."""
        if self.unit == 'number':
            each = round(1 / self.size) if self.size < 1 else 1
            return (each,) if each > 1 and abs(each * self.size - 1) < 0.01 else ()
        if self.unit == 'month':
            return (12 // int(self.size),) if 12 % self.size == 0 and self.size < 12 else ()
        if self.unit == 'business':
            return (5,)
        day, found = _DAY / self.size, []
        if self.size > _DAY:
            return (52,) if self.size == 7 * _DAY else ()
        for steps in (day, 7 * day):
            if steps > 1 and steps == round(steps):
                found.append(round(steps))
        return tuple(found)

    @property
    def year(self) -> float:
        """The steps of a year, 0 where a season says so or a year has few steps."""
        steps = 260.9 if self.unit == 'business' else 365.25 * _DAY / self.size
        return steps if self.unit in ('time', 'business') and self.size <= _DAY else 0.0

    def __str__(self) -> str:
        """Return the distance in words.

        >>> str(Frequency.of(pd.to_datetime(['2024-01-01', '2024-02-01', '2024-04-01'])))
        'month'
        """
        if self.unit == 'number':
            return f'{self.size:g}'
        if self.unit == 'business':
            return 'business day'
        if self.unit == 'month':
            word = {1: 'month', 3: 'quarter', 12: 'year'}.get(int(self.size))
            return word or f'{self.size:g} months'
        return _duration(self.size).removeprefix('1 ')

    def calendar(self, steps: Sequence[int] | Array) -> Array:
        """Return the season of the year (steps, waves) of steps that are shorter than a week."""
        if not self.year:
            return np.zeros((len(steps), 0))
        angle = 2 * np.pi * np.asarray(steps)[:, None] / self.year * np.arange(1, 4)
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def _days_of(months: pd.PeriodIndex, day: int | str) -> pd.DatetimeIndex:
    """Return the date of each month, by `Frequency.day`."""
    starts = months.to_timestamp()
    if day == 'business start':
        return pd.DatetimeIndex([pd.offsets.BMonthBegin().rollforward(start) for start in starts])
    if day == 'business end':
        return pd.DatetimeIndex([pd.offsets.BMonthEnd().rollforward(start) for start in starts])
    days = np.minimum(day, months.days_in_month)
    return starts + pd.to_timedelta(np.asarray(days) - 1, unit='D')


def _plain(index: pd.Index[Any], zone: Any) -> Array:
    """Return dates as datetime64 in local time where each has the same time of day, else in UTC."""
    if isinstance(index, pd.PeriodIndex):
        return np.asarray(index.to_timestamp())
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        if zone is not None:
            index = index.tz_convert(zone)
        local = index.tz_localize(None)
        one = (local - local.normalize()).nunique() == 1
        return np.asarray(local if one else index.tz_convert('UTC').tz_localize(None))
    return np.asarray(index)


def _local(stamps: pd.DatetimeIndex, frequency: Frequency) -> pd.DatetimeIndex:
    """Give dates their time zone again: days are local, hours are of UTC."""
    if frequency.unit != 'time' or frequency.size % _DAY == 0:
        return stamps.tz_localize(frequency.zone, ambiguous='NaT', nonexistent='shift_forward')
    return stamps.tz_localize('UTC').tz_convert(frequency.zone)


def _duration(size: float) -> str:
    """Return seconds in words, such as '2 weeks'."""
    for seconds, word in ((7 * _DAY, 'week'), (_DAY, 'day'), (3600, 'hour'), (60, 'minute')):
        if size % seconds == 0:
            count = int(size // seconds)
            return f'{count} {word}{"s" if count > 1 else ""}'
    return f'{size:g} seconds'


def _even(differences: Array, name: str, words: Callable[[float], str] = '{:g}'.format) -> float:
    """Return the step of which all differences are multiples."""
    step = float(np.median(differences))
    smallest = float(differences.min())
    for size in (step, smallest, *(step / n for n in (2, 3, 4))):
        ratio = differences / size
        near = np.abs(ratio - np.rint(ratio)) <= 0.02
        if near.all() and (ratio >= 0.5).all():
            return size
    raise DataError(
        f'{name}: the dates are not evenly spaced: the distances go from {words(smallest)} to '
        f'{words(float(differences.max()))}. Expected one distance, with gaps. '
        'Resample the series first, for example with pandas.'
    )


def of_numbers(column: pd.Series[Any], named: bool) -> pd.Series[Any] | None:
    """Return numbers such as 20240131 as dates, None for other numbers.

    Parameters
    ----------
    column : pandas.Series
    named : bool
        Whether its name is that of a date: then 202401 is a month too, and large numbers are
        seconds or milliseconds since 1970.
    """
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.isna().any():
        return None
    if column.nunique() < 2 or (column % 1 != 0).any():
        return None
    least, most = float(column.min()), float(column.max())
    for digits, form in ((8, '%Y%m%d'), (6, '%Y%m')):
        century = 10.0 ** (digits - 2)
        if (digits == 8 or named) and 18 * century <= least <= most < 22 * century:
            dates = pd.to_datetime(column.astype('int64').astype(str), format=form, errors='coerce')
            return None if dates.isna().any() else dates
    for unit, second in (('s', 1.0), ('ms', 1e3)):
        if named and 1e8 * second < least < most < 1e10 * second:
            return pd.to_datetime(column.astype('int64'), unit=unit)
    return None


def with_offset(texts: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return texts such as '2024-01-01T00:00:00+02:00' as dates, None for other texts.

    Of several offsets, as with summer time, the dates get that of the last one.
    """
    if not texts.astype(str).str.fullmatch(_OFFSET).all():
        return None
    stamps = [pd.Timestamp(text) for text in texts]
    zone = max(stamps).tz
    local = pd.DatetimeIndex([stamp.tz_localize(None) for stamp in stamps])
    days = (local - local.normalize()).nunique() == 1
    found = local.tz_localize(zone) if days else pd.to_datetime(stamps, utc=True).tz_convert(zone)
    return pd.Series(found, texts.index)


def join_parts(
    frame: pd.DataFrame,
    group: str | None = None,
    targets: Collection[str] = (),
    known: Collection[str] = (),
) -> tuple[pd.DataFrame, str, list[str]]:
    """Return a frame with a column of dates in place of columns of parts, such as year and month.

    Parameters
    ----------
    frame : pandas.DataFrame
    group : str, optional
    targets : collection of str
        Columns that are no parts of a date.
    known : collection of str
        Columns that stay.

    Returns
    -------
    frame : pandas.DataFrame
        The same one where there are no such columns.
    name : str
        The column of dates.
    parts : list of str
    """
    rest = [name for name in frame if name not in targets and name != group]
    parts = {PARTS[key]: name for name in rest if (key := name.strip().lower()) in PARTS}
    dates = [name for name in rest if is_dates(frame[name])]

    def values(part: str, default: int) -> pd.Series[Any]:
        if part not in parts:
            return pd.Series(default, frame.index)
        column = frame[parts[part]]
        if pd.api.types.is_numeric_dtype(column.dtype):
            return column
        texts = column.astype(str).str.strip().str.lower()
        if part == 'month':
            return texts.str[:3].map({name: i + 1 for i, name in enumerate(_MONTHS)})
        return pd.to_numeric(texts.str.extract(r'(\d+)')[0], errors='coerce')

    hours = pd.to_timedelta(values('hour', 0), unit='h')
    shorter = [part for part in ('month', 'quarter', 'week') if part in parts]
    if len(dates) == 1 and 'hour' in parts:
        name, *_ = dates
        keys = [name] if group is None else [name, group]
        if not frame.duplicated(keys).any():
            return frame, '', []
        joined, parts = frame[name] + hours, {'date': name, 'hour': parts['hour']}
    elif dates or 'date' in frame or 'year' not in parts or not shorter:
        return frame, '', []
    else:
        first, name = shorter[0], 'date'
        year, number = values('year', 1), values(first, 1)
        if not year.between(1000, 2200).all():
            return frame, '', []
        if first == 'week':
            texts = year.astype(int).astype(str) + '-' + number.fillna(0).astype(int).astype(str)
            joined = pd.to_datetime(texts + '-1', format='%G-%V-%u', errors='coerce')
        else:
            month = number if first == 'month' else 3 * number - 2
            day = values('day', 1) if first == 'month' else 1
            table = pd.DataFrame(dict(year=year, month=month, day=day))
            joined = pd.to_datetime(table, errors='coerce')
        some = ('year', first, *(('day', 'hour') if first == 'month' else ()))
        parts = {part: parts[part] for part in some if part in parts}
        joined = joined + hours if 'hour' in parts else joined
    if joined.isna().any():
        return frame, '', []
    frame = frame.drop(columns=[part for part in parts.values() if part not in known])
    frame.insert(0, name, joined)
    return frame, name, [*parts.values()]


def is_named(name: Any) -> bool:
    """Return True for the name of a date, such as 'order_date' or 'Year'."""
    return not NAMES.isdisjoint(re.split(r'[^a-z]+', str(name).lower()))


def is_dates(column: pd.Series[Any] | pd.Index[Any]) -> bool:
    """Return True if pandas knows a column as dates or periods."""
    return isinstance(column.dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(
        column.dtype
    )
