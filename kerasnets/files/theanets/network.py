"""theanets' own files: pickles of its releases 0.6 to 0.8, opened without theanets or Theano."""

from __future__ import annotations

import warnings
from typing import Any

from kerasnets.errors import FileError
from kerasnets.files.theanets.records import read
from kerasnets.initializers import restored
from kerasnets.layers import parts
from kerasnets.losses import Loss


def load(content: Any, classes: Any, max_params: Any = None) -> Any:
    """The network that a pickle of theanets describes.

    Parameters
    ----------
    content : bytes
        Of the file, gzipped or not.
    classes : dict of str to class
        The classes of networks, by names such as 'recurrent.Classifier'.
    max_params : int, optional
        Learnable values that the network may have. Default: as many as the file holds.

    Returns
    -------
    Network
        With the parameters, activations and losses of the old one; its predictions are the
        same, but for what a warning says.

    Raises
    ------
    FileError
        If it is no such file, is broken, or mentions what no model has. Nothing in it is run.
    """
    records = read(content)
    kind = '.'.join(records.kind)
    if kind not in classes:
        raise FileError(f'the file holds a {kind}, which is not a network of theanets.')
    _check_sizes(records, max_params)
    try:
        net = make(classes[kind], records)
    except FileError:
        raise
    except Exception as error:  # what a broken file describes may be anything at all
        raise FileError(f'the theanets network cannot be rebuilt: {error}') from error
    if any(entry['form'] == 'bidirectional' for entry in records.entries):
        warnings.warn(
            'theanets left the backward half of a bidirectional layer reversed in time: its '
            'output at the first step depends on the last step only. Here both halves are '
            'aligned, so predictions differ. Train the network again.',
            stacklevel=2,
        )
    return net


def make(cls: Any, records: Any) -> Any:
    """A network of the class from its records."""
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


def _check_sizes(records: Any, most: Any) -> None:
    """Refuse layers that need more parameters than the file has, before they are made."""
    held = records.num_values
    most = held if most is None else most
    if held > most:
        raise FileError(f'the file holds {held:,} parameters, more than max_params={most:,}.')
    sizes = {e['name']: e.get('size') or (e.get('shape') or (0,))[-1] for e in records.entries}
    for entry in records.entries:
        read = [sizes.get(name.split(':')[0]) or 0 for name in entry.get('inputs', ())]
        if max(1, sum(read)) * (sizes[entry['name']] or 0) > max(most, 2**16):
            raise FileError(
                f'the layer {entry["name"]!r} has {sizes[entry["name"]]} units, for which the '
                f"file's {held} parameters are too few."
            )


def _cell(net: Any, name: str) -> Any:
    """The cell of a layer, or of half of one, by its name."""
    found = {
        part: inner for node in net.nodes for part, inner in parts(node.layer, node.name).items()
    }
    return found[name].cell
