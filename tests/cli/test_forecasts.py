"""``kerasnets forecast``."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kerasnets.cli import main

SERIES = np.round(10 + np.sin(np.arange(96) * np.pi / 6) + np.arange(96) / 50, 4)
WEEK = np.array([1.0, 2, 3, 4, 3, 8, 9])

#: Keras' own, which recorded warnings show.
pytestmark = pytest.mark.filterwarnings('ignore:__array__ implementation')


def call(*arguments):
    return CliRunner().invoke(main, ['forecast', *map(str, arguments), '--epochs', '3'])


def write(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def rows(done):
    assert done.exit_code == 0, done.output
    return pd.read_csv(io.StringIO(done.stdout))


@pytest.fixture
def shops(tmp_path, rng):
    """Two shops, one below the other, newest day first."""
    parts = []
    for shop, level in (('north', 10), ('south', 40)):
        days = pd.date_range('2024-01-01', periods=84)
        promo = rng.choice(['yes', 'no'], 84)
        sales = level + np.tile(WEEK, 12) + 5 * (promo == 'yes')
        parts.append(pd.DataFrame(dict(day=days, shop=shop, promo=promo, sales=sales))[::-1])
    return pd.concat(parts, ignore_index=True)


def test_a_season_and_a_trend_go_on(tmp_path):
    data = write(tmp_path / 'data.csv', month=np.arange(96), sales=SERIES)
    out, picture = tmp_path / 'out.csv', tmp_path / 'out.png'
    done = call(data, '--target', 'sales', '--steps', 18, '-o', out, '--plot', picture)
    assert done.exit_code == 0, done.output
    with open(out) as file:
        header, *lines = csv.reader(file)
    assert header == ['month', 'sales', 'sales 10%', 'sales 90%']
    steps, middle, low, high = np.array(lines, float).T
    assert steps.tolist() == list(range(96, 114))
    want = 10 + np.sin(np.arange(96, 114) * np.pi / 6) + np.arange(96, 114) / 50
    np.testing.assert_allclose(middle, want, atol=0.05)
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert picture.stat().st_size > 1000
    assert 'Methods of the forecast' in done.stderr


def test_without_dates_steps_are_counted(tmp_path):
    found = rows(call(write(tmp_path / 'a.csv', sales=SERIES), '--target', 'sales'))
    assert found['step'].tolist() == list(range(1, 25))


def test_hours_are_written_whole_and_numbers_are_days(tmp_path):
    hours = pd.date_range('2024-01-01', periods=94, freq='h')
    data = write(tmp_path / 'a.csv', time=hours, sales=SERIES[:94])
    found = rows(call(data, '--target', 'sales', '--steps', 3))
    assert found['time'].tolist()[1:] == ['2024-01-04 23:00:00', '2024-01-05 00:00:00']
    days = pd.date_range('2024-01-01', periods=96).strftime('%Y%m%d')
    data = write(data, booked=days[::-1], sales=SERIES[::-1])
    assert rows(call(data, '--target', 'sales', '--steps', 2))['booked'][0] == '2024-04-06'


def test_groups_with_dates_newest_first(tmp_path, shops):
    data, picture = tmp_path / 'a.csv', tmp_path / 'a.png'
    shops.assign(day=shops['day'].dt.strftime('%m/%d/%Y')).to_csv(data, index=False)
    how = ['--target', 'sales', '--group', 'shop', '--steps', 7, '--plot', picture]
    found = rows(call(data, *how))
    assert list(found) == ['day', 'shop', 'sales', 'sales 10%', 'sales 90%']
    assert found['day'].tolist() == [f'2024-03-{day}' for day in range(25, 32)] * 2
    assert found['shop'].tolist() == ['north'] * 7 + ['south'] * 7
    assert found['sales'][7:].mean() - found['sales'][:7].mean() == pytest.approx(30, abs=4)
    assert picture.stat().st_size > 1000
    done = call(data, '--target', 'sales', '--steps', 7)
    assert done.exit_code == 1
    assert '--group shop' in done.output


def test_gaps_are_named_and_filled_or_refused(tmp_path, shops):
    data = tmp_path / 'a.csv'
    shops[shops['shop'] == 'north'].drop(columns='shop').drop([10, 11, 40]).to_csv(
        data, index=False
    )
    done = call(data, '--target', 'sales', '--steps', 7)
    assert len(rows(done)) == 7
    assert '3 steps are missing (2024-02-13, 2024-03-13, 2024-03-14)' in done.stderr
    done = call(data, '--target', 'sales', '--strict')
    assert done.exit_code == 1
    assert '3 steps are missing' in done.output


def test_a_missing_value_is_named_by_its_line(tmp_path):
    texts = SERIES.astype(str)
    texts[48] = 'NA'
    data = write(tmp_path / 'a.csv', sales=texts)
    done = call(data, '--target', 'sales')
    assert len(rows(done)) == 24
    assert '1 value is missing (line 50)' in done.stderr
    texts[48] = 'abc'
    done = call(write(data, sales=texts), '--target', 'sales')
    assert 'abc' in done.stderr
    assert '50' in done.stderr


def test_dates_in_parts_and_with_an_offset(tmp_path):
    months = pd.date_range('2016-01-01', periods=96, freq='MS')
    data = write(tmp_path / 'a.csv', year=months.year, month=months.month_name(), sales=SERIES)
    done = call(data, '--target', 'sales', '--steps', 2)
    assert 'year, month are joined' in done.stderr
    assert rows(done)['date'].tolist() == ['2024-01-01', '2024-02-01']
    hours = pd.date_range('2024-03-08', periods=96, freq='h', tz='America/New_York')
    data = write(tmp_path / 'b.csv', at=[hour.isoformat() for hour in hours], sales=SERIES)
    found = rows(call(data, '--target', 'sales', '--steps', 2))
    assert found['at'].tolist() == ['2024-03-12 01:00:00-04:00', '2024-03-12 02:00:00-04:00']


def test_decimal_commas(tmp_path):
    data = tmp_path / 'a.csv'
    lines = [
        f'{day:%d.%m.%Y};{value:.2f}'.replace('.', ',', 0)
        for day, value in zip(pd.date_range('2024-01-01', periods=96), SERIES)
    ]
    lines = [
        line.rpartition(';')[0] + ';' + line.rpartition(';')[2].replace('.', ',') for line in lines
    ]
    data.write_text('\n'.join(['Tag;Umsatz', *lines]))
    found = rows(call(data, '--target', 'Umsatz', '--steps', 3))
    assert found['Tag'].tolist() == ['2024-04-06', '2024-04-07', '2024-04-08']
    np.testing.assert_allclose(
        found['Umsatz'], 10 + np.sin(np.arange(96, 99) * np.pi / 6) + 1.94, atol=0.2
    )


def test_as_many_steps_as_rows_without_a_target(tmp_path, shops):
    north = shops[shops['shop'] == 'north'].drop(columns='shop')
    north.loc[north['day'] > '2024-02-25', 'sales'] = np.nan
    north.to_csv(tmp_path / 'a.csv', index=False)
    how = [tmp_path / 'a.csv', '--target', 'sales', '--known', 'promo']
    done = call(*how, '--json')
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 28
    assert [one['day'] for one in found][::27] == ['2024-02-26', '2024-03-24']
    promo = north['promo'].to_numpy()[::-1][56:] == 'yes'
    want = 10 + np.tile(WEEK, 4) + 5 * promo
    np.testing.assert_allclose([one['sales'] for one in found], want, atol=0.3)
    assert len(rows(call(*how, '--steps', 5))) == 5
    done = call(*how, '--steps', 40)
    assert done.exit_code == 1
    assert 'expected 40 rows after the last value' in done.output


def test_each_group_is_drawn_with_its_own_steps(tmp_path, shops, monkeypatch):
    drawn = []
    monkeypatch.setattr('kerasnets.plots.forecast', lambda *args, **_: drawn.append(args))
    shops = shops.sort_values(['shop', 'day'], ascending=[True, True]).reset_index(drop=True)
    shops.loc[shops.groupby('shop').tail(3).index, 'sales'] = np.nan
    shops = shops.drop(shops.index[-1])  # two steps ahead of the second one
    out, picture = tmp_path / 'out.csv', tmp_path / 'a.png'
    data = write(tmp_path / 'data.csv', **shops)
    options = '--target', 'sales', '--group', 'shop', '--known', 'promo'
    done = call(data, *options, '-o', out, '--plot', picture)
    assert done.exit_code == 0, done.output
    written = pd.read_csv(out)
    assert written['shop'].tolist() == ['north'] * 3 + ['south'] * 2
    for name, (_, middle) in zip(('north', 'south'), drawn):
        want = written[written['shop'] == name]['sales']
        np.testing.assert_allclose(middle, want, rtol=1e-4)


def test_the_back_test_is_printed(tmp_path):
    data = write(tmp_path / 'a.csv', sales=SERIES)
    found = rows(call(data, '--target', 'sales', '--steps', 6, '--backtest', '--folds', 3))
    assert list(found) == ['trained to', 'error', 'naive', 'relative', 'in band']
    assert found['trained to'].tolist() == [77, 83, 89]
    np.testing.assert_allclose(found['relative'], found['error'] / found['naive'], rtol=1e-3)


def test_layers_and_other_options(tmp_path):
    data = write(tmp_path / 'a.csv', sales=SERIES)
    how = ['--layers', '4', '--form', 'lstm', '--window', 12, '--season', 12, '--lower', 11.5]
    found = rows(call(data, '--target', 'sales', '--steps', 4, *how))
    assert found['sales 10%'].min() >= 11.5
    assert call(data, '--target', 'sales', '--season', 'x').exit_code == 2


def test_a_terminal_shows_a_bar(tmp_path):
    """In a pseudo-terminal of its own, where the output is a file."""
    pty = pytest.importorskip('pty')
    import os

    data = write(tmp_path / 'a.csv', sales=np.resize(SERIES, 300))
    ours, theirs = pty.openpty()
    command = [sys.executable, '-m', 'kerasnets', 'forecast', str(data), '--target', 'sales']
    with subprocess.Popen(
        [*command, '-o', str(tmp_path / 'out.csv')],
        stderr=theirs,
        env={**os.environ, 'TERM': 'xterm'},
    ) as process:
        os.close(theirs)
        shown = b''
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.wait() == 0
    os.close(ours)
    assert b'back test' in shown
    assert len(pd.read_csv(tmp_path / 'out.csv')) == 24


@pytest.mark.parametrize(
    ('columns', 'arguments', 'says'),
    [
        (dict(a=[1, 2, 3, 4]), ['--target', 'b'], "no column 'b'"),
        (dict(sales=[1, 2, 3, 4]), ['--target', 'sale'], "Did you mean 'sales'?"),
        (dict(a=[1, 2], promo=[1, 2]), ['--target', 'a', '--known', 'prom'], "mean 'promo'?"),
        (dict(a=['x', 'y', 'z']), ['--target', 'a'], "column 'a': expected numbers"),
        (dict(a=['', ''], b=[1, 2]), ['--target', 'a'], 'expected numbers'),
        (
            dict(a=[*range(30)], b=[*range(30)]),
            ['--target', 'a', '--known', 'b'],
            'b: expected 1 rows',
        ),
        (dict(a=[1]), ['--target', 'a'], 'two steps or more'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--known', 'a'], 'not known ahead'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--plot', 'a.xyz'], 'ending in'),
        (dict(a=[1, 2, 3]), ['--target', 'a', '--plot', 'none/a.png'], 'there is no folder'),
        (dict(a=[*range(40)]), ['--target', 'a', '--layers', '4', '--form', 'grue'], 'grue'),
    ],
)
def test_what_cannot_be_forecast(tmp_path, columns, arguments, says):
    done = call(write(tmp_path / 'data.csv', **columns), *arguments)
    assert done.exit_code == (2 if {'grue', 'none/a.png'} & {*arguments} else 1)  # of an option
    assert says in ' '.join(done.output.split())
