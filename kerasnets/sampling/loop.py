"""The loop over time steps that samplers and forecasters share.

On TensorFlow and JAX it is a loop of the compiled program. On PyTorch, where Keras' operations cost
more than their computation, Python calls a step that is traced once for each call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from kerasnets.backend import torch_graph
from kerasnets.typing import Tensor, Tensors

#: Steps that one call makes at most, so that the first results come early.
CHUNK = 256

#: The same on PyTorch, where each call traces a step: that costs as much as 40 steps.
TRACED_CHUNK, LEAST_TRACED = 1024, 80

#: (values carried, inputs of the step, number of the step) -> values carried, results.
Step = Callable[[list[Any], list[Tensor], Tensor], tuple[list[Any], list[Tensor]]]


def chunk() -> int:
    """Return the number of steps that one call makes at most."""
    return TRACED_CHUNK if keras.backend.backend() == 'torch' else CHUNK


def run_steps(
    step: Step, count: Tensor, inputs: Sequence[Tensor], carry: Any, records: Sequence[Tensor]
) -> tuple[Any, list[Tensor]]:
    """Run a step `count` times.

    Parameters
    ----------
    step : callable
        (carry, inputs of this step, i) -> (carry, results).
    count : int tensor
        At most the length of the inputs.
    inputs : list of tensor (steps, …)
    carry : nested lists of tensors
        The values before the first step. Shapes and dtypes do not change.
    records : list of tensor (steps, …)
        Where the results of each step are recorded; zeros.

    Returns
    -------
    (carry, records)
        The values after the last step, and the results. Only the first `count` are set.
    """
    if keras.backend.backend() == 'torch':
        return _run_on_torch(step, int(count), inputs, carry, records)
    size = len(keras.tree.flatten(carry))

    def body(i: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        held = keras.tree.pack_sequence_as(carry, list(flat[:size]))
        held, results = step(held, [one[i] for one in inputs], i)
        recorded = [
            ops.slice_update(record, (i, *[0] * len(result.shape)), result[None])
            for record, result in zip(flat[size:], results)
        ]
        return (i + 1, *keras.tree.flatten(held), *recorded)

    start = ops.convert_to_tensor(0, 'int32')
    loop = (start, *keras.tree.flatten(carry), *records)
    _, *flat = ops.while_loop(lambda i, *rest: i < count, body, loop)
    return keras.tree.pack_sequence_as(carry, flat[:size]), flat[size:]


def _run_on_torch(
    step: Step, count: int, inputs: Sequence[Tensor], carry: Any, records: Sequence[Tensor]
) -> tuple[Any, list[Tensor]]:
    import torch

    parts = [one[:count].unbind(0) for one in inputs]
    numbers = torch.arange(count, dtype=torch.int32).unbind(0)
    flat = keras.tree.flatten(keras.tree.map_structure(ops.convert_to_tensor, carry))

    def flattened(i: Tensor, *args: Tensor) -> tuple[Tensor, ...]:
        now, held = list(args[: len(parts)]), list(args[len(parts) :])
        after, results = step(keras.tree.pack_sequence_as(carry, held), now, i)
        return (*keras.tree.flatten(after), *results)

    run, rows = flattened, []
    for i in range(count):
        args = numbers[i], *(part[i] for part in parts), *flat
        if i == 0 and count >= LEAST_TRACED:
            run = _traced(flattened, args)
        outputs = run(*args)
        flat = list(outputs[: len(flat)])
        rows.append(outputs[len(flat) :])
    results = [torch.stack(list(column)) for column in zip(*rows)] if rows else list(records)
    return keras.tree.pack_sequence_as(carry, flat), results


def _traced(function: Callable[..., Any], args: Tensors) -> Callable[..., Any]:
    """Trace a function as a graph of PyTorch's own operations.

    A function that reads the value of a tensor, such as ``if x[0] > 0``, cannot be traced. It is
    returned unchanged.
    """
    import torch

    graph = torch_graph(function, args)
    if graph is function:
        return function
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that it will be replaced in a later version
        traced: Callable[..., Any] = torch.jit.trace(graph, tuple(args), check_trace=False)
    return traced
