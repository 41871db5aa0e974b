"""Tables of texts as arrays, and back."""

import json

import numpy as np
import pytest

import kerasnets
from kerasnets.data.columns import Columns, read
from kerasnets.errors import DataError, FileError

DATA = {
    'size': ['1', '2', '', '5'],
    'colour': ['red', 'blue', 'red', ''],
    'kind': ['x', 'y', 'x', 'y'],
    'price': ['10', '20', '30', '40'],
}


def test_numbers_are_scaled_and_words_spread():
    table = Columns.of(DATA, 'kind', drop=['price'])
    assert table.sizes == (4, 2)
    x = table.inputs(DATA)
    sizes = np.array([1, 2, 8 / 3, 5])
    std = np.std([1, 2, 5])
    np.testing.assert_allclose(x[:, 0], (sizes - 8 / 3) / std, atol=1e-6)
    np.testing.assert_array_equal(x[:, 1:], [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert table.targets(DATA).tolist() == [0, 1, 0, 1]
    assert table.readable([1, 0]) == ['y', 'x']
    unknown = {'size': ['1'], 'colour': ['green']}
    assert table.inputs(unknown)[0, 1:].tolist() == [0, 0, 0]


def test_values_are_restored():
    table = Columns.of(DATA, 'price')
    np.testing.assert_allclose(table.readable(table.targets(DATA)), [10, 20, 30, 40], atol=1e-5)
    assert Columns.of(DATA, 'price', classes=True).target.words == ('10', '20', '30', '40')


def test_it_is_saved_with_the_network(tmp_path):
    table = Columns.of(DATA, 'kind')
    net = kerasnets.Classifier([table.sizes[0], 3, 2])
    net.table = table
    for name in ('net.keras', 'net.h5'):
        net.save(tmp_path / name)
        assert kerasnets.load(tmp_path / name).table == table


@pytest.mark.parametrize(
    'change',
    [
        {'columns': 3},
        {'columns': [{'name': 'a', 'code': 'x'}]},
        {'target': {'name': 'a', 'std': 0.0}},
        {'target': {'name': 'a', 'words': [1]}},
        {'target': None},
    ],
)
def test_invalid_descriptions_in_a_file(change):
    about = json.loads(json.dumps(Columns.of(DATA, 'kind').as_dict()))
    assert Columns.from_dict(about) == Columns.of(DATA, 'kind')
    with pytest.raises(FileError, match='description of the columns'):
        Columns.from_dict({**about, **change})


@pytest.mark.parametrize(
    ('data', 'target', 'says'),
    [
        (DATA, 'knid', "no column 'knid'. Did you mean 'kind'"),
        ({'kind': ['a', 'b']}, 'kind', 'no column is left'),
        ({**DATA, 'kind': [''] * 4}, 'kind', "'kind' holds no value"),
    ],
)
def test_invalid_csv_files(data, target, says):
    with pytest.raises(DataError, match=says):
        Columns.of(data, target)


def test_a_column_of_many_words_is_rejected():
    data = {'id': [f'w{i}' for i in range(101)], 'kind': ['a', *'b' * 100]}
    with pytest.raises(DataError, match="'id' holds 101 different words"):
        Columns.of(data, 'id')
    table = Columns.of({**data, 'x': ['1', '2'] * 50 + ['3']}, 'kind')
    assert dict(table.left_out) == {'id': 'a different word in each row'}


def test_new_data_that_does_not_fit():
    table = Columns.of(DATA, 'kind')
    with pytest.raises(DataError, match="column 'size': expected numbers as in training, got 'x'"):
        table.inputs({**DATA, 'size': ['1', 'x', '2', '3']})
    with pytest.raises(DataError, match=r"column 'kind', row 2: expected one of .* got 'z'"):
        table.targets({'kind': ['x', 'y', 'z']})


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        (b'a,b\n1\n', 'line 2: expected 2 values'),
        (b'a,a\n1,2\n', 'different names'),
        (b'a,b\n', 'lines of values'),
        (b'\xff\xfe\x00', 'expected text in utf-8, got other bytes'),
    ],
)
def test_files_of_other_kinds(content, says, tmp_path):
    path = tmp_path / 'data.csv'
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(path)


def test_quotes_blanks_and_a_mark_at_the_start(tmp_path):
    path = tmp_path / 'data.csv'
    path.write_bytes('\ufeffa,b\n"1, 2", x\n\n3,y \n'.encode())
    assert read(path) == {'a': ['1, 2', '3'], 'b': ['x', 'y']}


@pytest.mark.parametrize('separator', [',', ';', '\t', '|'])
def test_the_separator_is_found(separator, tmp_path):
    path = tmp_path / 'data.csv'
    rows = [['size', 'a note', 'kind'], *([str(i), f'"x, {i}; y"', 'ab'[i % 2]] for i in range(9))]
    path.write_text('\n'.join(separator.join(row) for row in rows), encoding='utf-8')
    found = read(path)
    assert list(found) == rows[0]
    assert found['a note'][3] == 'x, 3; y'
    assert read(path, separator=separator) == found


def test_one_column_and_other_encodings(tmp_path):
    path = tmp_path / 'data.csv'
    path.write_text('kind\nrose\niris\n', encoding='utf-8')
    assert read(path) == {'kind': ['rose', 'iris']}
    path.write_bytes('größe;kind\n1;a\n'.encode('latin-1'))
    with pytest.raises(
        DataError, match=r'expected text in utf-8, got other bytes .*--encoding lat'
    ):
        read(path)
    assert read(path, encoding='latin-1') == {'größe': ['1'], 'kind': ['a']}
    with pytest.raises(DataError, match="there is no encoding 'latn'"):
        read(path, encoding='latn')


def test_dates_are_days_and_what_cannot_help_is_left_out():
    rows = 12
    data = {
        'day': [f'2017-05-{i + 1:02}' for i in range(rows)],
        'time': [f'2017-05-01T{i:02}:30:00' for i in range(rows)],
        'id': [f'key{i}' for i in range(rows)],
        'same': ['x'] * rows,
        'number': [str(i) for i in range(rows)],
        'price': [str(i * i) for i in range(rows)],
    }
    table = Columns.of(data, 'price')
    assert [column.name for column in table.columns] == ['day', 'time', 'number']
    want = (np.arange(rows) - 5.5) / np.std(np.arange(rows))
    np.testing.assert_allclose(table.inputs(data), np.stack([want] * 3, axis=1), atol=1e-5)
    about = table.about()
    assert about['id'] == 'left out: it has a different word in each row'
    assert about['same'] == "left out: it has one value: 'x'"
    assert about['day'].startswith('dates around 2017-05-06')
    assert about['price'].startswith('the target, numbers around 42.17')
    assert Columns.from_dict(json.loads(json.dumps(table.as_dict()))) == table
    with pytest.raises(DataError, match=r"no column is left .* 'same' has one value: 'x'"):
        Columns.of({'same': data['same'], 'price': data['price']}, 'price')
    with pytest.raises(DataError, match="column 'day': expected dates as in training, got 'May'"):
        table.inputs({**data, 'day': ['May'] * rows})


def test_what_training_never_saw():
    table = Columns.of({**DATA, 'whole': ['1', '2', '3', '4']}, 'price')
    new = {
        'size': ['', '1'],
        'colour': ['green', 'grey'],
        'kind': ['x', 'y'],
        'whole': ['', '3'],
    }
    assert table.strange(new) == [
        "column 'colour': 2 values that training never saw: 'green', 'grey'",
        "column 'whole': 1 missing values, of which training had none",
    ]
    assert table.strange({**DATA, 'whole': ['1'] * 4}) == []
