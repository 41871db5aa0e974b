"""The multiplicative recurrent layer: the input gates the recurrent weights.

    h_t = σ(((x_t·xf) (h_{t-1}·hf))·fh + x_t·xh + b)

I. Sutskever, J. Martens, G. Hinton (2011), "Generating text with recurrent neural networks",
ICML.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasnets.errors import positive
from kerasnets.layers.cells.base import Cell, cell_form
from kerasnets.layers.form import Anatomy, Layout, Output, project
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors


@keras.saving.register_keras_serializable('kerasnets')
class MRNNCell(Cell):
    """One step of a multiplicative recurrent layer.

    Parameters
    ----------
    units : int
    activation : str or callable
    factors : int, optional
        Width of the product. Default: √units, rounded up.

    >>> tuple(keras.layers.RNN(MRNNCell(3, factors=2))(np.zeros((2, 5, 4), 'f')).shape)
    (2, 3)
    """

    def __init__(
        self, units: int, activation: Activation = 'relu', factors: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.factors = math.ceil(math.sqrt(units)) if factors is None else factors
        positive(self.factors, 'factors')

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        n, f = self.units, self.factors
        self.xh, self.xf = self.weight('xh', shape[-1], n), self.weight('xf', shape[-1], f)
        self.hf, self.fh = self.weight('hf', n, f), self.weight('fh', f, n)
        self.b = self.weight('b', n)

    def before(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the sum at the units."""
        factors = project(x, self.xf) * project(h, self.hf)
        return project(factors, self.fh) + project(x, self.xh, self.b)

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        h = self.activation(self.before(x, states[0]))
        return h, [h]

    def get_config(self) -> Config:
        """Return the settings."""
        return {**super().get_config(), 'factors': self.factors}


FORMS = {'mrnn': cell_form(MRNNCell)}
ANATOMIES = {
    MRNNCell: Anatomy(
        params={name: Layout(f'cell.{name}') for name in ('xh', 'xf', 'hf', 'fh', 'b')},
        outputs={
            'pre': Output(lambda run: run.cell.before(run.x, run.before), after=True),
            'factors': Output(lambda run: project(run.x, run.cell.xf)),
        },
        states=('h_0',),
    )
}
