"""``kerasnets train`` and ``kerasnets predict``: one column of a CSV file from the others."""

from __future__ import annotations

import csv
import json
from typing import Any

import click
import numpy as np

import kerasnets
from kerasnets.cli import common
from kerasnets.errors import DataError


@click.command()
@click.argument('data', type=click.Path(exists=True, dir_okay=False))
@click.option('--target', required=True, help='The column to predict.')
@click.option('--drop', multiple=True, help='A column that is no input; may be said again.')
@click.option('--classes/--values', default=None, help='What the target is. Default: words or not.')
@click.option('--layers', type=common.Layers(), default='64', show_default=True)
@click.option(
    '--held-out',
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help='Share of rows to validate with.',
)
@common.training(epochs=200, rate=0.003, batch=32)
def train(
    data: Any, target: Any, drop: Any, classes: Any, layers: Any, held_out: Any, **options: Any
) -> None:
    """Learn to predict a column of DATA, a CSV file with a line of names, from the others.

    Numeric columns are standardized and text columns one-hot encoded. A
    target of words makes a classifier, one of numbers a regressor. All of it is kept in the model
    file for `kerasnets predict`.
    """
    from kerasnets.data.columns import Columns, read

    common.check_output(options['output'])
    common.import_keras()
    columns = read(data)
    table = Columns.of(columns, target, drop, classes)
    rows = np.random.default_rng(options['rng']).permutation(len(columns[target]))
    held, kept = np.split(rows, [min(round(held_out * len(rows)), len(rows) - 1)])
    parts = [{k: [texts[i] for i in some] for k, texts in columns.items()} for some in (kept, held)]
    cls = kerasnets.Classifier if table.target.words is not None else kerasnets.Regressor
    hidden = [(size, options['activation'] or 'relu') for size in layers]
    net = cls([table.sizes[0], *hidden, table.sizes[1]], rng=options['rng'])
    net.table = table
    train, valid = ([table.inputs(part), table.targets(part)] for part in parts)
    found = common.fit(net, train, valid if len(held) else None, options)
    if len(held):
        found['held out: score'] = round(net.score(*valid), 4)
    common.tell(found, options['as_json'])


@click.command()
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.argument('data', type=click.Path(exists=True, dir_okay=False))
@click.option('-o', '--output', type=click.File('w'), default='-', help='Default: the terminal.')
@click.option('--proba', is_flag=True, help='Give the probability of each class too.')
@click.option('--json', 'as_json', is_flag=True, help='A line of JSON for each row.')
def predict(model: Any, data: Any, output: Any, proba: Any, as_json: Any) -> None:
    """Predict the target of each row of DATA with a MODEL that `kerasnets train` made.

    Gives the rows as CSV, with a column more. Where DATA holds the target, how well it was met is
    said on standard error.
    """
    from kerasnets.data.columns import read

    common.import_keras()
    net: Any = kerasnets.load(model)
    if net.table is None:
        raise DataError(f'{model} has no columns. Train it with `kerasnets train`.')
    columns, target = read(data), net.table.target
    x = net.table.inputs(columns)
    found = {f'predicted {target.name}': net.table.readable(net.predict(x))}
    if proba:
        if target.words is None:
            raise click.UsageError('--proba needs a classifier; this model predicts values.')
        odds = net.predict_proba(x).T.tolist()
        found |= {f'p({word})': p for word, p in zip(target.words, odds)}
    _write({**columns, **found}, output, as_json)
    if target.name in columns:
        click.echo(f'score: {net.score(x, net.table.targets(columns)):.4f}', err=True)


def _write(columns: Any, file: Any, as_json: Any) -> None:
    rows = zip(*columns.values())
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(columns, row))), file)
        return
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows([[_short(value) for value in row] for row in rows])


def _short(value: Any) -> Any:
    return f'{value:.6g}' if isinstance(value, float) else value
