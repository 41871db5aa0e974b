"""Predictions over the chunks of a stream: each chunk continues where the last one ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from kerasnets.data.array_spec import Ragged, fill, turn
from kerasnets.errors import DataError
from kerasnets.graph.nodes import Node
from kerasnets.programs.program import Programs
from kerasnets.sampling.loop import run_steps
from kerasnets.sampling.sampler import StepNetwork, StepPrograms
from kerasnets.typing import Array, Data, Tensor, Tensors

#: Steps in one call of the compiled loop, for which it is compiled: short and long chunks.
SHORT, LONG = 8, 128


class Stream:
    """Sequences that a network reads in chunks, as `Network.stream` makes it.

    Layers keep their states from one chunk to the next, so that the outputs are those of one
    `predict` over the whole sequences. The network holds none of it: it can run any number of
    streams side by side.

    Attributes
    ----------
    steps : int
        Number of steps that were read.

    >>> net = kerasnets.recurrent.Regressor([4, (6, 'lstm'), 2])
    >>> stream, x = net.stream(), np.ones((3, 10, 4))
    >>> first, rest = stream.predict(x[:, :7]), stream.predict(x[:, 7:])
    >>> np.allclose(np.concatenate([first, rest], axis=1), net.predict(x), atol=1e-6)
    True
    """

    def __init__(self, programs: Programs) -> None:
        self._spec, nodes = programs.models.data_spec, programs.models.nodes
        self._programs, self._network = programs, StepNetwork(nodes)
        for node in nodes:
            if getattr(node.layer, 'mask_zero', False):
                raise node.spec.error(
                    'its steps of label 0 are hidden, which a stream cannot do. Leave out '
                    'mask_zero, and remove these steps.'
                )
        self._whole = self._network.has_time[nodes[-1].name]
        self.reset()

    def reset(self) -> None:
        """Begin new sequences."""
        self._states: Any = None
        self._count, self.steps = 0, 0

    def predict(self, x: Data) -> Array:
        """Return the network's output for the next chunk.

        A network with one output for each sequence returns that for all steps until now.

        Parameters
        ----------
        x : array (examples, time, …)
            The same sequences in each chunk, in the same order, with any number of steps.

        Returns
        -------
        array (examples, time, values)
            As `predict` of the network returns it.

        Raises
        ------
        DataError
            If the chunk does not fit the network or the chunks before. The states are then as
            before.
        """
        (x,) = self._spec.turned(self._spec.arrays(x))
        specs = self._spec.specs([x])
        (x,) = fill(specs, [x], 'inputs')
        if isinstance(x, Ragged):
            raise DataError(
                'inputs: expected a chunk of one length, got sequences of different lengths. Pass '
                'an array, or make a stream for each sequence.'
            )
        (x,) = specs[0].batch(x, slice(None))
        if not len(x) or (self.steps and len(x) != self._count):
            count = self._count if self.steps else 'at least 1'
            raise DataError(
                f'inputs: expected {count} sequence(s) in each chunk, got {len(x)}. Pass the same '
                'sequences in each chunk, or call reset() to begin new ones.'
            )
        self._network.check_length(self.steps + x.shape[1])
        y = self._run(x)
        return turn(y) if self._spec.time_major and y.ndim > 2 else y

    def _run(self, x: Array) -> Array:
        """Return the outputs of a chunk (examples, time, …), and keep the states after it."""
        nodes = self._programs.models.nodes
        shape = nodes[0].output.shape
        classes = shape[-1] if x.ndim < len(shape) else None  # labels instead of one-hot vectors

        def make(nodes: Sequence[Node]) -> StepNetwork:
            return StepNetwork(nodes, classes=classes)

        programs = StepPrograms(self._programs, make(nodes), make, classes)
        states = self._network.start(len(x)) if self._states is None else self._states
        size = SHORT if x.shape[1] <= SHORT else LONG
        outputs = []
        for start in range(0, x.shape[1], size):
            part = np.swapaxes(x[:, start : start + size], 0, 1)
            inputs = np.zeros((size, *part.shape[1:]), part.dtype)
            inputs[: len(part)] = part
            times = np.array([self.steps + start, len(part)], 'i')
            record, states = programs.call('stream', _steps, inputs, times, states)
            outputs.append(ops.convert_to_numpy(record)[: len(part)])
        self._states, self._count, self.steps = states, len(x), self.steps + x.shape[1]
        return np.swapaxes(np.concatenate(outputs), 0, 1) if self._whole else outputs[-1][-1]


class LabelStream(Stream):
    """A `Stream` of a Classifier."""

    def predict(self, x: Data) -> Array:
        """Return the most probable class of each step of the next chunk: (examples, time)."""
        return self.predict_proba(x).argmax(axis=-1)

    def predict_proba(self, x: Data) -> Array:
        """Return the probability of each class: array (examples, time, classes)."""
        return super().predict(x)


def _steps(
    network: StepNetwork, inputs: Tensor, times: Tensor, states: Tensors
) -> tuple[Tensor, Tensors]:
    """Run steps (time, examples, …); return the outputs of all of them, and the states."""
    first, count = times[0], times[1]
    advance = network.make_step()
    last = network.nodes[-1].output.shape
    shape = last[2:] if network.has_time[network.outputs[0]] else last[1:]
    record = ops.zeros((*inputs.shape[:2], *shape), 'float32')

    def step(held: Any, parts: list[Tensor], i: Tensor) -> tuple[Any, list[Tensor]]:
        (y,), own = advance(parts[0], held, first + i)
        return own, [ops.cast(y, 'float32')]

    states, (record,) = run_steps(step, count, [inputs], states, [record])
    return record, states
