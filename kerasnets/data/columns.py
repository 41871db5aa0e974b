"""Columns of a CSV file as arrays: numbers standardized, text one-hot encoded."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnets.errors import DataError, FileError, suggest
from kerasnets.typing import Array, Path

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Different words that a column may have at most.
WORDS = 100


@dataclasses.dataclass(frozen=True)
class Column:
    """The encoding of one column.

    Attributes
    ----------
    name : str
    words : tuple of str or None
        The words that occur in it; None for a column of numbers.
    mean, std : float
        Of its numbers: they are made to have a mean of 0 and a deviation of 1.
    """

    name: str
    words: tuple[str, ...] | None = None
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def of(cls, name: str, texts: Sequence[str], words: bool = False) -> Self:
        """The column that some texts make: of numbers if all are, or are missing.

        Raises
        ------
        DataError
            For a column without a value, and for one of too many words.
        """
        given = [text for text in texts if text]
        if not given:
            raise DataError(f'column {name!r} holds no value. Leave it out with --drop.')
        numbers = None if words else _numbers(given)
        if numbers is not None:
            return cls(name, None, float(np.mean(numbers)), float(np.std(numbers)) or 1.0)
        found = tuple(sorted(set(texts)))
        if len(found) > WORDS:
            raise DataError(
                f'column {name!r} holds {len(found)} different words, such as {found[0]!r}, more '
                f'than {WORDS}. Leave it out with --drop.'
            )
        return cls(name, found)

    @property
    def width(self) -> int:
        """Variables that it is for a network."""
        return len(self.words) if self.words is not None else 1

    def values(self, texts: Sequence[str]) -> Array:
        """Array (rows, width): a missing number is the mean, an unknown word all zeros."""
        if self.words is not None:
            return np.array([[text == word for word in self.words] for text in texts], 'f')
        numbers = _numbers([text or str(self.mean) for text in texts])
        if numbers is None:
            wrong = next(text for text in texts if text and _numbers([text]) is None)
            raise DataError(
                f'column {self.name!r}: expected numbers as in training, got {wrong!r}.'
            )
        return ((numbers - self.mean) / self.std)[:, None].astype('f')

    def labels(self, texts: Sequence[str]) -> Array:
        """Array (rows,) of int, of a column of words."""
        words = self.words or ()
        known = {word: i for i, word in enumerate(words)}
        for row, text in enumerate(texts):
            if text not in known:
                raise DataError(
                    f'column {self.name!r}, row {row}: expected one of {list(words)}, got {text!r}.'
                )
        return np.array([known[text] for text in texts])


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns that a network was trained on. It is saved with the network.

    Attributes
    ----------
    columns : tuple of Column
        The inputs.
    target : Column
        Of words for a classifier, of numbers for a regressor.

    >>> table = Columns.of({'size': ['1', '3'], 'kind': ['a', 'b'], 'price': ['7', '9']}, 'price')
    >>> table.inputs({'size': ['3'], 'kind': ['a']}).tolist()
    [[1.0, 1.0, 0.0]]
    """

    columns: tuple[Column, ...]
    target: Column

    @classmethod
    def of(
        cls,
        data: Mapping[str, Sequence[str]],
        target: str,
        drop: Sequence[str] = (),
        classes: Any = None,
    ) -> Self:
        """The table that some data makes.

        Parameters
        ----------
        data : dict of str to list of str
            The texts of each column, as `read` gives them.
        target : str
            Name of the column to predict.
        drop : sequence of str
            Names of columns that are no inputs.
        classes : bool, optional
            Whether the target is of classes. Default: unless it is of numbers.

        Raises
        ------
        DataError
        """
        for name in (target, *drop):
            _column(data, name)
        names = [name for name in data if name != target and name not in drop]
        if not names:
            raise DataError('no column is left to predict from. Drop fewer columns.')
        aim = Column.of(target, data[target], words=bool(classes))
        if classes is False and aim.words is not None:
            raise DataError(
                f'column {target!r}: expected numbers, got {aim.words[0]!r}. Say --classes.'
            )
        return cls(tuple(Column.of(name, data[name]) for name in names), aim)

    @property
    def sizes(self) -> tuple[int, int]:
        """Variables that a network reads, and values that it gives."""
        return sum(column.width for column in self.columns), self.target.width

    def inputs(self, data: Mapping[str, Sequence[str]]) -> Array:
        """Array (rows, variables)."""
        return np.hstack([c.values(_column(data, c.name)) for c in self.columns])

    def targets(self, data: Mapping[str, Sequence[str]]) -> Array:
        """Array (rows,) of labels, or (rows, 1) of values."""
        texts = _column(data, self.target.name)
        if self.target.words is not None:
            return self.target.labels(texts)
        if not all(texts):
            raise DataError(
                f'column {self.target.name!r}: expected a value in row {texts.index("")}, got none.'
            )
        return self.target.values(texts)

    def readable(self, found: Any) -> list[Any]:
        """Predictions as they stand in the column: words of labels, numbers of values."""
        if self.target.words is not None:
            return [self.target.words[label] for label in found]
        return (np.asarray(found, 'd')[:, 0] * self.target.std + self.target.mean).tolist()

    def as_dict(self) -> dict[str, Any]:
        """The table as plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, about: Any) -> Columns:
        """The table that `as_dict` described.

        Raises
        ------
        FileError
            For what `as_dict` never wrote.
        """
        try:
            columns = tuple(_described(column) for column in about['columns'])
            return cls(columns, _described(about['target']))
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(
                f'the description of the columns in the file is invalid: {error!r}.'
            ) from None


def read(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file with a header: name -> texts.

    Raises
    ------
    DataError
        Naming the line that is wrong.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path}: expected a CSV file in UTF-8: {error}.') from None
    if len(set(header)) < len(header) or not header or not rows:
        raise DataError(f'{path}: expected a line of different names, and lines of values.')
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f'{path}, line {line}: expected {len(header)} values, as many as there are names '
                f'in the first line, got {len(row)}.'
            )
    columns = zip(*(row for _, row in rows))
    return {name: [text.strip() for text in texts] for name, texts in zip(header, columns)}


def _column(data: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    if name not in data:
        raise DataError(
            f'there is no column {name!r}.{suggest(name, data)} There are: {", ".join(data)}.'
        )
    return data[name]


def _numbers(texts: Sequence[str]) -> Array | None:
    """Texts as an array of finite numbers, or None."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _described(fields: Any) -> Column:
    column = Column(**fields)
    if column.words is not None and not all(isinstance(word, str) for word in column.words):
        raise ValueError('words that are none')
    if not (isinstance(column.name, str) and math.isfinite(column.mean) and column.std > 0):
        raise ValueError(f'column {column.name!r}')
    words = None if column.words is None else tuple(column.words)
    return dataclasses.replace(column, words=words)
