"""Keras callbacks over the epochs of a training run."""

from __future__ import annotations

from typing import Any

import keras


class Epochs(keras.callbacks.CallbackList):
    """Makes several calls of ``fit`` look like one to the callbacks.

    The callbacks are given the network's own model, so that they save and change that one;
    when they stop its training, the objective's is stopped.
    """

    def __init__(self, callbacks: Any, objective: Any, model: Any, **params: Any) -> None:
        self.objective = objective
        history = keras.callbacks.History()
        objective.history = history
        model.stop_training = False
        super().__init__([*callbacks, history], model=model, **params)

    def begin(self) -> None:
        super().on_train_begin()

    def end(self) -> None:
        super().on_train_end()

    def on_train_begin(self, logs: Any = None) -> None:
        pass

    def on_train_end(self, logs: Any = None) -> None:
        pass

    def on_train_batch_begin(self, batch: Any, logs: Any = None) -> None:
        super().on_train_batch_begin(self.objective.updates(batch), logs)

    def on_train_batch_end(self, batch: Any, logs: Any = None) -> None:
        done = self.objective.updates(batch + 1)
        steps = self.params['steps']
        super().on_train_batch_end((min(done, steps) if steps else done) - 1, logs)
        self._pass_on()

    def on_epoch_end(self, epoch: Any, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._pass_on()

    def _pass_on(self) -> None:
        if self.model.stop_training:
            self.objective.stop_training = True
