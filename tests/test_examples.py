"""Every example runs, for an epoch."""

import gzip
import importlib.util

import click.testing
import keras
import numpy as np
import pytest
from paths import ROOT
from scipy.io import netcdf_file

import kerasnets

EXAMPLES = ROOT / 'examples'


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run_here():
    known = {'recurrent_text', 'pictures', 'images', *TASKS}
    assert {path.stem for path in EXAMPLES.glob('*.py')} == known


#: Example -> whether what it returns at its end is good enough.
TASKS = {
    'cifar_autoencoder': lambda r2: r2 > 0.95,
    'forecast_co2': lambda errors: errors[0] < 0.5 * errors[1],
    'lstm_chime': lambda accuracy: accuracy > 0.93,
    'migration': lambda apart: apart < 1e-5,
    'mnist_autoencoder': lambda r2: r2 > 0.5,
    'mnist_classifier': lambda accuracy: accuracy > 0.975,
    'mnist_convolution': lambda accuracy: accuracy > 0.985,
    'mnist_deep_autoencoder': lambda share: share > 0.48,
    'mnist_deep_classifier': lambda accuracy: accuracy > 0.965,
    'mnist_rica': lambda found: found[0] > 2.5 and found[1] > 0.98,
    'pca_autoencoder': lambda angle: angle < 5,
    'recurrent_addition': lambda error: error < 0.001,
    'recurrent_autoencoder': lambda left: left < 0.37,
    'recurrent_memory': lambda remembered: remembered > 0.99,
    'recurrent_phase': lambda error: error < 0.02,
    'recurrent_sinusoid': lambda error: error < 0.001,
    'weighted_classification': lambda found: found[0] > 0.87 and found[0] > found[1] + 0.05,
    'xor_classifier': lambda right: right > 0.999,
}


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """Examples import each other as scripts do."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


#: Examples that train for seconds in one epoch already.
LONG = (
    'lstm_chime mnist_convolution mnist_deep_autoencoder mnist_deep_classifier recurrent_addition '
    'recurrent_autoencoder recurrent_memory recurrent_phase recurrent_sinusoid'
).split()


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in TASKS]
)
def test_an_epoch_leaves_a_picture(name, tmp_path):
    reached = load(name).main(epochs=1, folder=tmp_path)
    assert np.isfinite(reached).all()
    assert name != 'migration' or TASKS[name](reached)
    (picture,) = tmp_path.glob('*.png')
    assert picture.stem == name
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_a_command_line_has_the_parameters_of_main(tmp_path):
    command = load('pictures').command(load('mnist_classifier').main)
    out = click.testing.CliRunner().invoke(command, ['--help']).output
    for option in ('--epochs', '--folder', '--mnist-file'):
        assert option in out


def test_mnist_is_read_from_its_own_files_and_from_those_of_keras(tmp_path, rng):
    images = load('images')
    parts = {
        'train': rng.integers(256, size=(7, 28, 28)),
        't10k': rng.integers(256, size=(3, 28, 28)),
    }
    labels = {part: rng.integers(10, size=len(x)) for part, x in parts.items()}
    for part, pixels in parts.items():
        for kind, array in (('images', pixels), ('labels', labels[part])):
            header = np.array([2048 + array.ndim, *array.shape], '>i4').tobytes()
            data = header + array.astype('u1').tobytes()
            name = f'{part}-{kind}-idx{array.ndim}-ubyte'
            if part == 'train':
                (tmp_path / f'{name}.gz').write_bytes(gzip.compress(data))
            else:
                (tmp_path / name).write_bytes(data)
    arrays = {
        f'{axis}_{ours}': source[theirs].astype('u1')
        for axis, source in (('x', parts), ('y', labels))
        for ours, theirs in (('train', 'train'), ('test', 't10k'))
    }
    np.savez(tmp_path / 'mnist.npz', **arrays)
    for path in (tmp_path, tmp_path / 'mnist.npz'):
        for part, (x, y) in zip(parts, images.mnist(path)):
            np.testing.assert_allclose(x, parts[part] / 255, atol=1e-6)
            np.testing.assert_array_equal(y, labels[part])


def test_cifar_is_read_from_its_binary_version(tmp_path, rng):
    pixels = rng.integers(256, size=(4, 32, 32, 3)).astype('u1')
    rows = np.hstack([np.zeros((4, 1), 'u1'), pixels.transpose(0, 3, 1, 2).reshape(4, -1)])
    (tmp_path / 'data_batch_1.bin').write_bytes(rows.tobytes())
    np.testing.assert_allclose(load('images').cifar(tmp_path), pixels / 255, atol=1e-6)
    with pytest.raises(FileNotFoundError, match='data_batch_1'):
        load('images').cifar(tmp_path / 'nowhere')


def test_chime_is_read_from_netcdf(tmp_path, rng):
    inputs, labels = rng.normal(size=(9, 39)).astype('f'), rng.integers(51, size=9).astype('i4')
    with netcdf_file(tmp_path / 'chime.nc', 'w') as file:
        file.createDimension('steps', 9)
        file.createDimension('features', 39)
        file.createDimension('sentences', 2)
        file.createVariable('inputs', 'f', ('steps', 'features'))[:] = inputs
        file.createVariable('targetClasses', 'i', ('steps',))[:] = labels
        file.createVariable('seqLengths', 'i', ('sentences',))[:] = [4, 5]
    found = load('lstm_chime').read(tmp_path / 'chime.nc')
    for parts, whole in zip(found, (inputs, labels)):
        assert [len(part) for part in parts] == [4, 5]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


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
def test_the_main_job_reaches_its_figure(tmp_path):
    _, monitors, _ = load('recurrent_text').main(out=tmp_path)
    assert monitors['acc'] >= 0.62
