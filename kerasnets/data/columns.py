"""The encoding of a table's columns as arrays for a network."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasnets.data.notation import KINDS, MARKS, Notation
from kerasnets.data.tables import Reading, Table, as_text, find_column
from kerasnets.errors import DataError, FileError
from kerasnets.typing import Array

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Words of a column with an input each; rarer ones share an input. Classes, unless it is decided.
WORDS = 100

#: Different words that a column may hold.
MOST_WORDS = 10_000

#: Rows from which on a column of different values is one of identifiers.
IDENTIFIERS = 10

#: Maximum number of different whole numbers in a target of classes.
FEW = 10

#: The bound to which scaled numbers are clipped smoothly.
CLIP = 3.0

#: Maximum number of values from which medians and quartiles are computed.
SAMPLE = 20_000

#: Distance from the center, in scales, from which a value is reported.
FAR = 1e8

#: Numbers that often stand for a missing value.
SENTINELS = [sign * (10.0**digits - 1) for digits in range(2, 11) for sign in (-1, 1)]

#: Number of rows that are encoded at once.
BLOCK = 8192

#: Name of a cycle -> its days.
CYCLES = {'year': 365.2425, 'week': 7.0, 'day': 1.0}

_IDENTIFIER = re.compile(
    r'(?i:(^|.*[_ .-])(id|idx|index|key|uuid|guid|row ?names?|row ?id))|.*[a-z]I[dD]'
)


@dataclasses.dataclass(frozen=True)
class Column:
    """The encoding of one column, as plain data.

    Attributes
    ----------
    name : str
    notation : Notation
        The notation of its values.
    words : tuple of str or None
        The words of training, with '' if values were missing; None for numbers, dates and times.
    shared : int
        Number of words, at the end of `words`, that share one input.
    center, scale : float
        Numbers are ``(value - center) / scale``. Dates are days since 1970, times are hours.
    clip : float
        The bound that scaled numbers approach, ``z / sqrt(1 + (z / clip)²)``; 0 for none.
    gaps : bool
        Whether a value was missing in training.
    indicator : bool
        Whether one more input marks missing values.
    fill : float
        The input that replaces a missing number.
    cycles : tuple of str
        Cycles of a date or time. The sine and the cosine of each are inputs.
    """

    name: str
    notation: Notation = dataclasses.field(default_factory=Notation)
    words: tuple[str, ...] | None = None
    shared: int = 0
    center: float = 0.0
    scale: float = 1.0
    clip: float = 0.0
    gaps: bool = False
    indicator: bool = False
    cycles: tuple[str, ...] = ()
    fill: float = 0.0

    @classmethod
    def of(cls, name: str, values: pd.Series[Any], written: Notation) -> Self:
        """Return the encoding of a column of a `Table`.

        Raises
        ------
        DataError
            For a column with too many words.
        """
        if isinstance(values.dtype, pd.CategoricalDtype):
            counts = np.bincount(values.cat.codes + 1, minlength=len(values.cat.categories) + 1)
            words = {w: int(n) for w, n in zip(values.cat.categories, counts[1:]) if n}
            if len(words) > MOST_WORDS:
                raise DataError(
                    f'column {name!r} holds {len(words)} different words, expected at most '
                    f'{MOST_WORDS}. Leave it out with --drop {name}.'
                )
            often = sorted(words, key=lambda word: (-words[word], word))
            first = ([''] if counts[0] else []) + in_order(often[:WORDS])
            rest = tuple(sorted(often[WORDS:]))
            written = dataclasses.replace(written, kind='word')
            return cls(name, written, (*first, *rest), len(rest), gaps=bool(counts[0]))
        numbers = as_numbers(values)
        missing = np.isnan(numbers)
        gaps = bool(missing.any())
        given = numbers[~missing] if gaps else numbers
        center, scale = robust(given)
        return cls(
            name,
            written,
            center=center,
            scale=scale,
            clip=CLIP,
            gaps=gaps,
            indicator=gaps,
            cycles=_cycles(given, written.kind),
        )

    @property
    def width(self) -> int:
        """Number of network inputs for the column."""
        if self.words is not None:
            return len(self.words) - self.shared + bool(self.shared)
        return 1 + self.indicator + 2 * len(self.cycles)

    def plain(self, values: pd.Series[Any]) -> Array:
        """Return a column of a `Table` as numbers, or as the input of each word, -1 for none."""
        if self.words is None:
            return as_numbers(values)
        places = self._places(values)
        return np.minimum(places, self.width - 1) if self.shared else places

    def encode(self, plain: Array, out: Array) -> None:
        """Write the inputs of some rows to an array (rows, width) of zeros.

        A missing number becomes `fill`, the center; an unknown word all zeros.
        """
        if self.words is not None:
            rows = np.flatnonzero(plain >= 0)
            out[rows, plain[rows]] = 1
            return
        missing = np.isnan(plain)
        some = missing.any()
        with np.errstate(over='ignore'):
            scaled = (plain - self.center) / self.scale
            if self.clip:
                scaled = np.clip(scaled.astype('f'), -1e18, 1e18)
                bent = np.square(scaled / np.float32(self.clip))
                bent += 1
                scaled /= np.sqrt(bent, out=bent)
        if some:
            scaled[missing] = self.fill
        out[:, 0] = scaled
        if self.indicator:
            out[:, 1] = missing
        days = plain / 24 if self.notation.kind == 'time' else plain
        for i, name in enumerate(self.cycles):
            turns = days / CYCLES[name]
            angle = (2 * np.pi * (turns - np.floor(turns))).astype('f')
            at = 1 + self.indicator + 2 * i
            out[:, at], out[:, at + 1] = np.sin(angle), np.cos(angle)
            if some:
                out[missing, at : at + 2] = 0

    def labels(
        self, values: pd.Series[Any], where: Callable[[int], str] = 'row {}'.format
    ) -> Array:
        """Return array (rows,) of int, for a column of words.

        Raises
        ------
        DataError
            For a word that training never saw.
        """
        places = self._places(values)
        if (places < 0).any():
            row = int(np.argmax(places < 0))
            raise DataError(
                f'column {self.name!r}, {where(row)}: expected one of {list(self.words or ())}, '
                f'got {"" if pd.isna(values.iloc[row]) else values.iloc[row]!r}. '
                'Fix it or remove the row.'
            )
        return places

    def unseen(self, values: pd.Series[Any]) -> str:
        """Describe the values that training never saw; '' if there are none."""
        if self.words is not None and isinstance(values.dtype, pd.CategoricalDtype):
            codes, unknown = values.cat.codes.to_numpy(), []
            place = {word: i for i, word in enumerate(self.words)}
            new = [i for i, w in enumerate(values.cat.categories) if _find(w, place) < 0]
            counts = np.bincount(codes[codes >= 0], minlength=len(values.cat.categories))
            unknown = [i for i in new if counts[i]]
            if unknown:
                shown = ', '.join(repr(values.cat.categories[i]) for i in unknown[:3])
                return f'{counts[unknown].sum()} values that training never saw: {shown}'
        missing = 0 if self.gaps else int(values.isna().sum())
        return f'{missing} missing values, of which training had none' if missing else ''

    def about(self, values: pd.Series[Any] | None = None) -> str:
        """Describe how the column is read, with the range of some values."""
        if self.words is not None:
            words = [word for word in self.words if word]
            if {word.lower() for word in words} == {'true', 'false'}:
                return 'booleans'
            shown = ', '.join(words[:4]) + (', …' if len(words) > 4 else '')
            return f'{len(words)} words: {shown}'
        kind, unit = self.notation.kind, self.notation.unit and f' {self.notation.unit}'
        comma = (
            ', with a decimal comma' if self.notation.decimal == ',' and kind == 'number' else ''
        )
        order = f' ({self.notation.dates})' if self.notation.dates else ''
        if values is None or not values.notna().any():
            shown = f'around {self._shown(self.center)}'
        else:
            numbers = as_numbers(values)
            shown = ' to '.join(self._shown(f(numbers)) for f in (np.nanmin, np.nanmax))
        return f'{kind}s, {shown}{unit}{comma}{order}'

    def _shown(self, value: float) -> str:
        return self.notation.write(np.array([value]), 'day' not in self.cycles)[0]

    def becomes(self) -> str:
        """Describe the network inputs of the column."""
        parts = 'one input'
        if self.words is not None:
            own = len([word for word in self.words[: len(self.words) - self.shared] if word])
            parts = f'{own} inputs, one for each word'
            if self.shared:
                parts = f'{own} inputs for the most frequent words, one for {self.shared} others'
            parts += ', one for missing' * ('' in self.words)
        else:
            parts += ', one for missing' * self.indicator
            if self.cycles:
                parts += f', two for the cycle of the {" and the ".join(self.cycles)}'
        return parts

    def _places(self, values: pd.Series[Any]) -> Array:
        """Return the index of each value in `words`, -1 for an unknown one."""
        words = self.words or ()
        if not isinstance(values.dtype, pd.CategoricalDtype):
            values = pd.Series(pd.Categorical(list(map(as_text, values))))
        place = {word: i for i, word in enumerate(words)}
        places = [_find(word, place) for word in values.cat.categories]
        return np.array([*places, place.get('', -1)])[values.cat.codes.to_numpy()]


def _find(word: str, place: Mapping[str, int]) -> int:
    """Return the place of a word, of 1.0 that of 1, of TRUE that of True; -1 for none."""
    if word not in place:
        short = word.lower()
        same = [re.sub(r'(?<=\d)\.0+$', '', word)]
        same += [short, short.title(), short.upper()] if short in ('true', 'false') else []
        word = next((one for one in same if one in place), word)
    return place.get(word, -1)


def robust(values: Array) -> tuple[float, float]:
    """Return the median of some numbers and their interquartile range.

    >>> robust(np.array([1.0, 2, 3, 4, 1e300]))
    (3.0, 2.0)
    """
    some = values[:: max(1, len(values) // SAMPLE)]
    if not len(some):
        return 0.0, 1.0
    ordered = np.partition(some, [k := len(some) // 4, len(some) // 2, -1 - k])
    low, center, high = ordered[k], ordered[len(some) // 2], ordered[-1 - k]
    center = float(np.clip(center, -1e300, 1e300))
    with np.errstate(over='ignore', invalid='ignore'):
        scale = float(high - low)
        if not scale > 0:  # half of the values are equal
            away = np.abs(values - center)
            scale = float(np.median(away[away > 0])) if (away > 0).any() else 1.0
    return center, scale if 0 < scale < math.inf else 1.0


def as_numbers(values: pd.Series[Any]) -> Array:
    """Return a column of a `Table` as float64: numbers, days since 1970, hours."""
    found = values.to_numpy()
    if found.dtype.kind == 'M':
        found = found.astype('datetime64[us]')
        days = found.astype('int64') / 86_400e6
        return np.where(np.isnat(found), np.nan, days)
    return found.astype('float64', copy=False)


def _cycles(given: Array, kind: str) -> tuple[str, ...]:
    """Return the cycles that some dates or times pass through at least twice."""
    if kind == 'time':  # of a day, or a longer duration
        return ('day',) if (given <= 24).all() else ()
    if kind != 'date' or not len(given):
        return ()
    floors = np.floor(given)
    days = pd.unique(floors)
    span = np.ptp(given)
    monthly = bool((pd.to_datetime(days, unit='D').day == 1).all())
    some = {'year': span > 500 and (np.diff(np.unique(days // 28)) < 9).any()}
    some['week'] = span > 14 and len(np.unique(days % 7)) > 1 and not monthly
    some['day'] = not np.array_equal(floors, given)
    return tuple(name for name, goes in some.items() if goes)


def in_order(words: Sequence[str]) -> list[str]:
    """Return words in order, numbers by their value.

    >>> in_order(['10', '9', 'a'])
    ['9', '10', 'a']
    """

    def key(word: str) -> tuple[float, str]:
        try:
            return float(word), word
        except ValueError:
            return math.inf, word

    return sorted(words, key=key)


@dataclasses.dataclass(frozen=True)
class Columns:
    """The encoding of the columns that a network was trained on, saved with the network.

    Attributes
    ----------
    columns : tuple of Column
        The inputs.
    target : Column or None
        A column of words for a classifier, of numbers for a regressor.
    left_out : tuple of (str, str)
        Columns that are not inputs, and the reason.
    notes : tuple of str
        Decisions about the target, and values far from all others.

    >>> frame = pd.DataFrame({'size': [1.0, 2, 3], 'kind': ['a', 'b', 'a'], 'price': [7.5, 8, 9]})
    >>> table = Columns.of(Table.of(frame), 'price')
    >>> table.inputs(pd.DataFrame({'size': [2], 'kind': ['a']})).tolist()
    [[0.0, 1.0, 0.0]]
    """

    columns: tuple[Column, ...]
    target: Column | None = None
    left_out: tuple[tuple[str, str], ...] = dataclasses.field(default=(), compare=False)
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        table: Table,
        target: str | None = None,
        drop: Sequence[str] = (),
        classes: bool | None = None,
        keep: Sequence[str] = (),
    ) -> Self:
        """Return the encoding of a table, all rows of which hold the target.

        Parameters
        ----------
        table : Table
        target : str, optional
            Name of the column to predict.
        drop : sequence of str
            Names of columns that are no inputs.
        classes : bool, optional
            Whether the target is of classes. Default: words and few whole numbers are.
        keep : sequence of str
            Names of columns that are inputs even if they look useless.

        Raises
        ------
        DataError
        """
        for name in filter(None, (target, *drop)):
            find_column(table.frame, name)
        drop = (*drop, *table.dropped)
        names = [name for name in table.frame if name != target and name not in drop]
        if not names:
            raise DataError(
                'no column is left to predict from, expected one. Add a column, or drop fewer.'
            )
        notes: list[str] = []
        aim = None if target is None else _target(table, target, classes, notes)
        useless = {
            name: why
            for name in names
            if name not in keep and (why := _useless(name, table.frame[name], table.readings[name]))
        }
        if len(useless) == len(names):  # rows may be counted by the only column
            useless = {n: why for n, why in useless.items() if why != NUMBERED}
        columns = tuple(
            Column.of(name, table.frame[name], table.readings[name].notation)
            for name in names
            if name not in useless
        )
        if not columns:
            doubts = {name: table.readings[name].doubt for name in useless}
            raise DataError(
                'no column is left to predict from: '
                + '; '.join(
                    f'{name!r} has {why}' + f' ({doubts[name]})' * (doubts[name] not in (why, ''))
                    for name, why in useless.items()
                )
                + '. Add a column with values that differ and come again.'
            )
        for column in columns:
            notes += _extremes(column, table)
        for column in (*columns, *filter(None, (aim,))):
            if column.notation.kind == 'number' and (
                seeming := sentinel(column.name, as_numbers(table.frame[column.name]))
            ):
                mark, said = seeming
                remedy = f'--missing {mark}' if table.source else f'X.replace({mark}, numpy.nan)'
                notes.append(f'{said}; {remedy} takes it as missing')
        return cls(columns, aim, tuple(useless.items()), tuple(notes))

    @classmethod
    def of_numbers(cls, frame: pd.DataFrame) -> Self:
        """Return the encoding of a data frame of numbers that leaves them as they are."""
        plain = Notation('number')
        medians = frame.median().tolist()
        return cls(tuple(Column(str(n), plain, fill=float(m)) for n, m in zip(frame, medians)))

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of inputs and of outputs of a network."""
        width = sum(column.width for column in self.columns)
        return width, 0 if self.target is None else self.target.width

    @property
    def notations(self) -> dict[str, Notation]:
        """The notation of each column, for `read`."""
        every = [*self.columns, *([] if self.target is None else [self.target])]
        return {column.name: column.notation for column in every}

    def report(self, table: Table) -> dict[str, dict[str, Any]]:
        """Describe how each column was read.

        Returns
        -------
        dict of str to dict
            Column -> 'read as', 'missing', 'example', 'becomes' and 'note'.
        """
        every = {column.name: column for column in self.columns}
        reasons, rows = dict(self.left_out), {}
        for name, reading in table.readings.items():
            if column := every.get(name):
                how, becomes = column.about(table.frame[name]), column.becomes()
            elif self.target is not None and name == self.target.name:
                how, becomes = self.target.about(table.frame[name]), 'the target'
            else:
                why = f': it has {reasons[name]}' if name in reasons else ''
                how, becomes = f'{reading.kind}s', f'left out{why}'
            said = '; '.join(filter(None, (reading.doubt, reading.guess)))
            rows[name] = {
                'read as': how,
                'missing': reading.missing,
                'example': reading.example,
                'becomes': becomes,
                'note': said and f'column {name!r}: {said}',
            }
        return rows

    def table(self, data: Table | pd.DataFrame) -> Table:
        """Return data as a table, read with the notations of training.

        Raises
        ------
        DataError
            For a column that lacks, or is of another kind.
        """
        if isinstance(data, Table):
            return data
        return Table.of(data, known=self.notations)

    def inputs(self, data: Table | pd.DataFrame) -> Array:
        """Return float32 array (rows, inputs).

        Raises
        ------
        DataError
        """
        table = self.table(data)
        for column in self.columns:
            table.check(column.name)
        out = np.zeros((len(table), self.sizes[0]), 'f')
        width, ends = out.shape[1], np.cumsum([column.width for column in self.columns]).tolist()
        words, numbers = [], []
        for column, end in zip(self.columns, ends):
            plain, start = column.plain(find_column(table.frame, column.name)), end - column.width
            if column.words is None:
                numbers.append((column, plain, slice(start, end)))
            else:
                rows = np.flatnonzero(plain >= 0)
                words.append(rows * width + plain[rows] + start)
        for start in range(0, len(table), BLOCK):  # in the cache of the processor
            some = slice(start, start + BLOCK)
            for column, plain, inputs in numbers:
                column.encode(plain[some], out[some, inputs])
        for places in words:
            out.reshape(-1)[places] = 1
        return out

    def targets(self, data: Table | pd.DataFrame) -> Array:
        """Return array (rows,) of labels, or float32 (rows, 1) of values that are standardized.

        Raises
        ------
        DataError
            For a value that is missing or unknown.
        """
        table, target = self.table(data), self._aim()
        values = find_column(table.frame, target.name)
        table.check(target.name)
        if target.words is not None:
            return target.labels(values, table.where)
        numbers = as_numbers(values)
        if np.isnan(numbers).any():
            place = table.where(int(np.argmax(np.isnan(numbers))))
            raise DataError(
                f'column {target.name!r}, {place}: expected a value, got none. '
                'Fill it in or remove the row.'
            )
        return ((numbers - target.center) / target.scale)[:, None].astype('f')

    def unseen(self, data: Table | pd.DataFrame) -> list[str]:
        """Describe the input values that training never saw, a line for each column."""
        table = self.table(data)
        found = {c.name: c.unseen(find_column(table.frame, c.name)) for c in self.columns}
        return [f'column {name!r}: {what}' for name, what in found.items() if what]

    def readable(self, found: Array) -> Any:
        """Return predictions in the form of the column.

        Words of labels (rows,), numbers of standardized values (rows, 1), dates as datetime64.
        """
        target = self._aim()
        if target.words is not None:
            return np.array(target.words, dtype=object)[found]
        values = np.asarray(found, 'd')[:, 0] * target.scale + target.center
        if target.notation.kind == 'date':
            return np.round(values * 86400e6).astype('int64').astype('datetime64[us]')
        return values

    def written(self, found: Array) -> list[Any]:
        """Return predictions as plain data: words, floats, dates and times as texts."""
        target, values = self._aim(), self.readable(found)
        if target.words is not None or target.notation.kind == 'number':
            return values.tolist()
        numbers = as_numbers(pd.Series(values))
        return target.notation.write(numbers, day='day' not in target.cycles)

    def _aim(self) -> Column:
        if self.target is None:
            raise DataError('the network has no target column. Train it with a target.')
        return self.target

    def as_dict(self) -> dict[str, Any]:
        """Return the encoding as plain data for JSON."""
        described = dataclasses.asdict(self)
        del described['left_out'], described['notes']
        return described

    @classmethod
    def from_dict(cls, about: Any) -> Columns:
        """Return the encoding that `as_dict` described, in its present or former format.

        Raises
        ------
        FileError
            For a dict that `as_dict` cannot have written.
        """
        try:
            columns = tuple(_described(column) for column in about['columns'])
            target = about['target']
            found = cls(columns, None if target is None else _described(target))
            if len(found.notations) != len(columns) + (target is not None) or not columns:
                raise ValueError('names')
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FileError(
                f'the description of the columns in the file is invalid: {error!r:.200}. The file '
                'may be damaged. Restore it from a backup you trust.'
            ) from None
        return found


NUMBERED = 'a number for each row'


def _useless(name: str, values: pd.Series[Any], reading: Reading) -> str:
    """Return the reason why a column cannot help to predict; '' if it may."""
    missing = int(np.count_nonzero(values.isna()))
    given = len(values) - missing
    if not given:
        return 'no value'
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = np.bincount(values.cat.codes.to_numpy() + 1)[1:]
        different = int(np.count_nonzero(counts))
        if different < 2 and not missing:
            return f'one value: {values.cat.categories[int(counts.argmax())]!r}'
        if len(values) >= IDENTIFIERS and different == given:
            return 'a different word in each row'
        if different > WORDS and (2 * different > given or reading.doubt):
            return f'{different} different words'
        return ''
    numbers = as_numbers(values)
    low, high = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    if low == high:
        return '' if missing else f'one value: {reading.example or low!r}'
    if not reading.whole or missing or given < IDENTIFIERS or reading.kind != 'number':
        return ''
    named = _IDENTIFIER.fullmatch(name)
    counted = low in (0, 1) and high - low < 2 * len(numbers)
    if not (named or counted) or high - low < len(numbers) - 1:
        return ''
    ordered = np.sort(numbers)
    if (np.diff(ordered) == 0).any():
        return ''
    counted = high - low == len(numbers) - 1 or np.array_equal(numbers, ordered)  # rows removed
    return NUMBERED if named or counted else ''


def _target(table: Table, name: str, classes: bool | None, notes: list[str]) -> Column:
    """Return the target column; append the decisions about it to `notes`."""
    values, reading = table.frame[name], table.readings[name]
    numeric = not isinstance(values.dtype, pd.CategoricalDtype)
    few = classes
    if values.isna().all():
        raise DataError(f'column {name!r}, the target, holds no value. Choose another column.')
    if numeric and classes is None:
        different = len(values.unique())
        few = reading.kind == 'number' and reading.whole and different <= FEW
        if few:
            notes.append(
                f'the target {name!r} holds {different} different whole numbers and is taken as '
                'classes; --regress predicts numbers'
            )
        elif reading.kind == 'number' and reading.whole:
            notes.append(f'the target {name!r} is taken as numbers; --classes predicts classes')
    if not numeric and classes is False:
        wrong = reading.doubt or f'such as {values.dropna().iloc[0]!r}'
        raise DataError(
            f'column {name!r}, the target, holds words ({wrong}), expected numbers. Use '
            f'--as {name}=number to treat other values as missing, or --classes.'
        )
    if numeric and not few:
        numbers = as_numbers(values)
        if not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers)))
            raise DataError(
                f'column {name!r}, {table.where(row)}: expected a finite number, got '
                f'{numbers[row]}. Fix it or remove the row.'
            )
        if numbers.min() == numbers.max():
            raise DataError(
                f'column {name!r}, the target, holds one value only, {as_text(numbers[0])}: there '
                'is nothing to learn. Choose another column.'
            )
        with np.errstate(over='ignore'):
            center, scale = float(numbers.mean()), float(numbers.std())
        if not (math.isfinite(center) and math.isfinite(scale) and scale > 0):
            row = int(np.argmax(np.abs(numbers)))
            raise DataError(
                f'column {name!r}, {table.where(row)}: {numbers[row]:g} is too far from the other '
                'values. Fix it or remove the row.'
            )
        cycles = ('day',) if reading.kind == 'date' and (numbers % 1 > 0).any() else ()
        return Column(name, reading.notation, center=center, scale=scale, cycles=cycles)
    texts = [as_text(v) for v in (values.unique() if numeric else values.cat.categories)]
    if not numeric:
        counts = np.bincount(values.cat.codes, minlength=len(texts))
        texts = [text for text, count in zip(texts, counts) if count]
    if len(texts) < 2:
        raise DataError(
            f'column {name!r}, the target, holds one class only, {texts[0]!r}: there is nothing '
            'to learn. Add rows of another class, or choose another column.'
        )
    if len(texts) > WORDS and not classes:
        why = f' ({reading.doubt})' if reading.doubt else ''
        raise DataError(
            f'column {name!r}, the target, was taken as classes{why} and has {len(texts)} of '
            f'them, such as {texts[0]!r}; expected at most {WORDS}. Use --regress to predict '
            'numbers, with other values missing, or --classes to predict all these classes.'
        )
    written = dataclasses.replace(reading.notation, kind='word')
    return Column(name, written, tuple(in_order(texts)))


def _extremes(column: Column, table: Table) -> list[str]:
    """Return a line about a value that is very far from all others, or no line."""
    if column.words is not None:
        return []
    numbers = as_numbers(table.frame[column.name])
    ends = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    if not max(abs(end / 2 - column.center / 2) for end in ends) > FAR / 2 * column.scale:
        return []
    row = int(np.nanargmax(np.abs(numbers / 2 - column.center / 2)))
    return [
        f'column {column.name!r}: {numbers[row]:g} in {table.where(row)} is far from all other '
        'values, and is clipped'
    ]


def sentinel(name: str, numbers: Array) -> tuple[str, str] | None:
    """Return a number that seems to stand for a missing value, such as -999, and a note about it.

    None if the column has no such number.

    It is repeated, and farther from all other values than these are from each other; or it is the
    only negative number.

    >>> sentinel('age', np.array([30.0, 41, -999, 52, -999]))[1]
    "column 'age': -999 in 2 rows is far from all other values and may stand for a missing value"
    """
    for end in (np.fmin.reduce(numbers), np.fmax.reduce(numbers)):
        if end not in SENTINELS:
            continue
        others = numbers[(numbers != end) & ~np.isnan(numbers)]
        count = int(np.count_nonzero(numbers == end))
        if count < 2 or len(others) < 2:
            continue
        gap = np.abs(others - end).min()
        if gap > np.ptp(others) or (end < -99 and others.min() >= 0):
            mark = as_text(end)
            return mark, (
                f'column {name!r}: {mark} in {count:,} rows is far from all other values '
                'and may stand for a missing value'
            )
    return None


def _described(fields: Mapping[str, Any]) -> Column:
    """Return the column that plain data describes.

    Raises
    ------
    TypeError, ValueError
    """
    fields = dict(fields)
    if 'mean' in fields:  # the form before dates had cycles
        fields['center'], fields['scale'] = fields.pop('mean'), fields.pop('std')
        kind = (
            'word' if fields['words'] is not None else 'date' if fields.pop('dates') else 'number'
        )
        fields.pop('dates', None)
        fields['notation'] = {'kind': kind, 'marks': () if kind == 'word' else MARKS}
    for name in ('words', 'cycles'):
        if not isinstance(fields.get(name), (list, tuple, type(None))):
            raise TypeError(name)
    written = dict(fields.pop('notation'))
    written['marks'] = tuple(written['marks'])
    if fields.get('words') is not None:
        fields['words'] = tuple(fields['words'])
    fields['cycles'] = tuple(fields.get('cycles') or ())
    column = Column(notation=Notation(**written), **fields)
    texts = [column.name, *(column.words or ()), *column.cycles, *written['marks']]
    texts += [
        getattr(column.notation, f) for f in ('kind', 'decimal', 'thousands', 'unit', 'dates')
    ]
    flags, numbers = (
        [column.gaps, column.indicator],
        [column.center, column.scale, column.clip, column.fill],
    )
    count = 0 if column.words is None else len(column.words)
    valid = (
        all(isinstance(text, str) for text in texts)
        and all(type(flag) is bool for flag in flags)
        and all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        and column.scale > 0
        and column.clip >= 0
        and type(column.shared) is int
        and 0 <= column.shared <= max(0, count - 1)
        and set(column.cycles) <= set(CYCLES)
        and column.notation.kind in KINDS[:-1]
        and (column.words is None) == (column.notation.kind != 'word')
        and column.notation.decimal in ('.', ',')
        and len(set(column.words or ())) == count
    )
    if not valid:
        raise ValueError(f'column {column.name!r}')
    return column
