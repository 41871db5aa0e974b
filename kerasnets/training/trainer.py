"""The training loop: `model.fit` up to the next event, with patience and checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
import warnings
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np

from kerasnets import backend, devices
from kerasnets.data.blocks import EPOCHS
from kerasnets.errors import FileError
from kerasnets.initializers import restored
from kerasnets.training import checkpoints
from kerasnets.training.callback_list import EpochCallbacks
from kerasnets.training.checkpoints import Checkpoints
from kerasnets.training.compiled.engine import Epochs, Group
from kerasnets.training.patience import Patience
from kerasnets.training.run import Run

log = logging.getLogger(__name__)

#: What a checkpoint says beside the values of variables.
STATE = ('noises', 'best', 'epoch', 'updates', 'validation', 'patience', 'history', 'rngs')


@dataclasses.dataclass
class Trainer(Run):
    """One training run of a network.

    Attributes
    ----------
    net : Network
        Whose model's weights are kept and restored, and whose history is written.
    fit : fits.KerasFit or fits.EngineFit
    optimizer : keras.optimizers.Optimizer
    train, valid : data.Dataset
        `valid` may be None: then the training loss is watched, and its monitors are
        returned instead.
    patience : Patience
    settings : training.Settings
    callbacks : list of keras.callbacks.Callback
    checkpoints : Checkpoints or None
    alone : bool
        Whether epochs are to be run one at a time in any case.
    """

    net: Any
    fit: Any
    optimizer: keras.optimizers.Optimizer
    train: Any
    valid: Any
    patience: Patience
    settings: Any
    callbacks: list[Any]
    checkpoints: Checkpoints | None = None
    alone: bool = False

    def __post_init__(self) -> None:
        self.model = self.net.model
        self.epoch = self.updates = 0  # that are done
        self.validation: Any = {}
        self.best = backend.values(self.model.weights)

    def run(self) -> Iterator[Any]:
        """Yield (training, validation) monitors after each epoch, or some of them.

        When the last epoch is done, or Ctrl-C ends it, the best parameters are restored. A
        caller who leaves early keeps those of the moment.
        """
        callbacks = EpochCallbacks(
            self.callbacks,
            self.model,
            epochs=self.settings.epochs,
            steps=self.train.batches,
            verbose=0,
        )
        callbacks.begin()
        try:
            with devices.watching():
                yield from self._until_done(callbacks)
                backend.restore(self.model.weights, self.best)
        finally:
            callbacks.end()

    def _until_done(self, callbacks: Any) -> Iterator[Any]:
        try:
            if not self.epoch:  # the parameters to begin with are candidates, as for theanets
                self._validate()
            while not self._done():
                training = self._fit(callbacks)
                finite = math.isfinite(training['loss'])
                stop = self.model.stop_training or not finite
                if stop and not self._checked(self.epoch, self._spent(self.updates)):
                    self._validate()
                    self._show_validation()
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
        past = self.settings.epochs is not None and self.epoch >= self.settings.epochs
        return self._spent(self.updates) or past or self.patience.exhausted

    def _spent(self, updates: int) -> bool:
        """Whether so many updates are all."""
        return self.settings.max_updates is not None and updates >= self.settings.max_updates

    def _checked(self, epoch: int, spent: bool) -> bool:
        """Whether a validation comes after so many epochs, or because all updates are made."""
        settings = self.settings
        return epoch % settings.validate_every == 0 or epoch == settings.epochs or spent

    def _ahead(self) -> list[Any]:
        """The updates in each of the epochs that come before the next event."""
        settings, steps = self.settings, self.train.batches
        every = settings.validate_every
        alone = self.each or self.alone or not self.fit.many or steps is None
        ahead = [1 if alone else EPOCHS]
        if settings.epochs is not None:
            ahead.append(settings.epochs - self.epoch)
        # until the next validation, or as often as patience lasts
        checks = 1 if self.valid is not None else self.patience.left
        ahead.append((self.epoch // every + checks) * every - self.epoch)
        if self.checkpoints is not None:
            ahead.append(self.checkpoints.ahead(self.epoch))
        if settings.max_updates is None:
            return [steps] * min(ahead)
        left = settings.max_updates - self.updates
        if steps is None:
            return [left]
        return [min(steps, left - i * steps) for i in range(min(*ahead, -(-left // steps)))]

    def _saves(self) -> Any:
        return self._done() or (self.checkpoints is not None and self.checkpoints.due(self.epoch))

    def _fit(self, callbacks: Any) -> Any:
        """Train up to the next event; returns the training monitors of the last epoch."""
        groups = self._groups(callbacks)
        with reading(self.train, self.valid), contextlib.closing(groups):
            margin = self.patience.min_improvement
            validation = self.fit.train(self.train, groups, callbacks, margin)
        if validation is not None:
            self._note(validation)
            self._show_validation()
        return {name: self.net.history[-1][name] for name in self.fit.names}

    def _groups(self, callbacks: Any) -> Generator[Group, None, None]:
        """Yield the epochs up to the next event, as many at a time as there will be for sure."""
        going = True
        while going:
            updates, start = self._ahead(), time.perf_counter()
            spent = None not in updates and self._spent(self.updates + sum(updates))
            check = self._checked(self.epoch + len(updates), spent)
            group = Group(updates, self.epoch, self.valid if check else None)
            if self.valid is None:  # else losses of training are not compared
                group.best = self.patience.best
            try:
                yield group
            finally:
                self.updates += group.ran.updates
                self._absorb(group.ran, time.perf_counter() - start)
            going = group.valid is None and not self._eventful(group.ran)
            rows = self.net.history[len(self.net.history) - len(group.ran.logs) :]
            callbacks.passed(group.epoch, rows, going)

    def _eventful(self, ran: Epochs) -> bool:
        """Whether something is to be done now, or by somebody else, after some epochs."""
        finite = all(math.isfinite(row['loss']) for row in ran.logs)
        alone = self.each or self.alone or not self.fit.many
        return alone or not finite or self._saves()

    def _absorb(self, ran: Epochs, seconds: float) -> None:
        """Note what some epochs gave."""
        for i, training in enumerate(ran.logs):
            self.epoch += 1
            last = i == len(ran.logs) - 1
            check = self._checked(self.epoch, last and self._spent(self.updates))
            row = {'epoch': len(self.net.history) + 1, 'seconds': seconds / len(ran.logs)}
            self.net.history.append({**row, **training})
            if self.valid is None:
                self.validation = training
                known = ran.better[i] if ran.better else None
                better = self.patience.note(training['loss'], known, check)
                if better and known is None:
                    self.best = backend.values(self.model.weights)
        if ran.best is not None:
            self.best = ran.best

    def _show_validation(self) -> None:
        """Add the validation to the last row of the history."""
        if self.valid is not None:
            found = {f'val_{name}': value for name, value in self.validation.items()}
            self.net.history[-1].update(found)

    def _validate(self) -> None:
        if self.valid is not None:
            self._note(evaluate(self.fit, self.valid))

    def _note(self, monitors: Any) -> None:
        """Keep the monitors of a validation, and the parameters if they are the best so far."""
        self.validation = monitors
        if self.patience.note(monitors['loss']):
            self.best = backend.values(self.model.weights)

    # To stop here and go on elsewhere

    def _variables(self) -> Any:
        """Return the variables that training changes, by their names in a checkpoint."""
        return {'parameters': self.model.variables, 'optimizer': self.optimizer.variables}

    def state(self) -> Any:
        """Return the contents of a checkpoint."""
        return {
            **{name: backend.values(vs) for name, vs in self._variables().items()},
            'noises': [np.array(value) for value in self.fit.seeds],
            'best': self.best,
            'epoch': self.epoch,
            'updates': self.updates,
            'validation': self.validation,
            'patience': [self.patience.best, self.patience.failures],
            'history': self.net.history,
            'data': self._data(),
            'rngs': [rng.bit_generator.state for rng in (self.train.rng, self.net.rng)]
            if self.train.rng is not None
            else [],
        }

    def _data(self) -> dict[str, Any]:
        """What decides which numbers come of the data: the rows and the size of batches."""
        count = getattr(self.train, 'count', None)
        return {'rows': count, 'batches of': getattr(self.train, 'batch_size', None)}

    def set_state(self, state: Any) -> None:
        """Go on from what a checkpoint holds; on an error nothing has changed."""
        missing = {*self._variables(), *STATE} - set(state)
        if missing:
            raise FileError(
                f'the checkpoint lacks {", ".join(sorted(missing))}. Train from the beginning.'
            )
        for name, variables in self._variables().items():
            checkpoints.check(variables, state[name], name)
        checkpoints.check(self.fit.seeds, state['noises'], 'noises')
        checkpoints.compare(state.get('data', {}), self._data())
        rng = restored(state['rngs'][1]) if state['rngs'] else None
        for name, variables in self._variables().items():
            backend.restore(variables, state[name])
        self.fit.seeds = state['noises']
        self.best = state['best']
        self.epoch, self.updates = state['epoch'], state['updates']
        self.validation = state['validation']
        self.patience.best, self.patience.failures = state['patience']
        self.net.history[:] = state['history']
        if state['rngs']:
            self.train.rng.bit_generator.state, self.net.rng = state['rngs'][0], rng


def evaluate(fit: Any, source: Any) -> Any:
    """The monitors over data, as a dict."""
    with reading(source):
        logs = fit.evaluate(source)
    return {name: float(logs[name]) for name in fit.names}


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
