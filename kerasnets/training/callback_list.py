"""Keras callbacks over the epochs of a training run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasnets.callbacks import Shows


class EpochCallbacks(keras.callbacks.CallbackList):
    """Makes several calls of ``fit`` look like one to the callbacks.

    The callbacks are given the network's own model, so that they save and change that one;
    when they stop its training, that of the model that is fitted is stopped.
    """

    def __init__(self, callbacks: Any, model: Any, **params: Any) -> None:
        self.history = keras.callbacks.History()
        self.watched = bool(callbacks)  # whether anybody hears of the steps
        self.shown = not alone(callbacks)  # whether all that hear of epochs only show them
        self.epoch: int | None = None  # the last that the engine has trained
        model.stop_training = False
        super().__init__([self.history, *callbacks], model=model, **params)

    def over(
        self,
        objective: Any,
        start: Callable[[], None] | None = None,
        finish: Callable[[Any], None] | None = None,
    ) -> None:
        """From now on, training is that of `objective`.

        With `start` and `finish`, ``fit`` trains by an engine: they are called before its one
        step, and, with the logs, when the epoch has ended.
        """
        self.objective = objective
        self.start, self.finish, self.epoch = start, finish, None
        objective.history = self.history

    def begin(self) -> None:
        super().on_train_begin()

    def end(self) -> None:
        super().on_train_end()

    def on_train_begin(self, logs: Any = None) -> None:
        pass

    def on_train_end(self, logs: Any = None) -> None:
        pass

    def on_train_batch_begin(self, batch: Any, logs: Any = None) -> None:
        if self.start is not None:
            self.start()
        else:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: Any, logs: Any = None) -> None:
        if self.start is None:
            super().on_train_batch_end(batch, logs)
            self._pass_on()

    def heard(self, updates: int, done: int, logs: Any) -> int:
        """Tell that an engine made some updates after others; return how many there are."""
        if updates:
            super().on_train_batch_end(done + updates - 1, logs)
        return done + updates

    def passed(self, epoch: int, rows: list[dict[str, float]], going: bool) -> None:
        """Tell of epochs that an engine trained in one go, after so many others.

        That the last of them ended is told by ``fit``, unless it is `going` on.
        """
        if self.start is None or not self.shown:
            return
        for i, row in enumerate(rows):
            if self.epoch is not None:
                super().on_epoch_begin(epoch + i)
            self.epoch = epoch + i
            if going or i < len(rows) - 1:
                super().on_epoch_end(epoch + i, row)

    def on_epoch_end(self, epoch: Any, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        if self.finish is not None:
            self.finish(logs)
        epoch = epoch if self.epoch is None else self.epoch
        super().on_epoch_end(epoch, logs)
        self._pass_on()

    def _pass_on(self) -> None:
        if self.model.stop_training:
            self.objective.stop_training = True


def alone(callbacks: Any) -> bool:
    """Whether callbacks are to hear of each epoch before the next begins: if any does more than
    show the monitors."""
    return not all(isinstance(callback, Shows) for callback in callbacks)
