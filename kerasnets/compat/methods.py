"""Former methods, functions and signatures."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasnets.compat.words import warn
from kerasnets.errors import ConfigurationError
from kerasnets.typing import Data, Found, Path

LayerError = ConfigurationError


def transform(self: Any, x: Data, **regularizers: Any) -> Found:
    """Return the network's output; former name of `predict`. A classifier gives probabilities."""
    warn('transform()', 'write predict(), or predict_proba() of a classifier')
    return self._output(x, 'out', regularizers)


def classify(self: Any, x: Data, **regularizers: Any) -> Found:
    """Return the most probable labels; former name of `predict`."""
    warn('classify()', 'write predict()')
    return self.predict(x, **regularizers)


def load(path: Path) -> Any:
    """Read a network from a file; former name of `kerasnets.load`."""
    from kerasnets.network import Network

    warn('feedforward.load()', 'write kerasnets.load()')
    return Network.load(path)


def with_labels(batches: Callable[..., Any]) -> Callable[..., Any]:
    """Return `text.batches`, taking samples and labels as two arguments too."""

    @functools.wraps(batches)
    def former(arrays: Any, *sizes: Any, labels: Any = None, **keywords: Any) -> Any:
        if sizes and np.ndim(sizes[0]):
            labels, sizes = sizes[0], sizes[1:]
        if labels is not None:
            warn('batches(samples, labels)', 'write batches([samples, labels])')
            arrays = [*(arrays if isinstance(arrays, (list, tuple)) else [arrays]), labels]
        return batches(arrays, *sizes, **keywords)

    return former
