"""`LayerList`: a list of layers as a Keras model."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from kerasnets.errors import ConfigurationError, pick
from kerasnets.graph import builder, summary
from kerasnets.graph.nodes import inputs_of
from kerasnets.graph.parameters import Parameter
from kerasnets.initializers import generator
from kerasnets.language import listing
from kerasnets.language.spec import LayerSpec, check_names, extend, parse
from kerasnets.typing import Entry, Layers, Seed, Tensor


class LayerList:
    """Layers, parsed and built one after the other; what a `Network` is made of.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers, the input first.
    rng : int or numpy random generator
        Decides initial weights.

    Raises
    ------
    ConfigurationError
        For an entry that cannot be, naming its place.
    """

    DEFAULT_OUTPUT_ACTIVATION = 'linear'
    INPUT_NDIM = 2
    OUTPUT_NDIM = 2

    def __init__(self, layers: Layers = (), rng: Seed = 13) -> None:
        if isinstance(layers, (str, bytes, numbers.Number, dict)):
            raise ConfigurationError(f'expected a list of layers, got {layers!r}. Try [10, 20, 3].')
        self.rng = generator(rng)
        self._nodes: list[Any] = []
        self._model: Any = None  # built on first use
        self._made: dict[str, Any] = {}  # built from the layers, on first use
        layers = list(layers)
        for i, layer in enumerate(layers):
            last = i == len(layers) - 1 and i > 0
            activation = self.DEFAULT_OUTPUT_ACTIVATION if last else 'relu'
            self._add(layer, 'out' if last else None, activation)

    @property
    def model(self) -> Any:
        if self._model is None:
            self._model = builder.assemble(self._nodes)
        return self._model

    @property
    def specs(self) -> list[LayerSpec]:
        return [node.spec for node in self._nodes]

    @property
    def nodes(self) -> list[Any]:
        """The layers as nodes of a graph."""
        return self._nodes

    @property
    def layers(self) -> list[Any]:
        """The Keras layers, the input first."""
        return [node.layer for node in self._nodes]

    @property
    def inputs(self) -> list[Tensor]:
        """The Keras tensors that the network reads."""
        return list(inputs_of(self._nodes).values())

    @property
    def params(self) -> list[Parameter]:
        """Handles on all learnable parameters, in the order of the layers."""
        return [param for node in self._nodes for param in node.params()]

    @property
    def num_params(self) -> int:
        """Number of learnable values in the network."""
        return sum(int(np.prod(p.shape)) for p in self.params)

    def __repr__(self) -> str:
        return listing.listed(self)

    def summary(self, file: Any = None) -> None:
        """Print a table of the layers: name, form, shape, activation and parameters.

        >>> kerasnets.Network([4, (6, 'tanh'), 3])
        network.Network([4, (6, 'tanh'), 3])
        """
        summary.show(self, self._nodes, file)

    def find(self, which: str | int, param: str | int) -> Parameter:
        """A parameter of a layer.

        Parameters
        ----------
        which : str or int
            Name of the layer, or its place.
        param : str or int
            Name of the parameter, or its place in the layer.

        Returns
        -------
        Parameter
            With ``name``, ``shape``, ``get_value()``, ``set_value(array)``, ``variable``.

        Raises
        ------
        ConfigurationError
            If there is none of that name.

        >>> kerasnets.Network([4, 6, 3]).find('hid1', 'w').shape
        (4, 6)
        """
        parts = {name: part for node in self._nodes for name, part in node.parts().items()}
        found = pick(parts, which, 'the network has no layer')
        return pick(found, param, f'layer {which!r} has no parameter')

    def add_layer(self, layer: Any = None, **kwargs: Any) -> None:
        """Add a layer after those that are there.

        Parameters
        ----------
        layer : entry of the language of layers, optional
            Without it, the keywords describe the layer.
        **kwargs
            As in a dict entry; they add to the entry.
        """
        self._add(extend(layer, kwargs), None, 'relu')

    def _add(self, entry: Entry, name: str | None, activation: str) -> None:
        previous = self._nodes[-1].name if self._nodes else None
        spec = parse(
            entry,
            len(self._nodes),
            name=name,
            previous=previous,
            default_activation=activation,
        )
        check_names([*self.specs, spec])
        if spec.form == 'embedding':
            self._nodes = builder.reading_labels(self._nodes, spec, self.INPUT_NDIM)
        self._nodes.append(builder.add_node(self._nodes, spec, self.rng, self.INPUT_NDIM))
        self._model, self._made = None, {}

    def adopt(self, nodes: Any, model: Any) -> None:
        """Take the layers of a model that was read from a file."""
        self._nodes, self._model, self._made = nodes, model, {}
