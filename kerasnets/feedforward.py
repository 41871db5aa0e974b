"""Networks that read one vector for each example."""

import warnings

import numpy as np

from kerasnets.data import Slot, fill
from kerasnets.errors import DataError
from kerasnets.network import Network
from kerasnets.regularizers import build as build_regularizers


class Classifier(Network):
    """A network that gives a distribution over labels for each input.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers; the last is the number of classes.
    loss : str, dict or Loss
        'xe', the cross-entropy, or 'hinge'.
    weighted : bool
        Whether the data holds a weight for each label, as a third array.
    rng : int or numpy random generator
        Decides everything that is drawn: weights, shuffling, dropout.

    Inputs have the shape (examples, variables) and labels (examples,).

    >>> net = Classifier([10, (20, 'tanh'), 50])
    >>> inputs = np.random.randn(1000, 10).astype('f')
    >>> labels = np.random.randint(50, size=1000)
    >>> training, validation = net.train([inputs, labels], epochs=1)
    >>> net.predict(inputs[:3]).shape, net.predict_proba(inputs[:3]).shape
    ((3,), (3, 50))
    """

    DEFAULT_OUTPUT_ACTIVATION = 'softmax'
    OUTPUT_NDIM = 1

    def __init__(self, layers=(), loss='xe', weighted=False, rng=13):
        super().__init__(layers, loss=loss, weighted=weighted, rng=rng)

    def predict(self, x, **regularizers):
        """The most probable class of each example.

        Parameters
        ----------
        x : array (examples, variables)

        Returns
        -------
        array (examples,) of int

        Raises
        ------
        DataError
            If `x` does not fit the network.
        """
        return self.predict_proba(x, **regularizers).argmax(axis=-1)

    def classify(self, x, **regularizers):
        """Former name of `predict`."""
        warnings.warn('classify() is now predict()', DeprecationWarning, stacklevel=2)
        return self.predict(x, **regularizers)

    def predict_proba(self, x, **regularizers):
        """The probability of each class: array (examples, classes)."""
        return super().predict(x, **regularizers)

    def predict_logit(self, x, **regularizers):
        """What the softmax of the output is taken of: array (examples, classes).

        Raises
        ------
        ConfigurationError
            If the last layer gives no logits.
        """
        build_regularizers(regularizers)  # they change the loss alone
        return self._output(x, 'pre')

    def score(self, x, y, w=None, **regularizers):
        """The fraction of examples whose label is predicted, weighted by `w` if given.

        Parameters
        ----------
        x : array (examples, variables)
        y : array (examples,) of int
        w : array (examples,), optional

        Returns
        -------
        float

        Raises
        ------
        DataError
            If the data does not fit, or there is nothing to score.
        """
        slots = [s for s in self._views.slots([x]) if s.kind != 'weights'][:2]
        if w is not None:
            slots.append(Slot('weights', slots[-1].shape, 'weights'))
        data = fill(slots, [x, y] if w is None else [x, y, w])
        if not data[1].size:
            raise DataError('expected at least one example to score, got none.')
        if w is not None and not data[2].any():
            raise DataError('weights add up to 0. Give at least one example some weight.')
        right = self.predict(data[0], **regularizers) == data[1]
        return float(np.average(right, weights=None if w is None else data[2]))

    def _monitors(self, loss, output, target, weights=None):
        return {'acc': loss.accuracy(output, target, weights)}
