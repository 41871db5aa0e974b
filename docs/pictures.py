"""Make the pictures of the documentation: ``python docs/pictures.py overview terminal …``.

Without names, all of them. Pages and TensorBoard are drawn by a headless Chromium, terminals by
pyte (``pip install pyte``). Look at each picture before it is committed.
"""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import pathlib
import shutil
import sys

import click

DOCS = pathlib.Path(__file__).parent
ROOT, IMAGES = DOCS.parent, DOCS / 'images'
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome') or 'chromium'

#: The command `kerasnets` of this folder.
COMMAND = [sys.executable, '-m', 'kerasnets']


def overview():
    """Draw what the README shows: a learning curve and a forecast, with the code of each."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from statsmodels.datasets import co2

    import kerasnets
    from kerasnets import plots
    from kerasnets.estimators import SequenceForecaster

    x, y = load_digits(return_X_y=True)
    x, held, y, answers = train_test_split(x / 16, y, test_size=0.25, random_state=1)
    net = kerasnets.Classifier([64, (100, 'relu'), 10])
    net.train(
        [x, y],
        [held, answers],
        algo='adam',
        learning_rate=1e-3,
        epochs=40,
        validate_every=1,
    )
    score = net.score(held, answers)

    series = co2.load_pandas().data['co2'].resample('MS').mean().interpolate()
    past, actual = series[:-24], series[-24:].to_numpy()
    model = SequenceForecaster(horizon=24).fit(past)
    low, predicted, high = (np.ravel(one) for one in model.predict_quantiles())

    figure = plots.Figure(figsize=(10, 3.9), layout='constrained')
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    for name, label in (('acc', 'training'), ('val_acc', 'held-out digits')):
        left.plot(range(1, 41), [100 * row[name] for row in net.history], label=label)
    left.set(xlabel='epoch', ylabel='accuracy in %', ylim=(60, 101))
    left.annotate(
        f'{100 * score:.1f}%',
        (40, 100 * score),
        (32, 90),
        arrowprops={'arrowstyle': '-'},
    )
    left.legend(loc='lower right')
    quantiles = [low, high]
    dates = series.index[-96:]
    plots.forecast(past[-72:], predicted, quantiles, actual, dates=dates, axes=right)
    right.set(ylabel='carbon dioxide in the air, ppm', xlabel='year')
    for axes, code in (
        (left, 'net = Classifier([64, 100, 10])\nnet.train([x, y], valid)'),
        (
            right,
            'model = SequenceForecaster(horizon=24)\nmodel.fit(past).predict_quantiles()',
        ),
    ):
        axes.set_title(code, family='monospace', fontsize=10, loc='left')
        axes.spines[['top', 'right']].set_visible(False)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(IMAGES / 'overview.png', dpi=120)
    error, naive = (
        np.abs(actual - f).mean() for f in (predicted, np.resize(past[-12:], 24))
    )
    print(
        f'mean absolute error {error:.2f} ppm, of the last year repeated {naive:.2f} ppm'
    )


PICTURES = {f.__name__: f for f in (overview,)}


@click.command(help=__doc__)
@click.argument('names', nargs=-1, type=click.Choice(list(PICTURES)))
def main(names):
    for name in names or PICTURES:
        PICTURES[name]()


if __name__ == '__main__':
    main()
