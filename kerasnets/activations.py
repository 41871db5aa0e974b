"""Activations by theanets' names, as Keras takes them.

A name that Keras has becomes Keras' own, so that the saved file needs no kerasnets. The rest,
and sums such as ``'relu+norm:z'`` (the first is applied first), become an `Activation`.
"""

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, suggest

#: theanets' name -> Keras' own.
STOCK = {'logistic': 'sigmoid', 'rect:max': 'relu'}

#: Added to the divisors of the norms, as theanets does.
EPSILON = 1e-8


def _mean(x):
    return ops.mean(x, axis=-1, keepdims=True)


def _std(x):
    return ops.std(x, axis=-1, keepdims=True) + EPSILON


#: What Keras does not have: theanets' name -> function of a tensor.
OWN = {
    'rect:min': lambda x: ops.minimum(x, 1.0),
    'rect:minmax': lambda x: ops.clip(x, 0.0, 1.0),
    'norm:mean': lambda x: x - _mean(x),
    'norm:max': lambda x: x / (ops.max(ops.abs(x), axis=-1, keepdims=True) + EPSILON),
    'norm:std': lambda x: x / _std(x),
    'norm:z': lambda x: (x - _mean(x)) / _std(x),
}


def names():
    """All names that `get` knows, but for sums of them."""
    stock = {n for n in dir(keras.activations) if not n.startswith('_')}
    return sorted((stock - {'get', 'serialize', 'deserialize'}) | set(STOCK) | set(OWN))


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

    >>> Activation('rect:min')(np.array([-2., .5, 3.])).numpy().tolist()
    [-2.0, 0.5, 1.0]
    """

    def __init__(self, name):
        self.name = self.__name__ = name
        self.steps = [_function(part) for part in name.split('+')]

    def __call__(self, x):
        for step in self.steps:
            x = step(x)
        return x

    def __eq__(self, other):
        return isinstance(other, Activation) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f'Activation({self.name!r})'

    def get_config(self):
        return {'name': self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _function(name, also=()):
    if name in OWN:
        return OWN[name]
    if name not in names():
        raise ConfigurationError(
            f'unknown activation {name!r}.{suggest(name, [*names(), *also])} '
            f'Known: {", ".join(names())}.'
        )
    return keras.activations.get(STOCK.get(name, name))


def get(activation, also=()):
    """What to hand to a Keras layer for an activation named as in theanets.

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
        if callable(activation):
            return activation
        raise ConfigurationError(
            f"expected an activation by name or as a callable, got {activation!r}. Try 'tanh'."
        )
    if '+' in activation or activation in OWN:
        return Activation(activation)
    _function(activation, also)
    return STOCK.get(activation, activation)
