"""Check the arguments of a training and build its `Trainer`."""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasnets import devices, monitors, optimizers, regularizers
from kerasnets.callbacks import TensorBoard, progress
from kerasnets.data.batches import Dataset, dataset
from kerasnets.errors import ConfigurationError, FileError, number
from kerasnets.graph.loss_graph import Extras
from kerasnets.graph.nodes import find_output
from kerasnets.initializers import generator
from kerasnets.language import printing
from kerasnets.programs.models import Models
from kerasnets.training import checkpoints, cost_model, rate_search
from kerasnets.training.checkpoints import Checkpoints, State
from kerasnets.training.plan import Patience, Plan
from kerasnets.training.settings import Settings
from kerasnets.training.steps import KerasSteps, ProgramSteps
from kerasnets.training.trainable import Trainable
from kerasnets.training.trainer import Listeners, Trainer, watched
from kerasnets.typing import Data, Monitors

log = logging.getLogger('kerasnets')

#: Settings that TensorBoard shows among the hyperparameters, beside all of the algorithm and the
#: regularizers.
SHOWN = ('epochs', 'max_updates', 'learning_rate', 'batch_size', 'patience', 'validate_every')

#: Callbacks of Keras that watch a quantity.
WATCHING = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)

#: Types of plain data.
PLAIN = (bool, int, float, str, type(None))


def make_trainer(
    net: Any,
    trainable: Trainable,
    train: Data,
    valid: Data | None,
    algo: Any,
    settings: Settings,
    **options: Any,
) -> Trainer:
    """Check the arguments of a training and return a `Trainer`.

    Parameters are those of `Network.itertrain`; `options` are the keywords of the algorithm and
    the regularizers. Nothing of the network has changed when this raises.
    """
    models = trainable.models
    of_algo = {k: v for k, v in options.items() if k in optimizers.keywords(algo)}
    penalties = {k: v for k, v in options.items() if k not in of_algo}
    built = regularizers.build(penalties)
    patience = Patience(settings.patience, settings.min_improvement)
    saving = _checkpoints(settings)
    monitored, metrics = monitors.build(settings.monitors)
    models.check_losses()
    if train is None:
        raise ConfigurationError('expected data to train with, got None. Pass [inputs, labels].')
    fit, size = models.data_spec.fit, settings.batch_size
    data: Dataset = dataset(
        train, fit, what='train', batch_size=size, batches=settings.train_batches
    )
    validation = None
    if valid is not None:
        count = settings.valid_batches
        validation = dataset(valid, fit, what='valid', batch_size=size, batches=count)
    factors = _class_weight(models, settings.class_weight)
    shown = _displays(net, settings, {'algo': algo, **options})
    rate = _rate(trainable, train, algo, settings, of_algo)
    state = _resumed(settings)
    before: Any = None
    if state is not None:
        before = net.rng.bit_generator.state, trainable.state()
    optimizer = trainable.optimizer(algo, rate, settings.continue_, **of_algo)
    callbacks = settings.callbacks
    callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigurationError(
                f'expected callbacks as a list of keras.callbacks.Callback, got {callback!r}. '
                'Pass an object of such a class.'
            )
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ConfigurationError(
                'expected callbacks that do not resume a training, got BackupAndRestore. Write '
                "save_progress='run.keras', resume=True instead."
            )
    listeners = Listeners(shown, callbacks, models.model, settings.epochs, data.batches)
    optimizer = trainable.attach(optimizer)
    curvature = isinstance(optimizer, optimizers.Esgd)
    extras = Extras(built, False, monitored, settings.monitor_gradients, factors, curvature)
    xla = cost_model.uses_xla(models, data, settings, optimizer)
    by_keras = cost_model.settings_for_keras(settings, listeners.acts_on_batches)
    common = trainable.programs, data, extras, metrics, optimizer
    steps: Any = ProgramSteps(*common, xla) if by_keras is None else KerasSteps(*common, **by_keras)
    _check_watched(callbacks, steps.names, valid is not None)
    seeds = net.rng.integers(2**63, size=2)
    data.shuffle(generator(int(seeds[0])))
    steps.reseed(generator(int(seeds[1])))
    minutes = isinstance(settings.save_every, float) and settings.save_every > 0
    plan = Plan(
        settings.epochs,
        settings.max_updates,
        data.batches,
        1 if valid is not None and listeners.watches_validation else settings.validate_every,
        int(settings.save_every) if saving and not minutes else 0,
        listeners.acts or minutes or not steps.joins_epochs,
    )
    about = {
        'algo': type(optimizer).__name__,
        'learning_rate': _described(settings.learning_rate),
        'settings': {
            name: value
            for name, value in vars(optimizer).items()
            if isinstance(value, PLAIN) and not name.startswith('_')
        },
        'options': {name: _described(value) for name, value in of_algo.items()},
        'regularizers': {k: _described(regularizers.build({k: v})) for k, v in penalties.items()},
        'batch_size': settings.batch_size,
        'rows': getattr(data, 'count', None),
    }
    batches = cost_model.batches_in_a_call(models, data, bool(listeners.shown))
    trainer = Trainer(
        net,
        steps,
        optimizer,
        data,
        validation,
        patience,
        plan,
        listeners,
        saving,
        batches,
        about,
    )
    if state is not None:
        try:
            trainer.resume(state)
        except FileError:
            net.rng.bit_generator.state = before[0]
            trainable.restore(before[1])
            raise
    return trainer


def _class_weight(models: Models, weights: Any) -> tuple[float, ...] | None:
    """Return the factors of the classes, in order, from a dict of them.

    Raises
    ------
    ConfigurationError
        If a class has no weight, or does not exist.
    """
    if weights is None:
        return None
    output = find_output(models.nodes, models.losses[0].output_name)
    classes = range(output.shape[-1])
    if not isinstance(weights, dict) or set(weights) != set(classes):
        raise ConfigurationError(
            f'expected class_weight as a dict with each class of 0 to {classes[-1]}, got '
            f'{weights!r}. Write class_weight={{{classes[0]}: 1.0, …}}.'
        )
    finite = (lambda w: 0 <= w < np.inf), 'of 0 or more'
    return tuple(number(weights[k], f'the weight of class {k}', *finite) for k in classes)


def _rate(
    trainable: Trainable, train: Data, algo: Any, settings: Settings, options: dict[str, Any]
) -> Any:
    """Return the requested learning rate; for 'auto', search for one."""
    if not isinstance(settings.learning_rate, str):
        return settings.learning_rate
    if settings.learning_rate != 'auto':
        raise ConfigurationError(
            f"expected learning_rate as a number, a schedule or 'auto', got "
            f"{settings.learning_rate!r}. Write learning_rate='auto' to search for one."
        )
    if hasattr(train, '__next__'):
        raise ConfigurationError(
            "learning_rate='auto': expected data that can be read twice, got a generator. Pass "
            'arrays, or a callable.'
        )
    curve = rate_search.find(
        trainable, train, algo, *rate_search.RANGE, rate_search.STEPS, settings.batch_size, options
    )
    log.info('learning_rate=%.3g was found for %s', curve.best, algo)
    return curve.best


def _checkpoints(settings: Settings) -> Checkpoints | None:
    """Return the Checkpoints that were requested, or None."""
    if settings.save_progress is None:
        if settings.save_every or settings.resume is True:
            raise ConfigurationError(
                'save_every and resume=True: expected save_progress, the path of a checkpoint, '
                "got none. Write save_progress='run.keras'."
            )
        return None
    return Checkpoints(settings.save_progress, settings.save_every)


def _resumed(settings: Settings) -> State | None:
    """Return the state to resume from: of resume=path, or of save_progress if resume=True."""
    if settings.resume is True:
        there = os.path.exists(settings.save_progress)  # type: ignore[arg-type]
        return checkpoints.read(settings.save_progress) if there else None
    return None if settings.resume in (None, False) else checkpoints.read(settings.resume)


def _displays(net: Any, settings: Settings, options: dict[str, Any]) -> list[Any]:
    """Return the callbacks that show the progress of training."""
    if not devices.is_first():
        return []
    displays = progress(settings.verbose)
    if settings.tensorboard is not None:
        shown = {name: getattr(settings, name) for name in SHOWN}
        hparams = {name: value for name, value in shown.items() if value is not None}
        layers = printing.short(net.specs)
        displays.append(
            TensorBoard.build(settings.tensorboard, net, {**hparams, **options}, layers)
        )
    return displays


def _described(value: Any) -> Any:
    """Return a description of a value that is equal for equal values."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): _described(v) for k, v in value.items()}
    if hasattr(value, 'get_config'):
        return f'{type(value).__name__} {_described(value.get_config())}'
    return re.sub(r' at 0x[0-9a-f]+', '', repr(value))


def evaluate(
    net: Any,
    trainable: Trainable,
    source: Data,
    batch_size: int,
    built: tuple[Any, ...] = (),
    watch: Any = None,
    gradients: bool = False,
) -> Monitors:
    """Return the monitors over data, with the noise among the regularizers."""
    models = trainable.models
    models.check_losses()
    monitored, metrics = monitors.build(watch)
    data = dataset(source, models.data_spec.fit, batch_size=batch_size)
    noisy = any(isinstance(one, regularizers.Noise) for one in built)
    extras = Extras(built, noisy, monitored, gradients)
    cls: Any = KerasSteps if cost_model.is_for_keras() else ProgramSteps
    steps = cls(trainable.programs, data, extras, metrics)
    if noisy:
        steps.reseed(net.rng)
    with data.reading():
        result: Monitors = steps.evaluate(data)
    return result


def _check_watched(callbacks: list[Any], names: list[str], validates: bool) -> None:
    """Refuse callbacks of Keras that watch what training does not compute."""
    if not all(type(one).__module__.startswith('keras.') for one in callbacks):
        return  # others may add quantities
    watching = [callback for callback in callbacks if isinstance(callback, WATCHING)]
    for one, monitor in [(callback, name) for callback in watching for name in watched(callback)]:
        plain = monitor.removeprefix('val_')
        if plain not in (*names, 'learning_rate'):
            near = difflib.get_close_matches(plain, names, n=1, cutoff=0.5) or ['loss']
            remedy = f'Watch {monitor.removesuffix(plain) + near[0]!r}.'
        elif plain != monitor and not validates:
            remedy = f'Pass valid=[inputs, targets], or watch {plain!r}.'
        else:
            continue
        raise ConfigurationError(
            f'{type(one).__name__} watches {monitor!r}, which is not computed. {remedy}'
        )
