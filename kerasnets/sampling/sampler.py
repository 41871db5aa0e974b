"""Sampling of label sequences in one compiled loop that carries the layers' states.

Reading the seed and writing the sample are the same loop: at each step the network reads a
label and the next one is either given or drawn. A step costs the same however long the
sequence is, and one compiled loop serves any number of steps.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets.backend import compiled
from kerasnets.errors import ConfigurationError, DataError, number, positive
from kerasnets.graph import structure
from kerasnets.graph.cache import FUNCTIONS, Function
from kerasnets.initializers import generator
from kerasnets.layers.fast.one_step import stepper

#: Steps that one call of the compiled loop makes at most.
CHUNK = 256

#: Labels whose probabilities are summed up by a product with a matrix.
FEW = 512

#: A temperature this low leaves only the most probable label.
COLDEST = 1e-30

#: Keras layers that treat each time step by itself.
STEPWISE = (
    'Activation ActivityRegularization AlphaDropout BatchNormalization Dense Dropout ELU '
    'Embedding GaussianDropout GaussianNoise Identity LayerNormalization LeakyReLU '
    'RMSNormalization ReLU Rescaling Softmax SpatialDropout1D TimeDistributed UnitNormalization'
).split()


class Sampler:
    """Draws sequences from a chain of recurrent and stepwise layers.

    Parameters
    ----------
    nodes : list of nodes.Node
        Of a chain whose output is a distribution over the labels that it reads.
    logits : callable or None
        (x) -> logits of the last layer, where that has logits; else the logarithm of its
        output is taken.

    Raises
    ------
    ConfigurationError
        If the layers cannot be run a step at a time, saying which and why.
    """

    def __init__(self, nodes: Any, logits: Any = None) -> None:
        self.nodes = nodes
        self.layers = [node.layer for node in nodes[1:]]
        self.logits = logits
        self.classes = _alphabet(nodes)
        self.one_hot = len(nodes[0].output.shape) == 3
        for node in nodes[1:]:
            _check_stepwise(node)
        self.loops: Any = {}

    def sample(
        self,
        labels: Any,
        steps: Any,
        streams: Any = 1,
        rng: Any = None,
        temperature: float = 1.0,
        top_k: Any = None,
        top_p: Any = None,
    ) -> Any:
        """Yield a label each step, or a list of labels for several streams.

        The parameters are those of `recurrent.Classifier.predict_sequence`.
        """
        labels = self._seed(labels)
        streams = positive(streams, 'streams')
        steps = positive(steps, 'steps', least=0)
        number(temperature, 'temperature', lambda t: 0 <= t < np.inf, 'of 0 or more')
        top_k = self.classes if top_k is None else positive(top_k, 'top_k')
        top_p = 1.0 if top_p is None else top_p
        number(top_p, 'top_p', lambda p: 0 < p <= 1, 'above 0 and at most 1')
        filtered = top_k < self.classes or top_p < 1
        settings = (
            np.array(max(temperature, COLDEST), 'f'),
            np.array(min(top_k, self.classes), 'i'),
            np.array(top_p, 'f'),
        )
        draws = generator(rng) if temperature else None
        return self._run(labels, steps, streams, draws, settings, filtered)

    def _run(
        self, labels: Any, steps: Any, streams: Any, draws: Any, settings: Any, filtered: Any
    ) -> Iterator[Any]:
        loop = self._loop(filtered)
        states = [
            state
            for layer in self.layers
            if isinstance(layer, keras.layers.RNN)
            for state in keras.tree.flatten(layer.cell.get_initial_state(batch_size=streams))
        ]
        current = np.full(streams, labels[0], dtype='int32')
        read, wanted = 1, steps
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
            current, drawn, states = loop(
                current, given, uniform, np.array(count, 'i'), settings, states
            )
            drawn = ops.convert_to_numpy(drawn)[len(seed) : count].tolist()
            read, wanted = read + len(seed), wanted - len(drawn)
            yield from (row[0] for row in drawn) if streams == 1 else drawn

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
        wrong = labels[(labels < 0) | (labels >= self.classes)]
        if wrong.size:
            raise DataError(f'expected labels of 0 to {self.classes - 1}, got {wrong[0]}.')
        return labels.astype('int32')

    def _loop(self, filtered: Any) -> Any:
        """The compiled loop, which all networks of equal layers share."""
        variables = structure.layer_variables(self.nodes)
        if filtered not in self.loops:

            def make() -> Any:
                return Function(compiled(functools.partial(self._steps, filtered), variables))

            layers = structure.of_nodes(self.nodes)
            key = 'sample', layers, self.logits is None, filtered
            self.loops[filtered] = make() if layers is None else FUNCTIONS.find(key, make)
        return functools.partial(self.loops[filtered].call, [v.value for v in variables])

    def _steps(
        self,
        filtered: Any,
        label: Any,
        given: Any,
        uniform: Any,
        count: Any,
        settings: Any,
        states: Any,
    ) -> Any:
        """`count` steps from a label: the last label, all labels and the states."""
        record = ops.zeros(uniform.shape, 'int32')
        advance = self._advance()

        def step(i: Any, label: Any, record: Any, *states: Any) -> Any:
            logits, states = advance(label, states)
            drawn = _draw(logits, uniform[i], settings, filtered)
            label = ops.where(given[i] >= 0, given[i], drawn)
            record = ops.slice_update(record, (i, 0), label[None])
            return (i + 1, label, record, *states)

        state = (ops.convert_to_tensor(0, 'int32'), label, record, *states)
        _, label, record, *states = ops.while_loop(lambda i, *rest: i < count, step, state)
        return label, record, states

    def _advance(self) -> Any:
        """Return a function of labels (streams,) and states to logits and states: one step.

        What does not change from step to step is computed now.
        """
        reads_labels = self.one_hot and isinstance(self.layers[0], keras.layers.RNN)
        steps = {
            i: stepper(layer, self.classes if i == 0 and reads_labels else None)
            for i, layer in enumerate(self.layers)
            if isinstance(layer, keras.layers.RNN)
        }

        def advance(label: Any, states: Any) -> Any:
            x = ops.one_hot(label, self.classes) if self.one_hot and not reads_labels else label
            states, after, sequence = list(states), [], True
            for i, layer in enumerate(self.layers):
                if i in steps:
                    own = [states.pop(0) for _ in keras.tree.flatten(layer.cell.state_size)]
                    x, own = steps[i](x, own)
                    after += keras.tree.flatten(own)
                    sequence = sequence and layer.return_sequences
                    continue
                last = i == len(self.layers) - 1
                call = self.logits if last and self.logits is not None else layer
                x = call(x[:, None])[:, 0] if sequence else call(x)
            logits = x if self.logits is not None else ops.log(ops.maximum(x, 1e-30))
            return ops.cast(logits, 'float32'), after

        return advance


def _draw(logits: Any, uniform: Any, settings: Any, filtered: Any) -> Any:
    """Labels (streams,) from logits (streams, classes) and numbers in (0, 1].

    By the inverse of the cumulated probabilities. No label is drawn whose probability is 0.
    """
    temperature, top_k, top_p = settings
    logits = (logits - ops.max(logits, axis=-1, keepdims=True)) / temperature
    if filtered:
        logits = _filter(logits, top_k, top_p)
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


def _alphabet(nodes: Any) -> Any:
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


def _check_stepwise(node: Any) -> None:
    layer = node.layer
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.RNN):
        if layer.go_backwards:
            raise node.spec.error(
                'it reads the sequence backwards, so there is no next step. Use a forward layer.'
            )
        return
    axes = getattr(layer, 'axis', -1)
    if kind not in STEPWISE or axes not in (-1, len(node.output.shape) - 1, [-1], [2]):
        whole = 'bidirectional' if kind == 'Bidirectional' else kind
        raise node.spec.error(
            f'{whole} layers read the whole sequence, so they cannot be sampled step by step. '
            'Use forward recurrent layers and layers that compute each step independently.'
        )
