"""Layers that a user wrote in theanets' way, a class with ``setup`` and ``transform``, in Keras."""

from __future__ import annotations

import functools
import operator
import random
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets import activations
from kerasnets.errors import ConfigurationError
from kerasnets.initializers import generator, settings, weights
from kerasnets.language import registry
from kerasnets.layers.form import Anatomy, Form, Output

if TYPE_CHECKING:
    from kerasnets.language.spec import LayerSpec
    from kerasnets.typing import Array, Config, KerasLayer, Shape, Tensor, Tensors, Variable


class Inputs(dict[str, Any]):
    """Input tensors by name. With one input, the dict behaves like that tensor."""

    @property
    def tensor(self) -> Tensor:
        """The only tensor."""
        (tensor,) = self.values()
        return tensor

    def __getitem__(self, key: object) -> Tensor:
        """Return a tensor by name, or index the only tensor."""
        return super().__getitem__(key) if isinstance(key, str) else self.tensor[key]

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the only tensor."""
        if name.startswith('_'):
            raise AttributeError(name)
        return getattr(self.tensor, name)

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Tensor:
        """Return the tensor for TensorFlow."""
        return self.tensor

    def __jax_array__(self) -> Tensor:
        """Return the tensor for JAX."""
        return self.tensor

    def __neg__(self) -> Tensor:
        """Return the negated tensor."""
        return -self.tensor


def _operators() -> None:
    """Let `Inputs` be computed with as its one tensor."""
    names = 'add sub mul truediv matmul pow lt le gt ge'.split()
    for name in names:
        function = getattr(operator, name)
        setattr(Inputs, f'__{name}__', lambda self, other, f=function: f(self.tensor, other))
        if name not in ('lt', 'le', 'gt', 'ge'):
            setattr(Inputs, f'__r{name}__', lambda self, other, f=function: f(other, self.tensor))


_operators()


class Written(keras.layers.Layer):
    """The Keras layer of a user's class. Each user's class has a subclass.

    Parameters
    ----------
    size : int or None
    names : list of str
        Of the outputs that it reads.
    activation : str or callable
    settings : dict
        Further keywords of the user's class.
    """

    kind: Any = None  # the user's class

    def __init__(
        self, size: Any, names: Any, activation: Any, settings: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.size, self.names, self.settings = size, list(names), dict(settings or {})
        self.activation = keras.activations.get(activation)
        self.parts: list[str] = []  # other outputs than 'out'

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        several = isinstance(input_shape[0], (tuple, list))
        shapes = input_shape if several else [input_shape]
        if isinstance(self.activation, keras.layers.Layer) and not self.activation.built:
            self.activation.build((None, self.size))
        self.rng = generator(random.randrange(2**63))
        theirs = self.theirs = _instance(self, shapes)
        theirs.setup()
        self.built = True

    def call(self, x: Tensors) -> Tensor:
        """Compute the output."""
        found = self.outputs_of(x)
        self.parts = [name for name in found if name != 'out']
        return found['out']

    def outputs_of(self, x: Tensors) -> dict[str, Any]:
        """Return all outputs of the user's `transform`, by name."""
        tensors = x if isinstance(x, (list, tuple)) else [x]
        found = self.theirs.transform(Inputs(zip(self.names, tensors)))
        if isinstance(found, tuple) and len(found) == 2 and not isinstance(found[0], str):
            found = found[0]  # the other are updates
        if isinstance(found, (list, tuple)):
            found = dict(found)
        return found if isinstance(found, dict) else {'out': found}

    #: Its weights are drawn when it is built.
    draws_weights = True

    @classmethod
    def as_form(cls) -> Form:
        """Return the `Form` that makes layers of this class."""
        return Form(choose=cls, build=make)

    def as_anatomy(self) -> Anatomy:
        """Return the further outputs, by name."""
        return Anatomy(
            outputs={
                part: Output(lambda run, part=part: run.layer.outputs_of(run.inputs)[part])
                for part in self.parts
            }
        )

    @property
    def kernel(self) -> Variable:
        """The weights that a tied layer shares."""
        return next(v for v in self.trainable_variables if v.name == 'w')

    def get_config(self) -> Config:
        """Return the settings."""
        own = {'size': self.size, 'names': self.names, 'settings': self.settings}
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), **own, 'activation': activation}


def _instance(layer: KerasLayer, shapes: Any) -> Any:
    """Build the user's object within a Keras layer, with theanets' helpers for `setup`."""
    theirs = layer.kind(size=layer.size, name=layer.name, **layer.settings)
    first = shapes[0][-1] if len(shapes) == 1 else None
    sizes = {'input_size': first, 'output_size': layer.size, 'size': layer.size}
    kept = {
        'add_weights': staticmethod(functools.partial(_add_weights, layer, first)),
        'add_bias': staticmethod(functools.partial(_add_bias, layer)),
        'activate': staticmethod(layer.activation),
        'find': staticmethod(functools.partial(_find, layer)),
        'inputs': dict(zip(layer.names, (shape[-1] for shape in shapes))),
        'rng': layer.rng,
        'name': layer.name,
        **sizes,
    }
    # a class of its own, whose helpers stand before those of a layer in a network
    theirs.__class__ = type(layer.kind.__name__, (layer.kind,), {'FORM': layer.kind.FORM, **kept})
    return theirs


def _find(layer: KerasLayer, key: str | int) -> Variable:
    """Return the Keras variable of a parameter, by name or index."""
    if isinstance(key, int):
        return layer.trainable_variables[key]
    for variable in layer.trainable_variables:
        if variable.name == key:
            return variable
    raise KeyError(key)


def _add(layer: KerasLayer, name: str, values: Array) -> Any:
    return layer.add_weight(
        shape=values.shape,
        initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(values, dtype),
        name=name,
    )


def _add_weights(
    layer: KerasLayer,
    input_size: Any,
    name: str,
    nin: Any = None,
    nout: Any = None,
    mean: float = 0,
    std: Any = None,
    sparsity: float = 0,
    radius: float = 0,
    diagonal: float = 0,
) -> Any:
    """Add a matrix (nin, nout) of normal values; by default of the sizes of the layer."""
    given = {'mean': mean, 'std': std or None, 'sparsity': sparsity, 'radius': radius}
    chosen = {**given, 'diagonal': diagonal, **settings(layer.settings, name)}
    shape = (nin or input_size, nout or layer.size)
    if None in shape:
        raise ConfigurationError(
            f'add_weights({name!r}): expected nin and nout, as the layer has no one size of its '
            f'inputs or none of its own; got {shape}. '
            'Pass both, or set the size of the layer.'
        )
    return _add(layer, name, weights(shape, layer.rng, **chosen))


def _add_bias(
    layer: KerasLayer, name: str = 'b', size: int | None = None, mean: float = 0, std: float = 1
) -> Any:
    """Add a vector of normal values; by default of the size of the layer."""
    chosen = {
        'mean': layer.settings.get(f'mean_{name}', mean),
        'std': layer.settings.get(f'std_{name}', std),
    }
    return _add(layer, name, np.asarray(weights((size or layer.size,), layer.rng, **chosen)))


def register(kind: Any) -> str:
    """Make a user's class of layers a form, and known to Keras; returns the form."""
    form = kind.__name__.lower()
    made = type(kind.__name__, (Written,), {'kind': kind, '__module__': kind.__module__})
    registry.OWN[form] = keras.saving.register_keras_serializable('kerasnets')(made)
    return form


def make(spec: LayerSpec) -> KerasLayer:
    """Build the Keras layer of a spec whose form is a user's class."""
    activation = activations.get(spec.activation or spec.default_activation)
    return registry.OWN[spec.form](
        spec.size, spec.inputs, activation, dict(spec.options), name=spec.name
    )
