"""Pictures of networks, with matplotlib: ``pip install 'kerasnets[plots]'``.

Each function draws on ``axes`` where they are given, else on a figure of its own, and returns the
figure. Nothing is shown or written: ``figure.savefig('net.png')`` does that.

>>> net = kerasnets.Classifier([4, (6, 'tanh'), 3])
>>> training, validation = net.train([np.eye(4), [0, 1, 2, 0]], epochs=2)
>>> learning_curves(net).axes[0].get_xlabel()
'epoch'
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kerasnets.errors import ConfigurationError, DataError, pick
from kerasnets.graph.parameters import Parameter
from kerasnets.typing import Array, Data

__all__ = ['confusion', 'forecast', 'learning_curves', 'plot_weights', 'sequence']


class Shown(Figure):
    """A figure that a notebook shows, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format='png', dpi=80)
        return content.getvalue()


def learning_curves(net: Any, monitor: str = 'loss', axes: Any = None) -> Figure:
    """A monitor over the epochs, in training and in validation.

    Parameters
    ----------
    net : Network, or its history
    monitor : str
        'loss', 'err', 'acc' or another name in the history.
    axes : matplotlib axes, optional

    Raises
    ------
    ConfigurationError
        If there is no such monitor, or no training yet.
    """
    history = getattr(net, 'history', net)
    if not history:
        raise ConfigurationError('there is no history yet. Train the network first.')
    named = {name: name for row in history for name in row if not name.startswith('val_')}
    monitor = pick(named, monitor, 'the history has no monitor')
    axes = _axes(axes)
    for key, label in ((monitor, 'training'), (f'val_{monitor}', 'validation')):
        count = sum(key in row for row in history)
        if count:
            epochs = [row['epoch'] for row in history]
            values = [row.get(key, np.nan) for row in history]  # epochs without it are gaps
            if key.startswith('val_'):  # validation is not each epoch
                epochs, values = zip(*((e, v) for e, v in zip(epochs, values) if v == v))
            axes.plot(epochs, values, label=label, marker='.' if count < 30 else None)
    axes.set(xlabel='epoch', ylabel=monitor)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if monitor in ('loss', 'err') and all(row.get(monitor, 1) > 0 for row in history):
        axes.set_yscale('log')
    axes.legend()
    return axes.figure


def plot_weights(
    weights: Any, shape: tuple[int, ...] | None = None, columns: int | None = None, axes: Any = None
) -> Figure:
    """The weights into each unit as an image, blue below 0 and red above, side by side.

    Parameters
    ----------
    weights : Parameter or array (inputs, units)
        Such as ``net.find('hid1', 'w')``. Of more axes, the last is the units.
    shape : tuple of int, optional
        Of one image, (height, width). Default: a square if the inputs make one, else all weights
        are one image.
    columns : int, optional
        Images in a row. Default: as many as make a square.
    axes : matplotlib axes, optional

    Raises
    ------
    DataError
        If the inputs do not make images of that shape.
    """
    name = getattr(weights, 'name', 'weights')
    values = weights.get_value() if isinstance(weights, Parameter) else np.asarray(weights)
    if values.ndim < 2:
        values = values.reshape(-1, 1)
    values = values.reshape(-1, values.shape[-1])
    inputs, units = values.shape
    side = math.isqrt(inputs)
    if shape is None and side > 1 and side * side == inputs:
        shape = side, side
    if shape is not None and math.prod(shape) != inputs:
        raise DataError(f'expected a shape for {inputs} inputs, got {tuple(shape)}.')
    axes = _axes(axes)
    image = values if shape is None else _tiles(values, shape, columns)
    limit = np.nanmax(np.abs(image)) or 1.0
    drawn = axes.imshow(image, cmap='RdBu_r', vmin=-limit, vmax=limit, interpolation='nearest')
    axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
    axes.set_title(f'{name} ({inputs} × {units})')
    if shape is None:
        axes.set(xlabel='unit', ylabel='input')
    else:
        axes.set_axis_off()
    return axes.figure


def confusion(net: Any, x: Data, y: Data, names: Any = None, axes: Any = None) -> Figure:
    """Plot the confusion matrix: rows are true classes, columns are predicted classes.

    Parameters
    ----------
    net : feedforward.Classifier
    x, y : arrays
        As `score` takes them; steps of sequences count as examples.
    names : sequence of str, optional
        Of the classes.
    axes : matplotlib axes, optional
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    counts = net._steps_that_count(x)
    parts = [net.predict(x), y, *([] if counts is None else [counts])]
    found, wanted, *hidden = (np.concatenate(list(map(np.ravel, part))) for part in parts)
    if hidden:
        found, wanted = found[hidden[0]], wanted[hidden[0]]
    axes = _axes(axes)
    classes = range(net.model.output_shape[-1])
    ConfusionMatrixDisplay.from_predictions(
        wanted,
        found,
        labels=list(classes),
        display_labels=list(classes if names is None else names),
        ax=axes,
        colorbar=False,
    )
    return axes.figure


def sequence(target: Any, predicted: Any, axes: Any = None) -> Figure:
    """A sequence of values against what was predicted for it.

    Parameters
    ----------
    target, predicted : arrays (time,) or (time, values)
    axes : matplotlib axes, optional

    Raises
    ------
    DataError
        If their shapes differ.
    """
    target, predicted = (np.asarray(part).reshape(len(part), -1) for part in (target, predicted))
    if target.shape != predicted.shape:
        raise DataError(
            f'expected two sequences of the same shape, got {target.shape}, {predicted.shape}.'
        )
    axes = _axes(axes)
    for i, (want, got) in enumerate(zip(target.T, predicted.T)):
        color = f'C{i}'
        axes.plot(want, color=color, alpha=0.5, linewidth=3, label='' if i else 'target')
        axes.plot(got, color=color, linewidth=1, label='' if i else 'predicted')
    axes.set(xlabel='step', ylabel='value')
    axes.legend()
    return axes.figure


def forecast(
    past: Any,
    predicted: Any,
    quantiles: Any = None,
    actual: Any = None,
    levels: tuple[float, float] = (0.1, 0.9),
    axes: Any = None,
) -> Figure:
    """A series and its forecast, with a band between quantiles.

    Parameters
    ----------
    past : array (time,)
        The series up to the forecast.
    predicted : array (steps,) or (streams, steps)
        The forecast; of several streams the median is drawn, and the band between `levels`.
    quantiles : array (2, steps), optional
        The lower and the upper edge of the band.
    actual : array (steps,), optional
        What came.
    levels : tuple of float
        The quantiles of the streams that are drawn.
    axes : matplotlib axes, optional

    Raises
    ------
    DataError
        If the shapes do not fit.
    """
    past, predicted = np.asarray(past), np.asarray(predicted)
    if predicted.ndim == 2:
        quantiles = np.quantile(predicted, levels, axis=0) if quantiles is None else quantiles
        predicted = np.median(predicted, axis=0)
    if past.ndim != 1 or predicted.ndim != 1:
        raise DataError(
            f'expected series of one value, got {past.shape} and {predicted.shape}. Draw one '
            'column at a time.'
        )
    steps = np.arange(len(past), len(past) + len(predicted))
    axes = _axes(axes)
    axes.plot(past, color='C0', label='past')
    axes.plot(steps, predicted, color='C1', label='forecast')
    for name, others, rows in (('quantiles', quantiles, 2), ('actual', actual, None)):
        shape = (len(predicted),) if rows is None else (rows, len(predicted))
        if others is not None and np.shape(others) != shape:
            raise DataError(f'{name}: expected shape {shape}, got {np.shape(others)}.')
    if quantiles is not None:
        axes.fill_between(steps, *quantiles, color='C1', alpha=0.25, linewidth=0)
    if actual is not None:
        axes.plot(steps, actual, color='C0', linestyle=':', label='actual')
    axes.set(xlabel='step', ylabel='value')
    axes.legend()
    return axes.figure


def _tiles(values: Array, shape: tuple[int, ...], columns: int | None) -> Array:
    """Images (height, width) of each unit in a grid, with lines of NaN between."""
    units = values.shape[1]
    columns = columns or math.ceil(math.sqrt(units))
    rows = math.ceil(units / columns)
    height, width = shape
    grid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for unit, column in enumerate(values.T):
        top, left = unit // columns * (height + 1), unit % columns * (width + 1)
        grid[top : top + height, left : left + width] = column.reshape(shape)
    return grid


def _axes(axes: Any) -> Any:
    return Shown(figsize=(6, 4.5), layout='constrained').subplots() if axes is None else axes
