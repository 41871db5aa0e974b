"""Options of the training commands, and the printing of their results."""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib
import io
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import click
from rich.console import Console
from rich.table import Table

from kerasnets.errors import ConfigurationError
from kerasnets.files.atomic import replacing


class Layers(click.ParamType):  # type: ignore[type-arg]
    """Sizes of hidden layers, with commas between."""

    name = 'sizes'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """The sizes as a list of int."""
        if isinstance(value, list):
            return value
        try:
            return [int(size) for size in value.split(',')]
        except ValueError:
            self.fail(f'expected sizes such as 64 or 64,32, got {value!r}.', param, context)


def training(
    epochs: int,
    rate: float | None,
    batch: int,
    rates: str | None = None,
    output: bool = True,
) -> Callable[[Any], Any]:
    """Options of every command that trains, with these defaults; `rates` is said of the rate."""
    options = [
        click.option('-o', '--output', required=output, type=click.Path(), help='The model file.'),
        click.option('--activation', help="Of the hidden layers. Default: the form's."),
        click.option('--algorithm', default='adam', show_default=True),
        click.option('--learning-rate', type=float, default=rate, show_default=True, help=rates),
        click.option('--epochs', default=epochs, show_default=True, help='At most.'),
        click.option('--batch', default=batch, show_default=True, help='Examples in a batch.'),
        click.option('--patience', default=5, show_default=True, help='Epochs that get no better.'),
        click.option('--noise', default=0.0, show_default=True, help='Deviation, at the inputs.'),
        click.option('--dropout', default=0.0, show_default=True, help='Of hidden outputs.'),
        click.option('--save', type=click.Path(), help='Checkpoint; go on from it if it is there.'),
        click.option('--tensorboard', type=click.Path(), help='Folder for logs.'),
        click.option('--rng', default=13, show_default=True, help='Seed of all that is drawn.'),
        click.option('--json', 'as_json', is_flag=True, help='Say what came of it as JSON.'),
    ]

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def reading(function: Any) -> Any:
    """Options of every command that reads a CSV file."""
    more = [
        click.option('--separator', help='Of values. Default: as the first lines have it.'),
        click.option('--encoding', default='utf-8', show_default=True),
    ]
    for option in more:
        function = option(function)
    return function


def reading_options(function: Any) -> Any:
    """Add the options that decide how a table is read; the command gets them as `reading`."""

    @functools.wraps(function)
    def command(**options: Any) -> Any:
        from kerasnets.data.notation import Options  # imports pandas

        own = {field: options.pop(field) for field in READING}
        kinds = dict(own.pop('kinds'))
        return function(reading=Options(**own, kinds=kinds), **options)

    for name, keywords in READING.values():
        command = click.option(*name.split(), **keywords)(command)
    return command


class _Assigned(click.ParamType):  # type: ignore[type-arg]
    """A name and what is assigned to it, such as ``size=number``."""

    name = 'column=kind'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the name and the value as a tuple."""
        name, equal, assigned = value.rpartition('=')
        if not equal or not name:
            self.fail(f'expected a column and its kind, such as size=number, got {value!r}.')
        return name, assigned


#: Field of `Options` -> names of the option, and keywords of click.
READING: dict[str, tuple[str, dict[str, Any]]] = {
    'kinds': (
        '--as kinds',
        dict(
            multiple=True,
            type=_Assigned(),
            metavar='COLUMN=KIND',
            help='Read a column as number, word, date or time, or drop it; may be repeated.',
        ),
    ),
    'missing': (
        '--missing',
        dict(
            multiple=True,
            metavar='TEXT',
            help='A mark of a missing value, beside NA, ?, - and the like; may be repeated.',
        ),
    ),
    'dates': (
        '--dates',
        dict(
            metavar='FORMAT',
            help='day-first, month-first or a format such as %d.%m.%Y. Default: as they look.',
        ),
    ),
    'thousands': (
        '--thousands',
        dict(metavar='CHARACTER', help='Groups digits. Default: as the numbers look.'),
    ),
    'decimal': (
        '--decimal',
        dict(metavar='CHARACTER', help='Before decimals, . or a comma. Default: as they look.'),
    ),
    'encoding': ('--encoding', dict(help='Of the file. Default: UTF-8 where it is valid.')),
    'separator': ('--separator', dict(help='Of values. Default: as the first lines have it.')),
}

#: A file that is there, or '-' for standard input.
INPUT = click.Path(exists=True, dir_okay=False, allow_dash=True)


def import_keras() -> None:
    """Import Keras, without what TensorFlow says of itself while it is loaded.

    It says so to the file descriptor of standard error, whatever its log level is.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module('keras')
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def check_output(path: Any) -> None:
    """Refuse a model file that could not be written, before any work."""
    path = pathlib.Path(path)
    if path.suffix not in ('.keras', '.h5'):
        raise ConfigurationError(f'expected a file ending in .keras or .h5, got {path.name!r}.')
    if not path.parent.is_dir():
        raise ConfigurationError(
            f'there is no folder {str(path.parent)!r} to write to. Make it first.'
        )


def report_writer(path: str) -> Callable[[Any, Any], None]:
    """Return a function that writes a report about a network and a table, after checking the path.

    Raises
    ------
    ConfigurationError
    """
    target = pathlib.Path(path)
    if target.suffix != '.html' or not target.parent.is_dir():
        raise ConfigurationError(
            f'--report: expected a file ending in .html in a folder that exists, got {path!r}.'
        )
    try:
        plots = importlib.import_module('kerasnets.plots')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a report needs matplotlib ({error}). pip install 'kerasnets[plots]'."
        ) from None

    def write(net: Any, table: Any) -> None:
        plots.report(net, table, path=path)

    return write


def fit(net: Any, data: Any, valid: Any, options: Any, **more: Any) -> Any:
    """Train a network, save it, and return the results as a dict."""
    given = {
        'input_noise': options['noise'],
        'hidden_dropout': options['dropout'],
        'tensorboard': options['tensorboard'],
        'save_progress': options['save'],
    }
    if options['save']:
        more = {'save_every': 1, 'resume': True, **more}
    start = time.perf_counter()
    _, validation = net.train(
        data,
        valid,
        algo=options['algorithm'],
        epochs=options['epochs'],
        batch_size=options['batch'],
        patience=options['patience'],
        validate_every=1,
        verbose=0 if options['as_json'] else 'auto',
        **{'learning_rate': options['learning_rate'], **more},
        **{name: value for name, value in given.items() if value},
    )
    seconds = time.perf_counter() - start
    net.save(options['output'])
    found = {'model': str(options['output']), 'parameters': net.num_params}
    found |= {'epochs': len(net.history), 'seconds': round(seconds, 1)}
    if valid is not None:  # of the parameters that are saved
        found['best epoch'] = net.history.best['epoch']
        found |= {f'held out: {name}': round(value, 4) for name, value in validation.items()}
    return found


def tell(found: Any, as_json: Any, err: bool = False) -> None:
    """Print a dict as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(found), err=err)
        return
    table = Table(show_header=False)
    for name, value in found.items():
        table.add_row(name, f'{value:,}' if isinstance(value, int) else str(value))
    Console(stderr=err).print(table)


@contextlib.contextmanager
def writing(path: str) -> Iterator[TextIO]:
    """Open a file to write text in UTF-8, whole or not at all, or for '-' standard output.

    Characters that a terminal lacks are replaced.

    Raises
    ------
    FileError
    """
    if path == '-':
        if sys.stdout.isatty() or not hasattr(sys.stdout, 'buffer'):
            yield sys.stdout
            return
        sys.stdout.flush()
        stream = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', newline='')
        try:
            yield stream
        finally:
            stream.flush()
            stream.detach()
        return
    target = pathlib.Path(path)
    if target.exists() and not target.is_file():  # a device or a pipe
        with open(target, 'w', encoding='utf-8', newline='') as file:
            yield file
        return
    with replacing(target) as part, open(part, 'w', encoding='utf-8', newline='') as file:
        yield file


def write_rows(names: Any, rows: Any, file: Any, as_json: Any) -> None:
    """Write rows as CSV with a line of names, or as lines of JSON."""
    if as_json:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row))) + '\n')
        return
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(names)
    writer.writerows([[f'{v:.6g}' if isinstance(v, float) else v for v in row] for row in rows])
