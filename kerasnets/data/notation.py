"""The notation of a column's numbers, dates or times, and marks of missing values."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from kerasnets.data.values import DAY_FIRST, GROUPS, MONEY, MONTH_FIRST, days, hours, numbers
from kerasnets.errors import ConfigurationError
from kerasnets.typing import Array

Kind = Literal['number', 'word', 'date', 'time']

#: Values of `--as`. Times of day are numbers of hours.
KINDS = 'number', 'word', 'date', 'time', 'drop'

#: Marks of a missing value in every column. The empty text is always one.
MARKS = tuple(
    'NA N/A n/a na NaN nan NAN NULL Null null <NA> <null> (null) nil #N/A #NA #N/A! #VALUE! '
    '#DIV/0! #REF! #NUM! #NULL! #NAME? -nan -NaN 1.#QNAN -1.#QNAN 1.#IND -1.#IND N.A. '
    'n.a. \\N ?'.split()
)

#: Further marks among numbers and dates. In a column of words each of them is a word.
NUMBER_MARKS = tuple(
    'None none NONE - -- --- – — . .. ... * missing Missing MISSING unknown Unknown UNKNOWN'.split()
)


@dataclasses.dataclass(frozen=True)
class Notation:
    """The notation of a column's values.

    Attributes
    ----------
    kind : str
        'number', 'word', 'date', or 'time' of day.
    decimal : str
        The character before decimals.
    thousands : str
        Characters that group digits; '' for none.
    unit : str
        The unit written with each number, such as '%' or '$'.
    dates : str
        The order of numeric dates ('day-first' or 'month-first'), or a format such as '%d.%m.%Y'.
        '' for dates that are not ambiguous.
    marks : tuple of str
        Marks of a missing value.
    """

    kind: Kind = 'word'
    decimal: str = '.'
    thousands: str = ''
    unit: str = ''
    dates: str = ''
    marks: tuple[str, ...] = MARKS

    def read(self, texts: Iterable[str]) -> Array:
        """Return texts as float64: numbers, days since 1970, or hours; NaN for other texts."""
        texts = list(texts)
        if self.kind == 'number':
            return numbers(texts, self.decimal, self.thousands or None)[0]
        return hours(texts) if self.kind == 'time' else days(texts, self.dates)[0]

    def write(self, values: Array, day: bool = True) -> list[str]:
        """Return numbers as texts: dates of ISO 8601, times as 12:30, numbers with the decimal.

        Parameters
        ----------
        values : array of float
        day : bool
            Leave out the time of dates.
        """
        if self.kind == 'number':
            return [f'{value:.6g}'.replace('.', self.decimal) for value in values.tolist()]
        if self.kind == 'time':
            minutes = np.round(values * 60).astype(int)
            return [f'{m // 60:02}:{m % 60:02}' for m in minutes.tolist()]
        rounded = pd.to_datetime(np.round(values * 86400).astype('int64'), unit='s')
        rounded = rounded if not day else (rounded + pd.Timedelta(hours=12)).normalize()
        return list(rounded.strftime('%Y-%m-%d' if day else '%Y-%m-%dT%H:%M:%S'))


@dataclasses.dataclass(frozen=True)
class Options:
    """The user's options for reading, which replace inference from the values.

    Attributes
    ----------
    separator, encoding : str, optional
        Separator and encoding of the file.
    decimal : str, optional
        The character before decimals, '.' or ','.
    thousands : str, optional
        The character that groups digits.
    dates : str, optional
        'day-first', 'month-first', or a format such as '%d.%m.%Y'.
    missing : tuple of str
        Marks of a missing value in addition to the known ones.
    kinds : dict of str to str
        Column -> 'number', 'word', 'date', 'time' or 'drop'.
    """

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    dates: str | None = None
    missing: tuple[str, ...] = ()
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options."""
        if self.decimal not in (None, '.', ','):
            raise ConfigurationError(
                f"expected --decimal as '.' or ',', got {self.decimal!r}. Choose one of these."
            )
        if self.thousands is not None and (
            self.thousands not in list(GROUPS) or self.thousands == self.decimal
        ):
            raise ConfigurationError(
                "expected --thousands as one of , . ' or a blank, and not the decimal character, "
                f'got {self.thousands!r}. Choose another character.'
            )
        if self.dates is not None and self.dates not in (DAY_FIRST, MONTH_FIRST):
            _check_format(self.dates)
        for name, kind in self.kinds.items():
            if kind not in KINDS:
                raise ConfigurationError(
                    f'--as {name}={kind}: expected one of {", ".join(KINDS)} after the name. '
                    f'Write --as {name}={KINDS[0]}, for example.'
                )

    @property
    def marks(self) -> tuple[str, ...]:
        """Marks in columns of words."""
        return (*MARKS, *self.missing)

    @property
    def number_marks(self) -> tuple[str, ...]:
        """Marks in columns of numbers and dates."""
        return (*MARKS, *NUMBER_MARKS, *self.missing)


def _check_format(form: str) -> None:
    now = datetime.datetime(2020, 11, 23, 21, 45, 59)
    try:
        written = now.strftime(form)
        valid = '%' in form and datetime.datetime.strptime(written, form).year in (2020, 1900)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(
            f'expected --dates as {DAY_FIRST}, {MONTH_FIRST} or a format such as %d.%m.%Y, '
            f'got {form!r}. Write a format with day, month and year.'
        )


@dataclasses.dataclass(frozen=True)
class Inferred:
    """The inferred type and notation of a column's texts.

    Attributes
    ----------
    notation : Notation
    values : array of float or None
        One for each text, NaN where it is missing or not read; None for words.
    wrong : tuple of int
        Places of texts that are neither missing nor read.
    almost : str
        What most texts are, 'numbers' or 'dates', where the `wrong` ones prevent it.
    guess : str
        What was guessed, and the option that decides it.
    """

    notation: Notation
    values: Array | None
    wrong: tuple[int, ...] = ()
    almost: str = ''
    guess: str = ''

    @property
    def numbers(self) -> Array:
        """The values; an empty array for words."""
        return np.zeros(0) if self.values is None else self.values


def infer(
    texts: list[str], counts: Array, options: Options, kind: str | None = None, comma: bool = False
) -> Inferred:
    """Infer the type and the notation of a column from its different texts.

    Parameters
    ----------
    texts : list of str
        Different, without blanks around them, and without missing ones.
    counts : array of int
        Rows that hold each.
    options : Options
    kind : str, optional
        Of the column, if the user decided it.
    comma : bool
        Prefer a decimal comma where '1,234' could be either.
    """
    marks = {'', *options.number_marks}
    some, rest = np.ones(len(texts), bool), texts
    if not marks.isdisjoint(texts):
        some = np.array([text not in marks for text in texts], bool)
        rest = [text for text in texts if text not in marks]
    words = Inferred(Notation(marks=options.marks), None)
    if kind == 'word' or not rest:
        return words
    weights = counts[some]
    sample = rest[:: max(1, len(rest) // 200)]
    tries: list[tuple[Kind, Any]] = [('number', None), ('time', None), ('date', None)]
    tries = [one for one in tries if kind in (None, one[0])]
    rated = {}
    for name, _ in tries:
        found = _attempt(name, sample, options, comma)
        rated[name] = np.isfinite(found.numbers).mean()
    best = max(rated, key=lambda name: rated[name])
    if not kind and rated[best] < 0.5:
        return words
    found = _attempt(best, rest, options, comma)
    read = ~np.isnan(found.numbers)
    values = np.full(len(texts), np.nan)
    values[some] = found.numbers
    wrong = tuple(np.flatnonzero(some)[~read].tolist())
    notation = dataclasses.replace(found.notation, marks=options.number_marks)
    if not wrong or kind:
        return Inferred(notation, values, wrong, guess=found.guess)
    if weights[read].sum() * 2 < weights.sum():
        return words
    plural = {'number': 'numbers', 'date': 'dates', 'time': 'times'}[best]
    return Inferred(words.notation, None, wrong, almost=plural)


def _attempt(kind: Kind, texts: list[str], options: Options, comma: bool) -> Inferred:
    """Return texts read as one kind, with the notation that reads most of them."""
    if kind == 'time':
        return Inferred(Notation('time'), hours(texts))
    if kind == 'date':
        found, order = days(texts, options.dates or '')
        if '%' in order and not np.isfinite(found).any():  # the format is of other columns
            found, order = days(texts)
        guess = ''
        if order.endswith('?'):
            other = MONTH_FIRST if order.startswith(DAY_FIRST) else DAY_FIRST
            guess = f'{texts[0]!r} read as {order[:-1]}; --dates {other} reads it otherwise'
        return Inferred(Notation('date', dates=order.rstrip('?')), found, guess=guess)
    marks = [options.decimal] if options.decimal else [',', '.'] if comma else ['.', ',']
    if options.thousands and not options.decimal:
        marks = [d for d in marks if d != options.thousands]
    tried = [(d, *numbers(texts, d, options.thousands)) for d in marks]
    best = max(tried, key=lambda one: int(np.isfinite(one[1]).sum()))
    decimal, values, units = best
    guess, used = '', list(dict.fromkeys(units[np.isfinite(values) & (values != 0)]))
    named = [unit for unit in used if unit]
    if len(used) > 1 and not (len(named) == 1 and len(named[0]) > 1):
        bare = [unit for unit in set(units.tolist()) if not re.fullmatch(f'{MONEY}|[%‰]|', unit)]
        values = np.where(np.isin(units, bare), np.nan, values)  # 12a and 7b have no unit
    if len(used) > 1:
        two = ' and '.join(repr(texts[int(np.argmax(units == unit))]) for unit in used[:2])
        guess = f'{two} have different units, and are read as numbers without them'
    if len(tried) == 2:
        mark, others, _ = next(one for one in tried if one is not best)
        differ = np.flatnonzero(np.isfinite(values) & np.isfinite(others) & (values != others))
        tie = np.isfinite(others).sum() == np.isfinite(values).sum()
        if tie and differ.size:
            at = int(differ[0])
            guess = f'{texts[at]!r} read as {values[at]:g}; --decimal {mark} reads {others[at]:g}'
    groups = ''.join(sorted(set(''.join(texts)).intersection(GROUPS) - {decimal}))
    unit = next(filter(None, units[np.isfinite(values)]), '')
    return Inferred(
        Notation('number', decimal, groups.strip() or groups, unit), values, guess=guess
    )
