"""The works in scikit-learn, by `MLPClassifier` with the same settings."""

import sys
import warnings

import work
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier

warnings.simplefilter('ignore', ConvergenceWarning)


def _small(x, y, epochs):
    settings = {'batch_size': 32, 'max_iter': epochs, 'n_iter_no_change': epochs, 'tol': 0.0}
    return lambda: MLPClassifier([100], **settings).fit(x, y)


def small():
    return _small(*work.few(), 200)


def small_first():
    return small()


def small_cached():
    return small()


def digits():
    return _small(*work.digits(), 30)


def search():
    x, y = work.digits()
    grid = {'learning_rate_init': [1e-3, 3e-3, 1e-2], 'alpha': [1e-4, 1e-3]}
    return lambda: GridSearchCV(MLPClassifier(), grid, cv=5).fit(x, y)


def folds():
    x, y = work.cancer()
    return lambda: print(cross_val_score(MLPClassifier(), x, y, cv=5).mean(), file=sys.stderr)


def predict_1():
    x, y = work.rows(100)
    model = MLPClassifier([work.HIDDEN], max_iter=1).fit(x, y)
    return lambda: [model.predict_proba(x[:1]) for _ in range(1000)]


if __name__ == '__main__':
    work.main(globals())
