"""Estimates the training time from sizes, to decide whether compiling pays."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasnets import layers

#: Estimated seconds of training above which compiling pays: the additional time that XLA takes to
#: compile a small network.
WORTH = 0.3

#: The constants of the estimate: seconds per update without XLA, additional seconds per time step
#: of a recurrent layer, and operations per second.
UPDATE, STEP, SPEED = 3e-4, 6e-5, 1e11


def compiles(models: Any, source: Any, settings: Any) -> Any:
    """Whether XLA is to compile training; 'auto' if only what is compiled already is to be used."""
    if settings.jit != 'auto':
        return settings.jit
    if keras.backend.backend() != 'tensorflow':
        return True  # JAX compiles in any case
    import tensorflow as tf

    if tf.config.list_physical_devices('GPU'):
        return models.model.jit_compile  # not where cuDNN has a layer
    known = all(layers.gains_by_xla(node.layer) for node in models.nodes)
    if not known:
        return False
    return True if seconds(models, source, settings) >= WORTH else 'auto'


def seconds(models: Any, source: Any, settings: Any) -> Any:
    """Estimate the seconds of training from sizes, as a lower bound."""
    epochs = settings.epochs
    if epochs is None:  # so many at least, with a validation that never gets better
        epochs = settings.validate_every * (settings.patience + 1)
    return epochs * (source.batches or 1) * _update(models, source)


def at_once(models: Any, source: Any, watched: bool) -> int:
    """Batches to compute in one go, so that whoever watches hears of it several times a second."""
    return max(1, int((0.2 if watched else 1.0) / _update(models, source)))


def _update(models: Any, source: Any) -> Any:
    """Estimate the seconds of an update."""
    labels = source.specs[0].kind == 'labels'
    positions = math.prod(source.shape if labels else source.shape[:-1])
    values = sum(math.prod(v.shape) for v in models.model.trainable_variables)
    operations = 6 * values * source.batch_size * positions  # 2 ahead, 4 back
    recurrent = sum(hasattr(node.layer, 'return_sequences') for node in models.nodes)
    return UPDATE + STEP * recurrent * positions + operations / SPEED
