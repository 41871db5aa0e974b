"""Print texts from files and tables on a terminal. Control characters in them have no effect."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table

#: Unicode's classes of characters that change the direction of the text after them.
DIRECTIONS = {'LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI'}


def plain(text: Any) -> str:
    r"""Replace control characters by their escapes. Tabs and ends of lines stay.

    >>> print(plain('hid1\x1b[2J'))
    hid1\x1b[2J
    """
    return ''.join(repr(c)[1:-1] if _acts(c) else c for c in str(text))


def _acts(character: str) -> bool:
    control = unicodedata.category(character) == 'Cc' and character not in '\t\n'
    return control or unicodedata.bidirectional(character) in DIRECTIONS


def console(file: IO[str] | None = None, stderr: bool = False) -> Console:
    """Return a console that prints a text such as ``[red]`` or ``:smile:`` as it is."""
    return Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


def line(text: Any, console: Console) -> None:
    """Print a line with control characters escaped. A terminal wraps it between words."""
    console.print(plain(text), soft_wrap=not console.is_terminal)


def grid(names: Sequence[str], rows: Iterable[Iterable[Any]], **settings: Any) -> Table:
    """Build a table of texts. Long cells wrap onto further lines."""
    table = Table(**settings)
    for name in names:
        table.add_column(name, overflow='fold')
    for row in rows:
        table.add_row(*map(plain, row))
    return table
