"""Penalties and noise that improve training, as keywords of `train` and similar methods.

A penalty is added to the loss, averaged over what its pattern matches; noise changes outputs on
their way to the layers that read them. Both are part of the graph of the losses only: the
network's own model and saved files know nothing of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets import backend, keras_facts
from kerasnets.errors import ConfigurationError, check_known, fraction, matching, number
from kerasnets.losses import average, hidden
from kerasnets.typing import Data, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel, Variable


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """A penalty; the base class of all of them, also of a user's.

    Parameters
    ----------
    weight : float
        What the penalty is multiplied by.
    pattern : str or tuple of str, optional
        Names of the parameters ('hid?.w') or outputs ('hid1:out') that are penalized, in the
        manner of a shell. Default: all weights with two axes or more, all hidden layers.

    A subclass gives `penalty`, and says in `of` what it is about: 'weights', 'outputs', or the
    'sequences' among them.

    >>> class Centred(Regularizer):
    ...     def penalty(self, values, mask=None):
    ...         return keras.ops.square(keras.ops.mean(values))
    >>> net = kerasnets.Classifier([4, 5, 3])
    >>> x, y = np.eye(4), [0, 1, 2, 0]
    >>> net.evaluate([x, y], regularizers=[Centred(0.1)])['loss'] > net.evaluate([x, y])['loss']
    True
    """

    weight: float = 1.0
    pattern: str | tuple[str, ...] | None = None

    of = 'outputs'

    @classmethod
    def build(cls, name: str, *args: Any, **kwargs: Any) -> Regularizer:
        """Build a regularizer from its keyword, with its weight and pattern.

        >>> Regularizer.build('weight_l2', 0.01, pattern='hid1.w')
        WeightL2(weight=0.01, pattern='hid1.w')
        """
        known = {
            **REGULARIZERS,
            **{old: REGULARIZERS[new] for old, new in ALIASES.items()},
            **CHANGES,
        }
        check_known([name.lower()], known, 'regularizer')
        return known[name.lower()](*args, **kwargs)

    def __post_init__(self) -> None:
        """Check the weight and the pattern."""
        name = f'the weight of {type(self).__name__}'
        number(self.weight, name, lambda w: 0 <= w < math.inf, 'of 0 or more')
        check_pattern(self.pattern)

    def penalty(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the penalty for one tensor, a scalar; `mask` excludes padding steps."""
        raise NotImplementedError

    def select(self, names: Iterable[str], default: Any) -> list[str]:
        """Return the names that the regularizer applies to.

        Raises
        ------
        ConfigurationError
            If the pattern matches none.
        """
        if self.pattern is None:
            return list(default)
        patterns = [self.pattern] if isinstance(self.pattern, str) else list(self.pattern)
        what = f'{type(self).__name__}: the pattern'
        found = {name for pattern in patterns for name in matching(pattern, names, what)}
        return [name for name in names if name in found]


def check_pattern(pattern: object) -> None:
    """Raise ConfigurationError unless this is a pattern, a tuple of patterns or None."""
    patterns = pattern if isinstance(pattern, (tuple, list)) else [pattern]
    if not all(one is None or isinstance(one, str) for one in patterns):
        raise ConfigurationError(
            f"expected a pattern of names, such as 'hid?:out', got {pattern!r}. Write it as a str."
        )


def mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean of a tensor, over the steps (examples, time) that the mask keeps."""
    if mask is None:
        return ops.mean(values)
    return average(values, hidden(mask, None, len(values.shape)))[0]


class WeightL1(Regularizer):
    """The mean of `|w|`."""

    of = 'weights'

    def penalty(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean of the absolute values."""
        return mean(ops.abs(values), mask)


class WeightL2(Regularizer):
    """The mean of w²."""

    of = 'weights'

    def penalty(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean of the squares."""
        return mean(ops.square(values), mask)


class HiddenL1(WeightL1):
    """The mean of `|h|` over outputs."""

    of = 'outputs'


class HiddenL2(WeightL2):
    """The mean of h² over outputs."""

    of = 'outputs'


def _pairs(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return a mask (examples, time) of the steps whose previous step exists and is not padding.

    Arrays keep their length: TensorFlow may crash on those without elements.
    """
    ones = ops.ones_like(values[:, :, 0], dtype='float32')
    later = ops.cumsum(ones, axis=1) > 1
    if mask is None:
        return later
    mask = ops.cast(mask, 'bool')
    return ops.logical_and(later, ops.logical_and(mask, ops.roll(mask, 1, axis=1)))


class RecurrentState(Regularizer):
    """The mean of `(h_t - h_{t-1})²`, for sequences (examples, time, units)."""

    of = 'sequences'

    def penalty(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean squared change between steps."""
        return mean(ops.square(values - ops.roll(values, 1, axis=1)), _pairs(values, mask))


class RecurrentNorm(Regularizer):
    """The mean of `|h_{t-1}|² - |h_t|²`: theanets' formula, which is signed."""

    of = 'sequences'

    def penalty(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean change of the squared norm between steps."""
        norms = ops.sum(ops.square(values), axis=-1)
        return mean(ops.roll(norms, 1, axis=1) - norms, _pairs(values, mask))


@dataclasses.dataclass(frozen=True)
class Contractive(Regularizer):
    """The mean over examples of the squared derivatives ‖∂h/∂x‖² of outputs by inputs.

    S. Rifai, P. Vincent, X. Muller, X. Glorot, Y. Bengio (2011), "Contractive auto-encoders",
    ICML. `wrt` is a pattern of the names of inputs.
    """

    wrt: str = '*'

    def __post_init__(self) -> None:
        """Check the weight and both patterns."""
        super().__post_init__()
        check_pattern(self.wrt)


@dataclasses.dataclass(frozen=True)
class Noise(Regularizer):
    """Normal noise with the standard deviation `weight`, added to outputs."""

    where: str | None = None  # 'input', 'hidden' or 'output', instead of a pattern

    def layer(self, seed: int) -> KerasLayer:
        """Return the Keras layer that adds the noise."""
        return Gaussian(self.weight, seed)


class Dropout(Noise):
    """Outputs set to 0 with the probability `weight`; the others are scaled by 1/(1 - weight).

    theanets did not scale them, and thereby predicted from larger sums than it had trained on.
    """

    def __post_init__(self) -> None:
        """Check the probability and the pattern."""
        fraction(self.weight, 'the probability of dropout')
        check_pattern(self.pattern)

    def layer(self, seed: int) -> KerasLayer:
        """Return the Keras layer that drops values."""
        return Omitted(self.weight, seed)


@dataclasses.dataclass(frozen=True)
class Function(Regularizer):
    """A function of all outputs, a dict of tensors by name, as a penalty."""

    function: Callable[..., Tensor] | None = None


REGULARIZERS = {
    'weight_l1': WeightL1,
    'weight_l2': WeightL2,
    'hidden_l1': HiddenL1,
    'hidden_l2': HiddenL2,
    'recurrent_norm': RecurrentNorm,
    'recurrent_state': RecurrentState,
    'contractive': Contractive,
}
ALIASES = {
    'weight_sparsity': 'weight_l1',
    'weight_decay': 'weight_l2',
    'hidden_sparsity': 'hidden_l1',
}
CHANGES = {'dropout': Dropout, 'noise': Noise}
PLACES = ('input', 'hidden', 'output')


#: Keywords of Keras' and scikit-learn's methods -> what to write here.
WORDS = {
    'batch_size': 'Leave it out: batches are cut by their size in memory.',
    'verbose': 'Leave it out: nothing is printed.',
    'steps': 'Leave it out: all data is read.',
    'sample_weight': 'Pass it as the third argument: score(x, y, w).',
    'carry': 'Write stream().predict(x), which carries the states on.',
}


def names() -> list[str]:
    """Return the keywords that `build` accepts."""
    places = [f'{place}_{change}' for place in PLACES for change in CHANGES]
    return [*REGULARIZERS, *ALIASES, *CHANGES, *places, 'regularizers']


def build(keywords: dict[str, Any]) -> tuple[Regularizer, ...]:
    """Build regularizers from keywords.

    Parameters
    ----------
    keywords : dict
        - A penalty such as 'weight_l2': its weight, or ``dict(weight=0.1, pattern='hid1.w')``.
        - 'input_noise', 'hidden_dropout' and so on: a number.
        - 'dropout' and 'noise': a dict of pattern to number.
        - 'regularizers': a list of `Regularizer` objects and functions, or a dict of the above.

    Raises
    ------
    ConfigurationError
        If a keyword is unknown, or a weight is not a number.

    >>> build({'weight_decay': 0.1, 'dropout': {'hid?:out': 0.5}})
    (WeightL2(weight=0.1, pattern=None), Dropout(weight=0.5, pattern='hid?:out', where=None))
    """
    keywords = dict(keywords)
    more = keywords.pop('regularizers', ())
    if isinstance(more, dict):
        keywords, more = {**keywords, **more}, ()
    check_known(keywords, names(), 'regularizer', WORDS)
    built = [regularizer for item in keywords.items() for regularizer in _of_keyword(*item)]
    for item in more if isinstance(more, (list, tuple)) else [more]:
        if not isinstance(item, Regularizer) and not callable(item):
            raise ConfigurationError(
                f'expected regularizers as a list of Regularizer or functions, got {item!r}. '
                "Build one with Regularizer.build('weight_l2', 0.1)."
            )
        built.append(item if isinstance(item, Regularizer) else Function(function=item))
    return tuple(r for r in built if r.weight)


def _of_keyword(name: str, value: Any) -> list[Regularizer]:
    """Return the regularizers of one keyword."""
    place, _, change = name.rpartition('_')
    if name in CHANGES:
        if not isinstance(value, dict):
            raise ConfigurationError(
                f'expected {name} as a dict of patterns and numbers, got {value!r}. '
                f"Write {name}={{'hid?:out': 0.5}}, or hidden_{name}=0.5."
            )
        return [CHANGES[name](weight, pattern) for pattern, weight in value.items()]
    if change in CHANGES and place in PLACES:
        return [CHANGES[change](value, where=place)]
    kind = REGULARIZERS[ALIASES.get(name, name)]
    options = value if isinstance(value, dict) else {'weight': value}
    check_known(options, [f.name for f in dataclasses.fields(kind)], f'keyword of {name}')
    if isinstance(options.get('pattern'), list):
        options = {**options, 'pattern': tuple(options['pattern'])}
    number(options.get('weight'), f'the weight of {name}', lambda w: w >= 0, 'of 0 or more')
    return [kind(**options)]


class Factor(keras.layers.Layer):
    """Multiplies by a number that is a variable, so that no other number needs compiling."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.factor = self.add_weight(
            shape=(), initializer='zeros', trainable=False, dtype='float32', name='factor'
        )
        self.factor.assign(value)

    def call(self, x: Tensor) -> Tensor:
        """Compute the output."""
        return ops.cast(self.factor, x.dtype) * x

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return the shape and dtype of the output."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)


class Random(Factor):
    """Changes data at random in training, as strongly as the factor says."""

    def __init__(self, value: float, seed: int) -> None:
        super().__init__(value)
        self.supports_masking = True
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Data, training: bool = False) -> Tensor:
        """Change the data in training only."""
        return self.change(x, ops.cast(self.factor, x.dtype)) if training else x

    def change(self, x: Tensor, factor: Tensor) -> Tensor:
        """Return changed data."""
        raise NotImplementedError

    def compute_output_spec(self, x: Data, training: bool = False) -> Tensor:
        """Return the shape and dtype of the output."""
        return super().compute_output_spec(x)


class Omitted(Random):
    """Dropout whose rate is a variable; Keras' own layer has a fixed one."""

    def change(self, x: Tensor, factor: Tensor) -> Tensor:
        """Return the tensor with dropout."""
        return backend.omitted(x, factor, self.seed_generator)


class Gaussian(Random):
    """Adds normal noise; Keras' own layer has it up to a deviation of 1 only."""

    def change(self, x: Tensor, factor: Tensor) -> Tensor:
        """Return the tensor with noise."""
        return backend.noisy(x, factor, self.seed_generator)


class TrainingMode(keras.layers.Layer):
    """A wrapper that runs a layer as in training, in inference too."""

    def __init__(self, layer: KerasLayer) -> None:
        super().__init__()
        self.supports_masking = True
        self.layer = layer

    @property
    def seed_generator(self) -> keras.random.SeedGenerator:
        """The seed generator of the layer."""
        return self.layer.seed_generator

    @property
    def factor(self) -> Variable:
        """The variable that says how strongly the layer changes data."""
        return self.layer.factor

    def call(self, x: Data) -> Tensor:
        """Compute the output."""
        return self.layer(x, training=True)


class Contraction(keras.layers.Layer):
    """Computes the mean over examples of ‖∂h/∂x‖², averaged over the outputs h of a model.

    Called with the inputs of the model, a list.
    """

    def __init__(self, model: KerasModel, wrt: Any) -> None:
        super().__init__()
        self.model = lambda: model  # not tracked: Keras forgets the losses of tracked layers
        self.wrt = wrt

    def call(self, xs: list[Tensor]) -> Tensor:
        """Compute the output."""
        total, model = 0.0, self.model()
        with keras_facts.without_losses(model):
            for name in model.output:
                for j in self.wrt:
                    total += backend.squared_jacobian(
                        lambda x, name=name, j=j: model([*xs[:j], x, *xs[j + 1 :]])[name],
                        xs[j],
                    )
        return total / len(model.outputs)

    def compute_output_spec(self, xs: list[Tensor]) -> Tensor:
        """Return the shape and dtype of the output."""
        return keras.KerasTensor((), dtype='float32')
