"""Initial values of parameters, drawn with numpy so that one seed means one network anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasnets.errors import ConfigurationError, FileError
from kerasnets.typing import Array, Seed

#: Settings that a layer takes for all its weights ('std') or for one of them ('std_hh').
SETTINGS = ('mean', 'std', 'sparsity', 'radius', 'diagonal')


def generator(rng: Seed) -> np.random.Generator:
    """Return a numpy Generator from a seed, a Generator, a RandomState or None (a fresh seed)."""
    if isinstance(rng, np.random.RandomState):
        return np.random.default_rng(rng.randint(2**31))
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f'expected rng as an int or a numpy random generator, got {rng!r}. Try rng=13.'
        ) from None


def restored(state: Any) -> np.random.Generator:
    """Return a generator in a state saved from ``rng.bit_generator.state``.

    Raises
    ------
    FileError
        For what is no such state.

    >>> rng = np.random.default_rng(3)
    >>> restored(rng.bit_generator.state).random() == rng.random()
    True
    """
    kinds: dict[str, Any] = {
        k.__name__: k
        for k in (
            np.random.PCG64,
            np.random.MT19937,
            np.random.PCG64DXSM,
            np.random.Philox,
            np.random.SFC64,
        )
    }
    try:
        bits = kinds[state['bit_generator']](0)
        inner = {k: np.asarray(v) if isinstance(v, list) else v for k, v in state['state'].items()}
        bits.state = {**state, 'state': inner}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(
            f'the file has no state of a random generator: {error!r}. Restore it from a backup.'
        ) from None
    return np.random.Generator(bits)


def settings(options: Any, param: str) -> dict[str, Any]:
    """Return the settings for one parameter: its own ('std_hh') before the layer's ('std').

    >>> settings({'std': 0.1, 'std_hh': 0.2}, 'hh'), settings({'std': 0.1}, 'w')
    ({'std': 0.2}, {'std': 0.1})
    """
    chosen = {s: options.get(f'{s}_{param}', options.get(s)) for s in SETTINGS}
    return {s: value for s, value in chosen.items() if value is not None}


def squares(shape: tuple[int, ...], size: int) -> int:
    """Return how many square matrices next to each other form a shape; 0 if it has none.

    >>> squares((5, 5), 5), squares((5, 20), 5), squares((20, 5), 5)
    (1, 4, 0)
    """
    return shape[1] // size if len(shape) == 2 and shape[0] == size and not shape[1] % size else 0


def weights(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    mean: float = 0.0,
    std: float | None = None,
    sparsity: float = 0.0,
    radius: float = 0.0,
    diagonal: float = 0.0,
    blocks: int = 1,
) -> Array:
    """Draw a weight array.

    Parameters
    ----------
    shape : tuple of int
        Of the array: (inputs, outputs), (units,), or (outputs, inputs, rows, columns).
    rng : numpy.random.Generator
    mean, std : float
        Of a normal distribution. `std` defaults to 1/√(inputs + outputs).
    sparsity : float in [0, 1)
        Fraction of the values, drawn at random, that are set to 0. The diagonal is kept.
    radius : float
        If positive, square matrices are scaled to this spectral radius, that is, the largest
        absolute value of their eigenvalues.
    diagonal : float
        If nonzero, this value on the diagonal and 0 elsewhere; the rest is not used.
    blocks : int
        Matrices side by side that the last three are about, each by itself.

    Raises
    ------
    ConfigurationError
        If a setting is out of its range, or asks of a shape what it cannot have.

    >>> float(abs(np.linalg.eigvals(weights((9, 9), generator(1), radius=0.5))).max().round(6))
    0.5
    """
    matrix = len(shape) == 2
    if not 0 <= sparsity < 1:
        raise ConfigurationError(
            f'expected sparsity of at least 0 and under 1, got {sparsity!r}. '
            'Write for example sparsity=0.9.'
        )
    if (diagonal or sparsity) and not matrix:
        raise ConfigurationError(
            f'diagonal and sparsity: expected a matrix, got shape {shape}. Leave them out.'
        )
    blocks = max(1, blocks) if matrix else 1
    eye = np.tile(np.eye(shape[0], shape[1] // blocks), blocks) if matrix else np.zeros(())
    if diagonal:
        return (eye * diagonal).astype('float32')
    fan = shape[:2] if len(shape) == 4 else shape[-2:] if len(shape) > 1 else shape * 2
    values = rng.normal(mean, 1 / np.sqrt(sum(fan)) if std is None else std, shape)
    if sparsity:
        values *= (rng.random(shape) >= sparsity) | (eye > 0)
    if radius:
        if not matrix or squares(shape, shape[0]) != blocks:
            raise ConfigurationError(
                f'radius: expected a square matrix, got shape {shape}. Leave it out.'
            )
        for block in np.split(values, blocks, axis=1):
            block *= radius / np.abs(np.linalg.eigvals(block)).max()
    return values.astype('float32')
