"""Initial values of parameters, drawn with numpy so that one seed means one network anywhere."""

import numpy as np

from kerasnets.errors import ConfigurationError

#: Settings that a layer takes for all its weights ('std') or for one of them ('std_hh').
SETTINGS = ('mean', 'std', 'sparsity', 'radius', 'diagonal')


def generator(rng):
    """A numpy Generator from a seed, a Generator, a RandomState or None (a fresh seed)."""
    if isinstance(rng, np.random.RandomState):
        return np.random.default_rng(rng.randint(2**31))
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f'expected rng as an int or a numpy random generator, got {rng!r}. Try rng=13.'
        ) from None


def settings(options, param):
    """The settings for one parameter: its own ('std_hh') before the layer's ('std').

    >>> settings({'std': 0.1, 'std_hh': 0.2}, 'hh'), settings({'std': 0.1}, 'w')
    ({'std': 0.2}, {'std': 0.1})
    """
    chosen = {s: options.get(f'{s}_{param}', options.get(s)) for s in SETTINGS}
    return {s: value for s, value in chosen.items() if value is not None}


def weights(shape, rng, mean=0.0, std=None, sparsity=0.0, radius=0.0, diagonal=0.0):
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
        If positive, a square matrix is scaled to this spectral radius, that is, the largest
        absolute value of its eigenvalues.
    diagonal : float
        If nonzero, this value on the diagonal and 0 elsewhere; the rest is not used.

    Raises
    ------
    ConfigurationError
        If a setting is out of its range, or asks of a shape what it cannot have.

    >>> float(abs(np.linalg.eigvals(weights((9, 9), generator(1), radius=0.5))).max().round(6))
    0.5
    """
    matrix = len(shape) == 2
    if not 0 <= sparsity < 1:
        raise ConfigurationError(f'expected sparsity of at least 0 and under 1, got {sparsity!r}.')
    if (diagonal or sparsity) and not matrix:
        raise ConfigurationError(f'diagonal and sparsity are for matrices, not for shape {shape}.')
    if diagonal:
        return np.eye(*shape, dtype='float32') * np.float32(diagonal)
    fan = shape[:2] if len(shape) == 4 else shape[-2:] if len(shape) > 1 else shape * 2
    values = rng.normal(mean, 1 / np.sqrt(sum(fan)) if std is None else std, shape)
    if sparsity:
        values *= (rng.random(shape) >= sparsity) | np.eye(*shape, dtype=bool)
    if radius:
        if not matrix or shape[0] != shape[1]:
            raise ConfigurationError(f'radius is for square matrices, not for shape {shape}.')
        values *= radius / np.abs(np.linalg.eigvals(values)).max()
    return values.astype('float32')
