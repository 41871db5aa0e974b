"""`LayerList`: a list of layers as a Keras model."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from kerasnets.errors import ConfigurationError, pick
from kerasnets.graph import builder, summary
from kerasnets.graph.nodes import connect, find_output, inputs_of, output_names
from kerasnets.graph.parameters import Parameter
from kerasnets.initializers import generator
from kerasnets.language import architecture, listing
from kerasnets.language.spec import LayerSpec, check_names, extend, parse
from kerasnets.layers import handles
from kerasnets.layers.handles import Layer
from kerasnets.typing import Entry, Layers, Seed, Tensor


class LayerList:
    """Layers, parsed and built one after the other; what a `Network` is made of.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers, the input first.
    rng : int or numpy random generator
        Decides initial weights.
    hidden_activation, output_activation : str, optional
        Activations of dense and recurrent layers that say none.
    tied_weights : bool
        Whether the layers after the middle one are tied to those before it.
    decode_from : int
        Number of hidden layers that the last layer reads.
    recurrent_form : str, optional
        Form of hidden layers that are given by their size alone.

    Raises
    ------
    ConfigurationError
        For an entry that cannot be, naming its place.
    """

    DEFAULT_HIDDEN_ACTIVATION = 'relu'
    DEFAULT_OUTPUT_ACTIVATION = 'linear'
    INPUT_NDIM = 2
    OUTPUT_NDIM = 2

    def __init__(
        self,
        layers: Layers = (),
        rng: Seed = 13,
        hidden_activation: Any = None,
        output_activation: Any = None,
        tied_weights: bool = False,
        decode_from: int = 1,
        recurrent_form: str | None = None,
    ) -> None:
        if isinstance(layers, (str, bytes, numbers.Number, dict)):
            raise ConfigurationError(f'expected a list of layers, got {layers!r}. Try [10, 20, 3].')
        self.rng = generator(rng)
        self._nodes: list[Any] = []
        self._model: Any = None  # built on first use
        self._made: dict[str, Any] = {}  # built from the layers, on first use
        self._handles: dict[str, Layer] = {}  # by the names of the layers
        layers = list(architecture.arrange(layers, tied_weights, recurrent_form))
        decoded = architecture.check_decoded(decode_from, layers)
        hidden = self.DEFAULT_HIDDEN_ACTIVATION if hidden_activation is None else hidden_activation
        output = self.DEFAULT_OUTPUT_ACTIVATION if output_activation is None else output_activation
        for i, layer in enumerate(layers):
            if 0 < i == len(layers) - 1:
                self._add(layer, 'out', output, decoded)
            else:
                self._add(layer, None, hidden)

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
    def layers(self) -> list[Layer]:
        """The layers, the input first: theanets' objects, which have the Keras layer as `keras`.

        >>> net = kerasnets.Network([4, (6, 'tanh'), 3])
        >>> net.layers[1].name, net.layers[1].num_params, net.layers[1].keras.units
        ('hid1', 30, 6)
        """
        for node in self._nodes:
            found = self._handles.get(node.name)
            if found is None or found.keras is not node.layer:
                cls = handles.class_of(node.spec.form) if node.spec.layer is None else Layer
                entry = node.spec.entry
                given = entry if isinstance(entry, Layer) else cls(name=node.name)
                self._handles[node.name] = given.bound(node, self)
        return [self._handles[node.name] for node in self._nodes]

    def node_for(self, entry: Any) -> Any:
        """A node for an entry after the layers that are there, of which it is not made one."""
        if not self._nodes:
            raise ConfigurationError(
                f'expected a network with layers that {entry!r} reads, got an empty one.'
            )
        spec = parse(entry, len(self._nodes), previous=self._nodes[-1].name)
        return builder.add_node(self._nodes, spec, self.rng, self.INPUT_NDIM)

    def outputs_of(self, names: Any) -> list[Tensor]:
        """The Keras tensors of some outputs, by name."""
        return [find_output(self._nodes, name) for name in names]

    def outputs_over(self, node: Any, inputs: Any) -> dict[str, Tensor]:
        """All outputs of a node over tensors for what it reads, by name."""
        nodes = self._nodes if node in self._nodes else [*self._nodes, node]
        return connect(nodes, dict(inputs), output_names([node]))

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

    def _repr_html_(self) -> str:
        return summary.as_html(self, self._nodes)

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

    def _add(self, entry: Entry, name: str | None, activation: str, decoded: int = 1) -> None:
        previous = tuple(node.name for node in self._nodes[-decoded:]) or None
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
        self._nodes, self._model, self._made, self._handles = nodes, model, {}, {}
