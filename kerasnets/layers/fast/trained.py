"""Layers as training runs them: in the way that is faster where XLA compiles the step."""

from __future__ import annotations

from typing import Any

from kerasnets.layers.fast import block, dropout, recurrent


def as_trained(layer: Any) -> Any:
    """The layer as it is trained: one that computes the same, or itself where there is none."""
    for kind, made in (
        (recurrent, recurrent.FastRecurrent),
        (dropout, dropout.FastNoise),
        (block, block.FastBlock),
    ):
        if kind.knows(layer):
            return made(layer)
    return layer


def gains_by_xla(layer: Any) -> bool:
    """Whether a layer trains faster under XLA on a CPU, as measured.

    benchmarks/NOTES.md has the figures.
    """
    return as_trained(layer) is not layer or type(layer) in recurrent.GAIN
