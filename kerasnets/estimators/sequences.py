"""Estimators for lists of sequences."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn import base
from sklearn.metrics import r2_score
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from kerasnets import recurrent
from kerasnets.data.array_spec import unmasked
from kerasnets.errors import DataError
from kerasnets.estimators.base import (
    Classifying,
    Estimator,
    classes_of,
    constructor,
    weights_of,
)
from kerasnets.language.spec import LayerSpec, parse
from kerasnets.layers import get_form
from kerasnets.layers.form import keywords
from kerasnets.typing import Array, Data, Found

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11


#: Forms that read steps of a sequence and return as many.
OF_STEPS = ('transformer', 'attention', 'conv1')


class _OfSequences(Estimator):
    """Base of the estimators for sequences."""

    _whole = False
    _values = True  # whether inputs are values, and not labels

    def _hidden(self) -> list[Any]:
        """Return the hidden layers.

        Sizes alone become LSTM layers. Where each sequence has one target, the last recurrent
        layer returns its last step only; the steps of another layer are averaged.
        """
        hidden = super()._hidden()
        if all(isinstance(entry, numbers.Integral) for entry in hidden):
            hidden = [(entry, 'lstm') for entry in hidden]
        for i in range(len(hidden))[::-1] if self._whole else ():
            spec = (
                None if isinstance(hidden[i], keras.Layer) else parse(hidden[i], 1, previous='in')
            )
            if spec is None or spec.form in ('flat', 'Flatten') or spec.form.startswith('Global'):
                break
            if _is_recurrent(spec.form):
                hidden[i] = _at_the_end(spec)
                break
            if spec.form in OF_STEPS:
                hidden.insert(i + 1, 'GlobalAveragePooling1D')
                break
        return hidden

    def _weights(self, X: Data, target: Any, sample_weight: Data) -> list[Any]:
        """Return a list of a weight for each target; an empty list without weights."""
        weights = weights_of(sample_weight, np.zeros(len(X)))
        if weights is None:
            return []
        parts = [np.full(np.shape(one), weight, 'f') for one, weight in zip(target, weights)]
        return [np.array(parts) if self._whole else parts]


class SequenceClassifier(Classifying, _OfSequences):
    """A `recurrent.Classifier` as an estimator, for lists of sequences.

    X is a list of sequences, which may differ in length, each an array (time, variables) or
    (time,) of labels. y holds a class for each sequence, or a sequence of classes for each, one
    for each step. Parameters are those of `base.Estimator`.

    >>> x = [np.full((n, 1), n % 2, 'f') for n in range(2, 12)]
    >>> model = SequenceClassifier([(4, 'lstm')], epochs=3)
    >>> model.fit(x, [len(one) % 2 == 1 for one in x]).predict(x).shape
    (10,)
    """

    KIND = recurrent.Classifier
    __init__ = constructor(layers=((100, 'lstm'),))

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on sequences and their classes, with a weight of each sequence."""
        X = _sequences(X)
        self._values = X[0].ndim > 1
        y = _targets(y, X)
        if np.shape(y[0]) == (1,) != X[0].shape[:1]:  # a column of classes
            y = np.ravel(y)
        self._whole = np.ndim(y[0]) == 0
        if not self._whole and len(y[0]) != len(X[0]):
            raise DataError(
                f'y: expected a class for each sequence, or for each of its steps, got '
                f'{len(y[0])} for sequence 0, of {len(X[0])} steps. Pass classes, not one-hot rows.'
            )
        flat = np.asarray(y) if self._whole else np.concatenate(y)
        check_classification_targets(flat)
        self.classes_ = classes_of(flat)
        if X[0].ndim == 1:  # labels
            self.n_features_in_ = int(max(one.max() for one in X)) + 1
        else:
            self.n_features_in_ = X[0].shape[1]
        labels = self._labels(flat)
        target = labels
        if not self._whole:
            target = np.split(labels, np.cumsum([len(one) for one in y])[:-1])
        weights = self._weights(X, target, sample_weight)
        self._build((self.n_features_in_, len(self.classes_)), bool(weights))
        return self._train([X, target, *weights], class_weight=self._balance(labels))

    def predict(self, X: Data) -> Found:
        """Return the most probable class of each sequence, or of each step."""
        p = self.predict_proba(X)
        return (
            self.classes_[p.argmax(-1)]
            if self._whole
            else [self.classes_[one.argmax(-1)] for one in p]
        )

    def predict_proba(self, X: Data) -> Found:
        """Return probabilities (sequences, classes), or a list of arrays (time, classes)."""
        check_is_fitted(self)
        found = self.net_.predict_proba(_sequences(X, self._values))
        return found if self._whole else list(found)

    def score(self, X: Data, y: Data, sample_weight: Data = None) -> float:
        """Return the fraction of sequences, or of steps, with the right class."""
        found = self.predict(X)
        if self._whole:
            return float(np.average(found == np.asarray(y), weights=sample_weight))
        right = [a == np.asarray(b) for a, b in zip(found, y)]
        weights = None if sample_weight is None else np.repeat(sample_weight, list(map(len, right)))
        return float(np.average(np.concatenate(right), weights=weights))


class SequenceRegressor(base.RegressorMixin, _OfSequences):
    """A `recurrent.Regressor` as an estimator, for lists of sequences.

    X is a list of sequences, which may differ in length, each an array (time, variables). y is an
    array with a value, or a row of values, for each sequence; or a list of sequences of values,
    (time,) or (time, values), one for each. Parameters are those of `base.Estimator`.

    >>> x = [np.full((n, 1), n / 10, 'f') for n in range(2, 12)]
    >>> model = SequenceRegressor([(4, 'lstm')], epochs=3)
    >>> model.fit(x, [one.sum() for one in x]).predict(x).shape
    (10,)
    """

    KIND = recurrent.Regressor
    __init__ = constructor(layers=((100, 'lstm'),))

    def fit(self, X: Data, y: Data, sample_weight: Data = None) -> Self:
        """Train on sequences and their values, with a weight of each sequence."""
        X = _sequences(X, values=True)
        y = _targets(y, X)
        steps = isinstance(y, np.ndarray) and y.ndim > 2
        self._whole = not steps and (
            isinstance(y, np.ndarray) or all(np.ndim(one) == 0 for one in y)
        )
        self._flat = np.ndim(y if self._whole else y[0]) == 1
        self.n_features_in_ = X[0].shape[-1]
        target = [np.asarray(one, 'f').reshape(self._rows(one), -1) for one in y]
        targets = np.concatenate(target) if self._whole else target
        weights = self._weights(X, targets, sample_weight)
        self._build((self.n_features_in_, target[0].shape[1]), bool(weights))
        return self._train([X, targets, *weights])

    def predict(self, X: Data) -> Found:
        """Return the values of each sequence, or of each step, in the form of training."""
        check_is_fitted(self)
        found = self.net_.predict(_sequences(X, values=True))
        if self._whole:
            return found[:, 0] if self._flat else found
        return [one[:, 0] if self._flat else one for one in found]

    def score(self, X: Data, y: Data, sample_weight: Data = None) -> float:
        """Return R² of the values; each step counts as an example."""
        found = self.predict(X)
        if self._whole:
            return float(r2_score(y, found, sample_weight=sample_weight))
        weights = None if sample_weight is None else np.repeat(sample_weight, list(map(len, found)))
        return float(r2_score(np.concatenate(y), np.concatenate(found), sample_weight=weights))

    def _rows(self, target: Any) -> int:
        return 1 if self._whole else len(target)


def _is_recurrent(form: str) -> bool:
    """Return True if a layer of a form may return its last step only."""
    found = get_form(form)
    kind = found.choose if isinstance(found.choose, type) else None
    known = kind is not None and 'return_sequences' in keywords(kind)
    return known or form == 'bidirectional' or 'return_sequences' in found.defaults


def _at_the_end(spec: LayerSpec) -> dict[str, Any]:
    """Build the entry of a recurrent layer that outputs its last step only."""
    plain = {'form': spec.form, 'size': spec.size, 'activation': spec.activation}
    given = {name: value for name, value in plain.items() if value is not None}
    return {**given, **spec.options, 'return_sequences': False}


def _sequences(X: Data, values: bool | None = None) -> list[Array]:
    """Return sequences as arrays: (steps, variables) of numbers, or (steps,) of labels.

    Series (steps,) of values become one variable. With `values` None, they are values if any
    number is a float.

    Raises
    ------
    DataError
    """
    found = []
    for i, one in enumerate(X):
        unmasked(one, f'X, sequence {i}')
        array = np.asarray(one)
        if array.ndim not in (1, 2) or array.dtype.kind not in 'biuf' or not len(array):
            what = 'words' if array.dtype.kind in 'OUS' else f'shape {array.shape}'
            raise DataError(
                f'expected sequences of numbers, (steps, variables) or (steps,), got {what} as '
                f'X[{i}]. Pass a list of arrays; encode_labels of kerasnets.util numbers words.'
            )
        found.append(array)
    if not found:
        raise DataError('expected at least one sequence, got none. Pass more data.')
    if values is None:
        values = any(array.dtype.kind == 'f' for array in found)
    return [array[:, None] if values and array.ndim == 1 else array for array in found]


def _targets(y: Data, X: list[Array]) -> Any:
    """Return targets, one for each sequence or a list of steps.

    Raises
    ------
    DataError
    """
    if y is None:
        raise DataError('expected y, the target of each sequence, got none. Pass one for each.')
    for one in [y, *y] if isinstance(y, list) else [y]:
        unmasked(one, 'y')
    if hasattr(y, 'to_numpy'):  # of pandas
        y = y.to_numpy()
    check_consistent_length(X, y)
    return y
