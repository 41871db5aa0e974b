"""Sampling of label sequences in one compiled loop that carries the layers' states.

Writing the sample, and reading the seed where a layer is recurrent, are the same loop: at each
step the network reads a label and the next one is either given or drawn. Other networks read the
seed in one pass. A step costs the same however long the sequence is, and one compiled loop serves
any number of steps.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, DataError, number, positive
from kerasnets.graph.nodes import Node, inputs_of, logits_reader, reach_of
from kerasnets.initializers import generator
from kerasnets.layers.fast.stepping import Stepper, along
from kerasnets.programs.models import Models
from kerasnets.programs.program import FunctionProgram, Programs
from kerasnets.sampling.loop import chunk, run_steps
from kerasnets.typing import Array, Seed, Tensor, TensorFunction, Tensors

#: Labels whose probabilities are summed up by a product with a matrix.
FEW = 512

#: Lengths of a seed that is read in one pass. A shorter one is read as fast step by step, and for
#: a longer one attention takes too much memory, which grows with the square of the length.
AT_ONCE = range(16, 4096)

#: At this temperature only the most probable label is drawn.
COLDEST = 1e-30


class StepNetwork:
    """A causal network that runs along sequences a step at a time.

    Parameters
    ----------
    nodes : list of nodes.Node
    outputs : list of str, optional
        Names of the layers whose outputs are returned. Default: the last one.
    logits : callable, optional
        (x) -> logits of the last layer, which replaces that layer.
    classes : int, optional
        Number of labels, if the network reads labels as one-hot vectors.

    Raises
    ------
    ConfigurationError
        If it has several inputs, or a layer that is not causal.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        logits: Tensor | None = None,
        classes: int | None = None,
        outputs: list[str] | None = None,
    ) -> None:
        self.outputs = outputs or [nodes[-1].name]
        self.nodes = _leading_to(nodes, self.outputs)
        self.logits = logits
        self.classes = classes
        inputs = list(inputs_of(self.nodes))
        if len(inputs) != 1:
            raise ConfigurationError(
                f'expected a network with one input to predict a sequence, got {inputs}. Join '
                'them in one.'
            )
        self.source = inputs[0]
        self.reach = reach_of(self.nodes)  # number of learned positions, or None
        self.has_time = {self.source: True}
        self.steppers: dict[str, Stepper] = {}
        for node in self.nodes:
            if node.name != self.source:
                self._add(node)

    def _add(self, node: Node) -> None:
        time = any(self.has_time[name] for name in node.reads)
        others = [name for name in node.spec.inputs if not name.endswith(':out')]
        stepper: Stepper | str = along(node.layer, time)
        if node.spec.states or others:
            stepper = f'it depends on {(others or [node.spec.states[0][1]])[0]!r}'
        if isinstance(stepper, str):
            raise node.spec.error(
                f'{stepper}. A network that runs step by step has forward recurrent layers, '
                'attention, causal convolutions and layers that compute each step independently. '
                'Use those.'
            )
        self.steppers[node.name] = stepper
        self.has_time[node.name] = time and getattr(node.layer, 'return_sequences', True)

    def padded_length(self, length: int) -> int | None:
        """Return the length to which a seed is padded to be read in one pass, or None."""
        if length not in AT_ONCE or any(s.read is None for s in self.steppers.values()):
            return None
        padded = 1 << (length - 1).bit_length()
        return min(padded, self.reach or padded)

    def check_length(self, steps: int) -> None:
        """Refuse more steps than the network has learned positions for."""
        if self.reach is not None and steps > self.reach:
            raise DataError(
                f'the network has learned positions for {self.reach} steps: expected a seed and '
                f'further steps within that, got {steps}. Pass fewer steps, or build it with '
                "positions='rotary' or a larger context."
            )

    def start(self, count: int) -> list[Any]:
        """Return the initial states of `count` sequences: a list of arrays for each layer."""
        return [stepper.start(count) for stepper in self.steppers.values()]

    def make_step(self) -> Callable[..., Any]:
        """Return a function of an input (count, …), states and the step's number t.

        It returns a list of the step's outputs, and the states after it. Everything that does not
        depend on the step is computed now.
        """
        labelled = {name for name in self.steppers if self._reads_labels(name)}
        steps = {
            name: stepper.make_step(self.classes if name in labelled else None)
            for name, stepper in self.steppers.items()
        }

        def advance(x: Tensor, states: Tensors, t: Tensor) -> Tensors:
            after: list[Any] = []

            def run_layer(name: str, inputs: Tensor) -> Any:
                y, own = steps[name](inputs, states[len(after)], t)
                after.append(own)
                return y

            return self._run(x, run_layer, labelled), after

        return advance

    def read(self, x: Tensor, length: Tensor) -> Tensors:
        """Return the states after the first `length` steps of sequences (count, time, …)."""
        after: list[Any] = []

        def run_layer(name: str, inputs: Tensor) -> Any:
            read = self.steppers[name].read
            assert read is not None  # checked by `padded_length`
            y, own = read(inputs, length)
            after.append(own)
            return y

        self._run(x, run_layer, ())
        return after

    def _run(self, x: Tensor, run_layer: TensorFunction, labelled: Collection[str]) -> list[Tensor]:
        """Return the network's outputs or logits; `run_layer` computes the output of each layer."""
        outputs = {self.source: x}
        readers = {node.name for node in self.nodes if self.source in node.reads}
        if self.classes is not None and not readers <= set(labelled):
            outputs[self.source] = ops.one_hot(x, self.classes)
        for node in self.nodes:
            if node.name == self.source:
                continue
            before = [outputs[name] for name in node.reads]
            inputs = before if len(before) > 1 else x if node.name in labelled else before[0]
            if node is self.nodes[-1] and self.logits is not None:
                return [self._last(inputs)]
            outputs[node.name] = run_layer(node.name, inputs)
        return [outputs[name] for name in self.outputs]

    def _last(self, x: Tensor) -> Tensor:
        """Return the logits of one step or of a whole sequence, as the input has it."""
        assert self.logits is not None
        one = len(keras.tree.flatten(x)[0].shape) == 2
        if one and any(self.has_time[name] for name in self.nodes[-1].reads):
            return self.logits(keras.tree.map_structure(lambda y: y[:, None], x))[:, 0]
        return self.logits(x)

    def _reads_labels(self, name: str) -> bool:
        """Return True if a layer can read labels instead of one-hot vectors."""
        node = next(node for node in self.nodes if node.name == name)
        alone = node.reads == [self.source]
        return self.classes is not None and alone and self.steppers[name].of_labels


def _leading_to(nodes: Sequence[Node], names: list[str]) -> list[Any]:
    """Return the named nodes and those that they depend on, in order."""
    wanted = set(names)
    chosen = []
    for node in reversed(nodes):
        if node.name in wanted:
            chosen.append(node)
            wanted.update(node.reads)
    return chosen[::-1]


class StepPrograms:
    """The programs that run a network along sequences.

    Parameters
    ----------
    programs : Programs
        Of the network.
    network : StepNetwork
        Over the network's own layers.
    make : callable
        (nodes) -> the same network over other nodes.
    *about
        What identifies these programs among others over equal layers.
    """

    def __init__(
        self,
        programs: Programs,
        network: StepNetwork,
        make: Callable[[Any], StepNetwork],
        *about: Any,
    ) -> None:
        self.programs = programs
        self.network = network
        self.make = make
        self.about = about

    def call(self, name: Any, steps: Callable[..., Any], *args: Any) -> Any:
        """Run a compiled function.

        Parameters
        ----------
        name : hashable
            What identifies the function among those of the network.
        steps : callable
            (network, *args) -> results, written in `keras.ops`.
        *args
            Arrays, or nested lists of them.
        """

        def build(models: Models) -> FunctionProgram:
            network = self.make(models.nodes)
            function = functools.partial(steps, network)
            return FunctionProgram(models, models.layer_variables, function)

        about = name, *self.about
        program = self.programs.find(about, about, build)
        return program([v.value for v in self.programs.models.layer_variables], *args)

    def begin(self, seeds: Array, streams: int) -> tuple[int, Any]:
        """Return the number of steps of the seeds already read, and the states of all streams.

        One pass reads all steps except the last, or no step is read.

        Parameters
        ----------
        seeds : array (count, time, …)
        streams : int
            Number of sequences that continue each seed.
        """
        count, length = seeds.shape[:2]
        padding = self.network.padded_length(length)
        if padding is None:
            return 0, self.network.start(count * streams)
        padded = np.zeros((count, padding, *seeds.shape[2:]), seeds.dtype)
        padded[:, :length] = seeds
        states = self.call('read', StepNetwork.read, padded, np.array(length - 1, 'i'))
        repeat = functools.partial(ops.repeat, repeats=streams, axis=0)
        return length - 1, keras.tree.map_structure(repeat, states)


class Options(NamedTuple):
    """What a loop does at each step in addition to drawing a label."""

    filtered: bool  # leaves out improbable labels
    penalized: bool  # lowers the probability of earlier labels
    logged: bool  # records the logarithm of each label's probability


class Settings(NamedTuple):
    """The settings of drawing, as arrays so that other values need no new compilation."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    penalty: Tensor


class Sampler:
    """Draws sequences from a causal network.

    Parameters
    ----------
    programs : Programs
        Of a network whose output is a distribution over the labels that it reads.

    Raises
    ------
    ConfigurationError
        If a layer cannot run a step at a time.
    """

    def __init__(self, programs: Programs) -> None:
        nodes = programs.models.nodes
        self.classes = alphabet(nodes)
        self.has_logits = logits_reader(nodes) is not None
        one_hot = self.classes if len(nodes[0].output.shape) == 3 else None

        def make(nodes: Sequence[Node]) -> StepNetwork:
            return StepNetwork(nodes, logits_reader(nodes), one_hot)

        self.network = make(nodes)
        self.programs = StepPrograms(programs, self.network, make, self.has_logits)

    def sample(
        self,
        labels: Any,
        steps: int,
        streams: int = 1,
        rng: Seed | None = None,
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
        options = Options(filtered, repetition_penalty != 1, bool(return_log_probs))
        settings = Settings(
            np.array(max(temperature, COLDEST), 'f'),
            np.array(min(top_k, self.classes), 'i'),
            np.array(top_p, 'f'),
            np.array(repetition_penalty, 'f'),
        )
        draws = generator(rng) if temperature else None
        stops = Stops(self._stop(stop), streams)
        return stops.ended(self._run(labels, steps, streams, draws, settings, options))

    def _run(
        self,
        labels: Any,
        steps: int,
        streams: int,
        draws: np.random.Generator | None,
        settings: Settings,
        options: Options,
    ) -> Iterator[Any]:
        """Yield, at each step, (labels, logarithms of their probabilities or None)."""
        loop = Loop(options, self.classes, self.has_logits)
        first, states = self.programs.begin(labels[None], streams)
        read = first + 1  # the states do not include the label that the first step reads
        current = np.full(streams, labels[read - 1], dtype='int32')
        seen = np.zeros((streams, self.classes if options.penalized else 0), 'float32')
        if options.penalized:
            seen[:, labels[:read]] = 1
        wanted, size = steps, chunk()
        while wanted:
            count = min(size, len(labels) - read + wanted)
            forced = np.full(size, -1, dtype='int32')
            seed = labels[read : read + count]
            forced[: len(seed)] = seed
            uniform = np.full((size, streams), 1e-30, dtype='float32')
            if draws is not None:  # steps of the seed draw no numbers
                uniform[len(seed) : count] = 1 - draws.random(
                    (count - len(seed), streams), dtype='float32'
                )
            times = np.array([first, count], 'i')
            args = current, forced, uniform, times, settings, seen, states
            current, drawn, logs, seen, states = self.programs.call(loop, loop.compute, *args)
            part = slice(len(seed), count)
            drawn = ops.convert_to_numpy(drawn)[part].tolist()
            logs = ops.convert_to_numpy(logs[0])[part].tolist() if logs else [None] * len(drawn)
            read, wanted, first = read + len(seed), wanted - len(drawn), first + count
            yield from zip(drawn, logs)

    def _seed(self, labels: Any) -> Array:
        labels = np.asarray(list(labels) if hasattr(labels, '__iter__') else labels)
        if labels.ndim != 1 or not labels.size:
            raise DataError(
                f'expected at least one label to start from, got shape {labels.shape}. '
                'Pass a list of int, such as [0].'
            )
        if labels.dtype.kind not in 'iu':
            raise DataError(
                f'expected labels of dtype int to start from, got {labels.dtype}. '
                'Encode characters with a Text.'
            )
        self._check(labels)
        return labels.astype('int32')

    def _stop(self, stop: Any) -> list[int]:
        """Return the labels that end a stream; an empty list if none do."""
        if stop is None:
            return []
        labels = np.atleast_1d(np.asarray(stop, object))
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in labels)
        if not whole or labels.ndim != 1 or not labels.size:
            raise DataError(
                f'expected stop as a label (int) or a list of labels, got {stop!r}. Build the '
                'network with text=Text(...) to stop at a text.'
            )
        self._check(labels)
        return [int(label) for label in labels]

    def _check(self, labels: Any) -> None:
        wrong = labels[(labels < 0) | (labels >= self.classes)]
        if wrong.size:
            raise DataError(
                f'expected labels of 0 to {self.classes - 1}, got {wrong[0]}. Remove other labels.'
            )


@dataclasses.dataclass(frozen=True)
class Loop:
    """The compiled loop of a sampler.

    Attributes
    ----------
    options : Options
    classes : int
        Number of labels.
    logits : bool
        Whether the network outputs logits. Otherwise the logarithm of its output is used.
    """

    options: Options
    classes: int
    logits: bool

    def compute(
        self,
        network: StepNetwork,
        label: Tensor,
        forced: Tensor,
        uniform: Tensor,
        times: Tensor,
        settings: Settings,
        seen: Tensor,
        states: Tensors,
    ) -> Any:
        """Return the last label, all labels, their log probabilities, and the next states."""
        options = self.options
        first, count = times[0], times[1]
        advance = network.make_step()
        table = _table(self.classes)

        def step(held: Any, inputs: list[Tensor], i: Tensor) -> tuple[Any, list[Tensor]]:
            label, seen, own = held
            given, number = inputs
            (y,), own = advance(label, own, first + i)
            logits = y if self.logits else ops.log(ops.maximum(y, 1e-30))
            logits = ops.cast(logits, 'float32')
            changed = _penalized(logits, seen, settings.penalty) if options.penalized else logits
            drawn = _draw(changed, number, settings, options.filtered, table)
            label = ops.where(given >= 0, given, drawn)
            if options.penalized:
                seen = ops.maximum(seen, ops.one_hot(label, self.classes))
            results = [label, _log_p(logits, label)] if options.logged else [label]
            return [label, seen, own], results

        records = [ops.zeros(uniform.shape, 'int32')]
        if options.logged:
            records.append(ops.zeros(uniform.shape, 'float32'))
        (label, seen, states), (drawn, *logs) = run_steps(
            step, count, [forced, uniform], [label, seen, states], records
        )
        return label, drawn, logs, seen, states


def _penalized(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Return the logits, lowered for earlier labels: divided or multiplied by the penalty.

    N. Keskar et al. (2019), "CTRL: a conditional transformer language model", arXiv:1909.05858.
    """
    lowered = ops.where(logits > 0, logits / penalty, logits * penalty)
    return ops.where(seen > 0, lowered, logits)


def _log_p(logits: Tensor, label: Tensor) -> Tensor:
    """Return the log probability of each label."""
    chosen = ops.take_along_axis(logits, label[:, None], axis=-1)[:, 0]
    return chosen - ops.logsumexp(logits, axis=-1)


def _draw(
    logits: Tensor, uniform: Tensor, settings: Settings, filtered: bool, table: Tensor | None
) -> Tensor:
    """Return labels (streams,) from logits (streams, classes) and numbers in (0, 1].

    Labels are drawn by the inverse of the cumulated probabilities, never with a probability of 0.
    """
    logits = (logits - ops.max(logits, axis=-1, keepdims=True)) / settings.temperature
    if filtered:
        logits = _filter(logits, settings.top_k, settings.top_p)
    p = ops.exp(logits)
    cumulated = ops.cumsum(p, axis=-1) if table is None else ops.matmul(p, table)
    below = cumulated < uniform[:, None] * cumulated[:, -1:]
    return ops.sum(ops.cast(below, 'int32'), axis=-1)


def _table(classes: int) -> Tensor | None:
    """Return the matrix whose product with probabilities sums them up, if that is faster."""
    if classes > FEW:
        return None
    return ops.convert_to_tensor(np.triu(np.ones((classes, classes), 'f')))


def _filter(logits: Tensor, top_k: Any, top_p: Any) -> Tensor:
    """Keep the `top_k` most probable labels, and the fewest of them that hold `top_p`."""
    ranked = ops.flip(ops.sort(logits, axis=-1), axis=-1)
    p = ops.softmax(ranked, axis=-1)
    ahead = ops.cumsum(p, axis=-1) - p
    rank = ops.arange(logits.shape[-1], dtype='int32')
    kept = ops.logical_and(rank < top_k, ahead < top_p)
    lowest = ops.min(ops.where(kept, ranked, float('inf')), axis=-1, keepdims=True)
    return ops.where(logits >= lowest, logits, float('-inf'))


def alphabet(nodes: Sequence[Node]) -> int:
    """Return the number of labels that the network reads and predicts."""
    source, output = nodes[0].output.shape, nodes[-1].output.shape
    reads = source[-1]
    if len(source) == 2 and isinstance(nodes[1].layer, keras.layers.Embedding):
        reads = nodes[1].layer.input_dim
    elif len(source) != 3:
        raise ConfigurationError(
            f'expected inputs of one-hot labels or an Embedding, got inputs of shape {source}. '
            'Use a recurrent.Classifier.'
        )
    if reads != output[-1]:
        raise ConfigurationError(
            'sampling feeds outputs back as inputs: expected as many outputs as '
            f'inputs, got {output[-1]} and {reads}. Build the network with equal sizes.'
        )
    return reads


class Stops:
    """Ends streams after certain labels.

    Parameters
    ----------
    stop : list of int
        A sequence of labels; empty if no stream ends.
    streams : int
    """

    def __init__(self, stop: list[int], streams: int) -> None:
        self.stop = stop
        self.streams = streams

    def ended(self, steps: Iterator[Any]) -> Iterator[Any]:
        """Yield the labels of each step, until all streams have ended with `stop`.

        A step yields a label if there is one stream, otherwise a list with None for each stream
        that has ended. If `steps` has logarithms, it yields a pair of labels and logarithms.
        """
        if not self.stop:
            for labels, logs in steps:
                out = labels[0] if self.streams == 1 else labels
                yield out if logs is None else (out, logs[0] if self.streams == 1 else logs)
            return
        written: list[list[int]] = [[] for _ in range(self.streams)]
        going = [True] * self.streams
        for labels, logs in steps:
            shown = [label if on else None for label, on in zip(labels, going)]
            logs = logs and [log if on else None for log, on in zip(logs, going)]
            for i, label in enumerate(labels):
                written[i] = [*written[i], label][-len(self.stop) :]
                going[i] = going[i] and written[i] != self.stop
            one = self.streams == 1
            out = shown[0] if one else shown
            yield out if logs is None else (out, logs[0] if one else logs)
            if not any(going):
                return
