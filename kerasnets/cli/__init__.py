"""The command ``kerasnets``: networks from a shell.

Keras is imported only when it is needed, so ``kerasnets --help`` is fast.
"""

from __future__ import annotations

import sys
from typing import Any

import click

import kerasnets
from kerasnets.cli import files, forecasts, tables, texts
from kerasnets.compilation import enable_compilation_cache
from kerasnets.errors import ConfigurationError, FileError, KerasnetsError


class _Group(click.Group):
    """A group of commands that prints our errors as one line, without a traceback."""

    def invoke(self, context: Any) -> Any:
        """Run a command; print our errors without a traceback."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, 'reconfigure'):  # a terminal may lack a character
                stream.reconfigure(errors='replace')
        try:
            return super().invoke(context)
        except KerasnetsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={'help_option_names': ['-h', '--help']})
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
        click.echo(f'{error} Compiled programs are not cached.', err=True)


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
