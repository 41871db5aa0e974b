"""The compiled engine: many training steps, of several epochs, in one computation."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasnets.data.blocks import capacity, pack
from kerasnets.graph.cache import LOOPS
from kerasnets.graph.structure import layer_variables
from kerasnets.training.compiled import loops

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Epochs:
    """The results of some epochs.

    Attributes
    ----------
    logs : list of dict
        The monitors of each.
    better : list of bool
        Whether its training loss was the best so far.
    best : list of array or None
        The values of the model's variables after the best of them, if any was.
    updates : int
    """

    logs: list[dict[str, float]] = dataclasses.field(default_factory=list)
    better: list[bool] = dataclasses.field(default_factory=list)
    best: Any = None
    updates: int = 0

    def add(self, more: Epochs) -> None:
        """Add what further epochs gave."""
        self.logs += more.logs
        self.better += more.better
        self.best = self.best if more.best is None else more.best
        self.updates += more.updates


@dataclasses.dataclass
class Group:
    """Some epochs that are trained together, and what they gave.

    Attributes
    ----------
    updates : list of int or None
        Batches of each.
    epoch : int
        How many epochs there were before.
    valid : data.batches.Dataset or None
        To validate with after the last of them, if that is due.
    best : float
        The best training loss so far. NaN: the losses are not compared.
    ran : Epochs
    """

    updates: list[int | None]
    epoch: int
    valid: Any = None
    best: float = math.nan
    ran: Epochs = dataclasses.field(default_factory=Epochs)


class Engine:
    """Trains and evaluates by blocks of batches, on variables of its own or a network's.

    Parameters
    ----------
    models : graph.models.Models
        Whose layers are trained.
    objective : Objective
    optimizer : keras.optimizers.Optimizer or None
    xla : bool
        Whether XLA compiles; JAX always does.

    Attributes
    ----------
    model : keras.Model
        Its variables and those of the optimizer are trained.
    """

    def __init__(self, models: Any, objective: Any, optimizer: Any, xla: bool) -> None:
        self.optimizer = optimizer
        self.models, self.objective = models, objective
        self.model = models.model
        self.names = objective.names
        self.xla = xla
        self.loop = loops.build(objective, self.model, xla)
        self.loose: Any = None  # for single batches of other shapes
        values = sum(int(np.prod(v.shape)) for v in self.model.variables)
        #: Estimated memory of the variables, the optimizer, the best values and the code.
        self.bytes = LOOPS + 4 * 5 * values

    def train(
        self, source: Any, updates: list[Any], most: int, best: float, margin: float
    ) -> Iterator[Epochs]:
        """Run some epochs; yield after each block what the epochs that ended in it gave.

        Parameters
        ----------
        source : data.batches.Dataset
        updates : list of int or None
            Batches of each epoch.
        most : int
            Batches in a block, at most.
        best : float
            The best training loss so far. NaN: the losses are not compared.
        margin : float
            Part of it by which a loss must be less.
        """
        pads = self.objective.counts
        steps = capacity(source)
        for block in pack(source, updates, steps, most, pads):
            logs, better, done = self._run(block, best, margin)
            ended = done if done < block.epochs else done - block.open
            shown = [dict(zip(self.names, map(float, row))) for row in logs[:done]]
            self.objective.told = shown[-1] if shown else None
            flags = [bool(flag) for flag in better[:ended]]
            for row, flag in zip(shown, flags):
                best = row['loss'] if flag else best
            kept = self.loop.best() if any(flags) else None
            yield Epochs(shown[:ended], flags, kept, int(block.ends[done]))
            if done < block.epochs or (ended and not np.isfinite(shown[ended - 1]['loss'])):
                return  # the loss is not a number any more

    def _parts(self, block: Any) -> Any:
        """The arrays of a block and, if the objective asks for it, which of their rows count."""
        if not self.objective.counts:
            return block.parts
        size = len(block.parts[0]) // len(block.rows)
        counts = np.arange(size) < block.rows[:, None]
        return *block.parts, counts.astype('float32').ravel()

    def _run(self, block: Any, best: float, margin: float) -> Any:
        compared = np.float32(best), np.float32(margin)
        args = block.ends, block.epochs, block.open, len(block.rows), *compared
        return self._compute(block, lambda loop: loop.train(self._parts(block), *args))

    def _compute(self, block: Any, run: Any) -> Any:
        """Run a loop over a block: without XLA where it refuses, or the batch has another shape."""
        self.objective.told = None
        if block.odd and self.xla and self.loop.loose:
            if self.loose is None:
                self.loose = loops.build(self.objective, self.model, False, self.loop.beginning)
            return run(self.loose)
        try:
            return run(self.loop)
        except loops.refusals() as error:
            if not self.xla or self.loop.ran:
                raise
            log.warning('XLA does not compile this training: %s', loops.said(error))
            self.xla = False
            self.loop = loops.build(self.objective, self.model, False, self.loop.beginning)
            return run(self.loop)

    def evaluate(self, source: Any) -> dict[str, float]:
        """The monitors over data."""
        pads = self.objective.counts
        self.objective.told = None
        self.objective.reset_metrics()
        results: Any = None
        for block in pack(source, [source.batches], capacity(source), 2**30, pads):
            args = block.ends[block.epochs], len(block.rows)
            results = self._compute(
                block, lambda loop, b=block, args=args: loop.test(self._parts(b), *args)
            )
        self.objective.reset_metrics()
        return dict(zip(self.names, map(float, results)))

    def variables(self) -> list[Any]:
        """Return the variables of the layers and of the optimizer."""
        optimizer = self.optimizer.variables if self.optimizer is not None else ()
        return [*layer_variables(self.models.nodes), *optimizer]
