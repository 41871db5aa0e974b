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
    files/ training/ sampling/
    graph/ data/
    layers/
    language/
    losses regularizers optimizers monitors callbacks activations initializers vocabularies text
    loss_functions
    errors typing backend devices deprecated
"""
ROWS = [line.replace('/', '').split() for line in PICTURE.strip().splitlines()]
PLACE = {
    name: (-row, column) for row, names in enumerate(ROWS) for column, name in enumerate(names)
}
FILES = sorted(path for path in ROOT.rglob('*.py') if path.name != '__main__.py')

#: Lines that a file and a function may have; the docstring of a function does not count.
FILE, FUNCTION = 400, 40

#: Modules that a folder may hold.
FOLDER = 15


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


def test_files_functions_and_folders_are_short():
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert len(path.read_text().splitlines()) <= FILE, path
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert _length(node) <= FUNCTION, f'{path}: {node.name}, {_length(node)} lines'
    for folder in {path.parent for path in FILES} - {ROOT}:
        assert len(list(folder.glob('*.py'))) <= FOLDER, folder


def _length(node):
    """Lines of a function without its signature and its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_no_private_keras():
    for path in FILES:
        assert 'keras.src' not in path.read_text(), path
