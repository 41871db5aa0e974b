"""Activations by theanets' names, as Keras takes them.

A name that Keras has becomes Keras' own, so that the saved file needs no kerasnets. The rest,
and sums such as ``'relu+norm:z'`` (the first is applied first), become an `Activation`, or a
layer where they have parameters to learn: ``prelu``, ``lgrelu``, ``elu`` and ``maxout:3``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, suggest
from kerasnets.spellings import translate
from kerasnets.typing import Data, Shape, Tensor, TensorFunction

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

#: theanets' name -> Keras' own.
STOCK = {'logistic': 'sigmoid', 'rect:max': 'relu'}

#: Added to the divisors of the norms, as theanets does.
EPSILON = 1e-8


def _mean(x: Tensor) -> Tensor:
    return ops.mean(x, axis=-1, keepdims=True)


def _std(x: Tensor) -> Tensor:
    """Return the deviation of each row; its gradient is 0, not NaN, where all values are equal."""
    variance = ops.var(x, axis=-1, keepdims=True)
    varies = variance > 0
    root = ops.sqrt(ops.where(varies, variance, ops.ones_like(variance)))
    return ops.where(varies, root, ops.zeros_like(root)) + EPSILON


def _largest(x: Tensor, slope: Tensor, intercept: Tensor) -> Tensor:
    """Return the largest of several linear functions of each value, compared in pairs.

    The gradient of a maximum over an axis looks for the largest again, and may find none where a
    compiler rounds in another way there.
    """
    pieces = [x * slope[..., i] + intercept[..., i] for i in range(slope.shape[-1])]
    return functools.reduce(ops.maximum, pieces)


#: What Keras does not have: theanets' name -> function of a tensor.
OWN = {
    'rect:min': lambda x: ops.minimum(x, 1.0),
    'rect:minmax': lambda x: ops.clip(x, 0.0, 1.0),
    'trec': lambda x: ops.where(x > 1, x, ops.zeros_like(x)),
    'tlin': lambda x: ops.where(ops.abs(x) > 1, x, ops.zeros_like(x)),
    'norm:mean': lambda x: ops.subtract(x, _mean(x)),
    'norm:max': lambda x: ops.divide(x, ops.max(ops.abs(x), axis=-1, keepdims=True) + EPSILON),
    'norm:std': lambda x: ops.divide(x, _std(x)),
    'norm:z': lambda x: ops.divide(ops.subtract(x, _mean(x)), _std(x)),
}


def names() -> list[str]:
    """Return all names that `get` accepts, except sums of them."""
    stock = {n for n in dir(keras.activations) if not n.startswith('_')}
    no = {'get', 'serialize', 'deserialize', 'glu'}  # the last halves its input
    return sorted((stock - no) | {*STOCK, *OWN, *LEARNED})


#: Activations with parameters: name -> its parameters with their starts (None: drawn), and a
#: function of a tensor and them. Slopes are learned as their logarithms, so that they stay
#: positive, or as they are, as in theanets before 0.8. A leak starts at a slope of 0.1.
LEARNED: dict[str, tuple[dict[str, Any], Callable[..., Tensor]]] = {
    'prelu': ({'leak': -2.3}, lambda x, leak: ops.where(x > 0, x, ops.exp(leak) * x)),
    'prelu:slope': ({'leak': 0.1}, lambda x, leak: ops.where(x > 0, x, leak * x)),
    'lgrelu': (
        {'gain': 0.0, 'leak': -2.3},
        lambda x, gain, leak: ops.where(x > 0, ops.exp(gain) * x, ops.exp(leak) * x),
    ),
    'lgrelu:slope': (
        {'gain': 1.0, 'leak': 0.1},
        lambda x, gain, leak: ops.where(x > 0, gain * x, leak * x),
    ),
    'elu': (
        {'gain': 0.0},
        lambda x, gain: ops.where(x > 0, x, ops.exp(gain) * ops.expm1(ops.minimum(x, 0))),
    ),
    'maxout': ({'slope': None, 'intercept': None}, _largest),
}


@keras.saving.register_keras_serializable('kerasnets')
class LearnedActivation(keras.layers.Layer):
    """An activation whose parameters, one for each unit, are learned with the weights.

    Parameters
    ----------
    kind : str
        ``'prelu'``: x, or x·exp(leak) below 0 (K. He et al. 2015, arXiv:1502.01852).
        ``'lgrelu'``: x·exp(gain), or x·exp(leak) below 0.
        ``'prelu:slope'``, ``'lgrelu:slope'``: the same of leak and gain themselves.
        ``'elu'``: x, or exp(gain)·(exp(x) - 1) below 0 (D.-A. Clevert et al. 2016,
        arXiv:1511.07289).
        ``'maxout:K'``: the largest of K lines, x·slope + intercept (I. Goodfellow et al. 2013,
        arXiv:1302.4389).

    >>> np.array(LearnedActivation('elu')(np.array([[1., 0.]]))).tolist()
    [[1.0, 0.0]]
    """

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        name, _, pieces = kind.partition(':')
        self.pieces = int(pieces) if pieces.isdigit() else 0
        name = name if self.pieces else kind
        if name not in LEARNED or bool(self.pieces) != (name == 'maxout'):
            raise ConfigurationError(
                f'unknown activation {kind!r}. Choose one of: '
                'prelu, lgrelu, elu and maxout:K with K pieces, such as maxout:3.'
            )
        self.parameters, self.function = LEARNED[name]

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        shape = (shape[-1], self.pieces) if self.pieces else (shape[-1],)
        for name, start in self.parameters.items():
            initializer = keras.initializers.Constant(start)
            if start is None:
                initializer = keras.initializers.RandomNormal(0.0, self.pieces**-0.5)
            setattr(self, name, self.add_weight(shape=shape, initializer=initializer, name=name))

    def call(self, x: Data) -> Tensor:
        """Compute the output."""
        return self.function(x, *(getattr(self, name) for name in self.parameters))

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), 'kind': self.kind}


def learned(layer: KerasLayer) -> dict[str, Any]:
    """Return name -> variable of the parameters that a layer's activation learns."""
    activation = getattr(getattr(layer, 'cell', layer), 'activation', None)
    if not isinstance(activation, LearnedActivation):
        return {}
    return {name: getattr(activation, name) for name in activation.parameters}


@keras.saving.register_keras_serializable('kerasnets')
class Activation:
    """One activation of theanets, or several applied in turn.

    Parameters
    ----------
    name : str
        A name, or names joined by ``+``: ``'relu+tanh'`` computes tanh(relu(x)).

    Raises
    ------
    ConfigurationError
        For a name that is not known.

    >>> np.array(Activation('rect:min')(np.array([-2., .5, 3.]))).tolist()
    [-2.0, 0.5, 1.0]
    """

    def __init__(self, name: str) -> None:
        self.name = self.__name__ = name
        self.steps = [_function(part) for part in name.split('+')]

    def __call__(self, x: Data) -> Tensor:
        """Apply the steps in turn."""
        for step in self.steps:
            x = step(x)
        return x

    def __eq__(self, other: object) -> bool:
        """Compare by name."""
        return isinstance(other, Activation) and self.name == other.name

    def __hash__(self) -> int:
        """Hash by name."""
        return hash(self.name)

    def __repr__(self) -> str:
        """Return a short description."""
        return f'Activation({self.name!r})'

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {'name': self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Build the activation from its settings."""
        return cls(**config)


def _function(name: str, also: Iterable[str] = ()) -> Any:
    if name in OWN:
        return OWN[name]
    if name.partition(':')[0] in LEARNED:
        raise ConfigurationError(
            f'{name!r} has learned parameters, so it cannot be part of a sum. Use a '
            'layer of its own for the rest.'
        )
    if name not in names():
        raise ConfigurationError(
            f'unknown activation {name!r}.{suggest(name, [*names(), *also])} '
            f'Choose one of: {", ".join(names())}.'
        )
    return keras.activations.get(STOCK.get(name, name))


def get(activation: str | TensorFunction | None, also: Iterable[str] = ()) -> str | TensorFunction:
    """Return the activation to pass to a Keras layer for one of theanets' names.

    Parameters
    ----------
    activation : str or callable
        A callable is returned as it is.
    also : iterable of str
        Other words that a misspelt name may have meant.

    Raises
    ------
    ConfigurationError
        For a name that is not known.

    >>> get('logistic'), get('relu+norm:z')
    ('sigmoid', Activation('relu+norm:z'))
    """
    if not isinstance(activation, str):
        if isinstance(activation, type):
            raise ConfigurationError(
                f'expected an activation as a function, got the class {activation.__name__}. '
                f'Write {activation.__name__}(), an object of it.'
            )
        if callable(activation):
            _check_function(activation)
            return activation
        raise ConfigurationError(
            f"expected an activation by name or as a callable, got {activation!r}. Try 'tanh'."
        )
    name: str = activation
    if not set(name.split('+')) <= set(names()):
        name = translate('activation', name)
    if name.partition(':')[0] in LEARNED and '+' not in name:
        return LearnedActivation(name)
    if '+' in name or name in OWN:
        return Activation(name)
    _check_function(_function(name, also))
    return STOCK.get(name, name)


def _check_function(function: TensorFunction) -> None:
    """Refuse a function that gives arrays of numpy for tensors, or another shape."""
    if isinstance(function, keras.layers.Layer):
        return
    try:
        found: Any = function(ops.ones((2, 4)))
    except Exception:  # perhaps it needs other sizes
        return
    shape = tuple(getattr(found, 'shape', ()))
    if shape != (2, 4):
        raise ConfigurationError(
            'expected an activation that keeps the shape of its input, got '
            f'{getattr(function, "__name__", function)}, which returns shape {shape} for (2, 4). '
            'Use it in a layer of its own.'
        )
    if isinstance(found, np.ndarray):
        raise ConfigurationError(
            f'expected an activation of tensors, got {function!r}, which computes with numpy. Use '
            'the functions of keras.ops, such as keras.ops.tanh.'
        )
