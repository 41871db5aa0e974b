"""Sampling of label sequences in one compiled loop that carries the layers' states.

Writing the sample, and reading the seed where a layer is recurrent, are the same loop: at each
step the network reads a label and the next one is either given or drawn. Other networks read the
seed in one pass. A step costs the same however long the sequence is, and one compiled loop serves
any number of steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, DataError, number, positive
from kerasnets.graph.nodes import logits_reader
from kerasnets.initializers import generator
from kerasnets.programs.program import Programs
from kerasnets.sampling.stepping import StepNetwork, StepPrograms

#: Steps that one call of the compiled loop makes at most.
CHUNK = 256

#: Labels whose probabilities are summed up by a product with a matrix.
FEW = 512

#: A temperature this low leaves only the most probable label.
COLDEST = 1e-30


class How(NamedTuple):
    """What a loop does at each step, beside drawing a label."""

    filtered: bool  # leaves out improbable labels
    penalized: bool  # makes labels that were there less probable
    logged: bool  # records the logarithm of each label's probability


class Settings(NamedTuple):
    """How labels are drawn: arrays, so that other numbers are not compiled anew."""

    temperature: Any
    top_k: Any
    top_p: Any
    penalty: Any


class Sampler:
    """Draws sequences from a causal network.

    Parameters
    ----------
    programs : Programs
        Of a network whose output is a distribution over the labels that it reads.

    Raises
    ------
    ConfigurationError
        If the layers cannot be run a step at a time, saying which and why.
    """

    def __init__(self, programs: Programs) -> None:
        nodes = programs.models.nodes
        self.classes = alphabet(nodes)
        self.has_logits = logits_reader(nodes) is not None
        one_hot = self.classes if len(nodes[0].output.shape) == 3 else None

        def make(nodes: Any) -> StepNetwork:
            return StepNetwork(nodes, logits_reader(nodes), one_hot)

        self.network = make(nodes)
        self.programs = StepPrograms(programs, self.network, make, self.has_logits)

    def sample(
        self,
        labels: Any,
        steps: Any,
        streams: Any = 1,
        rng: Any = None,
        temperature: float = 1.0,
        top_k: Any = None,
        top_p: Any = None,
        stop: Any = None,
        repetition_penalty: float = 1.0,
        return_log_probs: bool = False,
    ) -> Iterator[Any]:
        """Yield a label each step, or a list of labels for several streams.

        The parameters are those of `recurrent.Classifier.predict_sequence`, `stop` as labels.
        """
        labels = self._seed(labels)
        streams = positive(streams, 'streams')
        steps = positive(steps, 'steps', least=0)
        number(temperature, 'temperature', lambda t: 0 <= t < np.inf, 'of 0 or more')
        top_k = self.classes if top_k is None else positive(top_k, 'top_k')
        top_p = 1.0 if top_p is None else top_p
        number(top_p, 'top_p', lambda p: 0 < p <= 1, 'above 0 and at most 1')
        number(repetition_penalty, 'repetition_penalty', lambda p: 0 < p < np.inf, 'above 0')
        self.network.check_length(len(labels) + steps - 1)
        filtered = top_k < self.classes or top_p < 1
        how = How(filtered, repetition_penalty != 1, bool(return_log_probs))
        settings = Settings(
            np.array(max(temperature, COLDEST), 'f'),
            np.array(min(top_k, self.classes), 'i'),
            np.array(top_p, 'f'),
            np.array(repetition_penalty, 'f'),
        )
        draws = generator(rng) if temperature else None
        stops = Stops(self._stop(stop), streams)
        return stops.ended(self._run(labels, steps, streams, draws, settings, how))

    def _run(
        self, labels: Any, steps: Any, streams: Any, draws: Any, settings: Settings, how: How
    ) -> Iterator[Any]:
        """Yield, at each step, (labels, logarithms of their probabilities or None)."""
        loop = Loop(how, self.classes, self.has_logits)
        first, states = self.programs.begin(labels[None], streams)
        read = first + 1  # what the first step reads is not in the states
        current = np.full(streams, labels[read - 1], dtype='int32')
        seen = np.zeros((streams, self.classes if how.penalized else 0), 'float32')
        if how.penalized:
            seen[:, labels[:read]] = 1
        wanted = steps
        while wanted:
            count = min(CHUNK, len(labels) - read + wanted)
            given = np.full(CHUNK, -1, dtype='int32')
            seed = labels[read : read + count]
            given[: len(seed)] = seed
            uniform = np.full((CHUNK, streams), 1e-30, dtype='float32')
            if draws is not None:  # only steps that draw use up numbers
                uniform[len(seed) : count] = 1 - draws.random(
                    (count - len(seed), streams), dtype='float32'
                )
            times = np.array([first, count], 'i')
            args = current, given, uniform, times, settings, seen, states
            current, drawn, logs, seen, states = self.programs.run(loop, loop.run, *args)
            part = slice(len(seed), count)
            drawn = ops.convert_to_numpy(drawn)[part].tolist()
            logs = ops.convert_to_numpy(logs)[part].tolist() if how.logged else [None] * len(drawn)
            read, wanted, first = read + len(seed), wanted - len(drawn), first + count
            yield from zip(drawn, logs)

    def _seed(self, labels: Any) -> Any:
        labels = np.asarray(list(labels) if hasattr(labels, '__iter__') else labels)
        if labels.ndim != 1 or not labels.size:
            raise DataError(
                f'expected at least one label to start from, got shape {labels.shape}. '
                'Give a list of int, such as [0].'
            )
        if labels.dtype.kind not in 'iu':
            raise DataError(
                f'expected labels of dtype int to start from, got {labels.dtype}. '
                'For characters, encode them with a Text.'
            )
        self._check(labels)
        return labels.astype('int32')

    def _stop(self, stop: Any) -> list[int]:
        """The labels at which a stream ends; none if it goes on."""
        if stop is None:
            return []
        labels = np.atleast_1d(np.asarray(stop, object))
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in labels)
        if not whole or labels.ndim != 1 or not labels.size:
            raise DataError(
                f'expected stop as a label (int) or a list of labels, got {stop!r}. A text is '
                'for a network with text=Text(...).'
            )
        self._check(labels)
        return [int(label) for label in labels]

    def _check(self, labels: Any) -> None:
        wrong = labels[(labels < 0) | (labels >= self.classes)]
        if wrong.size:
            raise DataError(f'expected labels of 0 to {self.classes - 1}, got {wrong[0]}.')


@dataclasses.dataclass(frozen=True)
class Loop:
    """The compiled loop of a sampler.

    Attributes
    ----------
    how : How
    classes : int
        Labels that there are.
    logits : bool
        Whether the network gives logits; else the logarithm of its output is taken.
    """

    how: How
    classes: int
    logits: bool

    def run(
        self,
        network: StepNetwork,
        label: Any,
        given: Any,
        uniform: Any,
        times: Any,
        settings: Settings,
        seen: Any,
        states: Any,
    ) -> Any:
        """Return the last label, all labels, their log probabilities, and what goes on."""
        how = self.how
        first, count = times[0], times[1]
        drawn = ops.zeros(uniform.shape, 'int32')
        logs = ops.zeros(uniform.shape if how.logged else (0, 0), 'float32')
        advance = network.prepare()

        def step(i: Any, label: Any, drawn: Any, logs: Any, seen: Any, *flat: Any) -> Any:
            own = keras.tree.pack_sequence_as(states, list(flat))
            (y,), own = advance(label, own, first + i)
            logits = y if self.logits else ops.log(ops.maximum(y, 1e-30))
            logits = ops.cast(logits, 'float32')
            changed = _penalized(logits, seen, settings.penalty) if how.penalized else logits
            label = ops.where(
                given[i] >= 0, given[i], _draw(changed, uniform[i], settings, how.filtered)
            )
            drawn = ops.slice_update(drawn, (i, 0), label[None])
            if how.penalized:
                seen = ops.maximum(seen, ops.one_hot(label, self.classes))
            if how.logged:
                logs = ops.slice_update(logs, (i, 0), _log_p(logits, label)[None])
            return (i + 1, label, drawn, logs, seen, *keras.tree.flatten(own))

        start = ops.convert_to_tensor(0, 'int32')
        loop = (start, label, drawn, logs, seen, *keras.tree.flatten(states))
        _, label, drawn, logs, seen, *flat = ops.while_loop(lambda i, *rest: i < count, step, loop)
        return label, drawn, logs, seen, keras.tree.pack_sequence_as(states, list(flat))


def _penalized(logits: Any, seen: Any, penalty: Any) -> Any:
    """Logits, those of labels that were there lowered: divided by the penalty, or multiplied.

    N. Keskar et al. (2019), "CTRL: a conditional transformer language model", arXiv:1909.05858.
    """
    lowered = ops.where(logits > 0, logits / penalty, logits * penalty)
    return ops.where(seen > 0, lowered, logits)


def _log_p(logits: Any, label: Any) -> Any:
    """The logarithm of the probability that the network gives a label."""
    found = ops.take_along_axis(logits, label[:, None], axis=-1)[:, 0]
    return found - ops.logsumexp(logits, axis=-1)


def _draw(logits: Any, uniform: Any, settings: Settings, filtered: bool) -> Any:
    """Labels (streams,) from logits (streams, classes) and numbers in (0, 1].

    By the inverse of the cumulated probabilities. No label is drawn whose probability is 0.
    """
    logits = (logits - ops.max(logits, axis=-1, keepdims=True)) / settings.temperature
    if filtered:
        logits = _filter(logits, settings.top_k, settings.top_p)
    cumulated = _cumulated(ops.exp(logits))
    below = cumulated < uniform[:, None] * cumulated[:, -1:]
    return ops.sum(ops.cast(below, 'int32'), axis=-1)


def _cumulated(p: Any) -> Any:
    """Sums over the labels up to each; of few labels as a product, which XLA does faster."""
    count = p.shape[-1]
    if count > FEW:
        return ops.cumsum(p, axis=-1)
    return ops.matmul(p, np.triu(np.ones((count, count), 'f')))


def _filter(logits: Any, top_k: Any, top_p: Any) -> Any:
    """Leave the `top_k` most probable, and of those the fewest that hold `top_p` of all."""
    ranked = ops.flip(ops.sort(logits, axis=-1), axis=-1)
    p = ops.softmax(ranked, axis=-1)
    ahead = ops.cumsum(p, axis=-1) - p
    rank = ops.arange(logits.shape[-1], dtype='int32')
    kept = ops.logical_and(rank < top_k, ahead < top_p)
    lowest = ops.min(ops.where(kept, ranked, float('inf')), axis=-1, keepdims=True)
    return ops.where(logits >= lowest, logits, float('-inf'))


def alphabet(nodes: Any) -> int:
    """Number of labels that the network reads and writes."""
    source, output = nodes[0].output.shape, nodes[-1].output.shape
    reads = source[-1]
    if len(source) == 2 and isinstance(nodes[1].layer, keras.layers.Embedding):
        reads = nodes[1].layer.input_dim
    elif len(source) != 3:
        raise ConfigurationError(
            f'expected inputs of one-hot labels or an Embedding, got inputs of shape {source}.'
        )
    if reads != output[-1]:
        raise ConfigurationError(
            'sampling feeds outputs back as inputs: expected as many outputs as '
            f'inputs, got {output[-1]} and {reads}.'
        )
    return reads


class Stops:
    """Ends streams after certain labels.

    Parameters
    ----------
    stop : list of int
        Labels that follow each other; none if no stream ends.
    streams : int
    """

    def __init__(self, stop: list[int], streams: int) -> None:
        self.stop = stop
        self.streams = streams

    def ended(self, steps: Iterator[Any]) -> Iterator[Any]:
        """Yield (labels, logs) as they are given out, each stream up to the end of `stop`.

        A single label where there is one stream, else a list with None for those that ended; in
        a pair with the logarithms, if there are any.
        """
        if not self.stop:
            for labels, logs in steps:
                out = labels[0] if self.streams == 1 else labels
                yield out if logs is None else (out, logs[0] if self.streams == 1 else logs)
            return
        written: list[list[int]] = [[] for _ in range(self.streams)]
        going = [True] * self.streams
        for labels, logs in steps:
            found = [label if on else None for label, on in zip(labels, going)]
            logs = logs and [log if on else None for log, on in zip(logs, going)]
            for i, label in enumerate(labels):
                written[i] = [*written[i], label][-len(self.stop) :]
                going[i] = going[i] and written[i] != self.stop
            one = self.streams == 1
            out = found[0] if one else found
            yield out if logs is None else (out, logs[0] if one else logs)
            if not any(going):
                return
