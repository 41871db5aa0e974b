"""Two ways to train under ``model.fit``: by a program, or by the function that Keras makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import keras
import numpy as np

from kerasnets import backend, keras_facts
from kerasnets.data.batches import Arrays, Dataset
from kerasnets.data.blocks import FEW, Block, capacity, pack
from kerasnets.graph.loss_graph import Asked
from kerasnets.graph.models import Models
from kerasnets.graph.noise import reseed, seed
from kerasnets.programs import copy, key
from kerasnets.programs.objective import Objective
from kerasnets.programs.program import Programs
from kerasnets.programs.training import (
    BlockProgram,
    Computed,
    EvaluationProgram,
    TrainingProgram,
)
from kerasnets.training.plan import Stretch
from kerasnets.typing import Array, Monitors, Tensor


@dataclasses.dataclass(frozen=True)
class Computation:
    """What is computed over data, and how it is compiled.

    Attributes
    ----------
    asked : Asked
        Regularizers, monitors and weights of classes.
    metrics : tuple of str or keras.metrics.Metric
    xla : bool or 'auto'
        Whether XLA compiles a training. 'auto': where it has compiled the same before.
    xla_evaluates : bool or 'auto'
        The same of evaluations.
    settings : dict or None
        Settings of ``compile`` for Keras' own function. None: a program runs.
    """

    asked: Asked
    metrics: tuple[Any, ...] = ()
    xla: Any = 'auto'
    xla_evaluates: Any = 'auto'
    settings: dict[str, Any] | None = None


class ProgramSteps:
    """Trains and evaluates by programs.

    Parameters
    ----------
    programs : Programs
        Of the network.
    computation : Computation
    source : Dataset
        The data to train with, or other data in batches of the same shape.
    optimizer : keras.optimizers.Optimizer or None
        The network's own. None: only to evaluate.

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
        self, programs: Programs, computation: Computation, source: Dataset, optimizer: Any = None
    ) -> None:
        models = programs.models
        self.programs = programs
        self.model = models.model
        self.source = source
        self.optimizer = optimizer
        self.way = models.data_spec.way(source.specs[: len(models.data_spec.inputs)])
        rows = key.fills_up(models, computation.asked)
        self.asked = dataclasses.replace(computation.asked, rows=rows)
        self.computation = computation
        self._held: dict[str, BlockProgram] = {}
        first = self._program('evaluate' if optimizer is None else 'train')
        self.names = first.names
        self.seeds: list[Array] = [np.array(first.beginning[i]) for i in first.seeds]
        self.variables = [*models.layer_variables, *(optimizer.variables if optimizer else ())]
        #: Whether nothing else reads or sets the variables while training runs. Then they are set
        #: at its end.
        self.exclusive = False
        self._values: list[Tensor] | None = None  # after the last call that finished
        self._behind = False  # whether the variables have other values than that
        self._packed: dict[Dataset, list[Block]] = {}

    def reseed(self, rng: np.random.Generator) -> None:
        """Let random layers draw what a numpy generator decides."""
        self.seeds = [seed(rng) for _ in self.seeds]

    def train(
        self,
        source: Dataset,
        stretch: Stretch,
        most: int,
        hear: Callable[[Computed], bool],
    ) -> None:
        """Train for a stretch; the network gets the values of each call that finished.

        Parameters
        ----------
        source : Dataset
        stretch : Stretch
        most : int
            Batches in a call, at most.
        hear : callable
            Called after each call with what it computed. Returns whether to go on.
        """
        program: Any = self._program('train')
        held, further = self._current(), self._further(program)
        count = len(self.variables)
        known = [updates for updates in stretch.updates if updates is not None]
        steps = capacity(source, sum(known) if known else None)
        for block in pack(source, stretch.updates, steps, most, program.rows):
            self._values, self._behind = held, True
            computed = program.train([*held, *further], block)
            held, further = computed.values[:count], computed.values[count:]
            self._values = held
            self.seeds = [np.asarray(further[i]) for i in program.seeds]
            if not self.exclusive:
                self.write()
            if not hear(computed):
                return
            if len(computed.logs) < block.epochs:  # the loss was not finite
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
        """Return the values of some of the variables, which later training does not change."""
        places = {id(variable): i for i, variable in enumerate(self.variables)}
        values = self._current()
        return [values[places[id(variable)]] for variable in variables]

    def evaluate(self, source: Dataset) -> Monitors:
        """Return the monitors over data."""
        program: Any = self._program('evaluate')
        held = self._current()[: len(program.variables) - len(program.further)]
        found, further = program.evaluate(
            [*held, *self._further(program)], self._blocks(source, program.rows)
        )
        self.seeds = [np.asarray(further[i]) for i in program.seeds]
        return found

    def _blocks(self, source: Dataset, pads: bool) -> Iterable[Block]:
        """Return the blocks of an evaluation; little data is packed once."""
        if source in self._packed:
            return self._packed[source]
        steps = capacity(source, source.batches)
        blocks = pack(source, [source.batches], steps, 2**30, pads)
        if steps != FEW or not isinstance(source, Arrays):
            return blocks
        self._packed[source] = [dataclasses.replace(b, parts=_tensors(b.parts)) for b in blocks]
        return self._packed[source]

    def _further(self, program: BlockProgram) -> list[Any]:
        """Return values for the variables of a program that are not the network's."""
        found: list[Any] = list(program.initial)
        for place, i in program.weights:
            found[place] = np.float32(self.asked.regularizers[i].weight)
        for place, state in zip(program.seeds, self.seeds):
            found[place] = np.asarray(state).astype(program.beginning[place].dtype)
        return found

    def _program(self, kind: str) -> BlockProgram:
        """Return the program that trains or evaluates, compiled for the shape of the batches."""
        if kind in self._held:
            return self._held[kind]
        optimizer = self.optimizer if kind == 'train' else None
        metrics = self.computation.metrics
        rows = self.source.row() if self.source.block else ()  # else batches have many shapes
        shapes = repr([(part.shape[1:], part.dtype.name) for part in rows])
        common: tuple[Hashable, ...] = kind, self.way, self.source.batch_size, shapes
        own: tuple[Hashable, ...] = (*common, self.asked, metrics, _identity(optimizer))
        keys = [
            key.of_losses(self.programs.models),
            key.of_asked(self.asked),
            repr(metrics) if all(isinstance(metric, str) for metric in metrics) else None,
            '' if optimizer is None else key.of_optimizer(optimizer),
        ]
        shared = None if None in keys else (*common, *keys)
        xla = self.computation.xla if kind == 'train' else self.computation.xla_evaluates
        if xla == 'auto':
            xla = self.programs.has(None if shared is None else (*shared, True), (*own, True))

        def build(models: Models) -> BlockProgram:
            made = optimizer
            if optimizer is not None and models is not self.programs.models:
                made = copy.of_optimizer(optimizer, models)
            cls = EvaluationProgram if optimizer is None else TrainingProgram
            return cls(models, self.way, self.asked, metrics, made, bool(xla))

        shared = None if shared is None else (*shared, bool(xla))
        found = self.programs.find(shared, (*own, bool(xla)), build, losses=True)
        self._held[kind] = found
        return found


def _tensors(arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    return tuple(keras.ops.convert_to_tensor(np.array(array)) for array in arrays)


def _identity(optimizer: Any) -> Hashable:
    """Return what tells an optimizer, as it is set now, from any other."""
    if optimizer is None:
        return None
    return id(optimizer), *map(id, keras_facts.telling(optimizer).values())


class KerasSteps:
    """Trains and evaluates by the functions that Keras makes, over the network's own layers.

    The parameters are those of `ProgramSteps`.
    """

    joins_epochs = False
    exclusive = False

    def __init__(
        self, programs: Programs, computation: Computation, source: Dataset, optimizer: Any = None
    ) -> None:
        models = programs.models
        way = models.data_spec.way(source.specs[: len(models.data_spec.inputs)])
        own = 'keras', way, computation.asked, computation.metrics, _identity(optimizer)

        def build(models: Models) -> Objective:
            return Objective.over(models.graph(way, computation.asked), computation.metrics)

        self.model: Objective = programs.find(None, own, build)
        self.lock = models.lock
        if optimizer is not None:
            self.model.use(optimizer, **(computation.settings or {}))
        self.names: list[str] = self.model.names
        self.variables = [*models.layer_variables, *(optimizer.variables if optimizer else ())]
        self._before: list[Array] | None = None

    def reseed(self, rng: np.random.Generator) -> None:
        """Let random layers draw what a numpy generator decides."""
        reseed(self.model.noises, rng)

    @property
    def seeds(self) -> list[Array]:
        """The states of the generators of noise."""
        return backend.values(self.model.seeds)

    @seeds.setter
    def seeds(self, values: list[Array]) -> None:
        backend.restore(self.model.seeds, values)

    def evaluate(self, source: Dataset) -> Monitors:
        """Return the monitors over data."""
        steps = source.count_batches()
        with self.lock, source.reading(), keras_facts.releasing_gradients():
            logs = self.model.evaluate(source.feed(), steps=steps, verbose=0, return_dict=True)
        return {name: float(logs[name]) for name in self.names}

    def train(self, source: Dataset, stretch: Stretch, callback: Any) -> None:
        """Run ``fit`` for an epoch, with a callback that hears of batches and of its end."""
        self._before = backend.values(self.variables) if keras_facts.takes_values() else None
        steps = stretch.updates[0] or source.count_batches()
        with source.reading(), keras_facts.releasing_gradients():
            self.model.fit(
                source.feed(),
                steps_per_epoch=steps,
                initial_epoch=stretch.epoch,
                epochs=stretch.epoch + 1,
                callbacks=[callback],
                verbose=0,
                shuffle=False,
            )
        self._before = None

    def weights(self, variables: list[Any]) -> list[Array]:
        """Return the values of some variables."""
        return backend.values(variables)

    def write(self) -> None:
        """Give back the values that ``fit`` on JAX took out of the variables, if it failed."""
        if self._before is not None and keras_facts.are_taken(self.variables):
            backend.restore(self.variables, self._before)
        self._before = None


def choose(
    programs: Programs, computation: Computation, source: Dataset, optimizer: Any = None
) -> ProgramSteps | KerasSteps:
    """Return the way to train or evaluate that a computation asks for."""
    made: Any = ProgramSteps if computation.settings is None else KerasSteps
    return made(programs, computation, source, optimizer)
