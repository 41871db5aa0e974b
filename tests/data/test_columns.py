"""What columns mean, as arrays and back."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import kerasnets
from kerasnets.data import columns
from kerasnets.data.columns import Columns, robust
from kerasnets.data.tables import Options, Table, read
from kerasnets.errors import DataError, FileError

FRAME = pd.DataFrame(
    {
        'size': [1.0, 2, np.nan, 5],
        'colour': ['red', 'blue', 'red', None],
        'kind': ['x', 'y', 'x', 'y'],
        'price': [10.5, 20, 30, 40],
    }
)


def of(frame, *arguments, **keywords):
    return Columns.of(Table.of(frame), *arguments, **keywords)


def test_numbers_are_scaled_and_words_spread():
    table = of(FRAME, 'kind', drop=['price'])
    assert table.sizes == (5, 2)
    x = table.inputs(FRAME)
    center, scale = robust(np.array([1.0, 2, 5]))
    z = (np.array([1, 2, center, 5]) - center) / scale
    np.testing.assert_allclose(x[:, 0], z / np.sqrt(1 + (z / 3) ** 2), atol=1e-6)
    assert x[:, 1].tolist() == [0, 0, 1, 0]
    assert x[:, 2:].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert table.targets(FRAME).tolist() == [0, 1, 0, 1]
    assert table.readable(np.array([1, 0])).tolist() == ['y', 'x']
    unknown = pd.DataFrame({'size': [1.0], 'colour': ['green']})
    assert table.inputs(unknown)[0, 2:].tolist() == [0, 0, 0]
    assert table.unseen(unknown) == ["column 'colour': 1 values that training never saw: 'green'"]


def test_quartiles_are_of_all_values():
    values = np.random.default_rng(0).normal(size=1001)
    center, scale = robust(values)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    np.testing.assert_allclose([center, scale], [middle, high - low])
    for hostile in (1e300, 1.797e308, np.inf):
        center, scale = robust(np.array([1.0, 2, 3, 4, hostile]))
        assert (center, scale) == (3, 2)
    assert robust(np.array([0.0] * 9 + [1])) == (0, 1)
    assert robust(np.array([])) == (0, 1)


@pytest.mark.parametrize('value', [1e300, -1.797e308])
def test_a_value_far_from_all_others_is_named_and_clipped(value):
    frame = pd.DataFrame({'a': [*range(1, 60), value], 'y': [0.5, 1.5] * 30})
    table = of(frame, 'y')
    assert any("column 'a'" in note and 'row 59' in note for note in table.notes)
    x = table.inputs(frame)
    assert np.isfinite(x).all()
    assert np.ptp(x[:59, 0]) > 1
    assert abs(x[59, 0]) == pytest.approx(3)


def test_values_are_restored():
    table = of(FRAME, 'price')
    found = table.readable(table.targets(FRAME))
    np.testing.assert_allclose(found, FRAME['price'], rtol=1e-6)
    words = of(FRAME, 'price', classes=True).target.words
    assert words == ('10.5', '20', '30', '40')


def test_dates_come_back_as_dates():
    days = pd.date_range('2020-01-01', periods=40)
    frame = pd.DataFrame({'x': np.arange(40) % 7, 'when': days})
    table = of(frame, 'when')
    found = table.readable(table.targets(frame))
    assert (np.abs(found - days.to_numpy()) < np.timedelta64(1, 'm')).all()
    assert table.written(table.targets(frame))[:2] == ['2020-01-01', '2020-01-02']
    frame['when'] = frame['when'] + pd.Timedelta('90min')
    table = of(frame, 'when')
    assert table.written(table.targets(frame))[0].startswith('2020-01-01T01:30:0')


def test_cycles_of_dates():
    days = pd.date_range('2020-01-01', periods=900)
    frame = pd.DataFrame(
        {'d': days, 'h': pd.date_range('2020-01-01', periods=900, freq='7h'), 'y': range(900)}
    )
    table = of(frame, 'y')
    assert [column.cycles for column in table.columns] == [('year', 'week'), ('week', 'day')]
    x = table.inputs(frame)
    angle = 2 * np.pi * ((days - pd.Timestamp(0)).days / 365.2425)
    np.testing.assert_allclose(x[:, 1:3], np.stack([np.sin(angle), np.cos(angle)], 1), atol=1e-4)
    frame.loc[3, 'd'] = None
    assert table.inputs(frame)[3, :5].tolist() == [0] * 5
    monthly = pd.DataFrame(
        {'d': pd.date_range('2010-01-01', periods=60, freq='MS'), 'y': range(60)}
    )
    assert of(monthly, 'y').columns[0].cycles == ('year',)


def test_rare_words_share_an_input(monkeypatch):
    monkeypatch.setattr(columns, 'WORDS', 3)
    words = ['a'] * 9 + ['b'] * 8 + ['c'] * 7 + ['d', 'e'] * 3
    frame = pd.DataFrame({'w': words, 'y': range(30)})
    table = of(frame, 'y')
    (column,) = table.columns
    assert (column.words, column.shared, column.width) == (('a', 'b', 'c', 'd', 'e'), 2, 4)
    np.testing.assert_array_equal(
        table.inputs(frame).argmax(1), [0] * 9 + [1] * 8 + [2] * 7 + [3] * 6
    )
    assert 'one for 2 others' in column.becomes()
    assert table.unseen(frame) == []
    assert Columns.from_dict(json.loads(json.dumps(table.as_dict()))) == table


def test_columns_that_cannot_help_are_left_out():
    rows = 30
    frame = pd.DataFrame(
        {
            'id': range(1, rows + 1),
            'customer_id': np.random.default_rng(0).permutation(900)[:rows],
            'name': [f'n{i}' for i in range(rows)],
            'one': 'same',
            'zero': 0,
            'none': None,
            'only gaps': [1.0, None] * 15,
            'year': range(1990, 1990 + rows),
            'time': np.arange(rows) / 2,
            'y': [0.5, 1.5] * 15,
        }
    )
    table = of(frame, 'y')
    assert [column.name for column in table.columns] == ['only gaps', 'year', 'time']
    why = dict(table.left_out)
    assert why['id'] == why['customer_id'] == 'a number for each row'
    assert why['name'] == 'a different word in each row'
    assert why['zero'] == "one value: '0'"
    assert why['none'] == 'no value'
    assert of(frame, 'y', keep=['id']).columns[0].name == 'id'
    assert of(frame[['id', 'y']], 'y').columns[0].name == 'id'  # nothing else is left
    with pytest.raises(DataError, match="no column is left to predict from: 'one' has one value"):
        of(frame[['one', 'y']], 'y')
    with pytest.raises(DataError, match='Add a column, or drop fewer'):
        of(frame[['one', 'y']], 'y', drop=['one'])


@pytest.mark.parametrize(
    ('values', 'keywords', 'kind', 'note'),
    [
        (['a', 'b'], {}, 'word', ''),
        ([0, 1], {}, 'word', '2 different whole numbers and is taken as classes; --regress'),
        ([1.0, 2, 3, 4, 5], {}, 'word', '5 different whole numbers'),
        ([0, 1], {'classes': False}, 'number', ''),
        (range(40), {}, 'number', 'taken as numbers; --classes'),
        (range(40), {'classes': True}, 'word', ''),
        ([0.5, 1.5], {}, 'number', ''),
        ([True, False], {}, 'word', ''),
    ],
)
def test_the_target_is_of_classes_or_numbers(values, keywords, kind, note):
    values = (list(values) * 40)[:40]
    table = of(pd.DataFrame({'x': np.linspace(0, 1, 40), 'y': values}), 'y', **keywords)
    assert table.target.notation.kind == kind
    assert note in ''.join(table.notes)
    assert bool(note) == bool(table.notes)


def test_classes_of_numbers_are_in_order():
    frame = pd.DataFrame({'x': np.linspace(0, 1, 40), 'y': [10, 9, 2, 1] * 10})
    assert of(frame, 'y').target.words == ('1', '2', '9', '10')


@pytest.mark.parametrize(
    ('values', 'keywords', 'says'),
    [
        (['a'] * 40, {}, "one class only, 'a'"),
        ([1] * 40, {}, "one class only, '1'"),
        ([1.5] * 40, {}, 'one value only, 1.5'),
        ([None] * 40, {}, 'holds no value'),
        (['a', 'b'] * 20, {'classes': False}, 'expected numbers. Use --as y=number'),
        ([*np.arange(39) / 2, 1e300], {}, 'row 39: 1e\\+300 is too far'),
        ([*np.arange(39) / 2, np.inf], {}, 'row 39: expected a finite number'),
    ],
)
def test_targets_that_cannot_be_learnt(values, keywords, says):
    with pytest.raises(DataError, match=says):
        of(pd.DataFrame({'x': np.linspace(0, 1, 40), 'y': values}), 'y', **keywords)


def test_a_target_of_many_words_names_the_options():
    words = [f'{i}.5' for i in range(149)] + ['abc']
    frame = pd.DataFrame({'x': np.linspace(0, 1, 150), 'y': words})
    with pytest.raises(DataError, match=r"149 of 150 are numbers, but 'abc'.*--regress.*--classes"):
        of(frame, 'y')
    assert len(of(frame, 'y', classes=True).target.words) == 150


def test_what_training_never_saw():
    table = of(FRAME.dropna(), 'price')
    with_gaps = FRAME.assign(kind=['x', 'z', 'z', 'y'])
    assert table.unseen(with_gaps) == [
        "column 'size': 1 missing values, of which training had none",
        "column 'colour': 1 missing values, of which training had none",
        "column 'kind': 2 values that training never saw: 'z'",
    ]
    with pytest.raises(DataError, match="no column 'size'"):
        table.inputs(FRAME.drop(columns='size'))
    with pytest.raises(DataError, match=r"column 'size', row 1: expected a number .* got 'big'"):
        table.inputs(FRAME.assign(size=['1', 'big', '2', '3']))
    with pytest.raises(DataError, match=r"column 'kind', row 1: expected one of \['x', 'y'\]"):
        of(FRAME, 'kind').targets(FRAME.assign(kind=['x', 'new', 'x', 'y']))
    with pytest.raises(DataError, match="column 'price', row 2: expected a value, got none"):
        table.targets(FRAME.assign(price=[1.0, 2, None, 3]))


def test_whole_numbers_with_new_gaps_are_the_same_words():
    frame = pd.DataFrame({'c': pd.Categorical([1, 2, 3] * 9), 'y': np.arange(27) / 2})
    table = of(frame, 'y')
    other = pd.DataFrame({'c': [1.0, 2, np.nan]})
    assert table.inputs(other).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_it_is_saved_with_the_network(tmp_path):
    table = of(FRAME, 'kind')
    net = kerasnets.Classifier([table.sizes[0], 3, 2])
    net.table = table
    for name in ('net.keras', 'net.h5'):
        net.save(tmp_path / name)
        assert kerasnets.load(tmp_path / name).table == table


def test_the_former_form_is_read():
    about = {
        'columns': [
            {'name': 'a', 'words': None, 'mean': 1.0, 'std': 2.0, 'dates': False, 'gaps': True},
            {
                'name': 'd',
                'words': None,
                'mean': 18262.0,
                'std': 10.0,
                'dates': True,
                'gaps': False,
            },
            {
                'name': 'w',
                'words': ['', 'q'],
                'mean': 0.0,
                'std': 1.0,
                'dates': False,
                'gaps': True,
            },
        ],
        'target': {
            'name': 't',
            'words': ['u', 'v'],
            'mean': 0.0,
            'std': 1.0,
            'dates': False,
            'gaps': False,
        },
    }
    table = Columns.from_dict(about)
    frame = pd.DataFrame(
        {'a': [1, None, 5], 'd': ['2020-01-11', '2020-01-01', ''], 'w': ['q', '', 'z']}
    )
    want = [[0, 1, 0, 1], [0, 0, 1, 0], [2, 0, 0, 0]]
    assert table.inputs(frame).tolist() == want
    assert table.readable(np.array([1, 0])).tolist() == ['v', 'u']
    assert Columns.from_dict(table.as_dict()) == table


@pytest.mark.parametrize(
    'change',
    [
        {'columns': 3},
        {'columns': []},
        {'columns': [{'name': 'a', 'code': 'x'}]},
        {'target': 3},
        {'target': {'name': 'a'}},
        *(
            {'target': {'name': 't', 'notation': {'kind': kind, 'marks': []}, **fields}}
            for kind, fields in [
                ('number', {'scale': 0.0}),
                ('number', {'scale': float('nan')}),
                ('number', {'scale': '1'}),
                ('number', {'clip': -1.0}),
                ('number', {'gaps': 1}),
                ('number', {'words': ['a']}),
                ('number', {'cycles': ['century']}),
                ('number', {'cycles': 'day'}),
                ('word', {'words': [1]}),
                ('word', {'words': ['a', 'a']}),
                ('word', {'words': 'ab'}),
                ('word', {'words': ['a', 'b'], 'shared': 2}),
                ('word', {}),
                ('ward', {}),
            ]
        ),
        {'target': {'name': 't', 'notation': {'kind': 'number', 'decimal': 7, 'marks': []}}},
        {'target': {'name': 't', 'notation': {'kind': 'number', 'marks': 7}}},
    ],
)
def test_invalid_descriptions_in_a_file(change):
    about = json.loads(json.dumps(of(FRAME, 'kind').as_dict()))
    with pytest.raises(FileError, match='description of the columns'):
        Columns.from_dict({**about, **change})


@pytest.mark.parametrize(
    ('others', 'mark', 'said'),
    [
        ([20, 35, 41, 60], -999, True),
        ([20, 35, 41, 60], 999, True),
        ([0, 5000, 40_000], -999, True),
        ([-4.5, 0.25, 3], -9999, True),
        ([20, 60, 95], 99, False),
        ([-900, 400, 950], -999, False),
        ([20, 35, 41, 60], -998, False),
    ],
)
def test_a_number_for_missing_values_is_named_and_kept(others, mark, said, tmp_path):
    path = tmp_path / 'a.csv'
    lines = [f'{value},{i % 7}' for i, value in enumerate([*others, mark] * 4)]
    path.write_text('\n'.join(['x,y', *lines]), encoding='utf-8')
    table = read(path)
    columns = Columns.of(table, 'y')
    assert table.frame['x'].isin([mark]).sum() == 4
    notes = [note for note in columns.notes if 'may stand for a missing value' in note]
    assert [f"'x': {mark} in 4 rows" in note for note in notes] == [True] * said
    if said:
        assert notes[0].endswith(f'--missing {mark} takes it as missing')
        table = read(path, Options(missing=(str(mark),)))
        assert table.readings['x'].missing == 4
        assert not [n for n in Columns.of(table, 'y').notes if 'may stand' in n]


def test_the_remedy_for_such_a_number_does_not_depend_on_the_name_of_the_column(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('"x: 1 of 2",y\n' + '20,1\n35,0\n-999,1\n' * 4, encoding='utf-8')
    notes = [n for n in Columns.of(read(path), 'y').notes if 'may stand' in n]
    assert [note.endswith('--missing -999 takes it as missing') for note in notes] == [True]


@pytest.mark.parametrize('text', ['inf', '-inf', 'Infinity', '-INF', '∞', '1e400'])
@pytest.mark.parametrize('line', [3, 900])
def test_an_infinite_number_of_a_file_is_named_and_missing(text, line, tmp_path):
    path = tmp_path / 'a.csv'
    lines = [f'{i / 8},{i % 7}' for i in range(999)]
    lines[line - 2] = f'{text},1'
    path.write_text('\n'.join(['x,y', *lines]), encoding='utf-8')
    table = read(path)
    assert np.flatnonzero(table.frame['x'].isna()).tolist() == [line - 2]
    reading = table.readings['x']
    assert reading.missing == 1
    assert re.fullmatch(rf'-?inf in line {line} is infinite and taken as missing', reading.doubt)
    columns = Columns.of(table, 'y')
    assert read(path, known=columns.notations).readings['x'].doubt == reading.doubt


def test_an_infinite_number_of_a_frame_is_refused():
    frame = pd.DataFrame({'x': [1, np.inf, 3], 'w': ['a', 'b', 'a']})
    with pytest.raises(DataError, match="column 'x', row 1: expected a finite number, got inf"):
        Table.of(frame)


def test_words_that_another_program_writes_otherwise_are_known():
    frame = pd.DataFrame({'on': ['True', 'False'] * 20, 'x': range(40), 'y': [1, 2, 3, 1] * 10})
    columns = of(frame, 'y')
    again = pd.DataFrame({'on': ['TRUE', 'false'], 'x': [3, 4], 'y': ['2.0', '3']})
    assert columns.unseen(again) == []
    assert columns.inputs(again)[:, :2].tolist() == [[0, 1], [1, 0]]
    assert columns.targets(again).tolist() == [1, 2]


def test_another_decimal_character_is_named_with_an_option_that_reads_it(tmp_path):
    path, lines = tmp_path / 'a.csv', [f'{i},25;{i % 7}' for i in range(40)]
    path.write_text('\n'.join(['x;y', *lines]), encoding='utf-8')
    known = Columns.of(read(path), 'y').notations
    path.write_text('x;y\n1.25;3\n2.5;4\n', encoding='utf-8')
    assert 'set --decimal ., or' in read(path, known=known).readings['x'].wrong
    assert read(path, Options(decimal='.'), known).frame['x'].tolist() == [1.25, 2.5]
