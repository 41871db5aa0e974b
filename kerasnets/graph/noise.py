"""Noise and dropout on the way from one layer to the next."""

from __future__ import annotations

from typing import Any

from kerasnets.graph.nodes import output_names
from kerasnets.regularizers import Always, Noise


class Noises:
    """Changes outputs as some regularizers ask, on their way to the layers that read them.

    Parameters
    ----------
    nodes : list of nodes.Node
    regularizers : tuple of Regularizer
    noisy : bool
        Whether there is noise outside of training too.
    """

    def __init__(self, nodes: Any, regularizers: Any, noisy: Any) -> None:
        names = output_names(nodes)
        places = {
            'input': [f'{n.name}:out' for n in nodes if n.spec.form == 'input'],
            'hidden': [f'{n.name}:out' for n in nodes[:-1] if n.spec.form != 'input'],
            'output': [f'{nodes[-1].name}:out'],
        }
        self.noisy = noisy
        self.layers: Any = []
        self.indices: list[int] = []  # which of the regularizers made each layer
        self.changed: Any = {}
        for i, regularizer in enumerate(regularizers):
            if isinstance(regularizer, Noise):
                for name in regularizer.select(names, places.get(regularizer.where or '', ())):
                    self.changed.setdefault(name, []).append((i, regularizer))

    def change(self, name: str, tensor: Any) -> Any:
        """The output of that name as others are to read it."""
        for i, regularizer in self.changed.get(name, ()):
            self.indices.append(i)
            layer = regularizer.layer(seed=len(self.layers))
            self.layers.append(Always(layer) if self.noisy else layer)
            tensor = self.layers[-1](tensor)
        return tensor


def reseed(noises: Any, rng: Any) -> None:
    """Have layers that draw at random draw what a numpy generator decides."""
    for layer in noises:
        state = layer.seed_generator.state
        state.assign(seed(rng))


def seed(rng: Any) -> Any:
    """The state of a Keras seed generator, as a numpy generator decides."""
    return rng.integers(2**32, size=2, dtype='uint32')
