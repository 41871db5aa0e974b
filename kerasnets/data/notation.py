"""Numbers, dates and times as people write them, and marks of missing values."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

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

#: Words for the two orders of a date such as 03/04/2024.
DAY_FIRST, MONTH_FIRST = 'day-first', 'month-first'

#: Names of months in English, German, French, Spanish, Italian, Portuguese and Dutch, and their
#: abbreviations that are not the first three letters of one.
_MONTHS = (
    'january januar januari janvier janv enero gennaio janeiro jänner',
    'february februar februari février févr fevrier febrero febbraio fevereiro',
    'march märz maerz mrz mars marzo março maart mrt',
    'april avril abril aprile',
    'may mai mayo maggio maio mei',
    'june juni juin junio giugno junho',
    'july juli juillet juil julio luglio julho',
    'august août aout agosto augustus',
    'september sept septembre septiembre settembre setembro',
    'october oktober octobre octubre ottobre outubro',
    'november novembre noviembre novembro',
    'december dezember décembre decembre diciembre dicembre dezembro',
)
MONTHS = {
    short: i + 1
    for i, names in enumerate(_MONTHS)
    for name in names.split()
    for short in (name, name[:3])
    if short != 'jui'  # June or July
}

#: Characters that group the digits of a number in threes.
GROUPS = " ,.'’\u00a0\u202f\u2009"

#: Letters after a number that are no unit of it.
NO_UNITS = 'am', 'pm', 'st', 'nd', 'rd', 'th', 'e'

#: Pattern of an infinite number.
INFINITE = r'[-+]?(?i:inf|infinity|∞)\s*'

#: Abbreviation of a time zone -> its hours from UTC. Of those with several meanings the American.
ZONES = {
    **{'UTC': 0, 'GMT': 0, 'WET': 0, 'WEST': 1, 'BST': 1, 'CET': 1, 'CEST': 2, 'EET': 2, 'EEST': 3},
    **{'EST': -5, 'EDT': -4, 'CST': -6, 'CDT': -5, 'MST': -7, 'MDT': -6, 'PST': -8, 'PDT': -7},
    **{'MSK': 3, 'JST': 9, 'AEST': 10, 'AEDT': 11},
}

_CODES = 'USD|EUR|GBP|CHF|JPY|INR|CNY|RMB|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|BRL|MXN|ZAR|KRW|RUB|TRY'
_MONEY = rf'US\$|C\$|A\$|R\$|[$€£¥₹₽₩₪₺฿¢]|(?:{_CODES})\b|kr\.?|zł|Fr\.'
_UNIT = rf'{_MONEY}|[%‰]|°[CF]?|[^\W\d_]{{1,5}}[²³]?(?:/[^\W\d_]{{1,5}}[²³]?)?'
_PLAIN = r'(?:[eE][-+]?\d+)?'
_TIME = (
    r'(?P<H>\d{1,3})[:h](?P<M>[0-5]\d)(?::(?P<S>[0-5]\d(?:[.,]\d+)?))?'
    r'(?:\s*(?P<p>[AaPp])\.?[Mm]\.?)?'
)
_CLOCK = (
    rf'(?:(?:\s*[T,]\s*|\s+|:){_TIME}\s*(?P<z>Z|{"|".join(ZONES)}|[-+]\d{{2}}(?::?\d{{2}})?)?'
    r'(?:\[[\w/]+\])?)?'
)
_WEEKDAY = r'(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?'
_NAME = rf'(?P<mon>{"|".join(sorted(MONTHS, key=len, reverse=True))})\.?'
_YEAR = r'(?P<y>\d{4})'
_DAY = r'(?P<d>\d{1,2})(?:st|nd|rd|th)?'

#: Forms of a date. Each names year, month and day, or the two numbers `a` and `b` in either order.
_DATES = [
    re.compile(f'{_WEEKDAY}{date}{_CLOCK}', re.IGNORECASE)
    for date in (
        rf'{_YEAR}([-/.])(?P<m>\d{{1,2}})(?:\2(?P<d>\d{{1,2}}))?',
        r'(?P<a>\d{1,2})([-/.])(?P<b>\d{1,2})\2(?P<y>\d{4}|\d{2})',
        rf'{_DAY}(?:\s*[-/., ]\s*|\s+(?:of|de)\s+){_NAME}(?:\s*[-/., ]?\s*|\s+de\s+)'
        r'(?P<y>\d{4}|\'?\d{2})',
        rf'{_NAME}\s*[-/. ]\s*{_DAY}\s*[-/, ]\s*{_YEAR}',
        rf'{_NAME}\s*(?:[-/., ]\s*{_YEAR}|[-/\'](?P<yy>\d{{2}}))',
        rf'{_YEAR}\s*[-/. ]\s*{_NAME}(?:[-/. ]\s*{_DAY})?',
        r'(?P<m>0?[1-9]|1[0-2])[-/.](?P<y>\d{4})',
        rf'{_YEAR}M(?P<m>\d{{2}})',
        rf'{_YEAR}[-/: ]?\s?Q(?P<q>[1-4])',
        rf'Q(?P<q>[1-4])[-/: ]?\s?{_YEAR}',
        rf'{_YEAR}-?W(?P<w>\d{{2}})(?:-?(?P<wd>[1-7]))?',
        r'(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)',
    )
]
_HOURS = re.compile(rf'{_TIME}')


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


def numbers(
    texts: list[str], decimal: str, thousands: str | None = None
) -> tuple[Array, list[str]]:
    """Return texts as numbers, infinite ones too, NaN for other texts, and the unit of each.

    Parameters
    ----------
    texts : list of str
    decimal : str
    thousands : str, optional
        Characters that may group digits. Default: any of the usual ones.

    >>> numbers(['$1,037.5', '$(3)', '12_5', ' 7 '], '.')[0].tolist()
    [1037.5, -3.0, nan, 7.0]
    """
    groups = (GROUPS if thousands is None else thousands).replace(decimal, '')
    pattern = _pattern(decimal, groups)
    drop = str.maketrans({**dict.fromkeys(groups), decimal: '.'})
    found, units = np.full(len(texts), np.nan), [''] * len(texts)
    for i, text in enumerate(texts):
        text = text.strip().replace('\u2212', '-')
        match = pattern.fullmatch(text)
        if match is None and re.fullmatch(INFINITE, text):
            found[i] = -np.inf if text[0] == '-' else np.inf
        if match is None:
            continue
        opened, first, before, second, body, after, closed = match.group(
            'open', 'first', 'before', 'second', 'body', 'after', 'closed'
        )
        unit = before or after or ''
        brackets = (opened, second).count('(')
        if brackets != (closed == ')') or unit.lower() in NO_UNITS:
            continue
        negative = brackets or '-' in (first, second, closed)
        found[i] = (-1 if negative else 1) * float(body.translate(drop))
        units[i] = unit
    return found, units


_patterns: dict[tuple[str, str], re.Pattern[str]] = {}


def _pattern(decimal: str, groups: str) -> re.Pattern[str]:
    """Return the pattern of a number: a sign or bracket, money, digits, a unit."""
    if (decimal, groups) not in _patterns:
        between = ''.join(map(re.escape, groups))
        grouped = (
            rf'[1-9]\d{{0,2}}(?P<g>[{between}])\d{{3}}(?:(?P=g)\d{{3}})*|' if groups else ''
        ) + (r'[1-9]\d?(?:,\d\d)+,\d{3}|' if ',' in groups else '')
        point = re.escape(decimal)
        body = rf'(?:(?:{grouped}\d+)(?:{point}\d*)?|{point}\d+){_PLAIN}'
        _patterns[decimal, groups] = re.compile(
            rf'(?P<open>\()?(?P<first>[-+])?\s*(?P<before>{_MONEY})?\s*(?P<second>[-+(])?'
            rf'(?P<body>{body})\s*(?P<after>{_UNIT})?\s*(?P<closed>[-)])?'
        )
    return _patterns[decimal, groups]


def hours(texts: list[str]) -> Array:
    """Return times such as 12:30, 12:30:05 or 1:30 pm as hours, NaN for other texts."""
    return np.array(
        [_clock(match) if (match := _HOURS.fullmatch(t.strip())) else np.nan for t in texts]
    )


def _clock(match: re.Match[str]) -> float:
    """Return the hours of a match of `_TIME`; NaN for 13 pm."""
    hour, second = int(match['H'] or 0), (match['S'] or '0').replace(',', '.')
    if match['p']:
        if not 1 <= hour <= 12:
            return np.nan
        hour = hour % 12 + 12 * (match['p'] in 'pP')
    return hour + int(match['M'] or 0) / 60 + float(second) / 3600


def days(texts: list[str], order: str = '') -> tuple[Array, str]:
    """Return dates as days since 1970 (UTC), NaN for other texts, and the order used.

    Parameters
    ----------
    texts : list of str
    order : str
        'day-first' or 'month-first' for dates such as 03/04/2024; or a format. Default: the order
        by which most dates are valid; month-first between slashes where both are.

    Returns
    -------
    array of float, and the order: '' where no date depends on it, with a '?' at its end where it
    was guessed

    >>> days(['2024-01-02', 'Jan 2024', '31/03/2024'])
    (array([19724., 19723., 19813.]), 'day-first')
    """
    if '%' in order:
        return _as_days(
            pd.to_datetime(pd.Series(texts, dtype=object), format=order, errors='coerce', utc=True)
        ), order
    found = _iso(texts)
    if found is not None:
        return found, order
    matches = [
        next((m for p in _DATES if (m := p.fullmatch(text.strip()))), None) for text in texts
    ]
    pairs = [(int(m['a']), int(m['b'])) for m in matches if m and 'a' in m.re.groupindex]
    if not pairs:
        return np.array([_day(m, '') for m in matches]), ''
    if not order:
        first, second = (sum(pair[i] > 12 for pair in pairs) for i in (0, 1))
        slashes = any('/' in text for text in texts)
        guess = MONTH_FIRST if slashes else DAY_FIRST
        order = guess + '?' if first == second else DAY_FIRST if first > second else MONTH_FIRST
    return np.array([_day(m, order.rstrip('?')) for m in matches]), order


def _iso(texts: list[str]) -> Array | None:
    """Return texts as days if all are ISO 8601 dates, which pandas parses fast; else None."""
    if min(map(len, texts), default=0) < 10 or {t[4:8:3] for t in texts} != {'--'}:
        return None
    try:
        return _as_days(pd.to_datetime(pd.Series(texts, dtype=object), format='ISO8601', utc=True))
    except (ValueError, OverflowError):
        return None


def _as_days(dates: Any) -> Array:
    """Return a series of dates in UTC as days since 1970."""
    whole = dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
    found = whole.to_numpy('datetime64[us]')
    return np.where(np.isnat(found), np.nan, found.astype('int64') / 86_400e6)


def _day(match: re.Match[str] | None, order: str) -> float:
    """Return the days since 1970 of a match of `_DATES`; NaN for the 31st of February."""
    if match is None:
        return np.nan
    part = match.groupdict()
    year = int((part.get('y') or part['yy']).lstrip("'"))
    if year < 100 and len((part.get('y') or part['yy']).lstrip("'")) == 2:
        year += 1900 if year > 68 else 2000
    try:
        if part.get('w'):
            date = datetime.date.fromisocalendar(year, int(part['w']), int(part['wd'] or 1))
        else:
            if 'a' in part:
                day, month = int(part['a']), int(part['b'])
                day, month = (day, month) if order == DAY_FIRST else (month, day)
            else:
                day = int(part.get('d') or 1)
                month = MONTHS[part['mon'].lower()] if part.get('mon') else int(part.get('m') or 1)
            month = 3 * int(part['q']) - 2 if part.get('q') else month
            date = datetime.date(year, month, day)
    except ValueError:
        return np.nan
    clock = _clock(match)
    if clock > 24:
        return np.nan
    zone = (part['z'] or '').replace(':', '')
    shift = float(ZONES.get(zone.upper(), 0))
    if zone[:1] in ('+', '-') and zone:
        shift = (int(zone[1:3]) + int(zone[3:] or 0) / 60) * (1 if zone[0] == '+' else -1)
    return date.toordinal() - 719163 + (clock - shift) / 24


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
    pairs = zip(units, values)
    guess, used = '', list(dict.fromkeys(u for u, v in pairs if np.isfinite(v) and v != 0))
    named = [unit for unit in used if unit]
    if len(used) > 1 and not (len(named) == 1 and len(named[0]) > 1):
        bare = [not re.fullmatch(f'{_MONEY}|[%‰]|', unit) for unit in units]
        values = np.where(bare, np.nan, values)  # 12a and 7b have no unit
    if len(used) > 1:
        two = ' and '.join(repr(texts[units.index(unit)]) for unit in used[:2])
        guess = f'{two} have different units, and are read as numbers without them'
    if len(tried) == 2:
        mark, others, _ = next(one for one in tried if one is not best)
        differ = np.flatnonzero(np.isfinite(values) & np.isfinite(others) & (values != others))
        tie = np.isfinite(others).sum() == np.isfinite(values).sum()
        if tie and differ.size:
            at = int(differ[0])
            guess = f'{texts[at]!r} read as {values[at]:g}; --decimal {mark} reads {others[at]:g}'
    groups = ''.join(sorted({c for t in texts for c in t if c in GROUPS} - {decimal}))
    unit = next((u for u, value in zip(units, values) if u and np.isfinite(value)), '')
    return Inferred(
        Notation('number', decimal, groups.strip() or groups, unit), values, guess=guess
    )
