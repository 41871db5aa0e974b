"""Checks what training was asked to do, and prepares a `Trainer` for it."""

from __future__ import annotations

import logging
import os
from typing import Any

import keras

from kerasnets import devices, monitors, optimizers, regularizers
from kerasnets.callbacks import TensorBoard, progress
from kerasnets.data.batches import dataset
from kerasnets.errors import ConfigurationError
from kerasnets.graph.loss_graph import Asked
from kerasnets.initializers import generator
from kerasnets.optimizers import Esgd
from kerasnets.training import checkpoints, choice, fits, rate_search, trainer
from kerasnets.training.callback_list import alone
from kerasnets.training.checkpoints import Checkpoints
from kerasnets.training.patience import Patience
from kerasnets.training.settings import check_keywords
from kerasnets.training.trainer import Trainer

log = logging.getLogger('kerasnets')

#: Settings that TensorBoard shows among the hyperparameters, beside all of the algorithm and the
#: regularizers.
SHOWN = ('epochs', 'max_updates', 'learning_rate', 'batch_size', 'patience', 'validate_every')


def prepare(
    net: Any,
    objectives: Any,
    train: Any,
    valid: Any,
    algo: Any,
    settings: Any,
    **options: Any,
) -> Any:
    """Check everything that training is asked to do, and return it as a `Trainer`.

    Parameters are those of `Network.itertrain`, `settings` a `Settings`, and `options` the
    keywords of the algorithm and the regularizers. Nothing of the network has changed when
    this raises.
    """
    check_keywords(algo, options)
    known, told = optimizers.keywords(algo), {'algo': algo, **options}
    built = regularizers.build({k: v for k, v in options.items() if k not in known})
    options = {k: v for k, v in options.items() if k in known}
    patience = Patience(settings.patience, settings.min_improvement)
    checkpoints = _checkpoints(settings)
    watched, metrics = monitors.build(settings.monitors)
    objectives.models.check_losses()
    if train is None:
        raise ConfigurationError('expected data to train with, got None. Pass [inputs, labels].')
    sets = _sets(objectives.models.data_spec, train, valid, settings)
    factors = objectives.class_weight(settings.class_weight)
    callbacks = _callbacks(settings.callbacks)
    own = _watchers(net, settings, told)
    settings.learning_rate = _rate(objectives, train, algo, settings, options)
    optimizer = objectives.optimizer(algo, settings.learning_rate, settings.continue_, **options)
    curved = isinstance(optimizer, Esgd)
    asked = Asked(built, False, watched, settings.monitor_gradients, factors, curved)
    state = _resumed(settings)
    how = choice.choose(objectives.models, sets[0], settings, callbacks, optimizer)
    fit = fits.build(objectives, sets[0], asked, metrics, optimizer, how)
    objectives.announce(optimizer)
    seeds = net.rng.integers(2**63, size=2)
    sets[0].shuffle(generator(int(seeds[0])))
    fit.reseed(generator(int(seeds[1])))
    watched = [*own, *callbacks]
    more = patience, settings, watched, checkpoints, alone(watched)
    prepared = Trainer(net, fit, optimizer, sets[0], sets[1], *more)
    if state is not None:
        prepared.set_state(state)
    return prepared


def _rate(objectives: Any, train: Any, algo: Any, settings: Any, options: Any) -> Any:
    """The learning rate as it is asked for; for 'auto' the one that a search finds."""
    if not isinstance(settings.learning_rate, str):
        return settings.learning_rate
    if settings.learning_rate != 'auto':
        raise ConfigurationError(
            f"expected learning_rate as a number, a schedule or 'auto', got "
            f'{settings.learning_rate!r}.'
        )
    if hasattr(train, '__next__'):
        raise ConfigurationError(
            "learning_rate='auto': expected data that can be read twice, got a generator. Pass "
            'arrays, or a callable.'
        )
    curve = rate_search.find(
        objectives, train, algo, *rate_search.RANGE, rate_search.STEPS, settings.batch_size, options
    )
    log.info('learning_rate=%.3g was found for %s', curve.best, algo)
    return curve.best


def _sets(data_spec: Any, train: Any, valid: Any, settings: Any) -> Any:
    """The Datasets to train and to validate with; None for the latter if there is none."""
    fit, size = data_spec.fit, settings.batch_size
    sets = [('train', train, settings.train_batches), ('valid', valid, settings.valid_batches)]
    return [
        None if source is None else dataset(source, fit, what=what, batch_size=size, batches=count)
        for what, source, count in sets
    ]


def _checkpoints(settings: Any) -> Any:
    """Return the Checkpoints that were requested, or None."""
    if settings.save_progress is None:
        if settings.save_every or settings.resume is True:
            raise ConfigurationError(
                'save_every and resume=True: expected save_progress, the path of a checkpoint, '
                'got none.'
            )
        return None
    return Checkpoints(settings.save_progress, settings.save_every)


def _resumed(settings: Any) -> Any:
    """The state to go on from: of resume=path, or of save_progress if resume=True."""
    if settings.resume is True:
        there = os.path.exists(settings.save_progress)
        return checkpoints.read(settings.save_progress) if there else None
    return None if settings.resume in (None, False) else checkpoints.read(settings.resume)


def _watchers(net: Any, settings: Any, options: Any) -> Any:
    """The callbacks that show training as it goes."""
    if not devices.is_first():
        return []
    watchers = progress(settings.verbose)
    if settings.tensorboard is not None:
        shown = {name: getattr(settings, name) for name in SHOWN}
        given = {name: value for name, value in shown.items() if value is not None}
        watchers.append(TensorBoard.build(settings.tensorboard, net, {**given, **options}))
    return watchers


def _callbacks(given: Any) -> Any:
    """Keras callbacks as a list; one alone is taken too."""
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    for callback in given:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigurationError(
                f'expected callbacks as a list of keras.callbacks.Callback, got {callback!r}.'
            )
    return given


def evaluate(
    net: Any,
    objectives: Any,
    source: Any,
    batch_size: Any,
    built: Any = (),
    watch: Any = None,
    gradients: bool = False,
) -> Any:
    """The monitors over data, as a dict; noise among the regularizers is drawn."""
    objectives.models.check_losses()
    watched, metrics = monitors.build(watch)
    source = dataset(source, objectives.models.data_spec.fit, batch_size=batch_size)
    noisy = any(isinstance(r, regularizers.Noise) for r in built)
    asked = Asked(built, noisy, watched, gradients)
    fit = fits.build(objectives, source, asked, metrics, None, choice.evaluates(source))
    if noisy:
        fit.reseed(net.rng)
    return trainer.evaluate(fit, source)
