"""Every example runs, for an epoch."""

import importlib.util
import pathlib

import click.testing
import keras
import numpy as np
import pytest

import kerasnets

EXAMPLES = pathlib.Path(__file__).parents[1] / 'examples'


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run_here():
    known = {'recurrent_text', 'pictures', *TASKS}
    assert {path.stem for path in EXAMPLES.glob('*.py')} == known


#: Example -> whether what it returns at its end is good enough.
TASKS = {
    'digits': lambda scores: scores[0] >= 0.975 and scores[1] >= 0.985,
    'pca_autoencoder': lambda angle: angle < 5,
    'recurrent_addition': lambda error: error < 0.001,
    'recurrent_memory': lambda remembered: remembered > 0.99,
    'recurrent_sinusoid': lambda error: error < 0.001,
    'xor': lambda error: error < 0.001,
}


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """Examples import each other as scripts do."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.parametrize('name', TASKS)
def test_an_epoch_leaves_a_picture(name, tmp_path):
    load(name).main(epochs=(1, 1) if name == 'digits' else 1, folder=tmp_path)
    (picture,) = tmp_path.glob('*.png')
    assert picture.stem == name
    assert picture.read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
@pytest.mark.parametrize('name', TASKS)
def test_the_tasks_are_solved(name, tmp_path):
    reached = load(name).main(folder=tmp_path)
    assert TASKS[name](reached), reached


def test_recurrent_text(tmp_path, capsys):
    corpus = tmp_path / 'corpus.txt'
    corpus.write_text('She sells sea shells by the sea shore. ' * 300, encoding='utf-8')
    path, monitors, paragraph = load('recurrent_text').main(
        epochs=2, corpus=corpus, size=24, out=tmp_path / 'runs'
    )
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if '|' in line and line.endswith('%)')]
    assert len(lines) == 2
    assert len(paragraph) == 500
    assert 0 <= monitors['acc'] <= 1
    assert str(path.resolve()) in out
    assert list((tmp_path / 'runs' / 'logs').iterdir())
    model = keras.saving.load_model(path)
    assert type(model) is keras.Sequential
    net = kerasnets.load(path)
    x = np.array([net.text.encode('She sells sea')])
    rows = np.eye(net.text.classes, dtype='f')[x]
    np.testing.assert_allclose(model.predict(rows, verbose=0), net.predict_proba(x), atol=1e-6)


def test_the_command_line_of_recurrent_text(tmp_path):
    runner = click.testing.CliRunner()
    command = load('recurrent_text').command
    assert '--corpus' in runner.invoke(command, ['--help']).output
    wrong = runner.invoke(command, ['--corpus', str(tmp_path / 'none.txt')])
    assert wrong.exit_code == 2
    assert 'does not exist' in wrong.output


@pytest.mark.slow
def test_the_main_job_reaches_sixty_percent(tmp_path):
    _, monitors, _ = load('recurrent_text').main(out=tmp_path)
    assert monitors['acc'] >= 0.6
