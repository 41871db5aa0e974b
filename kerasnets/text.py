"""Text as sequences of class labels, and batches of sequences cut from long arrays."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnets.errors import ConfigurationError, DataError, named, positive, suggest
from kerasnets.initializers import generator
from kerasnets.markup import html_table
from kerasnets.typing import Array, Seed
from kerasnets.vocabularies import VOCABULARIES, Characters, check_text, from_dict

if TYPE_CHECKING:
    from kerasnets.typing import Data

#: Number of frequent labels, and of characters, that a notebook shows of a text.
COMMON, START = 10, 300

#: The labels of an empty text.
_NONE = np.zeros(0, 'int32')


def batches(
    arrays: Data,
    steps: int = 100,
    batch_size: int = 64,
    rng: Seed = None,
) -> Callable[[], list[Array]]:
    """Make a callable that cuts batches of sequences out of long arrays.

    Parameters
    ----------
    arrays : list of array (time-steps, variables) or (time-steps,)
        Rows are time steps. Several arrays, such as inputs, targets and weights, are cut at
        the same places.
    steps : int
        Length of the sequences.
    batch_size : int
        Sequences in a batch.
    rng : int or numpy random generator, optional
        Draws the places. Without it each callable draws others.

    Returns
    -------
    callable
        Returns a new list of arrays (batch_size, steps, …) each time it is called.

    Raises
    ------
    ConfigurationError, DataError
        For numbers under 1, and arrays that differ in length or are shorter than `steps`.

    >>> inputs, labels = np.eye(50, dtype='f'), np.arange(50)
    >>> x, y = batches([inputs, labels], steps=10, batch_size=4)()
    >>> x.shape, y.shape, bool((x.argmax(-1) == y).all())
    ((4, 10, 50), (4, 10), True)
    """
    steps, batch_size = positive(steps, 'steps'), positive(batch_size, 'batch_size')
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise DataError(f'expected a list of arrays, got {type(arrays).__name__}. Write [array].')
    arrays = [np.asarray(array) for array in arrays]
    lengths = sorted({array.shape[0] if array.ndim else 0 for array in arrays})
    if len(lengths) > 1:
        raise DataError(
            f'expected arrays with the same number of time steps, got {lengths}. '
            'Cut them to the shortest.'
        )
    if lengths[0] < steps:
        raise DataError(
            f'expected at least {steps} time steps, got {lengths[0]}. Lower {named("steps")}.'
        )
    rng = generator(rng)
    window = np.arange(steps)

    def sample() -> list[Array]:
        starts = rng.integers(lengths[0] - steps + 1, size=(batch_size, 1))
        return [array[starts + window] for array in arrays]

    return sample


class Text:
    r"""A text as a sequence of labels, one for each character, word, or piece of a word.

    Parameters
    ----------
    text : str or list of str
        Any Unicode. Of a list, each is a document, which ends with a label of its own.
    alpha : str, optional
        The alphabet. Default: the characters of the text that occur at least `min_count` times.
    min_count : int
        How often a character, a word or a pair of pieces must occur to get a label.
    unknown : str
        The character that stands for all that has no label, which is label 0. With 'bpe' there
        is none.
    tokens : {'char', 'word', 'bpe'}
        What a label stands for. 'bpe' is byte pair encoding, learnt from the text
        (``pip install 'kerasnets[tokens]'``).
    size : int, optional
        Labels of words or pieces, the most frequent ones. Default: 10,000 words, 1,000 pieces.

    Attributes
    ----------
    text : str
        The text, with `unknown` for all that has no label.
    labels : array of int
    alpha : str or None
        The alphabet, without `unknown`. Its characters have the labels 1, 2, …
    unknown : str or None
    tokens : str
    end : int or None
        The label at the end of a document, where there are several.

    Raises
    ------
    ConfigurationError
        If the unknown character is not one character, or is in the alphabet, or the alphabet
        is empty or has a character twice; for tokens of another kind.

    >>> text = Text('hello, world', min_count=2)
    >>> text.alpha, text.encode('hold'), text.decode([2, 0, 1])
    ('lo', [0, 2, 1, 0], 'o\x00l')
    >>> Text('to be or not to be', min_count=1, tokens='word').encode('to be')
    [2, 1]
    """

    def __init__(
        self,
        text: str | Sequence[str],
        alpha: str | None = None,
        min_count: int = 2,
        unknown: str = '\0',
        tokens: str = 'char',
        size: int | None = None,
    ) -> None:
        positive(min_count, 'min_count', least=0)
        if not isinstance(tokens, str) or tokens not in VOCABULARIES:
            raise ConfigurationError(
                f'unknown tokens {tokens!r}.{suggest(str(tokens), VOCABULARIES)} '
                f'Choose one of: {", ".join(VOCABULARIES)}.'
            )
        documents = list(text) if isinstance(text, (list, tuple)) else [text]
        if alpha is not None and tokens != 'char':
            raise ConfigurationError(
                f'{named("alpha")} is for tokens of char, got {tokens!r}. Leave it out.'
            )
        if alpha is not None:
            vocabulary = Characters(alpha, unknown)
        else:
            joined = documents[0] if len(documents) == 1 else ''.join(map(_text, documents))
            vocabulary = VOCABULARIES[tokens].of(joined, min_count, unknown, size)
        self._take(vocabulary, isinstance(text, (list, tuple)))
        self._read(text)

    def _take(self, vocabulary: Any, ends: bool) -> None:
        self.vocabulary = vocabulary
        self.tokens: str = vocabulary.KIND
        self.alpha: str | None = getattr(vocabulary, 'alpha', None)
        self.unknown: str | None = getattr(vocabulary, 'unknown', None)
        self.end: int | None = vocabulary.classes if ends else None

    def _read(self, text: str | Sequence[str]) -> None:
        documents = list(text) if isinstance(text, (list, tuple)) else [text]
        parts = [self.vocabulary.encode(part) for part in documents]
        if self.end is not None and not isinstance(text, str):
            parts = [np.append(part, np.int32(self.end)) for part in parts]
        self.labels: Array = parts[0] if len(parts) == 1 else np.concatenate([_NONE, *parts])
        del parts
        self.text: str = self.decode(self.labels)

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> Text:
        """Build an empty text with a vocabulary returned by `about`."""
        made = cls.__new__(cls)
        made._take(from_dict(about), bool(about.get('end')))
        made.labels, made.text = _NONE, ''
        return made

    def about(self) -> dict[str, Any]:
        """Return the vocabulary as plain data."""
        more = {} if self.tokens == 'char' else {'tokens': self.tokens}
        return {**self.vocabulary.about(), **more, **({'end': True} if self.end else {})}

    @property
    def classes(self) -> int:
        """Number of labels: of the vocabulary, with the unknown and the end of a document."""
        return int(self.vocabulary.classes) + (self.end is not None)

    @property
    def lengths(self) -> Array:
        """Characters that each label stands for, array (classes,); none for the end."""
        ends = [] if self.end is None else [0]
        return np.append(self.vocabulary.lengths, ends).astype(int)

    def encode(self, txt: str) -> list[int]:
        """Return the labels of a text, as a list of int: 0 for an unknown character or word."""
        found: list[int] = self.vocabulary.encode(txt).tolist()
        return found

    def decode(self, enc: Iterable[int]) -> str:
        """Return the text of a sequence of labels.

        Raises
        ------
        DataError
            For a label without a character.
        """
        whole = isinstance(enc, np.ndarray) or not hasattr(enc, '__iter__')
        labels = np.asarray(enc if whole else list(enc))
        if labels.ndim != 1 or (labels.size and labels.dtype.kind not in 'iu'):
            raise DataError(
                f'expected a list of int to decode, got {enc!r}. '
                'Pass labels, as encode() returns them.'
            )
        if labels.size and (labels.min() < 0 or labels.max() >= self.classes):
            wrong = labels[(labels < 0) | (labels >= self.classes)]
            raise DataError(
                f'expected labels of 0 to {self.classes - 1}, got {wrong[0]}. '
                'Remove it, or decode with the Text that encoded it.'
            )
        if not labels.size:
            labels = _NONE
        found: str = self.vocabulary.decode(
            labels if self.end is None else labels[labels != self.end]
        )
        return found

    def stream(self, labels: Iterable[int]) -> Iterator[str]:
        """Decode labels one at a time and yield the text that each adds.

        A character whose bytes are spread over several labels is yielded at the last of them.
        """
        held: list[int] = []
        for label in labels:
            held.append(label)
            piece = self.decode(held)
            if not piece.endswith('\ufffd') or len(held) > 4:
                yield piece
                held = []
        if held:
            yield self.decode(held)

    def classifier_batches(
        self, steps: int, batch_size: int, rng: Seed = None, one_hot: bool = False
    ) -> Callable[[], list[Array]]:
        """Make a callable that returns batches to train a `recurrent.Classifier`.

        Parameters
        ----------
        steps : int
            Characters in a sequence.
        batch_size : int
            Sequences in a batch.
        rng : int or numpy random generator, optional
        one_hot : bool
            Give inputs as one-hot rows (batch_size, steps, classes), as theanets did.

        Returns
        -------
        callable
            Returns [inputs, targets], both of labels (batch_size, steps): the targets are
            the inputs one character on.

        Raises
        ------
        DataError
            If the text is shorter than ``steps + 1``.
        """
        rows: Any = np.eye(self.classes, dtype='float32') if one_hot else None
        draw = batches([self.labels], positive(steps, 'steps') + 1, batch_size, rng)

        def batch() -> list[Array]:
            (labels,) = draw()
            inputs = labels[:, :-1]
            return [rows[inputs] if one_hot else inputs, labels[:, 1:]]

        return batch

    def split(self, fraction: float) -> tuple[Text, Text]:
        """Split into two Texts of this vocabulary; the second is the last `fraction` of labels."""
        at = round(len(self.labels) * (1 - fraction))
        parts = copy.copy(self), copy.copy(self)
        for part, some in zip(parts, (slice(at), slice(at, None))):
            part.labels = self.labels[some]
            part.text = self.decode(part.labels)
        return parts

    def like(self, text: str | Sequence[str]) -> Text:
        """Return another text, or several documents, with this vocabulary."""
        made = copy.copy(self)
        made._read(text)
        return made

    def sequences(self, steps: int) -> list[Array]:
        """Return the whole text in consecutive sequences: [inputs, targets], as in a batch.

        >>> inputs, targets = Text('abcabc', min_count=1).sequences(2)
        >>> inputs.tolist(), targets.tolist()
        ([[1, 2], [3, 1]], [[2, 3], [1, 2]])
        """
        count = (len(self.labels) - 1) // positive(steps, 'steps')
        if count < 1:
            raise DataError(
                f'expected more than {steps} labels, got {len(self.labels)}. '
                f'Lower {named("steps")}, or use a longer text.'
            )
        labels = self.labels[: count * steps + 1]
        return [part.reshape(count, steps).copy() for part in (labels[:-1], labels[1:])]

    def _repr_html_(self) -> str:
        names = [*self.vocabulary.names, *([] if self.end is None else ['end of a document'])]
        counts = np.bincount(self.labels, minlength=self.classes)
        common = np.argsort(-counts, kind='stable')[:COMMON]
        rows = [[label, repr(names[label]), f'{counts[label]:,}'] for label in common]
        about = f'{len(self.text):,} characters, {len(self.labels):,} labels of {self.classes:,}.'
        start = self.text[:START] + '…' * (len(self.text) > START)
        table = html_table(['label', 'stands for', 'count'], rows)
        return (
            f'<div>{about} It begins:</div><pre style="white-space:pre-wrap">{html.escape(start)}'
            f'</pre><div>The most frequent labels:</div>{table}'
        )

    def __repr__(self) -> str:
        """Return a short description."""
        return f'<Text of {len(self.text)} characters, {self.classes} classes>'


def _text(part: Any) -> str:
    check_text(part)
    return str(part)
