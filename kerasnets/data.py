"""Data for a network: checked against what the network takes, then handed out in batches."""

import dataclasses
import itertools

import keras
import numpy as np

from kerasnets.errors import ConfigurationError, DataError, positive

#: Batches of a callable that make an epoch, where nobody says. theanets' number.
CALLABLE_BATCHES = 100

#: Rows that a check looks at in one go, so that it needs no memory to speak of.
CHUNK = 2**22

#: Bytes of a block of batches that is handed to TensorFlow in one go.
BLOCK = 2**22


@dataclasses.dataclass(frozen=True)
class Slot:
    """One array that the network takes.

    Attributes
    ----------
    name : str
        As in messages: "inputs ('in')".
    shape : tuple
        With None for any length. The first axis is the examples.
    kind : {'values', 'labels', 'weights'}
    classes : int or None
        Of labels: each must be at least 0 and less than this.
    static : tuple
        The shape that holds for all batches, where this one's is more exact.
    """

    name: str
    shape: tuple
    kind: str = 'values'
    classes: int | None = None
    static: tuple | None = None

    def take(self, array):
        """The array as numpy, if it fits; never a copy of what is an array already.

        Raises
        ------
        DataError
            Naming the slot, what was expected, what came, and the first row that is wrong.
        """
        array = self._as_array(array)
        if array.ndim != len(self.shape) or any(
            want is not None and want != got for want, got in zip(self.shape[1:], array.shape[1:])
        ):
            raise DataError(
                f'{self.name}: expected shape {_shape(self.shape)}, got {array.shape}.'
                + self._hint(array)
            )
        if 0 in array.shape[1:]:
            raise DataError(f'{self.name}: expected no axis of length 0, got {array.shape}.')
        (self._check_labels if self.kind == 'labels' else self._check_values)(array)
        return array

    @property
    def dtype(self):
        return 'int32' if self.kind == 'labels' else 'float32'

    def _as_array(self, data):
        if hasattr(data, 'tocsr'):
            raise DataError(
                f'{self.name}: expected an array, got a sparse matrix. Call its toarray().'
            )
        try:
            array = np.asarray(data)
        except ValueError:
            raise DataError(
                f'{self.name}: expected rows of one length, got rows that differ. '
                'Pad them, and give weights of 0 to the padding (weighted=True).'
            ) from None
        if array.dtype.kind in 'fiub':
            return array
        remedy = (
            'Number the classes: np.unique(labels, return_inverse=True)[1].'
            if self.kind == 'labels'
            else 'Convert it to numbers first, such as array.astype("float32").'
        )
        raise DataError(f'{self.name}: expected numbers, got dtype {array.dtype}. {remedy}')

    def _hint(self, array):
        if self.kind == 'labels' and array.ndim == len(self.shape) + 1:
            return ' Labels are integers, not one-hot rows: use array.argmax(axis=-1).'
        if self.kind == 'values' and array.ndim == len(self.shape) - 1:
            return ' For one example, add an axis: array[None].'
        return ''

    def _check_values(self, array):
        if array.dtype.kind == 'f':
            for start, rows in _chunks(array):
                # one sum is cheaper than a flag for every value; it is not finite if any is not
                with np.errstate(all='ignore'):
                    clean = np.isfinite(rows.sum())
                if not clean:
                    self._refuse(start, rows, ~np.isfinite(rows), 'finite numbers')
        if self.kind == 'weights':
            for start, rows in _chunks(array):
                self._refuse(start, rows, rows < 0, 'weights of 0 or more')

    def _check_labels(self, array):
        for start, rows in _chunks(array):
            if rows.dtype.kind == 'f':
                with np.errstate(invalid='ignore'):
                    whole = rows == np.floor(rows)
                self._refuse(
                    start, rows, ~whole, f'whole numbers as labels (the dtype is {array.dtype})'
                )
            if rows.size and (rows.min() < 0 or rows.max() >= self.classes):
                wrong = (rows < 0) | (rows >= self.classes)
                top = self.classes - 1
                self._refuse(
                    start, rows, wrong, f'labels of 0 to {top}, for {self.classes} classes'
                )

    def _refuse(self, start, rows, wrong, expected):
        if wrong.any():
            first = np.argwhere(wrong)[0]
            raise DataError(
                f'{self.name}: expected {expected}, got {rows[tuple(first)]} '
                f'in row {start + first[0]}. Mend or drop that row.'
            )


def _chunks(array):
    rows = max(1, CHUNK // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


def _shape(shape):
    return (
        '('
        + ', '.join('any' if n is None else str(n) for n in shape)
        + (',)' if len(shape) == 1 else ')')
    )


def dataset(source, slots_for, *, what='data', batch_size=32, batches=None):
    """Batches for the slots of a network, an epoch at a time.

    Parameters
    ----------
    source : list of arrays, callable, tf.data.Dataset or other iterable of batches
        A callable is called with nothing and returns one batch, a list of arrays.
    slots_for : callable
        Takes a batch and returns the slots that it is to fill.
    what : str
        What messages call the data.
    batch_size : int
        Examples in a batch, where the source is arrays.
    batches : int, optional
        Batches in an epoch. Default: all of an array or an iterable, 100 of a callable.

    Raises
    ------
    DataError, ConfigurationError
        At once, for arrays or for the first batch that does not fit.
    """
    batch_size = positive(batch_size, 'batch_size')
    if batches is not None:
        batches = positive(batches, f'{what}_batches')
    if isinstance(source, (list, tuple)):
        return Arrays(source, slots_for, what, batch_size, batches)
    return Stream(source, slots_for, what, batches)


class Dataset:
    """What `dataset` returns: `epoch` gives batches, `feed` the same for Keras."""

    def __init__(self, slots_for, what):
        self.slots_for = slots_for
        self.what = what
        self.slots = None
        self.batches = None  # in an epoch, where that is known
        self.error = None  # what the source raised while Keras was reading it
        self._feed = None

    def shuffle(self, rng):
        """Draw arrays in another order each epoch; they stay in theirs until this is called."""
        self.rng = rng

    def epoch(self):
        """Yield the batches of one epoch, each a tuple of arrays in the slots' dtypes."""
        for batch in self._raw():
            yield tuple(
                np.asarray(array, dtype=slot.dtype) for array, slot in zip(batch, self.slots)
            )

    def feed(self):
        """An epoch for Keras, each batch as the one input of a model.

        An error in the source is kept in `error`: a backend wraps it beyond recognition.
        """
        if keras.backend.backend() != 'tensorflow':
            return self._guarded()
        if self._feed is None:
            import tensorflow as tf

            signature = tuple(tf.TensorSpec(slot.static, slot.dtype) for slot in self.slots)
            feed = tf.data.Dataset.from_generator(self._guarded, output_signature=(signature,))
            self._feed = feed.prefetch(2)
        return self._feed

    def _guarded(self):
        try:
            for batch in self.epoch():
                yield (batch,)
        except Exception as error:
            self.error = error
            raise


class Arrays(Dataset):
    """Batches by row from arrays that are held whole, and never copied whole."""

    def __init__(self, arrays, slots_for, what, batch_size, batches):
        super().__init__(slots_for, what)
        self.slots = slots_for(arrays)
        self.arrays = fill(self.slots, arrays, what)
        if not len(self.arrays[0]):
            raise DataError(f'{what}: expected at least one example, got none.')
        self.batch_size = batch_size
        whole = -(-len(self.arrays[0]) // batch_size)
        self.batches = min(whole, batches or whole)
        self.rng = None

    def feed(self):
        if keras.backend.backend() != 'tensorflow':
            return super().feed()
        if self._feed is None:
            self._feed = self._tf_feed()
        return self._feed

    def _raw(self):
        return self._cut(1)

    def _cut(self, batches):
        """Yield the rows of so many batches at a time, in the order of one epoch."""
        count = len(self.arrays[0])
        order = np.arange(count) if self.rng is None else self.rng.permutation(count)
        step = batches * self.batch_size
        for start in range(0, self.batches * self.batch_size, step):
            rows = order[start : min(start + step, self.batches * self.batch_size)]
            yield [array[rows] for array in self.arrays]

    def _tf_feed(self):
        """Blocks of many batches cross into TensorFlow, which cuts them up itself.

        A block is a small part of the data, and costs no more to hand over than a batch.
        """
        import tensorflow as tf

        bytes_in_batch = sum(a[:1].nbytes for a in self.arrays) * self.batch_size
        batches = max(1, BLOCK // max(1, bytes_in_batch))

        def blocks():
            for block in self._cut(batches):
                yield tuple(np.asarray(a, dtype=s.dtype) for a, s in zip(block, self.slots))

        signature = tuple(tf.TensorSpec(slot.static, slot.dtype) for slot in self.slots)

        def cut(*block):
            starts = tf.data.Dataset.range(0, tf.shape(block[0], 'int64')[0], self.batch_size)
            return starts.map(lambda i: (tuple(b[i : i + self.batch_size] for b in block),))

        return (
            tf.data.Dataset.from_generator(blocks, output_signature=signature)
            .prefetch(1)
            .flat_map(cut)
            .prefetch(2)
        )


class Stream(Dataset):
    """Batches from a callable, a tf.data.Dataset or another iterable, each checked as it comes."""

    def __init__(self, source, slots_for, what, batches):
        super().__init__(slots_for, what)
        if callable(source):
            batches = batches or CALLABLE_BATCHES
        elif not hasattr(source, '__iter__') or hasattr(source, '__next__'):
            raise DataError(
                f'{what}: expected a list of arrays, a callable or a tf.data.Dataset, '
                f'got {type(source).__name__}. Write [inputs, labels], or a function that '
                'returns such a list.'
            )
        self.source = source
        self.batches = batches
        self.first = next(self._start(), None)
        if self.first is None:
            raise DataError(f'{what}: expected at least one batch, got none.')
        self.first = self._check(self.first)

    def _raw(self):
        # a callable has its first batch drawn already; an iterable starts from its beginning
        if callable(self.source) and self.first is not None:
            batch, self.first = self.first, None
            yield batch
            yield from map(self._check, itertools.islice(self._start(), self.batches - 1))
        else:
            yield from map(self._check, itertools.islice(self._start(), self.batches))

    def _start(self):
        if callable(self.source):
            return iter(self.source, object())
        if hasattr(self.source, 'as_numpy_iterator'):  # tf.data
            if self.batches is None and int(self.source.cardinality()) == -1:
                raise ConfigurationError(
                    f'{self.what}: the tf.data.Dataset never ends. '
                    f'Say how many batches make an epoch: {self.what}_batches=100.'
                )
            return self.source.as_numpy_iterator()
        return iter(self.source)

    def _check(self, batch):
        if not isinstance(batch, (list, tuple)):
            name = getattr(self.source, '__qualname__', type(self.source).__name__)
            raise DataError(
                f'{self.what}: expected {name} to give a list of arrays, '
                f'got {type(batch).__name__}. Write [inputs, labels].'
            )
        slots = self.slots_for(batch)
        if self.slots is None:
            self.slots = slots
        elif [s.kind for s in slots] != [s.kind for s in self.slots]:
            raise DataError(
                f'{self.what}: expected batches of one kind, got labels as inputs in one and '
                'values in another.'
            )
        return fill(slots, batch, self.what)


def fill(slots, arrays, what='data'):
    """The arrays, checked against their slots and against each other.

    Raises
    ------
    DataError
        If there are too many or too few, or one does not fit.
    """
    if len(arrays) != len(slots):
        names = ', '.join(slot.name for slot in slots)
        hint = ''
        if len(arrays) == len(slots) + 1:
            hint = ' For weights, make the network with weighted=True.'
        raise DataError(f'{what}: expected {len(slots)} arrays ({names}), got {len(arrays)}.{hint}')
    taken = [slot.take(array) for slot, array in zip(slots, arrays)]
    for slot, array in zip(slots[1:], taken[1:]):
        if len(array) != len(taken[0]):
            raise DataError(
                f'{what}: expected as many {slot.name} as {slots[0].name}, '
                f'got {len(array)} and {len(taken[0])}.'
            )
    return taken
