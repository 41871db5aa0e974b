"""The contents of a model file. No model is built and Keras is not imported."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

import rich.box

from kerasnets import terminal
from kerasnets.files import atomic, contents
from kerasnets.files.theanets import records
from kerasnets.markup import html_table
from kerasnets.typing import Config, File, Json, Shape

FORMATS = {'.keras': 'Keras', '.h5': 'Keras, HDF5', '.weights.h5': 'weights alone, HDF5'}

COLUMNS = ('name', 'form', 'size', 'activation', 'arrays')

#: What a layer may call how much it makes, or the shape of an input.
SIZES = ('units', 'filters', 'output_dim', 'size', 'batch_shape', 'batch_input_shape', 'shape')


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer in a file: name, form, size, activation, and the shapes of its arrays by name."""

    name: str
    form: str
    size: object = None
    activation: str = ''
    params: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def num_params(self) -> int:
        """Number of values in its arrays."""
        return sum(math.prod(shape) for shape in self.params.values())


@dataclasses.dataclass(frozen=True)
class Inspection:
    """The contents of a file, as returned by `inspect`.

    Attributes
    ----------
    format : str
        'Keras', 'Keras, HDF5', 'weights alone, HDF5' or 'theanets'.
    size : int
        Bytes of the file.
    kind : str
        Class of the network: 'recurrent.Classifier', or 'keras.Sequential' where Keras alone
        wrote the file.
    layers : list of Layer
    losses : list of str
    optimizer : str
        Its class, or an empty string.
    versions : dict of str to str
        Versions of the software that wrote the file, if it holds them.
    """

    format: str
    size: int
    kind: str
    layers: list[Layer]
    losses: list[str]
    optimizer: str
    versions: dict[str, str]

    @property
    def num_params(self) -> int:
        """Number of values in the arrays of the layers."""
        return sum(layer.num_params for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return the contents as plain data."""
        return {**dataclasses.asdict(self), 'num_params': self.num_params}

    def show(self, file: IO[str] | None = None) -> None:
        """Print the contents."""
        console = terminal.console(file)
        first, *lines = self._lines()
        terminal.line(first, console)
        console.print(terminal.grid(COLUMNS, self._rows(), box=rich.box.SIMPLE_HEAD))
        for line in lines:
            terminal.line(line, console)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for layer in self.layers:
            shapes = '  '.join('×'.join(map(str, shape)) or '1' for shape in layer.params.values())
            size = '' if layer.size is None else str(layer.size)
            yield layer.name, layer.form, size, layer.activation, shapes

    def _lines(self) -> list[str]:
        """Return the line above the table of layers, and those below it."""
        versions = ', '.join(f'{name} {of}' for name, of in self.versions.items() if of)
        return [
            f'{self.kind}  ({self.format}; {versions or "no version said"})',
            f'{self.num_params:,} parameters, {self.size:,} bytes',
            f'losses: {", ".join(self.losses) or "none said"}',
            *([f'optimizer: {self.optimizer}'] if self.optimizer else []),
        ]

    def _repr_html_(self) -> str:
        first, *lines = (f'<div>{html.escape(line)}</div>' for line in self._lines())
        return first + html_table(COLUMNS, self._rows()) + ''.join(lines)


def inspect(filename_or_handle: File) -> Inspection:
    """Return the contents of a model file without building the model.

    Parameters
    ----------
    filename_or_handle : str, path or binary file
        A file of kerasnets, of Keras, or a pickle of theanets.

    Returns
    -------
    Inspection
        Print it with ``show()``.

    Raises
    ------
    FileError
        If the file does not exist, is damaged, or has another format.

    >>> kerasnets.Classifier([4, (5, 'tanh'), 3]).save('net.keras')
    >>> found = kerasnets.inspect('net.keras')
    >>> found.kind, [layer.name for layer in found.layers], found.num_params
    ('feedforward.Classifier', ['in', 'hid1', 'out'], 43)
    """
    with atomic.reading(filename_or_handle) as path:
        if atomic.format_of(path) == '.pkl':
            return _of_theanets(records.read(path.read_bytes()), path.stat().st_size)
        return _of_keras(contents.read(path))


def _of_theanets(records: Any, size: int) -> Inspection:
    layers = []
    for entry, values in zip(records.entries, records.values):
        own = f'{entry["name"]}.'
        shapes = {name.removeprefix(own): value.shape for name, value in values.items()}
        said = entry.get('size') or entry.get('shape')
        form, activation = entry['form'], entry.get('activation') or ''
        layers.append(Layer(entry['name'], form, said, activation, shapes))
    losses = [loss['form'] for loss in records.losses]
    return Inspection('theanets', size, '.'.join(records.kind), layers, losses, '', {})


def _of_keras(found: Any) -> Inspection:
    about, config = found.about or {}, (found.config or {})
    described = {layer['name']: layer for layer in about.get('layers', ())}
    inner = config.get('config') or {}
    entries = {_name(entry): entry for entry in inner.get('layers', ()) if _name(entry)}
    names = described or entries or found.weights
    layers = [
        _layer(name, described.get(name), entries.get(name), found.weights.get(name, {}))
        for name in names
    ]
    training = found.training or {}
    optimizer = training.get('optimizer') or training.get('optimizer_config') or {}
    class_name = config.get('class_name')
    return Inspection(
        format=FORMATS[found.format],
        size=found.size,
        kind=about.get('class') or (f'keras.{class_name}' if class_name else 'weights'),
        layers=layers,
        losses=_losses(about, training),
        optimizer=str(optimizer.get('class_name') or ''),
        versions={'kerasnets': about.get('kerasnets', ''), **found.versions},
    )


def _name(entry: Config) -> str | None:
    return entry.get('name') or (entry.get('config') or {}).get('name')


def _layer(
    name: Any, described: Config | None, entry: Config | None, arrays: Mapping[str, Shape]
) -> Layer:
    """Describe a layer from our metadata, or from Keras' config where ours is missing."""
    described, config = described or {}, (entry or {}).get('config') or {}
    form = described.get('form', 'keras')
    if form == 'keras':
        form = str((entry or {}).get('class_name', ''))
    activation = described.get('activation') or config.get('activation') or ''
    if isinstance(activation, dict):
        activation = activation.get('config')
        activation = activation if isinstance(activation, str) else ''
    said = {**config, **{k: v for k, v in described.items() if v is not None}}
    size = next((said[key] for key in SIZES if said.get(key) is not None), None)
    return Layer(str(name), form, size, str(activation), dict(arrays))


def _losses(about: Json, training: Any) -> list[str]:
    if 'losses' in about:
        forms = [loss['form'] for loss in about['losses']]
        return [f if isinstance(f, str) else str(next(iter(f.values()))) for f in forms]
    loss = training.get('loss')
    if isinstance(loss, dict):
        loss = loss.get('config', {}).get('name') or loss.get('class_name')
    return [str(loss)] if loss else []
