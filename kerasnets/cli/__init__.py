"""The command ``kerasnets``: networks from a shell.

Nothing here imports Keras before it is needed: ``kerasnets --help`` is quick.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

import kerasnets
from kerasnets.cli import files, forecasts, tables, texts
from kerasnets.errors import KerasnetsError

# TensorFlow speaks of its insides on standard error, in the midst of what is written there.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


class _Group(click.Group):
    """A group of commands that prints our errors as one line, without a traceback."""

    def invoke(self, context: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, 'reconfigure'):  # a terminal may lack a character
                stream.reconfigure(errors='replace')
        try:
            return super().invoke(context)
        except KerasnetsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
@click.version_option(kerasnets.__version__)
def main() -> None:
    """Neural networks as lists of layers, on Keras."""


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
