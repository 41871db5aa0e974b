"""Texts of files and tables on a terminal, where they neither act nor count as markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table

#: Directions that a text may impose on what is printed after it, as Unicode names them.
DIRECTIONS = {'LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI'}


def plain(text: Any) -> str:
    r"""Return a text with its control characters written out, but for tabs and ends of lines.

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


def grid(names: Sequence[str], rows: Iterable[Iterable[Any]], **settings: Any) -> Table:
    """Return a table for a `console`, whose cells take more lines where they are long."""
    table = Table(**settings)
    for name in names:
        table.add_column(name, overflow='fold')
    for row in rows:
        table.add_row(*map(plain, row))
    return table
