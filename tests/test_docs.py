"""The examples of docstrings and of the README run."""

import doctest
import importlib
import pathlib
import pkgutil
import re
import shlex

import keras
import numpy as np
import paths
import pytest
from click.testing import CliRunner
from paths import TESTS

import kerasnets
from kerasnets.cli import main

ROOT = pathlib.Path(kerasnets.__file__).parent
MODULES = ['kerasnets', *(m.name for m in pkgutil.walk_packages([str(ROOT)], 'kerasnets.'))]
README = (paths.ROOT / 'README.md').read_text(encoding='utf-8')
BLOCKS = re.findall(r'```python\n(.*?)```', README, re.DOTALL)
STARTS = [block for block in BLOCKS if 'valid=' in block or 'predict_sequence' in block]
OTHERS = [block for block in BLOCKS if block not in STARTS]


@pytest.mark.parametrize('name', MODULES)
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    names = {'np': np, 'keras': keras, 'kerasnets': kerasnets}
    assert doctest.testmod(module, extraglobs=names).failed == 0


@pytest.mark.parametrize('block', OTHERS, ids=[b.strip().split('\n')[-1][:40] for b in OTHERS])
def test_readme_blocks_run(block, tmp_path, monkeypatch):
    if keras.backend.backend() == 'torch' and 'net.export(' in block:
        pytest.skip('Keras exports nothing right of PyTorch')
    monkeypatch.chdir(tmp_path)
    exec(compile(block, 'README.md', 'exec'), {})


def test_readme_quick_starts_do_what_they_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    classifier, recurrent = STARTS
    exec(compile(classifier, 'README.md', 'exec'), {})
    assert float(capsys.readouterr().out) > 0.94
    exec(compile(recurrent, 'README.md', 'exec'), {})
    assert 'not to be, that is the question; to be' in capsys.readouterr().out


def test_readme_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path('corpus.txt').write_text('The end of the beginning. ' * 200, encoding='utf-8')
    rows = [f'{n},{"odd" if n % 2 else "even"},{n % 2}' for n in range(60)]
    pathlib.Path('data.csv').write_text('\n'.join(['number,kind,rest', *rows]), encoding='utf-8')
    pickle = TESTS / 'pickles' / '0.7.3-rec_lstm.theanets.pkl.gz'
    pathlib.Path('old.pkl.gz').write_bytes(pickle.read_bytes())
    lines = [
        line
        for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith('kerasnets ')
    ]
    assert len(lines) == 5
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    predicted = pathlib.Path('predicted.csv').read_text().splitlines()
    assert np.mean([row.split(',')[1] == row.split(',')[3] for row in predicted[1:]]) > 0.9
    assert keras.saving.load_model('model.keras') is not None


def test_readme_names_every_keyword_of_training():
    import inspect

    for name in inspect.signature(kerasnets.Network.itertrain).parameters:
        if name not in ('self', 'train', 'options'):
            assert f'`{name}`' in README, name


def test_every_public_thing_has_a_docstring():
    for name in MODULES:
        module = importlib.import_module(name)
        assert module.__doc__, name
        for key, value in vars(module).items():
            if not key.startswith('_') and getattr(value, '__module__', None) == name:
                assert value.__doc__, f'{name}.{key}'
    for cls in (kerasnets.Classifier, kerasnets.recurrent.Classifier, kerasnets.recurrent.Text):
        for key in dir(cls):
            if not key.startswith('_') and callable(getattr(cls, key)):
                assert getattr(cls, key).__doc__, key
