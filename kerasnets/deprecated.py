"""What older versions of theanets called things: a table of old names and those of today.

An old name works, and warns once in a process.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from kerasnets.errors import ConfigurationError

#: Keyword of training -> its name of today.
TRAINING = {
    'optimize': 'algo',
    'algorithm': 'algo',
    'train_set': 'train',
    'valid_set': 'valid',
    'num_updates': 'max_updates',
    'gradient_clip': 'max_gradient_elem',
    'contractive_l2': 'contractive',
    'input_dropouts': 'input_dropout',
    'hidden_dropouts': 'hidden_dropout',
    'weight_decay': 'weight_l2',
    'l1': 'weight_l1',
    'l2': 'weight_l2',
}

#: Keywords that changed nothing but the memory or the solver of a training that is done otherwise
#: today.
IGNORED = {
    'cg_batches': 'conjugate gradients are not used',
    'cg_set': 'conjugate gradients are not used',
    'initial_lambda': 'Hessian-free optimization is not used',
    'global_backtracking': 'Hessian-free optimization is not used',
    'preconditioner': 'Hessian-free optimization is not used',
    'recurrent_error_start': 'the loss counts all steps',
}

#: Keyword of a network -> its name of today.
NETWORKS = {'activation': 'hidden_activation'}

#: Keyword of an entry of the list of layers -> its name of today.
ENTRIES = {'nout': 'size', 'nin': 'inputs', 'cls': 'form', 'klass': 'form', 'class': 'form'}

#: First letters of an algorithm, as theanets read them -> the algorithm.
ALGORITHMS = {'layer': 'layerwise', 'sup': 'layerwise', 'pre': 'pretrain', 'unsup': 'pretrain'}

#: Activation -> its name of today.
ACTIVATIONS = {
    'trel': 'rect:minmax',
    'norm:dc': 'norm:mean',
    'leaky-relu': 'prelu',
    'leaky-gain-relu': 'lgrelu',
}

#: The folder of our own code.
HERE = os.path.dirname(__file__)

_warned: set[str] = set()


def warn(old: str, today: str) -> None:
    """Warn of an old name, once in a process; `today` says what to write instead."""
    if old not in _warned:
        _warned.add(old)
        message = f'{old} is a former name: {today}.'
        warnings.warn(message, DeprecationWarning, stacklevel=callers())


def callers() -> int:
    """Return the `stacklevel` for a warning to point at the first code that is not ours.

    Keras is passed over too: it calls our callbacks.
    """
    keras = getattr(sys.modules.get('keras'), '__file__', None)
    inside = (HERE, os.path.dirname(keras)) if keras else (HERE,)
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    return level


def renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Keywords under the names of today.

    Raises
    ------
    ConfigurationError
        For a keyword that is given under both names.

    >>> renamed({'epochs': 3}, TRAINING)
    {'epochs': 3}
    """
    found = {key: value for key, value in given.items() if key not in names}
    for old, value in given.items():
        if old not in names:
            continue
        name = names[old]
        if name in found:
            raise ConfigurationError(
                f'expected {name!r} or {old!r}, got both: {found[name]!r} and {value!r}.'
            )
        warn(repr(old), f'write {name!r}')
        found[name] = value
    return found


def training(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of training under the names of today, without those that nothing needs."""
    given = dict(given)
    if given.get('recurrent_error_start'):
        raise ConfigurationError(
            'recurrent_error_start: expected 0, as the loss counts all steps, got '
            f'{given["recurrent_error_start"]!r}. Give weights of 0 for steps that do not count.'
        )
    save_every = given.get('save_every', 0)
    if isinstance(save_every, (int, float)) and save_every < 0:
        warn('save_every below 0', 'write minutes as a float')
        given['save_every'] = float(-save_every)
    for old in [key for key in given if key in IGNORED]:
        warn(repr(old), f'leave it out, as {IGNORED[old]}')
        del given[old]
    return renamed(given, TRAINING)


def algorithm(algo: Any) -> Any:
    """An algorithm by its name of today: 'layerwise' and 'pretrain' had several."""
    if not isinstance(algo, str):
        return algo
    for start, name in ALGORITHMS.items():
        if algo.lower().startswith(start):
            if algo != name:
                warn(repr(algo), f'write {name!r}')
            return name
    return algo
