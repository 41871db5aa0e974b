"""The keywords of training, checked."""

from __future__ import annotations

import dataclasses
from typing import Any

from kerasnets import optimizers, regularizers
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

    def __post_init__(self) -> None:
        if self.epochs is not None:
            positive(self.epochs, 'epochs', least=0)
        if self.max_updates is not None:
            positive(self.max_updates, 'max_updates', least=0)
        positive(self.validate_every, 'validate_every')
        if self.jit not in ('auto', True, False):
            raise ConfigurationError(f"expected jit as 'auto', True or False, got {self.jit!r}.")


def check_keywords(algo: Any, keywords: Any) -> None:
    """Refuse keywords that training with an algorithm does not take."""
    named = [field.name for field in dataclasses.fields(Settings)]
    known = [*optimizers.keywords(algo), *named, *regularizers.names()]
    check_known(keywords, [*known, 'train', 'valid', 'algo'], 'keyword of training')
