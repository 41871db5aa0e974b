"""Frequencies, gaps and dates as pandas has them."""

import numpy as np
import pandas as pd
import pytest

from kerasnets.errors import DataError
from kerasnets.forecasting.dates import Frequency, is_named, join_parts, of_numbers, with_offset


@pytest.mark.parametrize(
    ('freq', 'words', 'seasons'),
    [
        ('MS', 'month', (12,)),
        ('ME', 'month', (12,)),
        ('QS', 'quarter', (4,)),
        ('QE', 'quarter', (4,)),
        ('YS', 'year', ()),
        ('W', 'week', (52,)),
        ('D', 'day', (7,)),
        ('B', 'business day', (5,)),
        ('h', 'hour', (24, 168)),
        ('30min', '30 minutes', (48, 336)),
        ('2h', '2 hours', (12, 84)),
    ],
)
@pytest.mark.parametrize('zone', [None, 'America/New_York'])
def test_the_dates_go_on_as_those_of_pandas(freq, words, seasons, zone, rng):
    """Also in the night in which the clock changes, and from dates with gaps in any order."""
    dates = pd.date_range('2024-01-31 00:00', periods=200, freq=freq, tz=zone)
    some = dates[rng.permutation([*range(30), *range(34, 120)])]
    found = Frequency.of(some)
    assert str(found) == words
    assert found.seasons == seasons
    np.testing.assert_array_equal(found.steps(some[np.argsort(some)][-3:]), [117, 118, 119])
    assert found.dates(range(120, 200)).tolist() == dates[120:200].tolist()


@pytest.mark.parametrize('freq', ['M', 'Q', 'Y', 'D', 'h', 'W'])
def test_periods(freq):
    dates = pd.period_range('2020-01-01', periods=40, freq=freq)
    found = Frequency.of(dates[:30]).dates(range(30, 40))
    pd.testing.assert_index_equal(found, dates[30:])


def test_numbers_as_dates():
    years = Frequency.of(pd.Series(np.arange(1900, 1950)))
    assert years.dates([50, 51]).tolist() == [1950, 1951]
    assert years.seasons == ()
    months = Frequency.of(pd.Series(np.round(1949 + np.arange(60) / 12, 6)))
    assert months.seasons == (12,)
    np.testing.assert_allclose(months.dates([600]), [1999], atol=1e-6)


@pytest.mark.parametrize('freq', ['BME', 'BMS', 'BQE', 'YE'])
def test_weekdays_at_the_ends_of_months(freq):
    dates = pd.date_range('2019-01-31', periods=40, freq=freq)
    found = Frequency.of(dates[[*range(20), *range(22, 30)]])
    assert found.dates(range(30, 40)).tolist() == dates[30:].tolist()


def test_the_30th_of_each_month_is_the_28th_of_february():
    dates = [
        pd.Timestamp(2023, m, min(30, pd.Period(f'2023-{m}').days_in_month)) for m in range(1, 11)
    ]
    found = Frequency.of(pd.DatetimeIndex(dates)).dates(range(10, 14))
    assert found.strftime('%m-%d').tolist() == ['11-30', '12-30', '01-30', '02-29']


def test_rounded_decimal_years():
    found = Frequency.of(pd.Series(np.round(1950 + np.arange(70) / 12, 3)))
    assert found.seasons == (12,)
    assert found.steps(pd.Series([1955.833])).tolist() == [70]


def test_numbers_that_are_dates():
    days = pd.date_range('2024-01-30', periods=40)
    forms = {
        'yyyymmdd': days.strftime('%Y%m%d').astype(int),
        'seconds': days.astype('datetime64[s]').astype('int64'),
        'milliseconds': days.astype('datetime64[ms]').astype('int64'),
    }
    for name, numbers in forms.items():
        found = of_numbers(pd.Series(numbers), named=True)
        assert found.tolist() == days.tolist(), name
    months = pd.Series([202311, 202312, 202401])
    assert of_numbers(months, named=True).tolist()[2] == pd.Timestamp('2024-01-01')
    assert of_numbers(months, named=False) is None
    assert of_numbers(pd.Series([20240131, 20240132]), named=True) is None
    assert of_numbers(pd.Series([20240131.5, 20240130]), named=True) is None
    assert is_named('Order_Date')
    assert not is_named('update')


def _in_parts(dates, *names):
    found = {name: getattr(dates, name.lower()) for name in names}
    return pd.DataFrame({**found, 'y': np.arange(len(dates))})


@pytest.mark.parametrize(
    ('dates', 'names'),
    [
        (pd.date_range('2020-01-01', periods=30, freq='MS'), ('Year', 'Month')),
        (pd.date_range('2020-01-01', periods=30, freq='QS'), ('year', 'quarter')),
        (pd.date_range('2020-02-20', periods=30), ('year', 'month', 'day')),
        (pd.date_range('2020-02-28', periods=50, freq='h'), ('YEAR', 'MONTH', 'DAY', 'hour')),
    ],
)
def test_columns_of_parts_are_joined(dates, names):
    frame = _in_parts(dates, *names)
    joined, name, parts = join_parts(frame)
    assert (name, set(parts), list(joined)) == ('date', set(names), ['date', 'y'])
    assert (joined['date'] == dates).all()


def test_parts_in_words_and_hours_of_a_date():
    dates = pd.date_range('2020-01-01', periods=30, freq='MS')
    frame = pd.DataFrame(dict(year=dates.year, mon=dates.month_name(), y=0))
    assert (join_parts(frame)[0]['date'] == dates).all()
    weeks = pd.date_range('2020-01-06', periods=60, freq='W-MON')
    iso = weeks.isocalendar()
    assert (join_parts(iso[['year', 'week']].reset_index(drop=True))[0]['date'] == weeks).all()
    hours = pd.date_range('2020-01-01', periods=50, freq='h')
    frame = pd.DataFrame(dict(on=hours.normalize(), hour=hours.hour, y=0))
    joined, name, _ = join_parts(frame)
    assert name == 'on'
    assert (joined['on'] == hours).all()


def test_columns_that_are_no_parts_of_a_date_stay():
    dates = pd.date_range('2020-01-01', periods=30, freq='MS')
    frame = _in_parts(dates, 'year', 'month')
    assert join_parts(frame.assign(on=dates))[1:] == ('', [])
    assert join_parts(frame.assign(month=13))[1:] == ('', [])
    assert join_parts(frame, targets=['month'])[1:] == ('', [])
    assert list(join_parts(frame, known=['month'])[0]) == ['date', 'month', 'y']


def test_offsets_of_texts():
    hours = pd.date_range('2024-03-09', periods=50, freq='h', tz='America/New_York')
    found = with_offset(pd.Series([hour.isoformat() for hour in hours]))
    assert (found == hours).all()
    assert found.iloc[0].isoformat() == '2024-03-09T01:00:00-04:00'
    days = pd.date_range('2024-03-09', periods=5, tz='America/New_York')
    found = with_offset(pd.Series([day.isoformat() for day in days]))
    assert found.iloc[0].isoformat() == '2024-03-09T00:00:00-04:00'
    assert with_offset(pd.Series(['2024-03-09'])) is None


def test_uneven_dates():
    with pytest.raises(DataError, match='not evenly spaced'):
        Frequency.of(pd.DatetimeIndex(['2024-01-01', '2024-01-02', '2024-01-09T07:13']))
    with pytest.raises(DataError, match='two different dates'):
        Frequency.of(pd.to_datetime(['2024-01-01', '2024-01-01']))
    month = Frequency.of(pd.date_range('2024-01-01', periods=5))
    with pytest.raises(DataError, match='lies between two steps'):
        month.steps(pd.to_datetime(['2024-02-03 05:00']))


def test_parts_are_not_joined_where_a_column_has_the_name_of_the_dates():
    frame = pd.DataFrame({'year': [2020] * 3, 'month': [1, 2, 3], 'date': ['a', 'b', 'c']})
    assert join_parts(frame)[0] is frame
