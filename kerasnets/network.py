"""`Network`: layers and losses; train, predict, evaluate, save."""

from __future__ import annotations

import copy
import dataclasses
import io
import numbers
import time
import types
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import numpy as np

from kerasnets import backend
from kerasnets import monitors as monitoring
from kerasnets.data.array_spec import turn
from kerasnets.data.columns import Columns
from kerasnets.data.data_spec import DataSpec
from kerasnets.data.history import History, Trained
from kerasnets.errors import ConfigurationError, DataError, FileError, pick, suggest
from kerasnets.files import export, keras_files, keras_models
from kerasnets.graph import summary
from kerasnets.graph.loss_graph import Extras, Graph
from kerasnets.graph.nodes import (
    Node,
    add_node,
    adopt,
    assemble,
    inputs_of,
    output_names,
    reading_labels,
)
from kerasnets.graph.parameters import Parameter
from kerasnets.initializers import generator
from kerasnets.language import printing
from kerasnets.language.spec import LayerSpec, check_names, extend, parse
from kerasnets.layers import abilities
from kerasnets.losses import Loss, LossLike
from kerasnets.programs.models import Models
from kerasnets.programs.prediction import MASK, compute
from kerasnets.programs.program import Programs
from kerasnets.regularizers import build as build_regularizers
from kerasnets.sampling.stream import LabelStream, Stream
from kerasnets.spellings import translate
from kerasnets.training import pretraining, rate_search, settings, setup
from kerasnets.training.plan import advise
from kerasnets.training.trainable import Trainable
from kerasnets.training.trainer import Run, Sequence
from kerasnets.typing import (
    Data,
    Entry,
    File,
    Found,
    Layers,
    Monitors,
    Path,
    Seed,
    Tensor,
)

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Keywords of a network that are not of its training.
OWN_KEYWORDS = (
    *('layers', 'loss', 'weighted', 'rng', 'hidden_activation', 'output_activation'),
    *('time_major', 'class_names'),
)

Kind = TypeVar('Kind')

#: Methods of Keras' models and scikit-learn's estimators -> what to write here.
METHODS = {
    'fit': 'Write train([inputs, targets]).',
    'reset_states': 'Write stream(), which keeps states, and its reset().',
    'compile': 'Leave it out: give loss= to the network, and algo= and learning_rate= to train().',
    'partial_fit': 'Write train([inputs, targets], epochs=1, continue_=True).',
    'train_on_batch': 'Write train([inputs, targets], epochs=1, continue_=True).',
    'fit_generator': 'Write train(generator, train_batches=100).',
    'save_weights': 'Write save(path), or model.save_weights(path) for Keras.',
    'count_params': 'Write num_params.',
    'get_weights': 'Write [p.get_value() for p in params], or model.get_weights() for Keras.',
    'set_weights': 'Write find(layer, param).set_value(array), or model.set_weights for Keras.',
    'get_layer': 'Write find(layer, param) for a parameter, or model.get_layer(name) for Keras.',
    'trainable_variables': 'Write model.trainable_variables.',
    'optimizer': 'Give algo= to train().',
    'predict_sequence': 'Build a kerasnets.recurrent.Classifier or Regressor, which have it.',
    'classify': 'Build a Classifier, which has it, or write predict().',
    'predict_proba': 'Build a Classifier, which has it, or write predict().',
    'predict_classes': 'Write predict() of a Classifier.',
    'evaluate_generator': 'Write evaluate([inputs, targets]).',
    'add': 'Put all layers in the list that makes the network.',
    'pop': 'Put all layers in the list that makes the network.',
    'weights': 'Write params, or model.weights for Keras.',
    'coef_': 'Write [p.get_value() for p in params].',
    'state_dict': 'Write save(path) and kerasnets.load(path).',
    'to_json': 'Write save(path), or model.to_json() for Keras.',
    'plot': 'Write history.plot(), or a function of kerasnets.plots.',
    'eval': 'Write evaluate([inputs, targets]).',
    'forward': 'Write predict(inputs), or feed_forward(inputs) for the output of each layer.',
}


class _OnBoth:
    """A method of both a class and its instances, bound to the one it is called on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type[Kind]) -> Callable[..., Kind]:
        return types.MethodType(self.function, owner if instance is None else instance)


class Network:
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
    hidden_activation, output_activation : str, optional
        Activations of dense and recurrent layers whose entries have none.
    time_major : bool
        Whether arrays of sequences have time as their first axis.
    **keywords
        Defaults for the keywords of `itertrain`.

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

    #: Whether inputs may be labels, which the network one-hot encodes.
    takes_labels = False

    DEFAULT_HIDDEN_ACTIVATION = 'relu'
    DEFAULT_OUTPUT_ACTIVATION = 'linear'
    INPUT_NDIM = 2
    OUTPUT_NDIM = 2

    #: Whether targets are labels, for a loss that a user's class computes.
    LABELS = False

    #: The output that is the target of the loss; None for an array of the data.
    TARGET: str | None = None

    def __init__(
        self,
        layers: Layers = (),
        loss: LossLike = None,
        weighted: bool = False,
        rng: Seed = 13,
        hidden_activation: Any = None,
        output_activation: Any = None,
        time_major: bool = False,
        **keywords: Any,
    ) -> None:
        if isinstance(layers, (str, bytes, numbers.Number, dict)):
            raise ConfigurationError(f'expected a list of layers, got {layers!r}. Try [10, 20, 3].')
        self.time_major = bool(time_major)
        if self.time_major and self.INPUT_NDIM != 3:
            raise ConfigurationError(
                f'time_major is for the networks of kerasnets.recurrent, got a '
                f'{type(self).__name__} of {self.INPUT_NDIM} axes. Leave it out.'
            )
        self.defaults: dict[str, Any] = {}
        hidden = hidden_activation
        if keywords:
            keywords = translate('network', keywords, layers)
            layers = keywords.pop('layers', layers)
            hidden = keywords.pop('hidden_activation', hidden)
            self.defaults = settings.defaults(keywords, OWN_KEYWORDS)
        layers = list(layers)
        self.rng = generator(rng)
        self.losses: list[Loss] = []
        self.history = History()
        self._nodes: list[Node] = []
        self._model: KerasModel | None = None  # built on first use
        self._built: dict[str, Any] = {}  # built from the layers, on first use
        hidden = self.DEFAULT_HIDDEN_ACTIVATION if hidden is None else hidden
        output = self.DEFAULT_OUTPUT_ACTIVATION if output_activation is None else output_activation
        for i, layer in enumerate(layers):
            last = 0 < i == len(layers) - 1
            self._add(layer, 'out' if last else None, output if last else hidden)
        if loss is not None:
            target: dict[str, Any] = {'target': self.TARGET} if self.TARGET else {}
            self.set_loss(loss, weighted=weighted, **target)

    def __getattr__(self, name: str) -> Any:
        """Raise the AttributeError that names our word, for a method of Keras or scikit-learn."""
        if hasattr(type(self), name):  # a property that raised: raise the same again
            return object.__getattribute__(self, name)
        remedy = f' {METHODS[name]}' if name in METHODS else suggest(name, dir(type(self)))
        raise AttributeError(
            f'a {type(self).__name__} has no {name!r}.{remedy}', name=name, obj=self
        )

    # Layers

    @property
    def model(self) -> KerasModel:
        """The network's Keras model."""
        if self._model is None:
            self._model = assemble(self._nodes)
        return self._model

    @property
    def specs(self) -> list[LayerSpec]:
        """The specification of each layer."""
        return [node.spec for node in self._nodes]

    @property
    def nodes(self) -> list[Any]:
        """The layers as nodes of a graph."""
        return self._nodes

    @property
    def layers(self) -> list[Any]:
        """The layers, the input first: objects that have the Keras layer as `keras`.

        >>> net = kerasnets.Network([4, (6, 'tanh'), 3])
        >>> net.layers[1].name, net.layers[1].num_params, net.layers[1].keras.units
        ('hid1', 30, 6)
        """
        return translate('layers', [node.layer for node in self._nodes], self)

    @property
    def inputs(self) -> list[Tensor]:
        """The Keras tensors that the network reads."""
        return list(inputs_of(self._nodes).values())

    @property
    def params(self) -> list[Parameter]:
        """Handles on all learnable parameters, in the order of the layers."""
        return [param for node in self._nodes for param in node.params()]

    @property
    def num_params(self) -> int:
        """Number of learnable values in the network."""
        return sum(int(np.prod(p.shape)) for p in self.params)

    def __repr__(self) -> str:
        """Return a short description."""
        return printing.as_list(self)

    def _repr_html_(self) -> str:
        return summary.as_html(self, self._nodes)

    def summary(self, file: Any = None) -> None:
        """Print a table of the layers: name, form, shape, activation and parameters.

        >>> kerasnets.Network([4, (6, 'tanh'), 3])
        network.Network([4, (6, 'tanh'), 3])
        """
        summary.show(self, self._nodes, file)

    def find(self, which: str | int, param: str | int) -> Parameter:
        """Return a parameter of a layer.

        Parameters
        ----------
        which : str or int
            Name of the layer, or its place.
        param : str or int
            Name of the parameter, or its place in the layer.

        Returns
        -------
        Parameter
            With ``name``, ``shape``, ``get_value()``, ``set_value(array)``, ``variable``.

        Raises
        ------
        ConfigurationError
            If there is none of that name.

        >>> kerasnets.Network([4, 6, 3]).find('hid1', 'w').shape
        (4, 6)
        """
        parts = {name: part for node in self._nodes for name, part in node.parts().items()}
        found = pick(parts, which, 'the network has no layer')
        return pick(found, param, f'layer {which!r} has no parameter')

    def add_layer(self, layer: KerasLayer | None = None, **kwargs: Any) -> None:
        """Add a layer after those that are there.

        Parameters
        ----------
        layer : entry of the language of layers, optional
            Without it, the keywords describe the layer.
        **kwargs
            As in a dict entry; they add to the entry.
        """
        self._add(extend(layer, kwargs), None, 'relu')

    def _add(self, entry: Entry, name: str | None, activation: Any) -> None:
        previous = self._nodes[-1].name if self._nodes else None
        spec = parse(
            entry, len(self._nodes), name=name, previous=previous, default_activation=activation
        )
        check_names([*self.specs, spec])
        if spec.form == 'embedding':
            self._nodes = reading_labels(self._nodes, spec, self.INPUT_NDIM)
        self._nodes.append(add_node(self._nodes, spec, self.rng, self.INPUT_NDIM))
        self._model, self._built = None, {}

    def adopt(self, nodes: list[Node], model: KerasModel) -> None:
        """Replace the layers by nodes over those of another model."""
        self._nodes, self._model, self._built = nodes, model, {}

    # Losses

    def add_loss(self, loss: LossLike = None, **kwargs: Any) -> None:
        """Add a loss: a name, a dict with ``form``, or a Loss, with keywords of `Loss`."""
        loss = kwargs.pop('form', None) if loss is None else loss
        built = Loss.build(loss, **kwargs)
        if built.is_custom and built.labels is None:
            built = dataclasses.replace(built, labels=self.LABELS)
        self.losses = [*self.losses, built]
        self._built = {}

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
            Arrays by name: 'in:out', 'hid1:pre', 'hid1:out' and so on. For sequences of different
            lengths, each is a list with an array for each sequence.

        Raises
        ------
        DataError
            If `x` does not fit the network.
        """
        return self._compute(x, output_names(self._nodes), regularizers)

    def predict(self, x: Data, **regularizers: Any) -> Found:
        """Return the network's output for `x`; see `feed_forward` for its form."""
        return self._output(x, 'out', regularizers)

    def stream(self) -> Stream:
        """Return a `Stream`, whose `predict` reads sequences in chunks and keeps their states.

        Raises
        ------
        ConfigurationError
            If the network reads no sequences, or a layer looks at the whole sequence.

        >>> net = kerasnets.recurrent.Classifier([4, (6, 'gru'), 3])
        >>> stream = net.stream()
        >>> [stream.predict(np.ones((1, n, 4))).shape for n in (5, 1, 20)]
        [(1, 5), (1, 1), (1, 20)]
        """
        if self.INPUT_NDIM != 3:
            raise ConfigurationError(
                f'expected a network of sequences for a stream, got a {type(self).__name__} of '
                f'{self.INPUT_NDIM} axes. Use a network of kerasnets.recurrent.'
            )
        return (LabelStream if self.LABELS else Stream)(self._programs)

    def _output(self, x: Data, part: str, regularizers: Any) -> Found:
        """Return one output of the last layer for `x`."""
        if not self._nodes:
            raise ConfigurationError(
                'expected a network with layers, got none. Build it from a list, such as '
                '[10, 20, 3].'
            )
        name = f'{self._nodes[-1].name}:{part}'
        return self._compute(x, [name], regularizers)[name]

    def _compute(
        self, x: Data, names: list[str], regularizers: Any, start: str | None = None
    ) -> Any:
        """Return named outputs for `x`, with the noise and dropout among the regularizers."""
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
        *more: Data,
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
        if more:
            raise DataError(
                f'evaluate: expected one list of arrays, got {1 + len(more)} arguments. '
                'Pass them as one list: [inputs, targets].'
            )
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
            Whether XLA compiles the training. Results with and without XLA differ by rounding;
            at other precisions than float32, random noise differs too. 'auto' adds up the time
            that XLA would have saved in the trainings of this structure in this process, as
            estimated from sizes, and compiles as soon as the sum reaches the time to compile. On
            TensorFlow, which keeps what XLA compiles as long as the process lives, it compiles only
            long trainings after the first 40 programs. JAX always compiles: False is with few
            optimizations, for short trainings.
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
        options = settings.gathered(self.defaults, keywords, train=train, valid=valid, algo=algo)
        train, valid = options.pop('train', None), options.pop('valid', None)
        first, *others = settings.algorithms(options.pop('algo', 'rmsprop'), options)
        run = self._run(train, valid, *first)
        return run if not others else Sequence(run, (self._run(train, valid, *o) for o in others))

    def _run(self, train: Data, valid: Data, algo: Any, keywords: dict[str, Any]) -> Run:
        """Train with one algorithm."""
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
        """Search for a learning rate. The network is unchanged afterwards.

        First, one update is made at each of many rates, from small to large. Then `steps` updates
        are made at each candidate: the rate where the loss fell most steeply, two fractions of
        it, and the default rate. The candidate with the lowest loss is the best.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
        algo : str
        low, high : float
            The smallest and the largest rate.
        steps : int
            Number of rates in the first part, and of updates for each candidate in the second.
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
            The monitors of the parameters that the network kept: of the training epoch after which
            they were kept, and of the validation that chose them. `evaluate` returns the latter
            for the same data.
        """
        start, before = time.perf_counter(), len(self.history)
        run = self.itertrain(train, valid, algo, **keywords)
        run.each = False
        for _ in run:
            pass
        options = {**self.defaults, **keywords}
        advise(self.history[before:], algo or options.get('algo'), options)
        seconds = time.perf_counter() - start
        return Trained.of(run.kept, len(self.history) - before, seconds)

    # Symbols

    @property
    def variables(self) -> list[Tensor]:
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self._models.variables

    def build_graph(
        self, regularizers: Any = MappingProxyType({})
    ) -> tuple[dict[str, Tensor], list[Any]]:
        """Connect the layers.

        Parameters
        ----------
        regularizers : dict or sequence of Regularizer

        Returns
        -------
        outputs : dict of str to KerasTensor
            Every output by name: 'in:out', 'hid1:pre', 'hid1:out', …
        updates : list
            Empty: Keras layers update their own state when they are called.
        """
        if not isinstance(regularizers, Mapping):
            regularizers = {'regularizers': list(regularizers)}
        names = output_names(self.nodes)
        return self._models.outputs(names, build_regularizers(regularizers)), self.updates()

    def loss(self, **regularizers: Any) -> Tensor:
        """Return the loss as a symbolic scalar over `variables`.

        >>> net = kerasnets.Classifier([4, 3])
        >>> f = keras.Function(net.variables, net.loss())
        >>> x, y = np.zeros((2, 4), 'f'), np.zeros(2, 'i')
        >>> round(float(f([x, y])), 4)
        1.0986
        """
        return backend.readable(self._graph(regularizers).loss)

    def monitors(self, monitors: Any = None, **regularizers: Any) -> list[tuple[str, Tensor]]:
        """Return (name, KerasTensor) pairs of the monitors, without the loss.

        >>> net = kerasnets.Regressor([4, 5, 3])
        >>> [name for name, _ in net.monitors(monitors={'hid1:out': (0.1, 0.9)})]
        ['err', 'hid1:out<0.1', 'hid1:out<0.9']
        """
        monitored, _ = monitoring.build(monitors)
        graph = self._graph(regularizers, monitored)
        pairs = {'err': graph.err, **{name: mean for name, (mean, _) in graph.monitors.items()}}
        return [(name, backend.readable(tensor)) for name, tensor in pairs.items()]

    def updates(self, **regularizers: Any) -> list[Any]:
        """Return an empty list: Keras layers update their own state, see `build_graph`."""
        build_regularizers(regularizers)  # for the errors
        return []

    def _graph(self, regularizers: Any, monitors: Any = ()) -> Graph:
        built = build_regularizers(regularizers)
        return self._models.graph(extras=Extras(built, noisy=True, monitors=monitors))

    # Files

    def save(self, filename_or_handle: File) -> None:
        """Write the network to a ``.keras`` or ``.h5`` file that plain Keras opens.

        An existing file is replaced only after the new one is complete and on disk.

        Parameters
        ----------
        filename_or_handle : str, path or binary file
            Ending in ``.keras``, ``.h5`` or, for the parameters alone, ``.weights.h5``. An open
            file gets the ``.keras`` format, and so does a path that ends otherwise, with a warning.

        Raises
        ------
        FileError
        """
        keras_files.save(self, filename_or_handle)

    def export(self, path: Path) -> None:
        """Write the network for inference without Keras: what `predict` computes.

        Parameters
        ----------
        path : str or path
            A folder, given without a suffix, for a SavedModel of TensorFlow; or a file ending
            in ``.onnx`` (needs ``pip install 'kerasnets[onnx]'``) or ``.tflite`` (LiteRT; of
            recurrent layers Keras makes what its runtime runs with the Flex delegate alone).
            Inputs are arrays of values, of labels only if the network's input is of integers.

        Raises
        ------
        FileError
            For another suffix, or where it cannot be written.
        ConfigurationError
            If the backend does not make a format, or what it needs is not installed.
        """
        export.export(self, path)

    @classmethod
    def from_keras(cls, model: KerasModel, loss: LossLike = None, **kwargs: Any) -> Self:
        """Build a network over the layers of a Keras model, which both then share.

        Parameters
        ----------
        model : keras.Model
            Sequential or functional, and built.
        loss : str, dict or Loss, optional
            Default: that of the class.

        Raises
        ------
        ConfigurationError
            For a model that is no graph of layers.

        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, 'softmax')])
        >>> kerasnets.Classifier.from_keras(model).predict(np.zeros((2, 4))).shape
        (2,)
        """
        made: Any = cls
        net = made(**kwargs) if loss is None else made(loss=loss, **kwargs)
        net.adopt(adopt(keras_models.specs_of(model), model), model)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the network as the bytes of its file, with what no file holds."""
        handle = io.BytesIO()
        keras_files.save(self, handle)
        state = {'rng': copy.deepcopy(self.rng), 'history': copy.copy(self.history)}
        state['losses'] = list(self.losses)
        return _revived, (type(self), handle.getvalue()), state

    @_OnBoth
    def load(
        self: Any,
        filename_or_handle: File,
        max_params: int | None = None,
        max_values: int | None = None,
    ) -> Any:
        """Read a network that `save` wrote, a model that Keras saved, or a pickle of theanets.

        Called on a network, it sets the parameters of that one, which must have the same layers.

        Nothing in a file is executed: see `policy` and `theanets.safe_unpickler`.

        Parameters
        ----------
        filename_or_handle : str, path or binary file
        max_params : int, optional
            Learnable values that the network may have. Default: as many as the file holds.
        max_values : int, optional
            Values that a layer may make of one example. Default: 2²⁷.

        Raises
        ------
        FileError
            If the file holds no network, or one of another class, or asks for what no network
            needs.
        """
        if isinstance(self, type):
            return keras_files.load(filename_or_handle, self, max_params, max_values)
        found = keras_files.load(filename_or_handle, type(self), max_params, max_values)
        _take(self, found.params)
        return self

    def load_weights(self, filename_or_handle: File) -> None:
        """Set the parameters to those of a file of the same layers, ``.weights.h5`` or any other.

        Raises
        ------
        FileError
            Naming a weight and both shapes, if they differ. The parameters are then as before.
        """
        keras_files.load_weights(self, filename_or_handle)

    # Parts

    @property
    def data_spec(self) -> DataSpec:
        """The specification of the data that the network accepts."""
        return self._models.data_spec

    def _over(self, nodes: list[Node], losses: list[Loss], plain: bool) -> Network:
        """Return a network over other nodes, some of them shared with this one.

        It is a plain `Network` if `plain` is true, otherwise of this network's class.
        """
        made = Network(rng=self.rng) if plain else type(self)(loss=None, rng=self.rng)
        made.INPUT_NDIM = self.INPUT_NDIM
        made.adopt(nodes, None)
        made.losses = losses
        return made

    @property
    def _models(self) -> Models:
        if 'models' not in self._built:
            self._built['models'] = Models(
                self._nodes,
                self.model,
                self.losses,
                self._monitors,
                self.takes_labels,
                self.time_major,
            )
        return self._built['models']

    @property
    def _trainable(self) -> Trainable:
        if 'trainable' not in self._built:
            self._built['trainable'] = Trainable(self._models, self._programs)
        return self._built['trainable']

    @property
    def _programs(self) -> Programs:
        if 'programs' not in self._built:
            self._built['programs'] = Programs(self._models)
        return self._built['programs']

    def _monitors(
        self, loss: Loss, output: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> dict[str, Any]:
        """Return further monitors: name -> (mean, mass)."""
        return {}


def load(
    filename_or_handle: File, max_params: int | None = None, max_values: int | None = None
) -> Network:
    """Read a network of any class from a file that `Network.save`, Keras or theanets wrote.

    Parameters
    ----------
    filename_or_handle : str, path or binary file
    max_params : int, optional
        Learnable values that the network may have. Default: as many as the file holds.
    max_values : int, optional
        Values that a layer may make of one example. Default: 2²⁷.

    Returns
    -------
    Network
        Of the class that was saved.

    Raises
    ------
    FileError
        If there is no such file, it holds no network, or it asks for what no network needs.
    """
    return Network.load(filename_or_handle, max_params, max_values)


def _take(net: Any, params: Any) -> None:
    """Set the parameters of a network to those of another one of the same layers."""
    own = [(p.name.split('.')[-1], p.shape) for p in net.params]
    held = [(p.name.split('.')[-1], p.shape) for p in params]
    if own != held:
        raise FileError(
            f'expected the parameters of this network, {_named(own)}; the file has {_named(held)}. '
            'Call load() of the class, which makes a network of any layers.'
        )
    for mine, param in zip(net.params, params):
        mine.set_value(param.get_value())


def _named(params: Any) -> str:
    return ', '.join(f'{name} {shape}' for name, shape in params)


def _revived(cls: Any, content: bytes) -> Any:
    """Return a network from the bytes of its file."""
    return cls.load(io.BytesIO(content))


for _method in (Network.itertrain, Network.train):
    vars(_method)['__signature__'] = settings.signature(_method)
