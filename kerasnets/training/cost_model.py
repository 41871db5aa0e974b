"""Estimates the training time from sizes, to decide whether compiling pays."""

from __future__ import annotations

import math
from typing import Any

from kerasnets import layers

#: Estimated seconds of training above which compiling pays: what XLA takes for a small network.
WORTH = 0.75

#: The constants of the estimate: seconds per epoch and per update without XLA, additional seconds
#: per time step of a recurrent layer, and operations per second.
EPOCH, UPDATE, STEP, SPEED = 0.05, 3e-4, 6e-5, 1e11


def compiles(models: Any, source: Any, settings: Any) -> Any:
    """Whether XLA is to compile whole blocks of steps."""
    import tensorflow as tf

    if settings.jit != 'auto':
        return settings.jit
    if tf.config.list_physical_devices('GPU'):
        return models.model.jit_compile  # not where cuDNN has a layer
    known = all(layers.gains_by_xla(node.layer) for node in models.nodes)
    return known and seconds(models, source, settings) >= WORTH


def seconds(models: Any, source: Any, settings: Any) -> Any:
    """Estimate the seconds of training from sizes, as a lower bound."""
    epochs = settings.epochs
    if epochs is None:  # so many at least, with a validation that never gets better
        epochs = settings.validate_every * (settings.patience + 1)
    labels = source.specs[0].kind == 'labels'
    positions = math.prod(source.shape if labels else source.shape[:-1])
    values = sum(math.prod(v.shape) for v in models.model.trainable_variables)
    operations = 6 * values * source.batch_size * positions  # 2 ahead, 4 back
    recurrent = sum(hasattr(node.layer, 'return_sequences') for node in models.nodes)
    update = UPDATE + STEP * recurrent * positions + operations / SPEED
    return epochs * (EPOCH + source.batches * update)
