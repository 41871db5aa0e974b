"""Optimization algorithms by theanets' names and keywords, as Keras optimizers."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets import keras_facts
from kerasnets.errors import ConfigurationError, check_known, check_object, number, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from kerasnets.typing import Config, KerasOptimizer, Tensor, Variable

schedules = keras.optimizers.schedules


@keras.saving.register_keras_serializable('kerasnets')
class Rprop(keras.optimizers.Optimizer):
    """Resilient backpropagation, in the form called iRprop⁻: steps by the signs of gradients.

    The step of each value grows while its gradient keeps its sign, and shrinks when it turns;
    after a turn the value rests for a step.

    C. Igel, M. Hüsken (2000), "Improving the Rprop learning algorithm", algorithm 4.

    Parameters
    ----------
    learning_rate : float
        The first step.
    increase, decrease : float
        What a step is multiplied by.
    min_step, max_step : float

    >>> Rprop(0.1).get_config()['increase']
    1.01
    """

    def __init__(
        self,
        learning_rate: float = 1e-4,
        increase: float = 1.01,
        decrease: float = 0.99,
        min_step: float = 0.0,
        max_step: float = 100.0,
        name: str = 'rprop',
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.increase, self.decrease = increase, decrease
        self.min_step, self.max_step = min_step, max_step

    def build(self, variables: list[Variable]) -> None:
        """Make the last gradient and the step of each variable."""
        if self.built:
            return
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, 'gradient')
        self.steps = self.add_optimizer_variables(variables, 'step')

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Move one variable."""
        i = keras_facts.state_index(self, variable)
        last, step = self.gradients[i], self.steps[i]
        turn = ops.sign(gradient * ops.convert_to_tensor(last))
        first = ops.equal(self.iterations, 0)
        moved = ops.where(first, ops.cast(learning_rate, step.dtype), ops.convert_to_tensor(step))
        factor = ops.where(turn > 0, self.increase, ops.where(turn < 0, self.decrease, 1.0))
        moved = ops.clip(moved * ops.cast(factor, moved.dtype), self.min_step, self.max_step)
        gradient = ops.where(turn < 0, ops.zeros_like(gradient), gradient)
        self.assign(step, moved)
        self.assign(last, gradient)
        self.assign_sub(variable, ops.sign(gradient) * moved)

    def get_config(self) -> Config:
        """Return the settings of the optimizer."""
        own = {k: getattr(self, k) for k in ('increase', 'decrease', 'min_step', 'max_step')}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable('kerasnets')
class Esgd(keras.optimizers.Optimizer):
    """Equilibrated gradient descent: steps scaled by the curvature of the loss.

        D_t = γ D_{t-1} + (1 - γ) (H r)²,   r ~ N(0, 1)
        p_t = p_{t-1} - α g / (√D_t + ε)

    H is the Hessian of the loss of a batch; only the products H r are computed. Call `notice`
    with H r before each step.

    Y. Dauphin, H. de Vries, J. Chung, Y. Bengio (2015), "Equilibrated adaptive learning rates for
    non-convex optimization", arXiv:1502.04390. The running mean, where the paper has a mean, is
    theanets'.

    Parameters
    ----------
    learning_rate : float
    rho : float
        γ, what is kept of the running mean at each step.
    epsilon : float
        ε.

    >>> Esgd(0.1).get_config()['rho']
    0.95
    """

    def __init__(
        self,
        learning_rate: float = 1e-4,
        rho: float = 0.95,
        epsilon: float = 1e-8,
        name: str = 'esgd',
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.rho, self.epsilon = rho, epsilon

    def build(self, variables: list[Variable]) -> None:
        """Create the variables of the running means."""
        if self.built:
            return
        super().build(variables)
        self.diagonals = self.add_optimizer_variables(variables, 'diagonal')

    def notice(self, variables: list[Variable], products: list[Tensor]) -> None:
        """Take H r, a tensor for each variable, into the running means."""
        for variable, product in zip(variables, products):
            diagonal = self.diagonals[keras_facts.state_index(self, variable)]
            square = ops.cast(ops.square(product), diagonal.dtype)
            diagonal.assign(self.rho * diagonal + (1 - self.rho) * square)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Move one variable."""
        scale = ops.sqrt(self.diagonals[keras_facts.state_index(self, variable)]) + self.epsilon
        self.assign_sub(variable, ops.cast(learning_rate, gradient.dtype) * gradient / scale)

    def get_config(self) -> Config:
        """Return the settings of the optimizer."""
        return {**super().get_config(), 'rho': self.rho, 'epsilon': self.epsilon}


def _sgd(momentum: float = 0.0, nesterov: bool = False, **common: Any) -> KerasOptimizer:
    return keras.optimizers.SGD(momentum=momentum, nesterov=nesterov, **common)


def _nag(momentum: float = 0.9, **common: Any) -> KerasOptimizer:
    """Build NAG: Y. Nesterov (1983); I. Sutskever et al. (2013), ICML."""
    return keras.optimizers.SGD(momentum=momentum, nesterov=True, **common)


def _rmsprop(
    momentum: float = 0.0, rms_halflife: float = 14, rms_regularizer: float = 1e-8, **common: Any
) -> KerasOptimizer:
    """Build Graves' centred form: A. Graves (2013), arXiv:1308.0850, equations 38 to 41."""
    return keras.optimizers.RMSprop(
        rho=_kept(rms_halflife),
        epsilon=rms_regularizer,
        momentum=momentum,
        centered=True,
        **common,
    )


def _adagrad(rms_regularizer: float = 1e-8, **common: Any) -> KerasOptimizer:
    """Build Adagrad: J. Duchi, E. Hazan, Y. Singer (2010), COLT."""
    return keras.optimizers.Adagrad(
        initial_accumulator_value=0.0, epsilon=rms_regularizer, **common
    )


def _adadelta(
    rms_halflife: float = 14, rms_regularizer: float = 1e-8, **common: Any
) -> KerasOptimizer:
    """Build Adadelta: M. Zeiler (2012), arXiv:1212.5701; it needs no learning rate: it is 1."""
    return keras.optimizers.Adadelta(rho=_kept(rms_halflife), epsilon=rms_regularizer, **common)


def _rprop(
    rprop_increase: float = 1.01,
    rprop_decrease: float = 0.99,
    rprop_min_step: float = 0.0,
    rprop_max_step: float = 100.0,
    **common: Any,
) -> KerasOptimizer:
    return Rprop(
        increase=rprop_increase,
        decrease=rprop_decrease,
        min_step=rprop_min_step,
        max_step=rprop_max_step,
        **common,
    )


def _esgd(rms_halflife: float = 14, rms_regularizer: float = 1e-8, **common: Any) -> KerasOptimizer:
    if keras.backend.backend() != 'tensorflow':
        raise ConfigurationError(
            "'esgd' needs second derivatives, which only TensorFlow provides. Use 'rmsprop'."
        )
    return Esgd(rho=_kept(rms_halflife), epsilon=rms_regularizer, **common)


def _kept(halflife: float) -> float:
    """Return the decay of a running average from its half-life in steps."""
    number(halflife, 'rms_halflife', lambda h: h > 0, 'above 0')
    return math.exp(-math.log(2) / halflife)


#: Name -> maker. Their own keywords are those of the maker's signature.
ALGORITHMS = {
    'sgd': _sgd,
    'nag': _nag,
    'rmsprop': _rmsprop,
    'adagrad': _adagrad,
    'adadelta': _adadelta,
    'rprop': _rprop,
    'esgd': _esgd,
}

#: Default learning rates, theanets' own; 1 for algorithms that need none.
RATES = {'adadelta': 1.0}
RATE = 1e-4

#: Keywords of every algorithm, and what Keras calls them.
COMMON = {
    'max_gradient_norm': 'clipnorm',
    'max_gradient_elem': 'clipvalue',
    'weight_decay_rate': 'weight_decay',
    'use_ema': 'use_ema',
    'ema_momentum': 'ema_momentum',
}

#: Keywords of Keras' optimizers that are ours to give, under another name or none.
TAKEN = {'self', 'learning_rate', 'name', 'kwargs', 'weight_decay', *COMMON.values()}


def build(algo: Any = 'rmsprop', learning_rate: Any = None, **options: Any) -> KerasOptimizer:
    """Build a Keras optimizer.

    Parameters
    ----------
    algo : str or keras.optimizers.Optimizer
        'sgd', 'nag', 'rmsprop', 'adagrad', 'adadelta', 'rprop' or 'esgd', in theanets' form;
        any other of Keras by name, such as 'adam' or 'lion'; or an optimizer, taken as it is.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, optional
        Default 1e-4, and 1 for 'adadelta'.
    momentum : float
        Of 'sgd', 'nag' (where it is 0.9) and 'rmsprop'. Default 0.
    nesterov : bool
        Of 'sgd'.
    rms_halflife : float
        Of 'rmsprop', 'adadelta' and 'esgd': steps after which a gradient counts half in the running
        averages.
    rms_regularizer : float
        Of 'rmsprop', 'adadelta', 'adagrad', 'esgd': added to the running variance.
    rprop_increase, rprop_decrease, rprop_min_step, rprop_max_step : float
        Of 'rprop'.
    max_gradient_norm, max_gradient_elem : float, optional
        The gradient of each parameter is scaled to at most this norm; its elements are
        clipped to at most this size, in which case the norm is let be.
    weight_decay_rate, use_ema, ema_momentum
        `weight_decay` and so on of Keras' optimizers. (`weight_decay` is a penalty here.)
    **options
        Others of Keras' own keywords, for an optimizer of Keras.

    Raises
    ------
    ConfigurationError
        For an algorithm or a keyword that is not known, and numbers out of range.

    >>> build('sgd', learning_rate=0.1, momentum=0.9).momentum
    0.9
    """
    check_known(options, keywords(algo), f'keyword of {algo!r}')
    if isinstance(algo, keras.optimizers.Optimizer):
        return algo
    scheduled = isinstance(learning_rate, schedules.LearningRateSchedule)
    if learning_rate is None:
        learning_rate = RATES.get(algo.lower(), RATE)
    options = {k: v for k, v in options.items() if v is not None}
    ours = {*COMMON, *(keywords(algo) if algo.lower() in ALGORITHMS else ())}
    checked = {k: options[k] for k in options if k in ours - {'nesterov', 'use_ema'}}
    if not scheduled:
        checked['learning_rate'] = learning_rate
    for key, value in checked.items():  # Keras refuses an int
        options[key] = number(value, key, lambda v: 0 <= v < math.inf, 'of 0 or more')
    rate = learning_rate if scheduled else options.pop('learning_rate')
    # 0 of what is common to all means: without it
    kwargs = {COMMON.get(k, k): v for k, v in options.items() if v or k not in COMMON}
    if 'clipvalue' in kwargs:
        kwargs.pop('clipnorm', None)
    try:
        # TensorFlow keeps memory for each name of a variable that it has seen
        return _maker(algo)(learning_rate=rate, name=algo.lower(), **kwargs)
    except (TypeError, ValueError) as cause:
        raise ConfigurationError(
            f'{algo!r}: {" ".join(str(cause).split()).rstrip(".")}. '
            'Change or leave out that setting.'
        ) from cause


def keywords(algo: Any) -> list[str]:
    """Return the names of the keywords that an algorithm takes, without the learning rate."""
    if isinstance(algo, keras.optimizers.Optimizer):
        return []
    own = [k for k in inspect.signature(_maker(algo)).parameters if k not in (*TAKEN, 'common')]
    return [*own, *COMMON]


def _maker(algo: Any) -> Callable[..., KerasOptimizer]:
    """Return the function that builds an optimizer, by name."""
    check_object(algo, 'an algorithm')
    if not isinstance(algo, str):
        raise ConfigurationError(
            f'unknown algorithm {algo!r}: expected a name, or an optimizer of Keras. '
            "Write for example 'rmsprop'."
        )
    if algo.lower() in ALGORITHMS:
        return ALGORITHMS[algo.lower()]
    classes = {
        name.lower(): cls
        for name, cls in vars(keras.optimizers).items()
        if isinstance(cls, type) and issubclass(cls, keras.optimizers.Optimizer)
    }
    known = [n for n in {**ALGORITHMS, **classes} if n not in ('optimizer', 'lossscaleoptimizer')]
    if algo.lower() not in known:
        raise ConfigurationError(
            f'unknown algorithm {algo!r}.{suggest(algo, known)} Choose one of: {", ".join(known)}.'
        )
    return classes[algo.lower()]
