"""`Layer`: a layer as theanets had it, for lists, for questions and to derive from.

A `Layer` in a list stands for its form and keywords. The layers of a network, ``net.layers``, are
such objects over its Keras layers. A class derived from `Layer` with a ``transform`` of its own is
a new form; see `own_layers`.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasnets.compat import activations, own_layers
from kerasnets.compat.words import CLASSES
from kerasnets.errors import ConfigurationError, pick
from kerasnets.graph import nodes as graph_nodes
from kerasnets.graph import summary
from kerasnets.graph.nodes import connect, find_output, output_names
from kerasnets.language import registry
from kerasnets.language.spec import form_of, known_form, parse

if TYPE_CHECKING:
    from kerasnets.network import Network
    from kerasnets.typing import KerasLayer, Tensor, TensorFunction

log = logging.getLogger('kerasnets')


class Layer:
    """A layer: its form, its keywords and, in a network, its parameters.

    Parameters
    ----------
    size : int, optional
    inputs : str, tuple, dict or int, optional
        Names of the outputs that it reads; a dict has their sizes too, an int is that of the
        layer before. Default: the layer before.
    name : str, optional
    **kwargs
        Further keywords of its form.

    Attributes
    ----------
    keras : keras.layers.Layer
        The Keras layer, whose attributes this object has too.
    name : str
    size, output_size : int
        The number of units.
    input_size : int
        The size of the one layer that it reads.
    inputs : tuple of str
    params : list of Parameter
    num_params : int
    kwargs : dict
        The keywords of its entry, with 'activation'.

    A class derived from it gives ``setup``, which adds parameters, and ``transform``, written in
    `keras.ops`. Its name, in small letters, is a form from then on.

    >>> class NoBias(Layer):
    ...     def setup(self):
    ...         self.add_weights('w')
    ...     def transform(self, inputs):
    ...         return keras.ops.dot(inputs, self.find('w'))
    >>> net = kerasnets.Autoencoder([4, (3, 'nobias', 'linear'), (4, 'tied', 'linear')])
    >>> net.layers[1].find('w').shape, net.layers[1].num_params
    ((4, 3), 12)
    """

    FORM: ClassVar[str | None] = None

    _node: Any = None
    _graph: Any = None

    def __init__(self, size: Any = None, inputs: Any = None, name: Any = None, **kwargs: Any):
        given = {'size': size, 'inputs': inputs or None, 'name': name, **kwargs}
        self._given = {key: value for key, value in given.items() if value is not None}
        self.kwargs = kwargs

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register a user's class as a form."""
        super().__init_subclass__(**kwargs)
        if 'FORM' not in vars(cls) and cls.transform is not Layer.transform:
            cls.FORM = own_layers.register(cls)

    @classmethod
    def build(cls, form: str, *args: Any, **kwargs: Any) -> Layer:
        """Make a layer by the name of its form, not yet in a network.

        >>> Layer.build('rnn', size=4, name='memory').name
        'memory'
        """
        return class_of(form)(*args, **kwargs)

    @classmethod
    def is_registered(cls, form: str) -> bool:
        """Return True if a form of that name exists."""
        return form.lower() in {**registry.FORMS, **registry.OWN}

    def as_entry(self) -> dict[str, Any]:
        """Return this layer as an entry of the language of layers."""
        if self.FORM is None:
            raise ConfigurationError(
                f'expected a layer with a form, got {self!r}. Use a class derived from Layer '
                'that has a transform().'
            )
        entry = {key: value for key, value in self._given.items() if key not in ('rng', 'nrng')}
        return {'form': self.FORM, **entry}  # what is drawn is decided by the network

    # In a network

    def bind(self, graph: Network, reset: bool = True, initialize: bool = True) -> None:
        """Make the layer, reading layers of a network, without adding it to the network."""
        if not graph.nodes:
            raise ConfigurationError(
                f'expected a network with layers that {self!r} reads, got an empty one. Add them.'
            )
        spec = parse(self, len(graph.nodes), previous=graph.nodes[-1].name)
        self.bound(graph_nodes.add_node(graph.nodes, spec, graph.rng, graph.INPUT_NDIM), graph)

    def bound(self, node: Any, graph: Any) -> Layer:
        """Bind this layer to a node of a network; return a copy if it has another one."""
        found = copy.copy(self) if self._node not in (None, node) else self
        found._node, found._graph = node, graph
        activation = node.spec.activation or summary.activation_name(node.layer)
        found.kwargs = {**node.spec.options, 'activation': activation or None}
        return found

    @property
    def keras(self) -> KerasLayer:
        """The Keras layer."""
        return self._bound.layer

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Call the Keras layer."""
        return self.keras(*args, **kwargs)

    @property
    def _bound(self) -> Any:
        if self._node is None:
            raise ConfigurationError(
                f'{self!r} is in no network yet. Make one of it: Regressor([10, layer, 2]).'
            )
        return self._node

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the Keras layer."""
        if name.startswith('_') or self._node is None:
            raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')
        return getattr(self.keras, name)

    @property
    def name(self) -> Any:
        """The name of the layer."""
        return self._given.get('name') if self._node is None else self._node.name

    @property
    def size(self) -> Any:
        """Number of units."""
        if self._node is None:
            return self._given.get('size')
        return self._node.spec.size or self._node.output.shape[-1]

    output_size = size

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the outputs that the layer reads."""
        return self._bound.spec.inputs

    @property
    def input_size(self) -> int:
        """Number of values in the layer's only input."""
        names = self.inputs
        if len(names) != 1:
            raise ConfigurationError(
                f'expected a layer with one input, got {len(names)}: {", ".join(names) or "none"}. '
                'Use `inputs`, which names them.'
            )
        return find_output(self._graph.nodes, names[0]).shape[-1]

    @property
    def partner(self) -> Any:
        """The layer whose weights a tied layer shares."""
        partner = self.keras.partner
        return next(layer for layer in self._graph.layers if layer.keras is partner)

    @property
    def activation(self) -> Any:
        """The name of the activation."""
        return self.kwargs.get('activation', 'relu' if self._node is None else None)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the output for one example; without a network, the size alone."""
        if self._node is not None:
            return tuple(self._node.output.shape[1:])
        return () if self.size is None else (self.size,)

    @property
    def activate(self) -> TensorFunction:
        """The activation: a callable with a `name` and `params`."""
        return activations.build(self.kwargs.get('activation') or 'relu', self)

    @property
    def params(self) -> list[Any]:
        """The parameters of the layer."""
        return self._bound.params()

    @property
    def num_params(self) -> int:
        """Number of learnable values in the layer."""
        return sum(int(np.prod(param.shape)) for param in self.params)

    def find(self, key: str | int) -> Any:
        """Return a parameter by name or index; see `Network.find`.

        Raises
        ------
        UnknownNameError
            A KeyError too, if there is none of that name.
        """
        params = {p.name.removeprefix(f'{self.name}.'): p for p in self.params}
        key = key.removeprefix(f'{self.name}.') if isinstance(key, str) else key
        return pick(params, key, f'layer {self.name!r} has no parameter')

    def full_name(self, name: str) -> str:
        """Return the full name of an output, such as 'hid1:out' for 'out'."""
        return f'{self.name}:{name}'

    @property
    def output_name(self) -> str:
        """The full name of the output."""
        return self.full_name('out')

    def connect(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Any], list[Any]]:
        """Return all outputs of the layer for tensors by name, and an empty list of updates."""
        nodes, node = self._graph.nodes, self._bound
        nodes = nodes if node in nodes else [*nodes, node]
        return connect(nodes, dict(inputs), output_names([node])), []

    def transform(self, inputs: dict[str, Tensor]) -> Any:
        """Return the output for some inputs, tensors by name, and an empty list of updates."""
        outputs, updates = self.connect(inputs)
        return outputs[self.output_name], updates

    def setup(self) -> None:
        """Add the parameters of the layer; for classes derived from `Layer`."""

    def _only_input(self, inputs: Any) -> Tensor:
        """Return the one tensor among the inputs, within `transform`; theanets' helper."""
        (tensor,) = inputs.values()
        return tensor

    def to_spec(self) -> dict[str, Any]:
        """Return the layer as a dict entry of the language of layers."""
        spec = self._bound.spec
        form = type(self).__name__.lower() if self.FORM in registry.FORMS else self.FORM
        found = {'form': form, 'name': self.name, 'size': self.size, 'inputs': self.inputs}
        return {**self.kwargs, **found, **({'shape': list(spec.shape)} if spec.shape else {})}

    def log(self) -> None:
        """Log a line on the layer, at the level INFO."""
        log.info(
            'layer %s "%s": (%s) -> %s, %s, %d parameters',
            type(self).__name__,
            self.name,
            ', '.join(self.inputs),
            self.size,
            self.activation,
            self.num_params,
        )

    def __repr__(self) -> str:
        """Return a short description."""
        given = ', '.join(f'{key}={value!r}' for key, value in self._given.items())
        return f'{type(self).__name__}({given})'


def class_of(form: str) -> type[Layer]:
    """Return the class of `Layer` for a form.

    Raises
    ------
    ConfigurationError
        If there is no such form.
    """
    if form in registry.OWN:
        return getattr(registry.OWN[form], 'kind', None) or _other(form)
    known = CLASSES.get(form) or form_of(form) or known_form(form.lower())
    return LAYERS.get(SAME.get(known, known)) or _other(known)


def _other(form: str) -> Any:
    """Build a class for a form that theanets did not have."""
    return type(form if form.isidentifier() else 'Other', (Layer,), {'FORM': form})


#: A form with several names -> the one that has a class.
SAME = {
    'ff': 'feedforward',
    'softmax': 'classifier',
    'prod': 'product',
    'concat': 'concatenate',
    'flat': 'flatten',
}


def _input(self: Any, size: Any = None, name: Any = 'in', **kwargs: Any) -> None:
    Layer.__init__(self, size, name=name, **kwargs)


def _class(name: str, form: str) -> type[Layer]:
    """Build theanets' class of a form."""
    more = {'__init__': _input} if form == 'input' else {}
    text = f"A layer of the form '{form}', with the keywords of `Layer` and of the form."
    return type(name, (Layer,), {'FORM': form, '__doc__': text, '__module__': __name__, **more})


#: Form -> theanets' class.
LAYERS = {form: _class(name, form) for name, form in CLASSES.items()}
globals().update({kind.__name__: kind for kind in LAYERS.values()})
build = Layer.build
__all__ = ['Layer', *CLASSES]


def objects(net: Network) -> list[Layer]:
    """Return the layers of a network as theanets' objects, the same ones each time."""
    known: dict[str, Layer] = vars(net).setdefault('_layer_objects', {})
    for node in net.nodes:
        if node.name not in known or known[node.name].keras is not node.layer:
            entry = node.spec.entry
            if not isinstance(entry, Layer):
                cls = class_of(node.spec.form) if node.spec.layer is None else Layer
                entry = cls(name=node.name)
            known[node.name] = entry.bound(node, net)
    return [known[node.name] for node in net.nodes]
