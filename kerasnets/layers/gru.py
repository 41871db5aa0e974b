"""The gated recurrent unit.

    r_t = logistic(x_t·w_r + h_{t-1}·hr + b_r)
    z_t = logistic(x_t·w_z + h_{t-1}·hz + b_z)
    g_t = σ(x_t·w_h + (r_t h_{t-1})·hh + b_h)
    h_t = (1 - z_t) h_{t-1} + z_t g_t

J. Chung, C. Gulcehre, K. Cho, Y. Bengio (2014), "Empirical evaluation of gated recurrent neural
networks on sequence modeling", arXiv:1412.3555.

theanets keeps w and b in the order h, r, z; Keras in the order z, r, h and with its z for
theanets' 1 - z, so that block is read and written negated.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets.layers.form import Anatomy, Form, Layout, Output, Pass, project
from kerasnets.typing import Tensor, Tensors

_ALL: dict[str, Any] = {'blocks': (2, 1, 0), 'of': 3, 'signs': (1, 1, -1)}


def _sums(run: Pass) -> Tensors:
    """Return the sums at the gates, as (h, r, Keras' z), with the reset gate applied to h."""
    cell, before = run.cell, run.before
    bias = cell.bias
    from_state = None
    if cell.use_bias and cell.reset_after:
        bias, from_state = bias[0], bias[1]
    xz, xr, xh = ops.split(project(run.x, cell.kernel, bias), 3, axis=-1)
    if cell.reset_after:
        hz, hr, hh = ops.split(project(before, cell.recurrent_kernel, from_state), 3, axis=-1)
        return xh + cell.recurrent_activation(xr + hr) * hh, xr + hr, xz + hz
    wz, wr, wh = ops.split(cell.recurrent_kernel, 3, axis=-1)
    r = xr + project(before, wr)
    return xh + project(cell.recurrent_activation(r) * before, wh), r, xz + project(before, wz)


def _pre(run: Pass) -> Tensor:
    return _sums(run)[0]


def _hid(run: Pass) -> Tensor:
    return run.cell.activation(_pre(run))


def _rate(run: Pass) -> Tensor:
    return 1 - run.cell.recurrent_activation(_sums(run)[2])


FORMS = {
    'gru': Form(
        choose=keras.layers.GRU,
        defaults={'return_sequences': True, 'reset_after': False},
    )
}
ANATOMIES = {
    keras.layers.GRU: Anatomy(
        params={
            'w': Layout('cell.kernel', **_ALL),
            'hh': Layout('cell.recurrent_kernel', (2,), 3),
            'hr': Layout('cell.recurrent_kernel', (1,), 3),
            'hz': Layout('cell.recurrent_kernel', (0,), 3, (-1,)),
            'b': Layout('cell.bias', **_ALL),
        },
        outputs={
            'pre': Output(_pre, after=True),
            'hid': Output(_hid, after=True),
            'rate': Output(_rate, after=True),
        },
        states=('h_0',),
    )
}
