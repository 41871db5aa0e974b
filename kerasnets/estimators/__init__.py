"""Networks as scikit-learn estimators: `fit`, `predict`, `score`, in pipelines and searches.

``layers`` are the hidden ones; the sizes of input and output come from the data. Every keyword of
`Network.itertrain` is a parameter, so that ``GridSearchCV`` can look for the best of any.

>>> from sklearn.datasets import load_iris
>>> x, y = load_iris(return_X_y=True)
>>> model = NetClassifier([8], epochs=5, learning_rate=0.01).fit(x, y)
>>> model.predict_proba(x).shape
(150, 3)
"""

from kerasnets.estimators.feedforward import NetAutoencoder, NetClassifier, NetRegressor
from kerasnets.estimators.forecasts import SequenceForecaster
from kerasnets.estimators.sequences import SequenceClassifier, SequenceRegressor

__all__ = [
    'NetAutoencoder',
    'NetClassifier',
    'NetRegressor',
    'SequenceClassifier',
    'SequenceForecaster',
    'SequenceRegressor',
]
