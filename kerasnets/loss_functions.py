"""Losses as plain functions of a target and an output, with an error for each element."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from kerasnets.typing import Tensor

#: Smallest probability whose logarithm is taken, where there are no logits. theanets' own.
SMALLEST = 1e-8


def cross_entropy(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """Return -log p(target), with p from the logits if available.

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
    """Return (y - t)², of arrays of one shape."""
    return ops.square(output - target)


def absolute_error(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """Return |y - t|, of arrays of one shape."""
    return ops.abs(output - target)


def discrepancy(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """Return the maximum mean discrepancy of two samples, a scalar; the kernel is exp(-|a - b|²).

    Steps of sequences count as examples.

    A. Gretton et al. (2012), "A kernel two-sample test", JMLR 13, equation 5.
    """
    output, target = (ops.reshape(a, (-1, a.shape[-1])) for a in (output, target))

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        gaps = ops.expand_dims(a, 1) - ops.expand_dims(b, 0)
        return ops.mean(ops.exp(-ops.sum(ops.square(gaps), axis=-1)))

    return kernel(output, output) - 2 * kernel(output, target) + kernel(target, target)


def divergence(target: Tensor, output: Tensor, logits: Tensor | None = None) -> Tensor:
    """Return the Kullback-Leibler divergence Σ t log(t/y) over the classes.

    `target` and `output` are of shape (…, classes), the result is of shape (…,).

    S. Kullback, R. Leibler (1951), "On information and sufficiency".
    """
    log_y = ops.log_softmax(logits) if logits is not None else ops.log(_positive(output))
    return ops.sum(target * (ops.log(_positive(target)) - log_y), axis=-1)


def gaussian(
    target: Tensor, output: Tensor, logits: Tensor | None = None, variance: Tensor | None = None
) -> Tensor:
    """Return -log p(t) of independent normal values with a mean and a variance: (…,).

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
    ignored: int | None = None  # a label whose errors do not count
    any_length: bool = False  # whether targets have a length of their own


LOSSES = {
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
