"""Columns of a CSV file as arrays: numbers and dates standardized, text one-hot encoded."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnets.errors import DataError, FileError, suggest
from kerasnets.typing import Array, Path

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Different words that a column may have at most.
WORDS = 100

#: Rows from which on a column of nothing but different words is one of identifiers.
IDENTIFIERS = 10

#: Separators that are looked for, and the characters of a file that are looked at.
SEPARATORS, SAMPLE = ',;\t|', 2**14


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
    dates : bool
        Whether the numbers are days since 1970, from dates such as 2017-05-21.
    gaps : bool
        Whether a value was missing in training.
    """

    name: str
    words: tuple[str, ...] | None = None
    mean: float = 0.0
    std: float = 1.0
    dates: bool = False
    gaps: bool = True

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
        gaps = len(given) < len(texts)
        numbers, days = (None, None) if words else (as_numbers(given), _days(given))
        found = days if numbers is None else numbers
        if found is not None:
            mean, std = float(np.mean(found)), float(np.std(found)) or 1.0
            return cls(name, None, mean, std, dates=numbers is None, gaps=gaps)
        different = tuple(sorted(set(texts)))
        if len(different) > WORDS:
            raise DataError(
                f'column {name!r} holds {len(different)} different words, such as '
                f'{different[0]!r}, more than {WORDS}. Leave it out with --drop.'
            )
        return cls(name, different, gaps=gaps)

    @property
    def width(self) -> int:
        """Variables that it is for a network."""
        return len(self.words) if self.words is not None else 1

    def values(self, texts: Sequence[str]) -> Array:
        """Array (rows, width): a missing number is the mean, an unknown word all zeros."""
        if self.words is not None:
            return np.array([[text == word for word in self.words] for text in texts], 'f')
        read = _days if self.dates else as_numbers
        given = read([text for text in texts if text])
        if given is None:
            wrong = next(text for text in texts if text and read([text]) is None)
            what = 'dates' if self.dates else 'numbers'
            raise DataError(f'column {self.name!r}: expected {what} as in training, got {wrong!r}.')
        numbers = np.full(len(texts), self.mean)
        numbers[[bool(text) for text in texts]] = given
        return ((numbers - self.mean) / self.std)[:, None].astype('f')

    def strange(self, texts: Sequence[str]) -> str | None:
        """What there is in some texts that training never saw; None if there is nothing."""
        if self.words is not None:
            unknown = Counter(text for text in texts if text not in self.words)
            shown = ', '.join(map(repr, list(unknown)[:3]))
            return f'{unknown.total()} values that training never saw: {shown}' if unknown else None
        missing = 0 if self.gaps else sum(not text for text in texts)
        return f'{missing} missing values, of which training had none' if missing else None

    def about(self) -> str:
        """How the column is read, in a few words."""
        if self.words is not None:
            shown = ', '.join(self.words[:4]) + (', …' if len(self.words) > 4 else '')
            return f'{len(self.words)} words: {shown}'
        if self.dates:
            middle = datetime.date(1970, 1, 1) + datetime.timedelta(self.mean)
            return f'dates around {middle}, {self.std:.0f} days apart'
        return f'numbers around {self.mean:.4g}, with a deviation of {self.std:.4g}'

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
    #: (name, why) of columns that are no inputs, as they cannot help.
    left_out: tuple[tuple[str, str], ...] = dataclasses.field(default=(), compare=False)

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
            find_column(data, name)
        names = [name for name in data if name != target and name not in drop]
        if not names:
            raise DataError('no column is left to predict from. Drop fewer columns.')
        aim = Column.of(target, data[target], words=bool(classes))
        if classes is False and aim.words is not None:
            raise DataError(
                f'column {target!r}: expected numbers, got {aim.words[0]!r}. Say --classes.'
            )
        useless = {name: why for name in names if (why := _useless(data[name]))}
        columns = tuple(Column.of(name, data[name]) for name in names if name not in useless)
        if not columns:
            raise DataError(
                'no column is left to predict from: '
                + '; '.join(f'{name!r} has {why}' for name, why in useless.items())
                + '. Add a column with values that differ and come again.'
            )
        return cls(columns, aim, tuple(useless.items()))

    @property
    def sizes(self) -> tuple[int, int]:
        """Variables that a network reads, and values that it gives."""
        return sum(column.width for column in self.columns), self.target.width

    def about(self) -> dict[str, str]:
        """How each column is read, by its name."""
        found = {column.name: column.about() for column in self.columns}
        found |= {name: f'left out: it has {why}' for name, why in self.left_out}
        return {**found, self.target.name: f'the target, {self.target.about()}'}

    def strange(self, data: Mapping[str, Sequence[str]]) -> list[str]:
        """What there is in the inputs that training never saw, a line for each column."""
        found = {c.name: c.strange(find_column(data, c.name)) for c in self.columns}
        return [f'column {name!r}: {what}' for name, what in found.items() if what]

    def inputs(self, data: Mapping[str, Sequence[str]]) -> Array:
        """Array (rows, variables)."""
        return np.hstack([c.values(find_column(data, c.name)) for c in self.columns])

    def targets(self, data: Mapping[str, Sequence[str]]) -> Array:
        """Array (rows,) of labels, or (rows, 1) of values."""
        texts = find_column(data, self.target.name)
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
        described = dataclasses.asdict(self)
        del described['left_out']
        return described

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


def read(path: Path, separator: str | None = None, encoding: str = 'utf-8') -> dict[str, list[str]]:
    """The columns of a CSV file with a header: name -> texts.

    Parameters
    ----------
    path : str or path
        '-' for standard input.
    separator : str, optional
        Of values. Default: a comma, semicolon, tab or bar, as the first lines have it.
    encoding : str

    Raises
    ------
    DataError
        Naming the line that is wrong.
    """
    try:
        text = decoded(path, encoding)
        separator = separator or _separator(text)
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
        header = next(reader, [])
        rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, TypeError, csv.Error) as error:
        raise DataError(f'{path}: expected a CSV file: {error}.') from None
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


def decoded(path: Path, encoding: str = 'utf-8') -> str:
    """The text of a file, or for '-' of standard input.

    Raises
    ------
    DataError
        If it is in another encoding.
    """
    if str(path) == '-':
        content = sys.stdin.buffer.read()
    else:
        with open(path, 'rb') as file:
            content = file.read()
    try:
        return content.decode(encoding).removeprefix('\ufeff')
    except UnicodeDecodeError as error:
        raise DataError(
            f'{path}: expected text in {encoding}, got other bytes at {error.start} '
            f'({error.reason}). Say which it is, such as --encoding latin-1.'
        ) from None
    except LookupError:
        raise DataError(f'there is no encoding {encoding!r}. Try utf-8 or latin-1.') from None


def _separator(text: str) -> str:
    """The separator that a text seems to have; a comma if none is clear."""
    header = text.partition('\n')[0]
    try:
        found = csv.Sniffer().sniff(text[:SAMPLE], SEPARATORS).delimiter
    except csv.Error:
        found = ','
    return found if found in header else max(SEPARATORS, key=header.count)


def _useless(texts: Sequence[str]) -> str | None:
    """Why a column cannot help to predict; None if it may."""
    given = [text for text in texts if text]
    different = set(given)
    if len(different) < 2:
        return f'one value: {different.pop()!r}' if different else 'no value'
    keys = len(different) == len(texts) >= IDENTIFIERS
    if not keys and len(different) <= WORDS:
        return None
    if as_numbers(given) is not None or _days(given) is not None:
        return None
    return 'a different word in each row' if keys else f'{len(different)} different words'


def _days(texts: Sequence[str]) -> Array | None:
    """Dates in the form of ISO 8601 as days since 1970, or None."""
    try:
        dates = [datetime.datetime.fromisoformat(text).replace(tzinfo=None) for text in texts]
    except ValueError:
        return None
    if not all('-' in text for text in texts):
        return None
    return np.array(
        [(date - datetime.datetime(1970, 1, 1)).total_seconds() / 86400 for date in dates]
    )


def find_column(data: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    """The texts of a column; DataError if there is none of that name."""
    if name not in data:
        raise DataError(
            f'there is no column {name!r}.{suggest(name, data)} There are: {", ".join(data)}.'
        )
    return data[name]


def as_numbers(texts: Sequence[str]) -> Array | None:
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
