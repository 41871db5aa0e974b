"""Numbers and dates of whole columns, read by numpy for all texts of a shape at once."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnets.data.values import alike, days, hours, numbers

FORMATS = (
    '%Y-%m-%d %H:%M:%S', '%d.%m.%Y', '%Y-%m-%dT%H:%M:%S.%fZ', '%b %d, %Y', '%d %B %Y %I:%M %p',
    '%A, %d %b %Y', '%Y%m%d', '%G-W%V-%u', '%Y/%m/%d %H:%M:%S%z',
)  # fmt: skip

UTC = datetime.UTC
WHEN = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2099, 12, 31))


@given(st.lists(st.tuples(WHEN, st.sampled_from(FORMATS)), min_size=1, max_size=40))
def test_dates_are_those_of_strptime(written):
    zone = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
    texts = [when.replace(tzinfo=zone).strftime(form) for when, form in written]
    right = [
        datetime.datetime.strptime(text, form).replace(tzinfo=zone if '%z' in form else UTC)
        for text, (_, form) in zip(texts, written)
    ]
    found, _ = days(texts, 'day-first')
    want = np.array([one.timestamp() for one in right]) / 86400
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-10)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 14), st.sampled_from([23, 1900, 2024])))
)
def test_days_that_do_not_exist_are_missing(written):
    texts = [f'{day}/{month}/{year}' for day, month, year in written]
    found, _ = days(texts, 'day-first')
    for text, value, (day, month, year) in zip(texts, found, written):
        try:
            right = datetime.date(year + 2000 * (year < 100), month, day).toordinal() - 719163
        except ValueError:
            right = np.nan
        np.testing.assert_equal(value, right, err_msg=text)


@given(st.lists(st.integers(-(10**9), 10**9)), st.integers(0, 4), st.sampled_from(['', ' kg', '%']))
def test_numbers_are_those_of_float(whole, decimals, unit):
    right = [one / 10**decimals for one in whole]
    found, units = numbers([f'{one:,.{decimals}f}{unit}' for one in right], '.')
    assert found.tolist() == right
    assert set(units) <= {unit.strip()}


@given(st.floats(allow_nan=False))
def test_any_float_is_read_to_the_last_bit(value):
    assert numbers([repr(value), '7'], '.')[0].tolist() == [value, 7]


@pytest.mark.parametrize(
    ('texts', 'want'),
    [
        (['12\n345', '6'], [np.nan, 6]),
        (['٣٫٥', '١٢', '−7'], [np.nan, 12, -7]),
        (['0,123', '1,234'], [np.nan, 1234]),
        (['', ' '], [np.nan, np.nan]),
        ([], []),
        (['12\0', '12'], [np.nan, 12]),
    ],
)
def test_unusual_numbers(texts, want):
    np.testing.assert_array_equal(numbers(texts, '.')[0], want)


def test_times_of_one_shape_are_checked_one_by_one():
    found = hours(['10:30', '10:75', '99:99', '23:59'])
    np.testing.assert_array_equal(found, [10.5, np.nan, np.nan, 23 + 59 / 60])
    assert np.isnan(days(['2024-01-01 10:75', '2024-01-01 25:00', '2024-W60-1'])[0]).all()


def test_a_column_is_matched_once_for_each_shape():
    start = datetime.datetime(2020, 1, 1)
    texts = [str(start + datetime.timedelta(minutes=i)) for i in range(1000)]
    assert [group.shape for group in alike(texts)] == ['0000-00-00 00:00:00']
    assert len(alike([*texts, '1', '2', '$3'])) == 3
