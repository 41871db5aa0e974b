"""A network printed as the list of layers that makes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kerasnets.language.spec import LayerSpec


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


def short(specs: Iterable[LayerSpec]) -> str:
    """Return layers as one word, such as ``4-8tanh-16gru-3``."""
    return '-'.join(map(_word, specs))


def _word(spec: LayerSpec) -> str:
    form = '' if spec.form in ('input', 'ff', 'feedforward') else spec.form
    if spec.layer is not None:
        form = type(spec.layer).__name__
    named = spec.activation if isinstance(spec.activation, str) else ''
    return f'{spec.size or ""}{form}{named}'
