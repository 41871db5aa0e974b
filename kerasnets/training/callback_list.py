"""Keras callbacks over the epochs of a training run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class EpochCallbacks(keras.callbacks.CallbackList):
    """Makes several calls of ``fit`` look like one to the callbacks.

    The callbacks are given the network's own model, so that they save and change that one;
    when they stop its training, that of the model that is fitted is stopped.
    """

    def __init__(self, callbacks: Any, model: Any, **params: Any) -> None:
        self.history = keras.callbacks.History()
        self.watched = bool(callbacks)  # whether anybody hears of the steps
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
        self.start, self.finish = start, finish
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

    def on_epoch_end(self, epoch: Any, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        if self.finish is not None:
            self.finish(logs)
        super().on_epoch_end(epoch, logs)
        self._pass_on()

    def _pass_on(self) -> None:
        if self.model.stop_training:
            self.objective.stop_training = True
