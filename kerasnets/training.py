"""The training loop: `model.fit` an epoch at a time, with theanets' patience around it."""

import contextlib
import dataclasses
import inspect
import logging
import math
import warnings

import keras
import numpy as np

from kerasnets import data, optimizers, regularizers
from kerasnets.callbacks import Progress, TensorBoard, wants_progress
from kerasnets.errors import ConfigurationError, check_known, number, positive
from kerasnets.initializers import generator

log = logging.getLogger(__name__)


def prepare(
    net,
    views,
    train,
    valid,
    algo,
    epochs,
    learning_rate,
    batch_size,
    train_batches,
    valid_batches,
    patience,
    validate_every,
    min_improvement,
    callbacks,
    tensorboard,
    verbose,
    **options,
):
    """Check everything that training is asked to do, and return it as a `Run`.

    Parameters are those of `Network.itertrain`. Nothing of the network has changed when this
    raises.
    """
    check_keywords(algo, options)
    known = optimizers.keywords(algo)
    penalties = regularizers.build({k: v for k, v in options.items() if k not in known})
    options = {k: v for k, v in options.items() if k in known}
    if epochs is not None:
        epochs = positive(epochs, 'epochs', least=0)
    patience = Patience(patience, min_improvement)
    every = positive(validate_every, 'validate_every')
    views.check_losses()
    if train is None:
        raise ConfigurationError('expected data to train with, got None. Pass [inputs, labels].')
    train = data.dataset(
        train, views.feeds.fit, what='train', batch_size=batch_size, batches=train_batches
    )
    if valid is not None:
        valid = data.dataset(
            valid, views.feeds.fit, what='valid', batch_size=batch_size, batches=valid_batches
        )
    objective = views.objective(train, penalties)
    callbacks = [*_watchers(net, tensorboard, verbose), *_callbacks(callbacks)]
    views.compile(objective, views.optimizer(algo, learning_rate=learning_rate, **options))
    train.shuffle(generator(int(net.rng.integers(2**63))))
    return Run(objective, net.model, train, valid, patience, epochs, every, callbacks)


def check_keywords(algo, keywords):
    """Refuse keywords that training with an algorithm does not take."""
    named = list(inspect.signature(prepare).parameters)[2:-1]
    known = [*optimizers.keywords(algo), *named, *regularizers.names()]
    check_known(keywords, known, 'keyword of training')


def _watchers(net, tensorboard, verbose):
    """The callbacks that show training as it goes."""
    watchers = [Progress()] if wants_progress(verbose) else []
    if tensorboard is not None:
        watchers.append(TensorBoard.build(tensorboard, net))
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


def evaluate(views, source, batch_size, penalties=()):
    """The monitors over data, as a dict."""
    views.check_losses()
    source = data.dataset(source, views.feeds.fit, batch_size=batch_size)
    return _evaluate(views.objective(source, penalties), source)


def _evaluate(objective, source):
    with _reading(source):
        logs = objective.evaluate(source.feed(), steps=source.batches, verbose=0, return_dict=True)
    return {name: float(logs[name]) for name in objective.names}


@dataclasses.dataclass
class Patience:
    """Remembers the best validation so far, and when to stop waiting for a better one.

    Attributes
    ----------
    patience : int
        Validations without progress that are put up with.
    min_improvement : float
        Fraction of the best loss by which another must be below it to count as progress.
    """

    patience: int = 5
    min_improvement: float = 0.0
    best: float = math.inf
    failures: int = 0

    def __post_init__(self):
        positive(self.patience, 'patience', least=0)
        number(self.min_improvement, 'min_improvement', lambda v: 0 <= v < 1, 'of 0 to under 1')

    def better(self, loss, counts=True):
        """Take note of a loss; True if it is the best so far, else a failure if it counts."""
        margin = abs(self.best) * self.min_improvement if math.isfinite(self.best) else 0.0
        if self.best - loss > margin:
            self.best, self.failures = loss, 0
            return True
        self.failures += counts
        return False

    @property
    def exhausted(self):
        return self.failures > self.patience


class Epochs(keras.callbacks.CallbackList):
    """Lets several calls of ``fit`` look like one to the callbacks.

    The callbacks are given the network's own model, so that they save and change that one;
    when they stop its training, the objective's is stopped.
    """

    def __init__(self, callbacks, objective, model, **params):
        self.objective = objective
        history = keras.callbacks.History()
        objective.history = history
        model.stop_training = False
        super().__init__([*callbacks, history], model=model, **params)

    def begin(self):
        super().on_train_begin()

    def end(self):
        super().on_train_end()

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self._pass_on()

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._pass_on()

    def _pass_on(self):
        if self.model.stop_training:
            self.objective.stop_training = True


@dataclasses.dataclass
class Run:
    """One training run of a network.

    Attributes
    ----------
    objective : objective.Objective
        Compiled with the optimizer.
    model : keras.Model
        The network's own, whose weights are kept and restored.
    train, valid : data.Dataset
        `valid` may be None: then the training loss is watched, and its monitors are
        returned in the place of the validation's.
    epochs : int or None
        None: until patience runs out.
    """

    objective: keras.Model
    model: keras.Model
    train: object
    valid: object
    patience: Patience
    epochs: int | None = None
    validate_every: int = 10
    callbacks: tuple = ()

    def __post_init__(self):
        self.validation = {}
        self.best = self._parameters()

    def __iter__(self):
        """Yield (training, validation) monitors after each epoch.

        When the last epoch is done, or Ctrl-C ends it, the best parameters are restored. A
        caller who leaves early keeps those of the moment.
        """
        callbacks = Epochs(
            self.callbacks,
            self.objective,
            self.model,
            epochs=self.epochs,
            steps=self.train.batches,
            verbose=0,
        )
        callbacks.begin()
        try:
            yield from self._epochs(callbacks)
            for variable, value in zip(self.model.weights, self.best):
                variable.assign(value)
        finally:
            callbacks.end()

    def _epochs(self, callbacks):
        try:
            self._validate()  # the parameters to begin with are candidates, as for theanets
            epoch = 0
            while self.epochs is None or epoch < self.epochs:
                check = epoch + 1 == self.epochs or (epoch + 1) % self.validate_every == 0
                training = self._fit(epoch, callbacks, check)
                finite = math.isfinite(training['loss'])
                stop = self.model.stop_training or not finite
                if stop and not check:
                    self._validate()
                yield training, dict(self.validation)
                if not finite:
                    log.warning('the loss is %s: training stops.', training['loss'])
                if stop or self.patience.exhausted:
                    return
                epoch += 1
        except KeyboardInterrupt:
            log.warning('interrupted: training stops.')
            self._validate()

    def _fit(self, epoch, callbacks, check):
        """Train for an epoch, validating after it if asked; returns the training monitors."""
        validate = check and self.valid is not None
        with _reading(self.train, self.valid):
            history = self.objective.fit(
                self.train.feed(),
                steps_per_epoch=self.train.batches,
                initial_epoch=epoch,
                epochs=epoch + 1,
                validation_data=self.valid.feed() if validate else None,
                validation_steps=self.valid.batches if validate else None,
                callbacks=callbacks,
                verbose=0,
                shuffle=False,
            ).history
        logs = {name: float(values[-1]) for name, values in history.items()}
        training = {name: logs[name] for name in self.objective.names}
        if self.valid is None:
            self._note(training, check)
        elif validate:
            self._note({name: logs[f'val_{name}'] for name in training})
        return training

    def _validate(self):
        if self.valid is not None:
            self._note(_evaluate(self.objective, self.valid))

    def _note(self, monitors, counts=True):
        """Keep the monitors, and the parameters if they are the best so far."""
        self.validation = monitors
        if self.patience.better(monitors['loss'], counts):
            self.best = self._parameters()

    def _parameters(self):
        return [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.weights]


@contextlib.contextmanager
def _reading(*sources):
    """Raise what a data source raised, not the backend's wrapping of it.

    The end of a source whose length nobody knew is no cause for a warning.
    """
    sources = [source for source in sources if source is not None]
    try:
        with warnings.catch_warnings():
            if any(source.batches is None for source in sources):
                warnings.filterwarnings('ignore', message='Your input ran out of data')
            yield
    except Exception:
        for source in sources:
            if source.error is not None:
                cause, source.error = source.error, None
                raise cause from None
        raise
