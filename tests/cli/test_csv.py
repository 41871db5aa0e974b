"""``kerasnets train`` and ``kerasnets predict`` of tables as people have them."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fresh import bare
from sklearn.metrics import accuracy_score, r2_score

import kerasnets
from kerasnets.cli import main
from kerasnets.estimators import NetRegressor

QUICK = '--epochs', '2', '--json'


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def run(*arguments):
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done


def write(path, frame, **options):
    frame.to_csv(path, index=False, **options)
    return path


def frame(rows=120, seed=0):
    """A table of a word, a number and a date, with what follows from them."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(5, 2, rows).round(3), rng.choice(['red', 'blue'], rows)
    when = pd.date_range('2020-01-01', periods=rows)
    kind = np.where((size > 5) & (colour == 'red'), 'large', 'other')
    price = (10 * size + 3 * (colour == 'red')).round(3)
    return pd.DataFrame(
        {'size': size, 'colour': colour, 'when': when, 'kind': kind, 'price': price}
    )


def dry(path, target, *options):
    """What a dry run says of each column, and its notes."""
    done = run('train', path, '--target', target, '--dry-run', '--json', *options)
    return json.loads(done.stdout), done.stderr


def test_a_dry_run_needs_neither_an_output_nor_keras(tmp_path):
    path = write(tmp_path / 'a.csv', frame())
    code = (
        'import sys; from kerasnets.cli import main; '
        f'main(["train", {str(path)!r}, "--target", "kind", "--dry-run"], standalone_mode=False); '
        'print({"keras", "tensorflow", "jax", "torch"} & set(sys.modules))'
    )
    shown = bare(code)
    assert shown.endswith('set()\n')
    for text in ('read as', 'missing', 'example', 'becomes', 'the target'):
        assert text in shown
    assert list(tmp_path.iterdir()) == [path]


def test_marks_of_missing_values_are_counted(tmp_path):
    table = frame().astype({'size': object})
    table.loc[[3, 5, 8, 9, 20], 'size'] = ['NA', 'nan', '?', '-', '']
    found, _ = dry(write(tmp_path / 'a.csv', table), 'kind')
    assert found['size']['missing'] == 5
    assert found['size']['becomes'] == 'one input, one for missing'
    table.loc[11, 'size'] = 'abc'
    found, notes = dry(write(tmp_path / 'a.csv', table), 'kind')
    assert "114 of 115 are numbers, but 'abc' in line 13" in notes
    for remedy in (('--as', 'size=number'), ('--missing', 'abc')):
        found, notes = dry(tmp_path / 'a.csv', 'kind', *remedy)
        assert found['size']['read as'].startswith('numbers')
        assert found['size']['missing'] == 6


def test_numbers_of_other_countries_are_trained_on_and_written(tmp_path):
    table, model = frame(), tmp_path / 'm.keras'
    path = write(tmp_path / 'a.csv', table, sep=';', decimal=',')
    run('train', path, '--target', 'price', '-o', model, '--drop', 'kind', *QUICK)
    lines = run('predict', model, path).stdout.splitlines()
    first = dict(zip(lines[0].split(','), next(iter(pd.read_csv(path, sep=';', dtype=str).values))))
    assert first['size'] == f'{table["size"][0]}'.replace('.', ',')
    found = kerasnets.load(model).table
    assert found.target.notation.decimal == ','
    one = tmp_path / 'one.csv'  # 1.234 alone could be either
    one.write_text('size;colour;when\n1.234;red;2020-01-01\n', encoding='utf-8')
    assert json.loads(run('predict', model, one, '--json').stdout)['size'] == '1.234'


@pytest.mark.parametrize('target', ['kind', 'price'])
def test_rows_without_a_target_are_left_out_and_said(target, tmp_path):
    table, model = frame(), tmp_path / 'm.keras'
    table[target] = table[target].astype(object)
    table.loc[[4, 7], target] = None
    path = write(tmp_path / 'a.csv', table)
    done = run('train', path, '--target', target, '-o', model, *QUICK)
    assert f"2 of 120 rows have no '{target}', such as line 6, and are left out" in done.stderr
    assert '' not in (kerasnets.load(model).table.target.words or ())
    done = call('train', path, '--target', target, '-o', model, '--strict', *QUICK)
    assert done.exit_code == 1
    assert 'such as line 6. Fix those rows, or leave out --strict' in done.output
    done = run('predict', model, path)
    assert 'score of 118 rows with a target: ' in done.stderr
    assert len(done.stdout.splitlines()) == 121


@pytest.mark.parametrize(
    ('values', 'options', 'says'),
    [
        (['a'], [], "one class only, 'a'"),
        (
            [f'{i}.5' for i in range(119)] + ['abc'],
            [],
            r"but 'abc' in line 121.*--regress.*--classes",
        ),
        (['x', 'y', 'z'], ['--regress'], 'expected numbers'),
    ],
)
def test_targets_that_are_refused(values, options, says, tmp_path):
    table = frame().assign(kind=(values * 120)[:120])
    done = call(
        'train', write(tmp_path / 'a.csv', table), '--target', 'kind', '--dry-run', *options
    )
    assert done.exit_code == 1
    assert re.search(says, ' '.join(done.output.split()))
    assert '--drop' not in done.output


def test_a_strange_value_of_the_target_is_missing_with_regress(tmp_path):
    table = frame().assign(price=[f'{i}.5' for i in range(119)] + ['abc'])
    found, notes = dry(write(tmp_path / 'a.csv', table), 'price', '--regress')
    assert found['price']['read as'].startswith('numbers')
    assert "1 of 120 rows have no 'price', such as line 121" in notes


def test_few_whole_numbers_are_classes_unless_decided(tmp_path):
    path = write(tmp_path / 'a.csv', frame().assign(stars=[1, 2, 3, 4, 5, 10] * 20))
    found, notes = dry(path, 'stars')
    assert found['stars']['read as'] == '6 words: 1, 2, 3, 4, …'
    assert '6 different whole numbers and is taken as classes; --regress' in notes
    found, notes = dry(path, 'stars', '--regress')
    assert found['stars']['read as'].startswith('numbers')
    assert 'whole numbers' not in notes
    model = tmp_path / 'm.keras'
    run('train', path, '--target', 'stars', '-o', model, *QUICK)
    predicted = pd.read_csv(write_predictions(model, path, tmp_path))['predicted stars']
    assert set(predicted) <= {1, 2, 3, 4, 5, 10}


def write_predictions(model, path, folder):
    out = folder / 'out.csv'
    run('predict', model, path, '-o', out)
    return out


def test_a_date_is_predicted_as_a_date(tmp_path):
    table, model = frame(), tmp_path / 'm.keras'
    table['size'] = np.arange(120) / 7
    table['when'] = table['when'].dt.strftime('%d.%m.%Y')
    path = write(tmp_path / 'a.csv', table)
    run('train', path, '--target', 'when', '-o', model, *QUICK)
    predicted = pd.read_csv(write_predictions(model, path, tmp_path))['predicted when']
    days = pd.to_datetime(predicted, format='%Y-%m-%d')
    assert days.between('2018-01-01', '2023-01-01').all()


def test_identifiers_are_left_out_and_said(tmp_path):
    table = frame().assign(number=range(1, 121), name=[f'n{i}' for i in range(120)])
    found, _ = dry(write(tmp_path / 'a.csv', table), 'kind')
    assert found['number']['becomes'] == 'left out: it has a number for each row'
    assert found['name']['becomes'] == 'left out: it has a different word in each row'
    found, _ = dry(tmp_path / 'a.csv', 'kind', '--as', 'number=number')
    assert found['number']['becomes'] == 'one input'


@pytest.mark.parametrize('value', ['1e300', '-1.797e308', '1e999'])
def test_huge_values_are_named(value, tmp_path):
    table = frame().astype({'size': object})
    table.loc[5, 'size'] = value
    path, model = write(tmp_path / 'a.csv', table), tmp_path / 'm.keras'
    done = run('train', path, '--target', 'kind', '-o', model, *QUICK)
    assert "column 'size': " in done.stderr
    said = 'infinite and taken as missing' if value == '1e999' else 'far from all other values'
    assert f'in line 7 is {said}' in done.stderr
    assert np.isfinite(json.loads(done.stdout)['left out: loss'])


def test_numbers_are_those_of_the_model_that_was_saved(tmp_path):
    path, model = write(tmp_path / 'a.csv', frame()), tmp_path / 'm.keras'
    for target, guess in [('kind', 'classes'), ('price', 'values')]:
        options = '--drop', 'price' if target == 'kind' else 'kind', '--held-out', '0.3'
        options = *options, '--epochs', '40', '--learning-rate', '0.02', '--patience', '2', '--json'
        done = run('train', path, '--target', target, '-o', model, *options)
        found = json.loads(done.stdout)
        rows = np.random.default_rng(13).permutation(120)
        held, kept = rows[:36], rows[36:]
        table = frame()
        predicted = pd.read_csv(write_predictions(model, path, tmp_path))[f'predicted {target}']
        truth = table[target]
        if guess == 'classes':
            often = truth[kept].mode()[0]
            want = accuracy_score(truth[held], predicted[held]), (truth[held] == often).mean()
        else:
            mean = np.full(36, truth[kept].mean())
            want = r2_score(truth[held], predicted[held]), r2_score(truth[held], mean)
        got = found['held out: score'], found['held out: trivial guess']
        np.testing.assert_allclose(got, want, atol=2e-3)


def test_the_default_is_that_of_the_estimators(tmp_path):
    path, model = write(tmp_path / 'a.csv', frame()), tmp_path / 'm.keras'
    options = '--drop', 'kind', '--epochs', '4', '--held-out', '0'
    done = run('train', path, '--target', 'price', '-o', model, *options)
    assert 'Training 4 networks with hidden layers of 100 on 120 rows' in done.stderr
    assert 'No rows are held out' in done.stderr
    rows = np.random.default_rng(13).permutation(120)
    table = frame().loc[rows]
    table['when'] = table['when'].astype(str)
    inputs = table[['size', 'colour', 'when']]
    estimator = NetRegressor(epochs=4).fit(inputs, table['price'])
    found = pd.read_csv(write_predictions(model, path, tmp_path))['predicted price']
    np.testing.assert_allclose(found[rows], estimator.predict(inputs), rtol=1e-4)
    done = run('train', path, '--target', 'price', '-o', model, '--layers', '8', *options)
    assert [layer.units for layer in kerasnets.load(model).model.layers] == [8, 1]
    one = '--layers', '8', '--ensemble', '2', '--dropout', '0.2', '--noise', '0.1', *options
    run('train', path, '--target', 'price', '-o', model, *one, '--algorithm', 'rmsprop')
    layer = kerasnets.load(model).model.layers[1]
    assert (layer.members, layer.hidden, layer.dropout) == (2, [8], 0.2)


def test_a_model_that_is_no_better_than_a_guess_is_said(tmp_path):
    table = frame().assign(kind=np.random.default_rng(3).choice(['a', 'a', 'a', 'b'], 120))
    path, model = write(tmp_path / 'a.csv', table), tmp_path / 'm.keras'
    options = '-o', model, '--layers', 64, '--epochs', 1, '--learning-rate', 1e-9, '--json'
    done = run('train', path, '--target', 'kind', *options)
    found = json.loads(done.stdout)
    assert found['held out: score'] <= found['held out: trivial guess']
    assert "does not beat the trivial guess (always 'a')" in done.stderr


def test_predictions_are_utf8_and_written_whole_or_not_at_all(tmp_path):
    table, model = frame().replace({'red': 'rød', 'large': 'größer'}), tmp_path / 'm.keras'
    path, out = write(tmp_path / 'a.csv', table), tmp_path / 'out.csv'
    run('train', path, '--target', 'kind', '-o', model, '--drop', 'price', *QUICK)
    plain = {**os.environ, 'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONIOENCODING': 'ascii'}
    command = [sys.executable, '-m', 'kerasnets', 'predict', str(model), str(path)]
    done = subprocess.run([*command, '-o', str(out)], env=plain, capture_output=True)
    assert done.returncode == 0, done.stderr
    written = pd.read_csv(out, encoding='utf-8')
    assert set(written['colour']) == {'rød', 'blue'}
    piped = subprocess.run(command, env=plain, capture_output=True)
    assert piped.stdout == out.read_bytes()
    before = out.read_bytes()
    strange = write(tmp_path / 'b.csv', table.assign(size='much'))
    done = call('predict', model, strange, '-o', out)
    assert done.exit_code == 1
    assert "column 'size', line 2: expected a number as in training, got 'much'" in done.output
    assert out.read_bytes() == before


def test_values_are_written_as_they_stood(tmp_path):
    path, model = tmp_path / 'a.csv', tmp_path / 'm.keras'
    lines = [f'{i / 3:.12f},"a, {i % 3}",{"+" * (i % 2)}{i % 4}' for i in range(60)]
    path.write_text('\n'.join(['x,w,y', *lines]), encoding='utf-8')
    run('train', path, '--target', 'y', '-o', model, *QUICK)
    written = pd.read_csv(write_predictions(model, path, tmp_path), dtype=str)
    read = pd.read_csv(path, dtype=str)
    pd.testing.assert_frame_equal(written[['x', 'w', 'y']], read)


def test_a_report_is_one_page(tmp_path):
    pytest.importorskip('matplotlib')
    path, model, page = (
        write(tmp_path / 'a.csv', frame()),
        tmp_path / 'm.keras',
        tmp_path / 'r.html',
    )
    run('train', path, '--target', 'kind', '-o', model, '--report', page, *QUICK)
    text = page.read_text(encoding='utf-8')
    assert text.startswith('<!doctype html>')
    assert 'Permutation importance' in text
    for wrong, says in [
        (tmp_path / 'r.pdf', 'ending in .html'),
        (tmp_path / 'a/r.html', 'there is no folder'),
    ]:
        done = call('train', path, '--target', 'kind', '-o', model, '--report', wrong)
        assert done.exit_code == 2
        assert says in done.output
