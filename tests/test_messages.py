"""Every message of an error that the package raises ends in a remedy.

The messages are read from the source, so that a new one cannot be forgotten.
"""

import ast
import pathlib
import re

import pytest

import kerasnets

ROOT = pathlib.Path(kerasnets.__file__).parent

#: Classes of errors, and functions that make one from the first part of a message.
ERRORS = {
    'ConfigurationError',
    'DataError',
    'FileError',
    'ProcessError',
    'UnknownNameError',
    'UsageError',
    'error',
}

#: Verbs that begin a remedy.
VERBS = (
    'Add Ask Build Call Change Check Choose Close Convert Create Cut Decode Decorate Derive '
    'Download Drop Encode Export Fill Fix Give Import Install Join Keep Leave Make Move '
    'Lower Name Number Open Pad Pass Point Put Quote Remove Rename Reorder Resample Reshape '
    'Restart Restore Return Run Save Set Sort Split Start Swap Take Train Try Upgrade Use Write'
).split()

#: A sentence that begins with such a verb, perhaps after a condition.
REMEDY = re.compile(
    rf'(^|[.:;}}] )(({"|".join(VERBS)})\b|(If|For|To|Without|With) [^.]*, '
    rf'({"|".join(VERBS).lower()})\b)'
)

#: What a message may end with instead, and where its remedy is.
REMEDY_ELSEWHERE = {
    'Choose one of: ': 'the choices, or a remedy where there are none',
    '{cause}': 'an error of ours that is raised again with its own remedy',
    '{remedy}': 'a remedy chosen by the case, from the literals of that function',
    '{remedy or ': 'the same, or one that is written beside it',
    '{fault}': 'the reason why temporary files cannot be written, with its remedy',
    '{hint}': 'a remedy chosen by the case, from the literals of that function',
    '{self._hint(shape, array)}': 'a remedy chosen by the shape, from literals checked below',
    '{ENCODE if': 'one of two remedies in the module',
    '{RESTORE}': 'the remedy for damaged files, in files.atomic',
    '{OPEN_WITH_KERAS}': 'the remedy for refused files, in files.atomic',
    '{(words or {})[name]}': 'a remedy for a word of another library, from a table of such words',
}

#: Messages that are not written where they are raised -> where they are.
WRITTEN_ELSEWHERE = {
    ('cli/forecasts', "text.replace('Give a smaller horizon', 'Ask for fewer --steps')"): (
        'a message of the estimator, with the name of the option'
    ),
    ('data/tables', 'self.readings[name].wrong'): 'a message of `_as_known`, with its remedy',
}


def text_of(node):
    """Return a message as it is read, with {expression} for a value; None without a literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return ''.join(
            part.value if isinstance(part, ast.Constant) else f'{{{ast.unparse(part.value)}}}'
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        return (left or f'{{{ast.unparse(node.left)}}}') + (
            right or f'{{{ast.unparse(node.right)}}}'
        )
    return None


def messages():
    """Yield (module and line, module, message, expression) of each error in the package."""
    for path in sorted(ROOT.rglob('*.py')):
        module = path.relative_to(ROOT).with_suffix('').as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, 'id', getattr(node.func, 'attr', ''))
            if name in ERRORS and ast.unparse(node.func) not in ('log.error', 'logger.error'):
                message = node.args[0]
                if name == 'error' and text_of(message) is None:
                    continue  # a message that is raised again, or the error of a loss
                yield f'{module}:{node.lineno}', module, text_of(message), ast.unparse(message)


MESSAGES = {place: rest for place, *rest in messages()}


def has_remedy(text):
    return bool(REMEDY.search(text)) or any(part in text for part in REMEDY_ELSEWHERE)


def test_the_messages_are_found():
    assert len(MESSAGES) > 200


@pytest.mark.parametrize('place', MESSAGES)
def test_messages_have_a_remedy(place):
    module, text, expression = MESSAGES[place]
    if text is None:
        assert (module, expression) in WRITTEN_ELSEWHERE, f'no literal message: {expression}'
        return
    assert text[0] in "'{-" or text[0].islower(), text
    assert has_remedy(text), f'no sentence begins with an imperative verb: {text}'


#: A value in braces in a string that is not an f-string.
F_MISSING = re.compile(r'\{\w[^{}]*\}')


def test_messages_are_f_strings_where_they_hold_values():
    for path in sorted(ROOT.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                constants = [n.value for n in ast.walk(node.exc) if isinstance(n, ast.Constant)]
                assert not F_MISSING.findall(' '.join(map(str, constants))), (path, node.lineno)


@pytest.mark.parametrize('text', ['expected 3, got 4.', 'the file is damaged. It was fixed.'])
def test_a_message_without_a_remedy_is_noticed(text):
    assert not has_remedy(text)


def test_each_exception_is_needed():
    texts = [text for _, text, _ in MESSAGES.values() if text]
    unused = [part for part in REMEDY_ELSEWHERE if not any(part in text for text in texts)]
    assert not unused
    raised = {(module, expression) for module, _, expression in MESSAGES.values()}
    assert set(WRITTEN_ELSEWHERE) <= raised


def test_each_hint_about_a_shape_is_a_remedy():
    tree = ast.parse((ROOT / 'data' / 'array_spec.py').read_text(encoding='utf-8'))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    hints = [one for one in functions if one.name in ('_hint', '_labels_in')]
    assert len(hints) == 2
    nodes = [node for hint in hints for node in ast.walk(hint) if isinstance(node, ast.Return)]
    returned = [text for text in (text_of(node.value) for node in nodes) if text is not None]
    assert len(returned) > 8
    assert [text for text in returned if not has_remedy(text.strip())] == []


def test_messages_name_the_file_and_a_remedy(tmp_path):
    path = tmp_path / 'net.keras'
    path.write_bytes(b'not a model')
    with pytest.raises(kerasnets.FileError, match=r'net\.keras.*restore it from a backup'):
        kerasnets.load(path)


def test_an_error_of_a_library_gets_the_remedy(tmp_path, monkeypatch):
    from kerasnets.files import contents

    def fail(path):
        raise RuntimeError('Unable to read. The address is wrong')

    path = tmp_path / 'net.keras'
    kerasnets.Classifier([2, 3]).save(path)
    monkeypatch.setattr(contents, 'read', fail)
    with pytest.raises(kerasnets.FileError, match=r'address is wrong\. Restore it from a backup'):
        kerasnets.load(path)


def test_a_remedy_is_not_repeated(tmp_path):
    kerasnets.Classifier([2, 3]).save(tmp_path / 'net.weights.h5')
    with pytest.raises(kerasnets.FileError, match='Build the network') as caught:
        kerasnets.load(tmp_path / 'net.weights.h5')
    assert 'backup' not in str(caught.value)
