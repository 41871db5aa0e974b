"""Long short-term memory, plain (Keras' own) and with peepholes.

    i_t = logistic(x_t·xh_i + h_{t-1}·hh_i + ci c_{t-1} + b_i)
    f_t = logistic(x_t·xh_f + h_{t-1}·hh_f + cf c_{t-1} + b_f)
    c_t = f_t c_{t-1} + i_t tanh(x_t·xh_c + h_{t-1}·hh_c + b_c)
    o_t = logistic(x_t·xh_o + h_{t-1}·hh_o + co c_t + b_o)
    h_t = o_t tanh(c_t)

without the terms in ci, cf, co for the plain layer.

S. Hochreiter, J. Schmidhuber (1997), "Long short-term memory", Neural Computation 9(8);
F. Gers, J. Schmidhuber (2000), "Recurrent nets that time and count", IJCNN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets.layers.cells.base import Cell
from kerasnets.layers.form import (
    Anatomy,
    Form,
    Layout,
    Output,
    OverCell,
    Pass,
    project,
)
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer


@keras.saving.register_keras_serializable('kerasnets')
class PeepholeLSTMCell(Cell):
    """One step of an LSTM whose gates also see the cell.

    Parameters
    ----------
    units : int
    activation, recurrent_activation : str or callable
        Of the cell, and of the gates.
    unit_forget_bias : bool
        Start the forget gate's bias at 1.

    Inputs have the shape (examples, variables), the states h and c (examples, units).

    >>> layer = keras.layers.RNN(PeepholeLSTMCell(3), return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 4), 'f')).shape)
    (2, 5, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Activation = 'tanh',
        recurrent_activation: Activation = 'sigmoid',
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> int | list[int]:
        """Widths of the states."""
        return [self.units, self.units]

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        units = self.units
        self.kernel = self.add_weight(shape=(shape[-1], 4 * units), name='kernel')
        self.recurrent_kernel = self.add_weight(shape=(units, 4 * units), name='recurrent_kernel')
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(4 * units,), initializer='zeros', name='bias')
            if self.unit_forget_bias:
                ones = ops.ones((units,), self.bias.dtype)
                self.bias.assign(ops.pad(ones, [[units, 2 * units]]))
        self.ci, self.cf, self.co = (
            self.add_weight(shape=(units,), initializer='zeros', name=name)
            for name in ('ci', 'cf', 'co')
        )

    def call(self, x: Tensor, states: Tensors, training: bool = False) -> Tensor:
        """Compute the output."""
        h, c = states
        sums = project(x, self.kernel, self.bias) + project(h, self.recurrent_kernel)
        c, output = advance(self, sums, c)
        h = output * self.activation(c)
        return h, [h, c]

    def get_config(self) -> Config:
        """Return the settings."""
        return {
            **super().get_config(),
            'recurrent_activation': keras.activations.serialize(self.recurrent_activation),
            'use_bias': self.use_bias,
            'unit_forget_bias': self.unit_forget_bias,
        }


def advance(cell: KerasLayer, sums: Tensor, c: Tensor) -> Tensors:
    """Return the next cell and the output gate, from the gates' sums and the previous cell."""
    i, f, g, o = ops.split(sums, 4, axis=-1)
    ci, cf, co = (getattr(cell, name, 0.0) for name in ('ci', 'cf', 'co'))
    gate = cell.recurrent_activation
    c = gate(f + cf * c) * c + gate(i + ci * c) * cell.activation(g)
    return c, gate(o + co * c)


def _cell(run: Pass) -> Tensor:
    """Return all cells, (examples, time, units): gates from the known states, then a scan."""
    cell = run.cell
    sums = project(run.x, cell.kernel, cell.bias) + project(run.before, cell.recurrent_kernel)

    def step(c: Tensor, sums: Tensor) -> Tensors:
        return advance(cell, sums, c)[0]

    return run.scan(step, run.start(1, run.y[:, 0]), sums)


def _choose(options: dict[str, Any]) -> Any:
    return OverCell(PeepholeLSTMCell) if options.pop('peepholes', False) else keras.layers.LSTM


_PARAMS = {
    'xh': Layout('cell.kernel'),
    'hh': Layout('cell.recurrent_kernel'),
    'b': Layout('cell.bias'),
}
_PEEPHOLES = {name: Layout(f'cell.{name}') for name in ('ci', 'cf', 'co')}
_OUTPUTS = {'cell': Output(_cell, after=True)}
_STATES = ('h_0', 'c_0')

FORMS = {
    'lstm': Form(
        choose=_choose,
        activation='tanh',
        defaults={'return_sequences': True},
        own=('peepholes',),
    ),
}
ANATOMIES = {
    keras.layers.LSTM: Anatomy(_PARAMS, _OUTPUTS, states=_STATES),
    PeepholeLSTMCell: Anatomy({**_PARAMS, **_PEEPHOLES}, _OUTPUTS, states=_STATES),
}
