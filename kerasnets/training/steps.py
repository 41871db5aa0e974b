"""Updates under ``model.fit``: by a program, or by Keras' own train function."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from collections.abc import Hashable, Iterable
from typing import Any

import keras
import numpy as np
from keras.callbacks import Callback

from kerasnets import backend, keras_facts
from kerasnets.data.batches import Arrays, Dataset
from kerasnets.data.blocks import FEW, Block, capacity, pack
from kerasnets.graph.loss_graph import Extras
from kerasnets.graph.noise import reseed, seed
from kerasnets.programs import key, program
from kerasnets.programs.models import Models
from kerasnets.programs.program import Programs
from kerasnets.programs.tracing import may_trace
from kerasnets.programs.training import (
    BlockProgram,
    EvaluationProgram,
    Objective,
    TrainingProgram,
)
from kerasnets.typing import Array, Monitors, Tensor


@dataclasses.dataclass(frozen=True)
class Payoff:
    """Estimated seconds that XLA saves in a training, and seconds that it needs to compile it.

    A program without XLA adds up the savings that its trainings missed. XLA compiles as soon as
    the sum reaches the cost, so a wrong estimate loses little time. With the default, XLA never
    compiles, but an existing compiled program is used.
    """

    saved: float = 0.0
    cost: float = math.inf

    @property
    def pays(self) -> bool:
        """True if this training alone saves what compiling costs."""
        return self.saved >= self.cost


class ProgramSteps:
    """Training and evaluation by programs.

    Parameters
    ----------
    programs : Programs
        Of the network.
    source : Dataset
        The data to train with, or other data in batches of the same shape.
    extras : Extras
        Regularizers, monitors and weights of classes.
    metrics : tuple of str or keras.metrics.Metric
    optimizer : keras.optimizers.Optimizer or None
        The network's own. None: only to evaluate.
    xla : (bool or Payoff, bool or Payoff)
        Whether XLA compiles training, and evaluation. A `Payoff`: it compiles when that saves
        time, and a program that it has compiled before is used.

    Attributes
    ----------
    names : list of str
        Of the monitors.
    seeds : list of array
        The states of the generators of noise.
    """

    #: Whether several epochs can run in one call.
    joins_epochs = True

    def __init__(
        self,
        programs: Programs,
        source: Dataset,
        extras: Extras,
        metrics: tuple[Any, ...],
        optimizer: Any = None,
        xla: tuple[bool | Payoff, bool | Payoff] = (Payoff(), Payoff()),
    ) -> None:
        models = programs.models
        self.programs, self.source, self.optimizer = programs, source, optimizer
        self.metrics, self.xla = metrics, xla
        self.model = models.model
        self.layout = models.data_spec.layout(source.specs[: len(models.data_spec.inputs)])
        self.extras = dataclasses.replace(extras, rows=key.fills_up(models, extras))
        self._held: dict[str, BlockProgram] = {}
        first = self._program('evaluate' if optimizer is None else 'train')
        self.names = first.names
        self.seeds: list[Array] = [np.array(first.initial[i]) for i in first.seeds]
        self.variables = [*models.layer_variables, *(optimizer.variables if optimizer else ())]
        self._values: list[Tensor] | None = None  # after the last call that finished
        self._behind = False  # whether the variables have other values than that
        self._packed: dict[Dataset, list[Block]] = {}

    def reseed(self, rng: np.random.Generator) -> None:
        """Reseed the random layers from a numpy generator."""
        self.seeds = [seed(rng) for _ in self.seeds]

    def fit(self, trainer: Any) -> None:
        """Run ``fit`` with the program as its train function.

        An epoch of ``fit`` is one stretch of the plan, or all of them if no callback acts between
        them.
        """
        alone = trainer.alone

        def train() -> Monitors:
            going = True
            while going:
                trainer.begin_epoch()
                with trainer.train.reading():
                    self._train(trainer, writes=not alone)
                going = alone and not trainer.done
            training: Monitors = trainer.training
            return training

        last = trainer.epoch + 1 if trainer.each else sys.maxsize
        keras_facts.fit(self.model, train, range(trainer.epoch, last))

    def _train(self, trainer: Any, writes: bool) -> None:
        """Train for a stretch; write the values to the network after each call if `writes`."""
        program: Any = self._program('train')
        held, further = self._current(), self._further(program)
        known = [updates for updates in trainer.stretch.updates if updates is not None]
        steps = capacity(trainer.train, sum(known) if known else None)
        updates, most = trainer.stretch.updates, trainer.batches
        for block in pack(trainer.train, updates, steps, most, program.rows):
            self._values, self._behind = held, True
            computed = program.train([*held, *further], block)
            count = len(held)
            self._values, further = computed.values[:count], computed.values[count:]
            held = self._values
            self.seeds = [np.asarray(further[i]) for i in program.seeds]
            if writes:
                self.write()
            seconds = trainer.lap() / max(1, sum(computed.updates))  # of one update
            for i, (row, number) in enumerate(zip(computed.logs, computed.updates)):
                if not trainer.record(number, row, i < computed.epochs, number * seconds):
                    return

    def write(self) -> None:
        """Set the network's variables to the values of the last call that finished."""
        if self._behind:
            for variable, value in zip(self.variables, self._values or ()):
                keras_facts.assign(variable, value)
            self._behind = False

    def _current(self) -> list[Tensor]:
        """Return the values of the network's variables."""
        if self._behind and self._values is not None:
            return self._values
        return [keras_facts.tensor(variable) for variable in self.variables]

    def weights(self, variables: list[Any]) -> list[Tensor]:
        """Return the values of some variables; later training does not change them."""
        places = {id(variable): i for i, variable in enumerate(self.variables)}
        values = self._current()
        return [values[places[id(variable)]] for variable in variables]

    def evaluate(self, source: Dataset, listeners: Any = None) -> Monitors:
        """Return the monitors over data, a batch at a time if callbacks listen."""
        program: Any = self._program('evaluate')
        held = self._current()[: len(program.variables) - len(program.further)]
        values = [*held, *self._further(program)]
        blocks = self._blocks(source, program.rows, 2**30 if listeners is None else 1)
        result, further = program.evaluate(values, blocks, listeners)
        self.seeds = [np.asarray(further[i]) for i in program.seeds]
        return result

    def _blocks(self, source: Dataset, pads: bool, most: int) -> Iterable[Block]:
        """Return the blocks of an evaluation; small data is packed once."""
        if source in self._packed and most > 1:
            return self._packed[source]
        steps = capacity(source, source.batches)
        blocks = pack(source, [source.batches], steps, most, pads)
        if steps != FEW or most == 1 or not isinstance(source, Arrays):
            return blocks
        tensor: Any = keras.ops.convert_to_tensor
        self._packed[source] = [
            dataclasses.replace(b, parts=tuple([tensor(np.array(part)) for part in b.parts]))
            for b in blocks
        ]
        return self._packed[source]

    def _further(self, program: BlockProgram) -> list[Any]:
        """Return values for the variables of a program that are not the network's."""
        values: list[Any] = list(program.initial)
        for place, i in program.weights:
            values[place] = np.float32(self.extras.regularizers[i].weight)
        for place, state in zip(program.seeds, self.seeds):
            dtype = keras.backend.standardize_dtype(program.initial[place].dtype)
            values[place] = np.asarray(state).astype(dtype)
        return values

    def _program(self, purpose: str) -> BlockProgram:
        """Return the program that trains or evaluates, compiled for the shape of the batches."""
        if purpose in self._held:
            return self._held[purpose]
        programs, source, metrics = self.programs, self.source, self.metrics
        optimizer = self.optimizer if purpose == 'train' else None
        rows = source.row() if source.block else ()  # else batches have many shapes
        shapes = repr([(part.shape[1:], part.dtype.name) for part in rows])
        common: tuple[Hashable, ...] = purpose, self.layout, source.batch_size, shapes
        own: tuple[Hashable, ...] = (*common, self.extras, metrics, _identity(optimizer))
        shared: tuple[Hashable, ...] | None = None
        try:
            described = repr(key.Description().of([optimizer, metrics]))
            keys = key.of_losses(programs.models), key.of_extras(self.extras), described
            shared = (*common, *keys)
        except key.UnknownError:  # then the program is the network's own
            pass

        def build(xla: bool, models: Models) -> BlockProgram:
            own_optimizer = optimizer
            if optimizer is not None and models is not programs.models:
                own_optimizer = program.copy_optimizer(optimizer, models)
            cls = EvaluationProgram if optimizer is None else TrainingProgram
            return cls(models, self.layout, self.extras, metrics, own_optimizer, xla)

        def keys_of(xla: bool) -> tuple[tuple[Hashable, ...] | None, tuple[Hashable, ...]]:
            return None if shared is None else (*shared, xla), (*own, xla)

        def find(xla: bool) -> BlockProgram:
            made = functools.partial(build, xla)
            found: BlockProgram = programs.find(*keys_of(xla), made, losses=True)
            return found

        choice = self.xla[purpose != 'train']
        if isinstance(choice, Payoff):
            pays = choice.pays or programs.has(*keys_of(True))
            found = find(pays)
            if not pays:
                found.missed += choice.saved
                if found.missed >= choice.cost:
                    found = find(True)
        else:
            found = find(choice)
        self._held[purpose] = found
        return found


def _identity(optimizer: Any) -> Hashable:
    """Return the identity of an optimizer and of its present attributes."""
    if optimizer is None:
        return None
    return id(optimizer), *map(id, key.telling(optimizer).values())


class Batches(Callback):
    """Forwards the batches of an evaluation to the callbacks of a training."""

    def __init__(self, listeners: Callback) -> None:
        super().__init__()
        self.listeners = listeners

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Forward the begin of a batch."""
        self.listeners.on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Forward the end of a batch."""
        self.listeners.on_test_batch_end(batch, logs)


class Bridge(Callback):
    """Forwards the batches and the end of an epoch of ``fit`` to a `Trainer`.

    Reading the attribute `model` gives the variables their values on JAX, where ``fit`` has
    taken them out.
    """

    def __init__(self, trainer: Any) -> None:
        super().__init__()
        self.trainer = trainer

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Forward the begin of a batch if a callback acts on batches."""
        if self.trainer.listeners.acts_on_batches and self.model is not None:
            self.trainer.listeners.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Forward the end of a batch and respect a request to stop."""
        trainer = self.trainer
        trainer.batch = batch + 1
        if trainer.listeners.acts_on_batches and self.model is not None:
            trainer.steps.hold()
        trainer.listeners.on_train_batch_end(batch, logs)
        if trainer.model.stop_training:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Count the updates and end the epoch of the trainer."""
        trainer = self.trainer
        trainer.updates += min(trainer.batch, trainer.stretch.updates[0] or trainer.batch)
        trainer.end_epoch({name: float(logs[name]) for name in trainer.steps.names})
        if trainer.model.stop_training:
            self.model.stop_training = True


class KerasSteps:
    """Training and evaluation by Keras' own functions, over the network's own layers.

    The parameters are those of `ProgramSteps`, and settings of ``compile``.
    """

    joins_epochs = False

    def __init__(
        self,
        programs: Programs,
        source: Dataset,
        extras: Extras,
        metrics: tuple[Any, ...],
        optimizer: Any = None,
        **settings: Any,
    ) -> None:
        models = programs.models
        layout = models.data_spec.layout(source.specs[: len(models.data_spec.inputs)])
        own = 'keras', layout, extras, metrics, _identity(optimizer)

        def build(models: Models) -> Objective:
            traced = may_trace(models, extras)
            return Objective(models.graph(layout, extras), metrics, traced=traced)

        self.model: Objective = programs.find(None, own, build)
        self.lock = models.lock
        if optimizer is not None:
            self.model.use(optimizer, **settings)
        self.names: list[str] = self.model.names
        self.variables = [*models.layer_variables, *(optimizer.variables if optimizer else ())]
        self._before: list[Array] | None = None

    def reseed(self, rng: np.random.Generator) -> None:
        """Reseed the random layers from a numpy generator."""
        reseed(self.model.noises, rng)

    @property
    def seeds(self) -> list[Array]:
        """The states of the generators of noise."""
        return backend.values(self.model.seeds)

    @seeds.setter
    def seeds(self, values: list[Array]) -> None:
        backend.restore(self.model.seeds, values)

    def fit(self, trainer: Any) -> None:
        """Run ``fit`` for an epoch of a training."""
        trainer.begin_epoch()
        self.hold()
        with trainer.train.reading(), keras_facts.releasing_gradients():
            self.model.fit(
                trainer.train.feed(),
                steps_per_epoch=trainer.stretch.updates[0],
                initial_epoch=trainer.epoch,
                epochs=trainer.epoch + 1,
                callbacks=[Bridge(trainer)],
                verbose=0,
                shuffle=False,
            )
        self._before = None

    def hold(self) -> None:
        """Copy the current values if ``fit`` moves them out of the variables."""
        self._before = backend.values(self.variables) if keras_facts.takes_values() else None

    def evaluate(self, source: Dataset, listeners: Any = None) -> Monitors:
        """Return the monitors over data, and call the listeners."""
        heard = [] if listeners is None else [Batches(listeners)]
        with self.lock, source.reading(), keras_facts.releasing_gradients():
            logs = self.model.evaluate(
                source.feed(), steps=source.batches, verbose=0, return_dict=True, callbacks=heard
            )
        return {name: float(logs[name]) for name in self.names}

    def weights(self, variables: list[Any]) -> list[Array]:
        """Return the values of some variables."""
        return backend.values(variables)

    def write(self) -> None:
        """Restore the values that a failed ``fit`` on JAX moved out of the variables."""
        if self._before is not None and keras_facts.are_taken(self.variables):
            backend.restore(self.variables, self._before)
        self._before = None
