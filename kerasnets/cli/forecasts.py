"""``kerasnets forecast``: the values of a column of a CSV file after its last row."""

from __future__ import annotations

import importlib
import pathlib
from typing import Any

import click
import numpy as np

from kerasnets.cli import common
from kerasnets.errors import ConfigurationError, DataError

#: Quantiles that are written beside the forecast.
BAND = (0.1, 0.9)


@click.command()
@click.argument('data', type=common.INPUT)
@click.option('--target', required=True, help='The column to forecast, a row for each step.')
@click.option('--steps', type=click.IntRange(1), default=24, show_default=True)
@click.option('--known', multiple=True, help='A column that is known ahead; may be said again.')
@click.option('--season', type=click.IntRange(1), help='Steps in a season, such as 12.')
@click.option('-o', '--output', type=click.File('w'), default='-', help='Default: the terminal.')
@click.option('--plot', type=click.Path(dir_okay=False), help='A picture to draw, such as a.png.')
@click.option('--form', default='gru', show_default=True, help='Of the layers.')
@click.option('--layers', type=common.Layers(), default='32', show_default=True)
@click.option('--window', type=click.IntRange(1), help='Steps in a training sequence.')
@click.option('--epochs', default=100, show_default=True)
@click.option('--learning-rate', default=0.003, show_default=True)
@click.option('--rng', default=13, show_default=True, help='Seed of all that is drawn.')
@click.option('--json', 'as_json', is_flag=True, help='A line of JSON for each step.')
@common.reading
def forecast(
    data: Any,
    target: Any,
    steps: Any,
    known: Any,
    output: Any,
    plot: Any,
    form: Any,
    layers: Any,
    as_json: Any,
    separator: Any,
    encoding: Any,
    **options: Any,
) -> None:
    """Learn a column of DATA, a CSV file in the order of time, and write its next steps.

    Gives for each step the middle of many forecasts, and the band that holds four of five. Rows at
    the end of DATA without a value of the target are those to forecast: they hold the columns
    that are known ahead.
    """
    from kerasnets.data.columns import read

    if target in known:
        raise DataError(f'{target!r} is to be forecast, so it is not --known ahead. Leave it out.')
    plots = None if plot is None else _plots(plot)
    series, ahead = _read(read(data, separator, encoding), target, known, steps)
    common.import_keras()
    try:
        estimators = importlib.import_module('kerasnets.estimators')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"forecasts need scikit-learn ({error}). pip install 'kerasnets[sklearn]'."
        ) from None
    chosen = {**options, 'random_state': options['rng'], 'horizon': steps, 'loss': 'gll'}
    del chosen['rng']
    # bounded, so that no forecast grows without end
    model = estimators.SequenceForecaster([(size, form, 'tanh') for size in layers], **chosen)
    model.fit(ahead[: len(series)], series)
    band = model.predict_quantiles(ahead[len(series) :], (0.5, *BAND), rng=options['rng'])
    names = ['step', target, *(f'{target} {q:.0%}' for q in BAND)]
    rows = [[i + 1, *values] for i, values in enumerate(band.T.tolist())]
    common.write_rows(names, rows, output, as_json)
    if plots is not None:
        figure = plots.forecast(series[-4 * steps :], band[0], quantiles=band[1:])
        figure.axes[0].set(ylabel=target)
        figure.savefig(plot)


def _read(columns: Any, target: str, known: Any, steps: int) -> Any:
    """The series, and what is known of all its steps and those ahead: (rows, columns)."""
    from kerasnets.data.columns import Column, as_numbers, find_column

    texts = list(find_column(columns, target))
    rows = len(texts)
    while texts and not texts[-1]:
        texts.pop()
    if '' in texts:
        raise DataError(
            f'column {target!r}: expected a value in each row but the last ones, got none in row '
            f'{texts.index("") + 1}. Fill it in.'
        )
    series = as_numbers(texts)
    if series is None or not texts:
        raise DataError(f'column {target!r}: expected numbers, got {(texts or ["none"])[0]!r}.')
    if known and rows - len(texts) < steps:
        raise DataError(
            f'{", ".join(known)}: expected {steps} rows after the last value of {target!r}, with '
            f'what is known ahead, got {rows - len(texts)}. Add them, or ask for fewer --steps.'
        )
    if not known:
        return series, np.zeros((len(series) + steps, 0))
    parts = [Column.of(name, find_column(columns, name)).values(columns[name]) for name in known]
    return series, np.concatenate(parts, axis=1)[: len(series) + steps]


def _plots(path: str) -> Any:
    """The module of pictures, if it can draw to such a file."""
    try:
        plots = importlib.import_module('kerasnets.plots')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a picture needs matplotlib ({error}). pip install 'kerasnets[plots]'."
        ) from None
    known = plots.Figure().canvas.get_supported_filetypes()
    suffix = pathlib.Path(path).suffix.removeprefix('.')
    if suffix not in known or not pathlib.Path(path).parent.is_dir():
        raise ConfigurationError(
            f'--plot: expected a file in a folder that is there, ending in {", ".join(known)}, '
            f'got {path!r}.'
        )
    return plots
