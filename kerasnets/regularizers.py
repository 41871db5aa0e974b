"""Penalties that are added to the loss of a network, as keywords of `train` and `evaluate`.

A penalty is a plain function of tensors, averaged over what its pattern matches. It is part of
the graph of the losses only: the network's own model and saved files know nothing of it.
"""

import dataclasses
import fnmatch
from collections.abc import Callable

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, check_known, number, suggest


def l1(values):
    """The mean of |v|."""
    return ops.mean(ops.abs(values))


def l2(values):
    """The mean of v²."""
    return ops.mean(ops.square(values))


def state_change(sequence):
    """The mean of (h_t - h_{t-1})², for a sequence (examples, time, units)."""
    return ops.mean(ops.square(sequence[:, 1:] - sequence[:, :-1]))


def norm_change(sequence):
    """The mean of |h_{t-1}|² - |h_t|²: theanets' formula, which is signed."""
    norms = ops.sum(ops.square(sequence), axis=-1)
    return ops.mean(norms[:, :-1] - norms[:, 1:])


@dataclasses.dataclass(frozen=True)
class _Kind:
    penalty: Callable  # tensor -> scalar
    of: str  # 'weights', 'outputs', or 'sequences' among them


KINDS = {
    'weight_l1': _Kind(l1, 'weights'),
    'weight_l2': _Kind(l2, 'weights'),
    'hidden_l1': _Kind(l1, 'outputs'),
    'recurrent_norm': _Kind(norm_change, 'sequences'),
    'recurrent_state': _Kind(state_change, 'sequences'),
}
ALIASES = {
    'weight_sparsity': 'weight_l1',
    'weight_decay': 'weight_l2',
    'hidden_sparsity': 'hidden_l1',
}


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """One penalty.

    Attributes
    ----------
    form : str
        'weight_l1', 'weight_l2', 'hidden_l1', 'recurrent_norm' or 'recurrent_state'.
    weight : float
        What the penalty is multiplied by.
    pattern : str, optional
        Names of the parameters ('hid?.w') or outputs ('hid1:out') that are penalized, in the
        manner of a shell. Default: all weights with two axes or more, all hidden layers.
    """

    form: str
    weight: float
    pattern: str | None = None

    @property
    def kind(self):
        """The function of the penalty, and what it is of."""
        return KINDS[self.form]

    def select(self, names, default):
        """Those names that are penalized.

        Raises
        ------
        ConfigurationError
            If the pattern matches none.
        """
        if self.pattern is None:
            return list(default)
        chosen = fnmatch.filter(names, self.pattern)
        if not chosen:
            raise ConfigurationError(
                f'{self.form}: the pattern {self.pattern!r} matches nothing.'
                f'{suggest(self.pattern, names)} There are: {", ".join(names)}.'
            )
        return chosen


def names():
    """The keywords that are penalties."""
    return [*KINDS, *ALIASES]


def build(keywords):
    """Regularizers from keywords: a number is the weight, a dict may hold a pattern too.

    Raises
    ------
    ConfigurationError
        For a keyword that is not known, and a weight that is no number.

    >>> build({'weight_decay': 0.1, 'hidden_l1': {'weight': 0.2, 'pattern': 'hid1:out'}})[0]
    Regularizer(form='weight_l2', weight=0.1, pattern=None)
    """
    check_known(keywords, names(), 'regularizer')
    built = []
    for name, value in keywords.items():
        options = value if isinstance(value, dict) else {'weight': value}
        check_known(options, ('weight', 'pattern'), f'keyword of {name}')
        weight = number(options.get('weight'), f'the weight of {name}', lambda w: w >= 0, 'of 0 up')
        built.append(Regularizer(ALIASES.get(name, name), weight, options.get('pattern')))
    return tuple(built)


class WeightPenalty(keras.layers.Layer):
    """The mean of a penalty over parameters, read anew at each call.

    Called with any tensor of the graph that it is to be part of.
    """

    def __init__(self, penalty, params, layers):
        super().__init__()
        self.penalty = penalty
        self.params = params
        self.layers = layers  # so that their variables are those of the model

    def call(self, anchor):
        values = [param.layout.read(param.variable) for param in self.params]
        return sum(self.penalty(value) for value in values) / len(values)

    def compute_output_spec(self, anchor):
        return keras.KerasTensor((), dtype='float32')


def mean_over(penalty, tensors):
    """The mean of a penalty over outputs."""
    return sum(penalty(tensor) for tensor in tensors) / len(tensors)
