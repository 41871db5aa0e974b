"""`Network`: layers and losses; train, predict, evaluate, save."""

from __future__ import annotations

import dataclasses
from typing import Any, Unpack

from kerasnets import deprecated
from kerasnets.data.array_spec import turn
from kerasnets.data.columns import Columns
from kerasnets.data.data_spec import DataSpec
from kerasnets.data.history import History
from kerasnets.errors import ConfigurationError
from kerasnets.files.persistence import Persistent
from kerasnets.graph.layer_list import LayerList
from kerasnets.graph.models import Models
from kerasnets.graph.nodes import output_names
from kerasnets.graph.symbols import Symbols
from kerasnets.layers import abilities
from kerasnets.losses import Loss
from kerasnets.programs.prediction import MASK, compute
from kerasnets.programs.program import Programs
from kerasnets.regularizers import build as build_regularizers
from kerasnets.training import pretraining, rate_search, settings, setup
from kerasnets.training.plan import advise
from kerasnets.training.trainable import Trainable
from kerasnets.training.trainer import Run, Sequence
from kerasnets.typing import Data, Found, Layers, Monitors, Seed, Tensor


class Network(Persistent, Symbols, LayerList):
    """A network of layers.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers, the input first: an int for a size, a tuple such as
        ``(20, 'rnn', 'tanh')``, a dict, the name of a form, or a Keras layer.
    loss : str, dict or Loss, optional
        The loss to minimize.
    weighted : bool
        Whether the data includes a weight for each target.
    rng : int or numpy random generator
        Source of all randomness: initial weights, shuffling, dropout, noise.
    **keywords
        Of `graph.layer_list.LayerList`, about activations and ties, and defaults for the keywords
        of `itertrain`.

    Attributes
    ----------
    model : keras.Model
        The Keras model: a ``keras.Sequential`` for a chain of layers.
    specs : list of LayerSpec
        The parsed entries.
    losses : list of Loss
    history : list of dict
        One row per epoch: 'epoch', 'seconds', the monitors, and those of the validation with
        the prefix `val_`. It has a method ``plot()``.

    Raises
    ------
    ConfigurationError
        For an invalid entry or keyword, naming its place in the list.
    """

    #: How the columns of a CSV file become inputs, for a network trained on one.
    table: Columns | None = None

    #: Whether arrays of sequences have time as their first axis.
    time_major = False

    #: Whether targets are labels, for a loss that a user's class computes.
    LABELS = False

    #: The output that is the target of the loss; None for an array of the data.
    TARGET: str | None = None

    def __init__(
        self,
        layers: Layers = (),
        loss: Any = None,
        weighted: bool = False,
        rng: Seed = 13,
        **keywords: Any,
    ) -> None:
        self.time_major = bool(keywords.pop('time_major', False))
        if self.time_major and self.INPUT_NDIM != 3:
            raise ConfigurationError(
                f'time_major is for the networks of kerasnets.recurrent, got a '
                f'{type(self).__name__} of {self.INPUT_NDIM} axes. Leave it out.'
            )
        built, self.defaults = settings.divided(keywords, LayerList)
        super().__init__(layers, rng, **built)
        self.losses: list[Loss] = []
        self.history = History()
        if loss is not None:
            target: dict[str, Any] = {'target': self.TARGET} if self.TARGET else {}
            self.set_loss(loss, weighted=weighted, **target)

    # Losses

    def add_loss(self, loss: Any = None, **kwargs: Any) -> None:
        """Add a loss: a name, a dict with ``form``, or a Loss, with keywords of `Loss`."""
        loss = kwargs.pop('form', None) if loss is None else loss
        built = Loss.build(loss, **kwargs)
        if built.written and built.labels is None:
            built = dataclasses.replace(built, labels=self.LABELS)
        self.losses = [*self.losses, built]
        self._made = {}

    def set_loss(self, *args: Any, **kwargs: Any) -> None:
        """Replace all losses by one. Takes the arguments of `add_loss`."""
        before, self.losses = self.losses, []
        try:
            self.add_loss(*args, **kwargs)
        except ConfigurationError:
            self.losses = before
            raise

    # Predict, evaluate, train

    def feed_forward(self, x: Data, **regularizers: Any) -> dict[str, Found]:
        """Compute every output of every layer.

        Parameters
        ----------
        x : array (examples, …)
            Or a list of sequences of different lengths; for several inputs a list or a dict.

        Returns
        -------
        dict of str to array
            'in:out', 'hid1:pre', 'hid1:out', …; of sequences, lists of arrays.

        Raises
        ------
        DataError
            If `x` does not fit the network.
        """
        return self._compute(x, output_names(self._nodes), regularizers)

    def predict(self, x: Data, **regularizers: Any) -> Found:
        """Return the network's output for `x`; see `feed_forward` for its form."""
        return self._output(x, 'out', regularizers)

    def _output(self, x: Data, part: str, regularizers: Any) -> Found:
        """Return one output of the last layer for `x`."""
        name = f'{self._nodes[-1].name}:{part}'
        return self._compute(x, [name], regularizers)[name]

    def _compute(
        self, x: Data, names: list[str], regularizers: Any, start: str | None = None
    ) -> Any:
        """Named outputs for `x`, with the noise and dropout among the regularizers."""
        built = build_regularizers(regularizers)
        return compute(self._programs, x, names, start, built, self.rng)

    def _steps_that_count(self, x: Data) -> Any:
        """Return which steps of the output count, in the form of a prediction of labels.

        None where all do: no layer hides steps, or the output has none.
        """
        last = self._nodes[-1]
        masks = any(abilities.may_mask(node.layer) for node in self._nodes)
        if not masks or len(last.output.shape) < 3:
            return None
        name = f'{last.name}{MASK}'
        found = self._compute(x, [name], {})[name]
        return turn(found) if self.time_major and not isinstance(found, list) else found

    def evaluate(
        self,
        data: Data,
        *,
        batch_size: int = 1024,
        monitors: Any = None,
        monitor_gradients: bool = False,
        **regularizers: Any,
    ) -> Monitors:
        """Compute the loss and the monitors over data, as in training.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
            As for `train`.
        monitors, monitor_gradients, **regularizers
            As for `train`. Penalties, and losses that layers add, are part of 'loss', not of 'err';
            noise is applied.

        Returns
        -------
        dict of str to float
            With 'loss' and 'err', and 'acc' for a classifier.
        """
        built = build_regularizers(regularizers)
        watch = monitors, monitor_gradients
        return setup.evaluate(self, self._trainable, data, batch_size, built, *watch)

    def itertrain(
        self,
        train: Data = None,
        valid: Data | None = None,
        algo: Any = None,
        **keywords: Unpack[settings.Keywords],
    ) -> Run:
        """Train, and yield (training, validation) monitors after each epoch.

        The parameters of the best validation are restored when training ends, also after Ctrl-C;
        `history.best` tells which these are. A caller that stops iterating keeps the current
        parameters. Each epoch adds a row to `history`. The training monitors are means over the
        batches of the epoch, while the parameters change; the validation monitors are those of the
        last validation, and before the first one the training monitors.

        Parameters
        ----------
        train : list of arrays, callable, generator, tf.data.Dataset or keras PyDataset
            Inputs, targets and, if the network is weighted, weights. A callable returns one
            batch per call. Sequences of different lengths are a list of arrays.
        valid : the same, optional
            Validation data, used before the first epoch, every `validate_every` epochs and after
            the last. Default: the training data, as in theanets, but not before the first epoch.
            In two cases there is no validation, and the last parameters are kept: without
            `valid` for a single epoch, where there is nothing to choose, and for a generator,
            which can be read once only.
        algo : str, keras.optimizers.Optimizer, or a list of them
            Default 'rmsprop'. See `optimizers.build`, whose keywords are accepted here; of several,
            one trains after the other. Or 'layerwise': train
            ever more of the layers, from the first on; 'pretrain': train the hidden layers as
            an autoencoder; 'sample': set weights to examples.
        epochs, max_updates : int, optional
            Upper limits. Default: train until `patience` is exhausted.
        learning_rate : float, 'auto' or keras.optimizers.schedules.LearningRateSchedule, optional
            Default 1e-4, except for algorithms without a learning rate. 'auto' takes the rate that
            `find_learning_rate` finds with the training data.
        batch_size : int
            Examples in a batch, for arrays.
        train_batches, valid_batches : int, optional
            Batches in an epoch. Default: all of an array, 100 of a callable without a length.
        patience : int
            Number of validations without improvement before training stops.
        validate_every : int
            Epochs between validations.
        min_improvement : float
            Fraction by which the loss must fall below the best one to count as an improvement.
        monitors : dict or list, optional
            Patterns of outputs and parameters with levels: ``{'hid1:out': (0.1, 0.9)}`` is the
            fraction of values below each. A (label, function) pair is the function's value.
            A list may also hold Keras metrics, or their names.
        monitor_gradients : bool
            Monitor the squared norm of each parameter's gradient, as ``grad(hid1.w)``. This
            computes the gradients a second time.
        class_weight : dict, optional
            A factor for each class.
        callbacks : list of keras.callbacks.Callback
            Their ``model`` is ``net.model``.
        tensorboard : str, dict or TensorBoard, optional
            A folder for logs, or keywords of `callbacks.TensorBoard`.
        verbose : 'auto', 0, 1 or 2
            1 shows a progress bar, 2 a line per epoch; 'auto' a bar in a terminal.
        save_progress : str or path, optional
            A `.keras` file to save to, atomically; '{}' in it becomes the time.
        save_every : int or float
            Epochs between saves if an int, minutes if a float. The end is always saved.
        resume : path or True, optional
            Continue from a checkpoint that `save_progress` wrote. True: from the one at that
            path, if it exists. Another learning rate, setting, regularizer or batch size is used,
            and said in one warning; another algorithm or other data is an error.
        continue_ : bool
            Keep the optimizer state of the last training with the same algorithm.
        jit : 'auto' or bool
            Whether XLA compiles the training, which changes random noise. 'auto' decides by the
            sizes of network and data, and by what is compiled for the same structure already. On
            TensorFlow, which keeps what XLA compiles as long as the process lives, it compiles only
            long trainings after the first 40 programs.
        subalgo : str
            The algorithm that 'layerwise' and 'pretrain' train with.
        unlabelled : list of arrays or callable, optional
            Inputs for 'pretrain', instead of those in `train`.
        compat : 'theanets', optional
            Without `valid`, validate with the training data before the first epoch too.
        **options
            Keywords of the algorithm, and regularizers: ``weight_l2=0.1``, ``hidden_l1=
            dict(weight=0.1, pattern='hid1:out')``, ``input_noise=0.1``, ``hidden_dropout=0.5``,
            ``dropout={'hid?:out': 0.5}``, ``regularizers=[...]``.

        Raises
        ------
        ConfigurationError, DataError, FileError
            Immediately, before any training.
        """
        asked = settings.gathered(self.defaults, keywords, train=train, valid=valid, algo=algo)
        train, valid = asked.pop('train', None), asked.pop('valid', None)
        first, *others = settings.algorithms(asked.pop('algo', 'rmsprop'), asked)
        run = self._run(train, valid, *first)
        return run if not others else Sequence(run, (self._run(train, valid, *o) for o in others))

    def _run(self, train: Data, valid: Data, algo: Any, keywords: dict[str, Any]) -> Run:
        """A training with one algorithm."""
        if algo in settings.BY_PARTS:
            return pretraining.itertrain(self, self._over, algo, train, valid, **keywords)
        chosen, options = settings.split(keywords)
        return setup.make_trainer(self, self._trainable, train, valid, algo, chosen, **options)

    def find_learning_rate(
        self,
        data: Data,
        algo: Any = 'rmsprop',
        *,
        low: float = rate_search.RANGE[0],
        high: float = rate_search.RANGE[1],
        steps: int = rate_search.STEPS,
        batch_size: int = 32,
        **options: Any,
    ) -> rate_search.RateCurve:
        """Find a learning rate by one update at each of many rates, from small to large.

        The network is unchanged afterwards.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
        algo : str
        low, high : float
            The smallest and the largest rate.
        steps : int
        batch_size : int
        **options
            Keywords of the algorithm.

        Returns
        -------
        RateCurve
            With ``rates`` and ``losses`` to plot, and the ``best`` rate.
        """
        return rate_search.find(self._trainable, data, algo, low, high, steps, batch_size, options)

    def train(
        self,
        train: Data = None,
        valid: Data | None = None,
        algo: Any = None,
        **keywords: Unpack[settings.Keywords],
    ) -> tuple[Monitors, Monitors]:
        """Train until patience or epochs are exhausted. Takes the keywords of `itertrain`.

        Returns
        -------
        training, validation : dict
            Of the parameters that the network kept: the training monitors of their epoch, and the
            monitors of the validation that chose them, which `evaluate` gives too.
        """
        run, before = self.itertrain(train, valid, algo, **keywords), len(self.history)
        run.each = False
        for _ in run:
            pass
        asked = {**self.defaults, **keywords}
        advise(self.history[before:], algo or asked.get('algo'), asked)
        return run.kept

    def transform(self, x: Data, **regularizers: Any) -> Found:
        """Former name of `predict`; of a classifier it gives probabilities."""
        deprecated.warn('transform()', 'write predict(), or predict_proba() of a classifier')
        return Network.predict(self, x, **regularizers)

    @property
    def data_spec(self) -> DataSpec:
        """The specification of the data that the network accepts."""
        return self._models.data_spec

    def _over(self, nodes: Any, losses: Any, plain: bool) -> Network:
        """Return a network over other nodes, some of them shared with this one."""
        made = Network(rng=self.rng) if plain else type(self)(loss=None, rng=self.rng)
        made.INPUT_NDIM = self.INPUT_NDIM
        made.adopt(nodes, None)
        made.losses = losses
        return made

    #: Whether inputs may be labels, which the network one-hot encodes.
    takes_labels = False

    @property
    def _models(self) -> Models:
        if 'models' not in self._made:
            how = self.takes_labels, self.time_major
            spec = DataSpec(self._nodes, self.losses, self.model, *how)
            made = Models(self._nodes, self.model, self.losses, self._monitors, spec)
            self._made['models'] = made
        return self._made['models']

    @property
    def _trainable(self) -> Trainable:
        if 'trainable' not in self._made:
            self._made['trainable'] = Trainable(self._models)
        return self._made['trainable']

    @property
    def _programs(self) -> Programs:
        return self._trainable.programs

    def _monitors(
        self, loss: Any, output: Tensor, target: Tensor, weights: Any = None
    ) -> dict[str, Any]:
        """Return further monitors: name -> (mean, mass)."""
        return {}


for _method in (Network.itertrain, Network.train):
    vars(_method)['__signature__'] = settings.signature(_method)
