"""Losses: what a network is trained to make small.

Those of labels (`cross_entropy`, `hinge`) compare a distribution over classes with a class;
those of values (`squared_error`, `absolute_error`) compare arrays of one shape.

A loss is a plain function of a target and an output, giving an error for each element; `Loss`
adds what a network needs to know of it. Errors are averaged as Σwe/Σw, or Σe/n unweighted.
"""

import dataclasses
import math
from collections.abc import Callable

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, check_known, number, suggest

#: Smallest probability whose logarithm is taken, where there are no logits. theanets' own.
SMALLEST = 1e-8


def cross_entropy(target, output, logits=None):
    """-log p(target), with p from the logits where there are any.

    Shapes: `target` (…,) of int, `output` and `logits` (…, classes); returns (…,).
    """
    if logits is not None:
        return ops.sparse_categorical_crossentropy(target, logits, from_logits=True)
    return -ops.log(ops.clip(_of_target(output, target), SMALLEST, 1.0))


def hinge(target, output, logits=None):
    """How far the best wrong class is above the target: max(0, max_{k≠t} p_k - p_t).

    Shapes as for `cross_entropy`. The multi-class hinge of theanets, whose margin is 0.
    """
    right = ops.one_hot(target, output.shape[-1], dtype='bool')
    wrong = ops.max(ops.where(right, float('-inf'), output), axis=-1)
    return ops.maximum(0.0, wrong - _of_target(output, target))


def squared_error(target, output, logits=None):
    """(y - t)², of arrays of one shape."""
    return ops.square(output - target)


def absolute_error(target, output, logits=None):
    """|y - t|, of arrays of one shape."""
    return ops.abs(output - target)


def discrepancy(target, output, logits=None):
    """The maximum mean discrepancy of two samples, with the kernel exp(-|a - b|²): a scalar.

    Steps of sequences count as examples.

    A. Gretton et al. (2012), "A kernel two-sample test", JMLR 13, equation 5.
    """
    output, target = (ops.reshape(a, (-1, a.shape[-1])) for a in (output, target))

    def kernel(a, b):
        gaps = ops.expand_dims(a, 1) - ops.expand_dims(b, 0)
        return ops.mean(ops.exp(-ops.sum(ops.square(gaps), axis=-1)))

    return kernel(output, output) - 2 * kernel(output, target) + kernel(target, target)


def _of_target(output, target):
    return ops.sum(output * ops.one_hot(target, output.shape[-1], dtype=output.dtype), axis=-1)


@dataclasses.dataclass(frozen=True)
class _Kind:
    error: Callable  # (target, output, logits) -> errors
    keras_loss: str | None = None  # the same loss in Keras, for the saved model
    labels: bool = False  # whether targets are labels
    whole: bool = False  # whether it is of a batch as a whole, not of each element


KINDS = {
    'xe': _Kind(cross_entropy, 'sparse_categorical_crossentropy', labels=True),
    'hinge': _Kind(hinge, labels=True),
    'mse': _Kind(squared_error, 'mean_squared_error'),
    'mae': _Kind(absolute_error, 'mean_absolute_error'),
    'mmd': _Kind(discrepancy, whole=True),
}
ALIASES = {
    'crossentropy': 'xe',
    'cross-entropy': 'xe',
    'mean-squared-error': 'mse',
    'mean_squared_error': 'mse',
    'mean-absolute-error': 'mae',
    'mean_absolute_error': 'mae',
}


@dataclasses.dataclass(frozen=True)
class Loss:
    """One loss of a network.

    Attributes
    ----------
    form : str
        'xe' (cross-entropy) or 'hinge' of labels, 'mse', 'mae' or 'mmd' of values.
    weight : float
        What this loss is multiplied by when a network has several.
    weighted : bool
        Whether the data holds a weight for each element of the target.
    output_name : str or None
        The output that is compared, such as 'out:out'. None: the network's last.
    target : str or None
        The output that it is compared with, such as 'in:out' in an autoencoder. None: an
        array of the data.
    """

    form: str = 'xe'
    weight: float = 1.0
    weighted: bool = False
    output_name: str | None = None
    target: str | None = None

    @classmethod
    def build(cls, form, **kwargs):
        """A Loss from a name, a dict with ``form``, or a Loss.

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
        if not isinstance(form, str):
            raise ConfigurationError(
                f'expected a loss by name, got {form!r}. Known: {", ".join(KINDS)}.'
            )
        form = ALIASES.get(form.lower(), form.lower())
        if form not in KINDS:
            raise ConfigurationError(
                f'unknown loss {form!r}.{suggest(form, [*KINDS, *ALIASES])} '
                f'Known: {", ".join(KINDS)}.'
            )
        check_known(kwargs, [f.name for f in dataclasses.fields(cls)], 'keyword of a loss')
        loss = cls(form, **kwargs)
        number(loss.weight, 'the weight of a loss', math.isfinite, 'that is finite')
        if loss.weighted and loss.whole:
            raise ConfigurationError(f'{form!r} is of a batch as a whole and takes no weights.')
        return loss

    @property
    def keras_loss(self):
        """Keras' name of the same loss, or None."""
        return KINDS[self.form].keras_loss

    @property
    def whole(self):
        """Whether it is of a batch as a whole, not of each element."""
        return KINDS[self.form].whole

    @property
    def of_labels(self):
        """Whether targets are labels: one axis less than the output, and integers."""
        return KINDS[self.form].labels

    def target_shape(self, shape):
        """The shape of a target for an output of this shape; weights have the same."""
        return tuple(shape)[:-1] if self.of_labels else tuple(shape)

    def data(self, name, output):
        """Input tensors for what the data must hold: a target and, if weighted, weights."""
        shape = self.target_shape(output.shape)
        dtype = 'int32' if self.of_labels else 'float32'
        tensors = []
        if self.target is None:
            tensors.append(keras.Input(batch_shape=shape, dtype=dtype, name=f'{name}_target'))
        if self.weighted:
            tensors.append(keras.Input(batch_shape=shape, dtype='float32', name=f'{name}_weights'))
        return tensors

    def value(self, outputs, logits, target, weights=None):
        """The loss of a batch and its mass: Σwe/Σw and Σw, or Σe/n and n."""
        errors = KINDS[self.form].error(target, outputs, logits)
        if self.whole:
            return errors, ops.sum(ops.ones_like(outputs[..., 0]))
        return average(errors, weights)

    def accuracy(self, outputs, target, weights=None):
        """The fraction of targets whose output is the largest, and its mass."""
        best = ops.cast(ops.argmax(outputs, axis=-1), 'int32')
        right = ops.equal(best, ops.cast(target, 'int32'))
        return average(ops.cast(right, 'float32'), weights)


def hidden(mask, target, weights=None):
    """Weights for a target (examples, time, …) that are 0 where the mask (examples, time) is."""
    mask = ops.cast(mask, 'float32')
    for _ in target.shape[2:]:
        mask = ops.expand_dims(mask, -1)
    return mask * (ops.ones_like(target, dtype='float32') if weights is None else weights)


def average(errors, weights=None):
    """(Σwe/Σw, Σw) over all elements; (0, 0) where all weights are zero."""
    if weights is None:
        weights = ops.ones_like(errors)
    mass = ops.sum(weights)
    total = ops.sum(weights * errors)
    return total / ops.where(mass > 0, mass, ops.ones_like(mass)), mass
