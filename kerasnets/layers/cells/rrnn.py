"""A recurrent layer with a rate for each unit.

    g_t = σ(x_t·xh + h_{t-1}·hh + b)
    h_t = (1 - r_t) h_{t-1} + r_t g_t

with rates r_t between 0 and 1: ``rate='matrix'`` (the default) computes them from the input,
logistic(x_t·xr + r); ``'vector'`` learns one for each unit, logistic(r); ``'uniform'`` and
``'log'`` draw fixed ones.

Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu (2012), "Advances in optimizing recurrent
networks", arXiv:1212.0901; H. Jaeger et al. (2007), "Optimization and applications of echo state
networks with leaky-integrator neurons", Neural Networks 20(3).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets.layers.cells.base import Cell, cell_form, check_rate
from kerasnets.layers.form import Anatomy, Layout, Output, Pass, project
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors

RATES = ('matrix', 'vector', 'uniform', 'log')


@keras.saving.register_keras_serializable('kerasnets')
class RRNNCell(Cell):
    """One step of a recurrent layer with rates.

    Parameters
    ----------
    units : int
    activation : str or callable
    rate : {'matrix', 'vector', 'uniform', 'log'}

    >>> tuple(keras.layers.RNN(RRNNCell(3, rate='vector'))(np.zeros((2, 5, 4), 'f')).shape)
    (2, 3)
    """

    def __init__(
        self, units: int, activation: Activation = 'relu', rate: Tensor = 'matrix', **kwargs: Any
    ) -> None:
        super().__init__(units, activation, **kwargs)
        check_rate(rate, RATES)
        self.rate = rate

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        n = self.units
        self.xh, self.hh = self.weight('xh', shape[-1], n), self.weight('hh', n, n)
        self.b = self.weight('b', n)
        if self.rate in ('matrix', 'vector'):
            self.r = self.weight('r', n)
        if self.rate == 'matrix':
            self.xr = self.weight('xr', shape[-1], n)
        if self.rate in ('uniform', 'log'):
            self.rates = self.fixed_rates(self.rate)

    def rates_for(self, x: Tensor) -> Tensor:
        """Return the rates for some inputs (…, variables): (…, units) or (units,)."""
        if self.rate == 'matrix':
            return ops.sigmoid(project(x, self.xr, self.r))
        return ops.sigmoid(self.r) if self.rate == 'vector' else self.rates

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        (h,) = states
        r = self.rates_for(x)
        h = (1 - r) * h + r * self.activation(project(x, self.xh, self.b) + project(h, self.hh))
        return h, [h]

    def get_config(self) -> Config:
        """Return the settings."""
        return {**super().get_config(), 'rate': self.rate}


def _pre(run: Pass) -> Tensor:
    cell = run.cell
    return project(run.x, cell.xh, cell.b) + project(run.before, cell.hh)


def _hid(run: Pass) -> Tensor:
    return run.cell.activation(_pre(run))


def _rate(run: Pass) -> Tensor:
    return ops.broadcast_to(run.cell.rates_for(run.x), ops.shape(run.y))


FORMS = {'rrnn': cell_form(RRNNCell)}
ANATOMIES = {
    RRNNCell: Anatomy(
        params={name: Layout(f'cell.{name}') for name in ('xh', 'hh', 'b', 'r', 'xr')},
        outputs={
            'pre': Output(_pre, after=True),
            'hid': Output(_hid, after=True),
            'rate': Output(_rate, after=True),
        },
        biases=('b', 'r'),
        states=('h_0',),
    )
}
