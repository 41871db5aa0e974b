"""When compiling pays: an estimate of the training time, from sizes alone."""

from __future__ import annotations

import math
from typing import Any

from kerasnets import layers

#: Seconds of training, as `seconds` guesses them, from which on it is worth while to compile.
WORTH = 0.75

#: What `seconds` reckons with: seconds that an update takes whatever it does, seconds that each
#: step through time adds to it, and operations a second.
EACH, IN_TIME, SPEED = 3e-4, 6e-5, 1e11


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
    """A guess at how long all training will take: by size alone, and in no hurry."""
    epochs = settings.epochs
    if epochs is None:  # so many at least, with a validation that never gets better
        epochs = settings.validate_every * (settings.patience + 1)
    labels = source.specs[0].kind == 'labels'
    positions = math.prod(source.shape if labels else source.shape[:-1])
    values = sum(math.prod(v.shape) for v in models.model.trainable_variables)
    operations = 6 * values * source.batch_size * positions  # 2 ahead, 4 back
    recurrent = sum(hasattr(node.layer, 'return_sequences') for node in models.nodes)
    update = EACH + IN_TIME * recurrent * positions + operations / SPEED
    return epochs * source.batches * update
