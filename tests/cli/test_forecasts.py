"""``kerasnets forecast``."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from kerasnets.cli import main

SERIES = np.round(10 + np.sin(np.arange(96) * np.pi / 6) + np.arange(96) / 50, 4)


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(path, **columns):
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
    return path


def test_a_season_and_a_trend_go_on(tmp_path):
    data = write(tmp_path / 'data.csv', month=np.arange(96), sales=SERIES)
    out, picture = tmp_path / 'out.csv', tmp_path / 'out.png'
    how = ['--season', 12, '--epochs', 30, '--layers', '8']
    done = call(
        'forecast', data, '--target', 'sales', '--steps', 18, '-o', out, '--plot', picture, *how
    )
    assert done.exit_code == 0, done.output
    with open(out) as file:
        header, *rows = csv.reader(file)
    assert header == ['step', 'sales', 'sales 10%', 'sales 90%']
    steps, middle, low, high = np.array(rows, float).T
    assert steps.tolist() == list(range(1, 19))
    want = 10 + np.sin(np.arange(96, 114) * np.pi / 6) + np.arange(96, 114) / 50
    assert np.abs(middle - want).mean() < 0.5 * np.abs(np.resize(SERIES[-12:], 18) - want).mean()
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert picture.stat().st_size > 1000


def test_columns_that_are_known_ahead(tmp_path):
    rng = np.random.default_rng(1)
    promotion = rng.choice(['yes', 'no'], size=132)
    sales = np.where(promotion == 'yes', 3.0, 1.0)
    texts = [*map(str, sales[:120]), *[''] * 12]
    data = write(tmp_path / 'data.csv', sales=texts, promotion=promotion)
    how = ['--target', 'sales', '--steps', 12, '--epochs', 60, '--learning-rate', 0.01]
    done = call('forecast', data, *how, '--known', 'promotion', '--json')
    assert done.exit_code == 0, done.output
    found = [json.loads(line)['sales'] for line in done.output.splitlines() if line[:1] == '{']
    np.testing.assert_allclose(found, sales[120:], atol=0.5)


@pytest.mark.parametrize(
    ('columns', 'arguments', 'says'),
    [
        (dict(a=[1, 2, 3, 4]), ['--target', 'b'], "no column 'b'"),
        (dict(a=[1, 'x', 3, 4]), ['--target', 'a'], "column 'a': expected numbers"),
        (dict(a=[1, '', 3, 4]), ['--target', 'a'], 'got none in row 2'),
        (dict(a=['', ''], b=[1, 2]), ['--target', 'a'], 'expected numbers'),
        (dict(a=[1, 2, 3], b=[1, 2, 3]), ['--target', 'a', '--known', 'b'], 'b: expected 24 rows'),
        (dict(a=[1]), ['--target', 'a'], 'two steps or more'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--known', 'a'], 'not --known ahead'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--plot', 'a.xyz'], 'ending in'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--plot', 'none/a.png'], 'a folder that is there'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--form', 'grue'], 'grue'),
    ],
)
def test_what_cannot_be_forecast(tmp_path, columns, arguments, says):
    done = call('forecast', write(tmp_path / 'data.csv', **columns), *arguments)
    assert done.exit_code == 1
    assert says in done.output
