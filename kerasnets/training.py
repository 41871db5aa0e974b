"""What training is asked to do, checked and made ready as a `Run`."""

import dataclasses
import os

import keras

from kerasnets import checkpoint, data, distribution, monitors, optimizers, pace, regularizers, run
from kerasnets.callbacks import TensorBoard, progress
from kerasnets.checkpoint import Checkpoints
from kerasnets.curvature import Esgd
from kerasnets.errors import ConfigurationError, check_known, positive
from kerasnets.graphs import Asked, reseed
from kerasnets.initializers import generator
from kerasnets.run import Patience, Run

#: Settings that TensorBoard shows among the hyperparameters, beside all of the algorithm and the
#: regularizers.
SHOWN = ('epochs', 'max_updates', 'learning_rate', 'batch_size', 'patience', 'validate_every')


@dataclasses.dataclass
class Settings:
    """The keywords of training that are about its course; those of `Network.itertrain`."""

    epochs: int | None = None
    max_updates: int | None = None
    learning_rate: object = None
    batch_size: int = 32
    train_batches: int | None = None
    valid_batches: int | None = None
    patience: int = 5
    validate_every: int = 10
    min_improvement: float = 0.0
    monitors: object = None
    monitor_gradients: bool = False
    class_weight: object = None
    callbacks: object = ()
    tensorboard: object = None
    verbose: object = 'auto'
    save_progress: object = None
    save_every: float = 0
    resume: object = None
    continue_: bool = False
    jit: object = 'auto'

    def __post_init__(self):
        if self.epochs is not None:
            positive(self.epochs, 'epochs', least=0)
        if self.max_updates is not None:
            positive(self.max_updates, 'max_updates', least=0)
        positive(self.validate_every, 'validate_every')
        if self.jit not in ('auto', True, False):
            raise ConfigurationError(f"expected jit as 'auto', True or False, got {self.jit!r}.")


def prepare(net, views, train, valid, algo, settings, **options):
    """Check everything that training is asked to do, and return it as a `Run`.

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
    views.check_losses()
    if train is None:
        raise ConfigurationError('expected data to train with, got None. Pass [inputs, labels].')
    sets = _sets(views, train, valid, settings)
    factors = views.class_weight(settings.class_weight)
    callbacks = _callbacks(settings.callbacks)
    own = _watchers(net, settings, told)
    optimizer = views.optimizer(algo, settings.learning_rate, settings.continue_, **options)
    curved = isinstance(optimizer, Esgd)
    asked = Asked(built, False, watched, settings.monitor_gradients, factors, curved)
    objective = views.objective(sets[0], asked, metrics)
    state = _resumed(settings)
    views.compile(objective, optimizer, **pace.choose(views, sets[0], settings, callbacks, curved))
    seeds = net.rng.integers(2**63, size=2)
    sets[0].shuffle(generator(int(seeds[0])))
    reseed(objective.noises, generator(int(seeds[1])))
    prepared = Run(net, objective, *sets, patience, settings, [*own, *callbacks], checkpoints)
    if state is not None:
        prepared.set_state(state)
    return prepared


def _sets(views, train, valid, settings):
    """The Datasets to train and to validate with; None for the latter if there is none."""
    fit, size = views.feeds.fit, settings.batch_size
    sets = [('train', train, settings.train_batches), ('valid', valid, settings.valid_batches)]
    return [
        None
        if source is None
        else data.dataset(source, fit, what=what, batch_size=size, batches=batches)
        for what, source, batches in sets
    ]


def check_keywords(algo, keywords):
    """Refuse keywords that training with an algorithm does not take."""
    named = [field.name for field in dataclasses.fields(Settings)]
    known = [*optimizers.keywords(algo), *named, *regularizers.names()]
    check_known(keywords, [*known, 'train', 'valid', 'algo'], 'keyword of training')


def _checkpoints(settings):
    """Where checkpoints go, if there are to be any."""
    if settings.save_progress is None:
        if settings.save_every or settings.resume is True:
            raise ConfigurationError(
                'save_every and resume=True: expected save_progress, the path of a checkpoint, '
                'got none.'
            )
        return None
    return Checkpoints(settings.save_progress, settings.save_every)


def _resumed(settings):
    """The state to go on from: of resume=path, or of save_progress if resume=True."""
    if settings.resume is True:
        there = os.path.exists(settings.save_progress)
        return checkpoint.read(settings.save_progress) if there else None
    return None if settings.resume in (None, False) else checkpoint.read(settings.resume)


def _watchers(net, settings, options):
    """The callbacks that show training as it goes."""
    if not distribution.is_first():
        return []
    watchers = progress(settings.verbose)
    if settings.tensorboard is not None:
        shown = {name: getattr(settings, name) for name in SHOWN}
        given = {name: value for name, value in shown.items() if value is not None}
        watchers.append(TensorBoard.build(settings.tensorboard, net, {**given, **options}))
    return watchers


def _callbacks(given):
    """Keras callbacks as a list; one alone is taken too."""
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    for callback in given:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigurationError(
                f'expected callbacks as a list of keras.callbacks.Callback, got {callback!r}.'
            )
    return given


def evaluate(net, views, source, batch_size, built=(), watch=None, gradients=False):
    """The monitors over data, as a dict; noise among the regularizers is drawn."""
    views.check_losses()
    watched, metrics = monitors.build(watch)
    source = data.dataset(source, views.feeds.fit, batch_size=batch_size)
    noisy = any(isinstance(r, regularizers.Noise) for r in built)
    objective = views.objective(source, Asked(built, noisy, watched, gradients), metrics)
    if noisy:
        reseed(objective.noises, net.rng)
    return run.evaluate(objective, source)
