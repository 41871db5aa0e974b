"""Text as sequences of class labels, and batches of sequences cut from long arrays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from kerasnets import deprecated
from kerasnets.errors import ConfigurationError, DataError, positive
from kerasnets.initializers import generator
from kerasnets.typing import Array, Seed


def batches(
    arrays: Any,
    *sizes: Any,
    steps: int = 100,
    batch_size: int = 64,
    rng: Seed = None,
    labels: Any = None,
) -> Callable[[], list[Array]]:
    """Make a callable that cuts batches of sequences out of long arrays.

    Parameters
    ----------
    arrays : list of array (time-steps, variables) or (time-steps,)
        Rows are time steps. Several arrays, such as inputs, targets and weights, are cut at
        the same places.
    *sizes
        `steps`, `batch_size` and `rng`, which need not be named.
    steps : int
        Length of the sequences.
    batch_size : int
        Sequences in a batch.
    rng : int or numpy random generator, optional
        Draws the places. Without it each callable draws others.
    labels : array, optional
        Another array. (Former versions had samples and labels as the first two arguments.)

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
    if sizes and np.ndim(sizes[0]):
        labels, sizes = sizes[0], sizes[1:]
    how: list[Any] = [*sizes, *(steps, batch_size, rng)[len(sizes) :]]
    steps, batch_size, rng = how
    if labels is not None:
        deprecated.warn('batches(samples, labels)', 'write batches([samples, labels])')
        arrays = [*(arrays if isinstance(arrays, (list, tuple)) else [arrays]), labels]
    steps, batch_size = positive(steps, 'steps'), positive(batch_size, 'batch_size')
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise DataError(f'expected a list of arrays, got {type(arrays).__name__}. Write [array].')
    arrays = [np.asarray(array) for array in arrays]
    lengths = sorted({array.shape[0] if array.ndim else 0 for array in arrays})
    if len(lengths) > 1:
        raise DataError(f'expected arrays with the same number of time steps, got {lengths}.')
    if lengths[0] < steps:
        raise DataError(f'expected at least {steps} time steps, got {lengths[0]}. Use fewer steps.')
    rng = generator(rng)
    window = np.arange(steps)

    def sample() -> list[Array]:
        starts = rng.integers(lengths[0] - steps + 1, size=(batch_size, 1))
        return [array[starts + window] for array in arrays]

    return sample


class Text:
    """A text as a sequence of labels, one for each character.

    Parameters
    ----------
    text : str
        Any Unicode.
    alpha : str, optional
        The alphabet. Default: the characters of the text that occur at least `min_count` times.
    min_count : int
    unknown : str
        The character that stands for every one outside the alphabet. Its label is 0.

    Attributes
    ----------
    text : str
        The text, with `unknown` for all that is not in the alphabet.
    alpha : str
        The alphabet, without `unknown`. Its characters have the labels 1, 2, …
    unknown : str

    Raises
    ------
    ConfigurationError
        If the unknown character is not one character, or is in the alphabet, or the alphabet
        is empty or has a character twice.

    >>> text = Text('hello, world', min_count=2)
    >>> text.alpha, text.encode('hold'), text.decode([2, 0, 1])
    ('lo', [0, 2, 1, 0], 'o\\x00l')
    """

    def __init__(
        self, text: str, alpha: str | None = None, min_count: int = 2, unknown: str = '\0'
    ) -> None:
        if len(_codes(unknown)) != 1:
            raise ConfigurationError(f'expected unknown as one character, got {unknown!r}.')
        positive(min_count, 'min_count', least=0)
        if alpha is None:
            codes, counts = np.unique(_codes(text), return_counts=True)
            alpha = ''.join(map(chr, codes[counts >= min_count])).replace(unknown, '')
            if not alpha:
                raise ConfigurationError(
                    f'no character occurs {min_count} times in a text of {len(text)}. '
                    'Give an alphabet with alpha=, or a lower min_count.'
                )
        if not len(_codes(alpha)):
            raise ConfigurationError('the alphabet is empty. Leave out alpha to take it from text.')
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
        self._codes = _codes(unknown + alpha)
        self._labels = np.zeros(0x110000, dtype='int32')  # code point -> label
        self._labels[self._codes] = np.arange(len(self._codes))
        self.labels = self._labels[_codes(text)]
        self.text = self.decode(self.labels)

    @property
    def classes(self) -> int:
        """Number of labels: the alphabet and the unknown character."""
        return len(self._codes)

    def encode(self, txt: str) -> list[int]:
        """Labels of a text, as a list of int: 0 for a character outside the alphabet."""
        return self._labels[_codes(txt)].tolist()

    def decode(self, enc: Iterable[int]) -> str:
        """The text of a sequence of labels.

        Raises
        ------
        DataError
            For a label without a character.
        """
        labels = np.asarray(list(enc) if hasattr(enc, '__iter__') else enc)
        if labels.ndim != 1 or (labels.size and labels.dtype.kind not in 'iu'):
            raise DataError(f'expected a list of int to decode, got {enc!r}.')
        wrong = labels[(labels < 0) | (labels >= self.classes)]
        if wrong.size:
            raise DataError(f'expected labels of 0 to {self.classes - 1}, got {wrong[0]}.')
        return self._codes[labels.astype('int64')].tobytes().decode('utf-32-le', 'surrogatepass')

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
        """Two Texts of this alphabet: all but the last `fraction` of the characters, and those."""
        at = round(len(self.text) * (1 - fraction))
        parts = copy.copy(self), copy.copy(self)
        for part, some in zip(parts, (slice(at), slice(at, None))):
            part.text, part.labels = self.text[some], self.labels[some]
        return parts

    def sequences(self, steps: int) -> list[Array]:
        """The whole text in sequences that follow each other: [inputs, targets], as of a batch.

        >>> inputs, targets = Text('abcabc', min_count=1).sequences(2)
        >>> inputs.tolist(), targets.tolist()
        ([[1, 2], [3, 1]], [[2, 3], [1, 2]])
        """
        count = (len(self.labels) - 1) // positive(steps, 'steps')
        if count < 1:
            raise DataError(
                f'expected more than {steps} characters, got {len(self.labels)}. Use fewer steps.'
            )
        rows = np.arange(count)[:, None] * steps + np.arange(steps)
        return [self.labels[rows], self.labels[rows + 1]]

    def __repr__(self) -> str:
        return f'<Text of {len(self.text)} characters, {self.classes} classes>'


def _codes(text: str) -> Array:
    """Unicode code points of a text, as an array."""
    if not isinstance(text, str):
        raise DataError(f'expected a text as a str, got {type(text).__name__}. Decode it first.')
    return np.frombuffer(text.encode('utf-32-le', 'surrogatepass'), dtype='<u4')
