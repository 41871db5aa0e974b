"""The probability of each character of a text: as a score, in colours and as HTML."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text as Rich

from kerasnets.errors import DataError
from kerasnets.graph.nodes import reach_of

#: Maximum number of labels in a window, and of values that the network outputs at once.
WINDOW, VALUES = 512, 2**24

#: Lowest probability -> its colour, from the least to the most probable.
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
    """A text with the probability of each label, given the labels before it.

    Attributes
    ----------
    text : str
    probabilities : array (labels,)
        NaN for the first label, which has no label before it.
    pieces : list of str
        The text of each label. Default: the characters of the text.

    `print` shows bits and perplexity, `show` colours; a notebook shows the text as HTML.
    """

    text: str
    probabilities: np.ndarray
    pieces: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Set the default pieces."""
        object.__setattr__(self, 'pieces', list(self.pieces or self.text))

    @property
    def bits(self) -> float:
        """Bits per character: -log2 p of all labels but the first, over their characters."""
        bits = -np.log2(np.maximum(self.probabilities[1:], 1e-30))
        return float(bits.sum() / max(1, sum(map(len, self.pieces[1:]))))

    def show(self, console: Any = None) -> None:
        """Print the text in colours, with a key and the bits per character.

        Parameters
        ----------
        console : rich.console.Console, optional
        """
        console = console or Console()
        text = Rich()
        for character, p in zip(self.pieces, self.probabilities):
            text.append(character, style=_color(p) or '')
        console.print(text)
        key = Rich(f'{self.bits:.2f} bits a character; p from ')
        for least, color in COLORS.items():
            key.append(f' {least:g} ', style=f'black on {color}')
        console.print(key)

    def html(self) -> str:
        """Return the text as HTML: a ``<pre>`` with a coloured span for each character, and a key.

        Coloured characters are black, so that light and dark pages show them alike.
        """
        spans = []
        for character, p in zip(self.pieces, self.probabilities):
            color = _color(p)
            style = f' style="background:{color};color:#000" title="p = {p:.3g}"' if color else ''
            spans.append(f'<span{style}>{html.escape(character)}</span>')
        key = ''.join(
            f' <span style="background:{color};color:#000">&nbsp;{least:g}&nbsp;</span>'
            for least, color in COLORS.items()
        )
        text = f'<pre style="white-space:pre-wrap">{"".join(spans)}</pre>'
        return f'{text}<div>{self.bits:.2f} bits a character; p from{key}</div>'

    _repr_html_ = html

    def __str__(self) -> str:
        """Return the numbers of characters and bits, and the perplexity."""
        perplexity = 2**self.bits
        return (
            f'{len(self.text)} characters, {self.bits:.2f} bits each, perplexity {perplexity:.1f}'
        )


def explain(net: Any, text: str) -> Explained:
    """Return the `Explained` text of a recurrent classifier with an alphabet.

    Raises
    ------
    DataError
        If the network has no alphabet, or the text has fewer than two labels.
    """
    if net.text is None:
        raise DataError(
            'the network has no alphabet. Build it with text=kerasnets.recurrent.Text(...).'
        )
    labels = np.array(net.text.encode(text))
    if len(labels) < 2:
        raise DataError(f'expected a text of two labels or more, got {text!r}. Pass a longer text.')
    p = net.predict_proba(labels[None, :-1])[0]
    likelihoods = p[np.arange(len(p)), labels[1:]]
    pieces = list(text)
    if net.text.tokens != 'char':
        pieces = list(net.text.stream(labels))
        pieces = pieces if len(pieces) == len(labels) else [net.text.decode([n]) for n in labels]
    return Explained(text, np.concatenate([[math.nan], likelihoods]), pieces)


def score(net: Any, text: Any) -> dict[str, float]:
    """Return how well a text is predicted, each label from up to `WINDOW` labels before it.

    Parameters
    ----------
    net : recurrent.Classifier
        With an alphabet.
    text : Text
        A text with the same vocabulary.

    Returns
    -------
    dict
        Numbers of predicted 'characters' and 'labels', 'bits' per character, and 'acc', the
        fraction of labels that were the most probable.

    Raises
    ------
    DataError
        If the text has fewer than two labels.
    """
    labels = text.labels
    if len(labels) < 2:
        raise DataError(
            f'expected a text of two labels or more, got {len(labels)}. Pass a longer text.'
        )
    reach = reach_of(net.nodes) or WINDOW
    window = min(WINDOW, reach, len(labels) - 1)
    half = max(1, window // 2)
    # windows overlap by half, so each counted label has at least that many labels before it
    starts = [*range(0, len(labels) - 1 - window, half), len(labels) - 1 - window]
    counted, bits, right = 0, 0.0, 0
    rows = max(1, VALUES // (window * text.classes))
    for first in range(0, len(starts), rows):
        some = np.array(starts[first : first + rows])
        at = some[:, None] + np.arange(window)
        p = net.predict_proba(labels[at])
        for start, one, place in zip(some, p, at):
            new = slice(max(0, counted - start), window)
            want = labels[place[new] + 1]
            one = one[new]
            bits -= float(np.log2(np.maximum(one[np.arange(len(want)), want], 1e-30)).sum())
            right += int((one.argmax(-1) == want).sum())
            counted = int(start) + window
    characters = int(text.lengths[labels[1:]].sum())
    result = {'characters': characters, 'labels': counted}
    return {**result, 'bits': bits / max(1, characters), 'acc': right / counted}


def _color(p: float) -> str | None:
    """Return the colour of a probability; None for NaN."""
    return next((color for least, color in reversed(COLORS.items()) if p >= least), None)
