"""Dropout and noise of Keras as training runs them: drawn fast where XLA compiles the step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasnets import backend


class FastNoise(keras.layers.Layer):
    """Draws what a layer of Keras draws, faster where XLA compiles it on TensorFlow.

    Parameters
    ----------
    layer : keras.layers.Dropout, GaussianDropout or GaussianNoise
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(dtype=layer.dtype_policy)
        self.supports_masking = True
        self.layer = layer
        self.built = True

    def call(self, x: Any, training: Any = None) -> Any:
        slow = keras.backend.backend() == 'tensorflow' and backend.under_xla()
        if not training or not slow:
            return self.layer(x, training=training)
        return DRAWS[type(self.layer)](self.layer, x)

    def compute_output_spec(self, x: Any, training: Any = None) -> Any:
        return keras.KerasTensor(x.shape, dtype=x.dtype)


def knows(layer: Any) -> bool:
    """Whether a layer is one that `FastNoise` draws for."""
    return type(layer) in DRAWS and getattr(layer, 'noise_shape', None) is None


def _omit(layer: Any, x: Any) -> Any:
    drawn = backend.uniform(ops.shape(x), layer.seed_generator, x.dtype)
    return ops.where(drawn >= layer.rate, x / (1 - layer.rate), ops.zeros_like(x))


def _multiply(layer: Any, x: Any) -> Any:
    deviation = (layer.rate / (1 - layer.rate)) ** 0.5
    return x * (1 + deviation * backend.normal(ops.shape(x), layer.seed_generator, x.dtype))


def _add(layer: Any, x: Any) -> Any:
    return x + layer.stddev * backend.normal(ops.shape(x), layer.seed_generator, x.dtype)


DRAWS = {
    keras.layers.Dropout: _omit,
    keras.layers.GaussianDropout: _multiply,
    keras.layers.GaussianNoise: _add,
}
