"""Keras' dropout and noise in training: drawn fast where XLA compiles the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerasnets import backend
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer


class FastNoise(keras.layers.Layer):
    """Draws what a layer of Keras draws, faster where XLA compiles it on TensorFlow.

    Parameters
    ----------
    layer : keras.layers.Dropout, GaussianDropout or GaussianNoise
    """

    def __init__(self, layer: KerasLayer) -> None:
        super().__init__(dtype=layer.dtype_policy)
        self.supports_masking = True
        self.layer = layer
        self.built = True

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Compute the output."""
        slow = keras.backend.backend() == 'tensorflow' and backend.under_xla()
        if not training or not slow:
            return self.layer(x, training=training)
        return DRAWS[type(self.layer)](self.layer, x)

    def compute_output_spec(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return the shape and dtype of the output."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)


def supports(layer: KerasLayer) -> bool:
    """Return True if `FastNoise` can draw for a layer."""
    return type(layer) in DRAWS and getattr(layer, 'noise_shape', None) is None


def _multiply(layer: KerasLayer, x: Tensor) -> Tensor:
    deviation = (layer.rate / (1 - layer.rate)) ** 0.5
    return x * backend.noisy(ops.ones_like(x), deviation, layer.seed_generator)


DRAWS = {
    keras.layers.Dropout: lambda layer, x: backend.omitted(x, layer.rate, layer.seed_generator),
    keras.layers.GaussianDropout: _multiply,
    keras.layers.GaussianNoise: lambda layer, x: backend.noisy(
        x, layer.stddev, layer.seed_generator
    ),
}
