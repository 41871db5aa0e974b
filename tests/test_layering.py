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
    plots compat/ estimators/ cli/
    feedforward recurrent convolution
    network
    files/ training/ sampling/ forecasting/
    programs/
    graph/ data/
    layers/
    language/
    losses regularizers optimizers monitors callbacks activations initializers vocabularies text
    loss_functions
    typing errors keras_facts backend devices spellings compilation markup terminal quiet
"""
ROWS = [line.replace('/', '').split() for line in PICTURE.strip().splitlines()]
PLACE = {
    name: (-row, column) for row, names in enumerate(ROWS) for column, name in enumerate(names)
}
FILES = sorted(path for path in ROOT.rglob('*.py') if path.name not in ('__main__.py',))

#: Imports from above that only draw a picture, when a user asks for it.
ON_REQUEST = {('data/history.py', 'plots'), ('training/rate_search.py', 'plots')}

#: Calls that import a module by its name.
IMPORTERS = ('import_module', '__import__')


def dotted(node, names):
    """The module of ours that an expression names, as far as it is known; None for others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):  # up to the first field
        text = ''
        for part in node.values:
            if not isinstance(part, ast.Constant):
                break
            text += part.value
        return text
    return '?' if not isinstance(node, ast.Name) or node.id not in names else names[node.id]


def imports(path):
    """(line, first name under kerasnets) of what a file imports, by a statement or a call.

    `TYPE_CHECKING` and functions make no difference: a type from above is a cycle too. A module
    whose name is computed counts as '?'.
    """
    tree = ast.parse(path.read_text())
    names = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f'{path}:{node.lineno} imports relatively'
            if (node.module or '').split('.')[0] == 'kerasnets':
                parts = node.module.split('.')[1:]
                for name in parts[:1] or [alias.name for alias in node.names]:
                    yield node.lineno, name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith('kerasnets.'):
                    yield node.lineno, alias.name.split('.')[1]
        elif isinstance(node, ast.Call):
            function = getattr(node.func, 'attr', getattr(node.func, 'id', None))
            if function in IMPORTERS:
                module = dotted(node.args[0], names)
                if module.startswith('kerasnets'):
                    yield node.lineno, module.split('.')[1] or '?'
                elif not module or module == '?':
                    yield node.lineno, '?'


def place(path):
    return path.relative_to(ROOT).parts[0].removesuffix('.py')


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_down_or_left(path):
    name = place(path)
    if name == '__init__':
        pytest.skip('the package imports its names when they are first used')
    for line, other in imports(path):
        where = f'{path.relative_to(ROOT)}:{line} imports {other}'
        if other == name or (str(path.relative_to(ROOT)), other) in ON_REQUEST:
            continue
        if other == '?':
            assert name == 'compat', f'{where}: a computed name may be any module'
            continue
        if other == '__version__':
            continue
        ours, theirs = PLACE[name], PLACE[other]
        left = theirs[0] == ours[0] and theirs[1] < ours[1]
        assert theirs[0] < ours[0] or left, where


def test_the_core_does_not_import_compat():
    for path in FILES:
        if place(path) not in ('__init__', 'compat'):
            assert 'compat' not in {name for _, name in imports(path)}, path


def test_dynamic_imports_and_types_count(tmp_path):
    """The test above sees what it is there for."""
    file = tmp_path / 'file.py'
    file.write_text(
        'from typing import TYPE_CHECKING\n'
        'NAME = "kerasnets.cli.common"\n'
        'if TYPE_CHECKING:\n    from kerasnets.network import Network\n'
        'def f(name):\n'
        '    importlib.import_module(f"kerasnets.training.{name}")\n'
        '    __import__("kerasnets.plots")\n'
        '    importlib.import_module(f"kerasnets.{name}")\n'
        '    importlib.import_module(name)\n'
        '    importlib.import_module(NAME)\n'
        '    import kerasnets.files.atomic\n'
    )
    found = [name for _, name in sorted(imports(file))]
    assert found == ['network', 'training', 'plots', '?', '?', 'cli', 'files']


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_object_of_a_class_from_above_is_made_from_another(path):
    """``type(models)(...)`` makes an object of a class that its module does not import.

    It may stand where the class is the file's own, Keras' or the caller's: for `self` and `cls`,
    and for what Keras configures.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Call)):
            continue
        inner = node.func
        if getattr(inner.func, 'id', None) == 'type' and len(inner.args) == 1:
            of = ast.unparse(inner.args[0])
            assert of in ('self', 'value', 'entry'), f'{path.name}:{node.lineno} type({of})(...)'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_attribute_or_argument_hides_a_class_of_ours_behind_any(path):
    """An argument called `models` or `data_spec`, say, has that class as its type, not Any."""
    hidden = {'models': 'Models', 'data_spec': 'DataSpec', 'programs': 'Programs'}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign):
            name, annotation = ast.unparse(node.target).removeprefix('self.'), node.annotation
        else:
            continue
        if name in hidden and isinstance(annotation, ast.Name):
            assert annotation.id != 'Any', f'{path.name}:{node.lineno} {name}: Any'


def test_the_picture_is_in_the_design_page():
    page = PAGE.read_text()
    for line in PICTURE.strip().splitlines():
        drawn = ' '.join(line.split())
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
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [getattr(node, 'module', None) or '', *(a.name for a in node.names)]
                private = [n for n in names if n.startswith(('keras.src', 'tensorflow.python'))]
                assert not private, f'{path}: {private}'
