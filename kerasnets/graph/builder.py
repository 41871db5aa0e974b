"""Builds Keras layers from specs, and the network's model from layers.

`add_node` makes the layers, once, and `assemble` the network's own model of them. Any other
model over the same layers comes from `nodes.connect`.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

import keras

from kerasnets import initializers, keras_facts, layers
from kerasnets.errors import ConfigurationError, check_known, positive, suggest
from kerasnets.graph.nodes import (
    Node,
    Probe,
    classes_of,
    find_output,
    inputs_of,
    is_chain,
    run_layer,
)
from kerasnets.graph.parameters import parameters
from kerasnets.language import registry
from kerasnets.layers.form import initial_settings, keywords

#: Settings that are about square matrices.
SQUARE = ('radius', 'diagonal')


def add_node(nodes: Any, spec: Any, rng: Any, input_ndim: Any) -> Any:
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


def adopt(specs: Any, model: Any) -> Any:
    """Nodes over the layers of a model that Keras has loaded.

    Raises
    ------
    ConfigurationError
        If the model has no layer of a spec's name.
    """
    within = [layer.layer for layer in model.layers if isinstance(layer, Probe)]
    found = {layer.name: layer for layer in [model, *within, *model.layers]}
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
        if spec.name not in found:
            raise spec.error(f'the model has no such layer. It has: {", ".join(found)}.')
        layer = found[spec.name]
        output = run_layer(layer, spec, lambda name: find_output(nodes, name))
        nodes.append(Node(spec, layer, output))
    return nodes


def assemble(nodes: Any) -> Any:
    """The network's own model: a ``keras.Sequential`` for a chain, else a ``keras.Model``.

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
    read = {name.split(':')[0] for node in nodes for name in node.spec.sources}
    ends = [node for node in nodes[::-1] if node.name not in read]
    for node in ends:
        if node.spec.form == 'input':
            raise node.spec.error('no layer reads it. Add it to the inputs of a layer.')
    outputs = [node.output for node in ends]
    return keras.Model(list(inputs_of(nodes).values()), outputs if ends[1:] else outputs[0])


def reading_labels(nodes: Any, spec: Any, ndim: Any) -> Any:
    """The nodes, with the input that an embedding reads, given by its size, one of integers."""
    (name, _), *_ = (source.split(':') for source in spec.inputs)
    found = next(node for node in nodes if node.name == name)
    values = found.spec.form == 'input' and found.spec.size and 'int' not in found.output.dtype
    if not values or any(f'{name}:out' in node.spec.inputs for node in nodes):
        return nodes
    options = MappingProxyType({**found.spec.options, 'dtype': 'int32'})
    source = dataclasses.replace(found.spec, options=options)
    layer = _input(source, ndim)
    return [Node(source, layer, layer.output) if node is found else node for node in nodes]


def _make(nodes: Any, spec: Any) -> Any:
    """A new layer for a spec, by its form."""
    form = layers.form(spec.form)
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


def _check_sizes(nodes: Any, spec: Any) -> None:
    """Refuse inputs whose sizes are not those that the entry says."""
    for name, size in zip(spec.inputs, spec.sizes):
        found = find_output(nodes, name).shape[-1]
        if found != size:
            raise ConfigurationError(
                f'expected an input {name!r} of size {size}, as inputs says, got {found}.'
            )


def _check_size(spec: Any, output: Any) -> None:
    """Refuse a size that the entry says of a layer whose size follows from its inputs."""
    follows = spec.layer is None and layers.form(spec.form).follow is not None
    if follows and spec.size is not None and output.shape[-1] != spec.size:
        raise ConfigurationError(
            f'expected the size that follows from its inputs, {output.shape[-1]}, '
            f'got {spec.size}. Leave it out.'
        )


def _labels_read(nodes: Any, spec: Any) -> Any:
    """Number of labels in the input that an embedding reads."""
    name = spec.inputs[0].split(':')[0]
    classes = classes_of(nodes, name) if name in inputs_of(nodes) else None
    return spec.options.get('input_dim', classes)


def _partner(nodes: Any, spec: Any) -> Any:
    """The layer whose weights a tied one shares.

    The one that is named, or, going back, the one that is matched as brackets are: tied layers
    close what others opened.
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


def _input(spec: Any, ndim: Any) -> Any:
    options = dict(spec.options)
    known = [*keywords(keras.layers.InputLayer), 'ndim']
    check_known(options, known, 'keyword of an input')
    if options.pop('sparse', None) not in (None, False, True, 'csr', 'csc'):
        raise ConfigurationError(
            f"expected sparse as 'csr' or 'csc', got {spec.options['sparse']!r}."
        )
    ndim = positive(options.pop('ndim', ndim), 'ndim', least=2)
    axes = () if 'int' in options.get('dtype', '') else (spec.size,)
    shape = spec.shape or (None,) * (ndim - 2) + axes
    return keras.layers.InputLayer(shape=shape, name=spec.name, **options)


def _initialise(layer: Any, spec: Any, rng: Any) -> None:
    """Draw weights as theanets would: for its own forms, and wherever a setting asks for it."""
    asked = initial_settings(spec.options, keywords(type(layer)))
    anatomy = layers.anatomy(layer)
    params = parameters(layer, spec.name) if anatomy.params else {}
    for setting in asked:
        param = setting.partition('_')[2]
        if not params or (param and param not in params):
            raise ConfigurationError(
                f'{setting!r} sets no parameter of this layer.{suggest(param, params)} '
                f'It has: {", ".join(params) or "none of this kind"}.'
            )
    settings = {k: spec.options[k] for k in asked}
    for name, param in params.items():
        blocks = initializers.squares(param.shape, layer.cell.units) if anatomy.states else 1
        chosen = _chosen(name, settings, name in anatomy.biases, blocks)
        ours = spec.form in registry.FORMS and name in anatomy.params
        ours = ours and name not in anatomy.biases
        if chosen or (ours and f'{param.keras_name}_initializer' not in spec.options):
            param.set_value(initializers.weights(param.shape, rng, blocks=blocks, **chosen))


def _chosen(name: str, settings: Any, bias: Any, squares: Any) -> Any:
    """The settings for one parameter.

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

    Keras numbers what has no name, from the second of a kind on. Here the first is used up.
    """
    if hasattr(keras.ops, name):
        type(name, (keras.layers.Layer,), {})()


def _plain(cause: Any, nodes: Any, spec: Any) -> Any:
    """Keras' complaint in a line, with the remedy for the commonest mistake."""
    wanted = getattr(spec.layer, 'name', spec.form)
    source = next((n for n in nodes if f'{n.name}:out' in spec.inputs), None)
    if 'ndim' in str(cause) and source is not None:
        shape = tuple(source.output.shape)
        return (
            f'{wanted} cannot read {source.name!r}, whose shape is {shape}: examples first. '
            'Recurrent layers need (examples, time, variables), as the models of '
            'kerasnets.recurrent have it.'
        )
    return ' '.join(str(cause).split())
