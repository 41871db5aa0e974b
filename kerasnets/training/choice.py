"""Choose between the engine and Keras' own training function, and whether to use XLA."""

from __future__ import annotations

from typing import Any

import keras
from keras.callbacks import Callback

from kerasnets.callbacks import Shows
from kerasnets.devices import replicas
from kerasnets.errors import ConfigurationError
from kerasnets.optimizers import Esgd
from kerasnets.training import cost_model, fits

#: Steps that one call of Keras' own function makes, at most, where nobody watches the steps.
STEPS = 32


def choose(models: Any, source: Any, settings: Any, callbacks: Any, optimizer: Any) -> Any:
    """Return settings of ``compile``, or whether XLA compiles the engine; see `fits.build`.

    The choice follows from what is asked for and has been compiled, never from a clock.

    Parameters
    ----------
    models : graph.models.Models
    source : data.batches.Dataset
    settings : settings.Settings
    callbacks : list of keras.callbacks.Callback
        Those of the user.
    optimizer : keras.optimizers.Optimizer

    Raises
    ------
    ConfigurationError
        If it is to be compiled on a backend that cannot.
    """
    if keras.backend.backend() == 'torch' and settings.jit is True:
        raise ConfigurationError(
            'jit=True: expected Keras on TensorFlow or JAX, got PyTorch, which does not compile '
            'these models. Leave out jit.'
        )
    watched = any(map(_watches_steps, callbacks))
    if fits.possible(source) and not watched and not optimizer.use_ema:
        if isinstance(optimizer, Esgd):
            return False
        return cost_model.compiles(models, source, settings)
    if keras.backend.backend() != 'tensorflow':
        return {'jit_compile': settings.jit}
    # TensorFlow cannot make several steps at once on several devices
    one = settings.max_updates is not None or watched or replicas() > 1
    return {'jit_compile': settings.jit, 'steps_per_execution': 1 if one else STEPS}


def evaluates(source: Any) -> Any:
    """Return the same for an evaluation."""
    return 'auto' if fits.possible(source) else {}


def _watches_steps(callback: Any) -> Any:
    """Whether a callback does anything at a step, not only at epochs, but show it."""
    return not isinstance(callback, Shows) and any(
        getattr(getattr(callback, name), '__func__', None) is not getattr(Callback, name)
        for name in ('on_batch_begin', 'on_batch_end', 'on_train_batch_begin', 'on_train_batch_end')
    )
