"""Masks of padded sequences, passed to layers as Keras does.

A mask is bool, (examples, time). Keras' layers hand it on to each other; `Padded` gives it to the
first of them, and `Steps` reads it off any tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets.layers import abilities
from kerasnets.typing import Tensor, Tensors

if TYPE_CHECKING:
    from kerasnets.graph.nodes import Node
    from kerasnets.typing import KerasLayer


class Padded(keras.layers.Layer):
    """Attaches a mask to a tensor (examples, time, …)."""

    def __init__(self) -> None:
        super().__init__(dtype='float32', autocast=False)
        self.supports_masking = True

    def call(self, pair: list[Tensor]) -> Tensor:
        """Return the tensor with the mask attached."""
        return ops.multiply(pair[0], 1)  # a tensor of its own: the mask is not the input's

    def compute_output_spec(self, pair: list[Tensor]) -> Tensor:
        """Return the shape and dtype of the output."""
        return keras.KerasTensor(pair[0].shape, dtype=pair[0].dtype)

    def compute_mask(self, pair: list[Tensor], previous: Tensor | None) -> Tensor | None:
        """Return the mask of the output."""
        return pair[1]


class Steps(keras.layers.Layer):
    """The mask of a tensor (examples, time, …); all True if it has no mask."""

    def __init__(self) -> None:
        super().__init__(dtype='float32', autocast=False)
        self.supports_masking = True

    def call(self, x: Tensors, mask: Tensor | None = None) -> Tensor:
        """Return the mask."""
        x = x[0] if isinstance(x, (list, tuple)) else x
        masks = [m for m in keras.tree.flatten(mask) if m is not None]
        whole = ops.ones(ops.shape(x)[:2], 'bool')
        for m in masks:
            whole = ops.logical_and(whole, m)
        return whole

    def compute_output_spec(self, x: Tensors, mask: Tensor | None = None) -> Tensor:
        """Return the shape and dtype of the output."""
        x = x[0] if isinstance(x, (list, tuple)) else x
        return keras.KerasTensor(x.shape[:2], dtype='bool')

    def compute_mask(self, x: Tensors, previous: Tensor | None) -> Tensor | None:
        """Return None: a mask has no mask."""
        return None


def call_masked(layer: KerasLayer, x: Tensors, **kwargs: Any) -> Tensor:
    """Call a layer on padded input, so that it skips the padding and passes the mask on."""
    if not _is_stepwise(layer):
        if 'initial_state' in kwargs:  # Keras fills in the mask only of a single tensor
            kwargs['mask'] = Steps()(x)
        return layer(x, **kwargs)
    bare = keras.tree.map_structure(lambda t: ops.multiply(t, 1), x)
    return Padded()([layer(bare, **kwargs), Steps()(x)])


def check(nodes: Sequence[Node]) -> None:
    """Raise ConfigurationError for networks that would treat padding as data."""
    for node in nodes:
        layer, reads = node.layer, [s for s in nodes if f'{s.name}:out' in node.spec.inputs]
        if not any(len(s.output.shape) > 2 or 'int' in s.output.dtype for s in reads):
            continue
        if getattr(layer, 'go_backwards', False) and layer.return_sequences:
            raise node.spec.error(
                'it outputs its sequence backwards, with the padding first. Pass sequences of '
                "equal length, or use a 'bidirectional' layer, which keeps the order of time."
            )
        if not (layer.supports_masking or _is_stepwise(layer)):
            raise node.spec.error(
                f'{type(layer).__name__} layers do not support masks, so padding would count. Pass '
                'sequences of equal length.'
            )


def _is_stepwise(layer: KerasLayer) -> bool:
    # a model is what a layer of several inputs is made of, or a causal block: padding comes last
    causal = isinstance(layer, keras.layers.Conv1D) and layer.padding == 'causal'
    return abilities.of(type(layer)).loses_mask or (causal and layer.strides == (1,))
