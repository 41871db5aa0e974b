"""`Network`: layers, losses, and what one does with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from kerasnets import pretraining, rates, training
from kerasnets.errors import ConfigurationError
from kerasnets.graphs import Asked
from kerasnets.losses import Loss
from kerasnets.nodes import output_names
from kerasnets.persistence import Persistent
from kerasnets.regularizers import build as build_regularizers
from kerasnets.stack import Stack
from kerasnets.table import Table
from kerasnets.typing import Data, Found, Layers, Monitors, Path, Seed, Tensor
from kerasnets.views import Views


class Network(Persistent, Stack):
    """A network of layers.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers, the input first: an int for a size, a tuple such as
        ``(20, 'rnn', 'tanh')``, a dict, the name of a form, or a Keras layer.
    loss : str, dict or Loss, optional
        What to make small in training.
    weighted : bool
        Whether the data holds a weight for each target.
    rng : int or numpy random generator
        Decides initial weights, shuffling, dropout and everything else that is drawn.

    Attributes
    ----------
    model : keras.Model
        The Keras model: a ``keras.Sequential`` for a chain of layers.
    specs : list of LayerSpec
        What the layers were parsed to.
    losses : list of Loss
    history : list of dict
        A row for each epoch of training: 'epoch', 'seconds', monitors, and those of the
        validation with `val_` before their names.

    Raises
    ------
    ConfigurationError
        For an entry or a keyword that cannot be, naming its place.
    """

    #: The `Table` that says how the columns of a file become inputs, where there is one.
    table: Table | None = None

    #: The output that the loss compares with; None: an array of the data.
    TARGET: str | None = None

    def __init__(
        self, layers: Layers = (), loss: Any = None, weighted: bool = False, rng: Seed = 13
    ) -> None:
        super().__init__(layers, rng)
        self.losses: list[Loss] = []
        self.history: list[dict[str, Any]] = []
        if loss is not None:
            target: dict[str, Any] = {'target': self.TARGET} if self.TARGET else {}
            self.set_loss(loss, weighted=weighted, **target)

    # What it is trained for

    @property
    def variables(self) -> list[Tensor]:
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self._views.variables

    def add_loss(self, loss: Any = None, **kwargs: Any) -> None:
        """Add a loss: a name, a dict with ``form``, or a Loss, with keywords of `Loss`."""
        if loss is None:
            loss = kwargs.pop('form', None)
        self.losses = [*self.losses, Loss.build(loss, **kwargs)]
        self._made = None

    def set_loss(self, *args: Any, **kwargs: Any) -> None:
        """Put a loss in the place of all others. Takes what `add_loss` takes."""
        before, self.losses = self.losses, []
        try:
            self.add_loss(*args, **kwargs)
        except ConfigurationError:
            self.losses = before
            raise

    # What it computes, as symbols

    def build_graph(
        self, regularizers: Mapping[str, Any] = MappingProxyType({})
    ) -> tuple[dict[str, Tensor], list[Any]]:
        """Connect the layers.

        Returns
        -------
        outputs : dict of str to KerasTensor
            Every output by name: 'in:out', 'hid1:pre', 'hid1:out', …
        updates : list
            Empty: Keras layers update their own state when they are called.
        """
        names = output_names(self._nodes)
        return self._views.outputs(names, build_regularizers(regularizers)), self.updates()

    def loss(self, **regularizers: Any) -> Tensor:
        """The loss as a symbolic scalar over `variables`.

        >>> net = kerasnets.Classifier([4, 3])
        >>> f = keras.Function(net.variables, net.loss())
        >>> x, y = np.zeros((2, 4), 'f'), np.zeros(2, 'i')
        >>> round(float(f([x, y])), 4)
        1.0986
        """
        return self._graph(regularizers).loss

    def monitors(self, **regularizers: Any) -> list[tuple[str, Tensor]]:
        """(name, KerasTensor) pairs of what is watched in training, beside the loss."""
        graph = self._graph(regularizers)
        return [('err', graph.err), *((name, mean) for name, (mean, _) in graph.monitors.items())]

    def updates(self, **regularizers: Any) -> list[Any]:
        """Pairs of (variable, new value) beyond the gradient's: none, see `build_graph`."""
        build_regularizers(regularizers)  # they change the loss alone
        return []

    def _graph(self, regularizers: Any) -> Any:
        return self._views.graph(asked=Asked(build_regularizers(regularizers), noisy=True))

    # What one does with it

    def feed_forward(self, x: Data, **regularizers: Any) -> dict[str, Found]:
        """Compute every output of every layer.

        Parameters
        ----------
        x : array (examples, …)
            Or a list of sequences of differing length; for several inputs a list or a dict.

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
        """The network's output for `x`, which is as `feed_forward` takes it."""
        return self._output(x, 'out', regularizers)

    def _output(self, x: Data, part: str, regularizers: Any) -> Found:
        """One output of the last layer for `x`."""
        name = f'{self._nodes[-1].name}:{part}'
        return self._compute(x, [name], regularizers)[name]

    def _compute(
        self, x: Data, names: list[str], regularizers: Any, start: str | None = None
    ) -> Any:
        """Named outputs for `x`, with the noise and dropout among the regularizers."""
        built = build_regularizers(regularizers)
        return self._views.compute(x, names, start, built, self.rng)

    def evaluate(
        self,
        data: Data,
        *,
        batch_size: int = 1024,
        monitors: Any = None,
        monitor_gradients: bool = False,
        **regularizers: Any,
    ) -> Monitors:
        """Compute the loss and the monitors over data, as training would.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
            As for `train`.
        monitors : dict or list, optional
        monitor_gradients : bool
            As for `train`.
        **regularizers
            As for `train`: penalties are added to 'loss', not to 'err'; noise is drawn.

        Returns
        -------
        dict of str to float
            With 'loss' and 'err', and 'acc' for a classifier.
        """
        built = build_regularizers(regularizers)
        watch = monitors, monitor_gradients
        return training.evaluate(self, self._views, data, batch_size, built, *watch)

    def itertrain(
        self,
        train: Data,
        valid: Data | None = None,
        algo: Any = 'rmsprop',
        *,
        epochs: int | None = None,
        max_updates: int | None = None,
        learning_rate: Any = None,
        batch_size: int = 32,
        train_batches: int | None = None,
        valid_batches: int | None = None,
        patience: int = 5,
        validate_every: int = 10,
        min_improvement: float = 0.0,
        monitors: Any = None,
        monitor_gradients: bool = False,
        class_weight: Mapping[int, float] | None = None,
        callbacks: Any = (),
        tensorboard: Any = None,
        verbose: Any = 'auto',
        save_progress: Path | None = None,
        save_every: float = 0,
        resume: Path | bool | None = None,
        continue_: bool = False,
        jit: Any = 'auto',
        subalgo: Any = 'rmsprop',
        unlabelled: Data | None = None,
        **options: Any,
    ) -> Iterator[tuple[Monitors, Monitors]]:
        """Train, yielding (training, validation) monitors after each epoch.

        A caller may leave at any yield; the network then has the parameters of the moment. At
        the end of training, and after Ctrl-C, it has those of the best validation. A row for
        each epoch is added to `history`.

        Parameters
        ----------
        train : list of arrays, callable, generator, tf.data.Dataset or keras PyDataset
            Inputs, targets and, if the network is weighted, weights. A callable returns a
            batch of them each time. Sequences of differing length are a list of arrays.
        valid : the same, optional
            Validated before the first epoch and every `validate_every` epochs. Without it the
            training loss takes the place of the validation's.
        algo : str or keras.optimizers.Optimizer
            See `optimizers.build`, whose keywords are taken here. Or 'layerwise', to train the
            network from its first layer on, with ever more of them; 'pretrain', to train its
            hidden layers as an autoencoder; 'sample', to set weights to examples.
        epochs, max_updates : int, optional
            When to stop at the latest. Default: when `patience` runs out.
        learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, optional
            Default 1e-4, but for algorithms that need none.
        batch_size : int
            Examples in a batch, where the data is arrays.
        train_batches, valid_batches : int, optional
            Batches in an epoch. Default: all of an array, 100 of a callable without a length.
        patience : int
            Validations without progress that are put up with.
        validate_every : int
            Epochs from one validation to the next.
        min_improvement : float
            Fraction of the best loss by which another must be below it to count as progress.
        monitors : dict or list, optional
            Patterns of outputs and parameters, with levels: ``{'hid1:out': (0.1, 0.9)}``
            watches the fraction of values below each; a (label, function) pair watches what
            the function gives. A list may hold metrics of Keras, too, or their names.
        monitor_gradients : bool
            Watch the squared norm of the gradient by each parameter, as ``grad(hid1.w)``. It
            is computed once more for that.
        class_weight : dict, optional
            A factor for each class.
        callbacks : list of keras.callbacks.Callback
            They are given ``net.model``.
        tensorboard : str, dict or TensorBoard, optional
            Where to write logs; a dict holds keywords of `callbacks.TensorBoard`.
        verbose : 'auto', 0, 1 or 2
            1 shows a progress bar, 2 a line an epoch; 'auto' a bar in a terminal.
        save_progress : str or path, optional
            A `.keras` file to save to, atomically; '{}' in it becomes the time.
        save_every : int or float
            Epochs from one save to the next if it is an int, minutes if a float. The end of
            training is saved whatever it is.
        resume : path or True, optional
            Go on from a checkpoint that `save_progress` wrote; with True from the one at
            that path, if there is one.
        continue_ : bool
            Go on with the state in which the last training left the same algorithm.
        jit : 'auto' or bool
            Whether XLA compiles the training. 'auto' does where that pays: on a GPU, and on a
            CPU for long training of layers that gain by it. It follows from what is asked for,
            not from a clock; with and without XLA the noise that is drawn differs. Not on PyTorch.
        subalgo : str
            What 'layerwise' and 'pretrain' train with.
        unlabelled : list of arrays or callable, optional
            Inputs for 'pretrain', in the place of those in `train`.
        **options
            Keywords of the algorithm, and regularizers: ``weight_l2=0.1``, ``hidden_l1=
            dict(weight=0.1, pattern='hid1:out')``, ``input_noise=0.1``, ``hidden_dropout=0.5``,
            ``dropout={'hid?:out': 0.5}``, ``regularizers=[...]``.

        Returns
        -------
        generator of (dict, dict)

        Raises
        ------
        ConfigurationError, DataError, FileError
            At once, before any training.
        """
        named = [field.name for field in dataclasses.fields(training.Settings)]
        given = locals()
        chosen = {name: given[name] for name in named}
        if algo in ('layerwise', 'pretrain', 'sample'):
            training.check_keywords(subalgo, options)
            more = {**chosen, **options, 'unlabelled': unlabelled}
            return pretraining.itertrain(self, self._over, algo, train, valid, subalgo, **more)
        training.check_keywords(algo, options)
        settings = training.Settings(**chosen)
        return iter(training.prepare(self, self._views, train, valid, algo, settings, **options))

    def find_learning_rate(
        self,
        data: Data,
        algo: Any = 'rmsprop',
        *,
        low: float = 1e-7,
        high: float = 10.0,
        steps: int = 100,
        batch_size: int = 32,
        **options: Any,
    ) -> rates.RateCurve:
        """Look for a learning rate: take a step at each of many, ever larger.

        The network is afterwards what it was.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
        algo : str
        low, high : float
            The smallest and the largest rate to try.
        steps : int
        batch_size : int
        **options
            Keywords of the algorithm.

        Returns
        -------
        RateCurve
            With ``rates`` and ``losses`` to plot, and the ``best`` of the rates.
        """
        return rates.find(self._views, data, algo, low, high, steps, batch_size, options)

    def train(self, *args: Any, **kwargs: Any) -> tuple[Monitors, Monitors]:
        """Train until patience or epochs run out. Takes what `itertrain` takes.

        Returns
        -------
        training, validation : dict
            The monitors of the last epoch.
        """
        monitors: tuple[Monitors, Monitors] = {}, {}
        for monitors in self.itertrain(*args, **kwargs):  # noqa: B007
            pass
        return monitors

    # Inside

    @property
    def feeds(self) -> Any:
        """What data the network takes."""
        return self._views.feeds

    def _over(self, nodes: Any, losses: Any, plain: bool) -> Network:
        """A network over other nodes, some of them this one's own."""
        made = Network(rng=self.rng) if plain else type(self)(loss=None, rng=self.rng)
        made.INPUT_NDIM = self.INPUT_NDIM
        made.adopt(nodes, None)
        made.losses = losses
        return made

    #: Whether inputs may be given as labels, for the network to spread into one-hot rows.
    takes_labels = False

    @property
    def _views(self) -> Views:
        if self._made is None:
            self._made = Views(
                self._nodes, self.model, self.losses, self._monitors, self.takes_labels
            )
        return self._made

    def _monitors(
        self, loss: Any, output: Tensor, target: Tensor, weights: Any = None
    ) -> dict[str, Any]:
        """Quantities to watch beside the loss: name -> (mean, mass)."""
        return {}
