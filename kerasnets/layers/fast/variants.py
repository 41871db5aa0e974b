"""Layers in training: in the variant that is faster where XLA compiles the step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasnets.layers import abilities
from kerasnets.layers.fast import attention_block, dropout, recurrent

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

#: Module that knows some layers -> what runs them in training.
VARIANTS: tuple[tuple[Any, Any], ...] = (
    (recurrent, recurrent.FastRecurrent),
    (dropout, dropout.FastNoise),
    (attention_block, attention_block.FastBlock),
)


def fast_variant(layer: KerasLayer) -> KerasLayer:
    """Return a faster equivalent of a layer for training, or the layer itself."""
    if layer.activity_regularizer is not None:  # which Keras applies when it calls the layer
        return layer
    variant = next((variant for module, variant in VARIANTS if module.supports(layer)), None)
    return layer if variant is None else variant(layer)


def gains_by_xla(layer: KerasLayer) -> bool:
    """Return True if a layer trains faster under XLA on a CPU, as measured.

    benchmarks/NOTES.md has the figures.
    """
    return abilities.of(type(layer)).gains_by_xla or any(
        module.supports(layer) for module, _ in VARIANTS
    )
