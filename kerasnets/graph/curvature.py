"""The curvature of a loss, which `optimizers.Esgd` uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerasnets import keras_facts
from kerasnets.backend import gradients
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel, Variable


class Curvature(keras.layers.Layer):
    """Products H r of the Hessian of a loss with normal noise, a tensor for each variable.

    Parameters
    ----------
    model : keras.Model
        From all that the data holds to the loss.
    variables : list of keras.Variable
    """

    def __init__(self, model: KerasModel, variables: list[Variable]) -> None:
        super().__init__()
        self.model = lambda: model  # not tracked: Keras forgets the losses of tracked layers
        self.by = variables
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, data: list[Tensor]) -> Tensor:
        """Return a product for each variable."""
        model = self.model()
        noise = [keras.random.normal(v.shape, seed=self.seed_generator) for v in self.by]

        def along() -> Tensor:
            slopes = gradients(lambda: model(data, training=False), self.by)
            return sum(ops.sum(g * r) for g, r in zip(slopes, noise))

        with keras_facts.without_losses(model):
            return gradients(along, self.by)

    def compute_output_spec(self, data: list[Tensor]) -> Tensor:
        """Return the shape and dtype of the output."""
        return [keras.KerasTensor(v.shape, dtype='float32') for v in self.by]
