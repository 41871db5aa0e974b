"""``kerasnets forecast``: the values of a column of a CSV file after its last row."""

from __future__ import annotations

import csv
import importlib
import json
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
    _write(names, [[i + 1, *values] for i, values in enumerate(band.T.tolist())], output, as_json)
    if plot is not None:
        _draw(plot, series, band, target)


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
    parts = [Column.of(name, find_column(columns, name)).values(columns[name]) for name in known]
    whole = np.concatenate([np.zeros((rows, 0)), *parts], axis=1)
    if not known:
        whole = np.zeros((len(series) + steps, 0))
    return series, whole[: len(series) + steps]


def _write(names: Any, rows: Any, file: Any, as_json: Any) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(names, row))), file)
        return
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(names)
    writer.writerows([[f'{v:.6g}' if isinstance(v, float) else v for v in row] for row in rows])


def _draw(path: str, series: Any, band: Any, target: str) -> None:
    try:
        plots = importlib.import_module('kerasnets.plots')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a picture needs matplotlib ({error}). pip install 'kerasnets[plots]'."
        ) from None
    figure = plots.forecast(series[-4 * len(band.T) :], band[0], quantiles=band[1:])
    figure.axes[0].set(ylabel=target)
    figure.savefig(pathlib.Path(path))
