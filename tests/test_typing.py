"""The public names have types, and a type checker finds them."""

import dataclasses
import importlib.metadata
import pathlib

import pytest
from fresh import bare
from paths import ROOT

import kerasnets
from kerasnets import optimizers, regularizers
from kerasnets.training import settings


@pytest.mark.slow  # `tox -e lint` runs mypy too
def test_mypy_finds_no_fault_in_ours_nor_in_a_users_but_where_there_are_some(monkeypatch, tmp_path):
    api = pytest.importorskip('mypy.api')
    monkeypatch.chdir(ROOT)
    cache = ['--cache-dir', str(tmp_path / 'cache')]
    out, err, code = api.run(cache)
    assert code == 0, out + err
    wrong = tmp_path / 'wrong.py'
    wrong.write_text('import kerasnets\nkerasnets.load(3)\nkerasnets.Clasifier([1, 2])\n')
    out, _, code = api.run([*cache, str(wrong)])
    assert code == 1
    assert 'Argument 1 to "load"' in out
    assert 'has no attribute "Clasifier"' in out


def test_the_marker_of_types_is_installed():
    assert (pathlib.Path(kerasnets.__file__).parent / 'py.typed').exists()
    assert "'py.typed'" in (ROOT / 'setup.py').read_text()


def test_the_lazy_names_are_those_that_a_checker_sees():
    assert set(kerasnets.__all__) == {*kerasnets._NAMES, *kerasnets._MODULES}
    for name in kerasnets.__all__:
        assert getattr(kerasnets, name) is not None
    with pytest.raises(AttributeError, match='Clasifier'):
        kerasnets.Clasifier  # noqa: B018
    assert importlib.metadata.version('kerasnets') == kerasnets.__version__


def test_keras_is_imported_only_when_needed():
    command = 'import sys, kerasnets; print({"keras", "tensorflow", "jax"} & set(sys.modules))'
    assert bare(command) == 'set()\n'


def test_the_typed_keywords_are_those_of_training():
    typed = set(settings.Keywords.__annotations__)
    course = {field.name for field in dataclasses.fields(settings.Settings)}
    penalties = set(regularizers.names()) - set(regularizers.ALIASES)
    ours = {name for algo in optimizers.ALGORITHMS for name in optimizers.keywords(algo)}
    assert {*course, *settings.PARTS, *penalties, *ours} <= typed
