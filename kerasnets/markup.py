"""What notebooks show of objects: tables in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any


def html_table(
    names: Sequence[str], rows: Iterable[Iterable[Any]], shown: int | None = None
) -> str:
    """Return a table in HTML, with its texts escaped.

    Of more than `shown` rows it has the first and the last ones.
    """
    rows = list(rows)
    if shown is not None and len(rows) > shown:
        rows = [*rows[: shown // 2], ['…'] * len(names), *rows[-shown // 2 :]]
    head = ''.join(f'<th>{html.escape(str(name))}</th>' for name in names)
    cells = [''.join(f'<td>{html.escape(str(value))}</td>' for value in row) for row in rows]
    body = ''.join(f'<tr>{row}</tr>' for row in cells)
    return f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
