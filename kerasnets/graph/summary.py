"""A table of the layers of a network, and their graph as a picture."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import keras
import rich.box

from kerasnets import layers, terminal
from kerasnets.graph.nodes import Node
from kerasnets.markup import html_table

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

COLUMNS = ('name', 'form', 'shape', 'activation', 'parameters')

#: Of a box in the picture: its width and height, and the room between two.
BOX = 92, 34, 26


def _rows(nodes: Sequence[Node]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for node in nodes:
        form = type(node.layer).__name__ if node.spec.layer is not None else node.spec.form
        shape = ', '.join('any' if n is None else str(n) for n in node.output.shape[1:])
        params = '  '.join(
            f'{param.name.split(".", 1)[1]} {"×".join(map(str, param.shape))}'
            for param in node.params()
        )
        rows.append((node.name, form, shape, activation_name(node.layer), params))
    return rows


def as_html(net: Any, nodes: Sequence[Node]) -> str:
    """Return the table and the picture of a network, for a notebook."""
    count = f'{net.num_params:,} parameters'
    return f'{picture(nodes)}{html_table(COLUMNS, _rows(nodes))}<div>{count}</div>'


def picture(nodes: Sequence[Node]) -> str:
    """Draw the graph of the layers in SVG: a box for each layer, a line for each input."""
    width, height, room = BOX
    places = {node.name: i * (width + room) for i, node in enumerate(nodes)}
    longest = max((_reach(node, places) for node in nodes), default=0)
    top = 4 + 14 * max(0, longest - 1)  # for lines that pass over others
    parts = []
    for node in nodes:
        x = places[node.name]
        for source in node.reads:
            start = places[source] + width
            rise = 28 * (_span(start, x) - 1)
            middle, y = (start + x) / 2, top + (4 if rise else height / 2)
            curve = f'M{start} {y} Q{middle} {y - rise} {x} {y}'
            parts.append(f'<path d="{curve}" fill="none" stroke="#888"/>')
    for node in nodes:
        x, size = places[node.name], node.output.shape[-1]
        label = html.escape(node.name[:14])
        parts.append(
            f'<rect x="{x}" y="{top}" width="{width}" height="{height}" rx="4" fill="#eef3f8" '
            f'stroke="#888"/><text x="{x + width / 2}" y="{top + 15}" text-anchor="middle">{label}'
            f'</text><text x="{x + width / 2}" y="{top + 28}" text-anchor="middle" fill="#666">'
            f'{html.escape(str(node.spec.form))} {size}</text>'
        )
    across, down = len(nodes) * (width + room), top + height + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" '
        f'font-family="sans-serif" font-size="11" role="img">{"".join(parts)}</svg>'
    )


def _span(start: float, end: float) -> int:
    """Return how many boxes after its start a line ends."""
    width, _, room = BOX
    return round((end - start - room) / (width + room)) + 1


def _reach(node: Node, places: dict[str, int]) -> int:
    starts = [places[source] + BOX[0] for source in node.reads]
    return max((_span(start, places[node.name]) for start in starts), default=0)


def activation_name(layer: KerasLayer) -> str:
    """Return the name of a layer's activation, or an empty string if it has none."""
    layer = getattr(layer, 'forward_layer', layer)  # the halves of a bidirectional layer are alike
    function = layers.activation_of(getattr(layer, 'cell', layer))
    if function is None:
        return ''
    known = getattr(function, 'kind', None) or getattr(function, '__name__', None)
    return known or str(keras.activations.serialize(function))


def show(net: Any, nodes: Sequence[Node], file: IO[str] | None = None) -> None:
    """Print the table of a network and its number of parameters."""
    console = terminal.console(file)
    console.print(terminal.grid(COLUMNS, _rows(nodes), box=rich.box.SIMPLE_HEAD))
    console.print(f'{net.num_params:,} parameters')
