"""``kerasnets train`` and ``kerasnets predict``: one column of a CSV file from the others."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

import kerasnets
from kerasnets.cli import common
from kerasnets.errors import DataError


@click.command()
@click.argument('data', type=common.INPUT)
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
@click.option('--dry-run', is_flag=True, help='Only say how each column is read.')
@common.reading
@common.training(epochs=200, rate=0.003, batch=32)
def train(
    data: Any,
    target: Any,
    drop: Any,
    classes: Any,
    layers: Any,
    held_out: Any,
    dry_run: Any,
    separator: Any,
    encoding: Any,
    **options: Any,
) -> None:
    """Learn to predict a column of DATA, a CSV file with a line of names, from the others.

    DATA may be - for standard input. Columns of numbers and of dates are standardized, those of
    words one-hot encoded; a column that cannot help, of one value or of identifiers, is left out. A
    target of words makes a classifier, one of numbers a regressor. All of it is kept in the model
    file for `kerasnets predict`.
    """
    from kerasnets.data.columns import Columns, read

    common.check_output(options['output'])
    columns = read(data, separator, encoding)
    table = Columns.of(columns, target, drop, classes)
    common.tell(table.about(), options['as_json'] and dry_run, err=not dry_run)
    if dry_run:
        return
    common.import_keras()
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
@click.argument('data', type=common.INPUT)
@click.option('-o', '--output', type=click.File('w'), default='-', help='Default: the terminal.')
@click.option('--proba', is_flag=True, help='Give the probability of each class too.')
@click.option('--json', 'as_json', is_flag=True, help='A line of JSON for each row.')
@click.option('--strict', is_flag=True, help='Refuse values that training never saw.')
@common.reading
def predict(
    model: Any,
    data: Any,
    output: Any,
    proba: Any,
    as_json: Any,
    strict: Any,
    separator: Any,
    encoding: Any,
) -> None:
    """Predict the target of each row of DATA with a MODEL that `kerasnets train` made.

    DATA may be - for standard input. Gives the rows as CSV, with a column more. Where DATA holds
    the target, how well it was met is said on standard error, and so is what training never saw.
    """
    from kerasnets.data.columns import read

    common.import_keras()
    net: Any = kerasnets.load(model)
    if net.table is None:
        raise DataError(f'{model} has no columns. Train it with `kerasnets train`.')
    columns, target = read(data, separator, encoding), net.table.target
    strange = net.table.strange(columns)
    if strange and strict:
        raise DataError(f'{"; ".join(strange)}. Leave out --strict to predict them all the same.')
    for line in strange:
        click.echo(f'Warning: {line}.', err=True)
    x = net.table.inputs(columns)
    score = _score(net, x, columns)
    found = {f'predicted {target.name}': net.table.readable(net.predict(x))}
    if proba:
        if target.words is None:
            raise click.UsageError('--proba needs a classifier; this model predicts values.')
        odds = net.predict_proba(x).T.tolist()
        found |= {f'p({word})': p for word, p in zip(target.words, odds)}
    found = {**columns, **found}
    common.write_rows(found, zip(*found.values()), output, as_json)
    if score is not None:
        click.echo(score, err=True)


def _score(net: Any, x: Any, columns: Any) -> str | None:
    """How well the target is met, where the columns hold it, or why that cannot be said."""
    if net.table.target.name not in columns:
        return None
    try:
        targets = net.table.targets(columns)
    except DataError as error:
        return f'not scored: {error}'
    return f'score: {net.score(x, targets):.4f}'
