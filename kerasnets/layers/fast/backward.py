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


def _at(sequence: Tensor, t: Tensor) -> Tensor:
    """Return step t of a sequence (time, examples, units)."""
    return ops.slice(sequence, (t, 0, 0), (1, *sequence.shape[1:]))[0]


def _put(sequence: Tensor, t: Tensor, values: Tensor) -> Tensor:
    return ops.slice_update(sequence, (t, 0, 0), values[None])


def _loop(steps: Tensor, step: TensorFunction, state: Tensors, at_once: int = 1) -> Tensors:
    """Return the state after a number of steps ``step(t, state)``, several in each round.

    Where steps are short, a round costs as much as they do.
    """

    def rounds(k: Tensor, state: Tensors) -> Tensors:
        for i in range(at_once):
            state = step(k * at_once + i, state)
        return state

    state = ops.fori_loop(0, steps // at_once, rounds, state)
    for t in range(steps - steps % at_once, steps):
        state = step(t, state)
    return state


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
    scaled = kernel * np.repeat(LSTM_SCALES, units).astype('f')

    def step(t: Tensor, state: Tensors) -> Tensors:
        h, c, *gates, hs, cs = state  # the gates take the place of the sums
        inner = ops.split(ops.matmul(h, scaled), 4, axis=-1)
        h, c, opened = lstm_step([_at(x, t) + y for x, y in zip(gates, inner)], c)
        gates = [_put(gate, t, values) for gate, values in zip(gates, opened)]
        return h, c, *gates, _put(hs, t, h), _put(cs, t, c)

    empty = ops.zeros((*sums.shape[:2], units))
    gates = [x * s for x, s in zip(ops.split(sums, 4, axis=-1), LSTM_SCALES)]
    _, _, *gates, hs, cs = _loop(sums.shape[0], step, (empty[0], empty[0], *gates, empty, empty))
    return hs, (gates, cs)


def _lstm_back(upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor) -> Tensors:
    (i, f, g, o), cs = kept
    tanh = ops.tanh(cs)
    factors = [g * i * (1 - i), _late(cs) * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)]
    factors, between = ops.concatenate(factors, axis=-1), o * (1 - tanh * tanh)
    turned = ops.transpose(kernel)

    def step(k: Tensor, state: Tensors) -> Tensors:
        dh, dc, changes = state
        t = hs.shape[0] - 1 - k
        dh = dh + _at(upstream, t)
        dc = dc + dh * _at(between, t)
        change = ops.concatenate([dc, dc, dc, dh], axis=-1) * _at(factors, t)
        return ops.matmul(change, turned), dc * _at(f, t), _put(changes, t, change)

    state = (ops.zeros_like(hs[0]), ops.zeros_like(hs[0]), ops.zeros_like(factors))
    *_, changes = _loop(hs.shape[0], step, state, at_once=2)
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

    def step(t: Tensor, state: Tensors) -> Tensors:
        h, zrs, gs, hs = state
        sums = _at(zrs, t) + ops.matmul(h, gates)
        h, zr, g = gru_step(h, sums, _at(gs, t), lambda r: ops.matmul(r * h, last), activation)
        return h, _put(zrs, t, zr), _put(gs, t, g), _put(hs, t, h)

    return _gru_loop(step, sums, units)


def _gru_loop(step: TensorFunction, sums: Tensor, units: int) -> Tensors:
    """Return the outputs of all steps, and their gates zr and g.

    `step` maps (t, (h, zrs, gs, hs)) to the next (h, zrs, gs, hs), with its values put at step t.
    """
    empty = ops.zeros((*sums.shape[:2], units))
    state = (empty[0], sums[:, :, : 2 * units] * 0.5, sums[:, :, 2 * units :], empty)
    _, *kept, hs = _loop(sums.shape[0], step, state, at_once=2)
    return hs, kept


def _gru_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor
) -> Tensors:
    (z, r), g = ops.split(kept[0], 2, axis=-1), kept[1]
    before, empty = _late(hs), ops.zeros_like(hs)
    of_z, of_r, of_g = (before - g) * z * (1 - z), before * r * (1 - r), (1 - z) * slope(g)
    by_z, by_r, by_g = _turned(kernel, 3)

    def step(k: Tensor, state: Tensors) -> Tensors:
        dh, dhs, dinner = state  # inner: r h, of which the third block makes a product
        t = hs.shape[0] - 1 - k
        dh = dh + _at(upstream, t)
        inner = ops.matmul(dh * _at(of_g, t), by_g)
        back = ops.matmul(dh * _at(of_z, t), by_z) + ops.matmul(inner * _at(of_r, t), by_r)
        back = back + dh * _at(z, t) + inner * _at(r, t)
        return back, _put(dhs, t, dh), _put(dinner, t, inner)

    _, dhs, dinner = _loop(hs.shape[0], step, (empty[0], empty, empty), at_once=2)
    zr, last = ops.concatenate([dhs * of_z, dinner * of_r], axis=-1), dhs * of_g
    dkernel = ops.concatenate([_product(before, zr), _product(r * before, last)], axis=-1)
    return ops.concatenate([zr, last], axis=-1), dkernel


def _reset_after_ahead(
    activation: TensorFunction, sums: Tensor, kernel: Tensor, bias: Tensor
) -> Tensors:
    units = kernel.shape[0]
    scale = np.repeat([0.5, 0.5, 1.0], units).astype('f')
    scaled, bias = kernel * scale, bias * scale

    def step(t: Tensor, state: Tensors) -> Tensors:
        h, zrs, gs, hs = state
        inner = ops.matmul(h, scaled) + bias
        sums, last = _at(zrs, t) + inner[:, : 2 * units], inner[:, 2 * units :]
        h, zr, g = gru_step(h, sums, _at(gs, t), lambda r: r * last, activation)
        return h, _put(zrs, t, zr), _put(gs, t, g), _put(hs, t, h)

    return _gru_loop(step, sums, units)


def _reset_after_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor, bias: Tensor
) -> Tensors:
    units = kernel.shape[0]
    (z, r), g = ops.split(kept[0], 2, axis=-1), kept[1]
    before = _late(hs)
    inner = project(before, kernel[:, 2 * units :], bias[2 * units :])
    of_g = (1 - z) * slope(g)
    factors = [(before - g) * z * (1 - z), of_g * inner * r * (1 - r), of_g * r]
    blocks, empty = _turned(kernel, 3), ops.zeros_like(hs)

    def step(k: Tensor, state: Tensors) -> Tensors:
        dh, dhs = state
        t = hs.shape[0] - 1 - k
        dh = dh + _at(upstream, t)
        back = dh * _at(z, t)
        for factor, block in zip(factors, blocks):
            back = back + ops.matmul(dh * _at(factor, t), block)
        return back, _put(dhs, t, dh)

    _, dhs = _loop(hs.shape[0], step, (empty[0], empty))
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
    def step(t: Tensor, state: Tensors) -> Tensors:
        h, hs = state
        h = activation(_at(hs, t) + ops.matmul(h, kernel))
        return h, _put(hs, t, h)

    _, hs = _loop(sums.shape[0], step, (ops.zeros_like(sums[0]), sums), at_once=2)
    return hs, None


def _rnn_back(
    slope: TensorFunction, upstream: Tensor, hs: Tensor, kept: Tensors, kernel: Tensor
) -> Tensors:
    (turned,), slopes, empty = _turned(kernel, 1), slope(hs), ops.zeros_like(hs)

    def step(k: Tensor, state: Tensors) -> Tensors:
        dh, changes = state
        t = hs.shape[0] - 1 - k
        change = (dh + _at(upstream, t)) * _at(slopes, t)
        return ops.matmul(change, turned), _put(changes, t, change)

    _, changes = _loop(hs.shape[0], step, (empty[0], empty), at_once=2)
    return changes, _product(_late(hs), changes)


#: Layer -> function (cell, inputs (time, examples, variables)) -> outputs, time first.
LOOPS = {
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
    keras.layers.SimpleRNN: _rnn,
}
