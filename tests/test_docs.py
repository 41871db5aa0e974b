"""The examples of docstrings and of the README run."""

import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re
import subprocess
import sys

import demo
import keras
import numpy as np
import paths
import pytest

import kerasnets
from kerasnets.language import registry

ROOT = pathlib.Path(kerasnets.__file__).parent
MODULES = ['kerasnets', *(m.name for m in pkgutil.walk_packages([str(ROOT)], 'kerasnets.'))]
README = (paths.ROOT / 'README.md').read_text(encoding='utf-8')
REFERENCE = (paths.ROOT / 'docs/reference.md').read_text(encoding='utf-8')

#: Code of the README with the output that it says the code prints.
EXAMPLES = re.findall(r'```python\n((?:(?!```).)*)```\s+```\n(.*?)```', README, re.DOTALL)


@pytest.mark.parametrize('name', MODULES)
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    names = {'np': np, 'keras': keras, 'kerasnets': kerasnets}
    assert doctest.testmod(module, extraglobs=names).failed == 0


@pytest.mark.parametrize(('code', 'output'), EXAMPLES, ids=['text', 'classifier'])
def test_readme_examples_print_what_it_says(code, output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, 'README.md', 'exec'), {})
    printed = capsys.readouterr().out
    if keras.backend.backend() != 'tensorflow':  # decimals differ by rounding among backends
        printed, output = (re.sub(r'\d\.\d+', '#', text) for text in (printed, output))
    assert printed == output


def test_the_readme_is_short_and_all_its_code_is_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(README.splitlines()) <= 190
    blocks = re.findall(r'```python\n(.*?)```', README, re.DOTALL)
    (plain,) = set(blocks) - {code for code, _ in EXAMPLES}  # the same network in Keras
    if keras.backend.backend() != 'torch':  # Keras on PyTorch gives numpy no tensors with gradients
        names = {}
        exec(compile(plain.replace('range(60)', 'range(3)'), 'README.md', 'exec'), names)
        assert len(capsys.readouterr().out) == 4
        n = names['n']
        net = kerasnets.recurrent.Classifier([n, (40, 'lstm'), n])
        shapes = [weight.shape for weight in names['model'].weights]
        assert shapes == [weight.shape for weight in net.model.weights]


def test_links_outside_of_the_repository_are_absolute(tmp_path):
    for name in ('setup.py', 'README.md', 'kerasnets/__init__.py'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((paths.ROOT / name).read_bytes())

    def targets():
        command = [sys.executable, 'setup.py', '--long-description']
        text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return re.findall(r'\]\(([^)]+)\)', text.stdout)

    assert all(target.startswith('https://') for target in targets())  # not from a clone
    subprocess.run(['git', 'init', '-q'], cwd=tmp_path, check=True)
    address = 'git@example.org:owner/name.git'
    subprocess.run(['git', 'remote', 'add', 'origin', address], cwd=tmp_path, check=True)
    found = targets()
    assert 'https://example.org/owner/name/blob/HEAD/docs/growth.md' in found
    assert 'https://example.org/owner/name/raw/HEAD/docs/images/overview.png' in found
    assert all(target.startswith('https://') for target in found)


def test_readme_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo.write_files(tmp_path)
    lines = [
        line
        for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith('kerasnets ')
    ]
    assert len(lines) == 6
    demo.run_commands(lines)
    predicted = pathlib.Path('predicted.csv').read_text().splitlines()
    assert np.mean([row.split(',')[1] == row.split(',')[3] for row in predicted[1:]]) > 0.9
    keras.saving.load_model('model.keras')


def test_the_reference_has_every_keyword_of_training():
    for name in inspect.signature(kerasnets.Network.itertrain).parameters:
        if name not in ('self', 'train', 'options'):
            assert f'`{name}`' in REFERENCE, name


def test_the_reference_has_every_form():
    for form in registry.FORMS:
        assert f'`{form}`' in REFERENCE, form
