"""Estimators for one vector of each example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import base
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnets import feedforward
from kerasnets.errors import DataError
from kerasnets.estimators.base import Classifying, Estimator, constructor, weights_of
from kerasnets.typing import Array, Data, Found

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11


class NetClassifier(Classifying, Estimator):
    """A `Classifier` as an estimator. Parameters are those of `base.Estimator`.

    Attributes
    ----------
    classes_ : array (classes,)

    >>> x, y = np.eye(3).repeat(9, 0), np.array(['a', 'b', 'c']).repeat(9)
    >>> str(NetClassifier([4], learning_rate=0.1, epochs=30).fit(x, y).predict(x)[-1])
    'c'
    """

    KIND = feedforward.Classifier
    __init__ = constructor()

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on inputs (examples, variables) and a class of each example.

        Raises
        ------
        ValueError
            For data that does not fit: `DataError`, or scikit-learn's own.
        """
        X, y = self._check(X, y, reset=True)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise DataError(
                f'expected two classes or more, got one class, {self.classes_.tolist()[0]!r}.'
            )
        return self._learn(X, y, sample_weight)

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
        """The most probable class of each example."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(axis=-1)]

    def predict_proba(self, X: Data) -> Found:
        """The probability of each class: array (examples, classes)."""
        X = self._read(X)
        return self.net_.predict_proba(X)

    def decision_function(self, X: Data) -> Array:
        """Logits (examples, classes); of two classes the second's over the first's."""
        X = self._read(X)
        logits = self.net_.predict_logit(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def _check(self, X: Data, y: Data, reset: bool) -> Any:
        X, y = validate_data(self, X, y, accept_sparse='csr', reset=reset)
        check_classification_targets(y)
        return X, y

    def _learn(
        self, X: Data, y: Data, sample_weight: Data, again: bool = False, **changes: Any
    ) -> Any:
        weights, labels = weights_of(sample_weight, X), self._labels(y)
        if not again:
            self._build((X.shape[1], len(self.classes_)), weights is not None)
        else:
            changes = {'epochs': 1, 'continue_': True}
            self.net_.set_loss(self.loss or 'xe', weighted=weights is not None)
        data = [X, labels] if weights is None else [X, labels, weights]
        stratify = labels if np.bincount(labels).min() > 1 else None
        return self._train(data, stratify, class_weight=self._balance(labels), **changes)


class NetRegressor(base.MultiOutputMixin, base.RegressorMixin, Estimator):
    """A `Regressor` as an estimator. Parameters are those of `base.Estimator`.

    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = NetRegressor([(16, 'tanh')], learning_rate=0.01, epochs=80).fit(x, x[:, 0] ** 2)
    >>> model.score(x, x[:, 0] ** 2) > 0.9
    True
    """

    KIND = feedforward.Regressor
    __init__ = constructor()

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on inputs (examples, variables) and values (examples,) or (examples, values)."""
        X, y = self._check(X, y, True)
        return self._learn(X, y, sample_weight)

    def partial_fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train for one more epoch."""
        again = hasattr(self, 'net_')
        X, y = self._check(X, y, not again)
        return self._learn(X, y, sample_weight, again, epochs=1)

    def predict(self, X: Data) -> Found:
        """Values for each example, with as many axes as those of training."""
        X = self._read(X)
        found = self.net_.predict(X).astype('float64')
        return found[:, 0] if self._flat else found

    def _check(self, X: Data, y: Data, reset: bool) -> Any:
        return validate_data(
            self, X, y, accept_sparse='csr', multi_output=True, y_numeric=True, reset=reset
        )

    def _learn(
        self, X: Data, y: Data, sample_weight: Data, again: bool = False, **changes: Any
    ) -> Any:
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        weights = weights_of(sample_weight, X)
        if not again:
            self._build((X.shape[1], y.shape[1]), weights is not None)
        else:
            changes['continue_'] = True
            self.net_.set_loss(self.loss or 'mse', weighted=weights is not None)
        data = [X, y] if weights is None else [X, y, weights[:, None]]
        return self._train(data, **changes)


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

    def fit(self, X: Data, y: Data = None) -> Self:
        """Train on inputs (examples, variables)."""
        return self._learn(validate_data(self, X, accept_sparse='csr'))

    def partial_fit(self, X: Data, y: Data = None) -> Self:
        """Train for one more epoch."""
        again = hasattr(self, 'net_')
        X = validate_data(self, X, accept_sparse='csr', reset=not again)
        return self._learn(X, again, epochs=1)

    def transform(self, X: Data) -> Array:
        """The code of each example: array (examples, units)."""
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

    def _learn(self, X: Data, again: bool = False, **changes: Any) -> Any:
        if not again:
            self._build((X.shape[1],) * 2, False)
        self._train([X], continue_=again or None, **changes)
        layer = self.net_.layers[self._place()]
        self._n_features_out = layer.output.shape[-1]
        return self

    def _place(self) -> Any:
        names = [spec.name for spec in self.net_.specs]
        if self.code is None:
            return len(names) // 2
        return names.index(self.code) if self.code in names else self.code
