"""Read numbers, dates and times as people write them.

Texts that differ only in their digits are written alike: one of them tells where the fields of all
are, and numpy reads these.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from kerasnets.typing import Array

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

#: Maximum number of digits of an integer that is exact as a float.
DIGITS = 15

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
MONEY = rf'US\$|C\$|A\$|R\$|[$€£¥₹₽₩₪₺฿¢]|(?:{_CODES})\b|kr\.?|zł|Fr\.'
_UNIT = rf'{MONEY}|[%‰]|°[CF]?|[^\W\d_]{{1,5}}[²³]?(?:/[^\W\d_]{{1,5}}[²³]?)?'
_PLAIN = r'(?:[eE][-+]?\d+)?'
_TIME = (
    r'(?P<H>\d{1,3})[:h](?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?)?'
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

#: Forms of a date, with any digits. Each names year, month and day, or the two numbers `a` and `b`
#: in either order.
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
        rf'(?P<m>\d{{1,2}})[-/.]{_YEAR}',
        rf'{_YEAR}M(?P<m>\d{{2}})',
        rf'{_YEAR}[-/: ]?\s?Q(?P<q>\d)',
        rf'Q(?P<q>\d)[-/: ]?\s?{_YEAR}',
        rf'{_YEAR}-?W(?P<w>\d{{2}})(?:-?(?P<wd>\d))?',
        rf'{_YEAR}(?P<m>\d\d)(?P<d>\d\d)',
    )
]
_COMPACT = _DATES[-1]
_HOURS = re.compile(rf'{_TIME}')


@dataclasses.dataclass(frozen=True)
class Alike:
    """Texts that differ only in their digits.

    Attributes
    ----------
    shape : str
        Any of them with zeros for all digits.
    places : array of int
        Their places in the list.
    starts : array of int
        Where each begins in `lines`.
    lines : str
        The whole list.
    codes : array of uint8
        Of the characters of `lines`.
    """

    shape: str
    places: Array
    starts: Array
    lines: str
    codes: Array

    def part(self, start: int, end: int) -> list[str]:
        """Return the characters of each text from `start` up to `end`."""
        return [self.lines[i + start : i + end] for i in self.starts.tolist()]

    def number(self, start: int, end: int) -> Array:
        """Return the number that the digits from `start` to `end` make, in each text."""
        found = np.zeros(len(self.starts), 'int64')
        for i in range(start, end):
            if self.shape[i] == '0':
                found = 10 * found + (self.codes[self.starts + i] - ord('0'))
        return found


_ZEROS = str.maketrans('123456789', '000000000')


def alike(texts: list[str]) -> list[Alike]:
    """Group texts by shape: the text with 0 for each digit. Blanks around a text are ignored.

    >>> [group.shape for group in alike(['7.5', '$ 12', '8.0', ''])]
    ['0.0', '$ 00', '']
    """
    lines = '\n'.join(map(str.strip, texts))
    if lines.count('\n') >= len(texts):
        lines = '\n'.join([text.strip().replace('\n', '\t') for text in texts])
    lines = lines if lines.isascii() else _ascii_digits(lines)
    codes = np.frombuffer(lines.encode('ascii', 'replace'), 'uint8')
    shapes = lines.translate(_ZEROS)
    first = shapes.partition('\n')[0]
    if len(texts) > 1 and f'{first}\n' * len(texts) == f'{shapes}\n':
        places = np.arange(len(texts))
        return [Alike(first, places, places * (len(first) + 1), lines, codes)]
    kinds, different = pd.factorize(np.array(shapes.split('\n')[: len(texts)], object))
    starts = np.append(0, np.cumsum(np.array(list(map(len, different)), int)[kinds] + 1))
    ends = np.cumsum(np.bincount(kinds))[:-1]
    groups = zip(different, np.split(np.argsort(kinds, kind='stable'), ends))
    return [Alike(shape, places, starts[places], lines, codes) for shape, places in groups]


def _ascii_digits(text: str) -> str:
    """Return a text with the usual digits and minus sign."""
    text = text.replace('\u2212', '-')
    return re.sub(r'[^\D0-9]', lambda digit: str(unicodedata.decimal(digit[0])), text)


def numbers(texts: list[str], decimal: str, thousands: str | None = None) -> tuple[Array, Array]:
    """Return the numbers in texts, and their units.

    A text that is no number gives NaN. 1e999, inf and ∞ give infinity.

    Parameters
    ----------
    texts : list of str
    decimal : str
    thousands : str, optional
        Characters that may group digits. Default: any of the usual ones.

    Returns
    -------
    array of float, and array of str: the unit of each, '' for none

    >>> numbers(['$1,037.5', '$(3)', '12_5', ' 7 '], '.')[0].tolist()
    [1037.5, -3.0, nan, 7.0]
    """
    groups = (GROUPS if thousands is None else thousands).replace(decimal, '')
    pattern = _pattern(decimal, groups)
    drop = str.maketrans({**dict.fromkeys(groups), decimal: '.'})
    found, units = np.full(len(texts), np.nan), np.full(len(texts), '', object)
    for group in alike(texts):
        match = pattern.fullmatch(group.shape)
        if match is None:
            if re.fullmatch(INFINITE, group.shape):
                found[group.places] = -np.inf if group.shape[0] == '-' else np.inf
            continue
        opened, first, before, second, body, after, closed = match.group(
            'open', 'first', 'before', 'second', 'body', 'after', 'closed'
        )
        unit = before or after or ''
        brackets = (opened, second).count('(')
        if brackets != (closed == ')') or unit.lower() in NO_UNITS:
            continue
        start, end = match.span('body')
        if body.count('0') > DIGITS or 'e' in body.lower():
            values = np.array([float(part.translate(drop)) for part in group.part(start, end)])
        else:
            decimals = body.partition(decimal)[2].count('0')
            values = group.number(start, end) / 10**decimals
        if not set(groups).isdisjoint(body):  # 0,123 groups nothing
            values[group.number(start, start + 1) == 0] = np.nan
        negative = brackets or '-' in (first, second, closed)
        found[group.places] = -values if negative else values
        units[group.places] = unit
    return found, units


@functools.cache
def _pattern(decimal: str, groups: str) -> re.Pattern[str]:
    """Return the pattern of a number: a sign or bracket, money, digits, a unit."""
    between = ''.join(map(re.escape, groups))
    grouped = (rf'\d{{1,3}}(?P<g>[{between}])\d{{3}}(?:(?P=g)\d{{3}})*|' if groups else '') + (
        r'\d{1,2}(?:,\d\d)+,\d{3}|' if ',' in groups else ''
    )
    point = re.escape(decimal)
    body = rf'(?:(?:{grouped}\d+)(?:{point}\d*)?|{point}\d+){_PLAIN}'
    return re.compile(
        rf'(?P<open>\()?(?P<first>[-+])?\s*(?P<before>{MONEY})?\s*(?P<second>[-+(])?'
        rf'(?P<body>{body})\s*(?P<after>{_UNIT})?\s*(?P<closed>[-)])?'
    )


@dataclasses.dataclass(frozen=True)
class _Fields:
    """The fields of dates or times that are written alike."""

    group: Alike
    match: re.Match[str]

    def text(self, name: str) -> str:
        """Return a field's characters in the shape; '' if the field is absent."""
        return self.match.groupdict().get(name) or ''

    def number(self, name: str, default: int = 0) -> Array:
        """Return a field of each text as a number."""
        if not self.text(name):
            return np.full(len(self.group.starts), default)
        return self.group.number(*self.match.span(name))

    def hours(self) -> Array:
        """Return the times as hours; NaN for 13 pm and 12:60."""
        hour, minute, second = map(self.number, 'HMS')
        valid, half = (minute < 60) & (second < 60), self.text('p')
        if half:
            valid &= (hour >= 1) & (hour <= 12)
            hour = hour % 12 + 12 * (half in 'pP')
        parts = 10 ** len(self.text('f'))
        seconds = (second * parts + self.number('f')) / parts
        return np.where(valid, hour + minute / 60 + seconds / 3600, np.nan)

    def days(self, order: str) -> Array:
        """Return dates with their times as days since 1970. The 31st of February is NaN."""
        name = next(name for name in ('y', 'yy') if self.text(name))
        year, whole = self.number(name), self.text(name).lstrip("'")
        if len(whole) == 2:
            year = year + np.where(year > 68, 1900, 2000)
        day, month = self.number('d', 1), self.number('m', 1)
        if self.text('mon'):
            month = np.full_like(year, MONTHS[self.text('mon').lower()])
        elif self.text('q'):
            month = 3 * self.number('q') - 2
        elif self.text('a'):
            day, month = self.number('a'), self.number('b')
            day, month = (day, month) if order == DAY_FIRST else (month, day)
        valid = (year >= 1) & (month >= 1) & (month <= 12)
        if self.match.re is _COMPACT:
            valid &= (year >= 1900) & (year < 2100)
        months = 12 * (year - 1970) + month - 1
        first, end = _first_days(months), _first_days(months + 1)
        date = first + day - 1
        if self.text('w'):
            week, weekday = self.number('w'), self.number('wd', 1)
            date, end = _monday(year) + 7 * (week - 1) + weekday - 1, _monday(year + 1)
            first, valid = _monday(year), valid & (week >= 1) & (weekday >= 1) & (weekday <= 7)
        hours, zone = self.hours(), self.text('z')
        shift: Any = float(ZONES.get(zone.upper(), 0))
        if zone[:1] in ('+', '-') and zone:
            at = self.match.start('z') + 1
            minutes = self.group.number(at + 2, self.match.end('z'))
            shift = (self.group.number(at, at + 2) + minutes / 60) * (-1 if zone[0] == '-' else 1)
        valid &= (date >= first) & (date < end) & (hours <= 24)
        return np.where(valid, date + (hours - shift) / 24, np.nan)


def _first_days(months: Array) -> Array:
    """Convert months since January 1970 to the days of their first, since 1 January 1970."""
    return months.astype('datetime64[M]').astype('datetime64[D]').astype('int64')


def _monday(years: Array) -> Array:
    """Return the Monday of the first week of years, which holds the 4th of January."""
    fourth = _first_days(12 * (years - 1970)) + 3
    return fourth - (fourth + 3) % 7


def hours(texts: list[str]) -> Array:
    """Read times such as 12:30, 12:30:05 or 1:30 pm as hours. Other texts become NaN."""
    found = np.full(len(texts), np.nan)
    for group in alike(texts):
        match = _HOURS.fullmatch(group.shape)
        if match is not None:
            found[group.places] = _Fields(group, match).hours()
    return found


def days(texts: list[str], order: str = '') -> tuple[Array, str]:
    """Read dates as days since 1970 in UTC. Other texts become NaN.

    Parameters
    ----------
    texts : list of str
    order : str
        'day-first' or 'month-first' for dates such as 03/04/2024; or a format. Default: the order
        by which most dates are valid; month-first between slashes where both are.

    Returns
    -------
    array of float, and the order that was used: '' if no date depends on it, with a '?' at its end
    if it was guessed

    >>> days(['2024-01-02', 'Jan 2024', '31/03/2024'])
    (array([19724., 19723., 19813.]), 'day-first')
    """
    if '%' in order:
        series = pd.Series(texts, dtype=object)
        dates = pd.to_datetime(series, format=order, errors='coerce', utc=True)
        micro = dates.dt.tz_localize(None).to_numpy('datetime64[us]')
        return np.where(np.isnat(micro), np.nan, micro.astype('int64') / 86_400e6), order
    groups = alike(texts)
    matches = [
        next(filter(None, (f.fullmatch(group.shape) for f in _DATES)), None) for group in groups
    ]
    dates = [_Fields(group, match) for group, match in zip(groups, matches) if match is not None]
    pairs = [date for date in dates if date.text('a')]
    if not pairs:
        order = ''
    elif not order:
        first, second = (
            sum(int(np.isfinite(date.days(one)).sum()) for date in pairs)
            for one in (DAY_FIRST, MONTH_FIRST)
        )
        guess = MONTH_FIRST if any('/' in group.shape for group in groups) else DAY_FIRST
        order = guess + '?' if first == second else DAY_FIRST if first > second else MONTH_FIRST
    found = np.full(len(texts), np.nan)
    for date in dates:
        found[date.group.places] = date.days(order.rstrip('?'))
    return found, order
