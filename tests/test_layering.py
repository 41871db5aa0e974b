"""The imports between our modules hold to the picture in docs/design.md: down, or left in a row."""

import ast
import pathlib

import paths
import pytest

import kerasnets

ROOT = pathlib.Path(kerasnets.__file__).parent
PAGE = paths.ROOT / 'docs/design.md'

#: What `docs/design.md` draws, a floor a line; folders end with a slash.
PICTURE = """
    cli/ estimators/ plots
    models experiment util spec persistence
    feedforward recurrent convolution
    network
    files/ training/ sampling/ forecasting/
    programs/
    graph/ data/
    layers/
    language/
    losses regularizers optimizers monitors callbacks activations initializers vocabularies text
    loss_functions
    errors typing keras_facts backend devices deprecated
"""
ROWS = [line.replace('/', '').split() for line in PICTURE.strip().splitlines()]
PLACE = {
    name: (-row, column) for row, names in enumerate(ROWS) for column, name in enumerate(names)
}
FILES = sorted(path for path in ROOT.rglob('*.py') if path.name != '__main__.py')


def imports(path):
    """The rooms and modules of ours that a file imports, by their first name under kerasnets."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('kerasnets'):
            parts = node.module.split('.')[1:]
            yield from parts[:1] or [alias.name for alias in node.names]


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_down_or_left(path):
    name = path.relative_to(ROOT).parts[0].removesuffix('.py')
    if name == '__init__':
        pytest.skip('the package imports its names when they are first used')
    for other in set(imports(path)) - {name}:
        ours, theirs = PLACE[name], PLACE[other]
        left = theirs[0] == ours[0] and theirs[1] < ours[1]
        assert theirs[0] < ours[0] or left, f'{path.relative_to(ROOT)} imports {other}'


def test_the_picture_is_in_the_design_page():
    page = PAGE.read_text()
    for line in PICTURE.strip().splitlines():
        drawn = '  '.join(line.split())
        assert drawn in page, drawn


def test_every_room_and_module_is_in_the_picture():
    there = {p.name.removesuffix('.py') for p in ROOT.iterdir() if p.suffix == '.py' or p.is_dir()}
    assert there - {'__init__', '__main__', '__pycache__'} == set(PLACE)


def test_private_parts_of_keras_and_tensorflow_stand_in_one_module():
    """Nothing else imports them; `tests/test_keras_facts.py` tests each."""
    for path in FILES:
        if path.name == 'keras_facts.py':
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [
                getattr(node, 'module', None) or '',
                *(a.name for a in getattr(node, 'names', [])),
            ]
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                private = [n for n in names if n.startswith(('keras.src', 'tensorflow.python'))]
                assert not private, f'{path}: {private}'
