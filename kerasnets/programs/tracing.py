"""Models on PyTorch as graphs of PyTorch's own operations.

Keras runs a model there operation by operation, and each costs more than a small computation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasnets import backend, keras_facts
from kerasnets.graph.loss_graph import Extras
from kerasnets.programs import key
from kerasnets.programs.models import Models
from kerasnets.typing import Tensor

#: A shape of batches is traced at this call, since tracing costs about as much as 12 calls.
CALLS = 12

#: Maximum number of shapes that are traced.
SHAPES = 8


def may_trace(models: Models, extras: Extras) -> bool:
    """Return True if a trace of the losses' graph computes what the graph does, on PyTorch.

    All of the graph must be known, draw nothing at random and change no variable.
    """
    if keras.backend.backend() != 'torch' or extras.curvature or extras.gradients:
        return False
    try:
        key.Description().network(models)
        key.of_losses(models), key.of_extras(extras)
    except key.UnknownError:
        return False
    parts = [part for node in models.nodes for part in keras_facts.parts(node.layer)]
    random = any(hasattr(part, 'seed_generator') for part in parts)
    return not random and all(variable.trainable for variable in models.layer_variables)


class Traced:
    """A function of tensors that is traced once for each shape of them.

    Parameters
    ----------
    function : callable
        (*tensors) -> nest of tensors. It draws nothing at random and changes no variable.
    variables : list of keras.Variable
        All that it reads.
    """

    def __init__(self, function: Callable[..., Any], variables: list[Any]) -> None:
        self.function, self.variables = function, variables
        self._calls: dict[Any, int] = {}
        self._graphs: dict[Any, tuple[Callable[..., Any], Any]] = {}

    def __call__(self, *args: Tensor) -> Any:
        """Compute the function."""
        shapes = tuple([(tuple(arg.shape), arg.dtype) for arg in args])
        if shapes not in self._graphs:
            self._calls[shapes] = self._calls.get(shapes, 0) + 1
            if self._calls[shapes] < CALLS or len(self._graphs) == SHAPES:
                return self.function(*args)
            self._graphs[shapes] = self._trace(args)
        graph, outputs = self._graphs[shapes]
        results = graph(*[variable.value for variable in self.variables], *args)
        return keras.tree.pack_sequence_as(outputs, list(results))

    def _trace(self, args: tuple[Tensor, ...]) -> tuple[Callable[..., Any], Any]:
        """Return the graph for some arguments, and the nest of its outputs."""
        values = [variable.value for variable in self.variables]
        nest: Any = None

        def flat(*tensors: Tensor) -> list[Tensor]:
            nonlocal nest
            state = list(zip(self.variables, tensors))
            with keras.StatelessScope(state_mapping=state):
                nest = self.function(*tensors[len(values) :])
            return list(keras.tree.flatten(nest))

        graph = backend.torch_graph(flat, (*values, *args))
        return graph, keras.tree.map_structure(lambda _: 0, nest)
