"""Recurrent layers with hand-written gradients through time, for training under XLA.

The input's product is made for all steps at once before the loop, the gradients of the weights
after it, and the loops keep no more than the other needs. Gates are known from one tanh, by
logistic(z) = ½ tanh(z/2) + ½. The weights are those of the stock layer, and the numbers differ
by rounding only.

P. J. Werbos (1990), "Backpropagation through time: what it does and how to do it", Proceedings of
the IEEE 78(10).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets.layers.fast.stepping import LSTM_SCALES, gru_step, lstm_step
from kerasnets.layers.form import project
from kerasnets.typing import Tensor, TensorFunction, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

#: Derivatives of activations, from what they put out.
SLOPES = {
    keras.activations.tanh: lambda y: 1 - y * y,
    keras.activations.relu: lambda y: ops.cast(y > 0, y.dtype),
    keras.activations.sigmoid: lambda y: y * (1 - y),
    keras.activations.linear: ops.ones_like,
}


def _scan(
    step: TensorFunction,
    state: Tensors,
    sequences: Tensors,
    widths: Sequence[int],
    backwards: bool = False,
) -> Tensors:
    """Run a step over time. Return its outputs, each a sequence (time, examples, width).

    The outputs are new sequences. XLA would copy a whole sequence in each step of a loop that
    writes to a sequence which it reads.

    Parameters
    ----------
    step : callable
        (state, the values of each sequence at a step) -> the next state and the outputs.
    state : tensor or tuple of tensor
        Before the first step.
    sequences : list of tensor (time, examples, …)
    widths : sequence of int
        Last dimension of each output.
    backwards : bool
        Whether the last step comes first.
    """
    steps, examples = sequences[0].shape[:2]

    def advance(k: Tensor, carry: Tensors) -> Tensors:
        state, outputs = carry
        t = steps - 1 - k if backwards else k
        read = [ops.slice(one, (t, 0, 0), (1, *one.shape[1:]))[0] for one in sequences]
        state, values = step(state, *read)
        outputs = [ops.slice_update(o, (t, 0, 0), v[None]) for o, v in zip(outputs, values)]
        return state, outputs

    outputs = [ops.zeros((steps, examples, width)) for width in widths]
    return ops.fori_loop(0, steps, advance, (state, outputs))[1]


def _late(sequence: Tensor) -> Tensor:
    """Return a sequence shifted one step later, with zeros first."""
    return ops.concatenate([ops.zeros_like(sequence[:1]), sequence[:-1]], axis=0)


def _rows(sequence: Tensor) -> Tensor:
    return ops.reshape(sequence, (-1, sequence.shape[-1]))


def _product(before: Tensor, after: Tensor) -> Tensor:
    """Return the gradient of a matrix, from its input and the gradient of its output."""
    return ops.matmul(ops.transpose(_rows(before)), _rows(after))


def _turned(kernel: Tensor, blocks: int) -> Tensors:
    """Return the blocks of a recurrent kernel, each transposed."""
    return [ops.transpose(block) for block in ops.split(kernel, blocks, axis=-1)]


def _by_hand(forward: TensorFunction, backward: TensorFunction) -> TensorFunction:
    """Return a function of (sums, *weights) with a hand-written gradient.

    Parameters
    ----------
    forward : callable
        (sums (time, examples, …), *weights) -> the outputs (time, examples, units), and what
        the way back needs to know.
    backward : callable
        (gradient of the outputs, outputs, what was kept, *weights) -> the gradients of the sums
        and of the weights.
    """

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def loop(*args: Any) -> Tensor:
        hs, kept = forward(*args)

        def grad(*upstreams: Any, upstream: Tensor | None = None) -> Tensors:
            upstream = upstreams[-1] if upstream is None else upstream
            return backward(upstream, hs, kept, *args[1:])

        return hs, grad

    return loop


def _lstm(cell: KerasLayer, x: Tensor) -> Tensor:
    """Return the outputs (time, examples, units) of an LSTM."""
    sums = project(x, cell.kernel, cell.bias)
    return _by_hand(_lstm_ahead, _lstm_back)(sums, ops.convert_to_tensor(cell.recurrent_kernel))


def _lstm_ahead(sums: Tensor, kernel: Tensor) -> Tensors:
    units = kernel.shape[0]

    def step(state: Tensors, x: Tensor) -> Tensors:
        h, c = state
        sums = ops.split(x + ops.matmul(h, kernel), 4, axis=-1)
        h, c, gates = lstm_step([z * scale for z, scale in zip(sums, LSTM_SCALES)], c)
        return (h, c), [*gates, h, c]

    zeros = ops.zeros((sums.shape[1], units))
    *gates, hs, cs = _scan(step, (zeros, zeros), [sums], [units] * 6)
    return hs, (gates, cs)


def _lstm_back(upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor) -> Tensors:
    (i, f, g, o), cs = kept
    tanh = ops.tanh(cs)
    factors = [g * i * (1 - i), _late(cs) * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)]
    factors, between = ops.concatenate(factors, axis=-1), o * (1 - tanh * tanh)
    turned = ops.transpose(kernel)

    def step(state: Tensors, dy: Tensor, factors: Tensor, between: Tensor, f: Tensor) -> Tensors:
        dh, dc = state
        dh = dh + dy
        dc = dc + dh * between
        change = ops.concatenate([dc, dc, dc, dh], axis=-1) * factors
        return (ops.matmul(change, turned), dc * f), [change]

    zeros, sequences = ops.zeros_like(hs[0]), [upstream, factors, between, f]
    (changes,) = _scan(step, (zeros, zeros), sequences, [kernel.shape[1]], backwards=True)
    return changes, _product(_late(hs), changes)


def _gru(cell: KerasLayer, x: Tensor) -> Tensor:
    """Return the outputs (time, examples, units) of a GRU."""
    kernel = ops.convert_to_tensor(cell.recurrent_kernel)
    slope = SLOPES[cell.activation]
    if not cell.reset_after:
        forward = functools.partial(_gru_ahead, cell.activation)
        backward = functools.partial(_gru_back, slope)
        return _by_hand(forward, backward)(project(x, cell.kernel, cell.bias), kernel)
    first, inner = None, ops.zeros(3 * cell.units)
    if cell.use_bias:
        first, inner = cell.bias[0], cell.bias[1]
    forward = functools.partial(_reset_after_ahead, cell.activation)
    backward = functools.partial(_reset_after_back, slope)
    return _by_hand(forward, backward)(project(x, cell.kernel, first), kernel, inner)


def _gru_ahead(activation: TensorFunction, sums: Tensor, kernel: Tensor) -> Tensors:
    units = kernel.shape[0]
    gates, last = kernel[:, : 2 * units] * 0.5, kernel[:, 2 * units :]

    def step(h: Tensor, zr: Tensor, g: Tensor) -> Tensors:
        zr = zr + ops.matmul(h, gates)
        h, zr, g = gru_step(h, zr, g, lambda r: ops.matmul(r * h, last), activation)
        return h, [zr, g, h]

    return _gru_loop(step, sums, units)


def _gru_loop(step: TensorFunction, sums: Tensor, units: int) -> Tensors:
    """Return the outputs of all steps, and their gates zr and g.

    `step` maps h and the input's parts of the sums at zr, halved, and at g to the next h and
    [zr, g, h].
    """
    sequences = [sums[:, :, : 2 * units] * 0.5, sums[:, :, 2 * units :]]
    zeros = ops.zeros((sums.shape[1], units))
    *kept, hs = _scan(step, zeros, sequences, [2 * units, units, units])
    return hs, kept


def _gru_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor
) -> Tensors:
    (z, r), g, before = ops.split(kept[0], 2, axis=-1), kept[1], _late(hs)
    of_z, of_r, of_g = (before - g) * z * (1 - z), before * r * (1 - r), (1 - z) * slope(g)
    by_z, by_r, by_g = _turned(kernel, 3)

    def step(dh: Tensor, dy: Tensor, z: Tensor, r: Tensor, *factors: Tensor) -> Tensors:
        of_z, of_r, of_g = factors
        dh = dh + dy
        inner = ops.matmul(dh * of_g, by_g)  # of r h, of which the third block makes a product
        back = ops.matmul(dh * of_z, by_z) + ops.matmul(inner * of_r, by_r)
        return back + dh * z + inner * r, [dh, inner]

    sequences, widths = [upstream, z, r, of_z, of_r, of_g], [kernel.shape[0]] * 2
    dhs, dinner = _scan(step, ops.zeros_like(hs[0]), sequences, widths, backwards=True)
    zr, last = ops.concatenate([dhs * of_z, dinner * of_r], axis=-1), dhs * of_g
    dkernel = ops.concatenate([_product(before, zr), _product(r * before, last)], axis=-1)
    return ops.concatenate([zr, last], axis=-1), dkernel


def _reset_after_ahead(
    activation: TensorFunction, sums: Tensor, kernel: Tensor, bias: Tensor
) -> Tensors:
    units = kernel.shape[0]
    scale = np.repeat([0.5, 0.5, 1.0], units).astype('f')
    scaled, bias = kernel * scale, bias * scale

    def step(h: Tensor, zr: Tensor, g: Tensor) -> Tensors:
        inner = ops.matmul(h, scaled) + bias
        zr, last = zr + inner[:, : 2 * units], inner[:, 2 * units :]
        h, zr, g = gru_step(h, zr, g, lambda r: r * last, activation)
        return h, [zr, g, h]

    return _gru_loop(step, sums, units)


def _reset_after_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor, bias: Tensor
) -> Tensors:
    units = kernel.shape[0]
    (z, r), g, before = ops.split(kept[0], 2, axis=-1), kept[1], _late(hs)
    inner = project(before, kernel[:, 2 * units :], bias[2 * units :])
    of_g = (1 - z) * slope(g)
    factors = [(before - g) * z * (1 - z), of_g * inner * r * (1 - r), of_g * r]
    blocks = _turned(kernel, 3)

    def step(dh: Tensor, dy: Tensor, z: Tensor, *factors: Tensor) -> Tensors:
        dh = dh + dy
        back = dh * z
        for factor, block in zip(factors, blocks):
            back = back + ops.matmul(dh * factor, block)
        return back, [dh]

    sequences = [upstream, z, *factors]
    (dhs,) = _scan(step, ops.zeros_like(hs[0]), sequences, [units], backwards=True)
    outer, inner = (
        ops.concatenate([dhs * factor for factor in (*factors[:2], last)], axis=-1)
        for last in (of_g, factors[2])
    )
    return outer, _product(before, inner), ops.sum(inner, axis=(0, 1))


def _rnn(cell: KerasLayer, x: Tensor) -> Tensor:
    """Return the outputs (time, examples, units) of a simple recurrent layer."""
    forward = functools.partial(_rnn_ahead, cell.activation)
    backward = functools.partial(_rnn_back, SLOPES[cell.activation])
    sums = project(x, cell.kernel, cell.bias)
    return _by_hand(forward, backward)(sums, ops.convert_to_tensor(cell.recurrent_kernel))


def _rnn_ahead(activation: TensorFunction, sums: Tensor, kernel: Tensor) -> Tensors:
    def step(h: Tensor, x: Tensor) -> Tensors:
        h = activation(x + ops.matmul(h, kernel))
        return h, [h]

    (hs,) = _scan(step, ops.zeros_like(sums[0]), [sums], [kernel.shape[0]])
    return hs, None


def _rnn_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor
) -> Tensors:
    turned = ops.transpose(kernel)

    def step(dh: Tensor, dy: Tensor, slope: Tensor) -> Tensors:
        change = (dh + dy) * slope
        return ops.matmul(change, turned), [change]

    sequences, widths = [upstream, slope(hs)], [kernel.shape[0]]
    (changes,) = _scan(step, ops.zeros_like(hs[0]), sequences, widths, backwards=True)
    return changes, _product(_late(hs), changes)


#: Layer -> function (cell, inputs (time, examples, variables)) -> outputs, time first.
LOOPS = {
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
    keras.layers.SimpleRNN: _rnn,
}
