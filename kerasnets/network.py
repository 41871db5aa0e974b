"""`Network`: layers, losses, and what one does with them."""

from types import MappingProxyType

from kerasnets import saving, training
from kerasnets.errors import ConfigurationError
from kerasnets.losses import Loss
from kerasnets.nodes import output_names
from kerasnets.regularizers import build as build_regularizers
from kerasnets.stack import Stack
from kerasnets.views import Views


class Network(Stack):
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

    Raises
    ------
    ConfigurationError
        For an entry or a keyword that cannot be, naming its place.
    """

    #: The output that the loss compares with; None: an array of the data.
    TARGET = None

    def __init__(self, layers=(), loss=None, weighted=False, rng=13):
        super().__init__(layers, rng)
        self.losses = []
        if loss is not None:
            target = {'target': self.TARGET} if self.TARGET else {}
            self.set_loss(loss, weighted=weighted, **target)

    # What it is trained for

    @property
    def variables(self):
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self._views.variables

    def add_loss(self, loss=None, **kwargs):
        """Add a loss: a name, a dict with ``form``, or a Loss, with keywords of `Loss`."""
        if loss is None:
            loss = kwargs.pop('form', None)
        self.losses = [*self.losses, Loss.build(loss, **kwargs)]
        self._made = None

    def set_loss(self, *args, **kwargs):
        """Put a loss in the place of all others. Takes what `add_loss` takes."""
        before, self.losses = self.losses, []
        try:
            self.add_loss(*args, **kwargs)
        except ConfigurationError:
            self.losses = before
            raise

    # What it computes, as symbols

    def build_graph(self, regularizers=MappingProxyType({})):
        """Connect the layers.

        Returns
        -------
        outputs : dict of str to KerasTensor
            Every output by name: 'in:out', 'hid1:pre', 'hid1:out', …
        updates : list
            Empty: Keras layers update their own state when they are called.
        """
        build_regularizers(regularizers)  # they change the loss alone
        names = output_names(self._nodes)
        return self._views.outputs(names), self.updates()

    def loss(self, **regularizers):
        """The loss as a symbolic scalar over `variables`.

        >>> net = kerasnets.Classifier([4, 3])
        >>> f = keras.Function(net.variables, net.loss())
        >>> x, y = np.zeros((2, 4), 'f'), np.zeros(2, 'i')
        >>> round(float(f([x, y])), 4)
        1.0986
        """
        return self._views.graph(regularizers=build_regularizers(regularizers)).loss

    def monitors(self, **regularizers):
        """(name, KerasTensor) pairs of what is watched in training, beside the loss."""
        graph = self._views.graph(regularizers=build_regularizers(regularizers))
        return [('err', graph.err), *((name, mean) for name, (mean, _) in graph.monitors.items())]

    def updates(self, **regularizers):
        """Pairs of (variable, new value) beyond the gradient's: none, see `build_graph`."""
        build_regularizers(regularizers)  # they change the loss alone
        return []

    # What one does with it

    def feed_forward(self, x, **regularizers):
        """Compute every output of every layer.

        Parameters
        ----------
        x : array (examples, …)

        Returns
        -------
        dict of str to array
            'in:out', 'hid1:pre', 'hid1:out', …

        Raises
        ------
        DataError
            If `x` does not fit the network.
        """
        build_regularizers(regularizers)  # they change the loss alone
        return self._views.compute(x, output_names(self._nodes))

    def predict(self, x, **regularizers):
        """The network's output for `x`, an array (examples, …)."""
        build_regularizers(regularizers)  # they change the loss alone
        return self._output(x, 'out')

    def _output(self, x, part):
        """One output of the last layer for `x`."""
        name = f'{self._nodes[-1].name}:{part}'
        return self._views.compute(x, [name])[name]

    def evaluate(self, data, *, batch_size=1024, **regularizers):
        """Compute the loss and the monitors over data, as training would.

        Parameters
        ----------
        data : list of arrays, callable or tf.data.Dataset
            As for `train`.
        **regularizers
            Penalties, as for `train`: they are added to 'loss', not to 'err'.

        Returns
        -------
        dict of str to float
            With 'loss' and 'err', and 'acc' for a classifier.
        """
        return training.evaluate(self._views, data, batch_size, build_regularizers(regularizers))

    def itertrain(
        self,
        train,
        valid=None,
        algo='rmsprop',
        *,
        epochs=None,
        learning_rate=1e-4,
        batch_size=32,
        train_batches=None,
        valid_batches=None,
        patience=5,
        validate_every=10,
        min_improvement=0.0,
        callbacks=(),
        tensorboard=None,
        verbose='auto',
        **options,
    ):
        """Train, yielding (training, validation) monitors after each epoch.

        A caller may leave at any yield; the network then has the parameters of the moment. At
        the end of training, and after Ctrl-C, it has those of the best validation.

        Parameters
        ----------
        train : list of arrays, callable or tf.data.Dataset
            Inputs, targets and, if the network is weighted, weights. A callable returns a
            batch of them each time.
        valid : the same, optional
            Validated before the first epoch and every `validate_every` epochs. Without it the
            training loss takes the place of the validation's.
        algo : str
            'rmsprop', 'sgd' or 'adam'; its own keywords are those of `optimizers.build`.
        epochs : int, optional
            Default: until `patience` runs out.
        learning_rate : float
        batch_size : int
            Examples in a batch, where the data is arrays.
        train_batches, valid_batches : int, optional
            Batches in an epoch. Default: all of an array, 100 of a callable.
        patience : int
            Validations without progress that are put up with.
        validate_every : int
            Epochs from one validation to the next.
        min_improvement : float
            Fraction of the best loss by which another must be below it to count as progress.
        callbacks : list of keras.callbacks.Callback
            They are given ``net.model``.
        tensorboard : str, dict or TensorBoard, optional
            Where to write logs; a dict holds keywords of `callbacks.TensorBoard`.
        verbose : 'auto', 0 or 1
            1 shows a progress bar; 'auto' does so in a terminal.
        **options
            Keywords of the algorithm, and penalties: ``weight_l2=0.1`` or
            ``hidden_l1=dict(weight=0.1, pattern='hid1:out')``.

        Returns
        -------
        generator of (dict, dict)

        Raises
        ------
        ConfigurationError, DataError
            At once, before any training.
        """
        settings = {k: v for k, v in locals().items() if k not in ('self', 'options')}
        return iter(training.prepare(self, self._views, **settings, **options))

    def train(self, *args, **kwargs):
        """Train until patience or epochs run out. Takes what `itertrain` takes.

        Returns
        -------
        training, validation : dict
            The monitors of the last epoch.
        """
        monitors = {}, {}
        for monitors in self.itertrain(*args, **kwargs):  # noqa: B007
            pass
        return monitors

    def save(self, filename_or_handle):
        """Write the network to a ``.keras`` or ``.h5`` file that plain Keras opens.

        Parameters
        ----------
        filename_or_handle : str, path or binary file
            An open file gets the ``.keras`` format.

        Raises
        ------
        FileError
        """
        saving.save(self, filename_or_handle)

    @classmethod
    def load(cls, filename_or_handle):
        """Read a network that `save` wrote.

        Raises
        ------
        FileError
            If the file holds no network, or one of another class.
        """
        return saving.load(filename_or_handle, cls)

    # Inside

    #: Whether inputs may be given as labels, for the network to spread into one-hot rows.
    takes_labels = False

    @property
    def _views(self):
        if self._made is None:
            self._made = Views(
                self._nodes, self.model, self.losses, self._monitors, self.takes_labels
            )
        return self._made

    def _monitors(self, loss, output, target, weights=None):
        """Quantities to watch beside the loss: name -> (mean, mass)."""
        return {}
