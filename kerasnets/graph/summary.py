"""A table of the layers of a network."""

from __future__ import annotations

from typing import Any

import keras
import rich.box
import rich.console
import rich.table

from kerasnets import layers


def table(nodes: Any) -> Any:
    """Name, form, shape, activation and parameters of each layer, as a rich table."""
    found = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for column in ('name', 'form', 'shape', 'activation', 'parameters'):
        found.add_column(column, overflow='fold')
    for node in nodes:
        form = type(node.layer).__name__ if node.spec.layer is not None else node.spec.form
        shape = ', '.join('any' if n is None else str(n) for n in node.output.shape[1:])
        params = '  '.join(
            f'{param.name.split(".", 1)[1]} {"×".join(map(str, param.shape))}'
            for param in node.params()
        )
        found.add_row(node.name, form, shape, _activation(node.layer), params)
    return found


def _activation(layer: Any) -> Any:
    function = layers.activation_of(getattr(layer, 'cell', layer))
    if function is None:
        return ''
    known = getattr(function, 'kind', None) or getattr(function, '__name__', None)
    return known or str(keras.activations.serialize(function))


def show(net: Any, nodes: Any, file: Any = None) -> None:
    """Print the table of a network and its number of parameters."""
    console = rich.console.Console(file=file)
    console.print(table(nodes))
    console.print(f'{net.num_params:,} parameters', highlight=False)
