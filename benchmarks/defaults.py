"""What the estimators learn without a keyword, and how long it takes, beside scikit-learn's MLP.

    python benchmarks/defaults.py [--splits 3] [--json PATH]

For each table of data a row: the score on a quarter that is held out (accuracy, or R² of diabetes),
its mean over the splits, and the seconds of a `fit`. Inputs are standardized, all defaults are
those of the estimators. `first` is the first fit of such a network in the process, in which
kerasnets compiles its training; the other seconds are the best of the further ones.
"""

import argparse
import time
import warnings

import numpy as np
import work
from rich.console import Console
from rich.table import Table
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from kerasnets.estimators import NetClassifier, NetRegressor

#: Rows of the synthetic table.
ROWS = 200_000
CLASSIFIERS, REGRESSORS = (NetClassifier, MLPClassifier), (NetRegressor, MLPRegressor)


def synthetic():
    """Three classes in 20 variables, 12 of them informative."""
    return datasets.make_classification(ROWS, 20, n_informative=12, n_classes=3, random_state=1)


#: Name -> the estimators, and what gives inputs and targets.
TABLES = {
    'digits': (CLASSIFIERS, lambda: datasets.load_digits(return_X_y=True)),
    'wine': (CLASSIFIERS, lambda: datasets.load_wine(return_X_y=True)),
    'breast cancer': (CLASSIFIERS, lambda: datasets.load_breast_cancer(return_X_y=True)),
    'diabetes': (REGRESSORS, lambda: datasets.load_diabetes(return_X_y=True)),
    f'{ROWS:,} rows': (CLASSIFIERS, synthetic),
}


def split(x, y, seed):
    """Standardized inputs and targets: to learn, and held out."""
    x, held, y, want = train_test_split(x, y, random_state=seed)
    scaler = StandardScaler().fit(x)
    return (scaler.transform(x), y), (scaler.transform(held), want)


def measure(estimator, x, y, splits):
    """Mean score on what is held out, seconds of the first fit and of the best further one."""
    scores, seconds = [], []
    for seed in range(splits):
        learned, held = split(x, y, seed)
        start = time.perf_counter()
        model = estimator(random_state=seed).fit(*learned)
        seconds.append(time.perf_counter() - start)
        scores.append(model.score(*held))
    return float(np.mean(scores)), seconds[0], min(seconds[1:])


def main():
    """Measure all tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--splits', type=int, default=3, help='2 or more')
    parser.add_argument('--json', help='where to write what was found')
    asked = parser.parse_args()
    warnings.simplefilter('ignore', ConvergenceWarning)
    table = Table('data', 'score', "scikit-learn's", 'seconds', "scikit-learn's", 'first')
    found = {}
    for name, (estimators, load) in TABLES.items():
        ours, theirs = (measure(each, *load(), asked.splits) for each in estimators)
        found[name] = {'kerasnets': ours, 'scikit-learn': theirs}
        figures = ours[0], theirs[0], ours[2], theirs[2], ours[1]
        table.add_row(name, *(f'{figure:.3f}' for figure in figures))
    Console().print(table)
    work.keep(found, asked.json)


if __name__ == '__main__':
    main()
