"""Outputs of a network for arrays of any length, computed in batches of bounded size."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasnets import devices
from kerasnets.data.array_spec import ArraySpec, Ragged, fill, length, turn
from kerasnets.graph.nodes import find_output
from kerasnets.graph.noise import reseed
from kerasnets.regularizers import Noise

#: Values that enter the network at once, at most, and rows, at least.
BATCH_VALUES = 2**21
BATCH_ROWS = 32


def compute(
    models: Any, x: Any, names: Any, start: Any = None, regularizers: Any = (), rng: Any = None
) -> Any:
    """The named outputs for some inputs: a dict of arrays.

    Noise and dropout among the regularizers are drawn as a numpy generator decides.
    Sequences of different lengths give lists of arrays, a sequence each, where the output
    has steps. With `start`, the array stands for that layer's output, in the place of the
    inputs.

    Raises
    ------
    DataError
        If the data does not fit.
    """
    if start is None:
        arrays = models.data_spec.turned(models.data_spec.arrays(x))
        specs = models.data_spec.specs(arrays)
    else:
        output = find_output(models.nodes, start)
        arrays = [turn(x) if models.data_spec.time_major and len(output.shape) > 2 else x]
        specs = [ArraySpec(f'outputs of {start!r}', tuple(output.shape), dtype=output.dtype)]
    arrays = fill(specs, arrays, 'inputs')
    noisy = tuple(r for r in regularizers if isinstance(r, Noise))
    function, noises = models.function(tuple(names), models.data_spec.way(specs), start, noisy)

    def run(batch: Any) -> Any:
        reseed(noises, rng)  # a compiled function keeps no state
        return devices.run(function, batch)

    results = _in_batches(run, arrays, specs)
    if models.data_spec.time_major:  # sequences of different lengths stay a list
        results = {n: turn(y) if getattr(y, 'ndim', 0) > 2 else y for n, y in results.items()}
    return {name: results[name] for name in names}


def _in_batches(function: Any, arrays: Any, specs: Any) -> Any:
    """A function of a batch, over all rows of some arrays."""
    if any(isinstance(array, Ragged) for array in arrays):
        return _in_ragged_batches(function, arrays, specs)
    count = length(arrays[0])
    rows = max(BATCH_ROWS, BATCH_VALUES // _width(specs, arrays))
    results = None
    for start in range(0, max(1, count), rows):
        outputs, _ = _run(function, specs, arrays, slice(start, start + rows))
        if results is None:
            results = {k: np.empty((count, *v.shape[1:]), v.dtype) for k, v in outputs.items()}
        for name, value in outputs.items():
            results[name][start : start + rows] = value[:count]
    return results


def _in_ragged_batches(function: Any, arrays: Any, specs: Any) -> Any:
    """Compute outputs for sequences of different lengths, grouped by length."""
    longest = np.max([a.lengths for a in arrays if isinstance(a, Ragged)], axis=0)
    order = np.argsort(longest, kind='stable')
    found: Any = {}
    while len(order):
        size = max(1, BATCH_VALUES // (_width(specs, arrays) * max(1, longest[order[-1]])))
        rows, order = order[-size:], order[:-size]
        outputs, steps = _run(function, specs, arrays, rows)
        for name, value in outputs.items():
            into = found.setdefault(name, [None] * len(longest))
            for i, row in enumerate(rows):
                into[row] = value[i][steps[name][i]] if name in steps else value[i]
    return {name: v if name in steps else np.stack(v) for name, v in found.items()}


def _width(specs: Any, arrays: Any) -> Any:
    """Values that a row of the inputs has, a step of it for sequences of different lengths."""
    shapes = [s.shape[1:] if isinstance(a, Ragged) else a.shape[1:] for s, a in zip(specs, arrays)]
    widths = [
        np.prod([n or 1 for n in shape]) * (s.classes or 1) for s, shape in zip(specs, shapes)
    ]
    return max(1, int(sum(widths)))


def _run(function: Any, specs: Any, arrays: Any, rows: Any) -> Any:
    """Outputs, and masks of those that have steps, for some rows: dicts of arrays."""
    if length(arrays[0]):
        batch = [part for s, a in zip(specs, arrays) for part in s.batch(a, rows)]
    else:  # one row of nothing tells the shapes of no rows
        batch = [np.zeros((1, *a.shape[1:]), s.dtype) for s, a in zip(specs, arrays)]
    found = function(batch)
    return found['outputs'], found['steps']
