"""Losses: what a network is trained to make small.

Those of labels (`cross_entropy`, `hinge`) compare a distribution over classes with a class;
the others compare arrays of one shape.

A loss is a plain function of a target and an output, giving an error for each element; `Loss`
adds what a network needs to know of it. Errors are averaged as Σwe/Σw, or Σe/n unweighted.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, check_known, number, suggest
from kerasnets.typing import Tensor

#: Smallest probability whose logarithm is taken, where there are no logits. theanets' own.
SMALLEST = 1e-8


def cross_entropy(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """-log p(target), with p from the logits where there are any.

    Shapes: `target` (…,) of int, `output` and `logits` (…, classes); returns (…,).
    """
    if logits is not None:
        return ops.sparse_categorical_crossentropy(target, logits, from_logits=True)
    return -ops.log(ops.clip(_of_target(output, target), SMALLEST, 1.0))


def hinge(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """Return the margin of the best wrong class over the target: max(0, max_{k≠t} p_k - p_t).

    Shapes as for `cross_entropy`. The multi-class hinge of theanets, whose margin is 0.
    """
    right = ops.one_hot(target, output.shape[-1], dtype='bool')
    wrong = ops.max(ops.where(right, float('-inf'), output), axis=-1)
    return ops.maximum(0.0, wrong - _of_target(output, target))


def squared_error(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """(y - t)², of arrays of one shape."""
    return ops.square(output - target)


def absolute_error(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """|y - t|, of arrays of one shape."""
    return ops.abs(output - target)


def discrepancy(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """The maximum mean discrepancy of two samples, with the kernel exp(-|a - b|²): a scalar.

    Steps of sequences count as examples.

    A. Gretton et al. (2012), "A kernel two-sample test", JMLR 13, equation 5.
    """
    output, target = (ops.reshape(a, (-1, a.shape[-1])) for a in (output, target))

    def kernel(a: Any, b: Any) -> Tensor:
        gaps = ops.expand_dims(a, 1) - ops.expand_dims(b, 0)
        return ops.mean(ops.exp(-ops.sum(ops.square(gaps), axis=-1)))

    return kernel(output, output) - 2 * kernel(output, target) + kernel(target, target)


def divergence(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """The Kullback-Leibler divergence Σ t log(t/y) of distributions (…, classes): (…,).

    S. Kullback, R. Leibler (1951), "On information and sufficiency".
    """
    log_y = ops.log_softmax(logits) if logits is not None else ops.log(_positive(output))
    return ops.sum(target * (ops.log(_positive(target)) - log_y), axis=-1)


def gaussian(
    target: Tensor, output: Tensor, logits: Tensor | None = None, variance: Tensor | None = None
) -> Tensor:
    """-log p(t) for independent normal values with a mean and a variance: (…, values) to (…,).

    ½ Σ (log 2π + log σ² + (t - μ)²/σ²), of theanets' name `gll`; C. Bishop (2006), "Pattern
    recognition and machine learning", equation 2.43.
    """
    variance = _positive(variance)
    terms = math.log(2 * math.pi) + ops.log(variance) + ops.square(target - output) / variance
    return 0.5 * ops.sum(terms, axis=-1)


def _positive(values: Tensor) -> Tensor:
    return ops.maximum(values, SMALLEST)


def _of_target(output: Tensor, target: Tensor) -> Tensor:
    return ops.sum(output * ops.one_hot(target, output.shape[-1], dtype=output.dtype), axis=-1)


@dataclasses.dataclass(frozen=True)
class Kind:
    """The properties of a form of loss."""

    error: Callable[..., Tensor]  # (target, output, logits) -> errors
    keras_loss: Any = None  # the same loss in Keras, for the saved model
    labels: bool = False  # whether targets are labels
    whole: bool = False  # whether it is of a batch as a whole, not of each element
    rows: bool = False  # whether it adds up the last axis, of values
    logits: bool = False  # whether it is better off with logits
    variance: bool = False  # whether it compares with a variance too


KINDS = {
    'xe': Kind(cross_entropy, 'sparse_categorical_crossentropy', labels=True, logits=True),
    'hinge': Kind(hinge, labels=True),
    'mse': Kind(squared_error, 'mean_squared_error'),
    'mae': Kind(absolute_error, 'mean_absolute_error'),
    'kl': Kind(divergence, 'kl_divergence', rows=True, logits=True),
    'gll': Kind(gaussian, rows=True, variance=True),
    'mmd': Kind(discrepancy, whole=True),
}
ALIASES = {
    'crossentropy': 'xe',
    'cross-entropy': 'xe',
    'mean-squared-error': 'mse',
    'mean_squared_error': 'mse',
    'mean-absolute-error': 'mae',
    'mean_absolute_error': 'mae',
    'kullback-leibler': 'kl',
    'kl_divergence': 'kl',
    'gaussian-log-likelihood': 'gll',
}


@dataclasses.dataclass(frozen=True)
class Loss:
    """One loss of a network.

    Attributes
    ----------
    form : str, keras.losses.Loss or callable
        'xe' (cross-entropy) or 'hinge' of labels; 'mse', 'mae' or 'mmd' of values; 'kl' of
        distributions; 'gll' of values, given a mean and a variance; a loss of Keras, by name
        too; or a function of (target, output) that gives errors.
    weight : float
        What this loss is multiplied by when a network has several.
    weighted : bool
        Whether the data holds weights: one for each element of the target, or for each
        example, or step.
    output_name : str or None
        The output that is compared, such as 'out:out'. None: the network's last.
    target : str, True or None
        The output that it is compared with, such as 'in:out' in an autoencoder. None: an
        array of the data, which losses of one output share. True: an array of its own.
    mean_name, covar_name : str or None
        Of 'gll': the outputs that are the mean (another word for `output_name`) and the
        variance of each value.

    >>> Loss.build('kl').weight
    1.0
    """

    form: object = 'xe'
    weight: float = 1.0
    weighted: bool = False
    output_name: str | None = None
    target: str | bool | None = None
    mean_name: dataclasses.InitVar[str | None] = None
    covar_name: str | None = None

    def __post_init__(self, mean_name: Any) -> None:
        if mean_name is not None:
            object.__setattr__(self, 'output_name', mean_name)
        number(self.weight, 'the weight of a loss', math.isfinite, 'that is finite')
        for key in ('output_name', 'target', 'covar_name'):
            name = getattr(self, key)
            if not (name is None or isinstance(name, str) or (key == 'target' and name is True)):
                raise ConfigurationError(f'expected {key} as the name of an output, got {name!r}.')
        if self.weighted and self.whole:
            raise ConfigurationError(
                f'{self.name!r} is computed over a whole batch and takes no '
                'weights. Leave out weighted.'
            )
        if self.kind.variance != (self.covar_name is not None):
            raise ConfigurationError(
                f'expected covar_name, the output that is the variance, with the loss gll and no '
                f'other; got {self.name!r} and covar_name={self.covar_name!r}. Write '
                "dict(form='gll', mean_name='mean', covar_name='covar')."
            )

    @classmethod
    def build(cls, form: Any, **kwargs: Any) -> Loss:
        """A Loss from a name, a dict with ``form``, a Keras loss, a function, or a Loss.

        Raises
        ------
        ConfigurationError
            For a name, a keyword or a weight that cannot be.
        """
        if isinstance(form, Loss):
            return form
        if isinstance(form, dict):
            kwargs = {**kwargs, **form}
            form = kwargs.pop('form', None)
        known = [*(f.name for f in dataclasses.fields(cls)), 'mean_name']
        check_known(kwargs, known, 'keyword of a loss')
        if isinstance(form, str) and form.lower() in [*KINDS, *ALIASES]:
            form = ALIASES.get(form.lower(), form.lower())
        return cls(form, **kwargs)

    @property
    def name(self) -> str:
        """The name of the loss in messages."""
        return (
            self.form
            if isinstance(self.form, str)
            else getattr(self.form, '__name__', type(self.form).__name__)
        )

    @property
    def kind(self) -> Kind:
        """The `Kind` of its form; ConfigurationError if there is no such loss."""
        if isinstance(self.form, str):
            return KINDS[self.form] if self.form in KINDS else _of_keras(self.form)
        if isinstance(self.form, keras.losses.Loss):
            return _wrapped(self.form)
        if callable(self.form):
            form = self.form
            return Kind(lambda target, output, logits: Errors(form)(target, output))
        raise ConfigurationError(
            f'expected a loss by name, of Keras or a function, got {self.form!r}. '
            f'Known: {", ".join(KINDS)}.'
        )

    @property
    def keras_loss(self) -> Any:
        """The same loss in Keras, or None."""
        return self.kind.keras_loss

    @property
    def of_labels(self) -> bool:
        """Whether targets are labels: one axis less than the output, and integers."""
        return self.kind.labels

    @property
    def whole(self) -> bool:
        """Whether it is of a batch as a whole, not of each element."""
        return self.kind.whole

    def target_shape(self, shape: Any) -> tuple[Any, ...]:
        """The shape of a target for an output of this shape."""
        return tuple(shape)[:-1] if self.of_labels else tuple(shape)

    def weights_shape(self, shape: Any) -> tuple[Any, ...]:
        """The shape of weights for an output of this shape: that of the errors."""
        return tuple(shape)[:-1] if self.of_labels or self.kind.rows else tuple(shape)

    def data(self, name: str, output: Any) -> Any:
        """Input tensors for what the data must hold: a target and, if weighted, weights."""
        shape = self.target_shape(output.shape)
        dtype = 'int32' if self.of_labels else 'float32'
        tensors = []
        if self.target is None:
            tensors.append(keras.Input(batch_shape=shape, dtype=dtype, name=f'{name}_target'))
        if self.weighted:  # of any lengths: an axis of 1 stands for all of its axis
            shape = (None,) * len(self.weights_shape(output.shape))
            tensors.append(keras.Input(batch_shape=shape, dtype='float32', name=f'{name}_weights'))
        return tensors

    def value(
        self,
        outputs: Any,
        logits: Tensor | None,
        target: Tensor,
        weights: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> Any:
        """The loss of a batch and its mass: Σwe/Σw and Σw, or Σe/n and n."""
        more = {'variance': variance} if self.kind.variance else {}
        errors = self.kind.error(target, outputs, logits, **more)
        if self.whole or not len(errors.shape):
            return errors, ops.sum(ops.ones_like(outputs[..., 0]))
        if weights is not None and len(weights.shape) > len(errors.shape):
            weights = ops.mean(weights, axis=-1)  # of a loss that adds up the last axis
        return average(errors, weights)

    def accuracy(self, outputs: Any, target: Tensor, weights: Tensor | None = None) -> Any:
        """The fraction of targets whose output is the largest, the first of several, and its mass.

        Told without an argmax, which XLA is slow at on a CPU: it took a fifth of a small step.
        """
        target = ops.cast(target, 'int32')[..., None]
        classes = ops.arange(outputs.shape[-1], dtype='int32')
        of_target = ops.where(ops.equal(classes, target), outputs, -np.inf)
        own = ops.max(of_target, axis=-1, keepdims=True)
        ahead = ops.where(ops.less(classes, target), own > outputs, own >= outputs)  # not of NaN
        right = ops.min(ops.cast(ahead, 'float32'), axis=-1)
        return average(right, weights)


class Errors(keras.layers.Layer):
    """A loss that is not ours as a layer: not all of them take symbols by themselves."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__(autocast=False)
        self.supports_masking = True
        self.function = function

    def call(self, target: Tensor, output: Tensor) -> Tensor:
        return self.function(target, output)


@functools.cache
def _of_keras(name: str) -> Any:
    """The `Kind` of a Keras loss by its name."""
    try:
        found = keras.losses.get(name)
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise ConfigurationError(
            f'unknown loss {name!r}.{suggest(name, [*KINDS, *ALIASES, *dir(keras.losses)])} '
            f'Known: {", ".join(KINDS)}, and those of keras.losses.'
        )
    if isinstance(found, keras.losses.Loss):
        return _wrapped(found)
    return Kind(lambda t, y, z: Errors(found)(t, y), found, labels='sparse' in name, rows=True)


def _wrapped(loss: Any) -> Any:
    sparse = 'sparse' in type(loss).__name__.lower()
    return Kind(lambda t, y, z: Errors(loss.call)(t, y), loss, labels=sparse, rows=True)


def hidden(mask: Tensor | None, weights: Tensor | None, ndim: int) -> Tensor | None:
    """Weights of so many axes that are 0 where the mask, of the first axes, is False."""
    mask = ops.cast(mask, 'float32')
    for _ in range(len(mask.shape), ndim):
        mask = ops.expand_dims(mask, -1)
    return mask if weights is None else mask * weights


def average(errors: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(Σwe/Σw, Σw) over all elements; (0, 0) where all weights are zero.

    Weights have the shape of the errors, or 1 in the place of some axes.
    """
    weights = ops.ones_like(errors) if weights is None else weights * ops.ones_like(errors)
    mass = ops.sum(weights)
    total = ops.sum(weights * errors)
    return total / ops.where(mass > 0, mass, ops.ones_like(mass)), mass
