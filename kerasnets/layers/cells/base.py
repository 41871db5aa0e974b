"""`Cell`: what the recurrent cells of kerasnets have in common.

A cell is one step; ``keras.layers.RNN`` owns the loop, masks and direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, suggest
from kerasnets.layers.form import Form, OverCell
from kerasnets.typing import Activation, Config, Tensor, Tensors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasnets.typing import KerasLayer

#: Fixed rates stay this far from 0 and 1.
EPSILON = 1e-4


class Cell(keras.layers.Layer):
    """One step of a recurrent layer, from (examples, variables) to (examples, units).

    Parameters
    ----------
    units : int
    activation : str or callable

    A subclass names its weights in `build`, computes a step in `call(x, states)` and, where it
    carries more than its output, says so in `state_size`.
    """

    def __init__(self, units: int, activation: Activation = 'tanh', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.output_size = units

    @property
    def state_size(self) -> int | list[int]:
        """Widths of the states that go from step to step."""
        return [self.units]

    def weight(self, name: str, *shape: Any) -> Tensor:
        """Add a learnable weight: a matrix, or a vector that starts at 0."""
        initializer = 'glorot_uniform' if len(shape) > 1 else 'zeros'
        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def fixed_rates(self, kind: str) -> Tensor:
        """Draw constant rates between 0 and 1, evenly or evenly in their logarithm."""
        low, high = (EPSILON, 1 - EPSILON) if kind == 'uniform' else (-6.0, -EPSILON)
        draw = keras.initializers.RandomUniform(low, high)
        return self.add_weight(
            shape=(self.units,),
            initializer=draw
            if kind == 'uniform'
            else lambda *args, **kw: ops.exp(draw(*args, **kw)),
            trainable=False,
            name='rates',
        )

    def get_initial_state(self, batch_size: int | None = None) -> Tensors:
        """Return zeros for each state."""
        return [
            ops.zeros((batch_size, size), self.compute_dtype)
            for size in keras.tree.flatten(self.state_size)
        ]

    def get_config(self) -> Config:
        """Return the settings of the cell."""
        return {
            **super().get_config(),
            'units': self.units,
            'activation': keras.activations.serialize(self.activation),
        }


def check_rate(rate: Tensor, known: Iterable[str]) -> None:
    """Raise ConfigurationError for an unknown type of rate."""
    if rate not in known:
        raise ConfigurationError(
            f'unknown rate {rate!r}.{suggest(rate, known)} Choose one of: {", ".join(known)}.'
        )


def cell_form(cell: KerasLayer, activation: str | None = 'custom') -> Form:
    """Return the `Form` of a layer over a cell."""
    return Form(
        choose=OverCell(cell),
        activation=activation,
        defaults={'return_sequences': True},
    )
