"""Numbers, dates and times as people write them."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnets.data import values
from kerasnets.data.notation import Notation, Options, infer
from kerasnets.errors import ConfigurationError


def inferred(texts, **options):
    return infer(texts, np.ones(len(texts), int), Options(**options))


@pytest.mark.parametrize(
    ('texts', 'want'),
    [
        (['1', '-2.5', '+3', '.5', '1e5', '2E-3'], [1, -2.5, 3, 0.5, 1e5, 0.002]),
        (['1,037,821', '12', '-1,000.5'], [1037821, 12, -1000.5]),
        (['1.037.821,5', '12'], [1037821.5, 12]),
        (['49,23', '5'], [49.23, 5]),
        (['0,234', '1,5'], [0.234, 1.5]),
        (["1'553'423", '10'], [1553423, 10]),
        (['1 553 423', '10'], [1553423, 10]),
        (['1\u00a0553', '1\u202f000'], [1553, 1000]),
        (['12,34,567', '1,00,000'], [1234567, 100000]),
        (['51.3%', '4 %', '0'], [51.3, 4, 0]),
        (['$4.20', '-$3', '$-2', '($1)'], [4.2, -3, -2, -1]),
        (['4,20 €', '5,00 €'], [4.2, 5]),
        (['USD 5', 'USD 7.5'], [5, 7.5]),
        (['\u22125', '5-', '(7)'], [-5, -5, -7]),
        (['5 kg', '6.5kg'], [5, 6.5]),
        (['20 °C', '-3 °C'], [20, -3]),
    ],
)
def test_numbers(texts, want):
    found = inferred(texts)
    assert found.notation.kind == 'number'
    np.testing.assert_allclose(found.values, want)
    np.testing.assert_allclose(found.notation.read(texts), want)


@pytest.mark.parametrize(
    'texts', [['12_5', '3_4'], ['12a', '7b'], ['0x10'], ['1st', '2nd'], ['1.2.3', '2.0.1'], ['a']]
)
def test_what_is_no_number_is_words(texts):
    assert inferred(texts).values is None


def test_a_number_of_two_meanings_is_said():
    found = inferred(['1,234', '5,678'])
    assert found.values.tolist() == [1234, 5678]
    assert '--decimal ,' in found.guess
    assert inferred(['1,234', '5,678'], decimal=',').values.tolist() == [1.234, 5.678]
    assert inferred(['1.234', '5.678'], thousands='.').values.tolist() == [1234, 5678]
    assert inferred(['1,234', '0,5']).guess == ''


@given(st.floats(-1e9, 1e9), st.sampled_from(['.,', ',.', ". '", ', ']))
def test_any_number_is_read_as_it_was_written(value, marks):
    written = f'{value:,.2f}'.translate({ord('.'): marks[0], ord(','): marks[1:].strip() or ' '})
    found, _ = values.numbers([written], marks[0])
    assert found[0] == pytest.approx(round(value, 2), abs=1e-6)


DAY = datetime.date(2024, 3, 31)


@pytest.mark.parametrize(
    'text',
    [
        '2024-03-31',
        '2024/03/31',
        '2024.3.31',
        '31.03.2024',
        '31-03-2024',
        '31/3/24',
        '03/31/2024',
        '31 March 2024',
        '31st of March 2024',
        '31-Mar-24',
        'Mar 31, 2024',
        'March 31 2024',
        'Sun, 31 Mar 2024',
        'Sunday, March 31, 2024',
        '2024 Mar 31',
        '20240331',
        '2024-W13-7',
        '2024-03-31T00:00:00Z',
        '2024-03-31 02:00:00+02:00',
        '30/03/2024 22:00 -02:00',
        '31.03.2024 00:00',
    ],
)
def test_dates(text):
    found, _ = values.days([text])
    assert found.tolist() == [(DAY - datetime.date(1970, 1, 1)).days]


@pytest.mark.parametrize(
    ('text', 'want'),
    [
        ('2010-01', '2010-01-01'),
        ('01/2010', '2010-01-01'),
        ('Jan 2010', '2010-01-01'),
        ('2010M01', '2010-01-01'),
        ('January-10', '2010-01-01'),
        ('2024Q3', '2024-07-01'),
        ('Q3 2024', '2024-07-01'),
        ('2024-W01', '2024-01-01'),
        ('3. März 2024', '2024-03-03'),
        ('12 de mayo de 2023', '2023-05-12'),
        ('15-ene-2024', '2024-01-15'),
        ('1 juillet 2024', '2024-07-01'),
        ('Okt 2024', '2024-10-01'),
    ],
)
def test_months_quarters_and_weeks(text, want):
    found, _ = values.days([text])
    assert Notation('date').write(found) == [want]


@pytest.mark.parametrize(
    'text', ['31.02.2024', '2024-13-01', '32/01/2024', '2024-01-01 25:00', '5']
)
def test_what_is_no_date(text):
    assert np.isnan(values.days([text])[0]).all()


def test_the_order_of_days_and_months():
    assert values.days(['03/04/2024', '31/04/2024', '30/04/2024'])[1] == 'day-first'
    assert values.days(['03/04/2024', '03/31/2024'])[1] == 'month-first'
    found = inferred(['03/04/2024'])
    assert Notation('date').write(found.values) == ['2024-03-04']
    assert '--dates day-first' in found.guess
    assert Notation('date').write(inferred(['03/04/2024'], dates='day-first').values) == [
        '2024-04-03'
    ]
    assert Notation('date').write(inferred(['4-2024-03'], dates='%d-%Y-%m').values) == [
        '2024-03-04'
    ]


@given(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)))
def test_dates_are_written_as_they_are_read(when):
    when = when.replace(microsecond=0)
    found, _ = values.days([when.isoformat()])
    assert Notation('date').write(found, day=False) == [when.isoformat()]


def test_times():
    assert values.hours(['10h30']).tolist() == [10.5]
    found = inferred(['12:30', '7:05 pm', '00:15:36'])
    assert found.notation.kind == 'time'
    np.testing.assert_allclose(found.values, [12.5, 19 + 5 / 60, 0.26])
    assert Notation('time').write(found.values) == ['12:30', '19:05', '00:16']
    assert np.isnan(values.hours(['13:00 pm', '12:61', 'noon'])).all()


@pytest.mark.parametrize('texts', [['$4', '€5'], ['51%', '0.5'], ['12', '13 kg']])
def test_units_that_differ_are_said(texts):
    found = inferred(texts)
    assert np.isfinite(found.values).all()
    assert found.guess == (
        f'{texts[0]!r} and {texts[1]!r} have different units, and are read as numbers without them'
    )
    assert not inferred(['51%', '0']).guess
    assert inferred(['12', '12b', '7']).values is None


def test_letters_after_a_zero_are_no_unit_among_percents():
    found = inferred(['1%', '2', '3', '0a'])
    assert found.values is None
    assert (found.almost, found.wrong) == ('numbers', (3,))


def test_what_prevents_numbers_is_found():
    texts = [*map(str, range(39)), 'abc']
    found = inferred(texts)
    assert (found.values, found.wrong, found.almost) == (None, (39,), 'numbers')
    found = infer(texts, np.ones(40, int), Options(), 'number')
    assert np.isnan(found.values).tolist() == [False] * 39 + [True]
    assert inferred(texts, missing=('abc',)).notation.kind == 'number'
    assert inferred(['2024-01-01', '2024-01-02', 'soon']).almost == 'dates'


@pytest.mark.parametrize(
    ('options', 'says'),
    [
        ({'decimal': ';'}, '--decimal'),
        ({'thousands': 'x'}, '--thousands'),
        ({'thousands': ',', 'decimal': ','}, '--thousands'),
        ({'dates': 'dmy'}, 'day-first, month-first or a format'),
        ({'kinds': {'a': 'float'}}, '--as a=float: expected one of number'),
    ],
)
def test_invalid_options(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Options(**options)


def test_brackets_may_stand_after_the_currency():
    found, units = values.numbers(['$(1,250.50)', '($3)', '$4', '$(5', '(6)) '], '.')
    np.testing.assert_array_equal(found, [-1250.5, -3, 4, np.nan, np.nan])
    assert units[0] == '$'


def test_named_time_zones_are_those_of_pandas():
    texts = ['2024-01-31 10:00 EST', '2024-07-31 10:00 CEST', '2024-01-31 10:00 utc']
    zones = ['Etc/GMT+5', 'Etc/GMT-2', 'UTC']
    right = [pd.Timestamp(text[:16], tz=zone) for text, zone in zip(texts, zones)]
    np.testing.assert_allclose(values.days(texts)[0], [one.timestamp() / 86400 for one in right])
