"""Recurrent layers in modules: fast modules read the slow ones, but not the reverse.

`clockwork`: module i is updated at steps that are multiples of its period T_i,

    p_t = x_t·xh + h_{t-1}·(M hh) + b   where t mod T_i = 0, else p_{t-1}
    h_t = σ(p_t)

`bcrnn`: module i is updated at its fixed rate r_i,

    p_t = (1 - r_i) (x_t·xh + h_{t-1}·(M hh) + b) + r_i p_{t-1}
    h_t = σ(p_t)

where M lets module i read the modules j ≥ i, in order of their periods or rates. The rates of M
modules are 1 - 10^-k for k evenly spaced from 10⁻⁴ to 6.

J. Koutník, K. Greff, F. Gomez, J. Schmidhuber (2014), "A clockwork RNN", arXiv:1402.3511.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets.errors import ConfigurationError, positive
from kerasnets.layers.cells.base import Cell, cell_form
from kerasnets.layers.form import Anatomy, Layout, Output, Pass, project
from kerasnets.typing import Activation, Config, Shape, Tensor, Tensors


class ModularCell(Cell):
    """Base of the two cells: modules of equal size, and the mask between them."""

    modules = 1
    slow_first = False

    @property
    def state_size(self) -> int | list[int]:
        """Widths of the states."""
        return [self.units, self.units]

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        n = self.units
        self.xh, self.hh = self.weight('xh', shape[-1], n), self.weight('hh', n, n)
        self.b = self.weight('b', n)

    @property
    def mask(self) -> Tensor:
        """Return which units read which, an array (units, units)."""
        each = self.units // self.modules
        among = np.triu if self.slow_first else np.tril
        return np.kron(among(np.ones((self.modules,) * 2)), np.ones((each, each)))

    def check_modules(self, count: int, what: str) -> None:
        """Raise ConfigurationError unless the units divide into modules of one size."""
        if self.units % count:
            raise ConfigurationError(
                f'expected a size that is a multiple of {count}, the number of {what}, '
                f'got {self.units}. Use {-(-self.units // count) * count}.'
            )

    def candidate(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the sum at the units, as if all of them were updated."""
        hh = self.hh * ops.cast(self.mask, self.compute_dtype)
        return project(x, self.xh, self.b) + project(h, hh)


@keras.saving.register_keras_serializable('kerasnets')
class ClockworkCell(ModularCell):
    """One step of a clockwork layer. Its states are h, p and the number of the step.

    Parameters
    ----------
    units : int
        A multiple of the number of periods.
    activation : str or callable
    periods : sequence of int
        One for each module.
    slow_first : bool
        Whether modules are in the order of falling periods, as in theanets 0.7, not rising.

    >>> tuple(keras.layers.RNN(ClockworkCell(4, periods=[1, 2]))(np.zeros((2, 5, 3), 'f')).shape)
    (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Activation = 'relu',
        periods: Any = (1, 2),
        slow_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        if not isinstance(periods, (tuple, list)) or not periods:
            raise ConfigurationError(
                f'expected periods as a list of int, got {periods!r}. '
                'Write for example periods=[1, 2, 4].'
            )
        periods = [positive(period, 'a period') for period in periods]
        self.periods = sorted(periods, reverse=slow_first)
        self.slow_first = slow_first
        self.check_modules(len(self.periods), 'periods')
        self.modules = len(self.periods)

    @property
    def state_size(self) -> int | list[int]:
        """Widths of the states."""
        return [self.units, self.units, 1]

    @property
    def period(self) -> Tensor:
        """The period of each unit."""
        return np.repeat(self.periods, self.units // self.modules)

    def due(self, t: Tensor) -> Tensor:
        """Return which units are updated at step `t`, as a bool for each."""
        return ops.equal(ops.mod(t, ops.cast(self.period, t.dtype)), 0)

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        h, p, t = states
        p = ops.where(self.due(t), self.candidate(x, h), p)
        h = self.activation(p)
        return h, [h, p, t + 1]

    def get_config(self) -> Config:
        """Return the settings."""
        own = {'periods': self.periods, 'slow_first': self.slow_first}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable('kerasnets')
class BCRNNCell(ModularCell):
    """One step of a bcrnn layer. Its states are h and p.

    Parameters
    ----------
    units : int
        A multiple of `num_modules`.
    activation : str or callable
    num_modules : int

    >>> tuple(keras.layers.RNN(BCRNNCell(4, num_modules=2))(np.zeros((2, 5, 3), 'f')).shape)
    (2, 4)
    """

    def __init__(
        self, units: int, activation: Activation = 'relu', num_modules: Any = 2, **kwargs: Any
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.modules = positive(num_modules, 'num_modules')
        self.check_modules(self.modules, 'modules')

    @property
    def rates(self) -> Tensor:
        """The rate of each unit."""
        rates = 1 - np.logspace(-1e-4, -6, self.modules)
        return np.repeat(rates, self.units // self.modules).astype('float32')

    def call(self, x: Tensor, states: Tensors) -> Tensor:
        """Compute the output."""
        h, p = states
        r = ops.cast(self.rates, self.compute_dtype)
        p = (1 - r) * self.candidate(x, h) + r * p
        h = self.activation(p)
        return h, [h, p]

    def get_config(self) -> Config:
        """Return the settings."""
        return {**super().get_config(), 'num_modules': self.modules}


def _clockwork_pre(run: Pass) -> Tensor:
    """Return p at all steps: each unit's newest candidate."""
    cell = run.cell
    candidates = cell.candidate(run.x, run.before)

    def step(states: Tensors, candidate: Tensor) -> Tensors:
        p, t = states
        return ops.where(cell.due(t), candidate, p), t + 1

    like = candidates[:, 0]
    return run.scan(step, (ops.zeros_like(like), ops.zeros_like(like[:, :1])), candidates)[0]


def _bcrnn_pre(run: Pass) -> Tensor:
    """Return p at all steps: a moving average of the candidates."""
    cell = run.cell
    candidates = cell.candidate(run.x, run.before)
    r = ops.cast(cell.rates, cell.compute_dtype)

    def step(p: Tensor, candidate: Tensor) -> Tensors:
        return (1 - r) * candidate + r * p

    return run.scan(step, ops.zeros_like(candidates[:, 0]), candidates)


_PARAMS = {name: Layout(f'cell.{name}') for name in ('xh', 'hh', 'b')}

FORMS = {'clockwork': cell_form(ClockworkCell), 'bcrnn': cell_form(BCRNNCell)}
ANATOMIES = {
    cell: Anatomy(_PARAMS, {'pre': Output(pre, after=True)}, states=('h_0',))
    for cell, pre in ((ClockworkCell, _clockwork_pre), (BCRNNCell, _bcrnn_pre))
}
