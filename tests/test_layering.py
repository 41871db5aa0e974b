"""The imports between our modules hold to the picture: down, or left in the same row."""

import ast
import pathlib

import kerasnets

ROWS = [
    'cli estimators plots theanets_pickle models experiment',
    'feedforward recurrent convolution',
    'network',
    'stack persistence views',
    'nodes builder interchange feeds monitors graphs objective data callbacks description '
    'saving exporting checkpoint util run pace training rates pretraining sampling showing',
    'layers losses regularizers curvature optimizers params guard',
    'activations initializers masks slots spec text table explaining contents theanets_records '
    'inspection',
    'typing registry errors compiled distribution inert files',
]
PLACE = {
    name: (-row, column)
    for row, names in enumerate(ROWS)
    for column, name in enumerate(names.split())
}
ROOT = pathlib.Path(kerasnets.__file__).parent


def imports(path):
    """Our modules that a file imports, by their first name under kerasnets."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('kerasnets'):
            parts = node.module.split('.')[1:]
            yield from parts[:1] or [alias.name for alias in node.names]


def test_imports_run_down_or_left():
    for path in ROOT.rglob('*.py'):
        name = path.relative_to(ROOT).parts[0].removesuffix('.py')
        if name in ('__init__', '__main__'):
            continue
        for other in imports(path):
            if other == name:
                continue
            ours, theirs = PLACE[name], PLACE[other]
            lower = theirs[0] < ours[0]
            left = theirs[0] == ours[0] and theirs[1] < ours[1]
            assert lower or left, f'{path.relative_to(ROOT)} imports {other}'


def test_no_file_is_long():
    for path in ROOT.rglob('*.py'):
        assert len(path.read_text().splitlines()) <= 400, path


def test_no_private_keras():
    for path in ROOT.rglob('*.py'):
        assert 'keras.src' not in path.read_text(), path
