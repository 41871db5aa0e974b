"""Networks that read sequences of vectors, and text as such a sequence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kerasnets import feedforward
from kerasnets.data.array_spec import end_to_end
from kerasnets.errors import ConfigurationError, DataError
from kerasnets.graph.nodes import full_name
from kerasnets.losses import LossLike
from kerasnets.sampling import explained
from kerasnets.sampling.forecaster import Forecaster, check_feedback
from kerasnets.sampling.sampler import Sampler
from kerasnets.text import Text, batches
from kerasnets.typing import Array, Data, Layers, Monitors, Seed

__all__ = ['Autoencoder', 'Classifier', 'Regressor', 'Text', 'batches']


class Regressor(feedforward.Regressor):
    """A network that predicts values at each step of a sequence.

    Parameters
    ----------
    layers, loss, weighted, rng, **keywords
        As for `feedforward.Regressor`.
    feedback : list of int or str, optional
        The columns of the inputs that the outputs become in `predict_sequence`, in the order of
        the outputs: indices, or names of the columns of a DataFrame. Default: all of them.
    time_major : bool
        Whether arrays have time as their first axis, as in theanets before 0.7.

    Inputs have the shape (examples, time, variables), targets and weights (examples, time,
    values).

    >>> net = Regressor([4, (6, 'lstm'), 2])
    >>> x = np.random.randn(10, 7, 4)
    >>> training, validation = net.train([x, x[:, :, :2]], epochs=1)
    >>> net.predict(x).shape
    (10, 7, 2)
    """

    INPUT_NDIM = 3
    OUTPUT_NDIM = 3

    def __init__(
        self,
        layers: Layers = (),
        loss: LossLike = 'mse',
        weighted: bool = False,
        rng: Seed = 13,
        feedback: Any = None,
        **keywords: Any,
    ) -> None:
        super().__init__(layers, loss=loss, weighted=weighted, rng=rng, **keywords)
        self.feedback: Any = feedback
        if feedback is not None and self._nodes:
            sizes = (self._nodes[i].output.shape[-1] for i in (0, -1))
            self.feedback = check_feedback(feedback, *sizes)

    def predict_sequence(
        self,
        seed: Data,
        steps: int,
        streams: int = 1,
        rng: Seed = None,
        future: Data | None = None,
        temperature: float = 1.0,
    ) -> Array:
        """Forecast: predict the next step of a sequence, read the prediction, and so on.

        The network is one that predicts the step after each: trained with ``[x[:, :-1],
        x[:, 1:]]``. The seed is read once; every further step takes the same time.

        Parameters
        ----------
        seed : array (time, variables) or (series, time, variables), or DataFrame
            What came before.
        steps : int
            Steps to predict.
        streams : int
            Forecasts of each series. They differ where the loss is 'gll': each value is drawn
            from the Gaussian that the network predicts, and read as it was drawn.
        rng : int or numpy random generator, optional
            One seed gives one forecast. Default: another one each time.
        future : array (steps, columns) or (series, steps, columns), or DataFrame, optional
            The inputs that are known ahead: the columns that `feedback` does not name, a row for
            each step of the forecast. The network reads the row of a step, with the prediction for
            it, to predict the step after.
        temperature : float
            The standard deviations are multiplied by it. At 0 the means are taken.

        Returns
        -------
        array (steps, values)
            With an axis for the streams before that of the steps where there are several, and one
            for the series before that where the seed has one.

        Raises
        ------
        ConfigurationError
            If a layer looks at the whole sequence, or the outputs are no inputs.
        DataError
            For a seed or a future that does not fit.

        >>> net = Regressor([3, (6, 'gru'), 1], feedback=[0])
        >>> net.predict_sequence(np.zeros((20, 3)), 12, future=np.ones((12, 2))).shape
        (12, 1)
        """
        if 'forecaster' not in self._built:
            given = [loss for loss in self.losses if loss.covar_name is not None]
            names = (given[0].output_name, given[0].covar_name) if given else (None, None)
            mean = full_name(self._nodes, names[0]).split(':')[0]
            variance = names[1] and names[1].split(':')[0]
            self._built['forecaster'] = Forecaster(self._programs, mean, variance, self.feedback)
        forecaster = self._built['forecaster']
        return forecaster.predict(seed, steps, streams, rng, future, temperature)


class Autoencoder(feedforward.Autoencoder):
    """A network that reproduces sequences. Parameters are those of `feedforward.Autoencoder`.

    >>> net = Autoencoder([4, (2, 'rnn', 'tanh'), 4])
    >>> net.encode(np.random.randn(10, 7, 4)).shape
    (10, 7, 2)
    """

    INPUT_NDIM = 3
    OUTPUT_NDIM = 3


class Classifier(feedforward.Classifier):
    """A network that predicts a distribution over labels at each step of a sequence.

    Parameters
    ----------
    layers, loss, weighted, rng, **keywords
        As for `feedforward.Classifier`, and `time_major` as for `Regressor`.
    text : Text, optional
        The alphabet that the labels stand for. It is saved with the network.

    Inputs have the shape (examples, time, variables), labels and weights (examples, time).
    Inputs may be labels too, (examples, time) of int, and stand for one-hot rows. A network
    whose last recurrent layer has ``return_sequences=False`` has one label for each example.

    >>> net = Classifier([10, (20, 'rnn'), 50])
    >>> inputs = np.random.randn(100, 15, 10).astype('f')
    >>> labels = np.random.randint(50, size=(100, 15))
    >>> training, validation = net.train([inputs, labels], epochs=1)
    >>> net.predict(np.random.randn(3, 40, 10)).shape
    (3, 40)
    """

    INPUT_NDIM = 3
    OUTPUT_NDIM = 2
    takes_labels = True

    def __init__(
        self,
        layers: Layers = (),
        loss: LossLike = 'xe',
        weighted: bool = False,
        rng: Seed = 13,
        text: Text | None = None,
        **keywords: Any,
    ) -> None:
        if text is not None and not isinstance(text, Text):
            raise ConfigurationError(f'expected text as a Text, got {text!r}. Try text=Text(str).')
        super().__init__(layers, loss=loss, weighted=weighted, rng=rng, **keywords)
        self.text = text

    def predict_sequence(
        self,
        labels: Iterable[int],
        steps: int,
        streams: int = 1,
        rng: Seed = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: Any = None,
        repetition_penalty: float = 1.0,
        return_log_probs: bool = False,
    ) -> Iterator[Any]:
        """Continue a sequence from a seed, reading each label that was drawn.

        The seed is read once; every further step takes the same time.

        Parameters
        ----------
        labels : list of int
            The seed, at least one label.
        steps : int
            Labels to draw.
        streams : int
            Sequences to draw side by side, all from the same seed.
        rng : int or numpy random generator, optional
            One seed gives one sequence. Default: another one each time.
        temperature : float
            The logits are divided by it. At 0 the most probable label is taken.
        top_k : int, optional
            Draw among this many of the most probable labels.
        top_p : float, optional
            Draw among the fewest labels that hold this much of the probability.
        stop : int, str or list of int, optional
            A stream ends with this label, with these labels in a row, or with this text.
        repetition_penalty : float
            Logits of labels that were there are divided by it, or multiplied where they are
            negative: above 1 they become less probable.
        return_log_probs : bool
            Give (label, log p) instead of the label alone, p being the probability that the
            network gives it, before temperature and all that follows.

        Returns
        -------
        generator
            Of an int for each step, or of a list of int if there are several streams, with None
            for those that have ended.

        Raises
        ------
        ConfigurationError
            If the network cannot write: a layer looks at the whole sequence, or the output
            is not the alphabet of the input.
        DataError
            For a seed that is empty or outside the alphabet.

        >>> net = Classifier([5, (8, 'rnn'), 5])
        >>> len(list(net.predict_sequence([0, 1], 10, rng=1)))
        10
        """
        if isinstance(stop, str):
            if self.text is None:
                raise ConfigurationError(
                    f'expected stop as labels, got {stop!r}: the network has no alphabet. Make '
                    'it with text=Text(...).'
                )
            stop = self.text.encode(stop)
        how = temperature, top_k, top_p, stop, repetition_penalty, return_log_probs
        return self._sampler().sample(labels, steps, streams, rng, *how)

    def evaluate(self, data: Data, *more: Data, **keywords: Any) -> Monitors:
        """Compute the loss and the monitors over data; see `Network.evaluate`.

        A network with a text also gives 'bits', the bits per character, by which networks with
        other tokens compare: -log2 p of the labels over the characters that they stand for.

        >>> text = Text('abcabcabc')
        >>> net = Classifier([4, (5, 'rnn'), 4], text=text)
        >>> sorted(net.evaluate(text.sequences(4)))
        ['acc', 'bits', 'err', 'loss']
        """
        found = super().evaluate(data, *more, **keywords)
        if self.text is None or len(self.losses) != 1 or self.losses[0].form != 'xe':
            return found
        arrays = isinstance(data, (list, tuple)) and len(data) == 2
        labels = np.asarray(end_to_end(data[1])) if arrays else self.text.labels
        characters = self.text.lengths[labels].sum() if labels.size else 0
        if characters:
            found['bits'] = found['err'] / math.log(2) * labels.size / float(characters)
        return found

    def explain_text(self, text: str) -> explained.Explained:
        """Compute the probability of each character, or token, of a text given those before it.

        Returns
        -------
        Explained
            With ``probabilities`` and ``bits``; ``show()`` prints it in colours, ``html()`` gives
            it as HTML, which a notebook shows by itself.

        Raises
        ------
        DataError
            If the network has no alphabet, or there are under two characters.

        >>> net = Classifier([4, (5, 'rnn'), 4], text=Text('abcabc'))
        >>> net.explain_text('abca').probabilities.shape
        (4,)
        """
        return explained.explain(self, text)

    def score_text(self, text: str | Text) -> dict[str, float]:
        """Measure how well a text is predicted, each label from several hundred before it.

        Parameters
        ----------
        text : str, or a Text of the same vocabulary

        Returns
        -------
        dict
            'characters' and 'labels' that were predicted, 'bits' per character, and 'acc', the
            fraction of labels that were the most probable.

        Raises
        ------
        DataError
            If the network has no alphabet, or there are under two labels.

        >>> net = Classifier([4, (5, 'rnn'), 4], text=Text('abcabc'))
        >>> net.score_text('abca')['characters']
        3
        """
        if self.text is None:
            raise DataError('the network has no alphabet. Make it with text=Text(...).')
        return explained.score(self, text if isinstance(text, Text) else self.text.like(text))

    def text_sample(self, seed: int, steps: int, rng: Seed = None) -> str:
        """Return a sample of text: the first `seed` characters of the Text, and `steps` more."""
        if self.text is None:
            raise ConfigurationError('the network has no alphabet. Make it with text=Text(...).')
        start = self.text.labels[:seed] if len(self.text.labels) else [0]
        drawn = self.predict_sequence(start, steps, rng=rng)
        return f'{self.text.decode(start)}|{self.text.decode(drawn)}'

    def _sampler(self) -> Sampler:
        if 'sampler' not in self._built:
            self._built['sampler'] = Sampler(self._programs)
        return self._built['sampler']
