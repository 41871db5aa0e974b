"""`DataSpec`: maps the arrays a user passes to the tensors the network consumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets.data.array_spec import (
    ArraySpec,
    Ragged,
    dense,
    end_to_end,
    fill,
    is_ragged,
    turn,
)
from kerasnets.errors import DataError
from kerasnets.graph.masks import Padded, check
from kerasnets.graph.nodes import classes_of, find_output, full_name, inputs_of, reach_of

if TYPE_CHECKING:
    from kerasnets.graph.nodes import Node
    from kerasnets.losses import Loss
    from kerasnets.typing import Array, Data, Shape, Tensor

#: For each input: the kind of its spec, and whether a mask comes with it.
Layout = tuple[tuple[str, bool], ...]


class DataSpec:
    """The inputs, targets and weights of a network.

    Parameters
    ----------
    nodes : list of nodes.Node
    losses : list of losses.Loss
    model : keras.Model
        The network's own Keras model.
    takes_labels : bool
        Whether inputs may be integers (examples, time) that stand for one-hot rows. The compiled
        model makes these rows batch by batch.
    time_major : bool
        Whether arrays of sequences have time as their first axis, and examples as the second.
    """

    def __init__(
        self,
        nodes: list[Node],
        losses: list[Loss],
        model: Any,
        takes_labels: bool = False,
        time_major: bool = False,
    ) -> None:
        self.nodes = nodes
        self.losses = losses
        self.model = model
        self.takes_labels = takes_labels
        self.time_major = time_major
        self.inputs = inputs_of(nodes)
        self.longest = reach_of(nodes)
        self.leads = [self._lead(i) for i in range(len(losses))]
        self.own = [
            self._own(i) for i in range(len(losses))
        ]  # the loss, reduced to the data that no earlier loss reads
        self._shapes: Any = {}
        self._tensors: dict[Layout, tuple[list[Tensor], dict[str, Tensor], list[Any]]] = {}

    def arrays(self, x: Data) -> list[Any]:
        """Return the arrays for all inputs, in order, from one array, a list or a dict.

        Raises
        ------
        DataError
            If their number or their names are wrong.
        """
        names = list(self.inputs)
        if isinstance(x, Mapping):
            if set(x) != set(names):
                raise DataError(
                    f'expected a dict of inputs named {names}, got {list(x)}. Rename its keys.'
                )
            return [x[name] for name in names]
        if len(names) == 1:
            return [x]
        if not isinstance(x, (list, tuple)) or len(x) != len(names):
            got = f'{len(x)} of them' if isinstance(x, (list, tuple)) else type(x).__name__
            raise DataError(
                f'expected a list or dict of arrays for the inputs {names}, got {got}. '
                'Pass one array for each.'
            )
        return list(x)

    def spread(self, data: Data) -> list[Any]:
        """Return inputs, targets and weights as one flat list.

        The inputs may be separate items, or the first item as a dict or a list.
        """
        data = list(data)
        nested = len(self.inputs) > 1 and data and isinstance(data[0], (list, tuple))
        if data and (isinstance(data[0], Mapping) or (nested and len(data[0]) == len(self.inputs))):
            return [*self.arrays(data[0]), *data[1:]]
        return data

    def fit(self, data: Data) -> tuple[list[ArraySpec], list[Any]]:
        """Return the specs of the training data, and the data as a flat list."""
        data = self.turned(self.spread(data))
        inputs = self.specs(data)
        specs = list(inputs)
        for loss in self.own:
            specs += self.specs_of(loss, inputs, data, data[len(specs) :])
        return specs, data

    def turned(self, data: list[Any]) -> list[Any]:
        """Return a flat list of arrays, inputs first, with examples as their first axis."""
        if not self.time_major:
            return data
        deep = [len(values.shape) > 2 for values in self.inputs.values()]
        rest = len(self.nodes[-1].output.shape) > 2
        return [turn(a) if (deep[i] if i < len(deep) else rest) else a for i, a in enumerate(data)]

    def _lead(self, i: int) -> int:
        """Return the index of the first loss that reads the same target array as loss `i`."""
        key = self._key(self.losses[i])
        return next(j for j in range(i + 1) if j == i or key == self._key(self.losses[j]))

    def _key(self, loss: Any) -> Any:
        # a loss whose target is an output, or its own data, shares nothing
        name = full_name(self.nodes, loss.output_name) if self.nodes else None
        return (name, loss.of_labels) if loss.target is None else id(loss)

    def _own(self, i: int) -> Loss:
        """Return a loss, reduced to the data that no earlier loss reads."""
        loss, lead = self.losses[i], self.leads[i]
        if lead == i:
            return dataclasses.replace(loss, target=None) if loss.target is True else loss
        weighted = loss.weighted and not self.losses[lead].weighted
        return dataclasses.replace(loss, target='that of another', weighted=weighted)

    def specs(self, arrays: list[Any]) -> list[ArraySpec]:
        """Return the specs of the inputs for some arrays: labels or values, ragged or not."""
        return [
            self._input(name, tensor, arrays[i] if i < len(arrays) else ())
            for i, (name, tensor) in enumerate(self.inputs.items())
        ]

    def specs_of(
        self, loss: Loss, inputs: list[ArraySpec], data: list[Any], rest: list[Any]
    ) -> list[ArraySpec]:
        """Return the specs of the target and the weights of a loss."""
        output = find_output(self.nodes, loss.output_name)
        exact = self._exact(output, inputs, data)
        shapes = loss.target_shape(exact), loss.target_shape(output.shape)
        weights = loss.weights_shape(exact)
        padded = any(spec.masked for spec in inputs)
        specs: list[ArraySpec] = []

        def ragged(shape: Shape) -> bool:  # the array for the next spec
            given = rest[len(specs) : len(specs) + 1]
            axes = {len(shape), len(shape) + 1 if loss.of_labels else len(shape) - 1}
            steps = len(shape) > 1 and shape[1] is None
            return padded and steps and any(is_ragged(one, n) for one in given for n in axes)

        if loss.target is None:
            name = f'targets ({loss.output_name or self.nodes[-1].name!r})'
            given: Any = {'static': shapes[1], 'ragged': ragged(shapes[0])}
            if loss.of_labels:
                given |= {'kind': 'labels', 'classes': exact[-1], 'dtype': 'int32'}
            specs.append(ArraySpec(name, shapes[0], **given))
        if loss.weighted:
            static = (None,) * len(weights)
            found = ragged(weights)
            specs.append(ArraySpec('weights', weights, 'weights', static=static, ragged=found))
        return specs

    def to_score(self, loss: Loss, x: Data, y: Data, w: Data = None) -> tuple[Array, Array]:
        """Return checked targets and weights for a score, with sequences concatenated.

        Weights may have fewer axes than the targets. Without weights, return an array of one 1.
        """
        arrays = self.arrays(x)
        loss = dataclasses.replace(loss, weighted=w is not None)
        data = self.turned([*arrays, y] if w is None else [*arrays, y, w])
        inputs = self.specs(data)
        specs = [*inputs, *self.specs_of(loss, inputs, data, data[len(inputs) :])]
        y, *w = (dense(array) for array in fill(specs, data)[len(inputs) :])
        if self.time_major and len(self.nodes[-1].output.shape) > 2:
            y, *w = map(turn, (y, *w))  # as predictions are
        if w and isinstance(y, Ragged) and not isinstance(w[0], Ragged):
            w = [np.repeat(w[0], y.lengths, axis=0).reshape(-1, *w[0].shape[2:])]
        y, *w = (end_to_end(array) for array in (y, *w))
        if not y.size:
            raise DataError('expected at least one example to score, got none. Pass more data.')
        if w and not w[0].any():
            raise DataError('weights add up to 0. Give at least one example a positive weight.')
        return y, w[0] if w else np.ones(1)

    @staticmethod
    def layout(specs: list[ArraySpec]) -> Layout:
        """Return (kind, masked) of each spec: a key for `entry` and `tensors`."""
        return tuple((spec.kind, spec.masked) for spec in specs)

    def plain_layout(self) -> Layout:
        """Return the layout of arrays of values."""
        return self.layout(self.specs([]))

    def entry(self, layout: Layout) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Return tensors for the inputs' batches, and the outputs of the input layers."""
        tensors, sources = [], {}
        for (kind, masked), (name, values) in zip(layout, self.inputs.items()):
            tensors.append(values)
            source = values
            if kind == 'labels' and self._spreads(values):
                tensors[-1] = keras.Input(batch_shape=values.shape[:-1], dtype='int32')
                source = ops.one_hot(tensors[-1], values.shape[-1], dtype=values.dtype)
            if masked:
                tensors.append(keras.Input((None,), dtype='bool', name=f'{name}_mask'))
                source = Padded()([source, tensors[-1]])
            sources[name] = source
        return tensors, sources

    def tensors(self, layout: Layout) -> tuple[list[Tensor], dict[str, Tensor], list[Any]]:
        """Return the tensors of all data: (inputs, sources as in `entry`, targets)."""
        if layout not in self._tensors:
            inputs, sources = self.entry(layout)
            targets: list[Any] = []
            for i, loss in enumerate(self.losses):
                output = find_output(self.nodes, loss.output_name)
                name = full_name(self.nodes, loss.output_name).replace(':', '_')
                own = self.own[i].data(f'{name}_{i}' if i else name, output)
                if self.leads[i] < i:
                    target, *weights = targets[self.leads[i]]
                    own = [target, *(own or weights if loss.weighted else ())]
                targets.append(own)
            self._tensors[layout] = inputs, sources, targets
        return self._tensors[layout]

    def _spreads(self, values: Tensor) -> bool:
        """Return True if labels for this input stand for one-hot rows."""
        return self.takes_labels and len(values.shape) > 2 and 'float' in values.dtype

    def _input(self, name: str, values: Tensor, x: Any) -> ArraySpec:
        static = tuple(values.shape)
        called = f'inputs ({name!r})'
        classes = classes_of(self.nodes, name)
        if classes is not None:
            return self._sized(
                ArraySpec(called, static, 'labels', classes, static, values.dtype), x
            )
        if self._spreads(values) and _are_labels(x, len(static) - 1):
            spec = ArraySpec(called, static[:-1], 'labels', static[-1], static[:-1], 'int32')
            return self._sized(spec, x)
        return self._sized(ArraySpec(called, static, static=static, dtype=values.dtype), x)

    def _sized(self, spec: ArraySpec, x: Any) -> ArraySpec:
        """Return the spec, set to ragged if the data is sequences of different lengths."""
        free = len(spec.shape) > 1 and spec.shape[1] is None
        spec = dataclasses.replace(spec, longest=self.longest if free else None)
        axes = len(spec.shape)
        one = axes == 3 and spec.of_one_value  # one value a step
        if not free or not (is_ragged(x, axes) or (one and is_ragged(x, axes - 1))):
            return spec
        check(self.nodes)
        return dataclasses.replace(spec, ragged=True, masked=True)

    def _exact(self, output: Any, inputs: Any, arrays: Any) -> Any:
        """Return the shape of an output for the lengths of the input arrays."""
        whole = tuple(output.shape)
        if output is not self.nodes[-1].output or any(spec.ragged for spec in inputs):
            return whole
        shapes = []
        for spec, array, values in zip(inputs, arrays, self.inputs.values()):
            got = getattr(array, 'shape', ())
            if spec.kind == 'labels' and self._spreads(values):
                got = (*got, values.shape[-1])
            elif len(got) == len(values.shape) - 1 and spec.of_one_value:
                got = (*got, 1)
            if len(got) != len(values.shape) or 0 in got[1:]:
                return whole
            want = zip(got[1:], values.shape[1:])
            shapes.append((None, *(n if n is not None else m for m, n in want)))
        if len(shapes) < len(self.inputs):
            return whole
        key = tuple(shapes)
        if key not in self._shapes:
            found = self.model.compute_output_shape(shapes if shapes[1:] else shapes[0])
            self._shapes[key] = tuple(found[0] if isinstance(found, list) else found)
        return self._shapes[key]


def _are_labels(x: Any, ndim: int) -> bool:
    """Return True if data holds integer labels with `ndim` axes."""
    if is_ragged(x, ndim):
        arrays = [np.asarray(sequence) for sequence in x]
        return all(a.dtype.kind in 'iu' and a.ndim == ndim - 1 for a in arrays)
    if is_ragged(x, ndim + 1):
        return False
    return np.ndim(x) == ndim and np.asarray(x).dtype.kind in 'iu'
