"""How training runs on TensorFlow: steps in one call, and whether XLA compiles them."""

import math

import keras
from keras.callbacks import Callback

from kerasnets import layers
from kerasnets.compiled import replicas
from kerasnets.errors import ConfigurationError

#: Steps that one call makes, at most, where nobody watches the steps.
STEPS = 32

#: Seconds of training, as `seconds` guesses them, from which on it is worth while to compile.
WORTH = 0.75

#: What `seconds` reckons with: seconds that an update takes whatever it does, seconds that each
#: step through time adds to it, and operations a second.
EACH, IN_TIME, SPEED = 3e-4, 6e-5, 1e11


def choose(views, source, settings, callbacks=(), curved=False):
    """Settings for `Views.compile`.

    The choice follows from what is asked for, never from a clock: two runs with one seed give
    the same numbers to the last digit.

    Parameters
    ----------
    views : Views
    source : data.Dataset
    settings : training.Settings
    callbacks : list of keras.callbacks.Callback
        Those of the user.
    curved : bool
        Whether the optimizer looks at the curvature.

    Raises
    ------
    ConfigurationError
        If it is to be compiled on a backend that cannot.
    """
    backend = keras.backend.backend()
    if backend == 'torch' and settings.jit is True:
        raise ConfigurationError(
            'jit=True: expected Keras on TensorFlow or JAX, got PyTorch, which does not compile '
            'these models. Leave out jit.'
        )
    if backend != 'tensorflow':
        return {'jit_compile': settings.jit}
    one = settings.max_updates is not None or any(map(_watches_steps, callbacks))
    if one or replicas() > 1:  # TensorFlow cannot make several steps at once on several devices
        return {'jit_compile': settings.jit, 'steps_per_execution': 1}
    if source.block and not curved and _compiles(views, source, settings):
        return {'jit_compile': False, 'block': (min(source.block, STEPS), source.batch_size)}
    return {'jit_compile': settings.jit, 'steps_per_execution': STEPS}


def _watches_steps(callback):
    """Whether a callback does anything at a step, not only at epochs."""
    return any(
        getattr(getattr(callback, name), '__func__', None) is not getattr(Callback, name)
        for name in ('on_batch_begin', 'on_batch_end', 'on_train_batch_begin', 'on_train_batch_end')
    )


def _compiles(views, source, settings):
    """Whether XLA is to compile whole blocks of steps."""
    import tensorflow as tf

    if settings.jit != 'auto':
        return settings.jit
    if tf.config.list_physical_devices('GPU'):
        return views.model.jit_compile  # not where cuDNN has a layer
    known = all(layers.gains_by_xla(node.layer) for node in views.nodes)
    return known and seconds(views, source, settings) >= WORTH


def seconds(views, source, settings):
    """A guess at how long all training will take: by size alone, and in no hurry."""
    epochs = settings.epochs
    if epochs is None:  # so many at least, with a validation that never gets better
        epochs = settings.validate_every * (settings.patience + 1)
    labels = source.slots[0].kind == 'labels'
    positions = math.prod(source.shape if labels else source.shape[:-1])
    values = sum(math.prod(v.shape) for v in views.model.trainable_variables)
    operations = 6 * values * source.batch_size * positions  # 2 ahead, 4 back
    recurrent = sum(hasattr(node.layer, 'return_sequences') for node in views.nodes)
    update = EACH + IN_TIME * recurrent * positions + operations / SPEED
    return epochs * source.batches * update
