"""The probability of each character of a text, in colours in a terminal or as HTML."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text as Rich

from kerasnets.errors import DataError

#: Colours from the least to the most probable, and the probability from which each is.
COLORS = {
    0.0: '#d73027',
    0.01: '#f46d43',
    0.05: '#fdae61',
    0.2: '#fee08b',
    0.5: '#a6d96a',
    0.8: '#1a9850',
}


@dataclasses.dataclass(frozen=True)
class Explained:
    """A text with the probability that a network gave each character, from those before it.

    Attributes
    ----------
    text : str
    probabilities : array (characters,)
        NaN for the first, which nothing goes before.

    `print` shows bits and perplexity, `show` colours; a notebook shows the text as HTML.
    """

    text: str
    probabilities: np.ndarray

    @property
    def bits(self) -> float:
        """Bits per character: -log2 p on average."""
        return float(np.mean(-np.log2(np.maximum(self.probabilities[1:], 1e-30))))

    def show(self, console: Any = None) -> None:
        """Print the text in colours, with a key and the bits per character.

        Parameters
        ----------
        console : rich.console.Console, optional
        """
        console = console or Console()
        text = Rich()
        for character, p in zip(self.text, self.probabilities):
            text.append(character, style=_color(p) or '')
        console.print(text)
        key = Rich(f'{self.bits:.2f} bits a character; p from ')
        for least, color in COLORS.items():
            key.append(f' {least:g} ', style=f'black on {color}')
        console.print(key)

    def html(self) -> str:
        """The text as HTML: a ``<pre>`` with a coloured span for each character."""
        spans = []
        for character, p in zip(self.text, self.probabilities):
            color = _color(p)
            style = f' style="background:{color}" title="p = {p:.3g}"' if color else ''
            spans.append(f'<span{style}>{html.escape(character)}</span>')
        return f'<pre style="white-space:pre-wrap">{"".join(spans)}</pre>'

    _repr_html_ = html

    def __str__(self) -> str:
        perplexity = 2**self.bits
        return (
            f'{len(self.text)} characters, {self.bits:.2f} bits each, perplexity {perplexity:.1f}'
        )


def explain(net: Any, text: str) -> Explained:
    """The `Explained` text of a recurrent classifier with an alphabet.

    Raises
    ------
    DataError
        If the network has no alphabet, or there are under two characters.
    """
    if net.text is None:
        raise DataError('the network has no alphabet. Make it with text=kerasnets.recurrent.Text.')
    labels = np.array(net.text.encode(text))
    if len(labels) < 2:
        raise DataError(f'expected a text of two characters or more, got {text!r}.')
    p = net.predict_proba(labels[None, :-1])[0]
    found = p[np.arange(len(p)), labels[1:]]
    return Explained(text, np.concatenate([[math.nan], found]))


def _color(p: float) -> str | None:
    """The colour of a probability; None for NaN."""
    return next((color for least, color in reversed(COLORS.items()) if p >= least), None)
