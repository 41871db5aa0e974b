"""A network one time step at a time: its steppers, put together as its layers are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, DataError
from kerasnets.graph.models import Models
from kerasnets.graph.nodes import inputs_of, reach_of
from kerasnets.layers.fast.stepping import Stepper, along
from kerasnets.programs.program import FunctionProgram, Programs
from kerasnets.typing import Array

#: Steps of a seed that are read in one pass: fewer are as soon read one by one, and the memory
#: that attention takes for so many grows with their square.
AT_ONCE = range(16, 4096)


class StepNetwork:
    """A causal network that runs along sequences a step at a time.

    Parameters
    ----------
    nodes : list of nodes.Node
    outputs : list of str, optional
        Names of the layers whose outputs are wanted. Default: the last one.
    logits : callable, optional
        (x) -> logits of the last layer, in its place.
    classes : int, optional
        If given, the network reads labels, and its input is one-hot vectors of so many.

    Raises
    ------
    ConfigurationError
        If it has several inputs, or a layer that is not causal: naming it, and why.
    """

    def __init__(
        self,
        nodes: Any,
        logits: Any = None,
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
                f'expected one input to predict a sequence of, got {inputs}. Join them in one.'
            )
        self.source = inputs[0]
        self.reach = reach_of(self.nodes)  # steps that it has positions for, or None
        self.has_time = {self.source: True}
        self.steppers: dict[str, Stepper] = {}
        for node in self.nodes:
            if node.name != self.source:
                self._add(node)

    def _add(self, node: Any) -> None:
        before = [name.split(':')[0] for name in node.spec.inputs]
        time = any(self.has_time[name] for name in before)
        others = [name for name in node.spec.inputs if not name.endswith(':out')]
        found: Stepper | str = along(node.layer, time)
        if node.spec.states or others:
            found = f'it depends on {(others or [node.spec.states[0][1]])[0]!r}'
        if isinstance(found, str):
            raise node.spec.error(
                f'{found}, so the network cannot be sampled step by step. Use forward recurrent '
                'layers, attention, causal convolutions and layers that compute each step '
                'independently.'
            )
        self.steppers[node.name] = found
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
                f'further steps within that, got {steps}. Ask for fewer, or make it with '
                "positions='rotary' or a larger context."
            )

    def start(self, count: int) -> list[Any]:
        """States before the first step of so many sequences: a list of arrays for each layer."""
        return [stepper.start(count) for stepper in self.steppers.values()]

    def prepare(self) -> Callable[..., Any]:
        """Return a function of an input (count, …), states and the step's number t.

        It returns the outputs of the step, a list, and the states after it. What does not change
        from step to step is computed now.
        """
        labelled = {name for name in self.steppers if self._reads_labels(name)}
        steps = {
            name: stepper.prepare(self.classes if name in labelled else None)
            for name, stepper in self.steppers.items()
        }

        def advance(x: Any, states: Any, t: Any) -> Any:
            after: list[Any] = []

            def run(name: str, given: Any) -> Any:
                y, own = steps[name](given, states[len(after)], t)
                after.append(own)
                return y

            return self._run(x, run, labelled), after

        return advance

    def read(self, x: Any, length: Any) -> Any:
        """States after the first `length` steps of sequences (count, time, …)."""
        after: list[Any] = []

        def run(name: str, given: Any) -> Any:
            read = self.steppers[name].read
            assert read is not None  # as `padded_length` says
            y, own = read(given, length)
            after.append(own)
            return y

        self._run(x, run, ())
        return after

    def _run(self, x: Any, run: Any, labelled: Any) -> Any:
        """The network's outputs, or its logits, where `run` gives that of each layer."""
        one_hot = x if self.classes is None else ops.one_hot(x, self.classes)
        made = {self.source: one_hot}
        for node in self.nodes:
            if node.name == self.source:
                continue
            before = [made[name.split(':')[0]] for name in node.spec.inputs]
            given = before if len(before) > 1 else x if node.name in labelled else before[0]
            if node is self.nodes[-1] and self.logits is not None:
                return [self._last(given)]
            made[node.name] = run(node.name, given)
        return [made[name] for name in self.outputs]

    def _last(self, x: Any) -> Any:
        """The logits of one step, or of the whole sequence where that was given."""
        assert self.logits is not None
        one = len(keras.tree.flatten(x)[0].shape) == 2
        if one and any(self.has_time[name] for name in _before(self.nodes[-1])):
            return self.logits(keras.tree.map_structure(lambda y: y[:, None], x))[:, 0]
        return self.logits(x)

    def _reads_labels(self, name: str) -> bool:
        """Whether a layer can be given labels in the place of one-hot vectors."""
        node = next(node for node in self.nodes if node.name == name)
        alone = _before(node) == [self.source]
        return self.classes is not None and alone and self.steppers[name].of_labels


def _before(node: Any) -> list[str]:
    return [name.split(':')[0] for name in node.spec.inputs]


def _leading_to(nodes: Any, names: list[str]) -> list[Any]:
    """The nodes of those names, and those that they depend on, in their order."""
    wanted = set(names)
    found = []
    for node in reversed(nodes):
        if node.name in wanted:
            found.append(node)
            wanted.update(name.split(':')[0] for name in node.spec.sources)
    return found[::-1]


class StepPrograms:
    """The programs that run a network along sequences.

    Parameters
    ----------
    programs : Programs
        Of the network.
    network : StepNetwork
        Over the network's own layers.
    make : callable
        (nodes) -> the same over other nodes.
    *about
        What tells these programs from others over equal layers.
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

    def run(self, kind: Any, steps: Callable[..., Any], *args: Any) -> Any:
        """Run a compiled function.

        Parameters
        ----------
        kind : hashable
            What tells the function from the network's others.
        steps : callable
            (network, *args) -> results, written in `keras.ops`.
        *args
            Arrays, nested in lists as need be.
        """

        def build(models: Models) -> FunctionProgram:
            network = self.make(models.nodes)
            function = functools.partial(steps, network)
            return FunctionProgram(models, models.layer_variables, function)

        about = kind, *self.about
        program = self.programs.find(about, about, build)
        return program([v.value for v in self.programs.models.layer_variables], *args)

    def begin(self, seeds: Array, streams: int) -> tuple[int, Any]:
        """Return how many steps of some seeds are read already, and the states of all streams.

        Either none is read, or all but the last are, in one pass.

        Parameters
        ----------
        seeds : array (count, time, …)
        streams : int
            Sequences that go on from each.
        """
        count, length = seeds.shape[:2]
        padding = self.network.padded_length(length)
        if padding is None:
            return 0, self.network.start(count * streams)
        padded = np.zeros((count, padding, *seeds.shape[2:]), seeds.dtype)
        padded[:, :length] = seeds
        states = self.run('read', StepNetwork.read, padded, np.array(length - 1, 'i'))
        repeat = functools.partial(ops.repeat, repeats=streams, axis=0)
        return length - 1, keras.tree.map_structure(repeat, states)
