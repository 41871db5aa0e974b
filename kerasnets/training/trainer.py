"""The training loop: `model.fit` for one epoch at a time, with patience and checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

import keras

from kerasnets import backend, devices
from kerasnets.errors import FileError
from kerasnets.initializers import restored
from kerasnets.training import checkpoints
from kerasnets.training.checkpoints import Checkpoints
from kerasnets.training.epochs import Epochs
from kerasnets.training.patience import Patience

log = logging.getLogger(__name__)

#: What a checkpoint says beside the values of variables.
STATE = ('best', 'epoch', 'updates', 'validation', 'patience', 'history', 'rngs')


@dataclasses.dataclass
class Trainer:
    """One training run of a network.

    Attributes
    ----------
    net : Network
        Whose model's weights are kept and restored, and whose history is written.
    objective : objective.Objective
        Compiled with the optimizer.
    train, valid : data.Dataset
        `valid` may be None: then the training loss is watched, and its monitors are
        returned instead.
    patience : Patience
    settings : training.Settings
    callbacks : list of keras.callbacks.Callback
    checkpoints : Checkpoints or None
    """

    net: Any
    objective: keras.Model
    train: Any
    valid: Any
    patience: Patience
    settings: Any
    callbacks: list[Any]
    checkpoints: Checkpoints | None = None

    def __post_init__(self) -> None:
        self.model = self.net.model
        self.epoch = self.updates = 0  # that are done
        self.validation: Any = {}
        self.best = backend.values(self.model.weights)

    def __iter__(self) -> Iterator[Any]:
        """Yield (training, validation) monitors after each epoch.

        When the last epoch is done, or Ctrl-C ends it, the best parameters are restored. A
        caller who leaves early keeps those of the moment.
        """
        callbacks = Epochs(
            self.callbacks,
            self.objective,
            self.model,
            epochs=self.settings.epochs,
            steps=self.train.batches,
            verbose=0,
        )
        callbacks.begin()
        try:
            with devices.watching():
                yield from self._epochs(callbacks)
                backend.restore(self.model.weights, self.best)
        finally:
            callbacks.end()

    def _epochs(self, callbacks: Any) -> Iterator[Any]:
        try:
            if not self.epoch:  # the parameters to begin with are candidates, as for theanets
                self._validate()
            while not self._done():
                check = (self.epoch + 1) % self.settings.validate_every == 0 or self._last()
                start = time.perf_counter()
                training = self._fit(callbacks, check)
                finite = math.isfinite(training['loss'])
                stop = self.model.stop_training or not finite
                if stop and not check:
                    self._validate()
                self._record(training, check or stop, time.perf_counter() - start)
                if self.checkpoints and finite and (stop or self._saves()):
                    self.checkpoints.save(self.net, self.state())
                yield training, dict(self.validation)
                if not finite:
                    log.warning('the loss is %s: training stops.', training['loss'])
                if stop:
                    return
        except KeyboardInterrupt:
            log.warning('interrupted: training stops.')
            self._validate()

    def _done(self) -> Any:
        """Whether there is nothing left to do."""
        settings = self.settings
        spent = settings.max_updates is not None and self.updates >= settings.max_updates
        past = settings.epochs is not None and self.epoch >= settings.epochs
        return spent or past or self.patience.exhausted

    def _last(self) -> Any:
        """Whether the next epoch is sure to be the last."""
        last = self.settings.epochs is not None and self.epoch + 1 >= self.settings.epochs
        steps = self._steps()
        return last or (
            self.settings.max_updates is not None
            and steps is not None
            and self.updates + steps >= self.settings.max_updates
        )

    def _saves(self) -> Any:
        return self._done() or (self.checkpoints is not None and self.checkpoints.due(self.epoch))

    def _steps(self) -> Any:
        """Updates in the next epoch, where that is known."""
        steps = self.train.batches
        if self.settings.max_updates is None:
            return steps
        left = self.settings.max_updates - self.updates
        return left if steps is None else min(left, steps)

    def _fit(self, callbacks: Any, check: Any) -> Any:
        """Train for an epoch, validating after it if asked; returns the training monitors."""
        validate = check and self.valid is not None
        before = self._iterations()
        with reading(self.train, self.valid):
            history = self.objective.fit(
                self.objective.feed(self.train),
                steps_per_epoch=self.objective.calls(self._steps()),
                initial_epoch=self.epoch,
                epochs=self.epoch + 1,
                validation_data=self.valid.feed() if validate else None,
                validation_steps=self.valid.batches if validate else None,
                callbacks=callbacks,
                verbose=0,
                shuffle=False,
            ).history
        logs = {name: float(values[-1]) for name, values in history.items()}
        training = {name: logs[name] for name in self.objective.names}
        self.epoch += 1
        self.updates += self._iterations() - before
        if self.valid is None:
            self._note(training, check)
        elif validate:
            self._note({name: logs[f'val_{name}'] for name in training})
        return training

    def _iterations(self) -> Any:
        """Updates that the optimizer has made."""
        return int(backend.values([self.objective.optimizer.iterations])[0])

    def _record(self, training: Any, validated: Any, seconds: Any) -> None:
        """Add a row to the history of the network."""
        valid = self.validation if validated and self.valid is not None else {}
        row = {'epoch': len(self.net.history) + 1, 'seconds': seconds, **training}
        self.net.history.append({**row, **{f'val_{k}': v for k, v in valid.items()}})

    def _validate(self) -> None:
        if self.valid is not None:
            self._note(evaluate(self.objective, self.valid))

    def _note(self, monitors: Any, counts: bool = True) -> None:
        """Keep the monitors, and the parameters if they are the best so far."""
        self.validation = monitors
        if self.patience.better(monitors['loss'], counts):
            self.best = backend.values(self.model.weights)

    # To stop here and go on elsewhere

    def _variables(self) -> Any:
        """All that changes in training, by the name it has in a checkpoint."""
        noises = [layer.seed_generator.state for layer in self.objective.noises]
        return {
            'parameters': self.model.variables,
            'optimizer': self.objective.optimizer.variables,
            'noises': noises,
        }

    def state(self) -> Any:
        """What a checkpoint holds."""
        return {
            **{name: backend.values(vs) for name, vs in self._variables().items()},
            'best': self.best,
            'epoch': self.epoch,
            'updates': self.updates,
            'validation': self.validation,
            'patience': [self.patience.best, self.patience.failures],
            'history': self.net.history,
            'rngs': [rng.bit_generator.state for rng in (self.train.rng, self.net.rng)]
            if self.train.rng is not None
            else [],
        }

    def set_state(self, state: Any) -> None:
        """Go on from what a checkpoint holds; on an error nothing has changed."""
        missing = {*self._variables(), *STATE} - set(state)
        if missing:
            raise FileError(
                f'the checkpoint lacks {", ".join(sorted(missing))}. Train from the beginning.'
            )
        for name, variables in self._variables().items():
            checkpoints.check(variables, state[name], name)
        rng = restored(state['rngs'][1]) if state['rngs'] else None
        for name, variables in self._variables().items():
            backend.restore(variables, state[name])
        self.best = state['best']
        self.epoch, self.updates = state['epoch'], state['updates']
        self.validation = state['validation']
        self.patience.best, self.patience.failures = state['patience']
        self.net.history[:] = state['history']
        if state['rngs']:
            self.train.rng.bit_generator.state, self.net.rng = state['rngs'][0], rng


def evaluate(objective: Any, source: Any) -> Any:
    """The monitors over data, as a dict."""
    with reading(source):
        logs = objective.evaluate(source.feed(), steps=source.batches, verbose=0, return_dict=True)
    return {name: float(logs[name]) for name in objective.names}


@contextlib.contextmanager
def reading(*sources: Any) -> Iterator[Any]:
    """Raise what a data source raised, not the backend's wrapping of it.

    The end of a source whose length nobody knew is no cause for a warning.
    """
    given = [source for source in sources if source is not None]
    try:
        with warnings.catch_warnings():
            if any(source.batches is None for source in given):
                warnings.filterwarnings('ignore', message='Your input ran out of data')
            yield
    except Exception:
        for source in given:
            if source.error is not None:
                cause, source.error = source.error, None
                raise cause from None
        raise
