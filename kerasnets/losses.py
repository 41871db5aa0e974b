"""Losses: the quantities that training minimizes.

Those of labels (`cross_entropy`, `hinge`) compare a distribution over classes with a class;
the others compare arrays of one shape.

A loss is a plain function, of `loss_functions`; `Loss` adds what a network needs to know of it.
Errors are averaged as Σwe/Σw, or Σe/n unweighted.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from kerasnets.errors import (
    ConfigurationError,
    KerasnetsError,
    check_known,
    check_object,
    in_a_line,
    number,
    scalar,
    suggest,
)
from kerasnets.loss_functions import ALIASES as ALIASES
from kerasnets.loss_functions import LOSSES as LOSSES
from kerasnets.loss_functions import SMALLEST as SMALLEST
from kerasnets.loss_functions import Kind as Kind
from kerasnets.loss_functions import absolute_error as absolute_error
from kerasnets.loss_functions import cross_entropy as cross_entropy
from kerasnets.loss_functions import discrepancy as discrepancy
from kerasnets.loss_functions import divergence as divergence
from kerasnets.loss_functions import gaussian as gaussian
from kerasnets.loss_functions import hinge as hinge
from kerasnets.loss_functions import squared_error as squared_error
from kerasnets.spellings import translate
from kerasnets.typing import Shape, Tensor, Tensors

#: What a user may give as a loss.
LossLike: TypeAlias = object

#: Names of users' classes of losses -> the class.
WRITTEN: dict[str, Any] = {}


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

    A class derived from it computes its own loss of all outputs, tensors by name, as a scalar; it
    has the target as ``self._target`` and weights, or None, as ``self._weights``:

    >>> class Step(Loss):
    ...     def __call__(self, outputs):
    ...         return keras.ops.mean(keras.ops.cast(outputs[self.output_name] > 0, 'float32'))
    >>> net = kerasnets.Regressor([4, 5, 2], loss='step')
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
    labels: bool | None = None  # whether targets are labels, where a user's class computes it

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register a subclass as a form of loss."""
        super().__init_subclass__(**kwargs)
        names = cls.__name__, *vars(cls).get('__extra_registration_keys__', ())
        WRITTEN.update(dict.fromkeys((name.lower() for name in names), cls))

    def __post_init__(self, mean_name: Any) -> None:
        """Check the settings."""
        if isinstance(self.target, int) and self.target is not True:  # theanets: number of its axes
            object.__setattr__(self, 'target', None)
        if mean_name is not None:
            object.__setattr__(self, 'output_name', mean_name)
        number(self.weight, 'the weight of a loss', math.isfinite, 'that is finite')
        for key in ('output_name', 'target', 'covar_name'):
            name = getattr(self, key)
            if not (name is None or isinstance(name, str) or (key == 'target' and name is True)):
                raise ConfigurationError(
                    f'expected {key} as the name of an output, got {name!r}. '
                    f"Write for example {key}='hid1:out'."
                )
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
        """Build a Loss from a name, a dict with ``form``, a Keras loss, a function, or a Loss.

        The name may be that of a class derived from Loss, or the class itself.

        Raises
        ------
        ConfigurationError
            If the name or a keyword is unknown, or the weight is not a valid number.
        """
        if isinstance(form, Loss):
            return form
        if isinstance(form, dict):
            kwargs = {**kwargs, **form}
            form = kwargs.pop('form', None)
        known = [*(f.name for f in dataclasses.fields(cls)), 'mean_name']
        check_known(kwargs, known, 'keyword of a loss')
        if isinstance(form, str) and form.lower() in [*LOSSES, *ALIASES]:
            form = ALIASES.get(form.lower(), form.lower())
        elif isinstance(form, str) and form.lower() in WRITTEN:
            form = WRITTEN[form.lower()]
        elif isinstance(form, str):
            form = translate('loss', form)
        if isinstance(form, type) and issubclass(form, Loss):
            return form(**kwargs)
        check_object(form, 'a loss')
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
        if self.is_custom:
            return Kind(lambda target, output, logits: None, labels=bool(self.labels))
        if isinstance(self.form, str):
            return LOSSES[self.form] if self.form in LOSSES else _of_keras(self.form)
        if isinstance(self.form, keras.losses.Loss):
            return _wrapped(self.form)
        if callable(self.form):
            form = self.form
            if getattr(keras.losses, getattr(form, '__name__', ''), None) is form:
                return _of_function(form)
            return Kind(lambda target, output, logits: Errors(form)(target, output))
        raise ConfigurationError(
            f'expected a loss by name, of Keras or a function, got {self.form!r}. '
            f'Choose one of: {", ".join(LOSSES)}.'
        )

    @property
    def keras_loss(self) -> Any:
        """The same loss in Keras, or None."""
        return self.kind.keras_loss

    @property
    def of_labels(self) -> bool:
        """True if targets are integer labels, with one axis less than the output."""
        return self.kind.labels if self.labels is None else self.labels

    @property
    def whole(self) -> bool:
        """True if the loss is one value of a whole batch, without an error for each element."""
        return self.kind.whole

    def target_shape(self, shape: Shape) -> tuple[Any, ...]:
        """Return the shape of a target for an output of this shape."""
        if self.kind.any_length:
            return (shape[0], None)
        return tuple(shape)[:-1] if self.of_labels else tuple(shape)

    def weights_shape(self, shape: Shape) -> tuple[Any, ...]:
        """Return the shape of weights for an output of this shape: that of the errors."""
        return tuple(shape)[:-1] if self.of_labels or self.kind.rows else tuple(shape)

    def data(self, name: str, output: Tensor) -> list[Tensor]:
        """Return input tensors for the data: a target and, if weighted, weights."""
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
        outputs: Tensors,
        logits: Tensor | None,
        target: Tensor,
        weights: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and its mass: Σwe/Σw and Σw, or Σe/n and n."""
        if self.is_custom:
            return self._custom_value(outputs, target, weights)
        more = {'variance': variance} if self.kind.variance else {}
        errors = self.kind.error(target, outputs, logits, **more)
        if self.whole or not len(errors.shape):
            return errors, ops.sum(ops.ones_like(outputs[..., 0]))
        if self.kind.ignored is not None:
            counts = ops.cast(ops.not_equal(target, self.kind.ignored), errors.dtype)
            weights = counts if weights is None else counts * weights
        if weights is not None and len(weights.shape) > len(errors.shape):
            weights = ops.mean(weights, axis=-1)  # of a loss that adds up the last axis
        return average(errors, weights)

    @property
    def is_custom(self) -> bool:
        """True if a user's class computes it, in ``__call__(outputs)``."""
        return type(self).__call__ is not Loss.__call__

    def __call__(self, outputs: Tensors) -> Tensor:
        """Return the loss of a batch, of all outputs by name; the network has set the target."""
        name, own = self.output_name, vars(self)
        variance = outputs[self.covar_name] if self.covar_name else None
        kind = LOSSES.get(str(self.form)) or self.kind
        more = {'variance': variance} if kind.variance else {}
        errors = kind.error(own['_target'], outputs[name], None, **more)
        return average(errors, own['_weights'])[0] if len(errors.shape) else errors

    @property
    def variables(self) -> list[str]:
        """What the data must hold for it, a target and perhaps weights."""
        own = ['target'] if self.target is None or self.target is True else []
        return [*own, *(['weights'] if self.weighted else [])]

    def _custom_value(
        self, outputs: Tensors, target: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the value of a user's class, for all outputs by name, and the batch's mass."""
        name = self.output_name or next(reversed(list(outputs))).split(':')[0]
        bound = copy.copy(self)
        name = name if ':' in name else f'{name}:out'
        for key, value in {'output_name': name, '_target': target, '_weights': weights}.items():
            object.__setattr__(bound, key, value)
        value = scalar(ops.convert_to_tensor(bound(outputs)), type(self).__name__)
        return value, ops.sum(ops.ones_like(outputs[name][..., 0]) if weights is None else weights)

    def diff(self, outputs: Tensors) -> Tensor:
        """Return the output less the target, for a user's class."""
        return outputs[self.output_name] - ops.cast(vars(self)['_target'], 'float32')

    def accuracy(
        self, outputs: Tensors, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the fraction of targets whose output is the largest, and its mass.

        The largest output is told without an argmax, which XLA is slow at on a CPU: it took a fifth
        of a small step.
        """
        if len(target.shape) == len(outputs.shape):  # a value for each class
            if weights is not None and len(weights.shape) == len(outputs.shape):
                weights = ops.mean(weights, axis=-1)
            if outputs.shape[-1] == 1:
                right = ops.equal(target[..., 0] > 0.5, outputs[..., 0] > 0.5)
                return average(ops.cast(right, 'float32'), weights)
            target = ops.argmax(target, axis=-1)
        target = ops.cast(target, 'int32')[..., None]
        classes = ops.arange(outputs.shape[-1], dtype='int32')
        of_target = ops.where(ops.equal(classes, target), outputs, -np.inf)
        own = ops.max(of_target, axis=-1, keepdims=True)
        ahead = ops.where(ops.less(classes, target), own > outputs, own >= outputs)  # not of NaN
        right = ops.min(ops.cast(ahead, 'float32'), axis=-1)
        return average(right, weights)


class Errors(keras.layers.Layer):
    """A layer that computes a Keras or user's loss; not all take symbolic tensors themselves."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__(autocast=False)
        self.supports_masking = True
        self.function = function

    def call(self, target: Tensor, output: Tensor) -> Tensor:
        """Return the errors."""
        return self.function(target, output)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the errors. Raise ConfigurationError if the function fails."""
        try:
            found = super().__call__(*args, **kwargs)
            if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(found.dtype)):
                raise TypeError(f'it returns {found.dtype}')
            return found
        except (KerasnetsError, MemoryError):
            raise
        except Exception as error:
            name = getattr(self.function, '__name__', type(self.function).__name__)
            cause = in_a_line(error) or type(error).__name__
            raise ConfigurationError(
                f'the loss {name} cannot be computed ({cause}). Write it in keras.ops, '
                'as a function of targets and outputs that returns the error of each example.'
            ) from error


@functools.cache
def _of_keras(name: str) -> Kind:
    """Return the `Kind` of a Keras loss by name."""
    try:
        found = keras.losses.get(name)
    except (ValueError, TypeError):
        found = None
    if found is None and name.lower() in ('log_loss', 'nll', 'nll_loss', 'cross_entropy', 'ce'):
        raise ConfigurationError(f"unknown loss {name!r}. Write 'xe', the cross-entropy of labels.")
    if found is None:
        raise ConfigurationError(
            f'unknown loss {name!r}.{suggest(name, [*LOSSES, *ALIASES, *dir(keras.losses)])} '
            f'Choose one of: {", ".join(LOSSES)}, or one of keras.losses.'
        )
    if isinstance(found, keras.losses.Loss):
        return _wrapped(found)
    return _of_function(found)


#: Losses of Keras whose targets are labels, besides those whose name has 'sparse' in it.
OF_LABELS = ('circle', 'categorical_generalized_cross_entropy', 'ctc')


def _takes_labels(name: str) -> bool:
    return 'sparse' in name or name in OF_LABELS


def _of_function(function: Callable[..., Tensor]) -> Kind:
    """Return the `Kind` of a loss function of Keras."""
    labels = _takes_labels(function.__name__)
    error = lambda t, y, z: Errors(function)(t, y)  # noqa: E731
    free = function.__name__ == 'ctc'
    return Kind(error, function, labels=labels, rows=True, any_length=free)


def _wrapped(loss: keras.losses.Loss) -> Kind:
    """Return the `Kind` of a loss object of Keras."""
    name = keras.utils.get_registered_name(type(loss))
    labels = _takes_labels(_snake_case(name))
    if loss.reduction == 'sum':  # of a whole batch
        return Kind(lambda t, y, z: Errors(loss)(t, y), loss, labels=labels, whole=True)
    ignored = loss.get_config().get('ignore_class')
    return Kind(
        lambda t, y, z: Errors(loss.call)(t, y),
        loss,
        labels=labels,
        rows=True,
        ignored=ignored,
        any_length=isinstance(loss, keras.losses.CTC),
    )


def _snake_case(name: str) -> str:
    return re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).lower()


def hidden(mask: Tensor | None, weights: Tensor | None, ndim: int) -> Tensor | None:
    """Return weights that are 0 where the mask, over the first axes, is False."""
    mask = ops.cast(mask, 'float32')
    for _ in range(len(mask.shape), ndim):
        mask = ops.expand_dims(mask, -1)
    return mask if weights is None else mask * weights


def average(errors: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return (Σwe/Σw, Σw) over all elements; (0, 0) where all weights are zero.

    Weights have the shape of the errors, or 1 instead of some axes.
    """
    if weights is None:
        total, mass = ops.sum(errors), ops.sum(ops.ones_like(errors))
    else:
        if weights.shape != errors.shape or None in errors.shape[1:]:  # perhaps 1 for an axis
            weights = weights * ops.ones_like(errors)
        total, mass = ops.sum(weights * errors), ops.sum(weights)
    return ops.divide_no_nan(total, mass), mass
