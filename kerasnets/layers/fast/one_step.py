"""Recurrent layers one step at a time, for sampling.

What does not change from step to step is computed before the first: a label's row of the input
weights, bias included, is read instead of a product with a one-hot vector. The gates of an
LSTM or GRU share one tanh, by logistic(z) = ½ tanh(z/2) + ½ with the ½ inside in the weights: XLA
takes longer over a logistic on a CPU.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets.layers.form import project


def stepper(layer: Any, classes: Any = None) -> Any:
    """A function (x, states) -> (output, states) that makes one step of a recurrent layer.

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

    def step(x: Any, states: Any) -> Any:
        x = ops.one_hot(x, classes) if classes else x
        return cell(x, states, **keywords)

    return step


def _is_usual(cell: Any) -> Any:
    """Whether a cell of Keras has the activations and the precision that it has by default."""
    gates = getattr(cell, 'recurrent_activation', keras.activations.sigmoid)
    usual = cell.activation is keras.activations.tanh and gates is keras.activations.sigmoid
    return usual and cell.compute_dtype == 'float32'


def _reading(kernel: Any, bias: Any, classes: Any) -> Any:
    """The function x -> x·kernel + bias, of labels or of vectors."""
    if classes:
        table = kernel if bias is None else kernel + bias
        return lambda labels: ops.take(table, labels, axis=0)
    return lambda x: project(x, kernel, bias)


def _halved(units: Any, gates: Any) -> Any:
    """Return the factors of the blocks of a gated layer; `gates` marks the gates."""
    return np.repeat(np.where(gates, 0.5, 1.0), units).astype('f')


def _lstm(cell: Any, classes: Any) -> Any:
    scale = _halved(cell.units, [True, True, False, True])
    bias = cell.bias * scale if cell.use_bias else None
    read = _reading(cell.kernel * scale, bias, classes)
    recurrent = cell.recurrent_kernel * scale

    def step(x: Any, states: Any) -> Any:
        h, c = states
        i, f, g, o = ops.split(
            ops.tanh(read(x) + project(h, recurrent)) * scale + (1 - scale), 4, axis=-1
        )
        c = f * c + i * g
        h = o * ops.tanh(c)
        return h, [h, c]

    return step


def _gru(cell: Any, classes: Any) -> Any:
    units, scale = cell.units, _halved(cell.units, [True, True, False])
    before, after = cell.bias, None
    if cell.use_bias and cell.reset_after:
        before, after = cell.bias[0], cell.bias[1] * scale
    read = _reading(cell.kernel * scale, before * scale if cell.use_bias else None, classes)
    recurrent = cell.recurrent_kernel * scale
    gates, rest = recurrent[:, : 2 * units], recurrent[:, 2 * units :]

    def step(x: Any, states: Any) -> Any:
        (h,) = states
        x = read(x)
        inner = project(h, recurrent, after) if cell.reset_after else project(h, gates)
        zr = ops.tanh(x[:, : 2 * units] + inner[:, : 2 * units]) * 0.5 + 0.5
        z, r = ops.split(zr, 2, axis=-1)
        inner = r * inner[:, 2 * units :] if cell.reset_after else project(r * h, rest)
        h = z * h + (1 - z) * ops.tanh(x[:, 2 * units :] + inner)
        return h, [h]

    return step


def _rnn(cell: Any, classes: Any) -> Any:
    read = _reading(cell.kernel, cell.bias if cell.use_bias else None, classes)

    def step(x: Any, states: Any) -> Any:
        h = ops.tanh(read(x) + project(states[0], cell.recurrent_kernel))
        return h, [h]

    return step


STEPS = {
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
    keras.layers.SimpleRNNCell: _rnn,
}
