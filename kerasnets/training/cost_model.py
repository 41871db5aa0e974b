"""Decide whether XLA compiles a training, from estimates of the time it saves and costs."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasnets import backend, compilation, devices, layers
from kerasnets.data.batches import Dataset
from kerasnets.errors import ConfigurationError
from kerasnets.optimizers import Esgd
from kerasnets.programs import training
from kerasnets.programs.models import Models
from kerasnets.training.settings import Settings
from kerasnets.training.steps import Payoff

#: Seconds that XLA needs to compile the training of a network, and in addition for each
#: recurrent layer.
COMPILING, COMPILING_RECURRENT = 0.7, 1.2

#: The fraction of these seconds that counts if a cache on disk serves later processes too.
CACHED = 0.25

#: Seconds that XLA saves: for each update; for each time step of a recurrent layer; for each
#: operation of a recurrent network; for each operation of another network, up to OPERATIONS.
SAVED, SAVED_STEP, SAVED_RECURRENT, SAVED_DENSE = 1.6e-4, 1e-4, 1.2e-11, 2e-11
OPERATIONS = 5e7

#: TensorFlow keeps each executable of XLA, about 10 MB, until the process ends. After EXECUTABLES
#: programs, only what saves LONGER times as much is compiled.
EXECUTABLES, LONGER = 40, 20

#: The constants of the estimate: seconds per update without XLA, additional seconds per time step
#: of a recurrent layer, and operations per second.
UPDATE, STEP, SPEED = 3e-4, 6e-5, 1e11

#: Maximum number of steps in one call of Keras' own function, if no callback watches the steps.
STEPS = 32


def settings_for_keras(settings: Settings, acts_on_batches: bool) -> Any:
    """Return settings of ``compile`` if Keras' own function trains; None if a program does.

    `acts_on_batches` is true if a callback acts on each batch. Raises ConfigurationError if XLA is
    requested on a backend without it.
    """
    name = keras.backend.backend()
    if name == 'torch' and settings.jit is True:
        raise ConfigurationError(
            'jit=True: expected Keras on TensorFlow or JAX, got PyTorch, which does not compile '
            'these models. Leave out jit.'
        )
    if not is_for_keras() and not acts_on_batches:
        return None
    if name != 'tensorflow':
        return {'jit_compile': settings.jit}
    # TensorFlow cannot make several steps at once on several devices
    one = settings.max_updates is not None or acts_on_batches or devices.replicas() > 1
    return {'jit_compile': settings.jit, 'steps_per_execution': 1 if one else STEPS}


def is_for_keras() -> bool:
    """Return True if Keras' own functions train and evaluate instead of programs."""
    return keras.backend.backend() == 'torch' or backend.is_distributed()


def uses_xla(
    models: Models, source: Dataset, settings: Settings, optimizer: Any
) -> tuple[bool | Payoff, bool | Payoff]:
    """Choose if XLA compiles the training, and if it compiles the evaluations.

    Each choice is True, False, or a `Payoff`, with which `ProgramSteps` decides. It depends on
    settings, sizes and earlier trainings, never on a clock.
    """
    if isinstance(optimizer, Esgd):  # whose second derivatives XLA refuses
        return False, False
    if settings.jit != 'auto':
        return bool(settings.jit), bool(settings.jit)
    if keras.backend.backend() != 'tensorflow':
        return True, True  # JAX compiles in any case
    if backend.has_gpu():
        compiles = models.model.jit_compile  # not where cuDNN has a layer
        return compiles, compiles
    if not source.block or not all(layers.gains_by_xla(node.layer) for node in models.nodes):
        return False, False
    cost = COMPILING + COMPILING_RECURRENT * _recurrent(models)
    if compilation.has_cache():
        cost *= CACHED
    if len(training.executables) >= EXECUTABLES:
        cost *= LONGER
    saved = _updates(source, settings) * _saved(models, source)
    return Payoff(saved, cost), Payoff(saved / settings.validate_every / 3, cost / 2)


def _updates(source: Dataset, settings: Settings) -> int:
    """Return the number of updates of a training; the minimum if early stopping ends it."""
    epochs = settings.epochs
    if epochs is None:  # the minimum: a validation that never improves
        epochs = settings.validate_every * (settings.patience + 1)
    updates: int = epochs * (source.batches or 1)
    return updates


def _saved(models: Models, source: Dataset) -> float:
    """Estimate the seconds that XLA saves in an update."""
    recurrent, operations = _recurrent(models), _operations(models, source)
    if recurrent:
        steps = SAVED_STEP * recurrent * _positions(source)
        return SAVED + steps + SAVED_RECURRENT * operations
    return SAVED + SAVED_DENSE * min(operations, OPERATIONS)


def batches_in_a_call(models: Models, source: Dataset, shown: bool) -> int:
    """Return the maximum number of batches in a call, so that Ctrl-C acts within about a second.

    With `shown`, a progress bar must move, and a call takes at most 0.2 seconds.
    """
    if not source.block:
        return 1
    return max(1, int((0.2 if shown else 1.0) / _update(models, source)))


def _update(models: Models, source: Dataset) -> float:
    """Estimate the seconds of an update."""
    if not source.block:
        return UPDATE
    steps = STEP * _recurrent(models) * _positions(source)
    return UPDATE + steps + _operations(models, source) / SPEED


def _recurrent(models: Models) -> int:
    return sum(hasattr(node.layer, 'return_sequences') for node in models.nodes)


def _positions(source: Dataset) -> int:
    """Return the number of positions of an example: time steps, pixels, or 1 for a vector."""
    labels = source.specs[0].kind == 'labels'
    return math.prod(source.shape if labels else source.shape[:-1])


def _operations(models: Models, source: Dataset) -> int:
    """Estimate the number of arithmetic operations in an update."""
    values = sum(math.prod(v.shape) for v in models.model.trainable_variables)
    return 6 * values * source.batch_size * _positions(source)  # 2 ahead, 4 back
