"""theanets' own files: pickles of its releases 0.6 to 0.8, opened without theanets or Theano."""

from __future__ import annotations

import warnings
from typing import Any

from kerasnets.errors import FileError, named
from kerasnets.files.atomic import damaged
from kerasnets.files.theanets.records import Records, read
from kerasnets.initializers import restored
from kerasnets.layers import parts
from kerasnets.losses import Loss


def load(content: bytes, classes: dict[str, type[Any]], max_params: int | None = None) -> Any:
    """Return the network that a pickle of theanets describes.

    Parameters
    ----------
    content : bytes
        The bytes of the file, gzipped or not.
    classes : dict of str to class
        The classes of networks, by names such as 'recurrent.Classifier'.
    max_params : int, optional
        Maximum number of parameters of the network. Default: as many as the file holds.

    Returns
    -------
    Network
        With the parameters, activations and losses of the old one. Its predictions are the same;
        a warning names the exception.

    Raises
    ------
    FileError
        If the file has another format, is damaged, or names other objects. Nothing in it is run.
    """
    records = read(content)
    kind = '.'.join(records.kind)
    if kind not in classes:
        raise FileError(
            f'the file holds a {kind}, expected a network of theanets. Choose another file.'
        )
    _check_sizes(records, max_params)
    try:
        net = make(classes[kind], records)
    except FileError:
        raise
    except Exception as error:  # a damaged file may cause any error
        raise damaged(f'the theanets network cannot be rebuilt: {error}') from error
    if any(entry['form'] == 'bidirectional' for entry in records.entries):
        warnings.warn(
            'theanets left the backward half of a bidirectional layer reversed in time: its '
            'output at the first step depends on the last step only. Here both halves are '
            'aligned, so predictions differ. Train the network again.',
            stacklevel=2,
        )
    return net


def make(cls: type[Any], records: Records) -> Any:
    """Return a network of the class from its records."""
    net = cls(records.entries, loss=None)
    net.losses = [Loss(**fields) for fields in records.losses]
    if records.rng is not None:
        net.rng = restored(records.rng)
    for entry, values, rates in zip(records.entries, records.values, records.rates):
        for name, value in values.items():
            where, _, param = name.rpartition('.')
            net.find(where or entry['name'], param).set_value(value)
        if rates is not None:
            _cell(net, entry['name']).rates.assign(rates)
    return net


def _check_sizes(records: Records, most: int | None) -> None:
    """Refuse layers that need more parameters than the file holds, before they are built."""
    held = records.num_values
    most = held if most is None else most
    if held > most:
        raise FileError(
            f'the file holds {held:,} parameters, more than the maximum of {most:,}. '
            f'If this is intended, pass a larger {named("max_params")}.'
        )
    sizes = {e['name']: e.get('size') or (e.get('shape') or (0,))[-1] for e in records.entries}
    for entry in records.entries:
        read = [sizes.get(name.split(':')[0]) or 0 for name in entry.get('inputs', ())]
        if max(1, sum(read)) * (sizes[entry['name']] or 0) > max(most, 2**16):
            raise damaged(
                f'the layer {entry["name"]!r} has {sizes[entry["name"]]} units, for which the '
                f"file's {held} parameters are too few"
            )


def _cell(net: Any, name: str) -> Any:
    """Return the cell of a layer, or of one direction of it, by its name."""
    layers = {
        part: inner for node in net.nodes for part, inner in parts(node.layer, node.name).items()
    }
    return layers[name].cell
