"""Datasets: data checked against the network's specs and returned in batches."""

from __future__ import annotations

import contextlib
import copy
import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kerasnets import devices
from kerasnets.data import blocks
from kerasnets.data.array_spec import Ragged, end_to_end, fill, length
from kerasnets.errors import ConfigurationError, DataError, positive

#: Default number of batches of a callable in an epoch, as in theanets.
CALLABLE_BATCHES = 100

#: Maximum bytes of a block of batches that is passed to TensorFlow at once.
BLOCK = 2**24


def dataset(
    source: Any, fit: Any, *, what: str = 'data', batch_size: int = 32, batches: int | None = None
) -> Dataset:
    """Return the `Dataset` of a source: checked batches, an epoch at a time.

    Parameters
    ----------
    source : list of arrays, callable, generator, tf.data.Dataset, PyDataset or other iterable
        A callable takes no arguments and returns one batch, a list of arrays. Others yield such
        batches.
    fit : callable
        batch -> the specs of its arrays, and the arrays.
    what : str
        The name of the data in messages.
    batch_size : int
        Number of examples in a batch, if the source is arrays.
    batches : int, optional
        Number of batches in an epoch. Default: all of an array or an iterable, the length of a
        callable that has one, 100 of another callable or a generator.

    Raises
    ------
    DataError, ConfigurationError
        At once, for arrays or for the first batch that does not fit.
    """
    batch_size = positive(batch_size, 'batch_size')
    if batches is not None:
        batches = positive(batches, f'{what}_batches')
    if hasattr(source, 'shape') and not callable(source):
        source = [source]  # a bare array, where the network takes only one
    if isinstance(source, (list, tuple)):
        return Arrays(source, fit, what, batch_size, batches)
    if isinstance(source, Mapping):
        raise DataError(
            f'{what}: expected a list of arrays, got a {type(source).__name__}. Pass its arrays as '
            'one list: [inputs, targets].'
        )
    return Stream(source, fit, what, batches)


class Dataset:
    """Batches of data: `epoch` yields them, `feed` passes them to Keras."""

    def __init__(self, fit: Any, what: str) -> None:
        self.fit = fit
        self.what = what
        self.specs: Any = None
        self.batches: Any = None  # in an epoch, where that is known
        self.error: Exception | None = None  # what the source raised while Keras was reading it
        self._feed: Any = None
        # Whether most batches have one shape, so that they can be handed over together as blocks.
        # Their rows, and the shape of a row of the first input.
        self.block = False
        self.batch_size: Any = None
        self.shape: Any = None
        self._first: Any = None

    def again(self) -> Dataset | None:
        """Return the data for evaluation, in its own order; None if it can be read only once."""
        return self

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Raise the error of the source itself instead of a backend's wrapper."""
        try:
            yield
        except Exception:
            if self.error is None:
                raise
            cause, self.error = self.error, None
            raise cause from None

    def shuffle(self, rng: Any) -> None:
        """Shuffle the rows of arrays in each epoch. Without this call they keep their order."""
        self.rng = rng

    def epoch(self) -> Any:
        """Return an iterator of one epoch's batches: tuples of arrays in the specs' dtypes."""
        self._renew()
        return self._batches()

    def row(self) -> Any:
        """Return the first row of each array of a usual batch."""
        return self._first

    def pieces(self, batches: int | None) -> Iterator[tuple[Any, int, bool]]:
        """Yield the batches of the next epoch for `blocks.pack`.

        Each comes with its number of rows, and True if its rows have the usual shape.
        """
        usual = [part.shape[1:] for part in self.row()] if self.block else None
        batch = None
        for batch in itertools.islice(self.epoch(), batches):
            yield batch, len(batch[0]), [part.shape[1:] for part in batch] == usual
        if batch is None:
            raise DataError(
                f'{self.what}: expected at least one batch in each epoch, got none. '
                'Pass a source that starts anew for each epoch.'
            )

    def parts(self, piece: Any) -> Any:
        """Return the arrays of a batch that `pieces` yielded."""
        return piece

    def write(self, pieces: Any, size: int, room: Any) -> None:
        """Copy batches that `pieces` yielded into the beginning of other arrays."""
        for space, *parts in zip(room, *pieces) if pieces else ():
            whole = [blocks.filled(part, size) for part in parts]
            np.concatenate(whole, out=space[: sum(map(len, whole))])

    def _renew(self) -> None:
        """Prepare for another epoch."""

    def _raw(self) -> Iterator[Any]:
        """Yield the checked arrays and the rows of each batch."""
        raise NotImplementedError

    def _batches(self) -> Iterator[Any]:
        for arrays, rows in self._raw():
            yield tuple(p for s, a in zip(self.specs, arrays) for p in s.batch(a, rows))

    def feed(self) -> Any:
        """Return an epoch for Keras, each batch as the one input of a model.

        An error of the source is stored in `error`, since backends wrap it.
        """
        if keras.backend.backend() != 'tensorflow':
            return (devices.own(batch) for batch in self._guarded())
        if self._feed is None:
            self._feed = devices.pipeline(_weakly(self._guarded), self._spec())
        return self._feed

    def _spec(self) -> Any:
        import tensorflow as tf

        return tuple(tf.TensorSpec(*parts) for spec in self.specs for parts in spec.signature())

    def _guarded(self) -> Iterator[Any]:
        try:
            yield from self._batches()
        except Exception as error:
            self.error = error
            raise


class Arrays(Dataset):
    """Batches of rows from arrays in memory. The arrays are never copied as a whole."""

    def __init__(self, arrays: Any, fit: Any, what: str, batch_size: Any, batches: Any) -> None:
        super().__init__(fit, what)
        self.specs, arrays = fit(arrays)
        self.arrays = fill(self.specs, arrays, what)
        self.count = length(self.arrays[0])
        if not self.count:
            raise DataError(f'{what}: expected at least one example, got none. Pass more data.')
        weights = [a for spec, a in zip(self.specs, self.arrays) if spec.kind == 'weights']
        if weights and not any(np.any(end_to_end(array)) for array in weights):
            raise DataError(
                f'{what}: all weights are 0. Give at least one example a positive weight.'
            )
        # a large batch takes no more memory than the rows need; similar data shares a program
        self.batch_size = min(batch_size, 1 << (self.count - 1).bit_length())
        whole = -(-self.count // batch_size)
        self.batches = min(whole, batches or whole)
        self.rng = None
        self.order = np.arange(self.count)  # of the rows, in this epoch
        self.ragged = any(isinstance(array, Ragged) for array in self.arrays)  # padded by batches
        if not self.ragged:
            self._first = [p for s, a in zip(self.specs, self.arrays) for p in s.batch(a, slice(1))]
            self.block = True
            self.shape = self._first[0].shape[1:]

    def feed(self) -> Any:
        """Return an epoch for Keras: blocks for TensorFlow, batches for other backends."""
        self._renew()  # now, not when it is read: Keras may start reading an epoch twice
        if self.ragged or keras.backend.backend() != 'tensorflow' or devices.devices() > 1:
            return super().feed()
        if self._feed is None:
            self._feed = self._tf_feed()
        return self._feed

    def again(self) -> Arrays:
        """Return the same arrays in their own order."""
        other = copy.copy(self)
        other.rng, other.order, other._feed = None, np.arange(self.count), None
        return other

    def pieces(self, batches: int | None) -> Iterator[tuple[Any, int, bool]]:
        """Yield the rows of each batch of the next epoch."""
        if self.ragged:
            yield from super().pieces(batches)
            return
        self._renew()
        order = self.order[: (batches or self.batches) * self.batch_size]
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield rows, len(rows), True

    def parts(self, piece: Any) -> Any:
        """Return the arrays of a batch that `pieces` yielded."""
        if self.ragged:
            return piece
        return tuple([p for s, a in zip(self.specs, self.arrays) for p in s.batch(a, piece)])

    def write(self, pieces: Any, size: int, room: Any) -> None:
        """Copy the rows of batches into the beginning of other arrays."""
        order = np.concatenate([blocks.filled(rows, size) for rows in pieces or [self.order[:0]]])
        for spec, array, space in zip(self.specs, self.arrays, room):
            spec.copy(array, order, space)

    def _renew(self) -> None:
        """Draw the order of the next epoch."""
        if self.rng is not None:
            self.order = self.rng.permutation(self.count)

    def _raw(self) -> Any:
        return self._cut(1)

    def _cut(self, batches: Any) -> Iterator[Any]:
        """Yield (arrays, row numbers) of `batches` batches at a time, in the order of the epoch."""
        step = batches * self.batch_size
        for start in range(0, self.batches * self.batch_size, step):
            rows = self.order[start : min(start + step, self.batches * self.batch_size)]
            yield self.arrays, rows

    def _several(self) -> Iterator[Any]:
        """Yield blocks of batches, each in new arrays, since several are in use at once."""
        for arrays, rows in self._cut(_in_block(self.row(), self.batch_size)):
            yield tuple(p for s, a in zip(self.specs, arrays) for p in s.batch(a, rows))

    def _tf_feed(self) -> Any:
        """Return a pipeline: blocks of many batches, which TensorFlow cuts into batches."""
        import tensorflow as tf

        size = self.batch_size

        def cut(*block: Any) -> Any:
            starts = tf.data.Dataset.range(0, tf.shape(block[0], 'int64')[0], size)
            return starts.map(lambda i: (tuple(b[i : i + size] for b in block),))

        several = _weakly(self._several)
        return (
            tf.data.Dataset.from_generator(several, output_signature=self._spec())
            .prefetch(1)
            .flat_map(cut)
            .prefetch(2)
        )


def _weakly(method: Any) -> Callable[[], Any]:
    """Return a function that calls a method through a weak reference to its object.

    TensorFlow keeps the function that feeds a pipeline until the process ends.
    """
    reference = weakref.WeakMethod(method)

    def call() -> Any:
        alive = reference()
        assert alive is not None  # the reader of the pipeline holds the data
        return alive()

    return call


def _in_block(row: Any, batch_size: Any) -> Any:
    """Return the maximum number of batches in a block of BLOCK bytes."""
    return max(1, BLOCK // max(1, sum(part.nbytes for part in row) * batch_size))


class Stream(Dataset):
    """Batches from a callable, a generator, a tf.data.Dataset or another iterable.

    Each batch is checked when it is read. A callable or a generator continues from epoch to epoch;
    other sources start again.
    """

    def __init__(self, source: Any, fit: Any, what: str, batches: Any) -> None:
        super().__init__(fit, what)
        self.source = source
        self.name = getattr(source, '__qualname__', type(source).__name__)
        self.drawn = 0
        self.draws = callable(source) or hasattr(source, '__next__')
        indexed = hasattr(source, '__getitem__') and hasattr(source, '__len__')
        if not (self.draws or indexed or hasattr(source, '__iter__')):
            raise DataError(
                f'{what}: expected a list of arrays, a callable or a tf.data.Dataset, '
                f'got {type(source).__name__}. Pass [inputs, labels], or a function that '
                'returns such a list.'
            )
        counted = hasattr(source, '__len__') and (self.draws or indexed)
        self.batches = batches or (len(source) if counted else None)
        if self.draws:
            self.batches = self.batches or CALLABLE_BATCHES
        self.first = self._draw() if self.draws else next(self._start(), None)
        if self.first is None:
            raise DataError(
                f'{what}: expected at least one batch, got none. Pass a source that is not empty.'
            )
        self.first = self._check(self.first)
        if self.draws and not any(spec.ragged for spec in self.specs):
            self.batch_size, *self.shape = self.first[0].shape
            self._first = [s.batch(a, slice(1))[0] for s, a in zip(self.specs, self.first)]
            self.block = True

    def again(self) -> Stream | None:
        """Return the same source, or None for a generator, which can be read only once."""
        return None if hasattr(self.source, '__next__') else self

    def _raw(self) -> Iterator[Any]:
        if not self.draws:
            yield from map(self._whole, itertools.islice(self._start(), self.batches))
            getattr(self.source, 'on_epoch_end', bool)()
            return
        for _ in range(self.batches):
            batch, self.first = self.first, None  # the one that has been drawn already
            yield (batch, slice(None)) if batch is not None else self._whole(self._draw())

    def _start(self) -> Any:
        if hasattr(self.source, 'as_numpy_iterator'):  # tf.data
            if self.batches is None and int(self.source.cardinality()) == -1:
                raise ConfigurationError(
                    f'{self.what}: the tf.data.Dataset never ends. '
                    f'Set the number of batches in an epoch, such as {self.what}_batches=100.'
                )
            return self.source.as_numpy_iterator()
        if hasattr(self.source, 'on_epoch_end'):  # keras.utils.PyDataset
            return map(self.source.__getitem__, range(len(self.source)))
        return iter(self.source)

    def _draw(self) -> Any:
        """Return the next batch of a source without random access."""
        try:
            batch = self.source() if callable(self.source) else next(self.source)
        except StopIteration:
            if not callable(self.source):
                raise DataError(
                    f'{self.what}: the generator {self.name} ended after {self.drawn} batches, '
                    'expected more: a generator can be read only once. Pass a '
                    'function that returns the next batch, or an object whose __iter__ starts '
                    'anew for each epoch, such as a tf.data.Dataset.'
                ) from None
            raise DataError(
                f'{self.what}: {self.name} ended after {self.drawn} batches, expected '
                f'{self.batches} in an epoch. Set {self.what}_batches={self.drawn or 1} for '
                'shorter epochs, or pass a source that does not end.'
            ) from None
        self.drawn += 1
        return batch

    def _whole(self, batch: Any) -> Any:
        return self._check(batch), slice(None)

    def _check(self, batch: Any) -> Any:
        if not isinstance(batch, (list, tuple)):
            raise DataError(
                f'{self.what}: expected {self.name} to return a list of arrays, '
                f'got {type(batch).__name__}. Return [inputs, labels].'
            )
        try:
            specs, batch = self.fit(batch)
            batch = fill(specs, batch, self.what)
        except DataError as cause:
            raise DataError(f'{cause} (In a batch from {self.name}.)') from None
        if self.specs is None:
            self.specs = specs
        elif [(s.kind, s.ragged) for s in specs] != [(s.kind, s.ragged) for s in self.specs]:
            raise DataError(
                f'{self.what}: expected batches of one kind, got labels as inputs in one and '
                'values in another, or a list of sequences in one and an array in another. '
                'Return the same kind of arrays in every batch.'
            )
        return batch
