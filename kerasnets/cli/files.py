"""``kerasnets inspect`` and ``kerasnets convert``, for any model file."""

from __future__ import annotations

import json
import pathlib
import warnings

import click

import kerasnets
from kerasnets.cli import common


@click.command(cls=common.Command)
@click.argument('file', type=click.Path())
@click.option('--json', 'as_json', is_flag=True, help='Print the contents as JSON.')
def inspect(file: str, as_json: bool) -> None:
    """Print the contents of FILE without building the model.

    FILE is a model of kerasnets, of Keras (.keras, .h5, .weights.h5) or of theanets (a pickle).
    """
    found = kerasnets.inspect(file)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        found.show()


@click.command(cls=common.Command)
@click.argument('old', type=click.Path())
@click.argument('new', type=click.Path())
@click.option(
    '--max-params',
    type=common.FROM_1,
    help='Maximum number of parameters of OLD. Default: as many as the file holds.',
)
@click.option(
    '--max-values',
    type=common.FROM_1,
    help='Maximum number of values that a layer of OLD makes of one example. Default: 134217728.',
)
def convert(old: str, new: str, max_params: int | None, max_values: int | None) -> None:
    """Read the model in OLD and write it to NEW.

    OLD is a model file with layers, as for `inspect`. NEW ends in .keras, .h5 or .weights.h5, or in
    .onnx or .tflite for other runtimes; a name without suffix is the folder of a SavedModel.
    """
    common.import_keras()
    elsewhere = pathlib.Path(new).suffix in ('', '.onnx', '.tflite')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always', UserWarning)
        net = kerasnets.load(old, max_params=max_params, max_values=max_values)
        (net.export if elsewhere else net.save)(new)
    for warning in said:
        if warning.category is UserWarning:
            common.say(f'Warning: {warning.message}')
    click.echo(
        f'{new}: {type(net).__name__} of {len(net.specs)} layers, {net.num_params:,} parameters'
    )
