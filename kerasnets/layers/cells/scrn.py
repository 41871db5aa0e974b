"""The simple contextual recurrent layer: a slow context next to the hidden units.

    s_t = (1 - r) s_{t-1} + r x_t·w_s
    h_t = σ(x_t·w_h + h_{t-1}·hh + s_t·sh)
    y_t = h_t·ho + s_t·so + b

with w = [w_h w_s], and r = logistic(r) learned for each unit (``rate='vector'``, the default) or
drawn and fixed (``'uniform'``, ``'log'``). theanets 0.7 had σ logistic, and an activation of y,
which is `output_activation` here.

T. Mikolov, A. Joulin, S. Chopra, M. Mathieu, M. Ranzato (2015), "Learning longer memory in
recurrent neural networks", arXiv:1412.7753. The bias is theanets'.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets import activations
from kerasnets.layers.cells.base import Cell, cell_form, check_rate
from kerasnets.layers.form import Anatomy, Layout, Output, Pass, project
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors

RATES = ('vector', 'uniform', 'log')


@keras.saving.register_keras_serializable('kerasnets')
class SCRNCell(Cell):
    """One step of a simple contextual recurrent layer. Its states are h and s.

    Parameters
    ----------
    units : int
        Of the hidden layer, of the context and of the output.
    activation : str or callable
        Of the hidden layer.
    rate : {'vector', 'uniform', 'log'}
    output_activation : str or callable
        Of the output.

    >>> tuple(keras.layers.RNN(SCRNCell(3))(np.zeros((2, 5, 4), 'f')).shape)
    (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Activation = 'relu',
        rate: Tensor = 'vector',
        output_activation: Activation = 'linear',
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        check_rate(rate, RATES)
        self.rate = rate
        self.output_activation = keras.activations.get(activations.get(output_activation))

    @property
    def state_size(self) -> int | list[int]:
        """Widths of the states."""
        return [self.units, self.units]

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        n = self.units
        self.w = self.weight('w', shape[-1], 2 * n)
        self.sh, self.hh, self.ho, self.so = (
            self.weight(name, n, n) for name in ('sh', 'hh', 'ho', 'so')
        )
        self.b = self.weight('b', n)
        if self.rate == 'vector':
            self.r = self.weight('r', n)
        else:
            self.rates = self.fixed_rates(self.rate)

    def current_rates(self) -> Tensor:
        """Return the rates, (units,)."""
        return ops.sigmoid(self.r) if self.rate == 'vector' else self.rates

    def advance(self, x: Tensor, h: Tensor, s: Tensor) -> Tensors:
        """Return the next states."""
        xh, xs = ops.split(project(x, self.w), 2, axis=-1)
        r = self.current_rates()
        s = (1 - r) * s + r * xs
        return self.activation(xh + project(h, self.hh) + project(s, self.sh)), s

    def sum_of(self, h: Tensor, s: Tensor) -> Tensor:
        """Return the sum at the output for some states."""
        return project(h, self.ho, self.b) + project(s, self.so)

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        h, s = self.advance(x, *states)
        return self.output_activation(self.sum_of(h, s)), [h, s]

    def get_config(self) -> Config:
        """Return the settings."""
        function = keras.activations.serialize(self.output_activation)
        return {**super().get_config(), 'rate': self.rate, 'output_activation': function}


def _states(run: Pass) -> Tensors:
    """Return h and s at all steps. The output does not hold them, so the steps run again."""
    cell, x = run.cell, run.x
    like = project(x[:, 0], cell.w)[:, : cell.units]

    def step(states: Tensors, x: Tensor) -> Tensors:
        return cell.advance(x, *states)

    return run.scan(step, (run.start(0, like), run.start(1, like)), x)


def _rate(run: Pass) -> Tensor:
    h, _ = _states(run)
    return ops.broadcast_to(run.cell.current_rates(), ops.shape(h))


_NAMES = ('w', 'sh', 'hh', 'ho', 'so', 'b', 'r')

FORMS = {'scrn': cell_form(SCRNCell)}
ANATOMIES = {
    SCRNCell: Anatomy(
        params={name: Layout(f'cell.{name}') for name in _NAMES},
        outputs={
            'hid': Output(lambda run: _states(run)[0]),
            'state': Output(lambda run: _states(run)[1]),
            'pre': Output(lambda run: run.cell.sum_of(*_states(run))),
            'rate': Output(_rate),
        },
        biases=('b', 'r'),
        states=('h_0', 's_0'),
    )
}
