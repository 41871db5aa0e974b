"""Estimate the time of a training, and compile it with XLA if the time is long enough."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasnets import backend, devices, layers
from kerasnets.data.batches import Dataset
from kerasnets.errors import ConfigurationError
from kerasnets.optimizers import Esgd
from kerasnets.programs import training
from kerasnets.programs.models import Models
from kerasnets.training.settings import Settings

#: Estimated seconds of training above which compiling pays: the time in which XLA compiles a small
#: network.
WORTH = 0.3

#: TensorFlow keeps each executable of XLA, about 10 MB, until the process ends. After EXECUTABLES
#: programs, only a training LONGER times as long is compiled.
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
) -> tuple[Any, Any]:
    """Choose if XLA compiles the training, and if it compiles the evaluations.

    Return both choices. Each is True, False, or 'auto', which uses a program that XLA has
    compiled before. The choice depends on the settings and on sizes, never on a clock.
    """
    if isinstance(optimizer, Esgd):  # whose second derivatives XLA refuses
        return False, False
    if settings.jit != 'auto':
        return settings.jit, settings.jit
    if keras.backend.backend() != 'tensorflow':
        return True, True  # JAX compiles in any case
    if backend.has_gpu():
        compiles = models.model.jit_compile  # not where cuDNN has a layer
        return compiles, compiles
    if not source.block or not all(layers.gains_by_xla(node.layer) for node in models.nodes):
        return False, False
    worth = WORTH * (LONGER if len(training.executables) >= EXECUTABLES else 1)
    took = seconds(models, source, settings)
    evaluates = took / settings.validate_every / 3 >= worth
    return took >= worth or 'auto', evaluates or 'auto'


def seconds(models: Models, source: Dataset, settings: Settings) -> float:
    """Estimate the seconds of training from sizes, as a lower bound."""
    epochs = settings.epochs
    if epochs is None:  # the minimum: a validation that never improves
        epochs = settings.validate_every * (settings.patience + 1)
    return epochs * (source.batches or 1) * _update(models, source)


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
    labels = source.specs[0].kind == 'labels'
    positions = math.prod(source.shape if labels else source.shape[:-1])
    values = sum(math.prod(v.shape) for v in models.model.trainable_variables)
    operations = 6 * values * source.batch_size * positions  # 2 ahead, 4 back
    recurrent = sum(hasattr(node.layer, 'return_sequences') for node in models.nodes)
    return UPDATE + STEP * recurrent * positions + operations / SPEED
