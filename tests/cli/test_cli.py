"""The command ``kerasnets``."""

import json
import os
import pathlib
import re
import subprocess
import sys

import hostile
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from fresh import bare
from paths import TESTS, arrays

import kerasnets
from kerasnets.cli import main

PICKLES = TESTS / 'pickles'


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_convert_and_inspect(tmp_path):
    name = '0.7.3-rec_lstm'
    old, new = PICKLES / f'{name}.theanets.pkl.gz', tmp_path / 'new.keras'
    done = call('convert', old, new)
    assert done.exit_code == 0, done.output
    assert 'new.keras: ' in done.output
    want = arrays(PICKLES / f'{name}.npz')
    np.testing.assert_allclose(kerasnets.load(new).predict(want['x']), want['predict'], atol=1e-5)
    for path in (old, new):
        done = call('inspect', path)
        assert done.exit_code == 0
        assert 'recurrent.' in done.output
        assert 'hid1' in done.output
        assert json.loads(call('inspect', path, '--json').output)['num_params'] > 0


BACKEND = keras.backend.backend()
TFLITE = pytest.param(
    'net.tflite', marks=pytest.mark.skipif(BACKEND != 'tensorflow', reason='of TensorFlow')
)
FOLDER = pytest.param(
    'folder', marks=pytest.mark.skipif(BACKEND == 'torch', reason='Keras exports nothing right')
)


@pytest.mark.parametrize('new', ['net.h5', 'net.weights.h5', TFLITE, FOLDER])
def test_other_formats(new, tmp_path):
    (tmp_path / 'old.keras').write_bytes(hostile.honest('.keras'))
    done = call('convert', tmp_path / 'old.keras', tmp_path / new)
    assert done.exit_code == 0, done.output
    assert (tmp_path / new).exists()


def test_warnings_and_errors_are_reported(tmp_path):
    old = PICKLES / '0.6.2-rec_bidirectional.theanets.pkl.gz'
    assert (
        'Warning: theanets left the backward half' in call('convert', old, tmp_path / 'a.h5').output
    )
    assert 'is written as a .keras archive' in call('convert', old, tmp_path / 'a.pkl').output
    for arguments, says in [
        (('inspect', tmp_path / 'none'), 'there is no such file'),
        (('convert', old, tmp_path / 'b.keras', '--max-params', 3), 'larger --max-params'),
        (('convert', 'hf://a/b', tmp_path / 'b.keras'), 'is a URL'),
        (('inspcet', old), 'No such command'),
    ]:
        done = call(*arguments)
        assert done.exit_code != 0
        assert says in done.output
        assert 'Traceback' not in done.output
    assert not (tmp_path / 'b.keras').exists()


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, '-m', 'kerasnets', '--version'], capture_output=True, text=True
    )
    assert done.stdout.strip().endswith(kerasnets.__version__)


CORPUS = 'to be, or not to be, that is the question; ' * 60


def run(*arguments):
    """What a command says on standard output; it must end well."""
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_text_from_nothing_to_a_sample(tmp_path):
    corpus, model = tmp_path / 'corpus.txt', tmp_path / 'model.keras'
    corpus.write_text(CORPUS, encoding='utf-8')
    small = ['--layers', '32', '--time', '20', '--batch', '8', '--epochs', '12', '--rng', '1']
    found = json.loads(run('text', 'train', corpus, '-o', model, *small, '--json'))
    assert found['model'] == str(model)
    assert found['characters'] == len(CORPUS)
    assert found['held out: acc'] > 0.9
    written = run('text', 'sample', model, '--seed', 'or not', '--length', 30, '--temperature', 0)
    assert written == 'or not to be, that is the question; \n'
    texts = json.loads(
        run('text', 'sample', model, '--streams', 3, '--length', 9, '--rng', 2, '--json')
    )
    assert [len(one) for one in texts] == [len('The ') + 9] * 3
    again = run('text', 'sample', model, '--streams', 3, '--length', 9, '--rng', 2)
    assert all(one in again for one in texts)


def test_text_options_reach_the_network(tmp_path):
    corpus, model = tmp_path / 'corpus.txt', tmp_path / 'model.h5'
    corpus.write_text(CORPUS, encoding='utf-8')
    options = '--layers 6,5 --form gru --activation tanh --algorithm sgd --time 10 --batch 4'
    more = '--alphabet abcdefghijklmnopqrstuvwxyz --noise 0.1 --dropout 0.1 --epochs 1'
    save = tmp_path / 'progress.keras'
    shown = run(
        'text',
        'train',
        corpus,
        corpus,
        '-o',
        model,
        *options.split(),
        *more.split(),
        '--save',
        save,
    )
    assert 'parameters' in shown
    net = kerasnets.load(model)
    assert [(spec.form, spec.size) for spec in net.specs[1:3]] == [('gru', 6), ('gru', 5)]
    assert net.specs[1].activation == 'tanh'
    assert net.text.alpha == 'abcdefghijklmnopqrstuvwxyz'
    assert kerasnets.load(save).num_params == net.num_params


FLOWERS = """length,colour,kind
1.0,red,rose
1.1,red,rose
5.0,blue,iris
,blue,iris
"""


def table(path, rows=200, lacking=False):
    """A CSV file of two columns and what follows from them."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(5, 2, size=rows), rng.choice(['red', 'blue'], size=rows)
    kind = np.where((size > 5) & (colour == 'red'), 'large', 'other')
    price = 10 * size + 3 * (colour == 'red')
    names = ['size', 'colour', 'kind', 'price']
    lines = [','.join(names)]
    for one in zip(size.round(3), colour, kind, price.round(3)):
        lines.append(','.join(map(str, one)))
    path.write_text('\n'.join(lines[: 1 + rows]) + '\n', encoding='utf-8')
    return path


def test_from_a_csv_to_classes(tmp_path):
    data, model = table(tmp_path / 'data.csv'), tmp_path / 'model.keras'
    options = ['--drop', 'price', '--epochs', 60, '--learning-rate', 0.02, '--json']
    found = json.loads(run('train', data, '--target', 'kind', '-o', model, *options))
    assert found['held out: score'] > 0.9
    done = call('predict', model, data, '--proba')
    header, *lines = done.stdout.splitlines()
    assert header == 'size,colour,kind,price,predicted kind,p(large),p(other)'
    assert len(lines) == 200
    right = [line.split(',')[2] == line.split(',')[4] for line in lines]
    assert np.mean(right) > 0.9
    assert done.stderr == f'score: {np.mean(right):.4f}\n'
    first = json.loads(run('predict', model, data, '--json').splitlines()[0])
    assert set(first) == {'size', 'colour', 'kind', 'price', 'predicted kind'}


def test_from_a_csv_to_values(tmp_path):
    data, model = table(tmp_path / 'data.csv'), tmp_path / 'model.keras'
    options = ['--drop', 'kind', '--epochs', 60, '--learning-rate', 0.02]
    run('train', data, '--target', 'price', '-o', model, *options)
    out = tmp_path / 'out.csv'
    run('predict', model, data, '-o', out)
    rows = [line.split(',') for line in out.read_text().splitlines()[1:]]
    price, predicted = (np.array([float(row[i]) for row in rows]) for i in (3, 4))
    assert np.abs(price - predicted).mean() < 2
    assert 'UsageError' not in out.read_text()
    assert call('predict', model, data, '--proba').exit_code == 2


def test_what_a_table_holds_is_said_before_training(tmp_path):
    data = table(tmp_path / 'data.csv')
    done = call('train', data, '--target', 'kind', '-o', tmp_path / 'm.keras', '--dry-run')
    assert done.exit_code == 0
    for name, how in [('size', 'numbers, '), ('colour', '2 words: blue, red')]:
        assert re.search(rf'{name}\W+{how}', done.stdout), done.stdout
    assert re.search(r'kind\W+2 words: large, other\W+0\W+\w+\W+the target', done.stdout)
    assert not (tmp_path / 'm.keras').exists()
    held = '--dry-run', '--json'
    found = json.loads(run('train', data, '--target', 'kind', '-o', tmp_path / 'm.keras', *held))
    assert list(found) == ['size', 'colour', 'kind', 'price']


def test_what_training_never_saw_is_said(tmp_path):
    data, model = table(tmp_path / 'data.csv', rows=40), tmp_path / 'model.keras'
    run('train', data, '--target', 'kind', '-o', model, '--epochs', 1, '--json')
    strange = tmp_path / 'strange.csv'
    rows = ['size;colour;kind;price', '5;green;large;1', ';red;unheard;2', '']
    strange.write_text('\n'.join(rows), encoding='utf-8')
    done = call('predict', model, strange)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 3
    first, second, third = done.stderr.splitlines()
    assert first == "Warning: column 'size': 1 missing values, of which training had none."
    assert second == "Warning: column 'colour': 1 values that training never saw: 'green'."
    assert third.startswith("not scored: column 'kind', line 3: expected one of")
    done = call('predict', model, strange, '--strict')
    assert done.exit_code == 1
    assert done.stdout == ''
    assert 'never saw' in done.stderr


def test_standard_input(tmp_path):
    data, model = table(tmp_path / 'data.csv', rows=40), tmp_path / 'model.keras'
    content = data.read_text(encoding='utf-8')
    options = ['--target', 'kind', '-o', str(model), '--epochs', '1', '--json']
    done = CliRunner().invoke(main, ['train', '-', *options], input=content)
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ['predict', str(model), '-'], input=content)
    assert done.exit_code == 0, done.output
    assert done.stdout == run('predict', model, data)
    options = '-o', str(tmp_path / 'text.keras'), '--epochs', '1', '--layers', '4', '--json'
    done = CliRunner().invoke(main, ['text', 'train', '-', *options], input=CORPUS)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)['characters'] == len(CORPUS)


def test_a_sample_ends_where_it_is_told_to(tmp_path):
    from kerasnets.cli.texts import _until

    text = 'one, two, three'
    for stop, want in [(', t', 'one'), ('two', 'one, '), (None, text), ('xyz', text), ('e', 'on')]:
        assert ''.join(_until(stop, text)) == want
    corpus, model = tmp_path / 'corpus.txt', tmp_path / 'model.keras'
    corpus.write_text(CORPUS, encoding='utf-8')
    run('text', 'train', corpus, '-o', model, '--epochs', 1, '--layers', 4, '--json')
    for streams in (1, 2):
        options = '--length', 200, '--rng', 3, '--streams', streams
        written = run('text', 'sample', model, '--seed', 'T', '--stop', 'o', *options)
        assert 'o' not in written.replace('of 2', '')


def test_errors_are_one_line(tmp_path):
    data = tmp_path / 'flowers.csv'
    data.write_text(FLOWERS, encoding='utf-8')
    broken = tmp_path / 'broken.csv'
    broken.write_text('a,b\n1,2\n1,2,3\n', encoding='utf-8')
    corpus = tmp_path / 'short.txt'
    corpus.write_text('abc', encoding='utf-8')
    model = tmp_path / 'model.keras'
    (tmp_path / 'plain.keras').write_bytes(hostile.honest('.keras'))
    for arguments, code, says in [
        (('train', data, '--target', 'knid', '-o', model), 1, "Did you mean 'kind'?"),
        (('train', data, '--target', 'kind', '-o', 'm.pkl'), 2, 'ending in .keras or .h5'),
        (('train', data, '--target', 'kind', '-o', '/nowhere/m.keras'), 2, 'there is no folder'),
        (('train', data, '--target', 'kind', '--layers', 'x', '-o', model), 2, 'sizes such as 64'),
        (('train', data, '--target', 'kind', '--algorithm', 'admm', '-o', model), 1, "'adam'"),
        (('train', broken, '--target', 'b', '-o', model), 1, 'line 3: expected 2 values'),
        (('train', data, '--target', 'kind'), 2, "Missing option '-o'"),
        (('predict', tmp_path / 'plain.keras', data), 1, 'has no table'),
        (('text', 'sample', tmp_path / 'plain.keras'), 1, 'has no alphabet'),
        (('text', 'train', corpus, '-o', model), 1, 'no character occurs 10 times'),
    ]:
        done = call(*arguments)
        assert done.exit_code == code, (arguments, done.output)
        assert says in ' '.join(done.output.split()), (arguments, done.output)
        assert 'Traceback' not in done.output
    assert not model.exists()


def test_demo(tmp_path, monkeypatch):
    import pydoc_data.topics

    monkeypatch.setattr(pydoc_data.topics, 'topics', {'one': CORPUS * 2})
    model = tmp_path / 'demo.keras'
    shown = run('demo', '-o', model, '--epochs', 1)
    assert 'Python language reference' in shown
    assert 'kerasnets text sample' in shown
    assert kerasnets.load(model).text.classes > 10


def test_shell_completion():
    done = subprocess.run(
        [sys.executable, '-m', 'kerasnets'],
        capture_output=True,
        text=True,
        env={**os.environ, '_KERASNETS_COMPLETE': 'bash_source'},
    )
    assert '_kerasnets_completion' in done.stdout


def test_help_needs_no_keras():
    code = (
        'import sys; from kerasnets.cli import main; main(["text", "train", "--help"], '
        'standalone_mode=False); print({"keras", "tensorflow"} & set(sys.modules))'
    )
    assert bare(code).endswith('set()\n')


@pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='Keras loads TensorFlow when it saves, too'
)
def test_messages_of_a_command_go_to_standard_error(tmp_path):
    """In a process of its own, where the engine is loaded and may talk."""
    (tmp_path / 'old.keras').write_bytes(hostile.honest('.keras'))
    command = [sys.executable, '-m', 'kerasnets', 'convert', 'old.keras', 'new.h5']
    plain = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
    done = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ''
    assert done.stdout.startswith('new.h5: ')


def test_tokens_documents_and_scores(tmp_path):
    corpora = [tmp_path / name for name in ('a.txt', 'b.txt')]
    for path in corpora:
        path.write_text('the cat sat on the mat. ' * 60, encoding='utf-8')
    model = tmp_path / 'net.keras'
    how = ['--tokens', 'bpe', '--size', 280, '--epochs', 8, '--layers', 16, '--time', 20]
    done = call('text', 'train', *corpora, '-o', model, *how, '--batch', 8, '--json')
    assert done.exit_code == 0, done.output
    trained = json.loads(done.output.splitlines()[-1])
    assert trained['characters'] == 2 * 24 * 60
    net = kerasnets.load(model)
    assert (net.text.tokens, net.text.end) == ('bpe', net.text.classes - 1)
    done = call('text', 'score', model, *corpora, '--json')
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.output.splitlines() if line[:1] == '{']
    assert [row['file'] for row in rows] == list(map(str, corpora))
    assert rows[0]['bits'] == round(net.score_text(corpora[0].read_text())['bits'], 4)
    assert 0 < rows[0]['bits'] < 3
    done = call('text', 'sample', model, '--seed', 'the', '--length', 30, '--rng', 1)
    assert done.exit_code == 0, done.output
    assert done.output.startswith('the')
    done = call('text', 'sample', model, '--streams', 2, '--length', 9, '--rng', 1, '--json')
    assert len(json.loads(done.output.splitlines()[-1])) == 2
    (tmp_path / 'latin').write_bytes('é'.encode('latin-1') * 9)
    done = call('text', 'score', model, tmp_path / 'latin')
    assert done.exit_code == 1
    assert '--encoding' in done.output


@pytest.mark.parametrize(
    ('arguments', 'says', 'status'),
    [
        (['train'], "Missing argument 'DATA'. See 'kerasnets train --help'.", 2),
        (['tran'], "No such command 'tran'. Did you mean 'train'? See 'kerasnets --help'.", 2),
        (
            ['text', 'train', 'a.txt', '-o', 'a.keras', '--epochs', 'x'],
            "Invalid value for '--epochs': 'x' is not a valid integer. "
            "See 'kerasnets text train --help'.",
            2,
        ),
        (
            ['text', 'train', 'a.txt', '-o', 'a.keras'],
            'expected more than 50 labels, got 40. Lower --time, or use a longer text.',
            1,
        ),
        (
            ['text', 'train', 'a.txt', '-o', 'a.keras', '--min-count', '999'],
            'no character occurs 999 times in a text of 400. Set --alphabet, or lower --min-count.',
            1,
        ),
        *(
            (
                ['text', 'train', 'a.txt', '-o', 'a.keras', option, value],
                f"Invalid value for '{option}': {why}. See 'kerasnets text train --help'.",
                2,
            )
            for option, value, why in [
                ('--batch', '0', '0 is not in the range x>=1'),
                ('--time', '0', '0 is not in the range x>=1'),
                ('--epochs', '-1', '-1 is not in the range x>=0'),
                ('--noise', '-1', '-1.0 is not in the range x>=0'),
                ('--dropout', '1', '1.0 is not in the range 0<=x<1'),
                ('--learning-rate', 'nan', 'expected a finite number, got nan'),
                ('--rng', '-1', '-1 is not in the range x>=0'),
                ('--layers', '0', "expected sizes such as 64 or 64,32, got '0'"),
            ]
        ),
        (
            ['text', 'train', 'a.txt', '-o', 'a.keras', '--alphabet', ''],
            'the alphabet is empty. Leave out --alphabet to take it from the text.',
            1,
        ),
        (
            ['text', 'train', 'a.txt', '-o', 'a.keras', '--tokens', 'bpe', '--size', '9'],
            'expected --size of 256 or more for bpe, the number of bytes, got 9. '
            'Write for example 1000.',
            1,
        ),
        (
            ['text', 'train', 'empty.txt', '-o', 'a.keras'],
            'empty.txt: the file is empty. Choose another file.',
            1,
        ),
        (
            ['text', 'sample', 'a.txt', '--seed', ''],
            "Invalid value for '--seed': expected one character or more. "
            "See 'kerasnets text sample --help'.",
            2,
        ),
        (
            ['train', 'a.txt', '--target', 'a', '-o', 'a.keras', '--separator', 'ab'],
            "Invalid value for '--separator': expected one character, such as ; or tab, got 'ab'. "
            "See 'kerasnets train --help'.",
            2,
        ),
    ],
)
def test_errors_are_one_line_with_the_names_of_options(
    arguments, says, status, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pathlib.Path('a.txt').write_text('abcd' * 100, encoding='utf-8')
    pathlib.Path('empty.txt').touch()
    done = call(*arguments)
    assert (done.output, done.exit_code) == (f'Error: {says}\n', status)


BAD_OUTPUTS = [
    (('text', 'train', 'corpus.txt', '-o', 'folder.keras'), "got the folder 'folder.keras'"),
    (('text', 'train', 'corpus.txt', '-o', 'none/a.keras'), "there is no folder 'none'"),
    (
        ('text', 'train', 'corpus.txt', '-o', '/proc/a.keras'),
        "can be written in the folder '/proc'",
    ),
    (('text', 'train', 'corpus.txt', '-o', 'a.keras', '--save', 'a.txt'), "'--save': expected a"),
    (('train', 'data.csv', '--target', 'kind', '-o', 'folder.keras'), 'expected a file'),
    (
        ('train', 'data.csv', '--target', 'kind', '-o', 'a.h5', '--report', 'folder.html'),
        '--report',
    ),
    (('predict', 'corpus.txt', 'data.csv', '-o', 'folder.keras'), "'-o' / '--output': expected"),
    (('forecast', 'data.csv', '--target', 'rest', '-o', 'none/a.csv'), "there is no folder 'none'"),
    (
        ('forecast', 'data.csv', '--target', 'rest', '--plot', '/proc/a.png'),
        "'--plot': no file can",
    ),
    (('forecast', 'data.csv', '--target', 'rest', '--form', 'rnn'), '--form needs --layers'),
    (('forecast', 'data.csv', '--target', 'rest', '--window', '3'), '--window needs --layers'),
    (('forecast', 'data.csv', '--target', 'rest', '--backtest', '--plot', 'a.png'), 'Leave out'),
    (('train', 'data.csv', '--target', 'kind', '-o', 'a.h5', '--algorithm', 'sample'), '--layers'),
]


@pytest.mark.parametrize(('arguments', 'says'), BAD_OUTPUTS)
def test_options_that_cannot_work_are_refused_before_any_work(
    arguments, says, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ('corpus.txt', 'data.csv'):
        pathlib.Path(name).touch()  # empty: reading it is an error of another kind
    for name in ('folder.keras', 'folder.html'):
        pathlib.Path(name).mkdir()
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 2
    assert says in done.output
    assert done.output.count('\n') == 1


def test_a_device_that_is_full_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path('data.csv').write_text('x,y\n' + '1,a\n2,b\n' * 20)
    options = ['--target', 'y', '-o', 'a.keras', '--layers', '4', '--epochs', '1']
    done = CliRunner().invoke(main, ['train', 'data.csv', *options, '--algorithm', 'sample'])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ['predict', 'a.keras', 'data.csv', '-o', '/dev/full'])
    assert done.exit_code == 1
    assert "cannot write '/dev/full'" in done.output
    done = CliRunner().invoke(main, ['train', 'data.csv', *options, '--encoding', 'rot13'])
    assert "there is no encoding 'rot13'" in done.output
