"""Shared options of the commands, and the printing of results."""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib
import io
import json
import math
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TextIO

import click

from kerasnets import terminal
from kerasnets.errors import NAMES, ConfigurationError, FileError
from kerasnets.files.atomic import replacing


class Command(click.Command):
    """A command whose messages have the names of its options for arguments in Python."""

    def invoke(self, context: Any) -> Any:
        """Run the command."""
        names = {p.name: p.opts[-1] for p in self.params if isinstance(p, click.Option) and p.name}
        if 'save' in names:
            names |= dict.fromkeys(('save_progress', 'resume'), names['save'])
        token = NAMES.set(names)
        try:
            return super().invoke(context)
        finally:
            NAMES.reset(token)


class Layers(click.ParamType):  # type: ignore[type-arg]
    """Sizes of hidden layers, separated by commas."""

    name = 'sizes'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the sizes as a list of int."""
        sizes = value if isinstance(value, list) else value.split(',')
        if not all(str(size).strip().isdigit() and int(size) for size in sizes):
            self.fail(f'expected sizes such as 64 or 64,32, got {value!r}.', param, context)
        return [int(size) for size in sizes]


class OutputFile(click.ParamType):  # type: ignore[type-arg]
    """A file that can be written, with one of some suffixes; checked before any work.

    With `stream`, '-' stands for standard output.
    """

    name = 'path'

    def __init__(self, *suffixes: str, stream: bool = False) -> None:
        self.suffixes, self.stream = suffixes, stream

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the path."""
        if self.stream and value == '-':
            return value
        target = pathlib.Path(value)
        if self.suffixes and target.suffix not in self.suffixes:
            names = ' or '.join(self.suffixes)
            self.fail(f'expected a file ending in {names}, got {target.name!r}.', param, context)
        if target.is_dir():
            self.fail(f'expected a file, got the folder {value!r}.', param, context)
        if not target.parent.is_dir():
            self.fail(f'there is no folder {str(target.parent)!r}.', param, context)
        if target.exists() and not target.is_file():  # a device or a pipe
            return value
        try:
            with tempfile.TemporaryFile(dir=target.parent):
                pass
        except OSError as error:
            where = f'the folder {str(target.parent)!r}'
            self.fail(f'no file can be written in {where} ({error.strerror}).', param, context)
        return value


class AnyNumber(click.types.FloatParamType):
    """A finite number."""

    name = 'number'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the number as a float."""
        value = super().convert(value, param, context)
        if not math.isfinite(value):
            self.fail(f'expected a finite number, got {value}.', param, context)
        return value


class Number(AnyNumber, click.FloatRange):
    """A finite number in a range."""


class _Count(click.IntRange):
    name = 'integer'


#: Types of counts.
FROM_0, FROM_1 = _Count(0), _Count(1)


def hidden_layers(default: str | None, default_text: str = '') -> Callable[[Any], Any]:
    """Return the option of the sizes of the hidden layers."""
    return click.option(
        '--layers',
        type=Layers(),
        default=default,
        show_default=default is not None,
        help=f'Sizes of the hidden layers, separated by commas. {default_text}'.strip(),
    )


#: Forms of layers that read only earlier steps.
FORMS = 'rnn lstm gru rrnn mrnn mut1 scrn clockwork bcrnn attention transformer'.split()


def form_of(default: str) -> Callable[[Any], Any]:
    """Return the option of the form of the hidden layers."""
    return click.option(
        '--form',
        type=click.Choice(FORMS),
        metavar='FORM',
        default=default,
        show_default=True,
        help=f'Form of the hidden layers: {", ".join(FORMS)}.',
    )


#: Keyword of training -> its option, the type and the help text.
TRAINING: dict[str, tuple[str, Any, str]] = {
    'algo': (
        '--algorithm',
        str,
        'Optimization algorithm, such as adam, rmsprop or sgd.',
    ),
    'learning_rate': (
        '--learning-rate',
        Number(0, min_open=True),
        'Learning rate of the algorithm.',
    ),
    'epochs': ('--epochs', FROM_0, 'Maximum number of epochs.'),
    'batch_size': ('--batch', FROM_1, 'Number of examples in a batch.'),
    'patience': (
        '--patience',
        FROM_0,
        'Number of validations without improvement before training stops.',
    ),
    'input_noise': (
        '--noise',
        Number(0),
        'Standard deviation of noise that is added to the inputs.',
    ),
    'hidden_dropout': (
        '--dropout',
        Number(0, 1, max_open=True),
        'Fraction of the hidden outputs that dropout sets to 0.',
    ),
}

#: Their usual defaults.
USUAL: dict[str, Any] = {'algo': 'adam', 'patience': 5, 'input_noise': 0.0, 'hidden_dropout': 0.0}

#: The option of the seed of training.
RNG = click.option(
    '--rng', type=FROM_0, default=13, show_default=True, help='Seed of all random numbers.'
)


def training(
    chosen: Mapping[str, str] = MappingProxyType({}), output: bool = True, **defaults: Any
) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of training.

    Parameters
    ----------
    chosen : dict of str to str
        Keyword whose default the command chooses -> text that says how. The command gets None.
    output : bool
        Whether the output file is required.
    **defaults
        Keyword, such as ``epochs`` -> its default.
    """
    defaults = {**USUAL, **defaults}

    def option(name: str, flag: str, type: Any, about: str) -> Any:
        if name in chosen:
            return click.option(flag, name, type=type, help=f'{about} Default: {chosen[name]}')
        value = defaults[name]
        return click.option(flag, name, type=type, default=value, show_default=True, help=about)

    options = [
        click.option(
            '-o',
            '--output',
            required=output,
            type=OutputFile('.keras', '.h5'),
            help='Write the model to this file, ending in .keras or .h5.'
            + ('' if output else ' Required without --dry-run.'),
        ),
        click.option(
            '--activation',
            help='Activation of the hidden layers. Default: that of the form of layer.',
        ),
        *(option(name, *about) for name, about in TRAINING.items()),
        click.option(
            '--save',
            type=OutputFile('.keras'),
            help='Save a checkpoint to this file, ending in .keras, and resume from it if it '
            'exists. Default: none.',
        ),
        click.option(
            '--tensorboard',
            type=click.Path(),
            help='Write logs for TensorBoard to this folder. Default: none.',
        ),
        RNG,
        click.option('--json', 'as_json', is_flag=True, help='Print the results as JSON.'),
    ]

    def decorate(function: Any) -> Any:
        for one in reversed(options):
            function = one(function)
        return function

    return decorate


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


class _Character(click.ParamType):  # type: ignore[type-arg]
    """One character, such as a separator; ``tab`` or a backslash and t is a tabulator."""

    name = 'character'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the character."""
        value = '\t' if value in ('tab', r'\t') else value
        if len(value) != 1:
            self.fail(f'expected one character, such as ; or tab, got {value!r}.', param, context)
        return value


class _Assigned(click.ParamType):  # type: ignore[type-arg]
    """A column and its type, such as ``size=number``."""

    name = 'column=kind'

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Return the name and the value as a tuple."""
        name, equal, assigned = value.rpartition('=')
        if not equal or not name:
            self.fail(f'expected a column and its type, such as size=number, got {value!r}.')
        return name, assigned


#: Field of `Options` -> names of the option, and keywords of click.
READING: dict[str, tuple[str, dict[str, Any]]] = {
    'kinds': (
        '--as kinds',
        dict(
            multiple=True,
            type=_Assigned(),
            metavar='COLUMN=KIND',
            help='Read a column as number, word, date or time, or drop it. Repeatable. '
            'Default: detected in the values.',
        ),
    ),
    'missing': (
        '--missing',
        dict(
            multiple=True,
            metavar='TEXT',
            help='Treat this text as a missing value, too. Default: NA, ?, - and similar marks. '
            'Repeatable.',
        ),
    ),
    'dates': (
        '--dates',
        dict(
            metavar='FORMAT',
            help='Read dates as day-first, month-first or by a format such as %d.%m.%Y. '
            'Default: detected in the values.',
        ),
    ),
    'thousands': (
        '--thousands',
        dict(
            metavar='CHARACTER',
            help='Character that groups digits. Default: detected in the values.',
        ),
    ),
    'decimal': (
        '--decimal',
        dict(
            metavar='CHARACTER',
            help='Character before decimals, . or a comma. Default: detected in the values.',
        ),
    ),
    'encoding': (
        '--encoding',
        dict(help='Encoding of the file. Default: UTF-8 if that is valid, else detected.'),
    ),
    'separator': (
        '--separator',
        dict(
            type=_Character(),
            help='Character between values; tab is one. Default: detected in the first lines.',
        ),
    ),
}

#: An existing file, or '-' for standard input.
INPUT = click.Path(exists=True, dir_okay=False, allow_dash=True)


def import_keras() -> None:
    """Import Keras, which takes seconds: on a terminal, a line says so meanwhile."""
    line = 'Loading Keras …'
    shown = 'keras' not in sys.modules and sys.stderr.isatty()
    if shown:
        click.echo(line, err=True, nl=False)
    try:
        importlib.import_module('keras')
    finally:
        if shown:
            click.echo(f'\r{" " * len(line)}\r', err=True, nl=False)


def check_needs(option: str, given: bool, *names: str) -> None:
    """Raise UsageError for options that need another option, if that one is not given."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    unused = [name for name in names if context.get_parameter_source(name) != default]
    if unused and not given:
        raise click.UsageError(f'--{unused[0]} needs {option}. Add {option}.')


def report_writer(path: str) -> Callable[[Any, Any], None]:
    """Return a function that writes a report about a network and a table.

    Raises
    ------
    ConfigurationError
        If matplotlib is not installed.
    """
    try:
        plots = importlib.import_module('kerasnets.plots')
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"a report needs matplotlib ({error}). Run: pip install 'kerasnets[plots]'"
        ) from None

    def write(net: Any, table: Any) -> None:
        plots.report(net, table, path=path)

    return write


def fit(
    net: Any,
    data: Any,
    valid: Any,
    options: dict[str, Any],
    valid_name: str = 'held out',
    **more: Any,
) -> dict[str, Any]:
    """Train a network, save it, and return the results as a dict.

    Parameters
    ----------
    net : Network
    data, valid
        As `Network.train` takes them.
    options : dict
        Of the command; those that are None are chosen by `more`.
    valid_name : str
        Name of the rows of `valid` in the results.
    **more
        Keywords of `Network.train`, before the options.
    """
    given = {name: options[name] for name in TRAINING} | {
        'input_noise': options['input_noise'] or None,
        'hidden_dropout': options['hidden_dropout'] or None,
        'tensorboard': options['tensorboard'],
        'save_progress': options['save'],
        'verbose': 0 if options['as_json'] else 'auto',
    }
    if options['save']:
        more = {'save_every': 1, 'resume': True, **more}
    given = {name: value for name, value in given.items() if value is not None}
    start = time.perf_counter()
    _, validation = net.train(data, valid, **{'validate_every': 1, **more, **given})
    seconds = time.perf_counter() - start
    net.save(options['output'])
    found = {'model': str(options['output']), 'parameters': net.num_params}
    found |= {'epochs': len(net.history), 'seconds': round(seconds, 1)}
    if valid is not None:  # of the parameters that are saved
        if 'epoch' in net.history.best:  # not of `sample`, which trains without epochs
            found['best epoch'] = net.history.best['epoch']
        found |= {f'{valid_name}: {name}': round(value, 4) for name, value in validation.items()}
    return found


def tell(found: dict[str, Any], as_json: bool, err: bool = False) -> None:
    """Print a dict as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(found), err=err)
        return
    rows = [(k, f'{v:,}' if isinstance(v, int) else v) for k, v in found.items()]
    terminal.console(stderr=err).print(terminal.grid(['', ''], rows, show_header=False))


def say(text: Any) -> None:
    """Print a line to standard error, with control characters escaped."""
    terminal.line(text, terminal.console(stderr=True))


@contextlib.contextmanager
def writing(path: str) -> Iterator[TextIO]:
    """Open a text file in UTF-8 that is replaced only on success; '-' is standard output.

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
        try:
            with open(target, 'w', encoding='utf-8', newline='') as file:
                yield file
        except OSError as error:
            raise FileError(f'cannot write {path!r}: {error}. Choose another file.') from error
        return
    with replacing(target) as part, open(part, 'w', encoding='utf-8', newline='') as file:
        yield file


def write_rows(
    names: Iterable[str], rows: Iterable[Iterable[Any]], file: TextIO, as_json: bool
) -> None:
    """Write rows as CSV with a line of names, or as lines of JSON.

    On a terminal, control characters are escaped: words of a model file are among the values.
    """
    if as_json:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row))) + '\n')
        return

    def shown(value: Any) -> Any:
        if isinstance(value, float):
            return f'{value:.6g}'
        return terminal.plain(value) if tty and isinstance(value, str) else value

    tty = file.isatty()
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(map(shown, names))
    writer.writerows(map(shown, row) for row in rows)
