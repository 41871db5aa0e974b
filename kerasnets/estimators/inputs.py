"""Inputs and targets of the estimators: arrays as they are, data frames through their encoding."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import validate_data

from kerasnets.data.array_spec import unmasked
from kerasnets.data.columns import Column, Columns, sentinel
from kerasnets.data.notation import Notation
from kerasnets.data.tables import Table, as_text
from kerasnets.errors import DataError
from kerasnets.losses import Loss
from kerasnets.typing import Array, Data

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: In place of targets, where there are none to check.
NO_TARGETS = 'no_validation'

#: Losses of differences: those of standardized targets are the same up to a factor.
SCALED = 'mse', 'mae', 'mean_squared_error', 'mean_absolute_error', 'huber'


class Inputs:
    """Checked inputs of an estimator.

    Attributes
    ----------
    columns_ : Columns or None
        The encoding of the data frame of `fit`; None for an array.
    """

    columns_: Columns | None = None
    _names: list[Any] | None = None

    def _inputs(self, X: Data, y: Data = NO_TARGETS, reset: bool = False, **checks: Any) -> Any:
        """Return inputs as an array (rows, inputs), and `y` if it is passed.

        Parameters
        ----------
        X : array, sparse array or data frame
            A data frame may hold numbers, booleans, words, categories, dates and gaps. One of
            numbers without gaps is taken as an array is.
        y : array, optional
        reset : bool
            Learn the encoding.
        **checks
            Of scikit-learn's `validate_data`.

        Raises
        ------
        ValueError
            For data that does not fit: `DataError`, or scikit-learn's own.
        """
        unmasked(X, 'X')
        unmasked(y, 'y')
        if isinstance(X, dict):
            raise DataError('expected rows, got a dict. Pass pandas.DataFrame([row]) for one row.')
        frame, alone = _frame(X), isinstance(y, str) and y == NO_TARGETS
        numbers = reset and frame is not None and _of_numbers(frame)
        if reset:
            self.columns_ = Columns.of_numbers(frame) if numbers else None
            self._names = None if frame is None else list(frame.columns)
        if numbers or (self.columns_ is None and (frame is None or not reset)):
            targets = {} if alone else {'y': y}
            for name, values in frame.items() if frame is not None and numbers else ():
                if seeming := sentinel(str(name), values.to_numpy('d')):
                    warnings.warn(seeming[1], stacklevel=4)
            return validate_data(self, X, **targets, accept_sparse='csr', reset=reset, **checks)
        validate_data(self, X if frame is None else frame, reset=reset, skip_check_array=True)
        if frame is None:
            rows = check_array(X, dtype=None, ensure_all_finite=False)
            frame = pd.DataFrame(rows, columns=self._names)
        if not len(frame):
            check_array(np.zeros((0, 1)))  # scikit-learn's error
        if not alone:
            checks = {k: v for k, v in checks.items() if k in ('multi_output', 'y_numeric')}
            _, y = check_X_y(np.zeros((len(frame), 1)), y, **checks)
        if reset:
            table = Table.of(frame)
            self.columns_ = Columns.of(table)
            out = [f'{name!r} ({why})' for name, why in self.columns_.left_out]
            unclear = [
                f'column {name!r}: {why}'
                for name, reading in table.readings.items()
                for why in (reading.doubt, reading.guess.partition('; --')[0])
                if why
            ]
            for note in [f'columns left out: {", ".join(out)}'] * bool(out) + [
                *self.columns_.notes,
                *unclear,
            ]:
                warnings.warn(note, stacklevel=4)
        else:
            assert self.columns_ is not None
            table = self.columns_.table(frame)
        assert self.columns_ is not None
        inputs = self.columns_.inputs(table)
        for line in () if reset else self.columns_.unseen(table):
            warnings.warn(line, stacklevel=4)
        return inputs if alone else (inputs, y)

    def _table(self, target: Column | None) -> Columns | None:
        """Return the encoding for the file of a network, with what it predicts."""
        if self.columns_ is None:
            return None
        if target is not None and target.name in self.columns_.notations:
            target = dataclasses.replace(target, name=f'target {target.name}')
        return dataclasses.replace(self.columns_, target=target)


def _frame(X: Data) -> pd.DataFrame | None:
    """Return the inputs if they are a data frame, else None."""
    if not isinstance(X, pd.DataFrame):
        return X.to_pandas() if hasattr(X, 'to_pandas') and hasattr(X, 'columns') else None
    if not X.columns.size or not X.columns.is_unique:
        twice = [str(name) for name in X.columns[X.columns.duplicated()]]
        what = f'two columns of the name {twice[0]!r}' if twice else 'none'
        raise DataError(f'expected columns of different names, got {what}. Rename or add columns.')
    return X


def _of_numbers(frame: pd.DataFrame) -> bool:
    """Return True if all columns are numbers without gaps."""
    plain = all(isinstance(t, np.dtype) and t.kind in 'iuf' for t in frame.dtypes)
    return plain and len(frame) > 0 and not frame.isna().any(axis=None)


def class_column(y: Data, classes: Array) -> Column:
    """Return the column of the classes that a network predicts."""
    words = tuple(map(as_text, classes))
    return Column(str(getattr(y, 'name', None) or 'target'), Notation(), words)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Targets of regression, standardized.

    Attributes
    ----------
    center, scale : array (values,)
    flat : bool
        Whether targets are (rows,), not (rows, values).
    """

    center: Array
    scale: Array
    flat: bool

    @classmethod
    def of(cls, y: Array, weights: Array | None, loss: Any) -> Self:
        """Return the scaling of targets: none for a loss that is of more than differences."""
        rows = y.reshape(len(y), -1).astype('float64')
        form = loss.form if isinstance(loss, Loss) else loss
        form = form.get('form') if isinstance(form, dict) else form
        if form is not None and form not in SCALED:
            return cls(np.zeros(rows.shape[1]), np.ones(rows.shape[1]), y.ndim == 1)
        center = np.average(rows, axis=0, weights=weights)
        scale = np.sqrt(np.average(np.square(rows - center), axis=0, weights=weights))
        tiny = np.abs(center) * 1e-12
        return cls(center, np.where(scale > tiny, scale, 1.0), y.ndim == 1)

    def encode(self, y: Array) -> Array:
        """Return float32 array (rows, values)."""
        return ((y.reshape(len(y), -1) - self.center) / self.scale).astype('f')

    def decode(self, found: Array) -> Array:
        """Return values with as many axes as the targets."""
        values = found.astype('float64') * self.scale + self.center
        return values[:, 0] if self.flat else values

    def column(self, y: Data) -> Column | None:
        """Return the column of the values that a network predicts; None for several."""
        if len(self.center) > 1:
            return None
        name = getattr(y, 'name', None) or next(iter(getattr(y, 'columns', [])), None)
        center, scale = float(self.center[0]), float(self.scale[0])
        return Column(str(name or 'target'), Notation('number'), center=center, scale=scale)
