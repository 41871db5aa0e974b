"""Pictures of networks, with matplotlib: ``pip install 'kerasnets[plots]'``.

Each function draws on ``axes`` where they are given, else on a figure of its own, and returns the
figure. Nothing is shown or written: ``figure.savefig('net.png')`` does that.

>>> net = kerasnets.Classifier([4, (6, 'tanh'), 3])
>>> training, validation = net.train([np.eye(4), [0, 1, 2, 0]], epochs=2)
>>> learning_curves(net).axes[0].get_xlabel()
'epoch'
"""

from __future__ import annotations

import html
import io
import math
import pathlib
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib import rcsetup
from matplotlib.figure import Figure

import kerasnets
from kerasnets.errors import ConfigurationError, DataError, pick
from kerasnets.files import atomic
from kerasnets.graph.parameters import Parameter
from kerasnets.typing import Array, Data, Path

__all__ = [
    'confusion',
    'forecast',
    'learning_curves',
    'plot_weights',
    'rate_curve',
    'report',
    'sequence',
]


class Shown(Figure):
    """A figure that a notebook shows, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format='png', dpi=80)
        return content.getvalue()


def learning_curves(net: Any, monitor: str = 'loss', axes: Any = None) -> Figure:
    """Plot a monitor over the epochs, in training and in validation.

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
            # epochs without it are gaps; but validation is not each epoch
            rows = [row for row in history if key in row or not key.startswith('val_')]
            values = [row.get(key, np.nan) for row in rows]
            axes.plot(
                [row['epoch'] for row in rows],
                values,
                label=label,
                marker='.' if count < 30 else None,
            )
    axes.set(xlabel='epoch', ylabel=monitor)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if monitor in ('loss', 'err') and all(row.get(monitor, 1) > 0 for row in history):
        axes.set_yscale('log')
    axes.legend()
    return axes.figure


def rate_curve(curve: Any, axes: Any = None) -> Figure:
    """Plot the losses of `Network.find_learning_rate` over the learning rates.

    Parameters
    ----------
    curve : RateCurve
    axes : matplotlib axes, optional
    """
    axes = _axes(axes)
    axes.plot(curve.rates, curve.losses)
    axes.axvline(curve.best, linestyle=':', color='C1', label=f'best: {curve.best:.3g}')
    axes.set(xlabel='learning rate', ylabel='loss', xscale='log')
    axes.legend()
    return axes.figure


def plot_weights(
    weights: Any, shape: tuple[int, ...] | None = None, columns: int | None = None, axes: Any = None
) -> Figure:
    """Plot the weights into each unit as images side by side, blue below 0 and red above.

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
        raise DataError(
            f'expected a shape for {inputs} inputs, got {tuple(shape)}. '
            f'Pass a shape whose product is {inputs}.'
        )
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
    """Plot a sequence of values and its predictions.

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
            f'expected two sequences of the same shape, got {target.shape}, {predicted.shape}. '
            'Cut both to the same steps.'
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
    dates: Any = None,
    axes: Any = None,
) -> Figure:
    """Plot a series and its forecast, with a band between quantiles.

    Parameters
    ----------
    past : array (time,)
        The series up to the forecast.
    predicted : array (steps,) or (streams, steps)
        The forecast; of several streams the median is drawn, and the band between `levels`.
    quantiles : array (2, steps), optional
        The lower and the upper edge of the band.
    actual : array (steps,), optional
        The values observed in the forecast period.
    levels : tuple of float
        The quantiles of the streams that are drawn.
    dates : array (time + steps,), optional
        The dates of the past and of the forecast.
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
            f'expected series of one value, got {past.shape} and {predicted.shape}. Pass one '
            'column at a time.'
        )
    whole = len(past) + len(predicted)
    places = np.arange(whole) if dates is None else np.asarray(dates)
    if len(places) != whole:
        raise DataError(
            f'dates: expected {whole}, of the past and the forecast, got {len(places)}. '
            'Pass one date for each step.'
        )
    steps = places[len(past) :]
    axes = _axes(axes)
    axes.plot(places[: len(past)], past, color='C0', label='past')
    axes.plot(steps, predicted, color='C1', label='forecast')
    for name, others, rows in (('quantiles', quantiles, 2), ('actual', actual, None)):
        shape = (len(predicted),) if rows is None else (rows, len(predicted))
        if others is not None and np.shape(others) != shape:
            raise DataError(
                f'{name}: expected shape {shape}, got {np.shape(others)}. '
                'Pass one value for each of the forecast.'
            )
    if quantiles is not None:
        axes.fill_between(steps, *quantiles, color='C1', alpha=0.25, linewidth=0)
    if actual is not None:
        axes.plot(steps, actual, color='C0', linestyle=':', label='actual')
    axes.set(xlabel='step' if dates is None else '', ylabel='value')
    axes.legend()
    return axes.figure


#: Inks of the pictures in a report -> what the page makes of them, in light and dark.
_INKS = {
    '#010101': 'currentColor',
    '#020202': 'var(--line)',
    '#030303': 'var(--first)',
    '#040404': 'var(--second)',
}

_STYLE = """
:root{--page:#fff;--ink:#1b1f24;--dim:#5b6570;--line:#d5dae0;--card:#f6f7f9;
--first:#2563a8;--second:#c2571a;--cell:37,99,168}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e9ed;--dim:#9aa5b1;
--line:#363d46;--card:#1d2127;--first:#7db2ea;--second:#f0a06a;--cell:125,178,234}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.4rem 0;max-width:45rem}.dim{color:var(--dim)}
.tiles,.pair{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr))}
.pair{grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:0 2rem}
.tiles div{background:var(--card);border-radius:.5rem;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.4rem;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
@media(max-width:40rem){.read tr:first-child{display:none}.read th,.read td{display:block;border:0;
padding:.1rem 0}.read tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
.read td::before{content:attr(data-key) ': ';color:var(--dim)}}
table.matrix{width:auto}.matrix td{text-align:right;background:rgba(var(--cell),var(--v,0))}
svg{width:100%;height:auto;display:block}svg text{font-family:inherit!important}
.bars{display:grid;grid-template-columns:minmax(5rem,auto) 1fr 4rem;gap:.3rem .6rem;
align-items:center;font-size:.9rem}.bars span{overflow-wrap:anywhere}
.bars i{display:block;height:.9rem;
border-radius:.2rem;background:var(--first)}.bars em{font-style:normal;text-align:right}
li{margin:.2rem 0}
"""


def report(
    net: Any, data: Any, target: Data = None, path: Path | None = None, repeats: int = 5
) -> str:
    """Return an HTML page about a network and how well it predicts.

    The page shows how columns were read, the learning curve, the confusion matrix or residuals,
    the calibration, and the permutation importance: the loss of score where the values of one
    column are shuffled. It needs no other file.

    Parameters
    ----------
    net : feedforward.Classifier or feedforward.Regressor
        An estimator's is its ``net_``.
    data : data frame, or array (examples, variables)
        Rows that the network was not trained on; a data frame for a network with ``net.table``.
    target : array (examples,) or (examples, 1), optional
        Labels or values, as `score` takes them. Default: the target's column in `data`.
    path : str or path, optional
        The file to write, in UTF-8.
    repeats : int
        Shuffles of each column.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If there are no targets, or a network has several outputs of values.

    >>> net = kerasnets.Classifier([4, 3])
    >>> training, validation = net.train([np.eye(4), [0, 1, 2, 0]], epochs=2)
    >>> report(net, np.eye(4), [0, 1, 2, 0])[:15]
    '<!doctype html>'
    """
    columns = net.table
    if columns is not None:
        table = columns.table(data)
        x = columns.inputs(table)
        blocks = {c.name: c.width for c in columns.columns}
        target = columns.targets(table) if target is None else target
        read = columns.report(table)
        name, notes = columns.target.name, [*table.notes, *columns.notes]
    else:
        x, read, name, notes = np.asarray(data, 'f'), {}, 'the target', []
        blocks = {f'input {i}': 1 for i in range(x.shape[1])}
    if target is None:
        raise DataError('expected targets to compare predictions with, got None. Pass target.')
    y = np.asarray(target)
    classes = hasattr(net, 'predict_proba')
    if not classes and (y := y.reshape(len(y), -1)).shape[1] > 1:
        raise DataError(f'expected one value for each row, got {y.shape[1]}. Pass one at a time.')
    score = net.score(x, y)
    tiles = {'accuracy' if classes else 'R²': f'{score:.4g}'}
    if classes:
        words = columns.target.words if columns is not None else getattr(net, 'class_names', None)
        words = list(words or range(net.model.output_shape[-1]))
        often = np.bincount(y).max() / len(y)
        tiles['the most frequent class'] = f'{often:.4g}'
        p = net.predict_proba(x)
        detail = [_matrix(y, p.argmax(-1), words), _picture(_reliability, y, p)]
        titles = 'Confusion', 'Calibration'
        says = (
            'Rows are true classes, columns are predicted classes.',
            'The share of right predictions among those of one probability. On the line, a '
            'probability can be taken at its word.',
        )
    else:
        found, wanted = net.predict(x)[:, 0], y[:, 0]
        if columns is not None:
            scale = columns.target.scale, columns.target.center
            found, wanted = (part * scale[0] + scale[1] for part in (found, wanted))
        tiles['mean absolute error'] = f'{np.abs(found - wanted).mean():.4g}'
        guess = np.abs(wanted - np.median(wanted)).mean()
        tiles['that of the median'] = f'{guess:.4g}'
        detail = [_picture(_residuals, wanted, found), _picture(_deciles, wanted, found)]
        titles = 'Residuals', 'Calibration'
        says = (
            'True value less prediction, over the prediction.',
            'The mean of the true values among predictions of one size. On the line, predictions '
            'are right on average.',
        )
    tiles |= {'rows': f'{len(y):,}', 'parameters': f'{net.num_params:,}'}
    tiles['epochs'] = f'{len(net.history):,}'
    drops = _importance(net, x, y, blocks, score, repeats)
    parts = ['<div class="pair">']
    if net.history:
        curve = _picture(learning_curves, net)
        parts.append(_section('Learning curve', 'The loss after each epoch.', curve))
    parts += [_section(*one) for one in zip(titles, says, detail)]
    says_drop = (
        f'The {"accuracy" if classes else "R²"} that is lost where the values of a column are '
        f'shuffled, the mean of {repeats} times.'
    )
    parts.append(_section('Permutation importance', says_drop, _bars(drops)) + '</div>')
    if read:
        parts.append(
            _section('Columns', 'How each was read, and what it becomes.', _readings(read))
        )
    lines = [row['note'] for row in read.values() if row['note']] + notes
    if lines:
        items = ''.join(f'<li>{html.escape(str(line))}</li>' for line in lines)
        parts.append(_section('Notes', '', f'<ul>{items}</ul>'))
    shown = ''.join(f'<div>{k}<b>{html.escape(v)}</b></div>' for k, v in tiles.items())
    title = html.escape(f'Predictions of {name}')
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title>'
        f'<style>{_STYLE}</style></head><body><main><h1>{title}</h1>'
        f'<p class="dim">A {type(net).__name__} of {len(net.specs)} layers, scored on '
        f'{len(y):,} rows. kerasnets {kerasnets.__version__}</p>'
        f'<div class="tiles">{shown}</div>{"".join(parts)}</main></body></html>\n'
    )
    if path is not None:
        with atomic.replacing(pathlib.Path(path)) as part:
            part.write_text(page, encoding='utf-8')
    return page


def _section(title: str, says: str, content: str) -> str:
    return f'<section><h2>{title}</h2><p class="dim">{says}</p>{content}</section>'


def _picture(draw: Callable[..., Any], *values: Any) -> str:
    """Return a drawing as SVG in the colours of the page."""
    ink, line, first, second = _INKS
    settings = {
        'svg.fonttype': 'none',
        'svg.hashsalt': draw.__name__,
        'text.color': ink,
        'axes.labelcolor': ink,
        'axes.edgecolor': line,
        'xtick.color': ink,
        'ytick.color': ink,
        'axes.prop_cycle': rcsetup.cycler(color=[first, second]),
        'axes.spines.top': False,
        'axes.spines.right': False,
        'legend.frameon': False,
        'font.size': 11,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(5.2, 3.6), layout='constrained')
        draw(*values, axes=figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format='svg', transparent=True, metadata={'Date': None})
    svg = file.getvalue()
    svg = svg[svg.index('<svg') :]
    for name, value in _INKS.items():
        svg = svg.replace(name, value)
    label = draw.__name__.strip('_').replace('_', ' ')
    return svg.replace('<svg', f'<svg role="img" aria-label="{label}"', 1)


def _reliability(y: Array, p: Array, axes: Any) -> None:
    """Plot the fraction of correct predictions against their predicted probability."""
    sure, right = p.max(-1), p.argmax(-1) == y
    if p.shape[1] == 2:  # of the second class
        sure, right = p[:, 1], y == 1
    _line_of_means(sure, right.astype('d'), np.linspace(0, 1, 11), axes)
    low = 0 if p.shape[1] == 2 else 1 / p.shape[1]
    axes.plot([low, 1], [low, 1], color='#020202', zorder=0)
    axes.set(xlabel='predicted probability', ylabel='share observed', ylim=(-0.03, 1.03))


def _deciles(wanted: Array, found: Array, axes: Any) -> None:
    """Draw the mean true value over the prediction."""
    edges = np.unique(np.quantile(found, np.linspace(0, 1, 11)))
    _line_of_means(found, wanted, edges, axes)
    ends = [found.min(), found.max()]
    axes.plot(ends, ends, color='#020202', zorder=0)
    axes.set(xlabel='predicted', ylabel='mean true value')


def _line_of_means(x: Array, y: Array, edges: Array, axes: Any) -> None:
    """Draw the means of y over those of x between edges."""
    places = np.clip(np.searchsorted(edges, x, 'right') - 1, 0, max(len(edges) - 2, 0))
    counts = np.bincount(places)
    some = counts > 0
    means = [np.bincount(places, part)[some] / counts[some] for part in (x, y)]
    axes.plot(*means, marker='o')


def _residuals(wanted: Array, found: Array, axes: Any) -> None:
    """Draw true values less predictions."""
    some = np.random.default_rng(0).permutation(len(found))[:1000]
    axes.scatter(found[some], (wanted - found)[some], s=12, alpha=0.5, linewidths=0)
    axes.axhline(0, color='#020202', zorder=0)
    axes.set(xlabel='predicted', ylabel='true value less prediction')


def _matrix(y: Array, found: Array, words: list[Any]) -> str:
    """Return the confusion matrix as a table: only the most frequent classes, if there are many."""
    order = np.argsort(-np.bincount(y, minlength=len(words)), kind='stable')[:12]
    order = np.sort(order)
    names = [html.escape(str(words[i])) for i in order]
    rows = []
    for i, name in zip(order, names):
        counts = [int(((y == i) & (found == j)).sum()) for j in order]
        total = max(1, int((y == i).sum()))
        cells = ''.join(f'<td style="--v:{0.5 * n / total:.2f}">{n:,}</td>' for n in counts)
        rows.append(f'<tr><th>{name}</th>{cells}</tr>')
    left = f'<p class="dim">The 12 most frequent of {len(words)} classes.</p>'
    head = ''.join(f'<th class="n">{name}</th>' for name in names)
    return (
        f'<div class="scroll"><table class="matrix"><tr><td></td>{head}</tr>{"".join(rows)}'
        f'</table></div>{left if len(words) > 12 else ""}'
    )


def _importance(
    net: Any, x: Array, y: Array, blocks: dict[str, int], score: float, repeats: int
) -> dict[str, float]:
    """Plot the score lost when a column is shuffled, the largest first."""
    rng = np.random.default_rng(0)
    some = rng.permutation(len(x))[:2000]
    x, y = x[some], y[some]
    score, drops, at = net.score(x, y), {}, 0
    for name, width in blocks.items():
        lost = []
        for _ in range(repeats):
            other = x.copy()
            other[:, at : at + width] = x[rng.permutation(len(x)), at : at + width]
            lost.append(score - net.score(other, y))
        drops[name], at = float(np.mean(lost)), at + width
    return dict(sorted(drops.items(), key=lambda one: -one[1]))


def _bars(drops: dict[str, float]) -> str:
    """Plot bars of the largest values."""
    most = max([*drops.values(), 1e-12])
    rows = [
        f'<span>{html.escape(name)}</span><div><i style="width:{100 * max(0, drop) / most:.1f}%">'
        f'</i></div><em>{round(drop, 3) + 0.0:.3f}</em>'
        for name, drop in list(drops.items())[:20]
    ]
    left = f'<p class="dim">The first 20 of {len(drops)} columns.</p>' if len(drops) > 20 else ''
    return f'<div class="bars">{"".join(rows)}</div>{left}'


def _readings(read: dict[str, dict[str, Any]]) -> str:
    """Return a table that says how each column was read."""
    keys = 'read as', 'missing', 'example', 'becomes'
    head = ''.join(f'<th>{key}</th>' for key in keys)
    rows = ''.join(
        f'<tr><th>{html.escape(name)}</th>'
        + ''.join(f'<td data-key="{k}">{html.escape(str(row[k]))}</td>' for k in keys)
        + '</tr>'
        for name, row in read.items()
    )
    table = f'<table class="read"><tr><th>column</th>{head}</tr>{rows}</table>'
    return f'<div class="scroll">{table}</div>'


def _tiles(values: Array, shape: tuple[int, ...], columns: int | None) -> Array:
    """Return images (height, width) of each unit in a grid, with lines of NaN between."""
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
