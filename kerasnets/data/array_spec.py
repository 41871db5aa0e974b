"""`ArraySpec`: the specification of one array of the data.

Arrays are checked before use and never copied. Sequences of different lengths (`Ragged`) and
SciPy's sparse matrices become dense batch by batch.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasnets.errors import DataError
from kerasnets.typing import Array

#: The remedy for labels that are not integers from 0.
ENCODE = 'Number the classes: labels, names = kerasnets.util.encode_labels(labels).'

#: Maximum number of values that a check reads at once, which bounds its memory.
CHUNK = 2**22


class Ragged:
    """Sequences of different lengths, each an array (time, …)."""

    def __init__(self, sequences: list[Array]) -> None:
        self.sequences = sequences
        self.lengths = np.array([len(s) for s in sequences], dtype=int)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.sequences)

    def padded(self, rows: Array, dtype: str) -> Array:
        """Return some sequences as an array (rows, time, …), padded with zeros at the end."""
        mask = self.mask(rows)
        rest = self.sequences[0].shape[1:]
        padded = np.zeros((*mask.shape, *rest), dtype)
        padded[mask] = np.concatenate([self.sequences[row] for row in rows])
        return padded

    def mask(self, rows: Array) -> Array:
        """Return a mask of the steps that are not padding: bool (rows, time), at least one step."""
        lengths = self.lengths[rows]
        return np.arange(max(1, lengths.max())) < lengths[:, None]


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """The specification of one array that the network accepts.

    Attributes
    ----------
    name : str
        The name in messages, such as "inputs ('in')".
    shape : tuple
        None stands for any length. The first axis holds the examples.
    kind : {'values', 'labels', 'weights'}
    classes : int or None
        Number of classes: labels must be at least 0 and less than this.
    static : tuple
        The shape of all batches, if `shape` holds the exact lengths of one array.
    dtype : str
        The dtype of the batches.
    ragged : bool
        Whether the data is sequences of different lengths.
    masked : bool
        Whether each batch of such sequences comes with a mask of its padding.
    longest : int or None
        Maximum number of steps of a sequence.
    """

    name: str
    shape: tuple[int | None, ...]
    kind: str = 'values'
    classes: int | None = None
    static: tuple[int | None, ...] | None = None
    dtype: str = 'float32'
    ragged: bool = False
    masked: bool = False
    longest: int | None = None

    def take(self, data: Any) -> Any:
        """Return the checked data as numpy, `Ragged` or a sparse matrix; an array is not copied.

        Raises
        ------
        DataError
            If the data does not fit; the message names the first wrong row.
        """
        if self.ragged:
            return Ragged([self._sequence(i, s) for i, s in enumerate(data)])
        if hasattr(data, 'tocsr') and len(self.shape) == 2 and self.kind == 'values':
            data = data.tocsr()
            self._check_shape(data.shape)
            self._check_values(data.data, 'value')
            return data
        array = self._with_axes(self._as_array(data))
        if self.kind == 'weights' and 0 < array.ndim < len(self.shape):
            return self._fewer(array)
        self._check_shape(array.shape, array=array)
        if 0 in array.shape[1:]:
            raise DataError(
                f'{self.name}: expected no axis of length 0, got {array.shape}. '
                'Remove the empty examples.'
            )
        self._check(array)
        return array

    @property
    def of_one_value(self) -> bool:
        """True if an array may lack the last axis, which has one value."""
        return self.kind == 'values' and self.shape[-1] == 1

    def _with_axes(self, array: Array) -> Array:
        """Return the array with a last axis of length 1 added or removed to match the spec."""
        more = array.ndim - len(self.shape)
        if self.kind == 'labels' and more == 1 and array.shape[-1] == 1:
            return array[..., 0]
        if self.of_one_value and more == -1 and array.ndim:
            return array[..., None]
        return array

    def _fewer(self, array: Array) -> Array:
        """Return weights of whole examples or steps, with axes of length 1 appended."""
        dataclasses.replace(self, shape=self.shape[: array.ndim])._check_shape(array.shape)
        self._check(array)
        return array.reshape(*array.shape, *(1,) * (len(self.shape) - array.ndim))

    def batch(self, data: Any, rows: Any) -> list[Array]:
        """Return some rows of checked data, dense and in this spec's dtype: a list of arrays."""
        if isinstance(data, Ragged):
            rows = np.arange(len(data))[rows]
            padded = data.padded(rows, self.dtype)
            return [padded, data.mask(rows)] if self.masked else [padded]
        part = data[rows]
        part = part.toarray() if hasattr(part, 'tocsr') else part
        return [np.asarray(part, dtype=self.dtype)]

    def copy(self, data: Any, rows: Array, room: Array) -> Array:
        """Copy rows of an array or a sparse matrix into an existing array."""
        room = room[: len(rows)]
        if isinstance(data, np.ndarray) and data.dtype == room.dtype:
            return np.take(data, rows, axis=0, out=room, mode='clip')
        room[...] = self.batch(data, rows)[0]
        return room

    def signature(self) -> list[tuple[tuple[int | None, ...], str]]:
        """Return (shape, dtype) of each array that `batch` returns."""
        whole = (self.static or self.shape, self.dtype)
        return [whole, ((None, None), 'bool')] if self.masked else [whole]

    def _sequence(self, i: int, data: Any) -> Array:
        """Check one sequence of a ragged spec."""
        one = dataclasses.replace(
            self, name=f'{self.name}, sequence {i}', shape=self.shape[1:], ragged=False
        )
        array = one._with_axes(one._as_array(data))
        one._check_shape(array.shape, first=0, array=array)
        one._check(array, 'step')
        return array

    def _as_array(self, data: Any) -> Array:
        if hasattr(data, 'tocsr'):
            raise DataError(
                f'{self.name}: expected an array, got a sparse matrix. Call its toarray().'
            )
        unmasked(data, self.name)
        if hasattr(data, 'detach'):  # of PyTorch, perhaps with a gradient
            data = data.detach().cpu()
        try:
            array = np.asarray(data)
        except ValueError:
            raise DataError(
                f'{self.name}: expected rows of one length, got rows that differ. '
                'For a recurrent network, pass sequences of different lengths as a list of '
                'arrays. Pad others to one length.'
            ) from None
        if array.dtype == object:
            array = _numbers(array)
        if array.dtype.kind in 'fiub':
            return array
        raise DataError(
            f'{self.name}: expected numbers, got {_not_numbers(data, array)}. '
            + (ENCODE if self.kind == 'labels' else 'Convert them to numbers first.')
        )

    def _check_shape(
        self, shape: tuple[int, ...], first: int = 1, array: Array | None = None
    ) -> None:
        """Refuse another number of axes, or other lengths of the axes from `first` on."""
        pairs = zip(self.shape[first:], shape[first:])
        if len(shape) != len(self.shape) or any(w is not None and w != got for w, got in pairs):
            raise DataError(
                f'{self.name}: expected shape {_shape(self.shape)}, got {tuple(shape)}.'
                + self._hint(shape, array)
            )
        if self.longest is not None and shape[first] > self.longest:
            raise DataError(
                f'{self.name}: expected at most {self.longest} steps, for which the network has '
                f'learned positions, got {shape[first]}. Cut the sequences, or build the network '
                "with positions='rotary' or a larger context."
            )

    def _hint(self, shape: tuple[int, ...], array: Array | None) -> str:
        ndim, want, rest = len(shape), self.shape[1:2], self.shape[1:]
        of_steps = len(self.shape) > 2 or (self.kind != 'values' and len(self.shape) == 2)
        same = ndim == len(self.shape) and want != (None,)
        if of_steps and same and shape[:1] == want != shape[1:2]:
            return (
                ' Time seems to be its first axis. Pass (examples, time, …) as for the inputs, '
                'or build the network with time_major=True.'
            )
        if self.kind == 'labels' and ndim == len(self.shape) + 1 and shape[0] != 1:
            if shape[-1] == self.classes:
                return _labels_in(array)
            return (
                ' Pass one label for each example. Recurrent networks without '
                'return_sequences=False take one for each time step.'
            )
        if self.kind == 'labels' and ndim == 1 < len(self.shape) - 1:
            return " For one label for each example, put 'flat' before the dense layers."
        axes = 2 if self.kind == 'labels' else 3  # of a target of steps
        one_step = ndim == 1 or (ndim == 2 and shape[1:] == self.shape[2:])
        if self.name.startswith('targets') and axes == len(self.shape) > ndim and one_step:
            what = 'label' if self.kind == 'labels' else 'target'
            return (
                f' For one {what} for each sequence, write the last recurrent layer as '
                "dict(form='rnn', size=20, return_sequences=False), with your form and size."
            )
        if self.kind == 'values' and ndim == len(self.shape) - 1 and _fits(rest, shape):
            return ' For one example, add an axis: array[None].'
        if ndim == len(self.shape) + 1 and shape[0] == 1 and _fits(rest, shape[2:]):
            return ' Pass it without its first axis of length 1, or without a list around it.'
        if self.kind == 'values' and None not in rest and 0 not in shape:
            if ndim == 2 == len(self.shape) and shape[0] == rest[0]:
                return ' Its axes seem to be swapped. Use array.T.'
            if ndim == len(self.shape) > 2 and _fits(rest, (*shape[2:], shape[1])):
                return ' The channels are its last axis here. Use numpy.moveaxis(array, 1, -1).'
            if ndim > 1 and math.prod(shape[1:]) == math.prod(n or 0 for n in rest):
                return f' Use array.reshape(-1, {", ".join(map(str, rest))}).'
        return ' Reshape the array, or change the sizes of the layers.'

    def _check(self, array: Array, row: str = 'row') -> None:
        (self._check_labels if self.kind == 'labels' else self._check_values)(array, row)

    def _check_values(self, array: Array, row: str = 'row') -> None:
        if array.dtype.kind == 'f':
            limit = np.finfo(self.dtype).max if 'float' in self.dtype else np.inf
            for start, rows in _chunks(array):
                # NaN and infinities reach the sum, and cost less than a flag for each value
                with np.errstate(all='ignore'):
                    clean = np.isfinite(rows.sum())
                if not clean:
                    self._refuse(start, rows, ~np.isfinite(rows), 'finite numbers', row)
                if (
                    rows.dtype.itemsize > 4
                    and max(rows.max(initial=0), -rows.min(initial=0)) > limit
                ):
                    what = f'numbers of at most {limit:.2g}, the largest {self.dtype}'
                    self._refuse(start, rows, abs(rows) > limit, what, row)
        if self.kind == 'weights':
            for start, rows in _chunks(array):
                self._refuse(start, rows, rows < 0, 'weights of 0 or more', row)

    def _check_labels(self, array: Array, row: str = 'row') -> None:
        top = np.inf if self.classes is None else self.classes
        for start, rows in _chunks(array):
            if rows.dtype.kind == 'f':
                with np.errstate(invalid='ignore'):
                    whole = rows == np.floor(rows)
                what = f'whole numbers as labels (the dtype is {array.dtype})'
                remedy = f'Fix or remove that {row}, or use a Regressor for values.'
                self._refuse(start, rows, ~whole, what, row, remedy)
            if rows.size and (rows.min() < 0 or rows.max() >= top):
                wrong = (rows < 0) | (rows >= top)
                what = f'labels of 0 to {top - 1}, for {top} class' + 'es' * (top > 1)
                self._refuse(start, rows, wrong, what, row, _labels_remedy(array, top))

    def _refuse(
        self, start: int, rows: Array, wrong: Array, expected: str, row: str, remedy: str = ''
    ) -> None:
        if wrong.any():
            first = np.argwhere(wrong)[0]
            raise DataError(
                f'{self.name}: expected {expected}, got {rows[tuple(first)]} '
                f'in {row} {start + first[0]}. ' + (remedy or f'Fix or remove that {row}.')
            )


def _not_numbers(data: Any, array: Array) -> str:
    """Describe the first part of the data that is not a number, with its column or row."""
    columns = getattr(data, 'columns', None)
    if columns is not None:
        for name in columns:
            if np.asarray(data[name]).dtype.kind not in 'fiub':
                return f'column {name!r} of dtype {data[name].dtype}'
    if array.dtype == object:
        for place in np.ndindex(array.shape):
            if not _is_number(array[place]):
                return f'{array[place]!r} in row {place[0] if place else 0}'
    return f'dtype {array.dtype}'


def _labels_remedy(array: Array, classes: float) -> str:
    """Return the remedy for labels outside of the range of the classes."""
    if classes == 1:
        return 'Give the network one output for each class, such as 2 for labels of 0 and 1.'
    values = np.unique(array)
    if len(values) <= classes:
        return f'Labels start at 0. {ENCODE}'
    if values[0] >= 0 and values[-1] < 2 * len(values):
        return f'Make the last layer of size {int(values[-1]) + 1}, or fix the labels.'
    return 'Fix or remove the rows with other labels.'


def _numbers(array: Array) -> Array:
    """Convert an array of objects to numbers if all are; missing values become NaN."""
    items = array.ravel().tolist()
    if not all(item is None or str(item) == '<NA>' or _is_number(item) for item in items):
        return array
    found = np.array([float(item) if _is_number(item) else np.nan for item in items])
    whole = all(isinstance(item, numbers.Integral) for item in items)
    return (found.astype(int) if whole else found).reshape(array.shape)


def _is_number(item: Any) -> bool:
    return isinstance(item, (numbers.Real, np.bool_))


def unmasked(data: Any, name: str) -> None:
    """Raise DataError if an array has masked values."""
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        row = int(np.argwhere(np.ma.getmaskarray(data))[0][0])
        raise DataError(
            f'{name}: expected an array without masked values, got one in row {row}. '
            'Fill them, such as array.filled(0), or remove these rows.'
        )


def are_one_hot(rows: Array) -> bool:
    """Return True if each row has a single 1 and is 0 elsewhere."""
    return bool(np.isin(rows, (0, 1)).all() and (rows.sum(-1) == 1).all())


def _labels_in(rows: Array | None) -> str:
    """Say how to give the classes of rows with a value for each class."""
    values = np.zeros((1, 2)) if rows is None else np.asarray(rows, 'float64')
    if rows is None or are_one_hot(values):
        return ' Labels are integers, not one-hot rows. Use array.argmax(axis=-1).'
    if (values >= 0).all() and np.allclose(values.sum(-1), 1):
        return " For probabilities of the classes, build the network with loss='kl'."
    if not np.isin(values, (0, 1)).all():
        return ' To predict values, use a Regressor.'
    return (
        ' For several labels of one example, use a Regressor with the last layer '
        f"({values.shape[-1]}, 'logistic') and loss='binary_crossentropy'."
    )


def _fits(wanted: Sequence[int | None], shape: Sequence[int]) -> bool:
    return all(want in (None, got) for want, got in zip(wanted, shape))


def _chunks(array: Array) -> Iterator[tuple[int, Array]]:
    rows = max(1, CHUNK // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


def _shape(shape: tuple[int | None, ...]) -> str:
    return (
        '('
        + ', '.join('any' if n is None else str(n) for n in shape)
        + (',)' if len(shape) == 1 else ')')
    )


def is_ragged(data: Any, ndim: int) -> bool:
    """Return True if data is a list of sequences, each an array of `ndim - 1` axes.

    A list of arrays counts as sequences for any lengths, so that all batches have one form; a list
    of lists only if their lengths differ.
    """
    if isinstance(data, np.ndarray) and data.dtype == object:
        data = list(data)
    if not isinstance(data, (list, tuple)) or not data:
        return False
    if all(hasattr(sequence, 'ndim') for sequence in data):
        return all(sequence.ndim == ndim - 1 for sequence in data)
    try:
        return len({len(sequence) for sequence in data}) > 1
    except TypeError:
        return False


def turn(data: Any) -> Any:
    """Swap the first two axes of an array, time and examples; return a list unchanged."""
    if isinstance(data, (list, tuple)) or np.ndim(data) < 2:
        return data
    return np.swapaxes(data, 0, 1)


def length(data: Any) -> int:
    """Return the number of examples in checked data; a sparse matrix has no len()."""
    return data.shape[0] if hasattr(data, 'shape') else len(data)


def dense(data: Any) -> Any:
    """Return checked data with a sparse matrix as an array."""
    return data.toarray() if hasattr(data, 'tocsr') else data


def end_to_end(data: Any) -> Array:
    """Return an array unchanged; concatenate a list of sequences or a `Ragged`."""
    sequences = data.sequences if isinstance(data, Ragged) else data
    return np.concatenate(sequences) if isinstance(sequences, list) else sequences


def fill(specs: Sequence[ArraySpec], arrays: Any, what: str = 'data') -> list[Any]:
    """Check arrays against their specs and against each other, and return them.

    Raises
    ------
    DataError
        If the number of arrays is wrong or an array does not fit its spec.
    """
    if len(arrays) != len(specs):
        names = ', '.join(spec.name for spec in specs)
        hint = ' Pass one array for each of these, in this order.'
        if len(specs) == 1:
            hint = ' The inputs are the targets too: pass them once, as [inputs].'
        elif len(arrays) == len(specs) + 1:
            hint = ' For weights, build the network with weighted=True.'
        elif len(arrays) < len(specs):
            hint = f' Pass them as one list: [{", ".join(s.name.split()[0] for s in specs)}].'
        raise DataError(f'{what}: expected {len(specs)} arrays ({names}), got {len(arrays)}.{hint}')
    taken = [spec.take(array) for spec, array in zip(specs, arrays)]
    for spec, array in zip(specs[1:], taken[1:]):
        if length(array) != length(taken[0]):
            raise DataError(
                f'{what}: expected as many {spec.name} as {specs[0].name}, '
                f'got {length(array)} and {length(taken[0])}. Pass one for each example.'
            )
    _check_lengths(specs, taken)
    return taken


def _check_lengths(specs: Sequence[ArraySpec], taken: list[Any]) -> None:
    """Refuse targets and weights whose sequences are not as long as those of an input."""
    inputs = [a for spec, a in zip(specs, taken) if spec.masked]
    for spec, array in zip(specs, taken):
        if spec.masked or not spec.ragged:
            continue
        if not any(np.array_equal(array.lengths, other.lengths) for other in inputs):
            wrong = int(np.argmax(array.lengths != inputs[0].lengths))
            raise DataError(
                f'{spec.name}, sequence {wrong}: expected {inputs[0].lengths[wrong]} steps, as '
                f'its inputs have, got {array.lengths[wrong]}. Pass one for each step.'
            )
