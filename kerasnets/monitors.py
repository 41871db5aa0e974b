"""Monitors: patterns of outputs and parameters, and metrics, by their names."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, check_object, suggest

if TYPE_CHECKING:
    from kerasnets.typing import Tensor

#: Names of the accuracy that fits the shapes of targets and outputs.
ACCURACY = ('accuracy', 'acc')


@dataclasses.dataclass(frozen=True)
class Monitor:
    """A quantity of every output and parameter that a pattern matches.

    Attributes
    ----------
    pattern : str
        Such as 'hid1:out' or '*.w'.
    label : str
        What follows the name of the output: '<0.1', or ':' and a word.
    function : callable
        Of a tensor; gives a scalar.
    """

    pattern: str
    label: str
    function: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Below:
    """The fraction of values that are below a level."""

    level: Any

    def __call__(self, values: Tensor) -> Tensor:
        """Return the fraction."""
        return ops.mean(ops.cast(values < self.level, 'float32'))


def build(setting: Any) -> Any:
    """Build monitors and Keras metrics from a user's dict or list.

    Parameters
    ----------
    setting : dict, list or None
        Patterns with their levels, as a dict or as pairs: numbers, of which the fraction of
        values below is watched, or (label, function) pairs, or a dict of them. In a list,
        Keras metrics too, or their names.

    Returns
    -------
    monitors : tuple of Monitor
    metrics : tuple of keras.metrics.Metric and str

    >>> [m.label for m in build({'hid1:out': (0.1, ('max', keras.ops.max))})[0]]
    ['<0.1', ':max']
    """
    monitors, metrics = [], []
    if setting is not None and not isinstance(setting, (Mapping, list, tuple)):
        example = "{'hid1:out': (0.1, 0.9)}"
        if isinstance(setting, (str, keras.metrics.Metric)):
            example = f'[{setting!r}]'
        raise ConfigurationError(
            f'expected monitors as a dict of patterns, or a list, got {setting!r}. '
            f'Write monitors={example}.'
        )
    for item in setting.items() if isinstance(setting, Mapping) else setting or ():
        if isinstance(item, (str, keras.metrics.Metric)):
            if item not in ACCURACY:
                metric(item)
            metrics.append(item)
        elif isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str):
            monitors += [Monitor(item[0], *level) for level in _levels(item[1])]
        else:
            check_object(item, 'a metric')
            raise ConfigurationError(
                f'expected a pattern with its levels, or a Keras metric, got {item!r}. '
                "Write monitors={'hid1:out': (0.1, 0.9)}."
            )
    return tuple(monitors), tuple(metrics)


def _is_pair(level: Any) -> bool:
    """Return True for a pair of a label and a function."""
    pair = isinstance(level, (tuple, list)) and len(level) == 2
    return pair and isinstance(level[0], str) and callable(level[1])


def _levels(levels: Any) -> Iterator[Any]:
    """Return (label, function) pairs."""
    if isinstance(levels, Mapping):
        levels = list(levels.items())
    if isinstance(levels, numbers.Real) or callable(levels) or _is_pair(levels):
        levels = [levels]
    for level in levels:
        if isinstance(level, numbers.Real) and not isinstance(level, bool):
            yield f'<{level}', Below(level)
        elif _is_pair(level):
            yield f':{level[0]}', level[1]
        elif callable(level):
            yield f':{level.__name__}', level
        else:
            raise ConfigurationError(
                f'expected a number or a (label, function) pair as a level, got {level!r}. '
                'Write for example 0.1.'
            )


#: Metrics that take any labels for rows without an error.
OF_ROWS = keras.metrics.CategoricalAccuracy


def metric(identifier: Any) -> keras.metrics.Metric:
    """Return a Keras metric from its name, or unchanged.

    Raises ConfigurationError for an unknown name.
    """
    if isinstance(identifier, keras.metrics.Metric):
        return identifier
    try:
        chosen = keras.metrics.get(identifier)
    except (ValueError, TypeError):
        raise ConfigurationError(
            f'unknown metric {identifier!r}.{suggest(identifier, dir(keras.metrics))} '
            'Pass a metric of keras.metrics, by name or as an object.'
        ) from None
    if isinstance(chosen, keras.metrics.Metric):
        return chosen
    return keras.metrics.MeanMetricWrapper(chosen, name=identifier)


def metric_of(identifier: Any, target: Tensor, output: Tensor) -> keras.metrics.Metric:
    """Return a Keras metric that compares these targets and outputs.

    As in Keras, 'accuracy' and 'acc' are the accuracy for the shapes of the two.

    Parameters
    ----------
    identifier : str or keras.metrics.Metric
    target, output : KerasTensor
        Targets are labels if they have one axis less.

    Raises
    ------
    ConfigurationError
        For an unknown name, or if the metric cannot compare tensors of these shapes.
    """
    chosen = _accuracy(identifier, target, output) if identifier in ACCURACY else metric(identifier)
    lengths = [_length_unlike(output.shape[1:], start) for start in (13, 29, 53)]
    zeros = [
        ops.zeros([n or lengths[min(i, 2)] for i, n in enumerate(t.shape)], t.dtype)
        for t in (target, output)
    ]
    try:
        with keras.StatelessScope():
            chosen.update_state(*zeros)
        if len(target.shape) < len(output.shape) and isinstance(chosen, OF_ROWS):
            raise ValueError('it takes the labels of a batch for one row')
    except Exception:
        remedy = 'Choose another metric.'
        if len(target.shape) < len(output.shape):
            remedy = (
                "Write 'accuracy' for labels, or one that begins with 'sparse_', such as "
                "'sparse_top_k_categorical_accuracy'."
            )
        raise ConfigurationError(
            f'the metric {chosen.name!r} cannot compare targets of shape {tuple(target.shape)} '
            f'with outputs of shape {tuple(output.shape)}. {remedy}'
        ) from None
    return chosen


def _accuracy(name: str, target: Tensor, output: Tensor) -> keras.metrics.Metric:
    if output.shape[-1] == 1:
        return keras.metrics.BinaryAccuracy(name=name)
    if len(target.shape) < len(output.shape):
        return keras.metrics.SparseCategoricalAccuracy(name=name)
    return keras.metrics.CategoricalAccuracy(name=name)


def _length_unlike(lengths: Any, start: int) -> int:
    """Return a length from `start` on that none of an output's axes has."""
    return next(n for n in range(start, start + len(lengths) + 1) if n not in lengths)


class Means(keras.metrics.Metric):
    """Weighted means of several scalars.

    It has one variable for all, since each update of a variable has a price.
    """

    def __init__(self, count: int) -> None:
        super().__init__(name='means')
        self.sums = self.add_variable((2, count), keras.initializers.Zeros(), name='sums')

    def update_state(self, values: Tensor, weights: Tensor) -> None:
        """Add a value and a weight for each mean: vectors."""
        self.sums.assign_add(ops.stack([values * weights, weights]))

    def result(self) -> Tensor:
        """Return the means as a vector; 0 where nothing was added."""
        return ops.divide_no_nan(*ops.unstack(self.sums.value))
