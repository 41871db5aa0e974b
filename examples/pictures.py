"""What the examples share: a figure to draw on, saving it, and a command line."""

import inspect
import pathlib

import click
import matplotlib.figure


def canvas(columns=1, rows=1, size=3.2):
    """A figure of its own, and its axes as a flat list."""
    figure = matplotlib.figure.Figure(figsize=(size * columns, size * rows), layout='constrained')
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def save(figure, folder, name):
    """Write a figure as a .png, and say where."""
    path = pathlib.Path(folder, f'{name}.png')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print('picture:', path.resolve())
    return path


def command(main):
    """A command line for a function: an option for each parameter of it."""
    options = [
        click.Option([f'--{name.replace("_", "-")}'], default=parameter.default, show_default=True)
        for name, parameter in inspect.signature(main).parameters.items()
    ]
    return click.Command(main.__module__, params=options, callback=main, help=main.__doc__)
