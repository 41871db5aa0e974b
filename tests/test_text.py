import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnets.errors import ConfigurationError, DataError
from kerasnets.recurrent import Text, batches


def test_alphabet():
    text = Text('abracadabra!', min_count=2)
    assert text.alpha == 'abr'
    assert text.text == 'abra\0a\0abra\0'
    assert text.encode('bad') == [2, 1, 0]
    assert text.decode([2, 1, 0]) == 'ba\0'
    assert text.classes == 4
    np.testing.assert_array_equal(text.labels, text.encode('abracadabra!'))


def test_given_alphabet_and_unknown():
    text = Text('hello', alpha='leh', unknown='?')
    assert text.text == 'hell?'
    assert text.encode('ole') == [0, 1, 2]
    assert Text('', alpha='ab').labels.shape == (0,)


@given(st.text(min_size=1).filter(lambda t: '\0' not in t))
def test_any_unicode_is_restored(string):
    text = Text(string, min_count=1)
    assert text.decode(text.encode(string)) == string == text.text


def test_astral_characters_and_lone_surrogates():
    string = '𝄞😀é\ud800'
    text = Text(string, min_count=1)
    assert text.decode(text.labels) == string
    assert sorted(text.labels) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ('kwargs', 'error', 'says'),
    [
        (dict(text=''), ConfigurationError, 'no character occurs 2 times in a text of 0'),
        (dict(text='abc'), ConfigurationError, 'lower min_count'),
        (dict(text='abc', alpha=''), ConfigurationError, 'alphabet is empty'),
        (dict(text='abc', alpha='ab?', unknown='?'), ConfigurationError, 'in the alphabet'),
        (dict(text='abc', alpha='aba'), ConfigurationError, 'twice'),
        (dict(text='abc', alpha='ab', unknown='xy'), ConfigurationError, 'one character'),
        (dict(text=b'abc'), DataError, 'as a str, got bytes'),
        (dict(text='abc', alpha=['a']), DataError, 'as a str, got list'),
        (dict(text='abcabc', min_count='x'), ConfigurationError, 'min_count as an int'),
    ],
)
def test_invalid_arguments(kwargs, error, says):
    with pytest.raises(error, match=says):
        Text(**kwargs)


def test_decoding_invalid_labels():
    for labels in ([3], [-1], [0, 9]):
        with pytest.raises(DataError, match='labels of 0 to 2'):
            Text('ab', alpha='ab').decode(labels)
    for labels in ('ab', [0.5], 3, [[1]]):
        with pytest.raises(DataError, match='a list of int'):
            Text('ab', alpha='ab').decode(labels)
    assert Text('ab', alpha='ab').decode([]) == ''


def test_classifier_batches_are_windows_of_the_text():
    text = Text('abcdefghij' * 20, min_count=1)
    x, y = text.classifier_batches(7, 5, rng=1)()
    assert x.shape == y.shape == (5, 7)
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    for row in x:
        assert text.decode(row) in text.text
    again = text.classifier_batches(7, 5, rng=1)()
    np.testing.assert_array_equal(again[0], x)


def test_every_window_can_be_drawn():
    text = Text('abcdef', min_count=1)
    draw = text.classifier_batches(4, 50, rng=1)
    assert {text.decode(row) for row in draw()[0]} == {'abcd', 'bcde'}
    assert {text.decode(row) for row in text.classifier_batches(5, 2)()[0]} == {'abcde'}
    with pytest.raises(DataError, match='at least 7 time steps, got 6'):
        text.classifier_batches(6, 2)


def test_batches_cut_all_arrays_at_the_same_places(rng):
    a, b = rng.normal(size=(30, 3)), np.arange(30)
    x, y = batches([a, b], steps=4, batch_size=6, rng=2)()
    assert x.shape == (6, 4, 3)
    np.testing.assert_array_equal(x, a[y])


@pytest.mark.parametrize(
    ('kwargs', 'error'),
    [
        (dict(arrays=[np.zeros(5)], steps=6), DataError),
        (dict(arrays=[np.zeros(9), np.zeros(8)], steps=6), DataError),
        (dict(arrays=np.zeros(9), steps=6), DataError),
        (dict(arrays=[np.zeros(9)], steps=0), ConfigurationError),
        (dict(arrays=[np.zeros(9)], steps=3, batch_size=0), ConfigurationError),
        (dict(arrays=[np.zeros(9)], steps=3, rng='x'), ConfigurationError),
    ],
)
def test_invalid_batches(kwargs, error):
    with pytest.raises(error):
        batches(**kwargs)


def test_a_long_text_takes_few_bytes_a_character():
    Text('aabb')  # so that imports and tables of Unicode do not count
    written = 'the quick brown fox jumps over the lazy dog; ' * 200_000
    for tokens in 'char', 'word':
        tracemalloc.start()
        text = Text(written, tokens=tokens)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak / len(written) <= 10
        assert len(text.labels) >= 10 * 200_000


def test_long_texts_are_encoded_as_short_ones(monkeypatch):
    monkeypatch.setattr('kerasnets.vocabularies.CHUNK', 3)
    written = 'né\ud83d\x00 𝄞to be or né'
    text = Text(written, min_count=2, unknown='?')
    alphabet = ''.join(sorted(c for c in set(written) if written.count(c) >= 2))
    assert text.alpha == alphabet
    assert text.labels.tolist() == [alphabet.find(c) + 1 for c in written]
    assert text.text == ''.join(c if c in alphabet else '?' for c in written)
