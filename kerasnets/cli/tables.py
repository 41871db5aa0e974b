"""``kerasnets train`` and ``kerasnets predict``: predict a column of a CSV file."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

import click
import numpy as np

import kerasnets
from kerasnets import terminal
from kerasnets.cli import common
from kerasnets.errors import DataError

if TYPE_CHECKING:
    from kerasnets.data.columns import Columns
    from kerasnets.data.notation import Options
    from kerasnets.data.tables import Table
    from kerasnets.typing import Array

#: Rows that are predicted at once.
BLOCK = 2**15

#: Keyword of training -> how an ensemble chooses its default, and the default of one network.
CHOSEN: dict[str, tuple[str, Any]] = {
    'algo': ('adamw with weight decay', 'adam'),
    'learning_rate': ('a schedule that rises and falls to 0', 0.003),
    'epochs': ('by the number of rows', 200),
    'batch_size': ('by the number of rows', 32),
    'patience': ('by the number of rows', 5),
    'hidden_dropout': ('0.1, for 20,000 rows or more 0', 0),
}


@click.command(cls=common.Command)
@click.argument('data', type=common.INPUT)
@click.option('--target', required=True, help='The column to predict.')
@click.option('--drop', multiple=True, help='Leave out this column. Repeatable. Default: none.')
@click.option(
    '--classes/--regress',
    default=None,
    help='Predict classes or numbers. Default: classes for words and up to 10 different whole '
    'numbers.',
)
@common.hidden_layers(
    None,
    'Trains one network. Default: an ensemble of networks of 64,64 (100 for fewer than 500 rows).',
)
@click.option(
    '--ensemble',
    type=common.FROM_1,
    help='Number of networks that are trained side by side and averaged. '
    'Default: 4, for 20,000 rows or more 2, and 1 with --layers.',
)
@click.option(
    '--held-out',
    type=common.Number(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help='Fraction of the rows for the score at the end. Without an ensemble it also validates.',
)
@click.option(
    '--strict', is_flag=True, help='Refuse rows without a target. Default: leave them out.'
)
@click.option(
    '--report',
    type=common.OutputFile('.html'),
    help='Write a page about the model to this file, ending in .html. Default: none.',
)
@click.option('--dry-run', is_flag=True, help='Print how each column is read, without training.')
@common.reading_options
@common.training(
    {name: f'{how}; {one} with --layers.' for name, (how, one) in CHOSEN.items()}, output=False
)
def train(
    data: str,
    target: str,
    drop: tuple[str, ...],
    classes: bool | None,
    layers: list[int] | None,
    ensemble: int | None,
    held_out: float,
    strict: bool,
    report: str | None,
    dry_run: bool,
    reading: Options,
    **options: Any,
) -> None:
    """Learn to predict a column of DATA, a CSV file with a line of names, from the others.

    DATA may be - for standard input. Numbers, dates and times are scaled, words are one-hot
    encoded; a column that cannot help, of one value or of identifiers, is left out. A target of
    words makes a classifier, one of numbers a regressor. All of it is stored in the model file for
    `kerasnets predict`.

    By default an ensemble of small networks is trained as `NetClassifier()` and `NetRegressor()`
    of kerasnets.estimators do: each network leaves out one fold of the rows, and these choose the
    epoch. The score at the end is of rows that no network saw.
    """
    if not dry_run and options['output'] is None:
        raise click.MissingParameter(param_hint="'-o' / '--output'", param_type='option')
    if layers is None and options['algo'] in ('layerwise', 'pretrain', 'sample'):
        raise click.UsageError(f'--algorithm {options["algo"]} needs --layers. Add --layers.')
    draw = None if report is None or dry_run else common.report_writer(report)
    whole = _read(data, target, classes, reading)
    table = _complete(whole, target, strict)
    from kerasnets.data.columns import Columns

    keep = tuple(name for name, kind in reading.kinds.items() if kind != 'drop')
    columns = Columns.of(table, target, drop, classes, keep)
    _show(table, columns, options['as_json'], dry_run)
    if dry_run:
        return
    common.import_keras()
    rows = np.random.default_rng(options['rng']).permutation(len(table))
    held, kept = np.split(rows, [min(round(held_out * len(rows)), len(rows) - 1)])
    x, y = columns.inputs(table), columns.targets(table)
    valid = [x[held], y[held]] if len(held) else None
    if layers and ensemble in (None, 1):
        net, found = _one(layers, columns, [x[kept], y[kept]], valid, options)
    else:
        net, found = _ensemble(layers, ensemble, columns, x[kept], y[kept], options)
    beaten = True
    if valid is not None:
        score, guess, what = _beside_guess(net, valid, y[kept], columns)
        found['held out: score'] = round(score, 4)
        found['held out: trivial guess'] = round(guess, 4)
        beaten = score > guess
    common.tell(found, options['as_json'])
    if valid is None:
        common.say('No rows are held out, so there is no score.')
    else:
        name = 'accuracy' if _of_classes(columns) else 'R²'
        common.say(
            f'On the {len(held):,} rows held out the {name} is {score:.4f}; '
            f'that of a trivial guess, {what}, is {guess:.4f}.'
        )
    if not beaten:
        common.say(
            f'Warning: the model does not beat the trivial guess ({what}) on the rows held out. '
            'Other columns, more rows, or another --learning-rate or --layers may help.'
        )
    if draw is not None:
        shown = table.take(held) if len(held) else table
        which = 'that were held out' if len(held) else 'of training, as none was held out'
        shown.notes = [*table.notes, f'scores are of the {len(shown):,} rows {which}']
        draw(net, shown)


def _one(
    layers: list[int], columns: Columns, data: list[Array], valid: Any, options: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Train one network and save it; return it and the results."""
    hidden = [(size, options['activation'] or 'relu') for size in layers]
    net = _class(columns)([columns.sizes[0], *hidden, columns.sizes[1]], rng=options['rng'])
    net.table = columns
    usual = {name: one for name, (_, one) in CHOSEN.items() if options[name] is None}
    options = {**options, **usual}
    rate = options['learning_rate']
    return net, common.fit(net, data, valid, options, learning_rate=rate)


def _ensemble(
    layers: list[int] | None,
    members: int | None,
    columns: Columns,
    x: Array,
    y: Array,
    options: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Train the default networks of the estimators and save them; return them and the results."""
    from kerasnets.estimators import defaults

    chosen = {
        'members': members,
        'hidden': tuple(layers) if layers else None,
        'activation': options['activation'] or ('relu' if layers else None),
        'dropout': options['hidden_dropout'],
        **{name: options[name] for name in ('epochs', 'batch_size', 'patience')},
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    plan = defaults.Plan.of(x, **chosen)
    net = defaults.network(_class(columns), x, columns.sizes[1], plan, rng=options['rng'])
    net.table = columns
    parts = defaults.data(net, x, y, plan)
    common.say(plan.about(len(x)))
    settings = defaults.settings(plan, options['algo'])
    if options['learning_rate'] is not None:
        settings['learning_rate'] = options['learning_rate']
    options = {**options, 'hidden_dropout': None}
    found = common.fit(net, *parts, options, valid_name='left out', **settings)
    return net, {'networks': plan.members, **found}


def _of_classes(columns: Columns) -> bool:
    return columns.target is not None and columns.target.words is not None


def _class(columns: Columns) -> Any:
    return kerasnets.Classifier if _of_classes(columns) else kerasnets.Regressor


def _beside_guess(net: Any, valid: list[Array], y: Array, columns: Columns) -> tuple[Any, Any, str]:
    """Return the score of the network, that of the best constant, and the constant."""
    score = net.score(*valid)
    if _of_classes(columns):
        often = int(np.bincount(y).argmax())
        word = columns.readable(np.array([often]))[0]
        return score, float((valid[1] == often).mean()), f'always {word!r}'
    total = np.square(valid[1] - valid[1].mean()).sum()
    missed = np.square(valid[1] - y.mean()).sum()
    return score, float(1 - missed / total) if total else 0.0, 'the mean of the training rows'


def _read(data: str, target: str, classes: bool | None, reading: Options) -> Table:
    """Return the table, with the target read as the requested type."""
    from kerasnets.data.tables import find_column, read

    if classes and target not in reading.kinds:
        reading = dataclasses.replace(reading, kinds={**reading.kinds, target: 'word'})
    table = read(data, reading)
    find_column(table.frame, target)
    mostly = table.readings[target].kind == 'word' and 'are numbers' in table.readings[target].doubt
    if classes is False and mostly:
        kinds = {**reading.kinds, target: 'number'}
        table = read(data, dataclasses.replace(reading, kinds=kinds))
    return table


def _complete(table: Table, target: str, strict: bool) -> Table:
    """Return the rows that hold the target."""
    lacking = table.frame[target].isna().to_numpy()
    if not lacking.any() or lacking.all():
        return table
    place = table.where(int(np.argmax(lacking)))
    what = f'{lacking.sum():,} of {len(table):,} rows have no {target!r}, such as {place}'
    if strict:
        raise DataError(f'{what}. Fix those rows, or leave out --strict to train without them.')
    kept = table.take(np.flatnonzero(~lacking))
    kept.notes = [*table.notes, f'{what}, and are left out; --strict refuses them']
    return kept


def _show(table: Table, columns: Columns, as_json: bool, dry_run: bool) -> None:
    """Print how each column is read, to standard output if nothing else goes there."""
    rows = columns.report(table)
    console = terminal.console(stderr=not dry_run or as_json)
    if as_json and dry_run:
        click.echo(json.dumps(rows))
    else:
        names = [key for key in next(iter(rows.values())) if key != 'note']
        cells = [map(_cell, (name, *(row[key] for key in names))) for name, row in rows.items()]
        console.print(terminal.grid(['column', *names], cells))
    for note in [*(row['note'] for row in rows.values()), *table.notes, *columns.notes]:
        if note:
            terminal.line(_cell(f'Note: {note}.'), console)


def _cell(value: Any) -> str:
    return f'{value:,}' if isinstance(value, int) else ' '.join(str(value).split())


@click.command(cls=common.Command)
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.argument('data', type=common.INPUT)
@click.option(
    '-o',
    '--output',
    type=common.OutputFile(stream=True),
    default='-',
    help='Write the rows to this file. Default: standard output.',
)
@click.option('--proba', is_flag=True, help='Add the probability of each class, a column each.')
@click.option('--json', 'as_json', is_flag=True, help='Print a line of JSON for each row.')
@click.option(
    '--strict',
    is_flag=True,
    help='Refuse values that training never saw. Default: print a warning.',
)
@common.reading_options
def predict(
    model: str,
    data: str,
    output: str,
    proba: bool,
    as_json: bool,
    strict: bool,
    reading: Options,
) -> None:
    """Predict the target of each row of DATA with a MODEL that `kerasnets train` made.

    DATA may be - for standard input. Writes the rows as CSV with a column more, the prediction.
    Standard error gets the score, if DATA has the target, and warnings about values that training
    never saw.
    """
    from kerasnets.data.tables import read

    common.import_keras()
    net: Any = kerasnets.load(model)
    columns: Columns = net.table
    if columns is None or columns.target is None:
        raise DataError(f'{model} has no table. Train it with `kerasnets train`.')
    if proba and not _of_classes(columns):
        raise click.UsageError(
            '--proba needs a classifier, and this model predicts numbers. Leave out --proba.'
        )
    table, target = read(data, reading, columns.notations), columns.target
    unseen = columns.unseen(table)
    unseen += [f'column {name!r}: {r.doubt}' for name, r in table.readings.items() if r.doubt]
    if unseen and strict:
        raise DataError(f'{"; ".join(unseen)}. Leave out --strict to predict them all the same.')
    for line in unseen:
        common.say(f'Warning: {line}.')
    outputs = _outputs(net, table)
    labels = outputs.argmax(-1) if _of_classes(columns) else outputs
    found = {f'predicted {target.name}': columns.written(labels)}
    if proba:
        odds = outputs.T.tolist()
        found |= {f'p({word})': p for word, p in zip(target.words or (), odds)}
    names = [*table.readings, *found]
    rows = ([*row, *more] for row, more in zip(table.rows(), zip(*found.values())))
    score = _score(table, columns, labels)
    with common.writing(output) as file:
        common.write_rows(names, rows, file, as_json)
    if score is not None:
        common.say(score)


def _outputs(net: Any, table: Table) -> Array:
    """Return the class probabilities or the values of each row, computed in blocks."""
    compute = net.predict_proba if _of_classes(net.table) else net.predict
    blocks = [
        compute(net.table.inputs(table.take(np.arange(start, min(start + BLOCK, len(table))))))
        for start in range(0, len(table), BLOCK)
    ]
    return np.concatenate(blocks)


def _score(table: Table, columns: Columns, found: Array) -> str | None:
    """Return the accuracy or R² as text, or the reason why there is none."""
    name = columns.target.name if columns.target else ''
    if name not in table.frame:
        return None
    rows = np.flatnonzero(table.frame[name].notna().to_numpy())
    if not len(rows):
        return None
    try:
        targets = columns.targets(table.take(rows))
    except DataError as error:
        return f'not scored: {error}'
    found = found[rows]
    if _of_classes(columns):
        score = float((found == targets).mean())
    else:
        total = float(np.square(targets - targets.mean()).sum())
        score = 1 - float(np.square(targets - found).sum()) / total if total else math.nan
    left = f' of {len(rows):,} rows with a target' if len(rows) < len(table) else ''
    return f'score{left}: {score:.4f}'
