"""From specs to Keras layers, and from layers to models over them.

`add_node` makes the layers, once. `assemble` makes the network's own model of them, and
`connect` any other: one that starts from labels, or ends in logits, or in every output.
"""

import contextlib
import dataclasses
import random

import keras

from kerasnets import initializers, layers, registry
from kerasnets.errors import ConfigurationError, check_known, suggest
from kerasnets.layers.form import initial_settings, keywords
from kerasnets.params import parameters
from kerasnets.spec import LayerSpec


@dataclasses.dataclass(frozen=True)
class Node:
    """A layer of the network: what was asked for, what it is, what it gives."""

    spec: LayerSpec
    layer: keras.layers.Layer
    output: object  # KerasTensor

    @property
    def name(self):
        return self.spec.name

    def parts(self):
        """Name -> {name -> Parameter} of the layer, or of its halves."""
        if self.spec.form == 'input':
            return {self.name: {}}
        return {
            name: parameters(layer, name)
            for name, layer in layers.parts(self.layer, self.name).items()
        }

    def params(self):
        """All `Parameter`s of the layer."""
        return [param for part in self.parts().values() for param in part.values()]

    def outputs(self):
        """Name -> `Output` of what can be read inside the layer, beside its 'out'."""
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

    def __init__(self, layer, part, **kwargs):
        super().__init__(**{'dtype': layer.dtype_policy, **kwargs})
        self.layer = layer
        self.part = part

    def call(self, *tensors):
        return layers.anatomy(self.layer).outputs[self.part].read(self.layer, *tensors)

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), 'layer': layer, 'part': self.part}

    @classmethod
    def from_config(cls, config):
        """The probe again; within one file Keras finds the layer that is there already."""
        layer = keras.saving.deserialize_keras_object(config['layer'])
        return cls(**{**config, 'layer': layer})


def add_node(nodes, spec, rng, input_ndim):
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
    try:
        with _seeded(rng):
            if spec.form == 'input':
                if nodes:
                    raise ConfigurationError(
                        'only the first layer can be an input: networks of several inputs are '
                        'not served yet. Join the inputs into one array.'
                    )
                layer = _input(spec, input_ndim)
                return Node(spec, layer, layer.output)
            layer = spec.layer or _make(nodes, spec)
            output = layer(_sources(nodes, spec))
        for part in layers.parts(layer, spec.name).values():
            _initialise(part, spec, rng)
    except ConfigurationError as cause:
        raise spec.error(cause) from None
    except (TypeError, ValueError) as cause:
        raise spec.error(_plain(cause, nodes, spec)) from cause
    return Node(spec, layer, output)


def adopt(specs, model):
    """Nodes over the layers of a model that Keras has loaded.

    Raises
    ------
    ConfigurationError
        If the model has no layer of a spec's name.
    """
    within = [layer.layer for layer in model.layers if isinstance(layer, Probe)]
    found = {layer.name: layer for layer in [*within, *model.layers]}
    inputs = iter(model.inputs)
    nodes = []
    for spec in specs:
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
        nodes.append(Node(spec, layer, layer(_sources(nodes, spec))))
    return nodes


def assemble(nodes):
    """The network's own model: a ``keras.Sequential`` for a chain, else a ``keras.Model``."""
    if len(nodes) < 2:
        raise ConfigurationError(
            f'expected an input and at least one layer, got {len(nodes)} layer(s). '
            'Write for example [10, 20, 3], or call add_layer().'
        )
    if is_chain(nodes):
        return keras.Sequential([node.layer for node in nodes])
    return keras.Model(list(inputs_of(nodes).values()), nodes[-1].output)


def inputs_of(nodes):
    """Name -> KerasTensor of what the network reads."""
    return {node.name: node.output for node in nodes if node.spec.form == 'input'}


def is_chain(nodes):
    """Whether each layer reads the one before it, and nothing else."""
    before = [(), *((f'{node.name}:out',) for node in nodes)]
    return all(node.spec.inputs == source for node, source in zip(nodes, before))


def shares_weights(model):
    """Whether a layer of the model uses the weights of another one."""
    return any(hasattr(layer, 'partner') or isinstance(layer, Probe) for layer in model.layers)


def output_names(nodes):
    """Every name that `connect` can be asked for: 'in:out', 'hid1:out', 'hid1:pre', …"""
    return [f'{node.name}:{part}' for node in nodes for part in ('out', *node.outputs())]


def full_name(nodes, name=None):
    """'hid1:out' for 'hid1'; for None the output of the last layer."""
    name = nodes[-1].name if name is None else name
    return name if ':' in name else f'{name}:out'


def find_output(nodes, name=None):
    """The KerasTensor of an output by name, such as 'hid1:out' or 'hid1'; default the last."""
    name = full_name(nodes, name)
    return connect(nodes, {node.name: node.output for node in nodes}, [name])[name]


def connect(nodes, inputs, wanted):
    """Run the layers over other inputs.

    Parameters
    ----------
    nodes : list of Node
    inputs : dict of str to KerasTensor
        Outputs that are given, by name: those of the input layers, or of layers further on.
        Only the layers between them and the wanted outputs are run.
    wanted : sequence of str
        Names of outputs.

    Returns
    -------
    dict of str to KerasTensor
        The wanted outputs, in the order asked for.

    Raises
    ------
    ConfigurationError
        For a name that is not there.
    """
    by_name = {node.name: node for node in nodes}
    tensors = {full_name(nodes, name): tensor for name, tensor in inputs.items()}

    def tensor(name):
        if name not in tensors:
            layer, part = name.split(':')
            node = by_name.get(layer)
            if node is None or (part != 'out' and part not in node.outputs()):
                known = output_names(nodes)
                raise ConfigurationError(
                    f'the network has no output {name!r}.{suggest(name, known)} '
                    f'It has: {", ".join(known)}.'
                )
            sources = [tensor(source) for source in node.spec.inputs]
            x = sources[0] if len(sources) == 1 else sources
            if part == 'out':
                tensors[name] = node.layer(x)
            else:
                output = node.outputs()[part]
                args = (x, tensor(f'{layer}:out')) if output.after else (x,)
                tensors[name] = Probe(node.layer, part)(*args)
        return tensors[name]

    return {name: tensor(name) for name in wanted}


def _make(nodes, spec):
    """A new layer for a spec, by its form."""
    form = layers.form(spec.form)
    if form.join is not None and len(spec.inputs) > 1:
        return form.join(spec, _sources(nodes, spec), form.activation_of(spec))
    if form.partner:
        return form.make(spec, partner=_partner(nodes, spec))
    return form.make(spec)


def _partner(nodes, spec):
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


def _input(spec, ndim):
    shape = spec.shape or (None,) * (ndim - 2) + (spec.size,)
    check_known(spec.options, keywords(keras.layers.InputLayer), 'keyword of an input')
    return keras.layers.InputLayer(shape=shape, name=spec.name, **spec.options)


def _sources(nodes, spec):
    """What the layer reads: a KerasTensor, or a list of several."""
    tensors = [find_output(nodes, source) for source in spec.inputs]
    return tensors[0] if len(tensors) == 1 else tensors


def _initialise(layer, spec, rng):
    """Draw weights as theanets would: for its own forms, and wherever a setting asks for it."""
    asked = initial_settings(spec.options, keywords(type(layer)))
    anatomy = layers.anatomy(layer)
    params = parameters(layer, spec.name) if anatomy.params else {}
    for setting in asked:
        param = setting.partition('_')[2]
        if not params or (param and param not in params):
            raise ConfigurationError(
                f'{setting!r} sets no parameter of this layer.{suggest(param, params)} '
                f'It has: {", ".join(params) or "none that can be set so"}.'
            )
    settings = {k: spec.options[k] for k in asked}
    for name, param in params.items():
        chosen = initializers.settings(settings, name)
        if name in anatomy.biases:
            chosen = {s: v for s, v in chosen.items() if f'{s}_{name}' in settings}
            if chosen:
                chosen.setdefault('std', 0.0)
        ours = spec.form in registry.FORMS and name in anatomy.params
        ours = ours and name not in anatomy.biases
        if chosen or (ours and f'{param.keras_name}_initializer' not in spec.options):
            param.set_value(initializers.weights(param.shape, rng, **chosen))


@contextlib.contextmanager
def _seeded(rng):
    """Have Keras draw its default seeds from `rng`.

    Keras takes the seed of a layer or initializer that was given none from Python's own
    generator, which is put back as it was.
    """
    state = random.getstate()
    random.seed(int(rng.integers(2**63)))
    try:
        yield
    finally:
        random.setstate(state)


def _plain(cause, nodes, spec):
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
