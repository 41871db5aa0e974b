"""Outputs of a network for arrays of any length, computed in batches of bounded size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets import backend, devices
from kerasnets.data.array_spec import ArraySpec, Ragged, fill, length, turn
from kerasnets.data.data_spec import Layout
from kerasnets.graph import masks
from kerasnets.graph.nodes import connect, find_output
from kerasnets.graph.noise import Noises, seed
from kerasnets.programs import key
from kerasnets.programs.models import Models
from kerasnets.programs.program import FunctionProgram, Programs
from kerasnets.regularizers import Noise
from kerasnets.typing import Array, Data, Tensor

#: The part of a layer's name that stands for the steps of its output that a mask leaves.
MASK = ':mask'

#: Maximum number of values, and minimum number of rows, of a batch.
BATCH_VALUES = 2**21
BATCH_ROWS = 32

#: A function of a batch -> 'outputs' and 'steps' by name.
Batched = Callable[[list[Array]], dict[str, dict[str, Array]]]


def compute(
    programs: Programs,
    x: Data,
    names: list[str],
    start: str | None = None,
    regularizers: tuple[Any, ...] = (),
    rng: Any = None,
) -> dict[str, Any]:
    """Return the named outputs for some inputs, as arrays.

    The name 'hid1:mask' stands for the mask of that layer's output, bool (examples, time).

    The generator `rng` seeds noise and dropout among the regularizers. For sequences of different
    lengths, outputs with steps are lists of arrays, one for each sequence. With `start`, `x` is
    that layer's output instead of the inputs.

    Raises
    ------
    DataError
        If the data does not fit.
    """
    models = programs.models
    spec = models.data_spec
    if start is None:
        arrays = spec.turned(spec.arrays(x))
        specs = spec.specs(arrays)
    else:
        output = find_output(models.nodes, start)
        arrays = [turn(x) if spec.time_major and len(output.shape) > 2 else x]
        specs = [ArraySpec(f'outputs of {start!r}', tuple(output.shape), dtype=output.dtype)]
    arrays = fill(specs, arrays, 'inputs')
    noises = tuple(one for one in regularizers if isinstance(one, Noise))
    function = _function(programs, tuple(names), spec.layout(specs), start, noises, rng)

    def compute_batch(batch: list[Array]) -> dict[str, dict[str, Array]]:
        return devices.run_shared(function, batch)

    results = _in_batches(compute_batch, arrays, specs)
    if spec.time_major:  # sequences of different lengths stay a list
        results = {n: turn(y) if getattr(y, 'ndim', 0) > 2 else y for n, y in results.items()}
    return {name: results[name] for name in names}


def _function(
    programs: Programs,
    names: tuple[str, ...],
    layout: Layout,
    start: str | None,
    noises: tuple[Noise, ...],
    rng: Any,
) -> Callable[..., Any]:
    """Return a compiled function of a batch at the network's current values."""
    known = all(type(one) in key.PENALTIES for one in noises)
    plain = tuple(dataclasses.replace(one, weight=0.5) for one in noises) if known else noises
    about = 'predict', names, layout, start, programs.models.takes_labels, plain
    program: Prediction = programs.find(
        about if known else None, about, lambda models: Prediction(models, *about[1:4], plain)
    )
    variables = programs.models.layer_variables

    def function(*batch: Array) -> Any:
        drawn = [seed(rng).astype(program.seed_dtype) for _ in program.weights]
        weights = [np.float32(noises[i].weight) for i in program.weights]
        return program([*(v.value for v in variables), *drawn, *weights], *batch)

    return function


class Prediction(FunctionProgram):
    """Computes named outputs of a batch.

    Parameters
    ----------
    models : Models
    names : tuple of str
    layout : tuple
        As `data_spec.layout` has it.
    start : str or None
        The output that the batch is, instead of the inputs.
    noises : tuple of Noise

    Attributes
    ----------
    weights : list of int
        Index, for each noise layer, of the noise that gives its weight. The program's values
        are those of the layers, then a seed and then a weight for each noise layer.
    """

    def __init__(
        self,
        models: Models,
        names: tuple[str, ...],
        layout: Layout,
        start: str | None,
        noises: tuple[Noise, ...],
    ) -> None:
        nodes = models.nodes
        if start is None:
            tensors, sources = models.data_spec.entry(layout)
        else:
            output = find_output(nodes, start)
            tensors = [keras.Input(batch_shape=output.shape, dtype=output.dtype)]
            sources = {start: tensors[0]}
        padded = any(masked for _, masked in layout)
        noise = Noises(nodes, noises, noisy=True)

        def outputs(sources: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
            wanted = [name.replace(MASK, ':out') for name in names]
            computed = connect(nodes, sources, wanted, padded, noise.change, training=False)
            steps = {name: masks.Steps()(y) for name, y in computed.items() if len(y.shape) > 2}
            chosen = {
                name: steps[output] if name.endswith(MASK) else computed[output]
                for name, output in zip(names, wanted)
            }
            hidden = {n: steps[o] for n, o in zip(names, wanted) if padded and o in steps}
            return {'outputs': chosen, 'steps': hidden}

        entry: Any = keras.Function(tensors, sources)
        if noises:  # a model makes the layers of the noise once, before anything is compiled
            outputs, entry = keras.Model(tensors, outputs(sources)), list
        self.weights = list(noise.indices)
        drawn = [layer.seed_generator.state for layer in noise.layers]
        factors = [layer.factor for layer in noise.layers]
        self.seed_dtype = drawn[0].dtype if drawn else ''
        super().__init__(
            models,
            [*models.layer_variables, *drawn, *factors],
            lambda *xs: keras.tree.map_structure(_full, outputs(entry(list(xs)))),
            tensors,
            xla=backend.has_gpu() and models.model.jit_compile,
            stored=len(models.layer_variables),
        )


def _full(tensor: Tensor) -> Tensor:
    """Cast a half-precision tensor to float32, since numpy has no bfloat16."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ('bfloat16', 'float16')
    return ops.cast(tensor, 'float32') if half else tensor


def _in_batches(function: Batched, arrays: list[Any], specs: list[ArraySpec]) -> dict[str, Any]:
    """Apply a function of a batch to all rows of some arrays."""
    if any(isinstance(array, Ragged) for array in arrays):
        return _in_ragged_batches(function, arrays, specs)
    count = length(arrays[0])
    rows = max(BATCH_ROWS, BATCH_VALUES // _width(specs, arrays))
    results: dict[str, Array] = {}
    for start in range(0, max(1, count), rows):
        outputs, _ = _run(function, specs, arrays, slice(start, start + rows))
        if not results:
            results = {k: np.empty((count, *v.shape[1:]), v.dtype) for k, v in outputs.items()}
        for name, value in outputs.items():
            results[name][start : start + rows] = value[:count]
    return results


def _in_ragged_batches(
    function: Batched, arrays: list[Any], specs: list[ArraySpec]
) -> dict[str, Any]:
    """Compute outputs for sequences of different lengths, grouped by length."""
    longest = np.max([a.lengths for a in arrays if isinstance(a, Ragged)], axis=0)
    order = np.argsort(longest, kind='stable')
    results: Any = {}
    while len(order):
        size = max(1, BATCH_VALUES // (_width(specs, arrays) * max(1, longest[order[-1]])))
        rows, order = order[-size:], order[:-size]
        outputs, steps = _run(function, specs, arrays, rows)
        for name, value in outputs.items():
            into = results.setdefault(name, [None] * len(longest))
            for i, row in enumerate(rows):
                into[row] = value[i][steps[name][i]] if name in steps else value[i]
    return {name: v if name in steps else np.stack(v) for name, v in results.items()}


def _width(specs: list[ArraySpec], arrays: list[Any]) -> int:
    """Return the number of input values in a row, or in a step of ragged sequences."""
    shapes = [s.shape[1:] if isinstance(a, Ragged) else a.shape[1:] for s, a in zip(specs, arrays)]
    widths = [
        np.prod([n or 1 for n in shape]) * (s.classes or 1) for s, shape in zip(specs, shapes)
    ]
    return max(1, int(sum(widths)))


def _run(
    function: Batched, specs: list[ArraySpec], arrays: list[Any], rows: slice | Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the outputs of some rows, and the masks of those with steps, as dicts of arrays."""
    if length(arrays[0]):
        batch = [part for s, a in zip(specs, arrays) for part in s.batch(a, rows)]
    else:  # a row of zeros yields the shapes
        batch = [np.zeros((1, *a.shape[1:]), s.dtype) for s, a in zip(specs, arrays)]
    results = function(batch)
    return results['outputs'], results['steps']
