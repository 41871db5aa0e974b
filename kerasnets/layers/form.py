"""`Form` turns a spec into a Keras layer; `Anatomy` names the quantities inside a layer."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import random
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets import activations, initializers
from kerasnets.errors import ConfigurationError, check_known, suggest
from kerasnets.language import registry
from kerasnets.language.spec import LayerSpec
from kerasnets.typing import Activation, Shape, Tensor, TensorFunction, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, Variable

#: Keywords of every Keras layer.
COMMON = ('name', 'dtype', 'trainable', 'activity_regularizer')

#: What a Keras layer may call the number that theanets calls its size.
SIZES = ('units', 'filters', 'output_dim')

#: Stands for "the network's custom": relu in hidden layers, the model's own at the output.
CUSTOM = 'custom'


@dataclasses.dataclass(frozen=True)
class Form:
    """Builds a Keras layer from an entry of the list."""

    #: A class of layers; or takes the options, may pop its own from them, and returns a class.
    choose: type | OverCell | Callable[[dict[str, Any]], Any] | None
    activation: str | None = CUSTOM  # a name, CUSTOM, or None for what Keras does
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # keywords unless given
    own: tuple[Any, ...] = ()  # keywords that `choose` pops
    #: theanets' keyword -> Keras'.
    renamed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: (spec, inputs, activation) -> layer, for several inputs.
    join: Callable[..., Any] | None = None
    partner: bool = False  # whether it shares the weights of another layer
    of_labels: bool = False  # whether it is made for a number of labels, ``input_dim``
    build: Callable[..., Any] | None = None  # (spec) -> layer, instead of all the above
    #: (spec, inputs) -> layer, for a layer whose size follows from what it reads: one that is given
    #: must agree.
    follow: Callable[..., Any] | None = None

    def make(self, spec: LayerSpec, **further: Any) -> KerasLayer:
        """Build the Keras layer for a spec, without weights; `further` are added to its keywords.

        Raises
        ------
        ConfigurationError
            If a size is missing or must be left out, or a keyword is unknown.
        """
        if self.build is not None:
            return self.build(spec)
        options = {self.renamed.get(k, k): v for k, v in spec.options.items()}
        options.update(further)
        choose: Any = self.choose
        cls = choose if isinstance(choose, (type, OverCell)) else choose(options)
        known = keywords(cls)
        if 'go_backwards' in known and 'direction' in options:
            options['go_backwards'] = _backwards(options.pop('direction'))
        for setting in initial_settings(options, known):
            del options[setting]
        kwargs = {**self.defaults, **options, **_sized(spec, cls, known, options, not self.partner)}
        activation = self.activation_of(spec)
        if activation is not None:
            if 'activation' not in known:
                raise ConfigurationError(
                    f'{cls.__name__} takes no activation, got {activation!r}. Leave it out.'
                )
            function = kwargs['activation'] = activations.get(activation, also=registry.FORMS)
            if isinstance(function, keras.layers.Layer) and spec.size is not None:
                function.build((None, spec.size))  # before any loop that calls it
        direction = ['direction'] if 'go_backwards' in known else []
        check_known(kwargs, {*known, *self.own, *direction}, f'keyword of {cls.__name__}')
        missing = next((k for k in _required(cls) if k not in kwargs and not self.partner), None)
        if missing is not None:
            name = next((ours for ours, keras in self.renamed.items() if keras == missing), missing)
            size = '' if spec.size is None else f'size={spec.size}, '
            example = '(3, 3)' if '2' in spec.form else '3' if name == 'filter_size' else '...'
            raise ConfigurationError(
                f'it has no {name}. Write dict(form={spec.form!r}, {size}{name}={example}).'
            )
        if 'seed' in known and keras.backend.backend() == 'torch':
            # on PyTorch Keras uses the network's seed only if it is passed, as the builder does
            kwargs.setdefault('seed', random.randrange(2**31))
        return cls(name=spec.name, **kwargs)

    def activation_of(self, spec: LayerSpec) -> Activation:
        """Return the activation of the entry, or else the default of the form or the network."""
        if spec.activation is not None:
            return spec.activation
        return spec.default_activation if self.activation == CUSTOM else self.activation


def _sized(
    spec: LayerSpec, cls: Any, known: Any, options: dict[str, Any], needed: bool
) -> dict[str, Any]:
    """Return the spec's size or shape, under the class's keyword for it."""
    name = next((k for k in SIZES if k in known), None)
    if spec.shape is not None:
        if 'target_shape' not in known:
            raise ConfigurationError('only an input has a shape. Give a size.')
        if spec.size is not None:
            raise ConfigurationError(f'{cls.__name__} takes no size. Leave out {spec.size}.')
        return {'target_shape': spec.shape}
    if spec.size is not None:
        if name is None:
            raise ConfigurationError(f'{cls.__name__} takes no size. Leave out {spec.size}.')
        return {name: spec.size}
    if name is not None and name not in options and needed:
        raise ConfigurationError(
            'it has no size. Write for example (20, ...) or dict(size=20, ...).'
        )
    return {}


def _backwards(direction: str | None) -> bool:
    """Return True if a recurrent layer runs against time, by theanets' keyword."""
    if direction not in (None, 'forward', 'forwards', 'back', 'backward', 'backwards'):
        raise ConfigurationError(
            f"expected direction as 'forward' or 'backwards', got {direction!r}. "
            'Leave it out to read forward.'
        )
    return str(direction).startswith('back')


def initial_settings(options: Mapping[str, Any], known: Any) -> list[str]:
    """Return the keys of `options` that set initial values, such as 'std_hh'."""
    return [k for k in options if k.split('_')[0] in initializers.SETTINGS and k not in known]


def keywords(cls: Any) -> list[str]:
    """Return the names of the keywords that the constructor of a Keras layer takes."""
    if isinstance(cls, OverCell):
        return [*keywords(cls.cell), *(k for k in keywords(keras.layers.RNN) if k != 'cell')]
    own = inspect.signature(cls.__init__).parameters.values()
    named = [p.name for p in own if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [*named[1:], *COMMON]


def _required(cls: Any) -> list[str]:
    """Return the keywords that the constructor of a Keras layer requires."""
    if isinstance(cls, OverCell):
        return []
    own = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name for p in own if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


class OverCell:
    """Makes a stock ``keras.layers.RNN`` over a cell, with the keywords of both."""

    def __init__(self, cell: KerasLayer) -> None:
        self.cell = cell
        self.__name__ = cell.__name__

    def __call__(self, **kwargs: Any) -> KerasLayer:
        """Build the layer."""
        loop = {k: kwargs.pop(k) for k in keywords(keras.layers.RNN) if k in kwargs}
        shared = {'dtype': loop['dtype']} if 'dtype' in loop else {}
        return keras.layers.RNN(self.cell(**kwargs, **shared), **loop)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The position of a theanets parameter in a Keras variable.

    Both arrays have the same axes but the last, which the variable holds in `of` blocks of
    equal width; `blocks` are the parameter's among them, in its order, and `signs` what they
    are multiplied by.
    """

    path: str  # attributes from the layer to the variable, such as 'cell.kernel'
    blocks: tuple[Any, ...] = (0,)
    of: int = 1
    signs: tuple[Any, ...] = (1,)

    def variable(self, layer: KerasLayer) -> Variable | None:
        """Return the Keras variable, or None if the layer has none (``use_bias=False``)."""
        inside, _, attribute = self.path.rpartition('.')
        rest = inside.split('.') if inside else []
        if rest and isinstance(layer, keras.Model):
            names = [part.name for part in layer.layers]
            name, rest = (inside, []) if inside in names else (rest[0], rest[1:])
            layer = layer.get_layer(name)
        for part in rest:
            layer = getattr(layer, part)
        return getattr(layer, attribute, None)

    def read(self, value: Tensor) -> Tensor:
        """Return theanets' array from the variable's value: arrays of numpy or tensors."""
        if self.of == 1:
            return value
        width = value.shape[-1] // self.of
        parts = [s * value[..., b * width : (b + 1) * width] for b, s in self._pairs()]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def write(self, value: Tensor, array: Tensor) -> Tensor:
        """Copy theanets' array into the variable's value, a numpy array; return the value."""
        if self.of == 1:
            value[...] = array
            return value
        width = value.shape[-1] // self.of
        for i, (b, s) in enumerate(self._pairs()):
            value[..., b * width : (b + 1) * width] = s * array[..., i * width : (i + 1) * width]
        return value

    def shape(self, shape: Shape) -> Shape:
        """Return theanets' shape from the variable's."""
        if self.of == 1:
            return shape
        return (*shape[:-1], shape[-1] // self.of * len(self.blocks))

    def _pairs(self) -> Any:
        return zip(self.blocks, self.signs)


@dataclasses.dataclass(frozen=True)
class Output:
    """A quantity inside a layer, computed from its input and, if needed, its output.

    After the fact, that is: what a recurrent layer did at each step is known from the states
    that it put out, and computed for all steps at once.
    """

    read: Callable[..., Any]  # (Pass) -> tensor
    after: bool = False  # whether it needs the layer's output


@dataclasses.dataclass(frozen=True)
class Pass:
    """The inputs and outputs of a layer, from which inner quantities are computed."""

    layer: KerasLayer
    inputs: Tensors  # a tensor, or a list of several
    y: Tensor = None  # the output, where it is needed
    states: tuple[Any, ...] = ()  # those a recurrent layer started from; none if from zeros
    mask: Tensor | None = None  # which steps it read, bool (examples, time); None for all

    @property
    def cell(self) -> Tensor:
        """The cell of the layer."""
        return self.layer.cell

    @property
    def x(self) -> Tensor:
        """The input in the order in which a recurrent layer reads it."""
        return ops.flip(self.inputs, axis=1) if self.layer.go_backwards else self.inputs

    @property
    def before(self) -> Tensor:
        """The states before each step, (examples, time, units): the output one step late.

        For a layer that runs backwards the step before is the next in time, and its output
        comes in its own order.
        """
        first = self.start(0, self.y[:, 0])[:, None]
        return ops.concatenate([first, self.y[:, :-1]], axis=1)

    def scan(self, step: TensorFunction, states: Tensors, sequence: Tensor) -> Tensors:
        """Return the states after every step of a sequence (examples, time, …).

        `step(states, values)` gives the next states, a tensor or a tuple of them; they stay as
        they are at steps that are masked.
        """
        mask = ops.ones(ops.shape(sequence)[:2], 'bool') if self.mask is None else self.mask
        mask = ops.flip(mask, axis=1) if self.layer.go_backwards else mask
        mask = ops.cast(mask, sequence.dtype)[..., None]  # in one tensor with the values, since
        both = ops.concatenate([sequence, mask], axis=-1)  # Keras scans but one on TensorFlow

        def held(states: Tensors, both: Tensor) -> Tensors:
            counts = both[:, -1:] > 0
            after = keras.tree.map_structure(
                lambda new, old: ops.where(counts, new, old), step(states, both[:, :-1]), states
            )
            return after, after

        _, kept = ops.scan(held, states, ops.swapaxes(both, 0, 1))
        return keras.tree.map_structure(lambda t: ops.swapaxes(t, 0, 1), kept)

    def start(self, i: Tensor, like: Tensor) -> Tensors:
        """Return the i-th initial state; zeros like a tensor if there is none."""
        return ops.cast(self.states[i], like.dtype) if self.states else ops.zeros_like(like)


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """theanets' names for the parameters and outputs of a class of Keras layers."""

    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # name -> Layout
    outputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # name -> Output
    biases: tuple[Any, ...] = ('b',)  # params that start as Keras starts them
    #: Keys of the initial states, in the layer's order.
    states: tuple[Any, ...] = ()


def project(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x·kernel + bias over the last axis, for all examples and time steps at once."""
    y = ops.matmul(x, kernel)
    return y if bias is None else y + bias


def kernel_sum(run: Pass) -> Tensor:
    """Return the sum at the units of a layer with a kernel and a bias."""
    return project(run.inputs, run.layer.kernel, run.layer.bias)


@functools.cache
def modules() -> list[ModuleType]:
    """Import every module of layers, so that Keras knows our classes, and return them."""
    names = sorted(set(registry.FORMS.values()))
    return [importlib.import_module(f'kerasnets.layers.{name}') for name in names]


def get_form(name: str) -> Form:
    """Return the `Form` called `name`: one of kerasnets, or built for a class of keras.layers.

    Raises
    ------
    ConfigurationError
        If keras.layers has no such class.
    """
    if name in registry.FORMS:
        return importlib.import_module(f'kerasnets.layers.{registry.FORMS[name]}').FORMS[name]
    cls = registry.OWN.get(name) or getattr(keras.layers, name, None)
    if not (isinstance(cls, type) and issubclass(cls, keras.layers.Layer)):
        classes = [n for n in dir(keras.layers) if n[0].isupper()]
        raise ConfigurationError(
            f'expected a class of keras.layers, got {name!r}.'
            f'{suggest(name, [*classes, *registry.FORMS])} '
            "Use the name of a class, such as 'Dense'."
        )
    if hasattr(cls, 'as_form'):
        return cls.as_form()
    return Form(choose=cls, activation=None)


def anatomy(layer: KerasLayer) -> Anatomy:
    """Return the `Anatomy` of a Keras layer; an empty one if nothing inside it has a name."""
    if isinstance(layer, keras.Model):
        readers = (getattr(module, 'of_model', None) for module in modules())
        return next((inside for read in readers if read and (inside := read(layer))), Anatomy())
    if isinstance(layer, keras.layers.Bidirectional):
        return _of_halves(layer)
    if hasattr(layer, 'as_anatomy'):
        return layer.as_anatomy()
    cls = type(getattr(layer, 'cell', None)) if type(layer) is keras.layers.RNN else type(layer)
    for module in modules():
        if cls in module.ANATOMIES:
            return module.ANATOMIES[cls]
    return Anatomy()


def parts(layer: KerasLayer, name: str) -> dict[str, Any]:
    """Return name -> layer of the parts that hold parameters; the layer itself if it has none."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {f'{name}_fw': layer.forward_layer, f'{name}_bw': layer.backward_layer}
    if isinstance(layer, keras.Model) and not anatomy(layer).params:
        return {
            f'{name}/{k}': part
            for inner in layer.layers
            for k, part in parts(inner, inner.name).items()
        }
    return {name: layer}


def start(layer: KerasLayer, initial: Tensor) -> Tensors:
    """Return initial states for a recurrent layer, in the order in which it takes them.

    Parameters
    ----------
    layer : keras.layers.Layer
    initial : dict of str to KerasTensor
        Some of the states by key, 'h_0' and so on, (examples, units); others are zeros.

    Raises
    ------
    ConfigurationError
        If the layer has no such state, or it has another shape.
    """
    if not initial:
        return ()
    halves = list(parts(layer, layer.name).values())
    keys = anatomy(halves[0]).states
    check_known(initial, keys, 'state of this layer')
    some = next(iter(initial.values()))
    states = []
    for half in halves:
        for i, size in enumerate(keras.tree.flatten(half.cell.state_size)):
            state = initial.get(keys[i]) if i < len(keys) else None
            if state is not None and tuple(state.shape[1:]) != (size,):
                raise ConfigurationError(
                    f'expected {keys[i]} of shape (any, {size}), got {tuple(state.shape)}. Name an '
                    'input with shape=(units,), or a layer that gives one vector for an example.'
                )
            states.append(ops.zeros_like(some[:, :size]) if state is None else state)
    return tuple(states)


def activation_of(layer: KerasLayer) -> TensorFunction | None:
    """Return the activation of a layer, or of its parts; None if it has none."""
    if isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    return getattr(layer, 'activation', None)


def _of_halves(layer: KerasLayer) -> Anatomy:
    """Return the `Anatomy` of a bidirectional layer: its halves' outputs, aligned in time.

    'fw_pre' and 'bw_pre' are those of each half, 'pre' is both side by side.
    """
    insides = anatomy(layer.forward_layer).outputs
    if layer.merge_mode != 'concat' or not layer.return_sequences:
        return Anatomy()

    def half(run: Pass, backwards: bool, read: TensorFunction | None = None) -> Tensor:
        inner = layer.backward_layer if backwards else layer.forward_layer
        width, count = run.y.shape[-1] // 2, len(run.states) // 2
        y = run.y[..., width:] if backwards else run.y[..., :width]
        if read is None:
            return y
        states = run.states[count:] if backwards else run.states[:count]
        y = ops.flip(y, axis=1) if backwards else y
        quantity = read(Pass(inner, run.inputs, y, states, run.mask))
        return ops.flip(quantity, axis=1) if backwards else quantity

    outputs = {
        'fw_out': Output(lambda run: half(run, False), after=True),
        'bw_out': Output(lambda run: half(run, True), after=True),
    }
    for name, inside in insides.items():
        for part, backwards in (('fw', False), ('bw', True)):
            outputs[f'{part}_{name}'] = Output(
                lambda run, b=backwards, read=inside.read: half(run, b, read), after=True
            )
        outputs[name] = Output(
            lambda run, read=inside.read: ops.concatenate(
                [half(run, backwards, read) for backwards in (False, True)], axis=-1
            ),
            after=True,
        )
    return Anatomy(outputs=outputs)
