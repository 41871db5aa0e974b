"""Saving the pictures that the examples leave."""

import pathlib

import matplotlib.figure


def canvas(columns=1, rows=1, size=3.2):
    """A figure of its own, and its axes as a flat list."""
    figure = matplotlib.figure.Figure(figsize=(size * columns, size * rows), layout='constrained')
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def learning_curve(axes, history):
    """The loss of each epoch, and that of the validations."""
    axes.plot([row['epoch'] for row in history], [row['loss'] for row in history], label='training')
    valid = [row for row in history if 'val_loss' in row]
    if valid:
        axes.plot([r['epoch'] for r in valid], [r['val_loss'] for r in valid], label='validation')
    axes.set(xlabel='epoch', ylabel='loss', yscale='log')
    axes.legend()


def save(figure, folder, name):
    """Write a figure as a .png, and say where."""
    path = pathlib.Path(folder, f'{name}.png')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print('picture:', path.resolve())
    return path
