"""theanets' names of regularizers."""

from __future__ import annotations

from typing import Any

from kerasnets.regularizers import Dropout, Noise, Regularizer, build

GaussianNoise, BernoulliDropout = Noise, Dropout


def from_kwargs(graph: Any = None, **kwargs: Any) -> list[Regularizer]:
    """Return regularizers from keywords, as a list; former name of `build`.

    >>> from_kwargs(regularizers={'input_noise': 0.1})
    [Noise(weight=0.1, pattern=None, where='input')]
    """
    return list(build(kwargs))
