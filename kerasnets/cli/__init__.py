"""The command ``kerasnets``: networks from a shell.

Keras is imported only when it is needed, so ``kerasnets --help`` is fast.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

import kerasnets
from kerasnets.cli import common, files, forecasts, tables, texts
from kerasnets.compilation import enable_compilation_cache
from kerasnets.errors import ConfigurationError, FileError, KerasnetsError, suggest


class OneLine(click.ClickException):
    """An error that is printed as one line."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        vars(self)['exit_code'] = code

    def show(self, file: Any = None) -> None:
        """Print the error to standard error."""
        common.say(f'Error: {self.message}')


class _Group(click.Group):
    """A group of commands that prints errors as one line, without a traceback."""

    def make_context(self, *args: Any, **keywords: Any) -> Any:
        """Read the options; print errors in one line."""
        try:
            return super().make_context(*args, **keywords)
        except click.UsageError as error:
            raise _one_line(error) from error

    def invoke(self, context: Any) -> Any:
        """Run a command; print errors in one line."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, 'reconfigure'):  # a terminal may lack a character
                stream.reconfigure(errors='replace')
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _say  # type: ignore[assignment]
                return super().invoke(context)
        except click.UsageError as error:
            raise _one_line(error) from error
        except KerasnetsError as error:
            raise OneLine(str(error)) from error


def _say(message: Warning | str, *_: Any) -> None:
    """Print the text of a warning, without the file and the line that gave it."""
    common.say(f'Warning: {message}')


def _one_line(error: click.UsageError) -> click.ClickException:
    """Return an error of click as one line that names the command's help.

    The help page, which click raises as an error too, is returned unchanged.
    """
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    text = ' '.join(error.format_message().split())
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        text = f'No such option {name!r}.{suggest(name, error.possibilities or ())}'
    command = error.ctx.command_path if error.ctx else 'kerasnets'
    end = '' if text.endswith(('.', '?')) else '.'
    return OneLine(f"{text}{end} See '{command} --help'.", error.exit_code)


@click.group('kerasnets', cls=_Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(kerasnets.__version__)
def main() -> None:
    """Neural networks as lists of layers, on Keras."""
    if 'keras' in sys.modules:  # the calling program has its own settings
        return
    try:
        enable_compilation_cache()
    except ConfigurationError:
        return  # a backend that compiles nothing
    except FileError as error:
        common.say(f'{error} Compiled programs are not cached.')


for command in (
    files.inspect,
    files.convert,
    tables.train,
    tables.predict,
    forecasts.forecast,
    texts.text,
    texts.demo,
):
    main.add_command(command)
