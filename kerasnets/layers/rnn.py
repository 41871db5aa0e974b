"""The simple recurrent layer: h_t = σ(x_t·xh + h_{t-1}·hh + b).

J. Elman (1990), "Finding structure in time", Cognitive Science 14(2).
"""

from __future__ import annotations

import keras

from kerasnets.layers.form import Anatomy, Form, Layout, Output, Pass, project
from kerasnets.typing import Tensor


def _pre(run: Pass) -> Tensor:
    cell = run.cell
    return project(run.x, cell.kernel, cell.bias) + project(run.before, cell.recurrent_kernel)


FORMS = {'rnn': Form(choose=keras.layers.SimpleRNN, defaults={'return_sequences': True})}
ANATOMIES = {
    keras.layers.SimpleRNN: Anatomy(
        params={
            'xh': Layout('cell.kernel'),
            'hh': Layout('cell.recurrent_kernel'),
            'b': Layout('cell.bias'),
        },
        outputs={'pre': Output(_pre, after=True)},
        states=('h_0',),
    )
}
