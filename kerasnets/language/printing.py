"""A network printed as the list of layers that makes it; tables in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any


def as_list(net: Any) -> str:
    """Return the list of layers as typed: ``recurrent.Classifier([10, (20, 'rnn'), 50])``."""
    cls = type(net)
    entries = ', '.join(_entry(spec) for spec in net.specs)
    return f'{cls.__module__.rpartition(".")[2]}.{cls.__name__}([{entries}])'


def _entry(spec: Any) -> str:
    if spec.layer is None:
        return repr(spec.entry)
    config = spec.layer.get_config()
    known = ', '.join(f'{k}={config[k]!r}' for k in ('units', 'filters', 'rate') if k in config)
    return f'keras.layers.{type(spec.layer).__name__}({known})'


def html_table(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in HTML, with its texts escaped."""
    head = ''.join(f'<th>{html.escape(str(name))}</th>' for name in names)
    cells = [''.join(f'<td>{html.escape(str(value))}</td>' for value in row) for row in rows]
    body = ''.join(f'<tr>{row}</tr>' for row in cells)
    return f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
