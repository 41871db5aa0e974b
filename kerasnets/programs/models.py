"""Several models over one set of layers: for named outputs, for labels, for the losses."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from kerasnets import keras_facts
from kerasnets.data.data_spec import DataSpec, Layout
from kerasnets.errors import ConfigurationError
from kerasnets.graph import loss_graph
from kerasnets.graph.loss_graph import Extras, Graph
from kerasnets.graph.nodes import Node, connect
from kerasnets.graph.noise import Noises
from kerasnets.losses import Loss
from kerasnets.typing import Tensor

#: Nothing but the losses.
PLAIN = Extras()


class Models:
    """The models over a network's layers. Each is built on first use.

    Parameters
    ----------
    nodes : list of nodes.Node
    model : keras.Model
        The network's own Keras model, over the same layers.
    losses : list of Loss
    monitors : callable
        As `loss_graph.build` takes it.
    takes_labels, time_major : bool
        As for `data.data_spec.DataSpec`.

    Attributes
    ----------
    data_spec : DataSpec
        Maps the data to the tensors that these models read.
    lock : threading.RLock
        Acquired while the layers are traced.
    """

    def __init__(
        self,
        nodes: list[Node],
        model: Any,
        losses: list[Loss],
        monitors: Callable[..., dict[str, Any]],
        takes_labels: bool = False,
        time_major: bool = False,
    ) -> None:
        self.nodes = nodes
        self.model = model
        self.losses = losses
        self.monitors = monitors
        self.takes_labels, self.time_major = takes_labels, time_major
        self.lock = threading.RLock()
        self._graphs: dict[Any, Graph] = {}

    @functools.cached_property
    def data_spec(self) -> DataSpec:
        """The mapping from data arrays to the tensors that the losses read."""
        return DataSpec(self.nodes, self.losses, self.model, self.takes_labels, self.time_major)

    def check_losses(self) -> None:
        """Refuse a network that has no loss to minimize."""
        if not self.losses:
            raise ConfigurationError("the network has no loss. Call set_loss('xe') first.")

    @property
    def layer_variables(self) -> list[Any]:
        """All variables of the layers, each once, in the order of the layers."""
        variables = {id(v): v for node in self.nodes for v in node.layer.variables}
        return list(variables.values())

    def outputs(self, names: Iterable[str], regularizers: Any = ()) -> dict[str, Tensor]:
        """Return the named outputs as a dict of KerasTensors, over the network's inputs."""
        noise = Noises(self.nodes, regularizers, noisy=True)
        return connect(self.nodes, self.data_spec.inputs, names, change=noise.change)

    @property
    def variables(self) -> list[Tensor]:
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self.graph().variables

    def graph(self, layout: Layout | None = None, extras: Extras = PLAIN) -> Graph:
        """Return the `loss_graph.Graph` of the losses for one form of the inputs."""
        layout = self.data_spec.plain_layout() if layout is None else layout
        key = layout, extras
        if key not in self._graphs:
            keras_facts.share_names()
            self.check_losses()
            inputs, sources, targets = self.data_spec.tensors(layout)
            self._graphs[key] = loss_graph.build(
                self.nodes,
                self.losses,
                inputs,
                sources,
                targets,
                self.monitors,
                extras,
                padded=any(masked for _, masked in layout),
            )
        return self._graphs[key]
