"""The layers of a network as nodes of a graph: made from specs, and connected.

`add_node` makes a layer, once, and `assemble` the network's own model. Any other model over the
same layers comes from `connect`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets import initializers, keras_facts, layers
from kerasnets.errors import ConfigurationError, check_known, in_a_line, positive, suggest
from kerasnets.graph import masks
from kerasnets.graph.parameters import Parameter, parameters
from kerasnets.language import registry
from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Output, Pass, initial_settings, keywords
from kerasnets.typing import Config, Tensor, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Settings that are about square matrices.
SQUARE = ('radius', 'diagonal')


@dataclasses.dataclass(frozen=True)
class Node:
    """A layer of the network: its specification, Keras layer and output."""

    spec: LayerSpec
    layer: keras.layers.Layer
    output: Tensor

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.spec.name

    def parts(self) -> dict[str, dict[str, Parameter]]:
        """Return name -> {name -> Parameter} of the layer, or of its parts."""
        if self.spec.form == 'input':
            return {self.name: {}}
        by_name = layers.parts(self.layer, self.name)
        if self.spec.options.get('whole'):  # the network's only layer: no need to name it
            by_name = {name.removeprefix(f'{self.name}/'): part for name, part in by_name.items()}
        return {name: parameters(layer, name) for name, layer in by_name.items()}

    def params(self) -> list[Parameter]:
        """Return all `Parameter`s of the layer."""
        return [param for part in self.parts().values() for param in part.values()]

    @property
    def reads(self) -> list[str]:
        """Names of the layers that it depends on."""
        return [source.split(':')[0] for source in self.spec.sources]

    def outputs(self) -> dict[str, Output]:
        """Return name -> `Output` of the quantities inside the layer, without its 'out'."""
        insides = layers.anatomy(self.layer).outputs
        whole = getattr(self.layer, 'return_sequences', True)
        return {name: o for name, o in insides.items() if whole or not o.after}


@keras.saving.register_keras_serializable('kerasnets')
class Probe(keras.layers.Layer):
    """Reads a quantity inside another layer, with that layer's own weights.

    Parameters
    ----------
    layer : keras.layers.Layer
    part : str
        Name of one of the outputs in its anatomy, such as 'pre'.
    """

    def __init__(self, layer: KerasLayer, part: str, **kwargs: Any) -> None:
        super().__init__(**{'dtype': layer.dtype_policy, **kwargs})
        self.supports_masking = True
        self.layer = layer
        self.part = part

    def compute_output_spec(self, x: Tensors, *after: Any, **kwargs: Any) -> Tensor:
        """Return the shape and dtype of the output."""
        output = layers.anatomy(self.layer).outputs[self.part]
        if output.after:
            return super().compute_output_spec(x, *after, **kwargs)
        tensor = output.read(Pass(self.layer, x))  # Keras infers the shape without tracing it
        return keras.KerasTensor(tensor.shape, dtype=tensor.dtype)

    def call(
        self,
        x: Tensors,
        y: Tensor | None = None,
        states: Tensors = (),
        mask: Tensor | None = None,
        x_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the quantity."""
        # Keras fills in the one mask or the other, by the number of tensors
        masks = [m for m in keras.tree.flatten([mask, x_mask]) if m is not None]
        run = Pass(self.layer, x, y, tuple(states), masks[0] if masks else None)
        return layers.anatomy(self.layer).outputs[self.part].read(run)

    def get_config(self) -> Config:
        """Return the settings."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), 'layer': layer, 'part': self.part}

    @classmethod
    def from_config(cls, config: Config) -> KerasLayer:
        """Build the probe again; within one file Keras finds the existing layer."""
        layer = keras.saving.deserialize_keras_object(config['layer'])
        return cls(**{**config, 'layer': layer})


def inputs_of(nodes: Sequence[Node]) -> dict[str, Tensor]:
    """Return name -> KerasTensor of the inputs that the network reads."""
    return {node.name: node.output for node in nodes if node.spec.form == 'input'}


def classes_of(nodes: Sequence[Node], name: str) -> int | None:
    """Return the number of labels of an integer input; None for an input of values."""
    (source,) = (node for node in nodes if node.name == name)
    for node in nodes:
        if isinstance(node.layer, keras.layers.Embedding) and f'{name}:out' in node.spec.inputs:
            return node.layer.input_dim
    return source.spec.size if 'int' in source.output.dtype else None


def reach_of(nodes: Sequence[Node]) -> int | None:
    """Return the number of steps that a network has learned positions for; None if unlimited."""
    reaches = [layers.reach(node.layer) for node in nodes if isinstance(node.layer, keras.Model)]
    return min((steps for steps in reaches if steps is not None), default=None)


def is_chain(nodes: Sequence[Node]) -> bool:
    """Return True if every layer reads only the layer before it."""
    before = [(), *((f'{node.name}:out',) for node in nodes)]
    return all(
        node.spec.inputs == source and not node.spec.states for node, source in zip(nodes, before)
    )


def shares_weights(model: KerasModel) -> bool:
    """Return True if two layers of the model share weights."""
    return any(hasattr(layer, 'partner') or isinstance(layer, Probe) for layer in model.layers)


def output_names(nodes: Iterable[Node]) -> list[str]:
    """Return every output name that `connect` accepts: 'in:out', 'hid1:out', 'hid1:pre'."""
    return [f'{node.name}:{part}' for node in nodes for part in ('out', *node.outputs())]


def full_name(nodes: Sequence[Node], name: str | None = None) -> str:
    """Return 'hid1:out' for 'hid1'; for None the output of the last layer."""
    name = nodes[-1].name if name is None else name
    return name if ':' in name else f'{name}:out'


def find_output(nodes: Sequence[Node], name: str | None = None) -> Tensor:
    """Return the KerasTensor of an output by name ('hid1:out' or 'hid1'); default the last."""
    name = full_name(nodes, name)
    return connect(nodes, {node.name: node.output for node in nodes}, [name])[name]


class Flow(Mapping[str, Any]):
    """All outputs of a network for some inputs, by name, each computed on first access.

    Parameters
    ----------
    nodes : list of Node
    inputs : dict of str to KerasTensor
        Outputs that are given, by name: those of the input layers, or of layers further on.
        Only the layers between them and the requested outputs run.
    padded : bool
        Whether masks go along with the inputs.
    change : callable, optional
        (name, tensor) -> tensor, for each output before other layers read it.
    swift : bool
        Whether layers are run in the way that is faster to train.
    training : bool, optional
        The `training` argument of layers. Default: that of the model around them.

    Asking for a name that is not there raises ConfigurationError.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        inputs: Any,
        padded: bool = False,
        change: Callable[[str, Tensor], Tensor] | None = None,
        swift: bool = False,
        training: bool | None = None,
    ) -> None:
        self.training = training
        self.nodes = {node.name: node for node in nodes}
        self.swift = swift and not padded
        self.padded = padded
        self.change = change or (lambda name, tensor: tensor)
        self.made = {full_name(nodes, name): tensor for name, tensor in inputs.items()}
        self.changed = {name: self.change(name, tensor) for name, tensor in self.made.items()}

    @functools.cached_property
    def names(self) -> list[str]:
        """Names of all outputs; those inside layers are looked up on first access."""
        return output_names(self.nodes.values())

    def __getitem__(self, name: str) -> Tensor:
        """Return an output by name; compute it on first access."""
        if name not in self.changed:
            if name not in self.names:
                raise ConfigurationError(
                    f'the network has no output {name!r}.{suggest(name, self.names)} '
                    f'Choose one of: {", ".join(self.names)}.'
                )
            for one in [*self._before(name), name]:
                if one not in self.changed:
                    self.made[one] = self._run(*one.split(':'))
                    self.changed[one] = self.change(one, self.made[one])
        return self.changed[name]

    def _before(self, name: str) -> list[str]:
        """Return the outputs that an output depends on, in the order of the layers.

        They run one after the other, since Python limits how deep calls may go.
        """
        sources: set[str] = set()
        stack = [name]
        while stack:
            one = stack.pop()
            more = set(self.nodes[one.split(':')[0]].spec.sources) - sources
            sources |= more
            stack += [source for source in more if source not in self.changed]
        return [one for one in self.names if one in sources]

    def __contains__(self, name: object) -> bool:
        """Return True if the network has an output of that name."""
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.names)

    def __len__(self) -> int:
        """Return the number of outputs."""
        return len(self.names)

    def _run(self, name: str, part: str) -> Tensor:
        node = self.nodes[name]
        if part == 'out':
            swift = self.swift and not node.spec.states
            layer = layers.fast_variant(node.layer) if swift else node.layer
            return run_layer(layer, node.spec, self.__getitem__, self.padded, self.training)
        y = None
        if node.outputs()[part].after:
            self[f'{name}:out']
            y = self.made[f'{name}:out']  # as the layer made it, without the change
        x, states = _read(node.layer, node.spec, self.__getitem__)
        return Probe(node.layer, part)(x, y, states)


def connect(
    nodes: Sequence[Node],
    inputs: Any,
    wanted: Iterable[str],
    padded: bool = False,
    change: Callable[[str, Tensor], Tensor] | None = None,
    training: bool | None = None,
) -> dict[str, Tensor]:
    """Return the outputs named, a dict, for some inputs; other arguments are those of `Flow`."""
    flow = Flow(nodes, inputs, padded, change, training=training)
    return {name: flow[name] for name in wanted}


def _read(
    layer: KerasLayer, spec: LayerSpec, tensor: Callable[[str], Tensor]
) -> tuple[Tensors, Tensors]:
    """Return the tensors that a layer reads, and its initial states.

    `tensor` finds an output by its name.
    """
    sources = [tensor(name) for name in spec.inputs]
    states = {key: tensor(name) for key, name in spec.states}
    return sources[0] if len(sources) == 1 else sources, layers.start(layer, states)


def run_layer(
    layer: KerasLayer,
    spec: LayerSpec,
    tensor: Callable[[str], Tensor],
    padded: bool = False,
    training: bool | None = None,
) -> Tensor:
    """Return the output of a layer over the outputs that its spec names."""
    if isinstance(layer, keras_facts.LEFT_OUT):
        raise ConfigurationError(
            f'expected a layer that Keras runs in a model, got {type(layer).__name__}, which it '
            'leaves out. Call the layer on your data before training.'
        )
    x, states = _read(layer, spec, tensor)
    if keras_facts.needs_fixed_steps(layer) and x.shape[1] is None:
        raise ConfigurationError(
            f'expected a fixed number of steps for {type(layer).__name__}, got an open one: Keras '
            'on TensorFlow would compute as many steps as there are examples. Use the layer in it '
            'alone, if it computes each step by itself as Dense does; or write the number of steps '
            'in the first entry, such as (20, 4) for 20 steps of 4 variables.'
        )
    kwargs = {'initial_state': states} if states else {}
    if training is not None and 'training' in inspect.signature(layer.call).parameters:
        kwargs['training'] = training  # some layers of Keras train unless this is False
    return masks.call_masked(layer, x, **kwargs) if padded else layer(x, **kwargs)


def add_node(
    nodes: Sequence[Node], spec: LayerSpec, rng: np.random.Generator, input_ndim: int
) -> Node:
    """Make the layer of a spec and set its initial values.

    Parameters
    ----------
    nodes : list of Node
        The layers before it.
    spec : LayerSpec
    rng : numpy.random.Generator
        Decides initial values, and the seeds of layers that draw at random.
    input_ndim : int
        Axes of the network's inputs, examples included.

    Returns
    -------
    Node

    Raises
    ------
    ConfigurationError
        Naming the layer's place and its entry.
    """
    keras_facts.share_names()
    _reserve(spec.name)
    try:
        with keras_facts.seeded(int(rng.integers(2**63))):
            if spec.form == 'input':
                layer = _input(spec, input_ndim)
                return Node(spec, layer, layer.output)
            if not nodes:
                raise ConfigurationError(
                    'expected the size or the shape of the inputs as the first entry, got a layer. '
                    'Write for example Classifier([4, 10, 3]).'
                )
            _check_sizes(nodes, spec)
            layer = spec.layer or _make(nodes, spec)
            output = run_layer(layer, spec, lambda name: find_output(nodes, name))
            _check_size(spec, output)
        for part in layers.parts(layer, spec.name).values():
            if not getattr(layer, 'draws_weights', False):
                _initialise(part, spec, rng)
    except ConfigurationError as cause:
        raise spec.error(cause) from None
    except (TypeError, ValueError) as cause:
        raise spec.error(_plain(cause, nodes, spec)) from cause
    return Node(spec, layer, output)


def adopt(specs: Iterable[LayerSpec], model: KerasModel) -> list[Node]:
    """Return nodes over the layers of a model that Keras has loaded.

    Raises
    ------
    ConfigurationError
        If the model has no layer of a spec's name.
    """
    within = [layer.layer for layer in model.layers if isinstance(layer, Probe)]
    by_name = {layer.name: layer for layer in [model, *within, *model.layers]}
    keras_facts.share_names()
    inputs = iter(model.inputs)
    nodes = []
    for spec in specs:
        _reserve(spec.name)
        if spec.form == 'input':
            tensor = next(inputs)
            layer = keras.layers.InputLayer(
                batch_shape=tensor.shape, dtype=tensor.dtype, name=spec.name
            )
            nodes.append(Node(spec, layer, layer.output))
            continue
        if spec.name not in by_name:
            raise spec.error(f'the model has no such layer. Choose one of: {", ".join(by_name)}.')
        layer = by_name[spec.name]
        output = run_layer(layer, spec, lambda name: find_output(nodes, name))
        nodes.append(Node(spec, layer, output))
    return nodes


def assemble(nodes: Sequence[Node]) -> KerasModel:
    """Build the network's model: a ``keras.Sequential`` for a chain, else a ``keras.Model``.

    Its first output is that of the last layer; layers that nothing else reads give others.

    Raises
    ------
    ConfigurationError
        If there is no layer but an input, or an input that is not read.
    """
    if len(nodes) < 2:
        raise ConfigurationError(
            f'expected an input and at least one layer, got {len(nodes)} layer(s). '
            'Write for example [10, 20, 3], or call add_layer().'
        )
    if is_chain(nodes):
        return keras.Sequential([node.layer for node in nodes])
    read = {name for node in nodes for name in node.reads}
    ends = [node for node in nodes[::-1] if node.name not in read]
    for node in ends:
        if node.spec.form == 'input':
            raise node.spec.error('no layer reads it. Add it to the inputs of a layer.')
    outputs = [node.output for node in ends]
    return keras.Model(list(inputs_of(nodes).values()), outputs if ends[1:] else outputs[0])


def reading_labels(nodes: list[Node], spec: LayerSpec, ndim: int) -> list[Node]:
    """Return the nodes, replacing the input of an embedding by an integer input."""
    (name, _), *_ = (source.split(':') for source in spec.inputs)
    found = next(node for node in nodes if node.name == name)
    values = found.spec.form == 'input' and found.spec.size and 'int' not in found.output.dtype
    if not values or any(f'{name}:out' in node.spec.inputs for node in nodes):
        return nodes
    options = MappingProxyType({**found.spec.options, 'dtype': 'int32'})
    source = dataclasses.replace(found.spec, options=options)
    layer = _input(source, ndim)
    return [Node(source, layer, layer.output) if node is found else node for node in nodes]


def _make(nodes: Sequence[Node], spec: LayerSpec) -> KerasLayer:
    """Build a layer for a spec, by its form."""
    form = layers.get_form(spec.form)
    if form.follow is not None:
        return form.follow(spec, [find_output(nodes, name) for name in spec.inputs])
    if form.join is not None and len(spec.inputs) > 1:
        tensors = [find_output(nodes, name) for name in spec.inputs]
        return form.join(spec, tensors, form.activation_of(spec))
    if form.partner:
        return form.make(spec, partner=_partner(nodes, spec))
    if form.of_labels:
        return form.make(spec, input_dim=_labels_read(nodes, spec))
    return form.make(spec)


def _check_sizes(nodes: Sequence[Node], spec: LayerSpec) -> None:
    """Raise ConfigurationError if the inputs' sizes differ from those in the entry."""
    for name, size in zip(spec.inputs, spec.sizes):
        found = find_output(nodes, name).shape[-1]
        if found != size:
            raise ConfigurationError(
                f'expected an input {name!r} of size {size}, as inputs says, got {found}. '
                f'Change the size in inputs to {found}.'
            )


def _check_size(spec: LayerSpec, output: Tensor) -> None:
    """Raise ConfigurationError if the entry's size differs from the one that follows."""
    follows = spec.layer is None and layers.get_form(spec.form).follow is not None
    if follows and spec.size is not None and output.shape[-1] != spec.size:
        raise ConfigurationError(
            f'expected the size that follows from its inputs, {output.shape[-1]}, '
            f'got {spec.size}. Leave it out.'
        )


def _labels_read(nodes: Sequence[Node], spec: LayerSpec) -> int:
    """Return the number of labels in the input of an embedding."""
    name = spec.inputs[0].split(':')[0]
    classes = classes_of(nodes, name) if name in inputs_of(nodes) else None
    return spec.options.get('input_dim', classes)


def _partner(nodes: Sequence[Node], spec: LayerSpec) -> KerasLayer:
    """Return the layer whose weights a tied layer shares.

    Without ``partner=`` in the entry, layers pair up like brackets: a dense layer opens one, and
    a tied layer closes the last one that is open.
    """
    name = spec.options.get('partner')
    depth = 1
    for node in reversed(nodes):
        if node.spec.form != 'tied' and 'w' not in parameters(node.layer, node.name):
            continue
        depth += 1 if node.spec.form == 'tied' else -1
        if node.name == name or (name is None and depth == 0):
            return node.layer
    raise ConfigurationError(
        f'a tied layer needs a dense partner, {f"not {name!r}" if name else "and there is none"}. '
        'Name one of the layers before it: '
        f'{", ".join(n.name for n in nodes if "w" in parameters(n.layer, n.name)) or "none yet"}.'
    )


def _input(spec: LayerSpec, ndim: int) -> KerasLayer:
    options = dict(spec.options)
    known = [*keywords(keras.layers.InputLayer), 'ndim']
    check_known(options, known, 'keyword of an input')
    if options.pop('sparse', None) not in (None, False, True, 'csr', 'csc'):
        raise ConfigurationError(
            f"expected sparse as 'csr' or 'csc', got {spec.options['sparse']!r}. "
            'Choose one of them.'
        )
    ndim = positive(options.pop('ndim', ndim), 'ndim', least=2)
    axes = () if 'int' in options.get('dtype', '') else (spec.size,)
    shape = spec.shape or (None,) * (ndim - 2) + axes
    return keras.layers.InputLayer(shape=shape, name=spec.name, **options)


def _initialise(layer: KerasLayer, spec: LayerSpec, rng: np.random.Generator) -> None:
    """Draw weights as theanets would: for its own forms, and wherever a setting asks for it."""
    keys = initial_settings(spec.options, keywords(type(layer)))
    anatomy = layers.anatomy(layer)
    params = parameters(layer, spec.name) if anatomy.params else {}
    for setting in keys:
        part = setting.partition('_')[2]
        if not params or (part and part not in params):
            raise ConfigurationError(
                f'{setting!r} sets no parameter of this layer.{suggest(part, params)} '
                + (f'Choose one of: {", ".join(params)}.' if params else 'Leave it out.')
            )
    settings = {k: spec.options[k] for k in keys}
    for name, param in params.items():
        blocks = initializers.squares(param.shape, layer.cell.units) if anatomy.states else 1
        chosen = _chosen(name, settings, name in anatomy.biases, blocks)
        ours = spec.form in registry.FORMS and name in anatomy.params
        ours = ours and name not in anatomy.biases
        if chosen or (ours and f'{param.keras_name}_initializer' not in spec.options):
            param.set_value(initializers.weights(param.shape, rng, blocks=blocks, **chosen))


def _chosen(name: str, settings: dict[str, Any], bias: bool, squares: int) -> dict[str, Any]:
    """Return the settings for one parameter.

    What a layer says of all its weights is not about biases, nor, in theanets' recurrent
    layers, what it says of squares about matrices that are none.
    """
    chosen = initializers.settings(settings, name)
    own = {s for s in chosen if f'{s}_{name}' in settings}
    if bias:
        return {'std': 0.0, **{s: chosen[s] for s in own}} if own else {}
    return {s: v for s, v in chosen.items() if squares or s in own or s not in SQUARE}


def _reserve(name: str) -> None:
    """Keep Keras from giving a layer's name, such as 'mean', to an operation of keras.ops.

    Keras names the first unnamed operation 'mean', and later ones 'mean_1' and so on. This
    creates a layer that takes the first name.
    """
    if hasattr(keras.ops, name):
        type(name, (keras.layers.Layer,), {})()


#: Forms -> what they read of an example.
AXES = {
    **dict.fromkeys(('conv1', 'pool1'), '(steps, variables)'),
    **dict.fromkeys(('conv2', 'pool2'), '(height, width, channels)'),
}


def _plain(cause: Exception, nodes: Sequence[Node], spec: LayerSpec) -> str:
    """Return Keras' error message in a line, with the remedy for the commonest mistake."""
    wanted = getattr(spec.layer, 'name', spec.form)
    source = next((n for n in nodes if f'{n.name}:out' in spec.inputs), None)
    if source is not None and (found := _of_shapes(str(cause), wanted, source)):
        return found
    if 'stateful=True' in str(cause):
        return 'networks keep no states. Leave out stateful, and read chunks with net.stream().'
    return in_a_line(cause)


def _of_shapes(cause: str, wanted: str, source: Node) -> str:
    """Explain why a layer cannot read the shape of its input; '' if the cause is another."""
    name, shape = source.name, tuple(source.output.shape)
    entry = 'Write the shape of the inputs in the first entry, such as (28, 28, 1) for images.'
    if 'output size would be zero' in cause:
        return (
            f'its window is larger than its input, of shape {shape}, examples first. Make it '
            'smaller, or pad the input.'
        )
    if 'must be fully-defined' in cause:
        return f'the output of {name!r}, of shape {shape}, has no known size. {entry}'
    axes = AXES.get(wanted)
    if axes and ('ndim' in cause or 'same length as input' in cause):
        return f'{wanted} reads {axes}, and {name!r} has the shape {shape}, examples first. {entry}'
    if 'ndim' in cause:
        return (
            f'{wanted} cannot read {name!r}, whose shape is {shape}: examples first. '
            'Recurrent layers need (examples, time, variables), as the models of '
            'kerasnets.recurrent have it.'
        )
    return ''


def logits_of(nodes: Sequence[Node], name: str) -> str | None:
    """Return the name of the logits behind a softmax output; None if it has none."""
    layer_name, part = name.split(':')
    node = next((n for n in nodes if n.name == layer_name), None)
    if node is None or part != 'out':
        return None
    activation = layers.activation_of(node.layer)
    softmax = isinstance(node.layer, keras.layers.Softmax)
    if (softmax or activation is keras.activations.softmax) and 'pre' in node.outputs():
        return f'{layer_name}:pre'
    return None


def logits_reader(nodes: Sequence[Node]) -> Probe | None:
    """Return a layer from the last layer's input to its logits; None if it has none."""
    node = nodes[-1]
    pre = node.outputs().get('pre') if logits_of(nodes, f'{node.name}:out') else None
    return Probe(node.layer, 'pre') if pre is not None and not pre.after else None
