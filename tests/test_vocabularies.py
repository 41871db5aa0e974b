"""Words, pieces of words, documents; what they cost in bits."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnets
from kerasnets.errors import ConfigurationError, DataError, FileError
from kerasnets.recurrent import Classifier, Text

CORPUS = 'the cat sat on the mat, and the dog sat on the log. ' * 30


def test_words_carry_the_blank_before_them():
    text = Text('to be, or not  to be\n' * 2, tokens='word')
    assert text.decode(text.labels) == 'to be, or not  to be\n' * 2
    words = text.vocabulary.words
    assert {' be', ',', ' or', ' not', ' ', ' to', 'to', '\n'} == set(words)
    assert text.classes == 9
    assert text.encode(' be') == [words.index(' be') + 1]
    assert text.decode(text.encode(' be question')) == ' be\0'
    np.testing.assert_array_equal(text.lengths, [1, *map(len, words)])
    few = Text('a b b c c c ' * 3, tokens='word', size=2)
    assert few.classes == 3
    assert ' c' in few.vocabulary.words


def test_pieces_are_what_stands_together_most_often():
    text = Text(CORPUS, tokens='bpe', size=300)
    assert text.classes <= 300
    assert text.unknown is None
    assert text.text == CORPUS
    assert len(text.labels) < len(CORPUS) / 3
    assert text.lengths[text.labels].sum() == len(CORPUS)
    first = text.vocabulary.merges[0]
    assert first in [('t', 'h'), ('h', 'e'), ('a', 't')]


@given(st.text())
def test_pieces_restore_any_unicode(string):
    text = Text.from_dict(PIECES)
    try:
        string.encode()
    except UnicodeEncodeError:
        with pytest.raises(DataError, match='half of one'):
            text.encode(string)
        return
    labels = text.encode(string)
    assert text.decode(labels) == string
    assert ''.join(text.stream(labels)) == string
    assert text.lengths[np.array(labels, int)].sum() == len(string)


PIECES = Text(CORPUS + 'ünïcödé 𝄞' * 3, tokens='bpe', size=320).about()


def test_documents_end_with_a_label_of_their_own():
    text = Text(['abab', 'ba'], min_count=1)
    assert text.end == 3
    assert text.classes == 4
    assert text.labels.tolist() == [1, 2, 1, 2, 3, 2, 1, 3]
    assert text.decode([1, 3, 2]) == 'ab'
    assert text.lengths.tolist() == [1, 1, 1, 0]
    learnt, held = text.split(0.25)
    assert learnt.labels.tolist() == [1, 2, 1, 2, 3, 2]
    assert held.text == 'a'
    assert text.like('ba').labels.tolist() == [2, 1]
    assert text.like(['ba']).labels.tolist() == [2, 1, 3]


@pytest.mark.parametrize('tokens', ['char', 'word', 'bpe'])
@pytest.mark.parametrize('documents', [False, True])
def test_a_vocabulary_lies_in_the_file_as_plain_data(tokens, documents, tmp_path):
    text = Text([CORPUS, CORPUS] if documents else CORPUS, tokens=tokens, size=300)
    net = Classifier([text.classes, (4, 'rnn'), text.classes], text=text)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras').text
    assert json.loads(json.dumps(text.about())) == again.about()
    assert (again.tokens, again.end, again.classes) == (tokens, text.end, text.classes)
    assert again.encode('the log') == text.encode('the log')
    assert again.decode(text.labels[:20]) == text.decode(text.labels[:20])
    assert len(again.labels) == 0


@pytest.mark.parametrize(
    'about',
    [
        {'tokens': 'wordpiece', 'pieces': []},
        {'tokens': 'word', 'words': [1, 2]},
        {'tokens': 'word', 'words': 'abc'},
        {'tokens': 'word', 'words': [], 'unknown': '\0'},
        {'tokens': 'bpe', 'pieces': ['a'], 'merges': [['a', 'b']]},
        {'tokens': 'bpe', 'pieces': ['a'], 'merges': ['ab']},
        {'tokens': 'bpe', 'pieces': {'a': 1}, 'merges': []},
        {'tokens': 'bpe', 'words': ['a']},
        {'alpha': 3, 'unknown': '\0'},
        {'alpha': 'aa', 'unknown': '\0'},
    ],
)
def test_vocabularies_of_a_file_that_are_none(about):
    with pytest.raises(FileError, match='expected'):
        Text.from_dict(about)


@pytest.mark.parametrize(
    ('kwargs', 'says'),
    [
        (dict(tokens='words'), "unknown tokens 'words'. Did you mean 'word'"),
        (dict(tokens='bpe', size=100), 'size of 256 or more for bpe.*got 100'),
        (dict(tokens='word', size=0), 'size as an int of 1 or more'),
        (dict(tokens='word', alpha='ab'), 'alpha is for tokens of char'),
        (dict(tokens='word', min_count=99), 'no word occurs 99 times'),
    ],
)
def test_wrong_tokens(kwargs, says):
    with pytest.raises(ConfigurationError, match=says):
        Text('the cat sat', **kwargs)


def test_pieces_need_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tokenizers', None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kerasnets\[tokens\]'"):
        Text(CORPUS, tokens='bpe')


def uniform(text):
    """A network that finds all labels equally probable."""
    net = Classifier([text.classes, (4, 'rnn'), text.classes], text=text)
    net.find('out', 'w').set_value(np.zeros((4, text.classes)))
    return net


@pytest.mark.parametrize('tokens', ['char', 'word', 'bpe'])
def test_bits_per_character(tokens):
    text = Text(CORPUS, tokens=tokens, size=290)
    net = uniform(text)
    per_label = math.log2(text.classes)
    x, y = text.sequences(10)
    want = per_label * y.size / text.lengths[y].sum()
    assert np.isclose(net.evaluate([x, y])['bits'], want, rtol=1e-5)
    found = net.score_text(text)
    rest = text.labels[1:]
    assert found['labels'] == len(rest)
    assert found['characters'] == text.lengths[rest].sum()
    assert np.isclose(found['bits'], per_label * len(rest) / found['characters'], rtol=1e-5)
    explained = net.explain_text(' the cat sat')
    assert ''.join(explained.pieces) == ' the cat sat'
    labels = text.encode(' the cat sat')
    want = per_label * (len(labels) - 1) / text.lengths[np.array(labels[1:])].sum()
    assert np.isclose(explained.bits, want, rtol=1e-5)
    assert 'bits' not in Classifier([4, (3, 'rnn'), 4]).evaluate([x[:2] % 4, y[:2] % 4])


def test_a_score_is_of_each_label_from_those_before_it():
    """A text longer than a window, of a network that remembers the last label alone."""
    text = Text('abcd' * 1000 + 'dcba' * 300, min_count=1)
    net = Classifier([text.classes, text.classes], text=text)
    net.find('out', 'w').set_value(np.random.default_rng(1).normal(size=(5, 5)))
    p = net.predict_proba(np.arange(5)[:, None])[:, 0]
    of_each = p[text.labels[:-1], text.labels[1:]]
    found = net.score_text(text)
    assert found['labels'] == len(text.labels) - 1
    assert np.isclose(found['bits'], -np.log2(of_each).mean(), rtol=1e-5)
    best = p.argmax(-1)[text.labels[:-1]] == text.labels[1:]
    assert np.isclose(found['acc'], best.mean())
    assert np.isclose(net.score_text('abc')['bits'], -np.log2([p[1, 2], p[2, 3]]).mean(), rtol=1e-5)
    with pytest.raises(DataError, match='two labels or more'):
        net.score_text('a')
    with pytest.raises(DataError, match='no alphabet'):
        Classifier([4, (3, 'rnn'), 4]).score_text('abc')
