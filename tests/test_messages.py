"""Every message of an error that the package raises: it says what came, and what to do.

The messages are read from the source, so that a new one cannot be forgotten.
"""

import ast
import pathlib
import re

import pytest

import kerasnets

ROOT = pathlib.Path(kerasnets.__file__).parent
ERRORS = {'ConfigurationError', 'DataError', 'FileError', 'ProcessError', 'UsageError', 'error'}

#: Modules whose messages `atomic.reading` completes with the file and what to do.
OF_FILES = ('files/', 'data/columns', 'initializers')

#: Words that tell what to do, at the start of a sentence or after a colon; or what there is.
REMEDIES = re.compile(
    r'\bexpected\b|(Known|There are|It has|With parameters there are):|pip install|'
    r'(^|[.:;,}] )(Add|Ask|Build|Call|Choose|Close|Decode|Download|Drop|Find|Fix|Give|'
    r'If it is|If this is|Keep|Leave|Make|Name|Open|Pass|Put|Restart|Restore|Save|Say|Set|Start|'
    r'Take|Train|Try|Upgrade|Use|Write)\b'
)


#: What is put in, where no f says that it is to be.
F_MISSING = re.compile(r'\{\w[^{}]*\}')


def constants(node):
    """All that a message says as it stands."""
    return ' '.join(str(n.value) for n in ast.walk(node) if isinstance(n, ast.Constant))


def text_of(node):
    """A message as it is read, with {} where something is put in; None if it is not said here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return ''.join(
            part.value if isinstance(part, ast.Constant) else f'{{{ast.unparse(part.value)}}}'
            for part in node.values
        )
    if isinstance(node, ast.BinOp):
        left, right = text_of(node.left), text_of(node.right)
        return None if left is None else left + (right or '{}')
    return None


def messages():
    """(module and line, message) of each error that is made anywhere in the package."""
    for path in sorted(ROOT.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, 'id', getattr(node.func, 'attr', ''))
            if name not in ERRORS:
                continue
            assert not (missing := F_MISSING.findall(constants(node.args[0]))), missing
            text = text_of(node.args[0])
            if text is not None and not text.startswith('--'):
                module = path.relative_to(ROOT).with_suffix('')
                yield f'{module}:{node.lineno}', (text, name == 'FileError')


MESSAGES = dict(messages())


def test_the_messages_are_found():
    assert len(MESSAGES) > 200


@pytest.mark.parametrize('place', MESSAGES)
def test_messages_say_what_is_wrong_and_what_to_do(place):
    text, of_file = MESSAGES[place]
    wrapped = (of_file and place.startswith(OF_FILES)) or re.search(r'\{[^}]*\bcause\b', text)
    assert text[0] in "'{" or text[0].islower(), text
    if not wrapped:
        assert REMEDIES.search(text), f'what to do? {text}'
        assert '{' in text or NOTHING_CAME.search(text), f'what came? {text}'


#: Where what came is nothing, or is named by the layer's place and entry before it.
NOTHING_CAME = re.compile(
    r'\bno\b|\bnone\b|\bNone\b|\bonly\b|\bis empty\b|\bis zero\b|\b0\b|\bit\b|\bgot\b'
)


def test_messages_name_the_file_and_a_remedy(tmp_path):
    path = tmp_path / 'net.keras'
    path.write_bytes(b'not a model')
    with pytest.raises(kerasnets.FileError, match=r'net\.keras.*Restore it from a backup'):
        kerasnets.load(path)


def test_a_remedy_is_not_repeated(tmp_path):
    kerasnets.Classifier([2, 3]).save(tmp_path / 'net.weights.h5')
    with pytest.raises(kerasnets.FileError, match='Build the network') as caught:
        kerasnets.load(tmp_path / 'net.weights.h5')
    assert 'backup' not in str(caught.value)
