"""The training loop: `model.fit` over the stretches of a plan, with patience and checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasnets import backend, devices, keras_facts
from kerasnets.data.batches import Dataset
from kerasnets.initializers import restored
from kerasnets.programs.training import Computed
from kerasnets.training.checkpoints import Checkpoints, State
from kerasnets.training.listeners import Bridge, Listeners
from kerasnets.training.patience import Patience
from kerasnets.training.plan import Plan, Stretch
from kerasnets.training.run import Pair, Run
from kerasnets.training.steps import KerasSteps, ProgramSteps
from kerasnets.typing import Array, Monitors

log = logging.getLogger('kerasnets')


@dataclasses.dataclass
class Kept:
    """The parameters that a network has when training ends.

    Attributes
    ----------
    epoch : int
        Epochs after which they were; 0 for the initial ones.
    weights : list of array or tensor
    training, validation : dict
        The monitors of that epoch, and those of these parameters.
    """

    epoch: int
    weights: list[Any]
    training: Monitors
    validation: Monitors


@dataclasses.dataclass
class Trainer(Run):
    """One training of a network.

    Attributes
    ----------
    net : Network
        Whose model's weights are kept and restored, and whose history is written.
    steps : ProgramSteps or KerasSteps
    optimizer : keras.optimizers.Optimizer
    train : Dataset
    valid : Dataset or None
        None: the training data itself is validated with.
    patience : Patience
    plan : Plan
    listeners : Listeners
    checkpoints : Checkpoints or None
    batches : int
        Batches in a call of a program, at most.
    about : dict
        What decides the result, as a checkpoint records it.
    """

    net: Any
    steps: ProgramSteps | KerasSteps
    optimizer: keras.optimizers.Optimizer
    train: Dataset
    valid: Dataset | None
    patience: Patience
    plan: Plan
    listeners: Listeners
    checkpoints: Checkpoints | None
    batches: int
    about: dict[str, Any]

    def __post_init__(self) -> None:
        self.model = self.net.model
        self.epoch = self.updates = 0  # that are done
        self.batch = 0  # batches of this epoch that are done
        self.training: Monitors = {}
        self.validation: Monitors = {}
        self.best = Kept(0, self._weights(), {}, {})
        self.stopped = False
        self.failed = False
        self.checked = 0  # the epoch of the last check
        self._listening = False
        self._raw: list[Array] | None = None
        self._partial: Monitors = {}
        self._rows: list[Monitors] = []
        self._mark = 0.0
        data = self.valid or (self.train.again() if self.plan.chooses else None)
        self.validated: Dataset | None = data

    def run(self) -> Iterator[Pair]:
        """Yield (training, validation) monitors after each epoch, or once at the end.

        When training ends, also by Ctrl-C, the best parameters are restored. A caller who leaves
        early keeps those of the moment.
        """
        self.model.stop_training = False
        with devices.watching():
            try:
                yield from self._until_done()
                backend.restore(self.model.weights, self.best.weights)
                self._report()
            finally:
                if self._listening:
                    self._listening = False
                    self.listeners.on_train_end()

    def _until_done(self) -> Iterator[Pair]:
        try:
            self._listening = True
            self.listeners.on_train_begin()
            asked = self.model.stop_training
            if not self.epoch and self.valid is not None:  # the initial parameters are candidates
                self._check()
            while not self.done:
                self._fit()
                self.stopped = self.stopped or asked
                yield self.training, dict(self.validation or self.training)
        except KeyboardInterrupt:
            log.warning('Training was interrupted and stops.')
            self._check()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        over = self.stopped or self.failed or self.patience.exhausted
        return over or self.plan.stretch(self.epoch, self.updates) is None

    def _fit(self) -> None:
        """Run ``fit``: for an epoch if the caller sees each, else until training is done."""
        bridge = Bridge(self, batches=isinstance(self.steps, KerasSteps))
        try:
            if isinstance(self.steps, KerasSteps):
                self.steps.train(self.train, self._stretch(), bridge)
            else:
                alone = not (self.each or self.listeners.acts or self._uses_averages)
                self.steps.exclusive = alone and self.checkpoints is None
                last = self.epoch + 1 if self.each else sys.maxsize
                keras_facts.fit(self.model, self._train, range(self.epoch, last), bridge)
        finally:
            self.steps.write()
        if self._raw is not None:  # which `fit` replaced by their averages
            backend.restore(self.model.trainable_variables, self._raw)

    def _stretch(self) -> Stretch:
        plan = dataclasses.replace(self.plan, single=self.plan.single or self.each)
        stretch = plan.stretch(self.epoch, self.updates)
        assert stretch is not None  # else training is done
        return stretch

    # A stretch, from its begin to its end

    def begin_stretch(self) -> None:
        """Begin the epochs of the next stretch."""
        self.stretch = self._stretch()
        self._rows = []
        self._mark = time.perf_counter()
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.batch = 0
        if self.listeners.hears:
            self.listeners.on_epoch_begin(self.epoch)

    def _train(self) -> Monitors:
        """Do the work of an epoch of ``fit``: a stretch, or all where nobody acts between them."""
        logs = self._train_stretch()
        while self.steps.exclusive:
            self.end_stretch(logs)
            if self.done:
                break
            self.begin_stretch()
            logs = self._train_stretch()
        return logs

    def _train_stretch(self) -> Monitors:
        """Train for the stretch by a program; return the monitors of its last epoch."""
        assert isinstance(self.steps, ProgramSteps)
        one = self.listeners.acts_on_batches
        if one:
            self.listeners.on_train_batch_begin(0)
        with self.train.reading():
            self.steps.train(self.train, self.stretch, 1 if one else self.batches, self._hear)
        return self._rows[-1] if self._rows else self._partial

    def _hear(self, computed: Computed) -> bool:
        """Record the results of a call; return False if training stops."""
        for i, (row, count) in enumerate(zip(computed.logs, computed.updates)):
            self.updates += count
            self.batch += count
            self._partial = row
            if count and (self.listeners.shows or self.listeners.acts_on_batches):
                self.listeners.on_train_batch_end(self.batch - 1, row)
            if self.model.stop_training:
                return False
            if i < computed.epochs:
                self._rows.append(row)
                if len(self._rows) < len(self.stretch.updates) and math.isfinite(row['loss']):
                    self._end_epoch(row)
                    self._begin_epoch()
            elif self.listeners.acts_on_batches and self.batch != self.stretch.updates[0]:
                self.listeners.on_train_batch_begin(self.batch)
        return True

    def _end_epoch(self, row: Monitors) -> None:
        """End an epoch that is not the last of its stretch: only the display hears of it."""
        self.epoch += 1
        recorded = self._record(row)
        if self.listeners.hears:
            self.listeners.on_epoch_end(self.epoch - 1, recorded)

    def end_stretch(self, logs: Monitors) -> None:
        """End the last epoch of the stretch: check, record, tell callbacks and save."""
        if isinstance(self.steps, KerasSteps):
            self.updates += min(self.batch, self.stretch.updates[0] or self.batch)
        self.training = {name: float(logs[name]) for name in self.steps.names}
        self.epoch += 1
        self.failed = not math.isfinite(self.training['loss'])
        if self.failed:
            log.warning('The loss is %s, so training stops.', self.training['loss'])
        if self._uses_averages:
            self._raw = backend.values(self.model.trainable_variables)
        found: Monitors = {}
        if self.stretch.checks or self.failed or self.model.stop_training:
            found = self._check()
        row = self._record(self.training, found)
        if self.listeners.hears:
            self.listeners.on_epoch_end(self.epoch - 1, {**self.training, **found})
        self.stopped = self.stopped or self.model.stop_training
        if self.stopped and self.checked != self.epoch:
            row.update(self._check())
        if self.checkpoints and not self.failed and self._saves():
            self.checkpoints.save(self.net, self.state())
        if self.done:
            self.model.stop_training = True

    def _record(self, row: Monitors, found: Monitors | None = None) -> Monitors:
        """Add an epoch to the history."""
        now = time.perf_counter()
        seconds, self._mark = now - self._mark, now
        number = len(self.net.history) + 1
        recorded = {'epoch': number, 'seconds': seconds, **row, **(found or {})}
        self.net.history.append(recorded)
        return recorded

    def _saves(self) -> bool:
        assert self.checkpoints is not None
        return self.done or self.stretch.saves or self.checkpoints.is_due()

    # The parameters that are kept

    def _check(self) -> Monitors:
        """Compare the parameters with the best ones; return what a history records of it."""
        self.checked = self.epoch
        if self.validated is None:  # nothing to choose from: the last parameters are kept
            if not self.training:
                return {}
            self.validation = self.training
            self.patience.note(self.training['loss'])
            if math.isfinite(self.training['loss']):
                self._keep()
            return {}
        with self._averaged():
            self.validation = self._evaluate(self.validated)
            if self.patience.note(self.validation['loss']):
                self._keep()
        if self.valid is None:
            return {}
        return {f'val_{name}': value for name, value in self.validation.items()}

    def _evaluate(self, data: Dataset) -> Monitors:
        """Return the monitors over data; callbacks hear of a validation after an epoch."""
        heard = self.listeners.hears and self.epoch > 0 and self.valid is not None
        if heard:  # all batches of it are one call
            self.listeners.on_test_begin()
            self.listeners.on_test_batch_begin(0)
        with data.reading():
            found = self.steps.evaluate(data)
        if heard:
            self.listeners.on_test_batch_end((data.batches or 1) - 1, found)
            self.listeners.on_test_end(found)
        return found

    def _keep(self) -> None:
        """Keep the parameters of this moment as the best ones."""
        with self._averaged():
            self.best = Kept(self.epoch, self._weights(), self.training, self.validation)

    def _weights(self) -> list[Any]:
        return self.steps.weights(self.model.weights)

    @property
    def _uses_averages(self) -> bool:
        """Whether the optimizer averages the parameters (`use_ema`)."""
        return bool(getattr(self.optimizer, 'use_ema', False))

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Set the parameters to their moving averages for a while, where there are any."""
        if not self._uses_averages or not self.epoch:
            yield
            return
        variables = self.model.trainable_variables
        before = backend.values(variables)
        self.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            backend.restore(variables, before)

    def _report(self) -> None:
        """Record which parameters are kept, and say it where training did not help."""
        kept = self.best
        self.kept = kept.training or self.training, kept.validation
        self.net.history.best = {'epoch': kept.epoch, **kept.validation}
        if self.epoch and not kept.epoch and self.valid is not None and not self.failed:
            log.warning(
                'No epoch was better than the initial parameters, which are kept. Try another '
                'learning_rate.'
            )

    # Checkpoints

    def state(self) -> State:
        """Return the contents of a checkpoint."""
        rngs = (self.train.rng, self.net.rng) if self.train.rng is not None else ()
        return State(
            parameters=backend.values(self.model.variables),
            optimizer=backend.values(self.optimizer.variables),
            noises=[np.array(value) for value in self.steps.seeds],
            best=[np.array(keras.ops.convert_to_numpy(value)) for value in self.best.weights],
            epoch=self.epoch,
            updates=self.updates,
            validation=self.validation,
            patience=[self.patience.best, self.patience.failures],
            history=list(self.net.history),
            rngs=[rng.bit_generator.state for rng in rngs],
            kept={
                'epoch': self.best.epoch,
                'training': self.best.training,
                'validation': self.best.validation,
            },
            about=self.about,
        )

    def resume(self, state: State) -> None:
        """Go on from a checkpoint; on an error nothing has changed.

        Raises
        ------
        FileError
            If it belongs to another network, algorithm or data, or is damaged.
        """
        state.check(self.state())
        differences = state.compare(self.about)
        backend.restore(self.model.variables, state.parameters)
        rate = float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))
        backend.restore(self.optimizer.variables, state.optimizer)
        if 'learning_rate' in differences and isinstance(
            self.about['learning_rate'], (int, float, type(None))
        ):  # a schedule goes by the number of updates
            self.optimizer.learning_rate = rate
        self.steps.seeds = state.noises
        self.epoch, self.updates = state.epoch, state.updates
        self.validation = state.validation
        self.patience.best, self.patience.failures = state.patience
        kept = state.kept or {'epoch': state.epoch, 'training': {}, 'validation': state.validation}
        self.best = Kept(kept['epoch'], state.best, kept['training'], kept['validation'])
        self.net.history[:] = state.history
        if state.rngs and self.train.rng is not None:
            self.train.rng.bit_generator.state = state.rngs[0]
            self.net.rng = restored(state.rngs[1])
        if differences:
            log.warning(
                'This training goes on from its checkpoint with other settings: %s.',
                ', '.join(differences),
            )
