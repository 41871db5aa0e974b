"""Noise and dropout between layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasnets.graph.nodes import Node, output_names
from kerasnets.regularizers import Noise, Regularizer, TrainingMode
from kerasnets.typing import Array, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer


class Noises:
    """The noise and dropout between layers that some regularizers describe.

    Parameters
    ----------
    nodes : list of nodes.Node
    regularizers : tuple of Regularizer
    noisy : bool
        Whether there is noise outside of training too.
    """

    def __init__(
        self, nodes: Sequence[Node], regularizers: Sequence[Regularizer], noisy: bool
    ) -> None:
        names = output_names(nodes)
        places = {
            'input': [f'{n.name}:out' for n in nodes if n.spec.form == 'input'],
            'hidden': [f'{n.name}:out' for n in nodes[:-1] if n.spec.form != 'input'],
            'output': [f'{nodes[-1].name}:out'],
        }
        self.noisy = noisy
        self.layers: list[KerasLayer] = []
        self.indices: list[int] = []  # which of the regularizers made each layer
        self.changed: dict[str, list[tuple[int, Noise]]] = {}
        for i, regularizer in enumerate(regularizers):
            if isinstance(regularizer, Noise):
                for name in regularizer.select(names, places.get(regularizer.where or '', ())):
                    self.changed.setdefault(name, []).append((i, regularizer))

    def change(self, name: str, tensor: Callable[[str], Tensor]) -> Tensor:
        """Return the tensor of an output with its noise, for the layers that read it."""
        for i, regularizer in self.changed.get(name, ()):
            self.indices.append(i)
            layer = regularizer.layer(seed=len(self.layers))
            self.layers.append(TrainingMode(layer) if self.noisy else layer)
            tensor = self.layers[-1](tensor)
        return tensor


def reseed(noises: list[KerasLayer], rng: np.random.Generator) -> None:
    """Seed the layers that draw at random from a numpy generator."""
    for layer in noises:
        state = layer.seed_generator.state
        state.assign(seed(rng))


def seed(rng: np.random.Generator) -> Array:
    """Return the state of a Keras seed generator, drawn from a numpy generator."""
    return rng.integers(2**32, size=2, dtype='uint32')
