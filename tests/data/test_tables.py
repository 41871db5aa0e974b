"""Text files as tables of typed columns."""

import gzip
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from paths import TESTS

from kerasnets.data.columns import Columns, as_numbers
from kerasnets.data.tables import Options, Table, read
from kerasnets.errors import DataError

UNTIDY = TESTS / 'untidy'
READINGS = json.loads((UNTIDY / 'readings.json').read_text(encoding='utf-8'))


def values(table, name):
    column = table.frame[name]
    if table.readings[name].kind in ('word', 'date'):
        return [None if pd.isna(value) else str(value) for value in column]
    return [None if np.isnan(value) else round(float(value), 4) for value in as_numbers(column)]


@pytest.mark.parametrize('name', READINGS)
def test_untidy_files(name):
    table, want = read(UNTIDY / name), READINGS[name]
    found = {
        column: {
            'kind': reading.kind,
            'values': values(table, column)[:4],
            **{key: text for key in ('doubt', 'guess') if (text := getattr(reading, key))},
        }
        for column, reading in table.readings.items()
    }
    assert found == want['columns']
    assert table.notes == want['notes']


@pytest.mark.parametrize('name', READINGS)
def test_a_file_is_read_again_by_what_a_model_stores(name):
    """Any row alone is read as it is among all, by the notations of training."""
    table = read(UNTIDY / name)
    for row, texts in enumerate(table.rows()):
        frame = pd.DataFrame([dict(zip(table.readings, texts))])
        again = Table.of(frame, known={n: r.notation for n, r in table.readings.items()})
        for column in table.readings:
            assert values(again, column) == [values(table, column)[row]], column


def test_every_untidy_file_has_its_reading():
    assert {path.name for path in UNTIDY.iterdir()} == {*READINGS, 'readings.json'}


def file(tmp_path, content):
    path = tmp_path / 'a.csv'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        ('', 'the file is empty'),
        ('\n \n\n', 'the file is empty'),
        ('a,b\n', 'no row below the line of names'),
        ('a,b\n\n\n', 'no row below the line of names'),
        ('\na,b,a\n1,2,3\n', "line 2: the name 'a' is there twice"),
        ('a,b\n1,2\n\n1,2,3\n', 'line 4: expected 2 values, as many as .* in line 1, got 3'),
        ('a,b\n1,2\n1\n3,4\n', 'line 3: expected 2 values.* got 1'),
        ('a,b\n"x\ny",2\n1\n', 'line 4: expected 2 values.* got 1'),
        ('a,b\n1,"2\n3,4\n5,6\n', 'line 2: a quotation mark is not closed'),
        (b'PK\x03\x04\0\0', 'Export the table as CSV'),
        (b'a,b\n1,\0\n', 'the file is no text'),
    ],
)
def test_each_fault_has_its_message(content, says, tmp_path):
    with pytest.raises(DataError, match=says):
        read(file(tmp_path, content))


@pytest.mark.parametrize('row', [5, 400, 2500])
@pytest.mark.parametrize('line', ['1', '1,2,3', '"1,2'])
@pytest.mark.parametrize('other', ['{0},{0}', '{0},"x, {0}"'])
def test_a_ragged_line_is_found_wherever_it_is(row, line, other, tmp_path):
    if line[0] == other[-1] == '"':
        pytest.skip('every parser closes the quotation mark at the next one')
    lines = ['a,b', *map(other.format, range(3000))]
    lines[row] = line
    with pytest.raises(DataError, match=f'line {row + 1}[:,]'):
        read(file(tmp_path, '\n'.join(lines)))


def test_a_strange_value_is_named_with_its_line(tmp_path):
    lines = ['n,d,w', *(f'{i},2020-01-{1 + i % 28:02},"a\nb"' for i in range(400))]
    lines[41] = 'abc,soon,z'
    table = read(file(tmp_path, '\n'.join(lines)))
    line = 1 + 40 * 2 + 1  # rows before have two lines each
    assert table.readings['n'].doubt.startswith(
        f"399 of 400 are numbers, but 'abc' in line {line};"
    )
    assert f"399 of 400 are dates, but 'soon' in line {line};" in table.readings['d'].doubt
    table = read(
        file(tmp_path, '\n'.join(lines)), Options(kinds={'n': 'number'}, missing=('soon',))
    )
    assert table.readings['n'].kind == 'number'
    assert np.isnan(table.frame['n'][40])
    assert table.readings['d'].kind == 'date'
    assert pd.isna(table.frame['d'][40])
    assert table.readings['d'].missing == table.readings['n'].missing == 1


def test_types_change_after_the_first_rows(tmp_path):
    lines = ['n,w', *(f'{i},{i}' for i in range(5000)), '-,x', '7.5,8']
    table = read(file(tmp_path, '\n'.join(lines)))
    assert table.readings['n'].missing == 1
    assert table.frame['n'].iloc[-1] == 7.5
    assert "but 'x' in line 5002" in table.readings['w'].doubt


def test_options_decide(tmp_path):
    path = file(tmp_path, 'a;b;c;d\n1,5;03/04/2024;-9;7\n2,25;05/06/2024;4;8\n')
    table = read(path, Options(dates='day-first', missing=('-9',), kinds={'d': 'word'}))
    assert values(table, 'a') == [1.5, 2.25]
    assert values(table, 'b') == ['2024-04-03 00:00:00', '2024-06-05 00:00:00']
    assert values(table, 'c') == [None, 4]
    assert values(table, 'd') == ['7', '8']
    table = read(path, Options(decimal='.', separator=';', kinds={'c': 'drop'}))
    assert table.dropped == ('c',)
    assert table.readings['a'].kind == 'word'  # 1,5 groups no digits
    assert values(read(file(tmp_path, 'a\n1.234\n'), Options(thousands='.')), 'a') == [1234]
    with pytest.raises(DataError, match=r"no column 'aa'\. Did you mean 'a'"):
        read(path, Options(kinds={'aa': 'word'}))


def test_encodings_and_archives(tmp_path):
    path = file(tmp_path, 'é,b\n1,2\n'.encode('cp1252'))
    assert list(read(path).readings) == ['é', 'b']
    with pytest.raises(DataError, match='--encoding latin-1'):
        read(path, Options(encoding='utf-8'))
    with pytest.raises(DataError, match="no encoding 'utf-9'"):
        read(path, Options(encoding='utf-9'))
    assert list(read(path, Options(encoding='latin-1')).readings) == ['é', 'b']
    assert len(read(file(tmp_path, gzip.compress(b'a,b\n1,2\n')))) == 1
    with pytest.raises(DataError, match='expected a readable file'):
        read(tmp_path)


def test_standard_input(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(b'a,b\n1,2\n'))
    monkeypatch.setattr(sys, 'stdin', stream)
    assert len(read('-')) == 1


def test_a_data_frame_is_a_table():
    frame = pd.DataFrame(
        {
            'n': [1, 2, 3],
            'f': pd.array([1.5, None, 2], 'Float64'),
            'b': [True, False, True],
            'c': pd.Categorical([3, 1, None]),
            'w': ['x', None, 'y'],
            't': ['1,5', '2', '-'],
            'd': pd.to_datetime(['2024-01-01', None, '2024-01-03']).tz_localize('Europe/Oslo'),
            'p': pd.PeriodIndex(['2024-01', '2024-02', '2024-03'], freq='M'),
            'e': pd.to_timedelta(['1h', '90min', None]),
            0: [1, 2, 3],
        }
    )
    table = Table.of(frame)
    kinds = {name: reading.kind for name, reading in table.readings.items()}
    assert [
        kinds[name] for name in 'nfbcwtdp'
    ] == 'number number word word word number date date'.split()
    assert values(table, 'c') == ['3', '1', None]
    assert values(table, 't') == [1.5, 2, None]
    assert values(table, 'd')[0] == '2023-12-31 23:00:00'
    assert values(table, 'e') == [1, 1.5, None]
    assert '0' in table.readings
    with pytest.raises(DataError, match="two columns have the name 'a'"):
        Table.of(pd.DataFrame([[1, 2]], columns=['a', 'a']))


def mix_of_a_large_file(kind, rng, rows):
    """Ten columns of numbers, gaps, dates, booleans or prices, and five of words."""
    words = np.array([f'word{i}' for i in range(60)])
    days = pd.date_range('2015-01-01', periods=2000).strftime('%d.%m.%Y').to_numpy()
    frame = pd.DataFrame({f'n{i}': rng.normal(size=rows).round(4) for i in range(10)})
    if kind == 'gaps':
        frame = frame.astype(str).mask(rng.random(frame.shape) < 0.1, '-')
    elif kind == 'mixed':
        counts = {f'n{i}': rng.integers(0, 1000, rows) for i in range(3)}
        frame = frame.assign(**counts, n3=rng.random(rows) < 0.5, n4=rng.choice(days, rows))
    elif kind == 'prices':
        cents = rng.integers(1, 10**6, (2, rows)).tolist()
        frame = frame.assign(**{f'n{i}': [f'${c / 100:,.2f}' for c in cents[i]] for i in range(2)})
    return frame.assign(**{f'w{i}': rng.choice(words, rows) for i in range(5)})


@pytest.mark.parametrize(
    ('kind', 'most'), [('numbers', 4), ('gaps', 5), ('mixed', 6), ('prices', 8)]
)
def test_a_large_file_takes_about_as_long_as_pandas(kind, most, tmp_path):
    """Reading and encoding, beside pandas, by the time of the processor."""
    import time

    rng = np.random.default_rng(0)
    path = tmp_path / 'large.csv'
    mix_of_a_large_file(kind, rng, 200_000).to_csv(path, index=False)

    def seconds(function):
        start = time.process_time()
        function()
        return time.process_time() - start

    def ours():
        table = read(path)
        Columns.of(table).inputs(table)

    ratios = [seconds(ours) / seconds(lambda: pd.read_csv(path)) for _ in range(7)]
    assert np.median(ratios) < most, ratios


def test_the_index_of_a_data_frame_does_not_matter():
    """Rows of a split have an index in another order."""
    frame = pd.DataFrame(
        {
            'day': ['03.02.2020', '04.02.2020', '25.02.2020'],
            'price': ['1,5', '2,5', '-'],
            'hour': ['10:30', '', '11:00'],
            'word': ['a', 'a', 'b'],
        }
    )
    straight, mixed = Table.of(frame), Table.of(frame.loc[[2, 0, 1]])
    for name in frame:
        assert values(mixed, name) == [values(straight, name)[i] for i in (2, 0, 1)]
    assert [one.kind for one in mixed.readings.values()] == ['date', 'number', 'time', 'word']


def test_values_that_are_no_column_are_refused():
    for values, says in [([[1], [2]], "column 'a': expected a number"), ([1j, 2], 'complex')]:
        with pytest.raises(DataError, match=says):
            Table.of(pd.DataFrame({'a': values}))


def test_semicolons_do_not_mean_a_decimal_comma(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('x;y\n' + '\n'.join(f'{i / 4};{i % 7}' for i in range(40)), encoding='utf-8')
    table = read(path)
    assert table.readings['x'].notation.decimal == '.'
    again = read(path, known=Columns.of(table, 'y').notations)
    assert not again.readings['x'].wrong
    pd.testing.assert_series_equal(again.frame['x'], pd.read_csv(path, sep=';')['x'])


def test_a_zip_file_of_one_table_is_read(tmp_path):
    frame = pd.DataFrame({'x': [1.5, 2, 3], 'w': ['a', 'b', 'a']})
    frame.to_csv(tmp_path / 'a.zip', index=False)
    assert read(tmp_path / 'a.zip').frame['x'].tolist() == [1.5, 2, 3]


def test_rows_without_a_line_of_names_are_named_as_such(tmp_path):
    (tmp_path / 'a.csv').write_text('0,0,1\n2,3,4\n', encoding='utf-8')
    with pytest.raises(DataError, match=r"line 1: the name '0' .* Add a line of names"):
        read(tmp_path / 'a.csv')


def test_codes_keep_their_zeros(tmp_path):
    path = tmp_path / 'a.csv'
    frame = pd.DataFrame({'zip': ['01234', '90210', '00501'] * 20, 'y': ['01', '02', '10'] * 20})
    frame.to_csv(path, index=False)
    table = read(path)
    assert table.frame.astype(str).equals(frame.astype(str))
    assert set(Columns.of(table, 'y').target.words) == {'01', '02', '10'}


@pytest.mark.parametrize(
    'parts',
    [
        (['1.50', '2'], ['abc']),
        (['abc', 'b'], ['1.50', '007'], ['c']),
        (['TRUE', 'FALSE'], ['']),
        (['TRUE', 'FALSE'], ['True', '1']),
        ([''], ['007', '1.0']),
        (['007', '010'], ['8']),
    ],
)
def test_columns_that_change_far_below_keep_their_texts(parts, tmp_path):
    texts = [text for part in parts for text in part * 20_000]
    path = tmp_path / 'a.csv'
    path.write_text('\n'.join(['x,y', *(f'{text},1' for text in texts)]), encoding='utf-8')
    column = read(path).frame['x']
    assert column.astype(object).fillna('').tolist() == texts
