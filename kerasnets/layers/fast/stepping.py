"""Layers one time step at a time: what each remembers, and how it takes the next step.

Recurrent layers remember their states, attention the keys and values of the last `context`
steps, a causal convolution the inputs under its filter. The two latter keep them in a ring: step
t is written to slot t modulo the size, so that a step costs the same however long the sequence.

What does not change from step to step is computed before the first: a label's row of the input
weights, bias included, is read instead of a product with a one-hot vector. The gates of an
LSTM or GRU share one tanh, by logistic(z) = ½ tanh(z/2) + ½ with the ½ inside in the weights: XLA
takes longer over a logistic on a CPU.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets.layers import abilities, attention, dense
from kerasnets.layers.form import project
from kerasnets.typing import Tensor, TensorFunction, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel


@dataclasses.dataclass(frozen=True)
class Stepper:
    """How a layer runs along sequences.

    Attributes
    ----------
    start : callable
        (count) -> its states before the first step of `count` sequences, arrays (count, …).
    make_step : callable
        (classes) -> a function (x, states, t) -> (y, states) of the input (count, …) at step t.
        What does not change from step to step is computed when it is made. With classes, x are
        labels instead of one-hot vectors.
    read : callable, optional
        (x, length) -> (y, states) of whole sequences (count, time, …), of which the first
        `length` steps count.
    """

    start: Callable[[int], list[Any]]
    make_step: Callable[[Any], Any]
    read: Callable[[Any, Any], Any] | None = None
    of_labels: bool = False  # whether it reads labels faster than one-hot vectors


def along(layer: KerasLayer, time: bool = True) -> Stepper | str:
    """Return the `Stepper` of a built layer, or the reason why it has none.

    Parameters
    ----------
    layer : keras.layers.Layer
    time : bool
        Whether what the layer reads has an axis for time.
    """
    if isinstance(layer, keras.layers.RNN):
        return _recurrent(layer)
    if time and not _activates_by_steps(layer):
        return 'its activation computes a step from others'
    if isinstance(layer, keras.layers.Conv1D):
        return _convolution(layer)
    if isinstance(layer, keras.Model) and attention.attention_of(layer) is not None:
        return _Block(layer).stepper()
    name = type(layer).__name__
    axes = getattr(layer, 'axis', -1)
    known = abilities.of(type(layer))
    joins = isinstance(layer, keras.Model) and dense.of_model(layer) is not None
    if (known.by_steps or known.joins or joins) and axes in (-1, 2, [-1], [2], (-1,), (2,)):
        return _alone(layer, time)
    whole = 'bidirectional' if name == 'Bidirectional' else name
    return f'{whole} layers read the whole sequence'


def _activates_by_steps(layer: KerasLayer) -> bool:
    """Return False if the activation of a layer, a function of the user, mixes steps."""
    function: Any = getattr(layer, 'activation', None)
    module = str(getattr(function, '__module__', ''))
    if function is None or module.startswith(('kerasnets', 'keras.src.activations')):
        return True
    width = getattr(layer, 'units', None) or getattr(layer, 'filters', None) or 4
    steps = ops.convert_to_tensor(np.linspace(-1, 1, 4 * width).reshape(1, 4, width), 'float32')
    try:
        whole = ops.convert_to_numpy(function(steps))
        halves = [ops.convert_to_numpy(function(half)) for half in (steps[:, :2], steps[:, 2:])]
        return bool(np.allclose(whole, np.concatenate(halves, axis=1), atol=1e-5))
    except Exception:  # it needs a number of steps
        return False


def _alone(layer: KerasLayer, time: bool) -> Stepper:
    """Return the `Stepper` of a layer that treats each step by itself."""

    def step(x: Tensor, states: Tensors, t: Tensor) -> Tensors:
        if not time:
            return layer(x), states
        return layer(keras.tree.map_structure(lambda one: one[:, None], x))[:, 0], states

    return Stepper(lambda count: [], lambda classes: step, lambda x, length: (layer(x), []))


def _recurrent(layer: KerasLayer) -> Stepper | str:
    if layer.go_backwards:
        return 'it reads the sequence backwards'

    def make_step(classes: int | None) -> TensorFunction:
        advance = stepper(layer, classes)

        def step(x: Tensor, states: Tensors, t: Tensor) -> Tensors:
            y, states = advance(x, states)
            return y, keras.tree.flatten(states)

        return step

    def start(count: int) -> Tensors:
        return keras.tree.flatten(layer.cell.get_initial_state(batch_size=count))

    return Stepper(start, make_step, of_labels=True)


def _convolution(layer: KerasLayer) -> Stepper | str:
    (taps,), (apart,), (stride,) = layer.kernel_size, layer.dilation_rate, layer.strides
    if stride > 1 or (taps > 1 and layer.padding != 'causal'):
        return "it is not causal: write padding='causal', and no stride"
    inputs = layer.kernel.shape[1] * layer.groups
    size = max(1, (taps - 1) * apart)

    def step(x: Tensor, states: Tensors, t: Tensor) -> Tensors:
        (ring,) = states
        slots = (t - apart * ops.arange(taps - 1, 0, -1)) % size
        window = ops.concatenate([ops.take(ring, slots, axis=1), x[:, None]], axis=1)
        if layer.groups == 1:
            y = ops.einsum('bki,kio->bo', window, layer.kernel)
        else:
            y = ops.conv(window, layer.kernel, padding='valid')[:, 0]
        y = y if layer.bias is None else y + layer.bias
        return layer.activation(y), [ops.slice_update(ring, (0, t % size, 0), x[:, None])]

    def read(x: Tensor, length: Tensor) -> Tensor:
        last = _last(length, size)
        held = ops.take(x, ops.maximum(last, 0), axis=1)
        return layer(x), [ops.where(last[:, None] >= 0, held, 0.0)]

    def start(count: int) -> Tensors:
        return [np.zeros((count, size, inputs), 'float32')]

    return Stepper(start, lambda classes: step, read)


def _last(length: Tensor, size: int) -> Tensor:
    """Return the number of the last step in each slot of a ring after `length` steps.

    It is negative for a slot without a step.
    """
    return length - 1 - (length - 1 - ops.arange(size)) % size


class _Block:
    """A `Stepper`'s functions for the forms `attention` and `transformer`."""

    def __init__(self, model: KerasModel) -> None:
        self.parts = {layer.name: layer for layer in model.layers}
        self.attend = self.parts[attention.PART]
        self.size = attention.window(model)

    def stepper(self) -> Stepper:
        return Stepper(self.start, lambda classes: self.step, self.read)

    def start(self, count: int) -> Tensors:
        shape = count, self.size, self.attend.num_heads, self.attend.key_dim
        return [np.zeros(shape, 'float32') for _ in 'kv']

    def step(self, x: Tensor, states: Tensors, t: Tensor) -> Tensors:
        after: list[Any] = []

        def attend(x: Tensor) -> Tensor:
            q, *new = self._projected(x, t[None])
            at = (0, t % self.size, 0, 0)
            keys, values = (ops.slice_update(s, at, n) for s, n in zip(states, new))
            after.extend([keys, values])
            seen = _last(t + 1, self.size)[None] >= 0
            return attention.attended(self.attend, q, keys, values, seen)

        return attention.around(self.parts, x[:, None], t[None], attend)[:, 0], after

    def read(self, x: Tensor, length: Tensor) -> Tensor:
        held: list[Any] = []
        steps = ops.arange(x.shape[1])
        last = ops.maximum(_last(length, self.size), 0)

        def attend(x: Tensor) -> Tensor:
            held.extend(ops.take(z, last, axis=1) for z in self._projected(x, steps)[1:])
            return self.attend(x, x, use_causal_mask=True)

        return attention.around(self.parts, x, steps, attend), held

    def _projected(self, x: Tensor, steps: Tensor) -> Tensors:
        return attention.projected(self.attend, x, steps)


def stepper(layer: KerasLayer, classes: int | None = None) -> TensorFunction:
    """Return a function (x, states) -> (output, states) for one step of a recurrent layer.

    Parameters
    ----------
    layer : keras.layers.RNN
        Built. Its weights are read when the function is made.
    classes : int, optional
        If given, x are labels (streams,) below it, instead of one-hot vectors.

    >>> layer = keras.layers.LSTM(3)
    >>> y = layer(np.eye(4, dtype='f')[[[2]]])
    >>> step = stepper(layer, classes=4)
    >>> again, _ = step(np.array([2]), [np.zeros((1, 3), 'f')] * 2)
    >>> bool(np.abs(np.subtract(y, again)).max() < 1e-6)
    True
    """
    cell = layer.cell
    make = STEPS.get(type(cell))
    if make is not None and _is_usual(cell):
        return make(cell, classes)
    keywords = {'training': False} if 'training' in inspect.signature(cell.call).parameters else {}

    def step(x: Tensor, states: Tensors) -> Tensors:
        x = ops.one_hot(x, classes) if classes else x
        return cell(x, states, **keywords)

    return step


def _is_usual(cell: KerasLayer) -> bool:
    """Return True if a Keras cell uses the default activations and float32."""
    gates = getattr(cell, 'recurrent_activation', keras.activations.sigmoid)
    usual = cell.activation is keras.activations.tanh and gates is keras.activations.sigmoid
    return usual and cell.compute_dtype == 'float32'


def _reading(kernel: Tensor, bias: Tensor, classes: int | None) -> TensorFunction:
    """Return the function x -> x·kernel + bias, of labels or of vectors."""
    if classes:
        table = kernel if bias is None else kernel + bias
        return lambda labels: ops.take(table, labels, axis=0)
    return lambda x: project(x, kernel, bias)


#: Factors inside and outside of the tanh of i, f, g, o.
LSTM_SCALES = 0.5, 0.5, 1.0, 0.5


def lstm_step(sums: Sequence[Tensor], c: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return the next h and c of an LSTM, and its gates i, f, g, o.

    `sums` are the sums at the four gates, each times its `LSTM_SCALES`, and `c` is the cell's
    state.
    """
    gates = [ops.tanh(z) * s + (1 - s) for z, s in zip(sums, LSTM_SCALES)]
    i, f, g, o = gates
    c = f * c + i * g
    return o * ops.tanh(c), c, gates


def gru_step(
    h: Tensor,
    zr: Tensor,
    x: Tensor,
    inner: Callable[[Tensor], Tensor],
    activation: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the next state h of a GRU, its gates z and r in one tensor, and its candidate g.

    Parameters
    ----------
    h : tensor (examples, units)
        The state.
    zr : tensor (examples, 2·units)
        Half the sums at the gates z and r.
    x : tensor (examples, units)
        The input's part of the sum at g.
    inner : callable
        (r) -> the state's part of the sum at g.
    activation : callable
        Of g.
    """
    zr = ops.tanh(zr) * 0.5 + 0.5
    z, r = ops.split(zr, 2, axis=-1)
    g = activation(x + inner(r))
    return z * h + (1 - z) * g, zr, g


def _lstm(cell: KerasLayer, classes: int | None) -> Tensor:
    scale = np.repeat(LSTM_SCALES, cell.units).astype('f')
    bias = cell.bias * scale if cell.use_bias else None
    read = _reading(cell.kernel * scale, bias, classes)
    recurrent = cell.recurrent_kernel * scale

    def step(x: Tensor, states: Tensors) -> Tensors:
        h, c = states
        h, c, _ = lstm_step(ops.split(read(x) + project(h, recurrent), 4, axis=-1), c)
        return h, [h, c]

    return step


def _gru(cell: KerasLayer, classes: int | None) -> Tensor:
    units, scale = cell.units, np.repeat([0.5, 0.5, 1.0], cell.units).astype('f')
    before, after = cell.bias, None
    if cell.use_bias and cell.reset_after:
        before, after = cell.bias[0], cell.bias[1] * scale
    read = _reading(cell.kernel * scale, before * scale if cell.use_bias else None, classes)
    recurrent = cell.recurrent_kernel * scale
    gates, rest = recurrent[:, : 2 * units], recurrent[:, 2 * units :]

    def step(x: Tensor, states: Tensors) -> Tensors:
        (h,) = states
        x = read(x)
        inner = project(h, recurrent, after) if cell.reset_after else project(h, gates)

        def at_g(r: Tensor) -> Tensor:
            return r * inner[:, 2 * units :] if cell.reset_after else project(r * h, rest)

        sums = x[:, : 2 * units] + inner[:, : 2 * units]
        h, _, _ = gru_step(h, sums, x[:, 2 * units :], at_g, ops.tanh)
        return h, [h]

    return step


def _rnn(cell: KerasLayer, classes: int | None) -> Tensor:
    read = _reading(cell.kernel, cell.bias if cell.use_bias else None, classes)

    def step(x: Tensor, states: Tensors) -> Tensors:
        h = ops.tanh(read(x) + project(states[0], cell.recurrent_kernel))
        return h, [h]

    return step


STEPS = {
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
    keras.layers.SimpleRNNCell: _rnn,
}
