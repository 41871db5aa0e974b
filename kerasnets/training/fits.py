"""`model.fit` for some epochs: by an engine, or by the function that Keras makes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import keras

from kerasnets import backend, devices
from kerasnets.graph import structure
from kerasnets.graph.cache import ENGINES
from kerasnets.graph.noise import reseed, seed
from kerasnets.training import cost_model
from kerasnets.training.compiled.engine import Engine, Group
from kerasnets.training.objective import Objective


class KerasFit:
    """Training and evaluation by the functions that Keras makes, an epoch at a time.

    Parameters
    ----------
    objective : Objective
        Over the network's own variables, and compiled.
    """

    #: Whether a group may have several epochs.
    many = False

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.names = objective.names

    def reseed(self, rng: Any) -> None:
        """Have random layers draw what a numpy generator decides."""
        reseed(self.objective.noises, rng)

    @property
    def seeds(self) -> Any:
        """The state of what random layers draw from."""
        return backend.values(self.objective.seeds)

    @seeds.setter
    def seeds(self, values: Any) -> None:
        backend.restore(self.objective.seeds, values)

    def train(self, train: Any, groups: Iterator[Group], callbacks: Any, margin: float) -> Any:
        """Train for some epochs.

        Parameters
        ----------
        train : data.batches.Dataset
        groups : iterator of Group
            The epochs to train, each asked for when those before it are done. There is a
            validation after the last of them alone.
        callbacks : callback_list.EpochCallbacks
        margin : float
            Part of the best loss by which another must be less, to be better.

        Returns
        -------
        dict or None
            The monitors of the validation, if one was due.
        """
        callbacks.over(self.objective)
        validation = None
        for group in groups:
            validation = self._epoch(train, group, callbacks)
        return validation

    def _epoch(self, train: Any, group: Group, callbacks: Any) -> Any:
        before, valid = self._iterations(), group.valid
        try:
            history = self.objective.fit(
                train.feed(),
                steps_per_epoch=group.updates[0],
                initial_epoch=group.epoch,
                epochs=group.epoch + 1,
                validation_data=None if valid is None else valid.feed(),
                validation_steps=None if valid is None else valid.batches,
                callbacks=callbacks,
                verbose=0,
                shuffle=False,
            ).history
        finally:
            group.ran.updates = self._iterations() - before
        logs = {name: float(values[-1]) for name, values in history.items()}
        group.ran.logs.append({name: logs[name] for name in self.names})
        return None if valid is None else {name: logs[f'val_{name}'] for name in self.names}

    def _iterations(self) -> int:
        """Updates that the optimizer has made."""
        return int(backend.values([self.objective.optimizer.iterations])[0])

    def evaluate(self, source: Any) -> Any:
        """The monitors over data."""
        return self.objective.evaluate(
            source.feed(), steps=source.batches, verbose=0, return_dict=True
        )


@dataclasses.dataclass
class EngineFit:
    """Training and evaluation by an engine, which may be one for all networks of a structure.

    Parameters
    ----------
    models : graph.models.Models
        Of the network.
    asked : loss_graph.Asked
    metrics : tuple of str or keras.metrics.Metric
    optimizer : keras.optimizers.Optimizer or None
        The network's own. None: only to evaluate.
    source : data.batches.Dataset
        An example of the data.
    xla : bool or 'auto'
        Whether XLA compiles. 'auto': if it has already done so for a network like this one.
    own : dict
        Where engines are kept that are for this network only.
    """

    models: Any
    asked: Any
    metrics: Any
    optimizer: Any
    source: Any
    xla: Any
    own: dict[Any, Any]

    many = True

    def __post_init__(self) -> None:
        self.way = self.models.data_spec.way(self.source.specs[: len(self.models.data_spec.inputs)])
        layers = structure.of_nodes(self.models.nodes)
        rows = structure.fills_up(self.models, self.asked, layers)
        self.asked = dataclasses.replace(self.asked, rows=rows)
        key = self._key(layers)
        self.shared = key is not None
        if not self.shared:
            key = self.way, self.asked, self.metrics, id(self.optimizer)
        if self.xla == 'auto':
            self.xla = (key, True) in (ENGINES if self.shared else self.own)
        self.key = key, self.xla
        engine = self._lend()
        self.names = engine.names
        self.seeds = backend.values(engine.objective.seeds)
        self._give_back(engine)

    def _key(self, layers: Any) -> Any:
        """Return the key of the compiled training; None if unknown."""
        parts = [structure.of_models(self.models, layers), structure.of_asked(self.asked)]
        if self.optimizer is not None:
            parts.append(structure.of_optimizer(self.optimizer))
        if None in parts or not all(isinstance(m, str) for m in self.metrics):
            return None
        shapes = tuple((part.shape[1:], part.dtype.name) for part in self.source.row())
        return *parts, self.way, self.metrics, self.source.batch_size, shapes

    def reseed(self, rng: Any) -> None:
        """Have random layers draw what a numpy generator decides."""
        self.seeds = [seed(rng) for _ in self.seeds]

    def train(self, train: Any, groups: Iterator[Group], callbacks: Any, margin: float) -> Any:
        """Train for some epochs; the parameters are those of `KerasFit.train`."""
        engine, first, validation = self._lend(), next(groups), None
        last, lent, objective = first, [engine], engine.objective
        most = cost_model.at_once(self.models, self.source, callbacks.watched)

        def run(*args: Any) -> Any:
            """Train; called by ``fit`` instead of its own function, on JAX with the state."""
            if args[1:]:
                next(args[1])
                engine.loop.state = args[0]
            nonlocal last
            done = 0
            for last in itertools.chain([first], groups):
                for part in engine.train(train, last.updates, most, last.best, margin):
                    last.ran.add(part)
                    done = callbacks.heard(part.updates, done, objective.told)
                    done = 0 if part.logs else done
            return (objective.told, engine.loop.state) if args[1:] else objective.told

        def finish(logs: Any) -> None:
            """Before callbacks hear that the epoch ended."""
            nonlocal validation
            if last.valid is not None:
                validation = _validated(engine, last.valid, callbacks)
                logs.update({f'val_{name}': value for name, value in validation.items()})
            self._save(lent)

        callbacks.over(objective, lambda: self._load(engine), finish)
        objective.runs = run
        try:
            _fit(objective, first.epoch, callbacks)
        finally:
            self._save(lent)
            objective.runs = objective.told = None
            self._give_back(engine)
        return validation

    def evaluate(self, source: Any) -> Any:
        """The monitors over data."""
        engine = self._lend()
        try:
            self._load(engine)
            return engine.evaluate(source)
        finally:
            self.seeds = backend.values(engine.objective.seeds)
            self._give_back(engine)

    # An engine, and the values of the network in it

    def _lend(self) -> Any:
        if self.shared:
            return ENGINES.lend(self.key, self._make)
        return self.own[self.key] if self.key in self.own else self._make()

    def _give_back(self, engine: Any) -> None:
        if self.shared:
            ENGINES.give_back(self.key, engine)
        else:
            self.own[self.key] = engine

    def _make(self) -> Engine:
        models = structure.twin(self.models) if self.shared else self.models
        graph = models.graph(self.way, self.asked)
        objective = Objective.over(graph, self.metrics, self.asked.rows)
        optimizer = self.optimizer
        if optimizer is not None:
            if self.shared:
                optimizer = type(optimizer).from_config(optimizer.get_config())
                optimizer.build(models.model.trainable_variables)
            objective.use(optimizer, jit_compile=False)
        return Engine(models, objective, optimizer, self.xla)

    def _variables(self) -> Any:
        optimizer = self.optimizer.variables if self.optimizer is not None else ()
        return [*structure.layer_variables(self.models.nodes), *optimizer]

    def _load(self, engine: Any) -> None:
        """Set the engine's variables to the values of the network."""
        if self.shared:
            backend.copy(zip(self._variables(), engine.variables(), strict=True))
        backend.restore(engine.objective.seeds, self.seeds)
        for variable, i in engine.objective.factors:
            variable.assign(self.asked.regularizers[i].weight)

    def _save(self, lent: list[Any]) -> None:
        """Hand the values of the engine that is lent back to the network, once."""
        while lent:
            engine = lent.pop()
            if self.shared:
                backend.copy(zip(engine.variables(), self._variables(), strict=True))
            self.seeds = backend.values(engine.objective.seeds)


def _fit(objective: Any, epoch: int, callbacks: Any) -> None:
    """One epoch of one step, by ``fit``: the objective's `runs` is called once."""
    objective.fit(
        _ticks(),
        steps_per_epoch=1,
        initial_epoch=epoch,
        epochs=epoch + 1,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


def _validated(engine: Any, valid: Any, callbacks: Any) -> Any:
    """The monitors of a validation, of which the callbacks hear."""
    callbacks.on_test_begin()
    found = engine.evaluate(valid)
    callbacks.on_test_end(found)
    return found


def _ticks() -> Any:
    """Data for ``fit`` that makes one call of what it trains by."""
    if keras.backend.backend() == 'tensorflow':
        import tensorflow as tf

        return tf.data.Dataset.range(1)
    return ((number,) for number in range(2))


def build(objectives: Any, source: Any, asked: Any, metrics: Any, optimizer: Any, how: Any) -> Any:
    """The way to train or evaluate on data.

    Parameters
    ----------
    objectives : objectives.Objectives
    source : data.batches.Dataset
    asked, metrics, optimizer
        As for `EngineFit`.
    how : dict, bool or 'auto'
        Settings of ``compile`` for Keras' own function; or whether XLA compiles the engine.
    """
    if not isinstance(how, dict):
        return EngineFit(
            objectives.models, asked, metrics, optimizer, source, how, objectives.engines
        )
    objective = objectives.find(source, asked, metrics)
    if optimizer is not None:
        objective.use(optimizer, **how)
    return KerasFit(objective)


def possible(source: Any) -> bool:
    """Whether an engine can train on such data here."""
    return source.block and keras.backend.backend() != 'torch' and not devices.shared()
