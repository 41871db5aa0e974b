"""theanets' `util`: random values, and outputs and parameters by patterns of names."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnets import layers as families
from kerasnets.data.array_spec import are_one_hot
from kerasnets.errors import ConfigurationError as ConfigurationError
from kerasnets.errors import DataError
from kerasnets.graph.parameters import Parameter, parameters
from kerasnets.initializers import generator, weights
from kerasnets.typing import Array, Layers, Seed

if TYPE_CHECKING:
    from kerasnets.typing import Data

__all__ = [
    'enable_default_logging', 'encode_labels', 'log', 'outputs_matching', 'params_matching',
    'random_matrix', 'random_vector',
]  # fmt: skip

_log = logging.getLogger('kerasnets')


def enable_default_logging(level: int = logging.INFO) -> None:
    """Print what kerasnets logs, a line each with its time, on standard error.

    >>> enable_default_logging()
    """
    if not _log.handlers:
        handler = logging.StreamHandler()
        form = '%(levelname).1s %(asctime)s %(name)s %(message)s'
        handler.setFormatter(logging.Formatter(form, '%Y-%m-%d %H:%M:%S'))
        _log.addHandler(handler)
    _log.setLevel(level)


def log(message: str, *args: Any) -> None:
    """Log a line, with `args` for its fields '{}' as in `str.format`.

    >>> log('{} layers', 3)
    """
    _log.info(message.format(*args))


def random_matrix(
    rows: int,
    cols: int,
    mean: float = 0.0,
    std: float = 1.0,
    sparsity: float = 0.0,
    radius: float = 0.0,
    diagonal: float = 0.0,
    rng: Seed = None,
) -> Array:
    """Return a matrix (rows, cols) of normal values, as a new layer of that shape has.

    Parameters are those of `initializers.weights`; `rng` is an int or a numpy random generator.
    `radius` is the spectral radius of a square matrix, and of any other its largest singular value.

    Raises
    ------
    ConfigurationError
        If a setting is out of its range.

    >>> random_matrix(2, 2, diagonal=3).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    if rows == cols or not radius or diagonal:
        return weights((rows, cols), generator(rng), mean, std, sparsity, radius, diagonal)
    if radius < 0:
        raise ConfigurationError(
            f'expected radius of 0 or more, got {radius!r}. Write for example radius=1.1.'
        )
    found = weights((rows, cols), generator(rng), mean, std, sparsity)
    return (found * (radius / np.linalg.norm(found, 2))).astype(found.dtype)


def random_vector(size: int, mean: float = 0.0, std: float = 1.0, rng: Seed = None) -> Array:
    """Return a vector (size,) of normal values.

    >>> random_vector(3, mean=1, std=0).tolist()
    [1.0, 1.0, 1.0]
    """
    return weights((size,), generator(rng), mean, std)


def encode_labels(labels: Data) -> tuple[Array, list[Any]]:
    """Encode classes of any type, or one-hot rows, as labels 0, 1, 2 and so on.

    Parameters
    ----------
    labels : array (…,) of any type, or array (…, classes) of one-hot rows

    Returns
    -------
    labels : array (…,) of int
    names : list
        The class that each label stands for, for ``Classifier(..., class_names=names)``.

    >>> labels, names = encode_labels(['rose', 'iris', 'rose'])
    >>> labels.tolist(), names
    ([1, 0, 1], ['iris', 'rose'])
    >>> encode_labels(np.eye(3)[[2, 0]])[0].tolist()
    [2, 0]
    """
    import pandas  # here, as most networks need none

    if isinstance(labels, Iterator):
        labels = list(labels)
    try:
        found = np.asarray(labels)
        odd = found[pandas.isna(found)].tolist()
    except ValueError:  # rows of different lengths
        odd = [labels]
    if odd or not np.ndim(labels):
        raise DataError(
            f'expected an array of classes, got {(odd or [labels])[0]!r:.60}. Remove what is '
            'missing, and pass one class for each example.'
        )
    if found.ndim > 1 and found.dtype.kind in 'fiub' and are_one_hot(found):
        return found.argmax(-1), list(range(found.shape[-1]))
    names, places = np.unique(found, return_inverse=True)
    return places.reshape(found.shape), names.tolist()


def outputs_matching(outputs: Mapping[str, Any], *patterns: str) -> Iterator[tuple[str, Any]]:
    """Yield the (name, output) pairs of a dict, such as `feed_forward` gives, that match a pattern.

    >>> outputs = kerasnets.Network([2, 3, 1]).feed_forward(np.ones((1, 2)))
    >>> sorted(name for name, _ in outputs_matching(outputs, 'hid*', '*:pre'))
    ['hid1:out', 'hid1:pre', 'out:pre']
    """
    for name, output in outputs.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            yield name, output


def params_matching(layers: Layers, *patterns: str) -> Iterator[tuple[str, Parameter]]:
    """Yield the (name, `Parameter`) pairs of some layers that match a pattern of a shell.

    Parameters
    ----------
    layers : sequence of keras.layers.Layer
        Built ones, such as ``net.layers``.
    patterns : str

    >>> net = kerasnets.recurrent.Regressor([2, (3, 'rnn'), 1])
    >>> [(name, param.shape) for name, param in params_matching(net.layers, '*.hh', 'out.*')]
    [('hid1.hh', (3, 3)), ('out.w', (3, 1)), ('out.b', (1,))]
    """
    plain: list[Any] = [getattr(layer, 'keras', layer) for layer in layers]
    parts = [part for layer in plain for part in families.parts(layer, layer.name).items()]
    params = {p.name: p for name, layer in parts for p in parameters(layer, name).values()}
    yield from outputs_matching(params, *patterns)
