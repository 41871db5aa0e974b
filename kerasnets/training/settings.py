"""The keywords of training, checked."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from kerasnets import optimizers, regularizers
from kerasnets.errors import ConfigurationError, check_known, positive
from kerasnets.spellings import translate


@dataclasses.dataclass
class Settings:
    """The keywords of `Network.itertrain` that control the course of training."""

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
        """Check the values."""
        if self.epochs is not None:
            positive(self.epochs, 'epochs', least=0)
        if self.max_updates is not None:
            positive(self.max_updates, 'max_updates', least=0)
        positive(self.validate_every, 'validate_every')
        if self.compat not in (None, 'theanets'):
            raise ConfigurationError(
                f"expected compat as 'theanets' or None, got {self.compat!r}. Leave it out."
            )
        if self.jit not in ('auto', True, False):
            raise ConfigurationError(
                f"expected jit as 'auto', True or False, got {self.jit!r}. Leave it out for 'auto'."
            )


#: Keywords of Keras' and scikit-learn's training -> what to write here.
WORDS = {
    'lr': 'Write learning_rate=.',
    'learning_rate_init': 'Write learning_rate=.',
    'optimizer': "Write algo=, such as algo='adam', or a keras.optimizers.Optimizer.",
    **dict.fromkeys(('x', 'y', 'data'), 'Pass the arrays as one list: train([inputs, targets]).'),
    **dict.fromkeys(
        ('validation_data', 'validation', 'val', 'eval_set', 'valid_data', 'val_data'),
        'Write valid=[inputs, targets].',
    ),
    'validation_split': 'Split the arrays, and write valid=[inputs, targets] for the second part.',
    'validation_fraction': 'Split the arrays, and write valid=[inputs, targets] for a part.',
    'validation_freq': 'Write validate_every=.',
    'validation_steps': 'Write valid_batches=.',
    'validation_batch_size': 'Write batch_size=, which validation uses too.',
    'steps_per_epoch': 'Write train_batches=.',
    'steps_per_execution': 'Leave it out: the number of batches in a call is chosen.',
    'metrics': "Write monitors=, such as monitors=['accuracy'].",
    'max_iter': 'Write epochs=.',
    'nb_epoch': 'Write epochs=.',
    'n_epochs': 'Write epochs=.',
    'n_iter': 'Write epochs=.',
    'iterations': 'Write epochs=.',
    'initial_epoch': 'Leave it out: epochs counts those of this call.',
    'n_iter_no_change': 'Write patience=.',
    'early_stopping': 'Write patience=, the validations without improvement before the end.',
    'early_stop': 'Write patience=, the validations without improvement before the end.',
    **dict.fromkeys(('tol', 'min_delta'), 'Write min_improvement=.'),
    'alpha': 'Write weight_l2=.',
    'shuffle': 'Leave it out: arrays are shuffled. Pass a function for an order of your own.',
    'warm_start': 'Leave it out: train() goes on from the current parameters.',
    'jit_compile': 'Write jit=.',
    'clipvalue': 'Write max_gradient_elem=.',
    **dict.fromkeys(
        ('random_state', 'seed', 'rng'), 'Give rng= to the network: Classifier(layers, rng=1).'
    ),
    'activation': "Write it in the layers, such as Classifier([inputs, (100, 'tanh'), classes]).",
    'device': 'Leave it out: TensorFlow, JAX and PyTorch use the accelerator that they find.',
    **dict.fromkeys(
        ('hidden_layer_sizes', 'hidden_layers', 'units', 'layers'),
        'Give the sizes to the network: Classifier([inputs, 100, classes]).',
    ),
    **dict.fromkeys(
        ('input_shape', 'input_dim', 'n_inputs'),
        'Give it to the network, as the first entry: Classifier([inputs, 100, classes]).',
    ),
    **dict.fromkeys(('solver', 'opt', 'optim', 'optimiser'), "Write algo=, such as algo='adam'."),
    **dict.fromkeys(
        ('sample_weight', 'weights', 'sample_weights'),
        'Build the network with weighted=True, and train([inputs, targets, weights]).',
    ),
    **dict.fromkeys(('kernel_regularizer', 'l2_reg'), 'Write weight_l2=.'),
    **dict.fromkeys(
        ('loss', 'cost', 'criterion'), 'Give it to the network: Classifier(layers, loss=...).'
    ),
    **dict.fromkeys(
        ('clipnorm', 'global_clipnorm', 'grad_clip', 'max_norm'), 'Write max_gradient_norm=.'
    ),
    **dict.fromkeys(
        ('restore_best_weights', 'save_best_only'), 'Leave it out: the best parameters are kept.'
    ),
    **dict.fromkeys(
        ('checkpoint', 'checkpoint_path'), "Write save_progress='run.keras', resume=True."
    ),
    **dict.fromkeys(('log_dir', 'logdir'), "Write tensorboard='logs'."),
    **dict.fromkeys(
        ('decay', 'scheduler', 'schedule', 'lr_scheduler'),
        'Write learning_rate=, such as keras.optimizers.schedules.CosineDecay(0.01, 1000).',
    ),
    **dict.fromkeys(('beta_1', 'beta_2', 'epsilon'), "It belongs to adam. Write algo='adam', too."),
    'eps': 'Write epsilon=.',
    'nesterovs_momentum': 'Write nesterov=True.',
    'monitor': 'Give it to a callback, or write monitors=.',
}

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
    declared = inspect.signature(method, eval_str=False)
    *positional, rest = declared.parameters.values()
    defaults = {f.name: f.default for f in dataclasses.fields(Settings)} | PARTS
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in defaults.items()
    ]
    rest = rest.replace(name='options', annotation=inspect.Parameter.empty)
    return declared.replace(parameters=[*positional, *named, rest])


def defaults(keywords: Mapping[str, Any], known: Iterable[str] = ()) -> dict[str, Any]:
    """Return keywords as defaults of training.

    Parameters
    ----------
    keywords : dict
    known : iterable of str
        Other keywords that a misspelt one may have meant.

    Raises
    ------
    ConfigurationError
        For a keyword that training does not take.
    """
    checked: dict[str, Any] = translate('training', keywords)
    for algo in _algorithms(checked.get('algo', 'rmsprop')):
        taken = [*_known(algo, checked), *known, 'train', 'valid', 'algo']
        check_known(checked, taken, 'keyword of training', WORDS)
    return checked


def gathered(defaults: Any, keywords: Any, **named: Any) -> dict[str, Any]:
    """Merge the keywords of a call with the network's defaults; the call wins."""
    passed = {name: value for name, value in named.items() if value is not None}
    keywords = translate('training', keywords)
    for name in passed:
        if name in keywords:
            raise ConfigurationError(
                f'expected {name!r} once, got it twice: {passed[name]!r} and {keywords[name]!r}. '
                'Leave one of them out.'
            )
    merged = {**defaults, **passed, **keywords}
    if merged.get('compat') == 'theanets' and merged.get('valid') is None:
        merged['valid'] = merged.get('train')
    return merged


def algorithms(algo: Any, keywords: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Return each algorithm with the keywords that it accepts.

    Raises
    ------
    ConfigurationError
        If none of the algorithms takes a keyword.
    """
    chosen = _algorithms(algo)
    taken = [_known(one, keywords) for one in chosen]
    keywords = translate('options', keywords, taken)
    known = [name for names in taken for name in names]
    check_known(keywords, known, 'keyword of training', WORDS)
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
    """Split keywords into `Settings` and those of the algorithm and the regularizers."""
    named = [field.name for field in dataclasses.fields(Settings)]
    chosen = {name: keywords[name] for name in named if name in keywords}
    return Settings(**chosen), {k: v for k, v in keywords.items() if k not in chosen}


def _algorithms(algo: Any) -> list[Any]:
    """Return the algorithms in a list, a tuple or a str with spaces."""
    names = algo.split() if isinstance(algo, str) else algo
    names = list(names) if isinstance(names, (list, tuple)) else [names]
    if not names:
        raise ConfigurationError(f"expected an algorithm or several, got {algo!r}. Try 'rmsprop'.")
    return [translate('algorithm', one) for one in names]


def _known(algo: Any, keywords: Any) -> list[str]:
    """Return the keywords that training with an algorithm accepts."""
    algo = keywords.get('subalgo') if algo in BY_PARTS else algo
    named = [field.name for field in dataclasses.fields(Settings)]
    own = optimizers.keywords('rmsprop' if algo is None else algo)
    return [*own, *named, *PARTS, *regularizers.names()]
