"""MUT1, a recurrent layer found by evolution.

    r_t = logistic(x_t·xr + h_{t-1}·hr + br)
    z_t = logistic(x_t·xz + bz)
    g_t = tanh(tanh(x_t·xh + bh) + (r_t h_{t-1})·hh)
    h_t = (1 - z_t) h_{t-1} + z_t g_t

as theanets has it, with the bias bh inside the inner tanh; theanets 0.7.0 had it outside
(``outer_bias=True``).

R. Jozefowicz, W. Zaremba, I. Sutskever (2015), "An empirical exploration of recurrent network
architectures", ICML, page 7.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets.layers.cells.base import Cell, cell_form
from kerasnets.layers.form import Anatomy, Layout, Output, Pass, project
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors


@keras.saving.register_keras_serializable('kerasnets')
class MUT1Cell(Cell):
    """One step of a MUT1 layer.

    Parameters
    ----------
    units : int
    activation : str or callable
    outer_bias : bool
        Whether the bias bh is added outside the inner activation.

    >>> tuple(keras.layers.RNN(MUT1Cell(3))(np.zeros((2, 5, 4), 'f')).shape)
    (2, 3)
    """

    def __init__(
        self, units: int, activation: Activation = 'tanh', outer_bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.outer_bias = outer_bias

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        n = self.units
        self.xh, self.xr, self.xz = (self.weight(k, shape[-1], n) for k in ('xh', 'xr', 'xz'))
        self.hh, self.hr = self.weight('hh', n, n), self.weight('hr', n, n)
        self.bh, self.br, self.bz = (self.weight(k, n) for k in ('bh', 'br', 'bz'))

    def before(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the sum at the units."""
        r = ops.sigmoid(project(x, self.xr, self.br) + project(h, self.hr))
        inner, outer = (0, self.bh) if self.outer_bias else (self.bh, 0)
        return self.activation(project(x, self.xh, inner)) + outer + project(r * h, self.hh)

    def rates_for(self, x: Tensor) -> Tensor:
        """Return the update gate for some inputs."""
        return ops.sigmoid(project(x, self.xz, self.bz))

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        (h,) = states
        z = self.rates_for(x)
        h = (1 - z) * h + z * self.activation(self.before(x, h))
        return h, [h]

    def get_config(self) -> Config:
        """Return the settings."""
        return {**super().get_config(), 'outer_bias': self.outer_bias}


def _pre(run: Pass) -> Tensor:
    return run.cell.before(run.x, run.before)


_NAMES = ('xh', 'xr', 'xz', 'hh', 'hr', 'bh', 'br', 'bz')

FORMS = {'mut1': cell_form(MUT1Cell, activation='tanh')}
ANATOMIES = {
    MUT1Cell: Anatomy(
        params={name: Layout(f'cell.{name}') for name in _NAMES},
        outputs={
            'pre': Output(_pre, after=True),
            'hid': Output(lambda run: run.cell.activation(_pre(run)), after=True),
            'rate': Output(lambda run: run.cell.rates_for(run.x)),
        },
        biases=('bh', 'br', 'bz'),
        states=('h_0',),
    )
}
