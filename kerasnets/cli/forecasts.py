"""``kerasnets forecast``: the values of a column of a CSV file after its last row."""

from __future__ import annotations

import importlib
import pathlib
import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from kerasnets.cli import common
from kerasnets.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from kerasnets.data.notation import Options
    from kerasnets.data.tables import Table

#: Quantiles that are written next to the forecast, and steps where the file does not tell them.
BAND, STEPS = (0.1, 0.9), 24

#: Groups that are drawn, at most.
DRAWN = 12


class _Season(click.ParamType):  # type: ignore[type-arg]
    """A number of steps, 'auto' or 'none'."""

    name = 'steps'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return an int, 'auto' or None."""
        if value in ('auto', 'none', None):
            return value if value == 'auto' else None
        if not str(value).isdigit() or int(value) < 1:
            self.fail(f"expected a number of steps, 'auto' or 'none', got {value!r}.")
        return int(value)


@click.command(cls=common.Command)
@click.argument('data', type=common.INPUT)
@click.option('--target', required=True, help='The column to forecast. Each row is a step.')
@click.option(
    '--steps',
    type=common.FROM_1,
    help=f'Number of steps to forecast. Default: the rows without a target at the end, or {STEPS}.',
)
@click.option('--date', help='Column of dates. Default: the only one that holds dates.')
@click.option('--group', help='Column that names the series of each row. Default: one series.')
@click.option(
    '--known',
    multiple=True,
    help='Column whose values after the last target are known, in rows at the end. Repeatable. '
    'Default: none.',
)
@click.option(
    '--season',
    type=_Season(),
    default='auto',
    show_default=True,
    help='Number of steps of a season, such as 12, or none. auto finds it.',
)
@click.option(
    '--lower',
    type=common.AnyNumber(),
    help='Lower limit of the forecasts. Default: 0 if no value is below 0, else none.',
)
@click.option('--strict', is_flag=True, help='Refuse gaps and duplicates. Default: fill them in.')
@click.option(
    '-o',
    '--output',
    type=common.OutputFile(stream=True),
    default='-',
    help='Write the forecast to this file. Default: standard output.',
)
@click.option(
    '--plot',
    type=common.OutputFile(),
    help='Draw the forecast to this file, such as a.png. Default: none.',
)
@click.option(
    '--backtest',
    is_flag=True,
    help='Print the errors of forecasts of the last known steps instead of a forecast.',
)
@click.option(
    '--folds',
    type=common.FROM_1,
    default=5,
    show_default=True,
    help='Number of forecasts of --backtest, each from an earlier step.',
)
@click.option(
    '--layers',
    type=common.Layers(),
    help='Sizes of the hidden layers of a recurrent network, separated by commas. '
    'Default: an ensemble of simple methods and networks.',
)
@common.form_of('gru')
@click.option(
    '--window',
    type=common.FROM_1,
    help='Number of steps that a network reads. Default: chosen by the season.',
)
@click.option(
    '--epochs',
    type=common.FROM_1,
    default=30,
    show_default=True,
    help='Maximum number of epochs of a network.',
)
@click.option(
    '--learning-rate',
    type=common.Number(0, min_open=True),
    default=0.015,
    show_default=True,
    help='Learning rate of a network.',
)
@common.RNG
@click.option('--json', 'as_json', is_flag=True, help='Print a line of JSON for each step.')
@common.reading_options
def forecast(
    data: str,
    target: str,
    steps: int | None,
    date: str | None,
    group: str | None,
    known: tuple[str, ...],
    season: Any,
    lower: float | None,
    strict: bool,
    output: Any,
    plot: str | None,
    backtest: bool,
    folds: int,
    layers: list[int] | None,
    form: str,
    window: int | None,
    epochs: int,
    learning_rate: float,
    rng: int,
    as_json: bool,
    reading: Options,
) -> None:
    """Learn a column of DATA, a CSV file, and write its next steps.

    Rows are sorted by the column of dates; without one, they are in the order of time. Each step
    gets the forecast, and the band that holds four of five values. Rows at the end without a value
    of the target are those to forecast: they hold the columns that are known ahead.
    """
    from kerasnets.data.tables import read

    if backtest and plot:
        raise click.UsageError('--backtest makes no forecast to draw. Leave out --plot.')
    common.check_needs('--layers', layers is not None, 'form', 'window')
    plots = None if plot is None else _plots(plot)
    frame = _frame(read(data, reading), target, group, known)
    common.import_keras()
    try:
        estimators = importlib.import_module('kerasnets.estimators')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"forecasts need scikit-learn ({error}). Install it: pip install 'kerasnets[sklearn]'."
        ) from None
    model = estimators.SequenceForecaster(
        None if layers is None else [_entry(size, form) for size in layers],
        horizon=steps or STEPS,
        window=window,
        season=season,
        date=date,
        group=group,
        target=target,
        known=list(known),
        missing='error' if strict else 'interpolate',
        lower='auto' if lower is None else lower,
        epochs=epochs,
        learning_rate=learning_rate,
        random_state=rng,
        verbose='auto',
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always', UserWarning)
        try:
            table = model.backtest(frame, folds=folds) if backtest else None
            if not backtest:
                model.fit(frame)
        except DataError as error:  # in words of the shell
            text = re.sub(r"\b(group|date)='(.*?)'", r'--\1 \2', str(error))
            text = text.replace('group=', '--group')
            text = text.replace("or say missing='interpolate'", 'or leave out --strict')
            raise DataError(
                text.replace('Give a smaller horizon', 'Ask for fewer --steps')
            ) from None
    for message in dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning):
        common.say(message)
    if table is not None:
        if table['trained to'].dtype.kind not in 'iuf':
            table['trained to'] = _days(table['trained to'])
        with common.writing(output) as file:
            common.write_rows(list(table), table.to_numpy(object).tolist(), file, as_json)
        return
    _check_known(model, target, known, steps)
    if not as_json:
        _tell(model.report_)
    predicted = model.predict(steps)
    low, high = model.predict_quantiles(steps, BAND)
    names = [*predicted, *(f'{target} {q:.0%}' for q in BAND)]
    columns = [predicted[name].tolist() for name in predicted] + [low.tolist(), high.tolist()]
    if names[0] in (target, group):  # no dates
        counts = predicted.groupby(group, sort=False).cumcount() if group else range(len(predicted))
        names, columns = ['step', *names], [[int(i) + 1 for i in counts], *columns]
    else:
        columns[0] = _days(columns[0])
    with common.writing(output) as file:
        common.write_rows(names, [list(row) for row in zip(*columns)], file, as_json)
    if plots is not None:
        _draw(plots, model, predicted, low, high, target).savefig(plot)


def _entry(size: int, form: str) -> tuple[Any, ...]:
    return (size, form) if form == 'attention' else (size, form, 'tanh')


def _frame(table: Table, target: str, group: str | None, known: tuple[str, ...]) -> pd.DataFrame:
    """Return the table with the lines of the file as index."""
    import pandas as pd

    from kerasnets.data.tables import find_column
    from kerasnets.forecasting.dates import with_offset

    for name in filter(None, (target, group, *known)):
        find_column(table.frame, name)
    reading = table.readings[target]
    if reading.kind != 'number' or not table.frame[target].notna().any():
        why = reading.doubt or f'got {reading.example!r}'
        raise DataError(f'column {target!r}: expected numbers, {why}. Fix that value.')
    if reading.doubt:
        common.say(f'column {target!r}: {reading.doubt}')
    frame = table.frame
    if table.source is not None:
        lines, rows = zip(*table.source.records())
        frame = frame.set_axis(list(lines), axis=0)
        frame.index.name = 'line'
        for place, (name, reading) in enumerate(table.readings.items()):
            if reading.kind == 'date':  # the table has them in UTC
                dates = with_offset(pd.Series([row[place] for row in rows], frame.index))
                frame = frame if dates is None else frame.assign(**{name: dates})
    return frame


def _days(dates: Iterable[Any]) -> list[str]:
    """Return dates as texts, without the time where all are midnights."""
    texts = [str(date) for date in dates]
    midnight = ' 00:00:00'
    return [t.removesuffix(midnight) for t in texts] if all(midnight in t for t in texts) else texts


def _check_known(model: Any, target: str, known: tuple[str, ...], steps: int | None) -> None:
    """Refuse a forecast of more steps than there are rows with the known columns."""
    rows = min(one.ahead for one in model.series_)
    want = steps or max(rows, 1)
    if known and rows < want:
        raise DataError(
            f'{", ".join(known)}: expected {want} rows after the last value of {target!r}, with '
            f'what is known ahead, got {rows}. Add them, or ask for fewer --steps.'
        )


def _tell(report: pd.DataFrame) -> None:
    """Print the methods that make the forecast, and their errors in the back test."""
    chosen = report[report['weight'] > 0]
    if 'series' in chosen and chosen['series'].nunique() > 1:
        chosen = (
            chosen.groupby('method', sort=False)[['relative', 'weight']]
            .agg({'relative': 'mean', 'weight': 'sum'})
            .reset_index()
        )
        chosen['weight'] /= chosen['weight'].sum()
    shown = Shown(title='Methods of the forecast')
    for name in ('method', 'season', 'error, naive = 1', 'weight'):
        shown.add_column(name, justify='left' if name == 'method' else 'right')
    for _, row in chosen.sort_values('weight', ascending=False).iterrows():
        relative = '' if np.isnan(row['relative']) else f'{row["relative"]:.2f}'
        log = ' of logarithms' if row.get('logarithms') else ''
        season = row.get('season', 1)
        shown.add_row(
            f'{row["method"]}{log}',
            str(season) if season > 1 else '',
            relative,
            f'{row["weight"]:.2f}',
        )
    Console(stderr=True).print(shown)


def _draw(plots: Any, model: Any, predicted: Any, low: Any, high: Any, target: str) -> Any:
    """Return a figure of each series, its forecast and the band."""
    parts = model.series_[:DRAWN]
    figure = plots.Figure(figsize=(8, 1.2 + 2.6 * len(parts)), layout='constrained')
    axes = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for one, ax in zip(parts, axes):
        rows = np.arange(len(predicted))
        if one.group is not None:
            rows = np.flatnonzero(predicted[model.group].to_numpy() == one.group)
        steps = len(rows)
        seen = min(len(one.values), max(4 * steps, 40))
        dates = one.dates(steps, before=seen)
        dates = dates.to_timestamp() if hasattr(dates, 'to_timestamp') else dates
        plots.forecast(
            one.values[-seen:, 0],
            predicted[target].to_numpy()[rows],
            quantiles=[low[rows], high[rows]],
            dates=dates,
            axes=ax,
        )
        ax.set(ylabel=target, title='' if one.group is None else str(one.group))
    return figure


def _plots(path: str) -> Any:
    """Return the module of pictures, if it can draw to such a file."""
    try:
        plots = importlib.import_module('kerasnets.plots')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a picture needs matplotlib ({error}). Install it: pip install 'kerasnets[plots]'."
        ) from None
    known = plots.Figure().canvas.get_supported_filetypes()
    suffix = pathlib.Path(path).suffix.removeprefix('.')
    if suffix not in known:
        raise ConfigurationError(
            f'--plot: expected a file ending in {", ".join(known)}, got {path!r}. Change the path.'
        )
    return plots
