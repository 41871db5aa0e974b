"""Training on several devices and in several processes.

On TensorFlow a ``tf.distribute`` strategy shares batches among the devices of a machine, on JAX
`distribute` does so among those of many. The batch that is shared is the one that was requested:
losses are those of one device.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets.errors import ConfigurationError, KerasnetsError, ProcessError, positive
from kerasnets.typing import Array

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasnets.typing import Data, Tensor

#: How the variables begin that a launcher sets for each process, those that Keras reads too.
LAUNCHER = 'KERAS_DISTRIBUTION_'

#: Of the global generators: Keras makes a layer of values that are the same everywhere.
SEED = 13

#: What the engine says when another process does not answer.
LOST = ('Gloo', 'NCCL', 'heartbeat', 'UNAVAILABLE', 'Connection', 'coordination')


def distribute(
    address: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    timeout: int = 30,
) -> None:
    """Share each batch of training and prediction among processes, or this machine's devices.

    Call this first, in every process, before building a network. All of them then run the same
    program on the same data: each trains on its share of every batch, and the first of them
    writes files and logs. A folder for checkpoints is one that all of them see.

    Parameters
    ----------
    address : str, optional
        Of the first process, such as '10.0.0.1:1234'; 'auto' for what JAX finds out from SLURM,
        Open MPI or Kubernetes. Default: what a launcher says in
        ``KERAS_DISTRIBUTION_JOB_ADDRESSES``, with ``KERAS_DISTRIBUTION_NUM_PROCESSES`` and
        ``KERAS_DISTRIBUTION_PROCESS_ID``; without those, one process with all its devices.
    processes : int, optional
        How many there are.
    process : int, optional
        Which of them this is, from 0 on.
    timeout : int
        Seconds without a sign of life after which a process counts as lost.

    Between several processes the generators of Python, numpy and Keras are seeded alike. A batch
    may have any number of rows, also fewer than there are devices.

    A process that is lost ends the training of the others with a `ProcessError`. Start all of
    them again, any number, with ``resume=True``: they go on from the last checkpoint.

    Raises
    ------
    ConfigurationError
        If Keras runs on another backend than JAX, or it is not said who is who.

    On several machines this uses ``jax.distributed`` and ``keras.distribution.DataParallel``.
    """
    backend = keras.backend.backend()
    if backend != 'jax':
        raise ConfigurationError(
            f'distribute() needs Keras on JAX, and it is on {backend}. Set KERAS_BACKEND=jax; on '
            'TensorFlow, a tf.distribute.MirroredStrategy shares among the devices of a machine.'
        )
    address = address or os.environ.get(f'{LAUNCHER}JOB_ADDRESSES')
    if address:
        options: dict[str, Any] = {'num_processes': processes, 'process_id': process}
        if address != 'auto':
            options = _who(address, **options)
        _jax().distributed.initialize(**options, heartbeat_timeout_seconds=timeout)
        keras.utils.set_random_seed(SEED)
    shared = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(shared)


def _who(address: str, **options: Any) -> dict[str, Any]:
    """Return the addresses and numbers of the processes, from the call or the environment."""
    for name, value in options.items():
        said = os.environ.get(f'{LAUNCHER}{name.upper()}', '')
        options[name] = int(said) if value is None and said.isdigit() else value
    count = positive(options['num_processes'], 'processes')
    if positive(options['process_id'], 'process', least=0) >= count:
        raise ConfigurationError(
            f'expected process as one of 0 to {count - 1}, got {options["process_id"]}. Number the '
            'processes from 0.'
        )
    return {**options, 'coordinator_address': address.split(',')[0]}


def replicas() -> int:
    """Return the number of devices that share each batch, by TensorFlow's current strategy."""
    if keras.backend.backend() != 'tensorflow':
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def total(value: Tensor) -> Tensor:
    """Return the sum of a value over the devices that share a batch."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def devices() -> int:
    """Return the number of devices that share a batch, in all processes."""
    shared = keras.distribution.distribution()
    return replicas() if shared is None else shared.num_model_replicas


def processes() -> int:
    """Return the number of processes that share a batch."""
    return _jax().process_count() if keras.distribution.distribution() is not None else 1


def is_first() -> bool:
    """Return True if this process writes files and logs."""
    return processes() == 1 or _jax().process_index() == 0


def own(batch: tuple[Array, ...]) -> tuple[Any, ...]:
    """Return this process' part of a batch, as Keras on JAX expects it.

    All devices get equally many rows, the last once more where they do not go round. With them
    goes an array whose shape tells the rows of the batch, for `whole` to leave out the rest.
    """
    if keras.distribution.distribution() is None:
        return (batch,)
    count = len(batch[0])
    each = -(-count // devices()) * devices() // processes()
    rows = np.minimum(np.arange(each) + each * _jax().process_index(), count - 1)
    return tuple(part[rows] for part in batch), np.zeros((_jax().local_device_count(), count), bool)


def whole(data: Any) -> Any:
    """Return the rows of all devices without the padding that `own` added."""
    batch, rows, _ = keras.utils.unpack_x_y_sample_weight(data)
    if rows is None or keras.backend.backend() != 'jax':
        return data
    return (keras.tree.map_structure(lambda part: part[: rows.shape[1]], batch),)


def pipeline(batches: Callable[[], Iterator[Any]], spec: tuple[Any, ...]) -> Iterable[Data]:
    """Return a ``tf.data`` pipeline of batches, shared among the devices of a strategy.

    With a part goes what its rows count: 1, or less where they are too few to go round, and all
    devices have all of them. `spec` is of a batch.
    """
    import tensorflow as tf

    count = replicas()  # here and not below, where another thread reads
    if count == 1:
        return _pipeline(lambda: ((batch,) for batch in batches()), (spec,))

    def parts() -> Iterator[Any]:
        for i, batch in enumerate(batches()):
            rows = len(batch[0])
            if rows < count or (rows % count and not i):  # Keras wants equal parts of the first
                yield from [(batch, [1 / count])] * count
            else:
                cut = zip(*(np.array_split(part, count) for part in batch))
                yield from ((part, [1.0]) for part in cut)

    signature = spec, tf.TensorSpec((1,))
    strategy = tf.distribute.get_strategy()
    return strategy.distribute_datasets_from_function(lambda _: _pipeline(parts, signature))


def _pipeline(items: Callable[[], Iterator[Any]], signature: Any) -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_generator(items, output_signature=signature).prefetch(2)


def together(what: str) -> None:
    """Wait for all processes."""
    if processes() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Raise `ProcessError` where the engine reports a lost process in its own words."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        ours = isinstance(error, KerasnetsError) or processes() == 1
        if ours or not any(word in str(error) for word in LOST):
            raise
        raise ProcessError(
            f'one of {processes()} processes was lost: {" ".join(str(error).split())[:200]}. '
            'Restart all of them with resume=True to continue from the last checkpoint.'
        ) from error


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Run the code in this context without distribution, on the devices of this process."""
    shared = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(shared)


def run_shared(function: Callable[..., Any], batch: Sequence[Any]) -> Any:
    """Run a compiled function of a batch of arrays, its rows shared among the devices.

    Returns its outputs, a nest of arrays, as numpy arrays.
    """
    count = devices()
    if count == 1 or not len(batch[0]):
        return keras.tree.map_structure(keras.ops.convert_to_numpy, function(*batch))
    rows = len(batch[0])
    missing = -rows % count
    padded = [np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) for part in batch]
    shared = _by_tensorflow if keras.backend.backend() == 'tensorflow' else _by_jax
    return keras.tree.map_structure(lambda value: value[:rows], shared(function, padded))


def _by_tensorflow(function: Callable[..., Any], batch: list[Array]) -> Any:
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    parts = list(zip(*(np.split(part, strategy.num_replicas_in_sync) for part in batch)))
    given = strategy.experimental_distribute_values_from_function(
        lambda context: tuple(map(tf.constant, parts[context.replica_id_in_sync_group]))
    )
    found = strategy.run(tf.function(lambda args: function(*args), autograph=False), args=(given,))

    def whole(value: Tensor) -> Array:
        return np.concatenate([np.asarray(v) for v in strategy.experimental_local_results(value)])

    return {
        part: {name: whole(value) for name, value in values.items()}
        for part, values in found.items()
    }


def _by_jax(function: Callable[..., Any], batch: list[Array]) -> Any:
    import jax

    shared = keras.distribution.distribution()

    def spread(part: Array) -> Any:
        layout = shared.get_data_layout(part.shape).backend_layout
        return jax.make_array_from_callback(part.shape, layout, lambda rows: part[rows])

    def whole(value: Tensor) -> Array:
        if value.is_fully_addressable:
            return np.asarray(value)
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(value, tiled=True))

    return keras.tree.map_structure(whole, function(*map(spread, batch)))


def _jax() -> Any:
    import jax

    return jax
