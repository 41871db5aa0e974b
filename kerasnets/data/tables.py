"""Read delimited text files and data frames as tables of typed columns."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasnets.data import notation
from kerasnets.data.notation import Notation, Options
from kerasnets.data.values import INFINITE, days, numbers
from kerasnets.errors import DataError, suggest
from kerasnets.typing import Array, Path

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

__all__ = ['Options', 'Reading', 'Table', 'decoded', 'find_column', 'read']

#: Separators that are looked for, and the rows at the start of a file that are looked at.
SEPARATORS, HEAD = ',;\t|', 300

#: Booleans that pandas reads, in the two usual orders of their texts.
BOOLEANS = ('False', 'True'), ('false', 'true'), ('FALSE', 'TRUE')

#: Bytes that are counted at once.
BLOCK = 2**16

#: Different words up to which whole numbers with leading zeros are words.
CODES = 100


@dataclasses.dataclass(frozen=True)
class Reading:
    """The result of reading a column.

    Attributes
    ----------
    notation : Notation
    missing : int
        Rows without a value.
    example : str
        A value as it is written.
    doubt : str
        Why a column that is mostly numbers or dates is not read as such, or which values were not
        read.
    guess : str
        What was guessed, and the option that decides it.
    whole : bool
        Whether all values are whole numbers.
    wrong : str
        A value that is not written as those of training.
    """

    notation: Notation
    missing: int = 0
    example: str = ''
    doubt: str = ''
    guess: str = ''
    whole: bool = False
    wrong: str = ''

    @property
    def kind(self) -> str:
        """'number', 'word', 'date' or 'time'."""
        return self.notation.kind


@dataclasses.dataclass
class Table:
    """A table with typed columns.

    Attributes
    ----------
    frame : pandas.DataFrame
        Numbers and times of day (in hours) are float or int, dates datetime64 in UTC, words are
        categories. Missing values are NaN or NaT.
    readings : dict of str to Reading
        How each column was read.
    notes : list of str
        What was guessed or left out of the whole file.
    dropped : tuple of str
        Columns that `Options.kinds` leaves out. They are in `frame` as words.
    """

    frame: pd.DataFrame
    readings: dict[str, Reading]
    notes: list[str] = dataclasses.field(default_factory=list)
    dropped: tuple[str, ...] = ()
    source: _Source | None = None
    numbers: Array | None = None  # of rows in the source

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        options: Options | None = None,
        known: Mapping[str, Notation] | None = None,
    ) -> Self:
        """Return a data frame as a table: columns of texts are read as those of a file.

        Parameters
        ----------
        frame : pandas.DataFrame
        options : Options, optional
        known : dict of str to Notation, optional
            How columns are written, instead of what their values look like.

        Raises
        ------
        DataError
        """
        names = [str(name) for name in frame.columns]
        if len(set(names)) < len(names):
            raise DataError(
                f'two columns have the name {_twice(names)!r}. Give one of them another name.'
            )
        frame = frame.set_axis(names, axis=1).reset_index(drop=True)
        return cls._typed(frame, options or Options(), known or {}, None)

    @classmethod
    def _typed(
        cls, frame: pd.DataFrame, options: Options, known: Mapping[str, Notation], source: Any
    ) -> Self:
        for name in options.kinds:
            find_column(frame, name)
        comma = source is not None and source.comma
        columns: dict[str, Any] = {}
        readings: dict[str, Reading] = {}
        table = cls(pd.DataFrame(), readings, source=source)
        for name in frame.columns:
            column, reading = _column(table, name, frame[name], options, known.get(name), comma)
            columns[name], readings[name] = _finite(table, name, column, reading)
        table.frame = pd.DataFrame(columns, index=frame.index, copy=False)
        table.dropped = tuple(name for name, kind in options.kinds.items() if kind == 'drop')
        return table

    def check(self, name: str) -> None:
        """Refuse a column with a value that is not written as those of training.

        Raises
        ------
        DataError
        """
        find_column(self.frame, name)
        if self.readings[name].wrong:
            raise DataError(self.readings[name].wrong)

    def take(self, rows: Array) -> Table:
        """Return some rows, by their numbers."""
        kept = self.frame.iloc[rows].reset_index(drop=True)
        numbers = np.arange(len(self)) if self.numbers is None else self.numbers
        return dataclasses.replace(self, frame=kept, numbers=numbers[rows])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def where(self, row: int) -> str:
        """Return the place of a row: its line in a file, else its number from 0."""
        row = row if self.numbers is None else int(self.numbers[row])
        return f'row {row}' if self.source is None else f'line {self.source.line(row)}'

    def rows(self) -> Iterator[list[str]]:
        """Yield the texts of each row of the file, as they stand there."""
        if self.source is None:
            raise DataError('the table has no file. Use table.frame.')
        return (row for _, row in self.source.records())


class _Source:
    """The content of a file from the row below its line of names, in UTF-8."""

    def __init__(self, content: bytes, start: int, separator: str, line: int) -> None:
        self.content, self.start = content, start
        self.separator, self.first = separator, line
        self.comma, self.decimal = separator == ';', '.'

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line that each row begins in, and its texts."""
        reader = csv.reader(
            _lines(self.content, self.start), delimiter=self.separator, skipinitialspace=True
        )
        line = self.first
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield line, [text.strip() for text in row]
            line = self.first + reader.line_num

    def stream(self) -> io.BytesIO:
        """Return the rows as a file."""
        stream = io.BytesIO(self.content)
        stream.seek(self.start)
        return stream

    def line(self, row: int) -> int:
        """Return the line of the file that a row begins in."""
        return next(line for i, (line, _) in enumerate(self.records()) if i == row)

    def check(self, names: list[str], path: Path) -> None:
        """Refuse rows with more or fewer values than there are names."""
        for line, row in self.records():
            if len(row) != len(names):
                remedy = (
                    'Close the quotation mark there.'
                    if len(row) < len(names) and '\n' in ''.join(row)
                    else f'Quote values that hold {self.separator!r}, or set --separator.'
                )
                raise DataError(
                    f'{path}, line {line}: expected {len(names)} values, as many as there are '
                    f'names in line {self.first - 1}, got {len(row)}. {remedy}'
                )

    def even(self, columns: int, rows: int) -> bool:
        """Count the separators at once. False where only `check` can tell."""
        content = np.frombuffer(self.content, np.uint8, offset=self.start)
        if b'"' not in self.content:  # pandas has refused rows that are too long
            found = sum(
                np.count_nonzero(content[at : at + BLOCK] == ord(self.separator))
                for at in range(0, len(content), BLOCK)
            )
            return found == rows * (columns - 1)
        outside = ~np.logical_xor.accumulate(content == ord('"'))
        ends = np.flatnonzero((content == 10) & outside)
        between = np.flatnonzero((content == ord(self.separator)) & outside)
        ends = np.append(ends, len(content)) if content[-1] != 10 else ends
        counts = np.diff(np.searchsorted(between, np.append(0, ends)))
        return bool(outside[-1]) and len(counts) == rows and bool((counts == columns - 1).all())


def read(
    path: Path, options: Options | None = None, known: Mapping[str, Notation] | None = None
) -> Table:
    """Read a delimited text file with a line of names.

    Parameters
    ----------
    path : str or path
        '-' for standard input.
    options : Options, optional
        The user's options.
    known : dict of str to Notation, optional
        Notations that replace inference from the values, such as `Columns.notations` of a model.

    Raises
    ------
    DataError
        If the file cannot be read; the message names the line.
    """
    options, known, notes = options or Options(), known or {}, []
    content, encoding = _content(path, options.encoding)
    if encoding not in ('utf-8', options.encoding):
        notes.append(f'read as {encoding}, as it is not UTF-8; --encoding decides it')
    start, line, separator = _start(content, options.separator, notes)
    if start == len(content):
        raise DataError(
            f'{path}: expected a line of names and rows below it, but the file is empty. '
            'Choose another file.'
        )
    separator = separator or _separator(content, start)
    if separator == ' ':  # any number of blanks
        content = re.sub(
            rb'[ \t]+', b'\t', re.sub(rb'(?m)^[ \t]+|[ \t]+(?=\r?$)', b'', content[start:])
        )
        separator, start = '\t', 0
    header, start, line = _header(content, start, separator, line)
    if not content[start : start + 2**20].strip() and not content[start:].strip():
        raise DataError(f'{path}: there is no row below the line of names. Add rows.')
    source = _Source(content, start, separator, line)
    names = _names(header, source, path, notes)
    head = [row for (_, row), _ in zip(source.records(), range(HEAD))]
    if any(len(row) != len(names) for row in head):
        source.check(names, path)
    types, plain, booleans, decimal = _first_look(names, head, options, known, source)
    blanks = any(
        separator + ' ' in text or text[:1] == ' '
        for text, _ in zip(_lines(content, start), range(HEAD))
    )
    settings: dict[str, Any] = dict(
        sep=separator,
        header=None,
        names=range(len(names)),
        index_col=False,
        skipinitialspace=blanks,
        keep_default_na=False,
        decimal=decimal,
    )
    marks = {
        i: ['', *(known.get(name) or options).marks, *options.missing]
        for i, name in enumerate(names)
    }
    every = {i: [*m, *options.number_marks] if i in plain else m for i, m in marks.items()}
    try:
        with warnings.catch_warnings():  # about columns that are read again below
            warnings.simplefilter('ignore', pd.errors.DtypeWarning)
            frame = pd.read_csv(source.stream(), dtype=types, na_values=every, **settings)
        again = []
        for i in [i for i in frame if i not in types]:
            if i in booleans and pd.api.types.is_bool_dtype(frame[i].dtype):
                codes = frame[i].to_numpy().view('int8')
                frame[i] = pd.Categorical.from_codes(codes, booleans[i])
            elif not _as_expected(frame[i], i in plain):
                again.append(i)
        if again:
            texts = pd.read_csv(
                source.stream(), usecols=again, dtype=str, na_values=marks, **settings
            )
            frame[again] = texts.astype(object)
    except pd.errors.ParserError as error:
        source.check(names, path)
        last = list(source.records())[-1][0]
        raise DataError(
            f'{path}, line {last}: a quotation mark is not closed in the row that begins there '
            f'({error}). Close it, or write it twice inside of quotation marks.'
        ) from None
    frame.columns = pd.Index(names)
    if frame.iloc[:, -1].hasnans and not source.even(len(names), len(frame)):
        source.check(names, path)  # of rows that are too short; pandas refuses longer ones
    for name in [n for n in names if n.startswith('column ') and n not in known]:
        if frame[name].isna().all():
            del frame[name]
            notes.append(f'{name} has no name and no value, and is left out')
    empty = np.flatnonzero(frame.iloc[:, 0].isna())
    empty = empty[frame.iloc[empty].isna().all(axis=1)]
    if len(empty):
        notes.append(f'{len(empty)} rows hold no value, such as line {source.line(int(empty[0]))}')
    table = Table._typed(frame, options, known, source)
    table.notes = notes
    lacking = {'', *options.number_marks}
    for i, name in enumerate(names):  # as it is written
        written = next((row[i] for row in head if row[i] not in lacking), '')
        if name in table.readings and written:
            reading = dataclasses.replace(table.readings[name], example=written)
            table.readings[name] = reading
    return table


def decoded(path: Path, encoding: str | None = 'utf-8') -> str:
    """Return the text of a file, or for '-' of standard input.

    Raises
    ------
    DataError
        If it is in another encoding.
    """
    return _content(path, encoding)[0].decode()


def _content(path: Path, encoding: str | None) -> tuple[bytes, str]:
    """Return the content of a file in UTF-8 and its encoding, which is detected if None."""
    try:
        if str(path) == '-':
            content = sys.stdin.buffer.read()
        else:
            with open(path, 'rb') as file:
                content = file.read()
        if content[:2] == b'\x1f\x8b':
            content = gzip.decompress(content)
        elif zipfile.is_zipfile(stream := io.BytesIO(content)):
            with zipfile.ZipFile(stream) as archive:
                files = [name for name in archive.namelist() if name[-1] != '/']
                content = archive.read(files[0]) if len(files) == 1 else content
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f'{path}: expected a readable file: {error}. Check its path and permissions.'
        ) from None
    guessed, wide = encoding is None, content[:2] in (b'\xff\xfe', b'\xfe\xff')
    encoding = encoding or ('utf-16' if wide else 'utf-8')
    try:
        ''.encode(encoding)  # rot13 and others are no encodings of text
        decoder = codecs.getincrementaldecoder(encoding)()
        if codecs.lookup(encoding).name == 'utf-8':  # in pieces, which need no memory
            for at in range(0, len(content) + 1, 2**20):
                decoder.decode(content[at : at + 2**20], final=at + 2**20 > len(content))
        else:
            content = decoder.decode(content, final=True).encode()
    except UnicodeError as error:
        if not guessed:
            raise DataError(
                f'{path}: expected text in {encoding}, got other bytes ({error}). Set the '
                'encoding, such as --encoding latin-1.'
            ) from None
        encoding = 'cp1252'
        content = content.decode(encoding, errors='replace').encode()
    except LookupError:
        raise DataError(f'there is no encoding {encoding!r}. Try utf-8 or latin-1.') from None
    content = content.removeprefix(codecs.BOM_UTF8)
    if b'\0' in content:
        what = 'a workbook or an archive' if content[:2] == b'PK' else 'no text'
        raise DataError(
            f'{path}: expected CSV, but the file is {what}. Export the table as CSV first.'
        )
    if b'\n' not in content:  # of an old Macintosh
        content = content.replace(b'\r', b'\n')
    return content, encoding


def _start(content: bytes, separator: str | None, notes: list[str]) -> tuple[int, int, str | None]:
    """Return the start of the line of names, its number, and a separator that the file names."""
    start, line = 0, 1
    for raw in _lines(content, 0):
        first = raw.rstrip()
        named = re.fullmatch(r'"?sep=(.)"?', raw.rstrip('\r\n'), re.IGNORECASE)
        if named:
            separator = separator or named[1]
        elif first.startswith('#') and start + len(raw.encode()) < len(content):
            notes.append(f'line {line} is a comment and left out: {first[:40]!r}')
        elif first.strip():
            break
        start, line = start + len(raw.encode()), line + 1
    return start, line, separator


def _separator(content: bytes, start: int) -> str:
    """Return the separator that splits the first lines equally; ' ' for any blanks."""
    lines = [line for line, _ in zip(_lines(content, start), range(100)) if line.strip()]
    text = ''.join(lines)
    rated = []
    for i, separator in enumerate(SEPARATORS):
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        try:
            widths = [len(row) for row in reader]
        except csv.Error:
            continue
        equal = sum(abs(width - widths[0]) < 1 for width in widths) / len(widths)
        more = all(width == widths[0] + 1 for width in widths[1:]) and len(widths) > 1
        if widths[0] > 1 or (separator == '\t' and more and '\t' in text):
            rated.append((max(equal, 0.99 * more), widths[0], -i, separator))
    if rated:
        return max(rated)[-1]
    blanks = {len(line.split()) for line in lines}
    if len(blanks) == 1 and len(lines) > 2 and blanks.pop() > 1:
        return ' '
    return next((s for s in SEPARATORS if s not in text), ',')  # one column


def _header(content: bytes, start: int, separator: str, line: int) -> tuple[list[str], int, int]:
    """Return the names, the start of the rows, and the number of their first line."""
    reader = csv.reader(_lines(content, start), delimiter=separator, skipinitialspace=True)
    header = next(reader)
    for _ in range(reader.line_num):
        start = content.find(b'\n', start) + 1 or len(content)
    return [name.strip().strip('"').strip() for name in header], start, line + reader.line_num


def _names(header: list[str], source: _Source, path: Path, notes: list[str]) -> list[str]:
    """Return the names of columns, with numbers for columns without a name."""
    first = next(iter(source.records()))[1]
    if len(first) == len(header) + 1:  # R writes row names so; others a separator at the end
        header = [*header, ''] if not first[-1] else ['', *header]
    names = [name or f'column {i + 1}' for i, name in enumerate(header)]
    plain = np.isfinite(numbers(header, '.')[0]).all()
    if (twice := _twice(names)) is not None:
        remedy = 'Add a line of names above.' if plain else 'Rename one of the columns.'
        raise DataError(
            f'{path}, line {source.first - 1}: the name {twice!r} is there twice. {remedy}'
        )
    if plain:
        notes.append(
            f'line {source.first - 1} holds only numbers, which are taken as names. Add a line of '
            'names above it if it is a row.'
        )
    return names


def _lines(content: bytes, start: int) -> Iterator[str]:
    """Yield the lines from a position on without a copy of the whole content."""
    while start < len(content):
        end = content.find(b'\n', start) + 1 or len(content)
        yield content[start:end].decode()
        start = end


def _twice(names: Sequence[str]) -> str | None:
    return next((name for i, name in enumerate(names) if name in names[:i]), None)


def _first_look(
    names: list[str],
    head: list[list[str]],
    options: Options,
    known: Mapping[str, Notation],
    source: _Source,
) -> tuple[dict[int, Any], set[int], dict[int, tuple[str, ...]], str]:
    """Return what pandas must know of the columns, by their places.

    Returns
    -------
    types : dict
        Of words that look like numbers or booleans, which pandas would not keep as written.
    plain : set
        Columns that look like numbers.
    booleans : dict
        The two texts of columns that look like booleans.
    decimal : str
        The most common decimal character.
    """
    columns = [[row[i] for row in head if row[i]] for i in range(len(names))]
    commas = 0
    for name, column in zip(names, columns):
        if name in known:
            commas += known[name].decimal == ','
        elif ',' in ''.join(column):
            different = list(dict.fromkeys(column))
            counts = np.ones(len(different))
            found = notation.infer(different, counts, options, options.kinds.get(name))
            commas += found.notation.decimal == ',' and not found.guess
    decimal = options.decimal or (',' if commas or options.thousands == '.' else '.')
    source.comma, source.decimal = source.comma or decimal == ',', decimal
    types: dict[int, Any] = {}
    plain: set[int] = set()
    booleans: dict[int, tuple[str, ...]] = {}
    number = re.compile(rf'[-+]?(\d+[{decimal}]?\d*|[{decimal}]\d+)([eE][-+]?\d+)?\s*|' + INFINITE)
    for i, (name, column) in enumerate(zip(names, columns)):
        written = known.get(name)
        kind = written.kind if written else options.kinds.get(name)
        column = [text for text in column if text not in options.number_marks]
        numeric = [number.fullmatch(text) is not None for text in column]
        if (
            kind not in ('word', 'drop')
            and (written is None or written.decimal == decimal)
            and column
            and all(numeric)
            and not any(re.match(r'[-+]?0\d', text) for text in column)  # of codes
        ):
            plain.add(i)
        elif len(column) == len(head) and (both := tuple(sorted(set(column)))) in BOOLEANS:
            booleans[i] = both
        elif any(numeric) or not column or {'true', 'false'} & set(map(str.lower, column)):
            types[i] = str  # categories would become numbers
    return types, plain, booleans, decimal


def _as_expected(series: pd.Series[Any], plain: bool) -> bool:
    """Return True if pandas read a column as expected: all numbers if `plain`, else all texts."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return False
    if pd.api.types.is_numeric_dtype(series.dtype):
        return plain
    return not plain and pd.api.types.infer_dtype(series, skipna=True) in ('string', 'empty')


def _column(
    table: Table,
    name: str,
    series: pd.Series[Any],
    options: Options,
    known: Notation | None,
    comma: bool,
) -> tuple[pd.Series[Any], Reading]:
    """Return a column with its type, and how it was read."""
    kind = known.kind if known else options.kinds.get(name)
    if kind == 'drop':
        kind = 'word'
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kind = kind or ('word' if table.source is None else None)  # of a user, or of `read`
    elif isinstance(dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    elif pd.api.types.is_timedelta64_dtype(dtype):
        series = series / pd.Timedelta(hours=1)
    if pd.api.types.is_datetime64_any_dtype(series.dtype) and kind != 'word':
        dates = series.dt.tz_convert('UTC').dt.tz_localize(None) if series.dt.tz else series
        return dates, _reading(known or Notation('date'), dates, series)
    numeric = pd.api.types.is_numeric_dtype(series.dtype)
    if pd.api.types.is_complex_dtype(series.dtype):
        raise DataError(f'column {name!r} holds complex numbers. Split them into two columns.')
    if (
        numeric
        and not pd.api.types.is_bool_dtype(series.dtype)
        and kind in (None, 'number', 'time')
    ):
        if kind is None and _are_days(series):
            kind = 'date'
        else:
            if not isinstance(series.dtype, np.dtype):
                series = series.astype('float64')
            decimal = '.' if table.source is None else table.source.decimal
            return series, _reading(known or Notation('number', decimal), series, series)
    if isinstance(dtype, pd.CategoricalDtype):
        codes, different = series.cat.codes.to_numpy(), dtype.categories
    else:
        try:
            codes, different = pd.factorize(series)
        except TypeError as error:
            raise DataError(
                f'column {name!r}: expected a number, text or date in each row ({error}). '
                'Split it into columns, or leave it out.'
            ) from None
    different = np.asarray(different, dtype=object).tolist()
    texts = different if isinstance(dtype, pd.StringDtype) else list(map(as_text, different))
    texts = list(map(str.strip, texts))
    if texts != different and len(set(texts)) < len(texts):
        merged = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        codes = np.append([merged[text] for text in texts], -1)[codes]
        texts = list(merged)
    if known is not None and known.kind != 'word':
        return _as_known(table, name, codes, texts, options, known)
    if kind == 'word':
        return _words(table, series, codes, texts, options, known)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if kind is None and len(texts) <= CODES and any(re.fullmatch(r'[-+]?0\d+', t) for t in texts):
        kind = 'word'
    found = notation.infer(texts, counts, options, kind, comma)
    doubt = ''
    if found.wrong:
        row = int(np.argmax(np.isin(codes, found.wrong)))
        at, place = codes[row], table.where(row)
        wrong = int(counts[list(found.wrong)].sum())
        marks = ('', *options.number_marks)
        given = sum(c for c, text in zip(counts.tolist(), texts) if text not in marks)
        what, mark = repr(texts[at]), f'--missing {texts[at]!r}'
        remedy = f'--as {name}={found.almost[:-1]} or {mark}'
        if table.source is None:
            parse = {'numbers': 'numeric', 'dates': 'datetime'}.get(found.almost, 'timedelta')
            remedy = f"pandas.to_{parse}(frame[{name!r}], errors='coerce')"
        doubt = (
            f'{given - wrong:,} of {given:,} are {found.almost}, but {what} in {place}; '
            f'{remedy} takes it as missing'
            if found.values is None
            else f'{given - wrong:,} of {given:,} are {found.notation.kind}s; the others, such as '
            f'{what} in {place}, are taken as missing'
        )
    if found.values is None:
        column, reading = _words(table, series, codes, texts, options, known)
        return column, dataclasses.replace(reading, doubt=doubt)
    column = _values(found.notation, np.append(found.values, np.nan)[codes])
    example = texts[int(np.argmax(np.isfinite(found.values)))]
    reading = _reading(found.notation, column, column)
    return column, dataclasses.replace(reading, example=example, doubt=doubt, guess=found.guess)


def _finite(
    table: Table, name: str, column: pd.Series[Any], reading: Reading
) -> tuple[pd.Series[Any], Reading]:
    """Return a column in which infinite numbers of a file are missing, with a note about them.

    Raises
    ------
    DataError
        For an infinite number in a data frame, as scikit-learn does.
    """
    infinite = np.isinf(column.to_numpy()) if column.dtype.kind == 'f' else np.zeros(0, bool)
    if not infinite.any():
        return column, reading
    row, count = int(np.argmax(infinite)), int(infinite.sum())
    value, place = column.iloc[row], table.where(row)
    if table.source is None:
        raise DataError(
            f'column {name!r}, {place}: expected a finite number, got {value}. Change it '
            'to a finite number, or to NaN if it is missing.'
        )
    what = 'is infinite and' if count == 1 else f'and {count - 1:,} more are infinite and'
    doubt = f'{value} in {place} {what} taken as missing'
    missing = reading.missing + count
    doubt = '; '.join(filter(None, (reading.doubt, doubt)))
    return column.mask(infinite), dataclasses.replace(reading, missing=missing, doubt=doubt)


def _values(known: Notation, values: Array) -> pd.Series[Any]:
    """Return numbers and hours unchanged, days as dates."""
    if known.kind != 'date':
        return pd.Series(values)
    micro = np.where(np.isfinite(values), values, 0) * 86_400e6
    dates = np.round(micro).astype('int64').astype('datetime64[us]')
    return pd.Series(np.where(np.isfinite(values), dates, np.datetime64('NaT')))


def _as_known(
    table: Table, name: str, codes: Array, texts: list[str], options: Options, known: Notation
) -> tuple[pd.Series[Any], Reading]:
    """Return a column read by a known notation."""
    marks = {'', *known.marks, *options.missing}
    known = dataclasses.replace(
        known, decimal=options.decimal or known.decimal, dates=options.dates or known.dates
    )
    values = known.read(['' if text in marks else text for text in texts])
    rest = [i for i, text in enumerate(texts) if text not in marks and np.isnan(values[i])]
    column = _values(known, np.append(values, np.nan)[codes])
    reading, fault = _reading(known, column, column), ''
    if rest:
        text, place = texts[rest[0]], table.where(int(np.argmax(codes == rest[0])))
        remedy = f'set --missing {text!r}' if table.source else 'replace it by NaN'
        other = '.' if known.decimal == ',' else ','
        if table.source and np.isfinite(numbers([text], other)[0][0]):
            remedy = f'set --decimal {other}, or {remedy}'
        fault = (
            f'column {name!r}, {place}: expected a {known.kind} as in training, got {text!r}. '
            f'Fix it, or {remedy} if it is missing.'
        )
    return column, dataclasses.replace(reading, wrong=fault)


def _words(
    table: Table,
    series: pd.Series[Any],
    codes: Array,
    texts: list[str],
    options: Options,
    known: Notation | None,
) -> tuple[pd.Series[Any], Reading]:
    """Return a column of categories, in which marks of a missing value are missing."""
    marks, keep = {'', *(known.marks if known else options.marks), *options.missing}, texts
    if not marks.isdisjoint(texts):
        keep = [text for text in texts if text not in marks]
        place = {text: i for i, text in enumerate(keep)}
        codes = np.append([place.get(text, -1) for text in texts], -1)[codes]
    column = pd.Series(pd.Categorical.from_codes(codes, keep), index=series.index)
    missing = int((codes < 0).sum())
    notes = known or Notation(marks=options.marks)
    return column, Reading(notes, missing, example=keep[0] if keep else '')


def _reading(known: Notation, column: pd.Series[Any], series: pd.Series[Any]) -> Reading:
    values = column.to_numpy()
    if values.dtype.kind in 'iu':
        return Reading(known, example=as_text(values[0]) if len(values) else '', whole=True)
    lacking = pd.isna(values)
    missing, first = int(np.count_nonzero(lacking)), int(np.argmin(lacking)) if len(values) else 0
    example = as_text(series.iloc[first]) if missing < len(values) else ''
    whole = values.dtype.kind == 'f' and all(
        bool((np.trunc(some) == some).all())
        for some in (values[:100][~lacking[:100]], values[~lacking])
    )
    return Reading(known, missing, example, whole=whole)


def _are_days(series: pd.Series[Any]) -> bool:
    """Return True if all numbers are dates in the form 20240131."""
    values = series.to_numpy()
    if values.dtype.kind not in 'iuf' or not 19000101 <= next(iter(values), 0) <= 21001231:
        return False
    different = np.unique(values[np.isfinite(values)])
    if different[0] < 19000101 or different[-1] > 21001231 or (different % 1).any():
        return False
    found, _ = days(list(map(as_text, different)))
    return len(different) > 1 and bool(np.isfinite(found).all())


def as_text(value: Any) -> str:
    """Return a value as the text in a CSV file: 1.0 as '1'.

    >>> as_text(1.0), as_text(True), as_text('a')
    ('1', 'True', 'a')
    """
    if type(value) is str:
        return value
    if isinstance(value, (float, np.floating)) and abs(number := float(value)) < 1e15:
        return str(int(number)) if number.is_integer() else str(value)
    return str(value)


def find_column(data: Any, name: str) -> Any:
    """Return a column of a data frame.

    Raises
    ------
    DataError
        If there is none of that name, naming the nearest.
    """
    if name not in data:
        raise DataError(
            f'there is no column {name!r}.{suggest(name, data)} Use one of: '
            f'{", ".join(map(str, data))}.'
        )
    return data[name]
