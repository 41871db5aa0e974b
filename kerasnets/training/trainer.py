"""The training loop: `model.fit` over the stretches of a plan, with patience and checkpoints."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import inspect
import logging
import math
import string
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras.callbacks import Callback

from kerasnets import backend, devices
from kerasnets.callbacks import Shows
from kerasnets.data.batches import Dataset
from kerasnets.errors import named
from kerasnets.initializers import restored
from kerasnets.training.checkpoints import Checkpoints, State
from kerasnets.training.plan import Patience, Plan, Stretch
from kerasnets.typing import Array, Monitors

log = logging.getLogger('kerasnets')

#: Ends of the names of monitors whose larger values are better.
INCREASING = ('acc', 'accuracy', 'auc', 'precision', 'recall', 'score', 'iou')

Pair = tuple[Monitors, Monitors]


#: The generators of trainings that have not ended.
_UNENDED: weakref.WeakSet[Generator[Pair, None, None]] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End the trainings that a caller left, while callbacks can still run."""
    for epochs in list(_UNENDED):
        if inspect.getgeneratorstate(epochs) != inspect.GEN_RUNNING:
            epochs.close()


class Run(Iterator[Pair]):
    """An iterator of (training, validation) monitors after each epoch.

    Attributes
    ----------
    each : bool
        Set to False before the first epoch, it yields only once, when training has ended, which
        is faster.
    kept : (training, validation)
        The monitors of the parameters that the network kept, once training has ended.
    """

    each = True
    kept: Pair = ({}, {})
    _epochs: Generator[Pair, None, None] | None = None

    def iterate(self) -> Generator[Pair, None, None]:
        """Yield the monitors of each epoch."""
        raise NotImplementedError

    def __next__(self) -> Pair:
        """Return the monitors of the next epoch."""
        if self._epochs is None:
            self._epochs = self.iterate()
            _UNENDED.add(self._epochs)
        return next(self._epochs)

    def close(self) -> None:
        """End training here."""
        if self._epochs is not None:
            self._epochs.close()


class Sequence(Run):
    """Several trainings in a row. Each is prepared when the previous one has ended."""

    def __init__(self, first: Run, others: Iterable[Run]) -> None:
        self.first, self.others = first, others

    def iterate(self) -> Generator[Pair, None, None]:
        """Yield the epochs of all trainings."""
        run, others = self.first, iter(self.others)
        while run is not None:
            run.each = self.each
            yield from run
            self.kept = run.kept
            run = next(others, None)  # type: ignore[assignment]


class Immediate(Run):
    """A training without epochs, in a single step."""

    def __init__(self, train: Callable[[], Pair]) -> None:
        self._train = train

    def iterate(self) -> Generator[Pair, None, None]:
        """Yield the monitors once."""
        self.kept = self._train()
        yield self.kept


class Listeners(keras.callbacks.CallbackList):
    """The callbacks of a training, which see the network's own model.

    Parameters
    ----------
    shown, callbacks : list of Callback
        Those of kerasnets, which show the monitors, and those of the user.
    model : keras.Model
    epochs, steps : int or None
        Epochs of the training, and batches in an epoch.

    Attributes
    ----------
    shown : list of Callback
        The callbacks of kerasnets, which show the monitors.
    hears : bool
        Whether there is any callback.
    acts : bool
        Whether any callback must run between epochs, since it does more than show monitors.
    acts_on_batches, acts_on_tests : bool
        Whether any callback of the user must run between batches of the training, or of a
        validation.
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
        self.shown = shown
        self.hears = bool(shown or callbacks)
        self.acts = self.acts_on_batches = self.acts_on_tests = self.watches_validation = False
        for one in (*shown, *callbacks):
            if not isinstance(one, Shows):
                self.acts = True
                self.acts_on_batches |= acts_on(one, 'batch', 'train_batch')
                self.acts_on_tests |= acts_on(one, 'test_batch')
                self.watches_validation |= any(name.startswith('val_') for name in watched(one))
            if getattr(one, 'mode', None) == 'auto':
                one.mode = direction(str(getattr(one, 'monitor', '')))
        super().__init__([*shown, *callbacks], model=model, epochs=epochs, steps=steps, verbose=0)


def watched(callback: Callback) -> list[str]:
    """Return the quantities that a callback of Keras watches or writes in the name of a file.

    >>> watched(keras.callbacks.ModelCheckpoint('{epoch}-{val_acc:.2f}.keras'))
    ['val_acc']
    """
    names = [callback.monitor] if isinstance(getattr(callback, 'monitor', None), str) else []
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        names = names if callback.save_best_only else []
        names += [
            name for _, name, _, _ in string.Formatter().parse(str(callback.filepath)) if name
        ]
    return [name for name in names if name not in ('epoch', 'batch')]


def direction(monitor: str) -> str:
    """Return 'max' or 'min' for the better values of a monitor, or 'auto' if Keras must decide.

    >>> direction('val_acc'), direction('err'), direction('val_loss')
    ('max', 'min', 'auto')
    """
    if monitor.endswith(INCREASING):
        return 'max'
    return 'min' if monitor.removeprefix('val_') == 'err' else 'auto'


def acts_on(callback: Callback, *moments: str) -> bool:
    """Return True if a callback overrides the begin or end of some events.

    >>> acts_on(keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), 'train_batch')
    False
    """
    names = [f'on_{moment}_{end}' for moment in moments for end in ('begin', 'end')]
    own = [getattr(getattr(callback, name), '__func__', None) for name in names]
    return own != [getattr(Callback, name) for name in names]


@dataclasses.dataclass
class Kept:
    """The parameters that a network has when training ends.

    Attributes
    ----------
    epoch : int
        Epoch after which the parameters had these values; 0 for the initial ones.
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
        None: the training data serves for validation.
    patience : Patience
    plan : Plan
    listeners : Listeners
    checkpoints : Checkpoints or None
    batches : int
        Maximum number of batches in a call of a program.
    about : dict
        What determines the result, as a checkpoint records it.
    """

    net: Any
    steps: Any
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
        """Set the counters and take the initial parameters as the best."""
        self.model = self.net.model
        self.epoch = self.updates = self.batch = 0  # that are done, batches in this epoch
        self.checked = 0  # the epoch of the last check
        self.training: Monitors = {}
        self.validation: Monitors = {}
        self.logs: Monitors = {}  # of the last epoch, as callbacks see them
        self.stopped = False
        self.raw: list[Array] | None = None  # the parameters, where ``fit`` sets their averages
        #: Whether the optimizer averages the parameters.
        self.averages = bool(getattr(self.optimizer, 'use_ema', False))
        self.best = Kept(0, self.steps.weights(self.model.weights), {}, {})
        self.stretch: Stretch | None = None  # in progress
        self._mark = self.seconds = 0.0  # of the last lap; of this epoch
        data = self.valid or (self.train.again() if self.plan.chooses else None)
        self.validated: Dataset | None = data

    def iterate(self) -> Generator[Pair, None, None]:
        """Yield (training, validation) monitors after each epoch, or once at the end.

        When training ends, also by Ctrl-C, the best parameters are restored. A caller who stops the
        iteration early keeps the current parameters.
        """
        self.model.stop_training = False
        with devices.watching():
            try:
                try:
                    self.listeners.on_train_begin()
                    requested = self.model.stop_training
                    if not self.epoch and self.valid is not None:
                        self._check()  # the initial parameters are candidates
                    while not self.done:
                        self._fit()
                        self.stopped = self.stopped or requested
                        yield self.training, dict(self.validation or self.training)
                except KeyboardInterrupt:
                    log.warning('Training was interrupted and stops.')
                    self._check()
                backend.restore(self.model.weights, self.best.weights)
                self._report()
            except GeneratorExit:
                self.listeners.on_train_end(self.logs)
                raise
            except BaseException:  # as in Keras, callbacks of the user do not hear of an end
                for one in self.listeners.shown:
                    one.on_train_end()
                raise
            self.listeners.on_train_end(self.logs)

    @property
    def done(self) -> bool:
        """True if training is complete."""
        over = self.stopped or self.patience.exhausted
        return over or self.plan.stretch(self.epoch, self.updates) is None

    @property
    def alone(self) -> bool:
        """True if nothing reads or sets the variables until training ends."""
        heard = self.each or self.listeners.acts or self.averages
        return not heard and self.checkpoints is None

    def _fit(self) -> None:
        """Run ``fit``: for an epoch if the caller sees each, else until training is done."""
        try:
            self.steps.fit(self)
        finally:
            self.stretch = None
            self.steps.write()
        if self.raw is not None:  # which `fit` replaced by their averages
            backend.restore(self.model.trainable_variables, self.raw)

    # An epoch, from its begin to its end

    def begin_epoch(self) -> None:
        """Begin an epoch, and a new stretch if the last one has ended."""
        if self.stretch is None:
            plan = dataclasses.replace(self.plan, single=self.plan.single or self.each)
            self.stretch = plan.stretch(self.epoch, self.updates)
        self.batch, self.seconds = 0, 0.0
        self.lap()
        if self.listeners.hears:
            self.listeners.on_epoch_begin(self.epoch)

    def lap(self) -> float:
        """Return the seconds since the last call of this method."""
        before, self._mark = self._mark, time.perf_counter()
        return self._mark - before

    def record(self, updates: int, row: Monitors, ended: bool, seconds: float) -> bool:
        """Record some updates of a program; return False at the end of the stretch."""
        self.updates += updates
        self.batch += updates
        self.seconds += seconds
        if updates and self.listeners.shown:
            self.listeners.on_train_batch_end(self.batch - 1, row)
        if ended:
            self.end_epoch(row)
            if self.stretch is not None:
                self.begin_epoch()
        return self.stretch is not None

    def end_epoch(self, row: Monitors) -> None:
        """End an epoch; after the last one of a stretch, check and save."""
        self.epoch += 1
        self.training = row
        failed = not math.isfinite(row['loss'])
        assert self.stretch is not None
        last = failed or self.epoch == self.stretch.epoch + len(self.stretch.updates)
        monitors: Monitors = {}
        if failed:
            log.warning('The loss is %s, so training stops.', row['loss'])
        if last and self.averages:
            self.raw = backend.values(self.model.trainable_variables)
        if last and (self.stretch.checks or failed or self.model.stop_training):
            monitors = self._check()
        self.seconds += self.lap()
        number = len(self.net.history) + 1
        recorded = {'epoch': number, 'seconds': self.seconds, **row, **monitors}
        self.net.history.append(recorded)
        for one in self.listeners.shown:
            one.seconds = self.seconds
        self.logs = {**row, **monitors}
        if self.listeners.hears:
            self.listeners.on_epoch_end(self.epoch - 1, self.logs)
        self.stopped = self.stopped or failed or self.model.stop_training
        if not last and not self.stopped:
            return
        if self.stopped and self.checked != self.epoch:
            recorded.update(self._check())
        done = self.done
        saving = None if failed else self.checkpoints
        if saving is not None and (done or self.stretch.saves or saving.is_due()):
            saving.save(self.net, self.state())
        self.stretch = None
        if done:
            self.model.stop_training = True

    # The parameters that are kept

    def _check(self) -> Monitors:
        """Validate the parameters and keep them if they are the best; return 'val_' monitors."""
        self.checked = self.epoch
        if self.validated is None and not self.training:
            return {}
        with self._averaged():
            if self.validated is None:  # nothing to choose from: the last parameters are kept
                self.validation = self.training
            else:
                self.validation = self._evaluate(self.validated)
            loss = self.validation['loss']
            better = self.patience.note(loss)
            if better or (self.validated is None and math.isfinite(loss)):
                weights = self.steps.weights(self.model.weights)
                self.best = Kept(self.epoch, weights, self.training, self.validation)
        if self.valid is None:
            return {}
        return {f'val_{name}': value for name, value in self.validation.items()}

    def _evaluate(self, data: Dataset) -> Monitors:
        """Return the monitors over data; call the listeners for a validation after an epoch."""
        heard = self.listeners.hears and self.epoch > 0 and self.valid is not None
        if heard:
            self.listeners.on_test_begin()
        listeners = self.listeners if heard and self.listeners.acts_on_tests else None
        with data.reading():
            result: Monitors = self.steps.evaluate(data, listeners)
        if heard:
            self.listeners.on_test_end(result)
        return result

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Set the parameters to their moving averages within a ``with`` block."""
        if not self.averages or not self.epoch:
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
        """Record which parameters are kept; warn if training did not improve them."""
        kept = self.best
        self.kept = kept.training or self.training, kept.validation
        self.net.history.best = {'epoch': kept.epoch, **kept.validation}
        finite = math.isfinite(self.training.get('loss', 0.0))
        if self.epoch and not kept.epoch and self.valid is not None and finite:
            log.warning(
                'No epoch was better than the initial parameters, which are kept. Try another %s.',
                named('learning_rate'),
            )

    # Checkpoints

    def state(self) -> State:
        """Return the contents of a checkpoint."""
        rngs = (self.train.rng, self.net.rng) if self.train.rng is not None else ()
        return State(
            parameters=backend.values(self.model.variables),
            optimizer=backend.values(self.optimizer.variables),
            noises=[np.array(value) for value in self.steps.seeds],
            best=backend.values(self.best.weights),
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
        """Resume from a checkpoint; leave everything unchanged on an error.

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
        self.best = Kept(weights=state.best, **kept)
        self.net.history[:] = state.history
        if state.rngs and self.train.rng is not None:
            self.train.rng.bit_generator.state = state.rngs[0]
            self.net.rng = restored(state.rngs[1])
        if differences:
            log.warning(
                'This training goes on from its checkpoint with other settings: %s.',
                ', '.join(differences),
            )
