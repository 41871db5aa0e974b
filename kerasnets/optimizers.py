"""Optimization algorithms by theanets' names and keywords, as Keras optimizers."""

import math

import keras

from kerasnets.errors import ConfigurationError, check_known, number, suggest


def _sgd(momentum=0.0, nesterov=False, **common):
    return keras.optimizers.SGD(momentum=momentum, nesterov=nesterov, **common)


def _rmsprop(momentum=0.0, rms_halflife=14, rms_regularizer=1e-8, **common):
    """Graves' centred form: A. Graves (2013), arXiv:1308.0850, equations 38 to 41."""
    return keras.optimizers.RMSprop(
        rho=math.exp(-math.log(2) / rms_halflife),
        epsilon=rms_regularizer,
        momentum=momentum,
        centered=True,
        **common,
    )


def _adam(**common):
    return keras.optimizers.Adam(**common)


#: Name -> maker and the keywords it takes beyond the common ones.
ALGORITHMS = {
    'sgd': (_sgd, ('momentum', 'nesterov')),
    'rmsprop': (_rmsprop, ('momentum', 'rms_halflife', 'rms_regularizer')),
    'adam': (_adam, ()),
}

#: Keywords of every algorithm, and what Keras calls them.
COMMON = {'max_gradient_norm': 'clipnorm', 'max_gradient_elem': 'clipvalue'}


def build(algo='rmsprop', learning_rate=1e-4, **options):
    """A Keras optimizer.

    Parameters
    ----------
    algo : str
        'sgd', 'rmsprop' or 'adam'.
    learning_rate : float
    momentum : float
        Of 'sgd' and 'rmsprop'. Default 0.
    nesterov : bool
        Of 'sgd'.
    rms_halflife : float
        Of 'rmsprop': steps after which a gradient counts half in the running averages.
    rms_regularizer : float
        Of 'rmsprop': added to the running variance.
    max_gradient_norm, max_gradient_elem : float, optional
        The gradient of each parameter is scaled to at most this norm; its elements are
        clipped to at most this size.

    Raises
    ------
    ConfigurationError
        For an algorithm or a keyword that is not known, and numbers out of range.

    >>> build('sgd', learning_rate=0.1, momentum=0.9).momentum
    0.9
    """
    check_known(options, keywords(algo), f'keyword of {algo!r}')
    make, _ = ALGORITHMS[algo.lower()]
    for key, value in {'learning_rate': learning_rate, **options}.items():
        if value is not None and key != 'nesterov':
            number(value, key, lambda v: 0 <= v < math.inf, 'of 0 or more')
    kwargs = {COMMON.get(k, k): v for k, v in options.items() if v is not None}
    return make(learning_rate=float(learning_rate), **kwargs)


def keywords(algo):
    """Names of the keywords that an algorithm takes, but for the learning rate."""
    if not isinstance(algo, str) or algo.lower() not in ALGORITHMS:
        raise ConfigurationError(
            f'unknown algorithm {algo!r}.{suggest(algo, ALGORITHMS)} '
            f'Known: {", ".join(ALGORITHMS)}.'
        )
    return [*ALGORITHMS[algo.lower()][1], *COMMON]
