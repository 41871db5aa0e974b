"""Several models over one set of layers: to named outputs, from labels, to the losses."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets.backend import compiled
from kerasnets.errors import ConfigurationError
from kerasnets.graph import loss_graph, masks, structure
from kerasnets.graph.cache import FUNCTIONS, Function
from kerasnets.graph.nodes import connect, find_output
from kerasnets.graph.noise import Noises

#: Nothing but the losses.
PLAIN = loss_graph.Asked()


class Models:
    """The models over a network's layers, each built when first used.

    Parameters
    ----------
    nodes : list of nodes.Node
    model : keras.Model
        The network's own, made of the same layers.
    losses : list of Loss
    monitors : callable
        As `loss_graph.build` takes it.
    data_spec : data.data_spec.DataSpec
        Maps the data to the tensors that these models read.
    """

    def __init__(self, nodes: Any, model: Any, losses: Any, monitors: Any, data_spec: Any) -> None:
        self.nodes = nodes
        self.model = model
        self.losses = losses
        self.monitors = monitors
        self.data_spec = data_spec
        self._functions: Any = {}
        self._graphs: Any = {}

    def check_losses(self) -> None:
        """Refuse a network that has no loss to minimize."""
        if not self.losses:
            raise ConfigurationError("the network has no loss. Call set_loss('xe') first.")

    def outputs(self, names: Any, regularizers: Any = ()) -> Any:
        """Return the named outputs as a dict of KerasTensors, over the network's inputs."""
        noise = Noises(self.nodes, regularizers, noisy=True)
        return connect(self.nodes, self.data_spec.inputs, names, change=noise.change)

    @property
    def variables(self) -> Any:
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self.graph().variables

    def graph(self, way: Any = None, asked: Any = PLAIN) -> Any:
        """The `loss_graph.Graph` of the losses, over the same variables for each way of data."""
        way = self.data_spec.usual() if way is None else way
        key = way, asked
        if key not in self._graphs:
            self.check_losses()
            inputs, sources, targets = self.data_spec.tensors(way)
            self._graphs[key] = loss_graph.build(
                self.nodes,
                self.losses,
                inputs,
                sources,
                targets,
                self.monitors,
                asked,
                padded=any(masked for _, masked in way),
            )
        return self._graphs[key]

    def function(self, names: Any, way: Any, start: Any, regularizers: Any) -> Any:
        """A compiled function of a batch, and the layers in it that draw at random.

        Networks of equal layers share one, unless there is noise in it.
        """
        key = names, way, start, regularizers
        if key not in self._functions:
            layers = None if regularizers else structure.of_nodes(self.nodes)
            if layers is None:
                call, noises = self._function(*key)
            else:
                whole = 'outputs', layers, self.data_spec.takes_labels, key
                found = FUNCTIONS.find(whole, lambda: Function(self._function(*key)[0]))
                call, noises = found.call, []
            variables = self._read(noises)
            self._functions[key] = lambda *xs: call([v.value for v in variables], *xs), noises
        return self._functions[key]

    def _function(self, names: Any, way: Any, start: Any, regularizers: Any) -> Any:
        """Return the function with the values of all variables as its first argument."""
        if start is None:
            tensors, sources = self.data_spec.entry(way)
        else:
            output = find_output(self.nodes, start)
            tensors = [keras.Input(batch_shape=output.shape, dtype=output.dtype)]
            sources = {start: tensors[0]}
        padded = any(masked for _, masked in way)
        noise = Noises(self.nodes, regularizers, noisy=True)

        def run(sources: Any) -> Any:
            outputs = connect(self.nodes, sources, names, padded, noise.change)
            deep = {name: y for name, y in outputs.items() if padded and len(y.shape) > 2}
            return {
                'outputs': outputs,
                'steps': {name: masks.Steps()(y) for name, y in deep.items()},
            }

        entry: Any = keras.Function(tensors, sources)
        if regularizers:  # a model makes the layers of the noise once, before anything is compiled
            run, entry = keras.Model(tensors, run(sources)), list
        function = compiled(
            lambda *xs: keras.tree.map_structure(_full, run(entry(list(xs)))),
            self._read(noise.layers),
            tensors,
            xla=self.model.jit_compile,
        )
        return function, noise.layers

    def _read(self, noises: Any) -> Any:
        """Return the variables that a function reads: of the layers, and of the noise in it."""
        drawn = [layer.seed_generator.state for layer in noises]
        factors = [layer.factor for layer in noises]
        return [*structure.layer_variables(self.nodes), *drawn, *factors]


def _full(tensor: Any) -> Any:
    """A tensor of half precision in full: what is no dtype of numpy's is not handed out."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ('bfloat16', 'float16')
    return ops.cast(tensor, 'float32') if half else tensor
