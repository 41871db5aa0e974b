"""Estimators for one vector of each example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn import base
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnets import feedforward
from kerasnets.errors import ConfigurationError, DataError
from kerasnets.estimators import defaults
from kerasnets.estimators.base import (
    Classifying,
    Estimator,
    classes_of,
    constructor,
    weights_of,
)
from kerasnets.estimators.inputs import Scaling, class_column
from kerasnets.estimators.tabular import CHOSEN, Tabular
from kerasnets.typing import Array, Data, Found

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Bounds probabilities whose logarithm is taken, from 0 and 1.
TINY = 1e-7


class NetClassifier(Classifying, Tabular):
    """A `Classifier` as an estimator. Parameters are those of `Tabular` and `Estimator`.

    X is an array, or a data frame of numbers, booleans, words, categories, dates and gaps. y holds
    a class for each row, or columns of 0 and 1 for each of several labels.

    Attributes
    ----------
    classes_ : array (classes,)
        Of several labels, their numbers.

    >>> x, y = np.eye(3).repeat(9, 0), np.array(['a', 'b', 'c']).repeat(9)
    >>> str(NetClassifier([4], learning_rate=0.1, epochs=30).fit(x, y).predict(x)[-1])
    'c'
    """

    KIND = feedforward.Classifier
    __init__ = constructor(**CHOSEN)
    _multilabel = False

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on inputs (examples, variables) and a class of each example.

        Raises
        ------
        ValueError
            For data that does not fit: `DataError`, or scikit-learn's own.
        """
        names, (X, y) = y, self._check(X, y, reset=True)
        if self._multilabel:
            self.classes_ = np.arange(y.shape[1])
            return self._learn(X, y, sample_weight)
        self.classes_ = classes_of(y)
        return self._learn(X, y, sample_weight, names=names)

    def partial_fit(
        self, X: Data, y: Data, classes: Any = None, sample_weight: Data = None
    ) -> Self:
        """Train for one more epoch. The first call needs `classes`, all class labels."""
        first = not hasattr(self, 'net_')
        X, y = self._check(X, y, reset=first)
        if not first:
            return self._learn(X, y, sample_weight, again=True)
        self.classes_ = np.unique(y if classes is None else classes)
        return self._learn(X, y, sample_weight, epochs=1)

    def predict(self, X: Data) -> Found:
        """Return the most probable class of each example."""
        p = self.predict_proba(X)
        return (p > 0.5).astype(int) if self._multilabel else self.classes_[p.argmax(axis=-1)]

    def predict_proba(self, X: Data) -> Found:
        """Return the probability of each class: array (examples, classes)."""
        X = self._read(X)
        return self.net_.predict(X) if self._multilabel else self.net_.predict_proba(X)

    def decision_function(self, X: Data) -> Array:
        """Logits (examples, classes); of two classes the second's over the first's."""
        X = self._read(X)
        if self._plan is not None:  # a mean of probabilities has no logits of its own
            p = self.net_.predict(X) if self._multilabel else self.net_.predict_proba(X)
            p = np.clip(p, TINY, 1 - TINY)
            logits = np.log(p / (1 - p)) if self._multilabel else np.log(p)
        elif self._multilabel:
            logits = self.net_.feed_forward(X)['out:pre']
        else:
            logits = self.net_.predict_logit(X)
        two = len(self.classes_) == 2 and not self._multilabel
        return logits[:, 1] - logits[:, 0] if two else logits

    def _check(self, X: Data, y: Data, reset: bool) -> Any:
        y = y.toarray() if hasattr(y, 'toarray') else y
        shape = np.asarray(y).shape
        labels = len(shape) == 2 and shape[1] > 1
        X, y = self._inputs(X, y, reset, multi_output=labels)
        check_classification_targets(y)
        if labels and type_of_target(y) != 'multilabel-indicator':
            raise DataError(
                f'y: expected one class for each row, or columns of 0 and 1, got an array of shape '
                f'{y.shape} with other values. Train an estimator for each column.'
            )
        if labels and self.class_weight is not None:
            raise ConfigurationError(
                'class_weight is for one class in each row, but y has several labels. Leave it '
                'out, or give sample_weight to fit.'
            )
        if reset:
            self._multilabel = labels
        return X, y

    def _learn(
        self,
        X: Data,
        y: Data,
        sample_weight: Data,
        again: bool = False,
        names: Data = None,
        **changes: Any,
    ) -> Any:
        weights = weights_of(sample_weight, X)
        labels = y.astype('f') if self._multilabel else self._labels(y)
        if not again:
            self._make(X, len(self.classes_), weights is not None)
            target = None if self._multilabel else class_column(names, self.classes_)
            self.net_.table = self._table(target)
        else:
            changes = {'epochs': 1, 'continue_': True}
            self._weigh(self._loss(), weights)
        if self._multilabel:
            return self._learn_rows(X, labels, weights, **changes)
        stratify = labels if np.bincount(labels).min() > 1 else None
        balance = self._balance(labels)
        return self._learn_rows(X, labels, weights, stratify, class_weight=balance, **changes)

    def _build(self, sizes: Any, weighted: bool) -> None:
        """Build the network that is to be trained: of several labels, with sigmoid outputs."""
        if not self._multilabel:
            return super()._build(sizes, weighted)
        entries = [sizes[0], *self._hidden(), (sizes[1], 'sigmoid')]
        self.net_ = feedforward.Regressor(
            entries, loss=self._loss(), weighted=weighted, rng=self._seed()
        )
        return None

    def _average(self, x: Array, outputs: int) -> None:
        if not self._multilabel:
            return super()._average(x, outputs)
        kind, rng = feedforward.Regressor, self._seed()
        assert self._plan is not None
        self.net_ = defaults.network(
            kind, x, outputs, self._plan, loss=self._loss(), output='sigmoid', rng=rng
        )
        return None

    def _loss(self) -> Any:
        if self.loss is None and self._multilabel:
            return keras.losses.BinaryCrossentropy()
        return self.loss or 'xe'

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class NetRegressor(base.MultiOutputMixin, base.RegressorMixin, Tabular):
    """A `Regressor` as an estimator. Parameters are those of `Tabular` and `Estimator`.

    X is an array, or a data frame as for `NetClassifier`. With the losses 'mse' and 'mae', targets
    are standardized inside: `net_` and `loss_curve_` are of standardized values.

    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = NetRegressor([(16, 'tanh')], learning_rate=0.01, epochs=80).fit(x, x[:, 0] ** 2)
    >>> model.score(x, x[:, 0] ** 2) > 0.9
    True
    """

    KIND = feedforward.Regressor
    __init__ = constructor(**CHOSEN)

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on inputs (examples, variables) and values (examples,) or (examples, values)."""
        names, (X, y) = y, self._check(X, y, True)
        return self._learn(X, y, sample_weight, names=names)

    def partial_fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train for one more epoch. The first call standardizes the targets of all."""
        again = hasattr(self, 'net_')
        names, (X, y) = y, self._check(X, y, not again)
        return self._learn(X, y, sample_weight, again, names, epochs=1)

    def predict(self, X: Data) -> Found:
        """Values for each example, with as many axes as those of training."""
        X = self._read(X)
        return self._scaling.decode(self.net_.predict(X))

    def _check(self, X: Data, y: Data, reset: bool) -> Any:
        X, y = self._inputs(X, y, reset, multi_output=True, y_numeric=True)
        if y.dtype.kind in 'mM':
            raise DataError(
                f'y: expected numbers, got {y.dtype}. Pass the days since a date, such as '
                "(y - y.min()) / numpy.timedelta64(1, 'D')."
            )
        return X, y

    def _learn(
        self,
        X: Data,
        y: Data,
        sample_weight: Data,
        again: bool = False,
        names: Data = None,
        **changes: Any,
    ) -> Any:
        weights = weights_of(sample_weight, X)
        if not again:
            self._scaling = Scaling.of(y, weights, self.loss)
        y = self._scaling.encode(y)
        if not again:
            self._make(X, y.shape[1], weights is not None)
            self.net_.table = self._table(self._scaling.column(names))
        else:
            changes['continue_'] = True
            self._weigh(self.loss or 'mse', weights)
        return self._learn_rows(X, y, weights, **changes)


class NetAutoencoder(base.ClassNamePrefixFeaturesOutMixin, base.TransformerMixin, Estimator):
    """An `Autoencoder` as a transformer: to the middle layer, and back.

    Parameters are those of `base.Estimator`, and ``code``, the name or place of the layer to
    transform to; by default the one in the middle.

    >>> x = np.random.randn(50, 6)
    >>> model = NetAutoencoder([(2, 'tanh')], epochs=3).fit(x)
    >>> model.transform(x).shape, model.inverse_transform(model.transform(x)).shape
    ((50, 2), (50, 6))
    """

    KIND = feedforward.Autoencoder
    __init__ = constructor(code=None)

    def fit(self, X: Data, y: Data = None, sample_weight: Data = None) -> Self:
        """Train on inputs (examples, variables)."""
        return self._learn(validate_data(self, X, accept_sparse='csr'), sample_weight)

    def partial_fit(self, X: Data, y: Data = None, sample_weight: Data = None) -> Self:
        """Train for one more epoch."""
        again = hasattr(self, 'net_')
        X = validate_data(self, X, accept_sparse='csr', reset=not again)
        return self._learn(X, sample_weight, again, epochs=1)

    def transform(self, X: Data) -> Array:
        """Return the code of each example: array (examples, units)."""
        X = self._read(X)
        return self.net_.encode(X, self.code).astype(np.result_type(X.dtype, 'float32'))

    def inverse_transform(self, X: Data) -> Array:
        """Examples for given codes: array (examples, variables)."""
        check_is_fitted(self)
        return self.net_.decode(check_array(X), self.code)

    def score(self, X: Data, y: Data = None) -> float:
        """R² of the inputs that are given back."""
        X = self._read(X)
        return self.net_.score(X.toarray() if hasattr(X, 'toarray') else X)

    def _learn(
        self, X: Data, sample_weight: Data = None, again: bool = False, **changes: Any
    ) -> Any:
        weights = weights_of(sample_weight, X)
        if not again:
            self._build((X.shape[1],) * 2, weights is not None)
        elif weights is not None or self.net_.losses[0].weighted:
            self.net_.set_loss(self.loss or 'mse', target='in:out', weighted=weights is not None)
        data = [X] if weights is None else [X, np.broadcast_to(weights[:, None], X.shape)]
        self._train(data, continue_=again or None, **changes)
        layer = self.net_.layers[self._place()]
        self._n_features_out = layer.output.shape[-1]
        return self

    def _place(self) -> Any:
        names = [spec.name for spec in self.net_.specs]
        if self.code is None:
            return len(names) // 2
        return names.index(self.code) if self.code in names else self.code
