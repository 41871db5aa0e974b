"""The keywords of training, checked."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, TypedDict

from kerasnets import deprecated, optimizers, regularizers
from kerasnets.errors import ConfigurationError, check_known, positive


@dataclasses.dataclass
class Settings:
    """The keywords of training that are about its course; those of `Network.itertrain`."""

    epochs: int | None = None
    max_updates: int | None = None
    learning_rate: object = None
    batch_size: int = 32
    train_batches: int | None = None
    valid_batches: int | None = None
    patience: int = 5
    validate_every: int = 10
    min_improvement: float = 0.0
    monitors: object = None
    monitor_gradients: bool = False
    class_weight: object = None
    callbacks: object = ()
    tensorboard: object = None
    verbose: object = 'auto'
    save_progress: object = None
    save_every: float = 0
    resume: object = None
    continue_: bool = False
    jit: object = 'auto'
    compat: str | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None:
            positive(self.epochs, 'epochs', least=0)
        if self.max_updates is not None:
            positive(self.max_updates, 'max_updates', least=0)
        positive(self.validate_every, 'validate_every')
        if self.compat not in (None, 'theanets'):
            raise ConfigurationError(f"expected compat as 'theanets' or None, got {self.compat!r}.")
        if self.jit not in ('auto', True, False):
            raise ConfigurationError(f"expected jit as 'auto', True or False, got {self.jit!r}.")


#: Algorithms that train parts of a network, each with the algorithm `subalgo`.
BY_PARTS = ('layerwise', 'pretrain', 'sample')

#: Their keywords.
PARTS = {'subalgo': 'rmsprop', 'unlabelled': None}


class Keywords(TypedDict, total=False):
    """The keywords of training, for editors and type checkers; see `Network.itertrain`."""

    epochs: int | None
    max_updates: int | None
    learning_rate: Any
    batch_size: int
    train_batches: int | None
    valid_batches: int | None
    patience: int
    validate_every: int
    min_improvement: float
    monitors: Any
    monitor_gradients: bool
    class_weight: Any
    callbacks: Any
    tensorboard: Any
    verbose: Any
    save_progress: Any
    save_every: float
    resume: Any
    continue_: bool
    jit: Any
    compat: str | None
    subalgo: Any
    unlabelled: Any
    # of algorithms
    momentum: float
    nesterov: bool
    rms_halflife: float
    rms_regularizer: float
    rprop_increase: float
    rprop_decrease: float
    rprop_min_step: float
    rprop_max_step: float
    max_gradient_norm: float | None
    max_gradient_elem: float | None
    weight_decay_rate: float
    use_ema: bool
    ema_momentum: float
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool
    # regularizers
    weight_l1: Any
    weight_l2: Any
    hidden_l1: Any
    hidden_l2: Any
    recurrent_norm: Any
    recurrent_state: Any
    contractive: Any
    dropout: Any
    noise: Any
    input_dropout: float
    input_noise: float
    hidden_dropout: float
    hidden_noise: float
    output_dropout: float
    output_noise: float
    regularizers: Any


def signature(method: Any) -> inspect.Signature:
    """Return the signature of a method that trains, with every keyword and its default."""
    given = inspect.signature(method, eval_str=False)
    *positional, rest = given.parameters.values()
    defaults = {f.name: f.default for f in dataclasses.fields(Settings)} | PARTS
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in defaults.items()
    ]
    rest = rest.replace(name='options', annotation=inspect.Parameter.empty)
    return given.replace(parameters=[*positional, *named, rest])


def divided(keywords: Any, cls: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of the constructor of `cls`, if any, and the defaults of training.

    Raises
    ------
    ConfigurationError
        For a keyword that neither takes.
    """
    keywords = deprecated.renamed(keywords, deprecated.NETWORKS)
    names = inspect.signature(cls).parameters if cls is not None else ()
    known = [name for name in names if name not in ('layers', 'rng')]
    built = {name: keywords.pop(name) for name in known if name in keywords}
    defaults = deprecated.training(keywords)
    for algo in _algorithms(defaults.get('algo', 'rmsprop')):
        taken = [*_known(algo, defaults), *known, 'train', 'valid', 'algo']
        check_known(defaults, taken, 'keyword of training')
    return built, defaults


def gathered(defaults: Any, keywords: Any, **named: Any) -> dict[str, Any]:
    """Return all keywords of a training: those of the call before those of the network."""
    given = {name: value for name, value in named.items() if value is not None}
    keywords = deprecated.training(keywords)
    for name in given:
        if name in keywords:
            raise ConfigurationError(
                f'expected {name!r} once, got it twice: {given[name]!r} and {keywords[name]!r}.'
            )
    found = {**defaults, **given, **keywords}
    if found.get('compat') == 'theanets' and found.get('valid') is None:
        found['valid'] = found.get('train')
    return found


def algorithms(algo: Any, keywords: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Return each algorithm with those of the keywords that it takes.

    Raises
    ------
    ConfigurationError
        For a keyword that none of them takes.
    """
    chosen = _algorithms(algo)
    taken = [_known(one, keywords) for one in chosen]
    check_known(keywords, [name for known in taken for name in known], 'keyword of training')
    return [
        (
            one,
            {
                name: value
                for name, value in keywords.items()
                if name in known and (name not in PARTS or one in BY_PARTS)
            },
        )
        for one, known in zip(chosen, taken)
    ]


def split(keywords: Any) -> tuple[Settings, dict[str, Any]]:
    """Return `Settings`, and the keywords of the algorithm and the regularizers."""
    named = [field.name for field in dataclasses.fields(Settings)]
    chosen = {name: keywords[name] for name in named if name in keywords}
    return Settings(**chosen), {k: v for k, v in keywords.items() if k not in chosen}


def _algorithms(algo: Any) -> list[Any]:
    """Return the algorithms in a list, a tuple or a str with spaces."""
    found = algo.split() if isinstance(algo, str) else algo
    found = list(found) if isinstance(found, (list, tuple)) else [found]
    if not found:
        raise ConfigurationError(f"expected an algorithm or several, got {algo!r}. Try 'rmsprop'.")
    return [deprecated.algorithm(one) for one in found]


def _known(algo: Any, keywords: Any) -> list[str]:
    """Return the keywords that training with an algorithm takes."""
    algo = keywords.get('subalgo') if algo in BY_PARTS else algo
    named = [field.name for field in dataclasses.fields(Settings)]
    own = optimizers.keywords('rmsprop' if algo is None else algo)
    return [*own, *named, *PARTS, *regularizers.names()]
