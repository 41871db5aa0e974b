"""Keras callbacks over a training that takes several calls of ``fit``."""

from __future__ import annotations

from typing import Any

import keras
from keras.callbacks import Callback

from kerasnets.callbacks import Shows
from kerasnets.typing import Monitors

#: Methods of a callback that Keras calls for each batch.
BATCH_METHODS = (
    'on_batch_begin',
    'on_batch_end',
    'on_train_batch_begin',
    'on_train_batch_end',
)


class Listeners(keras.callbacks.CallbackList):
    """The callbacks of a training, which see the network's own model.

    Parameters
    ----------
    shown : list of Callback
        Of kerasnets, which show the monitors.
    callbacks : list of Callback
        Of the user.
    model : keras.Model
    epochs, steps : int or None
        Epochs of the training, and batches in an epoch.

    Attributes
    ----------
    hears : bool
        Whether there is any callback.
    shows : bool
        Whether any callback shows the progress within an epoch.
    acts : bool
        Whether any callback does more than show the monitors, so that it must run between epochs.
    acts_on_batches : bool
        Whether any callback of the user must run between batches.
    watches_validation : bool
        Whether any of them monitors a quantity of the validation.
    """

    def __init__(
        self,
        shown: list[Callback],
        callbacks: list[Callback],
        model: Any,
        epochs: int | None,
        steps: int | None,
    ) -> None:
        self.shows = bool(shown)
        self.acts = not all(isinstance(one, Shows) for one in (*shown, *callbacks))
        self.acts_on_batches = any(map(acts_on_batches, callbacks))
        monitors = [str(getattr(one, 'monitor', '')) for one in callbacks]
        self.watches_validation = any(name.startswith('val_') for name in monitors)
        self.hears = bool(shown or callbacks)
        super().__init__([*shown, *callbacks], model=model, epochs=epochs, steps=steps, verbose=0)


def acts_on_batches(callback: Callback) -> bool:
    """Return whether a callback does anything at a batch but show it."""
    return not isinstance(callback, Shows) and any(
        getattr(getattr(callback, name), '__func__', None) is not getattr(Callback, name)
        for name in BATCH_METHODS
    )


class Bridge(Callback):
    """The one callback that ``fit`` calls; it passes on what a `Trainer` needs to hear.

    Parameters
    ----------
    trainer : trainer.Trainer
    batches : bool
        Whether ``fit`` runs each batch, instead of a program.
    """

    def __init__(self, trainer: Any, batches: bool) -> None:
        super().__init__()
        self.trainer = trainer
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.trainer.begin_stretch()

    def on_epoch_end(self, epoch: int, logs: Monitors | None = None) -> None:
        if not self.trainer.steps.exclusive:  # else the trainer has ended all of them
            self.trainer.end_stretch(dict(logs or {}))
        self._stop()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.batches:
            self.trainer.listeners.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.batches:
            self.trainer.batch = batch + 1
            self.trainer.listeners.on_train_batch_end(batch, logs)
            self._stop()

    def _stop(self) -> None:
        """Stop the model that is fitted where the network's own is stopped."""
        if self.trainer.model.stop_training:
            self.model.stop_training = True
