"""Blocks of attention in training, where XLA compiles the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from kerasnets import backend
from kerasnets.layers import attention
from kerasnets.layers.fast.dropout import FastNoise
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel


class FastBlock(keras.layers.Layer):
    """Computes a layer of the forms of attention, faster where XLA compiles it.

    Elsewhere, and for data with a mask, the model itself is called.

    Parameters
    ----------
    model : keras.Model
        One for which `supports` holds.
    """

    def __init__(self, model: KerasModel) -> None:
        super().__init__()
        self.supports_masking = True
        self.model = model
        self.parts = {layer.name: layer for layer in model.layers}
        self.noises = {n: FastNoise(p) for n, p in self.parts.items() if n.startswith('dropout')}
        self.built = True

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Compute the output."""
        if mask is not None or None in x.shape or not backend.under_xla():
            return self.model(x, mask=mask, training=training)
        steps = np.arange(x.shape[1])

        def change(name: str, y: Tensor) -> Tensor:
            return self.noises[name](y, training=training) if name in self.noises else y

        return attention.around(self.parts, x, steps, lambda x: self._attend(x, steps), change)

    def _attend(self, x: Tensor, steps: Tensor) -> Tensor:
        layer = self.parts[attention.PART]
        q, k, v = attention.projected(layer, x, steps)
        apart = steps[:, None] - steps
        seen = (apart >= 0) & (apart < attention.window(self.model))
        return attention.attended(layer, q, k, v, seen)

    def compute_output_spec(
        self, x: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Return the shape and dtype of the output."""
        return self.model.compute_output_spec(x)


def supports(layer: KerasLayer) -> bool:
    """Return True if a layer is a block of attention in single precision."""
    if not isinstance(layer, keras.Model):
        return False
    part = attention.attention_of(layer)
    return part is not None and part.compute_dtype == 'float32'
