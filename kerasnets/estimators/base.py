"""The base of the estimators: parameters and training."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import base
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from kerasnets import optimizers, regularizers
from kerasnets.errors import ConfigurationError, DataError, check_known, fraction, stacklevel
from kerasnets.estimators.inputs import Inputs
from kerasnets.training import settings
from kerasnets.training.settings import Settings
from kerasnets.typing import Data

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Parameters that are no keywords of training; the rest is handed on.
OWN = {
    'layers': (100,),
    'loss': None,
    'algo': 'adam',
    'validation_fraction': 0.0,
    'random_state': 13,
}

#: Keywords of training that have another default here, as scikit-learn's own networks have.
OTHER = {'epochs': 200, 'learning_rate': 1e-3, 'verbose': 0}

#: Keywords of Keras' and scikit-learn's estimators -> what to write here.
WORDS = {
    **settings.WORDS,
    'validation_split': 'Write validation_fraction=.',
    **dict.fromkeys(('rng', 'seed'), 'Write random_state=.'),
    'activation': "Write it in the layers, such as layers=[(100, 'tanh')].",
    **dict.fromkeys(
        ('hidden_layer_sizes', 'hidden_layers', 'units'), 'Write layers=, such as layers=[100].'
    ),
    **dict.fromkeys(
        ('validation_data', 'valid', 'valid_data', 'val_data', 'eval_set'),
        'Write validation_fraction=: fit(X, y) holds out that part of the rows.',
    ),
    **dict.fromkeys(
        ('sample_weight', 'weights', 'sample_weights'),
        'Write it in fit(X, y, sample_weight=...).',
    ),
    **dict.fromkeys(
        ('input_shape', 'input_dim', 'n_inputs'), 'Leave it out: fit(X, y) takes it from X.'
    ),
    **dict.fromkeys(('cost', 'criterion'), 'Write loss=.'),
    'warm_start': 'Leave it out: partial_fit(X, y) goes on from the current parameters.',
    'shuffle': 'Leave it out: rows are shuffled in each epoch.',
    **dict.fromkeys(
        ('early_stopping', 'early_stop'),
        'Write validation_fraction=0.1, and patience=, the validations without improvement.',
    ),
    **dict.fromkeys(('x', 'y', 'X', 'data'), 'Pass the arrays to fit(X, y).'),
}


def _training() -> Any:
    """Keyword of training -> its default; None where the algorithm or nothing decides."""
    usual = {f.name: f.default for f in dataclasses.fields(Settings)}
    kinds = [*optimizers.ALGORITHMS, 'adamw', 'muon']
    options = dict.fromkeys(sorted({k for kind in kinds for k in optimizers.keywords(kind)}))
    more = dict.fromkeys(regularizers.names())
    del usual['compat']
    return {**usual, 'callbacks': None, **OTHER, **options, **more}


def _signature(**defaults: Any) -> Any:
    """Return a constructor's signature, from which scikit-learn reads the parameters."""
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter('self', kinds[0]),
            *(
                inspect.Parameter(name, kinds[name != 'layers'], default=default)
                for name, default in {**OWN, **_training(), **defaults}.items()
            ),
        ]
    )


def constructor(**defaults: Any) -> Callable[..., None]:
    """Return an ``__init__`` that keeps each parameter as it is, as scikit-learn wants it."""
    signature = _signature(**defaults)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        check_known(kwargs, signature.parameters, f'keyword of {type(self).__name__}', WORDS)
        if len(args) > 1:
            raise ConfigurationError(
                f'expected layers as the only argument without a name, got {args[1]!r}, too. Write '
                "the names of the others, such as algo='adam'."
            )
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        vars(self).update({k: v for k, v in bound.arguments.items() if k != 'self'})

    vars(init)['__signature__'] = signature
    return init


def classes_of(y: Any) -> Any:
    """Return the different classes; raise DataError for only one."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise DataError(
            f'expected two classes or more, got one class, {classes.tolist()[0]!r}. '
            'Add examples of another.'
        )
    return classes


class Estimator(Inputs, base.BaseEstimator):
    """Base class of the estimators.

    Parameters
    ----------
    layers : sequence
        The hidden layers, entries of the language of layers.
    loss : str, dict or Loss, optional
        Default: that of the network.
    algo : str or keras.optimizers.Optimizer
    validation_fraction : float
        Of the examples, to validate with: training ends when `patience` with them runs out, and
        the parameters of the best validation stay. At 0 the training loss is watched.
    random_state : int, numpy RandomState or None
    **training
        Every other keyword of `Network.itertrain`.

    Attributes
    ----------
    net_ : Network
    n_iter_ : int
        Epochs of training.
    loss_curve_ : list of float
        The training loss of each epoch.
    """

    KIND: Any = None  # of Network

    def _build(self, sizes: Any, weighted: bool) -> None:
        """Build the network."""
        loss = {} if self.loss is None else {'loss': self.loss}
        hidden = self._hidden()
        if len(hidden) > 2 and (hidden[0], hidden[-1]) == tuple(sizes):
            warnings.warn(
                f'layers={hidden} are hidden layers between {sizes[0]} inputs and {sizes[1]} '
                'outputs. Remove the first and the last entry if they stand for these.',
                stacklevel=stacklevel(),
            )
        entries = [sizes[0], *hidden, sizes[1]]
        self.net_ = self.KIND(entries, weighted=weighted, rng=self._seed(), **loss)

    def _seed(self) -> int:
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31)
        return int(seed)

    def _hidden(self) -> Any:
        if isinstance(self.layers, (str, dict)) or not hasattr(self.layers, '__iter__'):
            raise ConfigurationError(
                f'expected layers as a list of the hidden layers, got {self.layers!r}. Try [100].'
            )
        return list(self.layers)

    def _keywords(self, **changes: Any) -> dict[str, Any]:
        """Return the keywords of training that are set."""
        defaults = _training()
        chosen = {name: getattr(self, name) for name in defaults}
        given = {k: v for k, v in {**chosen, **changes}.items() if v is not None}
        return given if self.algo is None else {**given, 'algo': self.algo}

    def _train(self, data: Data, stratify: Any = None, **changes: Any) -> Self:
        """Train `net_` on a list of arrays, some of them held out if that is asked for."""
        at = fraction(self.validation_fraction or 0.0, 'validation_fraction')
        valid = None
        if at:
            rows = np.arange(len(data[0]))
            seed = int(self.net_.rng.integers(2**31))
            rows, held = train_test_split(rows, test_size=at, random_state=seed, stratify=stratify)
            data, valid = ([_rows(part, some) for part in data] for some in (rows, held))
        return self._run((data, valid), **changes)

    def _run(self, data: Any, **changes: Any) -> Self:
        """Train `net_` on training and validation data, and keep what it reports."""
        before = len(self.net_.history)
        self.net_.train(*data, **self._keywords(**changes))
        self.loss_curve_ = [row['loss'] for row in self.net_.history]
        self.n_iter_ = len(self.net_.history) - before
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, 'net_')

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, x: Data) -> Any:
        """Return checked inputs for a fitted estimator."""
        check_is_fitted(self)
        return self._inputs(x)


def _rows(part: Any, rows: Any) -> Any:
    return [part[i] for i in rows] if isinstance(part, list) else part[rows]


def weights_of(sample_weight: Data, x: Data) -> Any:
    """Sample weights as an array, or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Real):
        return np.full(x.shape[0], float(sample_weight))
    sample_weight = check_array(sample_weight, ensure_2d=False, dtype='float64')
    check_consistent_length(sample_weight, x)
    if sample_weight.ndim != 1:
        raise DataError(
            f'expected sample_weight of one axis, got {sample_weight.shape}. Reshape it.'
        )
    if not sample_weight.any():
        raise DataError(
            'sample_weight is zero for all rows. Give at least one row a positive weight.'
        )
    return sample_weight


class Classifying(base.ClassifierMixin):
    """Classes of any kind as labels of 0, 1, … and back."""

    def _balance(self, labels: Sequence[int]) -> Any:
        """Factors for the classes by their labels, from those by their names."""
        if self.class_weight is None:
            return None
        weights = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[labels]
        )
        return dict(enumerate(map(float, weights)))

    def _labels(self, y: Data) -> Any:
        """Return the labels of classes that were seen in training."""
        labels = np.searchsorted(self.classes_, y)
        labels = np.minimum(labels, len(self.classes_) - 1)
        unknown = np.asarray(y)[self.classes_[labels] != y]
        if unknown.size:
            raise DataError(
                f'expected classes of {self.classes_.tolist()}, got {unknown.tolist()[0]!r}. '
                'Name all of them at first: partial_fit(x, y, classes=[...]).'
            )
        return labels
