"""What the labels of a text stand for: characters, words, or pieces of words.

Each vocabulary encodes a text as an array of labels and decodes labels as a text; `about` gives
it as plain data, which `from_dict` takes back.
"""

from __future__ import annotations

import collections
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasnets.errors import ConfigurationError, DataError, FileError, named, positive
from kerasnets.markup import html_table
from kerasnets.typing import Array

#: A word or a mark with the blank before it, or other white space: pieces make up the whole text.
WORD = re.compile(r' ?\w+| ?[^\w\s]|\s')

#: Words and pieces in a vocabulary, if nothing is said.
SIZE = {'word': 10_000, 'bpe': 1000}

#: Maximum number of labels that a notebook shows: the first and the last ones.
SHOWN = 20

#: Labels of the bytes alone, which any text is made of.
BYTES = 256

#: Number of code points of Unicode.
CODES = 0x110000

#: Characters of a long text that are encoded, decoded or counted at once, to bound the memory.
CHUNK = 2**20


class Vocabulary:
    """Base of the vocabularies: a notebook shows a table of the labels."""

    @property
    def names(self) -> list[str]:
        """What each label stands for, in order."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        rows = [[label, repr(name)] for label, name in enumerate(self.names)]
        return f'<div>{len(rows):,} labels</div>{html_table(["label", "stands for"], rows, SHOWN)}'


class Characters(Vocabulary):
    """Each character of an alphabet is a label of its own, and one stands for all others.

    Parameters
    ----------
    alpha : str
        Its characters have the labels 1, 2, …
    unknown : str
        The character for every one outside the alphabet. Its label is 0.

    Raises
    ------
    ConfigurationError
        If the unknown character is not one character, or is in the alphabet, or the alphabet
        is empty or has a character twice.
    """

    KIND = 'char'

    def __init__(self, alpha: str, unknown: str = '\0') -> None:
        check_unknown(unknown)
        if not len(codes(alpha)):
            raise ConfigurationError(
                f'the alphabet is empty. Leave out {named("alpha")} to take it from the text.'
            )
        if unknown in alpha:
            raise ConfigurationError(
                f'the unknown character {unknown!r} is in the alphabet. Choose one outside it.'
            )
        if len(set(alpha)) < len(alpha):
            raise ConfigurationError(
                f'the alphabet {alpha!r} has a character twice. Leave one out.'
            )
        self.alpha = alpha
        self.unknown = unknown
        self._codes = codes(unknown + alpha)
        self._labels = np.zeros(CODES, dtype='int32')  # code point -> label
        self._labels[self._codes] = np.arange(len(self._codes))

    @classmethod
    def of(cls, text: str, min_count: int, unknown: str, size: int | None) -> Characters:
        """Build an alphabet of the frequent characters, or of the `size` most frequent."""
        check_unknown(unknown)
        counts = np.zeros(CODES, dtype='int64')
        for part in _chunks(text):
            counts += np.bincount(codes(part), minlength=CODES)
        found = np.flatnonzero(counts)
        if size is not None:
            order = np.argsort(-counts[found], kind='stable')[: positive(size, 'size')]
            found = found[np.sort(order)]
        alpha = ''.join(map(chr, found[counts[found] >= min_count])).replace(unknown, '')
        if not alpha:
            raise ConfigurationError(
                f'no character occurs {min_count} times in a text of {len(text)}. '
                f'Set {named("alpha")}, or lower {named("min_count")}.'
            )
        return cls(alpha, unknown)

    @property
    def names(self) -> list[str]:
        """What each label stands for."""
        return [self.unknown, *self.alpha]

    @property
    def classes(self) -> int:
        """Number of labels."""
        return len(self._codes)

    @property
    def lengths(self) -> Array:
        """Characters that each label stands for."""
        return np.ones(self.classes, int)

    def encode(self, text: str) -> Array:
        """Return the labels of a text."""
        check_text(text)
        labels = np.empty(len(text), dtype='int32')
        for i, part in enumerate(_chunks(text)):
            labels[i * CHUNK : (i + 1) * CHUNK] = self._labels[codes(part)]
        return labels

    def decode(self, labels: Array) -> str:
        """Return the text of some labels."""
        parts = (self._codes[part].tobytes() for part in _chunks(labels))
        return ''.join(part.decode('utf-32-le', 'surrogatepass') for part in parts)

    def about(self) -> dict[str, Any]:
        """Return the vocabulary as plain data."""
        return {'alpha': self.alpha, 'unknown': self.unknown}


class Words(Vocabulary):
    """Each word, mark or blank is a label, words with the blank before them.

    Parameters
    ----------
    words : list of str
        They have the labels 1, 2, …
    unknown : str
        The character for every word that is not among them. Its label is 0.
    """

    KIND = 'word'

    def __init__(self, words: list[str], unknown: str = '\0') -> None:
        check_unknown(unknown)
        listed = isinstance(words, list) and bool(words)
        if not listed or not all(isinstance(word, str) and word for word in words):
            raise ConfigurationError(
                f'expected words, a list of str, got {words!r:.60}. Split the text into words.'
            )
        self.words = list(words)
        self.unknown = unknown
        self._labels = {word: i + 1 for i, word in enumerate(words)}

    @classmethod
    def of(cls, text: str, min_count: int, unknown: str, size: int | None) -> Words:
        """Build a vocabulary of the most frequent words of a text."""
        size = SIZE['word'] if size is None else positive(size, 'size')
        check_text(text)
        counts = collections.Counter(_words(text)).most_common(size)
        words = [word for word, count in counts if count >= min_count]
        if not words:
            raise ConfigurationError(
                f'no word occurs {min_count} times in a text of {len(text)}. '
                f'Lower {named("min_count")}.'
            )
        return cls(words, unknown)

    @property
    def names(self) -> list[str]:
        """What each label stands for."""
        return [self.unknown, *self.words]

    @property
    def classes(self) -> int:
        """Number of labels."""
        return len(self.words) + 1

    @property
    def lengths(self) -> Array:
        """Characters that each label stands for."""
        return np.array([1, *map(len, self.words)])

    def encode(self, text: str) -> Array:
        """Return the labels of a text."""
        check_text(text)
        return np.fromiter((self._labels.get(word, 0) for word in _words(text)), 'int32')

    def decode(self, labels: Array) -> str:
        """Return the text of some labels."""
        return ''.join([self.unknown, *self.words][label] for label in labels)

    def about(self) -> dict[str, Any]:
        """Return the vocabulary as plain data."""
        return {'words': self.words, 'unknown': self.unknown}


class Pieces(Vocabulary):
    """Byte pair encoding: what stands side by side most often becomes one label, again and again.

    It starts from bytes, so that every text has labels. The work is done by the package
    tokenizers: ``pip install 'kerasnets[tokens]'``.

    Parameters
    ----------
    pieces : list of str
        In the order of their labels, bytes written as GPT-2 writes them.
    merges : list of pairs of str
        What becomes one, in the order in which it does.

    R. Sennrich et al. (2016), "Neural machine translation of rare words with subword units", ACL;
    A. Radford et al. (2019), "Language models are unsupervised multitask learners".
    """

    KIND = 'bpe'

    def __init__(self, pieces: list[str], merges: list[Any]) -> None:
        self.pieces = list(pieces)
        self.merges = [tuple(pair) for pair in merges]
        tokenizers = _tokenizers()
        vocabulary = {piece: label for label, piece in enumerate(self.pieces)}
        try:
            model = tokenizers.models.BPE(vocab=vocabulary, merges=self.merges)
        except Exception as error:  # of a kind that the package does not name
            raise ConfigurationError(
                f'expected pieces and merges of byte pair encoding, got others: {error}. '
                'Use those of one trained tokenizer.'
            ) from None
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.pre_tokenizer = _bytes(tokenizers)
        self._tokenizer.decoder = tokenizers.decoders.ByteLevel()

    @classmethod
    def of(cls, text: str, min_count: int, unknown: str, size: int | None) -> Pieces:
        """Train a vocabulary of pieces on a text."""
        size = SIZE['bpe'] if size is None else positive(size, 'size')
        if size < BYTES:
            raise ConfigurationError(
                f'expected {named("size")} of {BYTES} or more for bpe, the number of bytes, got '
                f'{size}. Write for example 1000.'
            )
        tokenizers = _tokenizers()
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = _bytes(tokenizers)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=min_count,
            show_progress=False,
            initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        )
        tokenizer.train_from_iterator(_whole(text).splitlines(keepends=True), trainer)
        model = _json(tokenizer)
        vocabulary = model['vocab']
        return cls(sorted(vocabulary, key=vocabulary.get), model['merges'])

    @property
    def names(self) -> list[str]:
        """What each label stands for."""
        return self.pieces

    @property
    def classes(self) -> int:
        """Number of labels."""
        return len(self.pieces)

    @property
    def lengths(self) -> Array:
        """Characters that begin in each piece: bytes but those that go on with a character."""
        table = _byte_table()
        held = [[table[character] for character in piece] for piece in self.pieces]
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in held])

    def encode(self, text: str) -> Array:
        """Return the labels of a text."""
        return np.array(self._tokenizer.encode(_whole(text)).ids, 'int32')

    def decode(self, labels: Array) -> str:
        """Return the text of some labels."""
        found: str = self._tokenizer.decode([int(label) for label in labels])
        return found

    def about(self) -> dict[str, Any]:
        """Return the vocabulary as plain data."""
        return {'pieces': self.pieces, 'merges': [list(pair) for pair in self.merges]}


VOCABULARIES: dict[str, Any] = {kind.KIND: kind for kind in (Characters, Words, Pieces)}


def from_dict(about: Any) -> Any:
    """Build a vocabulary from the data that `about` returned, read from a file.

    Raises
    ------
    FileError
        For what `about` never gave.
    """
    fields = {k: v for k, v in about.items() if k not in ('tokens', 'end')}
    kind = about.get('tokens', 'char')
    if kind not in VOCABULARIES:
        raise FileError(
            f'expected tokens of {", ".join(VOCABULARIES)}, got {kind!r} in the file. '
            'Restore it from a backup.'
        )
    lists = [value for value in fields.values() if isinstance(value, list)]
    whole = all(isinstance(x, str) or _is_pair(x) for items in lists for x in items)
    if kind == Pieces.KIND:
        _tokenizers()  # that it is not installed is no fault of the file
    try:
        if not whole or not all(isinstance(v, (str, list)) for v in fields.values()):
            raise ValueError('values of another type')
        return VOCABULARIES[kind](**fields)
    except (ConfigurationError, DataError, TypeError, ValueError) as error:
        raise FileError(
            f'expected a vocabulary of {kind!r} in the file, got another: {error} '
            'Restore it from a backup.'
        ) from None


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


def check_text(text: object) -> None:
    """Raise DataError for anything but a str."""
    if not isinstance(text, str):
        raise DataError(f'expected a text as a str, got {type(text).__name__}. Decode it first.')


def _chunks(sequence: Any) -> Iterator[Any]:
    """Cut a text or an array of labels into consecutive parts of CHUNK items."""
    for start in range(0, len(sequence), CHUNK):
        yield sequence[start : start + CHUNK]


def _words(text: str) -> Iterator[str]:
    """Return the words, marks and blanks of a text one after the other."""
    return (match.group() for match in WORD.finditer(text))


def codes(text: str) -> Array:
    """Return the Unicode code points of a text, as an array."""
    check_text(text)
    return np.frombuffer(text.encode('utf-32-le', 'surrogatepass'), dtype='<u4')


def check_unknown(unknown: str) -> None:
    """Raise ConfigurationError for anything but one character."""
    if len(codes(unknown)) != 1:
        raise ConfigurationError(
            f"expected unknown as one character, got {unknown!r}. Write for example unknown='?'."
        )


def _whole(text: str) -> str:
    """Return the text; raise DataError if UTF-8 cannot hold it."""
    check_text(text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f'expected a text of whole characters, got half of one: {error}. Remove that character.'
        ) from None
    return text


def _tokenizers() -> Any:
    try:
        return importlib.import_module('tokenizers')
    except ModuleNotFoundError:
        raise ConfigurationError(
            "tokens='bpe' needs the package tokenizers, and there is none. "
            "Install it: pip install 'kerasnets[tokens]'."
        ) from None


def _bytes(tokenizers: Any) -> Any:
    return tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)


def _json(tokenizer: Any) -> Any:
    """Return a tokenizer's model as its package writes it: its vocabulary and merges."""
    model = json.loads(tokenizer.to_str())['model']
    merges = [pair.split(' ') if isinstance(pair, str) else pair for pair in model['merges']]
    return {'vocab': model['vocab'], 'merges': merges}


def _byte_table() -> dict[str, int]:
    """Return character -> byte: printable bytes as themselves, the rest from 256 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in plain}
    rest = [byte for byte in range(BYTES) if byte not in plain]
    return table | {chr(BYTES + i): byte for i, byte in enumerate(rest)}
