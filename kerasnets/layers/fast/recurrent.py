"""Recurrent layers in training: by `backward` where XLA compiles the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerasnets import backend
from kerasnets.layers.fast.backward import LOOPS, SLOPES
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer


class FastRecurrent(keras.layers.Layer):
    """Computes a recurrent layer faster where XLA compiles the whole training step.

    Elsewhere, and for data with a mask, the layer itself is called.

    Parameters
    ----------
    layer : keras.layers.Layer
        One for which `supports` holds.
    """

    def __init__(self, layer: KerasLayer) -> None:
        super().__init__(dtype=layer.dtype_policy)
        self.supports_masking = True
        self.layer = layer
        self.built = True

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        """Compute the output."""
        if mask is not None or None in x.shape or not backend.under_xla():
            return self.layer(x, mask=mask, training=training)
        return outputs(self.layer, x)

    def compute_mask(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mask of the output."""
        return self.layer.compute_mask(x, mask)

    def compute_output_spec(
        self, x: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Return the shape and dtype of the output."""
        return self.layer.compute_output_spec(x)


def supports(layer: KerasLayer) -> bool:
    """Return True if a layer is a stock one with settings that `outputs` supports."""
    if layer.activity_regularizer is not None:
        return False
    if type(layer) is keras.layers.Bidirectional:
        halves = [layer.forward_layer, layer.backward_layer]
        return layer.merge_mode == 'concat' and all(map(supports, halves))
    if type(layer) not in LOOPS:
        return False
    plain = not (layer.stateful or layer.return_state or layer.unroll or fused(layer))
    dry = not (layer.dropout or layer.recurrent_dropout)
    gates = getattr(layer, 'recurrent_activation', keras.activations.sigmoid)
    usual = gates is keras.activations.sigmoid and layer.activation in SLOPES
    if type(layer) is keras.layers.LSTM:
        usual = usual and layer.activation is keras.activations.tanh
    return plain and dry and usual and layer.compute_dtype == 'float32'


def fused(layer: KerasLayer) -> bool:
    """Return True if Keras runs a recurrent layer as one cuDNN kernel.

    XLA cannot compile such a layer on TensorFlow. On JAX, it is an LSTM with default settings.
    """
    if keras.backend.backend() != 'jax':
        return not layer.supports_jit
    import jax

    common = type(layer) is keras.layers.LSTM and layer.use_bias and layer.use_cudnn is not False
    return common and jax.default_backend() == 'gpu'


def outputs(layer: KerasLayer, x: Tensor) -> Tensor:
    """Return the output of a layer for x (examples, time, variables), from zero states."""
    if isinstance(layer, keras.layers.Bidirectional):
        there, back = (outputs(half, x) for half in (layer.forward_layer, layer.backward_layer))
        back = ops.flip(back, axis=1) if layer.return_sequences else back
        return ops.concatenate([there, back], axis=-1)
    x = ops.transpose(ops.flip(x, axis=1) if layer.go_backwards else x, (1, 0, 2))
    h = LOOPS[type(layer)](layer.cell, x)
    return ops.transpose(h, (1, 0, 2)) if layer.return_sequences else h[-1]
