"""Networks that read one vector for each example."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasnets.data.array_spec import end_to_end
from kerasnets.errors import ConfigurationError, DataError, pick, stacklevel
from kerasnets.layers import activation_of
from kerasnets.losses import Loss, LossLike
from kerasnets.network import Network
from kerasnets.typing import Array, Data, Found, Layers, Seed, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

#: Activations whose values may be negative or above 1.
NO_PROBABILITIES = [
    getattr(keras.activations, name)
    for name in (
        'linear',
        'tanh',
        'relu',
        'elu',
        'gelu',
        'leaky_relu',
        'relu6',
        'selu',
        'silu',
        'softplus',
        'softsign',
    )
]

__all__ = ['Autoencoder', 'Classifier', 'Regressor']


class Regressor(Network):
    """A network that predicts values for each input.

    Parameters
    ----------
    layers : sequence
        Entries of the language of layers; the last is the number of values.
    loss : str, dict or Loss
        'mse', 'mae' or 'mmd'.
    weighted : bool
        Whether the data holds a weight for each value, as a third array.
    rng : int or numpy random generator
    **keywords
        As for `Network`.

    Inputs have the shape (examples, variables), targets and weights (examples, values).

    >>> net = Regressor([4, (6, 'tanh'), 2])
    >>> x = np.random.randn(100, 4)
    >>> training, validation = net.train([x, x[:, :2] ** 2], epochs=1)
    >>> net.predict(x).shape
    (100, 2)
    """

    def __init__(
        self,
        layers: Layers = (),
        loss: LossLike = 'mse',
        weighted: bool = False,
        rng: Seed = 13,
        **keywords: Any,
    ) -> None:
        super().__init__(layers, loss=loss, weighted=weighted, rng=rng, **keywords)
        _warn_without_probabilities(self)

    def score(self, x: Data, y: Data, w: Data | None = None, **regularizers: Any) -> float:
        """Return the coefficient of determination, R², as scikit-learn defines it.

        1 - Σw(y - p)²/Σw(y - ȳ)² of each output, then their mean. Steps of sequences count as
        examples. An output that never changes counts 1 if it is met exactly, else 0.

        Parameters
        ----------
        x : array (examples, variables)
        y : array (examples, values)
        w : array (examples, values) or (examples,), optional

        Returns
        -------
        float
        """
        y, w = self.data_spec.to_score(Loss('mse'), x, y, w)
        p = end_to_end(self.predict(x, **regularizers))
        w = np.reshape(w, w.shape + (1,) * (p.ndim - w.ndim))
        counts = self._steps_that_count(x)
        if counts is not None:
            w = w * end_to_end(counts)[..., None]
        return _r2(y.astype('d'), p.astype('d'), np.broadcast_to(w, p.shape))


class Autoencoder(Regressor):
    """A network that reproduces its inputs.

    Parameters
    ----------
    layers, loss, weighted, rng, **keywords
        As for `Regressor`; the last layer is of the size of the first. With ``tied_weights=True``
        the layers after the middle one share the weights of those before it.

    Data is inputs alone, and weights of the same shape if the network is weighted.

    >>> net = Autoencoder([4, (2, 'tanh'), 4])
    >>> x = np.random.randn(100, 4)
    >>> training, validation = net.train([x], epochs=1)
    >>> net.encode(x).shape, net.decode(net.encode(x)).shape
    ((100, 2), (100, 4))
    """

    TARGET = 'in:out'

    def __init__(
        self,
        layers: Layers = (),
        loss: Any = 'mse',
        weighted: bool = False,
        rng: Seed = 13,
        **keywords: Any,
    ) -> None:
        super().__init__(layers, loss, weighted, rng, **keywords)
        if self._nodes:
            first, last = self._nodes[0].output.shape[-1], self._nodes[-1].output.shape[-1]
            if None not in (first, last) and first != last and self.losses[0].target == 'in:out':
                raise ConfigurationError(
                    f'an autoencoder gives its inputs back: expected {first} values from the last '
                    f'layer, {self._nodes[-1].spec.entry!r}, as the inputs have, got {last}. '
                    f'Add an output of {first}, such as [{first}, {last}, {first}].'
                )

    def encode(
        self, x: Data, layer: KerasLayer | None = None, sample: bool = False, **regularizers: Any
    ) -> Found:
        """Return the output of a hidden layer for some inputs.

        Parameters
        ----------
        x : array (examples, variables)
        layer : str or int, optional
            Name or place of the layer. Default: the one in the middle.
        sample : bool
            Draw a 0 or a 1 for each value, which is taken for the probability of a 1.

        Returns
        -------
        array (examples, units)
        """
        name = f'{self._layer_name(layer)}:out'
        codes = self._compute(x, [name], regularizers)[name]
        return (self.rng.random(codes.shape) < codes).astype(codes.dtype) if sample else codes

    def decode(self, z: Data, layer: KerasLayer | None = None, **regularizers: Any) -> Found:
        """Return the network's output for the output of a hidden layer.

        Parameters
        ----------
        z : array (examples, units)
        layer : str or int, optional
            Name or place of the layer. Default: the one in the middle.

        Returns
        -------
        array (examples, variables)
        """
        name = f'{self._nodes[-1].name}:out'
        return self._compute(z, [name], regularizers, start=self._layer_name(layer))[name]

    def score(  # type: ignore[override]  # the inputs are the target
        self, x: Data, w: Data | None = None, **regularizers: Any
    ) -> float:
        """Return R² of the reproduced inputs; see `Regressor.score`."""
        if w is not None and (w is x or np.array_equal(w, x)):
            raise DataError(
                'expected w as weights, got the inputs again, which are the target already. '
                'Leave out the second argument.'
            )
        return super().score(x, x, w, **regularizers)

    def _layer_name(self, layer: KerasLayer) -> str:
        names = [node.name for node in self._nodes]
        return pick(
            dict(zip(names, names)),
            len(names) // 2 if layer is None else layer,
            'the network has no layer',
        )


def _warn_without_probabilities(net: Network) -> None:
    """Warn of an activation of the last layer whose outputs are no probabilities."""
    read = [one.output_name for one in net.losses if one.kind.logits] if net.specs else []
    last = net._nodes[-1] if net._nodes else None
    if last is None or not {None, last.name, f'{last.name}:out'} & {*read}:
        return
    activation: Any = activation_of(last.layer)
    if activation in NO_PROBABILITIES:
        warnings.warn(
            f'the last layer, {last.spec.entry!r}, has the activation {activation.__name__!r}, '
            'so its outputs are no probabilities. If it is a hidden layer, add the output, '
            'the number of classes; else make it softmax.',
            stacklevel=stacklevel(),
        )


def _r2(y: Array, p: Array, w: Array) -> float:
    """Return R² of each output, averaged."""
    y, p, w = (a.reshape(-1, a.shape[-1]) for a in (y, p, w))
    if not (w.sum(0) > 0).all():
        raise DataError('weights add up to 0. Give at least one example a positive weight.')
    left = (w * (y - p) ** 2).sum(0)
    spread = (w * (y - np.average(y, axis=0, weights=w)) ** 2).sum(0)
    still = spread == 0
    return float(np.where(still, left == 0, 1 - left / np.where(still, 1, spread)).mean())


class Classifier(Network):
    """A network that predicts a distribution over labels for each input.

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
    class_names : sequence, optional
        The classes that the labels stand for; they are kept in files.
    **keywords
        As for `Network`.

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
    LABELS = True

    def __init__(
        self,
        layers: Layers = (),
        loss: LossLike = 'xe',
        weighted: bool = False,
        rng: Seed = 13,
        class_names: Sequence[Any] | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(layers, loss=loss, weighted=weighted, rng=rng, **keywords)
        _warn_without_probabilities(self)
        self.class_names = None if class_names is None else list(class_names)
        classes = self._nodes[-1].output.shape[-1] if self._nodes else None
        if class_names is not None and classes not in (None, len(class_names)):
            raise ConfigurationError(
                f'expected class_names of {classes} classes, the size of the last layer, got '
                f'{len(class_names)}: {self.class_names!r:.60}. '
                'Pass one name for each class.'
            )

    def predict(self, x: Data, names: bool = False, **regularizers: Any) -> Found:
        """Return the most probable class of each example.

        Parameters
        ----------
        x : array (examples, variables)
        names : bool
            Give the names of the classes, instead of their labels.

        Returns
        -------
        array (examples,) of int, or of names

        Raises
        ------
        DataError
            If `x` does not fit the network.
        """
        if names and self.class_names is None:
            raise ConfigurationError(
                'names: expected a network with class_names, got one without. Make it with '
                'class_names=, as kerasnets.util.encode_labels gives them.'
            )
        known = np.array(self.class_names) if names else None
        p = self.predict_proba(x, **regularizers)
        found = [q.argmax(axis=-1) for q in (p if isinstance(p, list) else [p])]
        found = found if known is None else [known[labels] for labels in found]
        return found if isinstance(p, list) else found[0]

    def predict_proba(self, x: Data, **regularizers: Any) -> Found:
        """Return the probability of each class: array (examples, classes)."""
        return super().predict(x, **regularizers)

    def predict_logit(self, x: Data, **regularizers: Any) -> Found:
        """Return the logits, the inputs of the output's softmax: array (examples, classes).

        Raises
        ------
        ConfigurationError
            If the last layer gives no logits.
        """
        return self._output(x, 'pre', regularizers)

    def score(self, x: Data, y: Data, w: Data | None = None, **regularizers: Any) -> float:
        """Return the fraction of labels predicted correctly, weighted by `w` if passed.

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
        y, w = self.data_spec.to_score(Loss('xe'), x, y, w)
        right = end_to_end(self.predict(x, **regularizers)) == y
        counts = self._steps_that_count(x)
        if counts is not None:
            w = w * end_to_end(counts)
        return float(np.average(right, weights=np.broadcast_to(w, y.shape)))

    def _monitors(
        self, loss: Loss, output: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> dict[str, Any]:
        return {'acc': loss.accuracy(output, target, weights)}
