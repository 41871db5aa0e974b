"""Former names and those of today: tables of words, and the translators that use them.

A former name works, and warns once in a process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kerasnets.errors import ConfigurationError, positive, stacklevel
from kerasnets.language.spec import extend, is_size, parse
from kerasnets.spellings import translates
from kerasnets.typing import Entry

if TYPE_CHECKING:
    from kerasnets.typing import KerasOptimizer

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

#: theanets' class of layers -> its form. A name that Keras has too means the same there.
CLASSES = {
    'Input': 'input',
    'Feedforward': 'feedforward',
    'Classifier': 'classifier',
    'Tied': 'tied',
    'RNN': 'rnn',
    'LSTM': 'lstm',
    'GRU': 'gru',
    'RRNN': 'rrnn',
    'MRNN': 'mrnn',
    'MUT1': 'mut1',
    'SCRN': 'scrn',
    'Clockwork': 'clockwork',
    'BCRNN': 'bcrnn',
    'Bidirectional': 'bidirectional',
    'Conv1': 'conv1',
    'Conv2': 'conv2',
    'Pool1': 'pool1',
    'Pool2': 'pool2',
    'Product': 'product',
    'Concatenate': 'concatenate',
    'Flatten': 'flatten',
    'Reshape': 'reshape',
}

#: theanets' class of losses, in small letters -> the form.
LOSSES = {
    'gaussianloglikelihood': 'gll',
    'kullbackleiblerdivergence': 'kl',
    'maximummeandiscrepancy': 'mmd',
    'meanabsoluteerror': 'mae',
    'meansquarederror': 'mse',
}

_warned: set[str] = set()


def warn(old: str, today: str) -> None:
    """Warn of an old name, once in a process; `today` says what to write instead."""
    if old not in _warned:
        _warned.add(old)
        message = f'{old} is a former name: {today}.'
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel())


def renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return keywords with former names replaced by current ones, after a warning for each.

    Parameters
    ----------
    given : dict
        Keywords of a call.
    names : dict of str to str
        Former name -> current name.

    Raises
    ------
    ConfigurationError
        If a keyword stands under both names.

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
                f'expected {name!r} or {old!r}, got both: {found[name]!r} and {value!r}. '
                f'Leave out {old!r}.'
            )
        warn(repr(old), f'write {name!r}')
        found[name] = value
    return found


@translates('training')
def training(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords of training under today's names, without those that nothing needs."""
    keywords = dict(keywords)
    if keywords.get('recurrent_error_start'):
        raise ConfigurationError(
            'recurrent_error_start: expected 0, as the loss counts all steps, got '
            f'{keywords["recurrent_error_start"]!r}. Give weights of 0 for steps that do not count.'
        )
    save_every = keywords.get('save_every', 0)
    if isinstance(save_every, (int, float)) and save_every < 0:
        warn('save_every below 0', 'write minutes as a float')
        keywords['save_every'] = float(-save_every)
    for old in [key for key in keywords if key in IGNORED]:
        warn(repr(old), f'leave it out, as {IGNORED[old]}')
        del keywords[old]
    return renamed(keywords, TRAINING)


@translates('options')
def options(keywords: Mapping[str, Any], known: Iterable[Iterable[str]]) -> dict[str, Any]:
    """Return keywords of training without those of theanets' trainer that no algorithm takes.

    `known` are the keywords of each algorithm. theanets took these two for all of them.
    """
    taken = {name for names in known for name in names}
    for name in ('momentum', 'nesterov'):
        if name in keywords and name not in taken and name not in _warned:
            _warned.add(name)
            warnings.warn(
                f'{name!r} changes nothing, as the algorithm does not use it. Leave it out, or '
                "write algo='sgd' or algo='nag'.",
                stacklevel=stacklevel(),
            )
    return {k: v for k, v in keywords.items() if k in taken or k not in ('momentum', 'nesterov')}


@translates('algorithm')
def algorithm(algo: str | KerasOptimizer) -> Any:
    """Return an algorithm by today's name: 'layerwise' and 'pretrain' had several."""
    if not isinstance(algo, str):
        return algo
    for start, name in ALGORITHMS.items():
        if algo.lower().startswith(start):
            if algo != name:
                warn(repr(algo), f'write {name!r}')
            return name
    return algo


@translates('activation')
def activation(name: str) -> str:
    """Return an activation, or several joined by '+', by today's names."""
    for old in name.split('+'):
        if old in ACTIVATIONS:
            warn(repr(old), f'write {ACTIVATIONS[old]!r}')
    return '+'.join(ACTIVATIONS.get(part, part) for part in name.split('+'))


@translates('entry')
def entry(value: Any, place: int = 1) -> Any:
    """Return an entry of a list of layers, at a place in it, in today's words.

    A layer object becomes the dict that it stands for, a class of layers its form.

    >>> entry(('Feedforward', 5)), entry('LSTM')
    (('feedforward', 5), 'lstm')
    """
    value = value.as_entry() if hasattr(value, 'as_entry') else _form(value)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_form, value))
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return value
    fields = renamed(value, ENTRIES)
    if 'size' in fields:
        fields['size'] = _form(fields['size'])
    if place == 0 and 'input_dim' in fields:
        dim = fields.pop('input_dim')
        fields['size' if is_size(dim) else 'shape'] = dim
    return {**fields, 'form': _form(fields['form'])} if 'form' in fields else fields


def _form(part: Any) -> Any:
    """Return the form of a class of layers, or of its name, and other parts in today's words."""
    part = getattr(part, 'FORM', part)
    if getattr(part, 'ndim', None) == 0 and part.dtype.kind in 'iu':
        return int(part)  # a size as an array without axes
    known = isinstance(part, str) and part in CLASSES and part != 'Bidirectional'
    return CLASSES[part] if known else part  # Keras has a Bidirectional of its own


@translates('network')
def network(keywords: Mapping[str, Any], layers: Iterable[Entry]) -> dict[str, Any]:
    """Return keywords of a network by today's names, with its 'layers' among them.

    Keywords that complete the list of layers are applied to it.

    Raises
    ------
    ConfigurationError
        If layers are to be tied whose sizes differ from both ends.

    >>> network({'tied_weights': True}, [4, 3, 4])
    {'layers': [4, 3, {'size': 4, 'form': 'tied'}]}
    >>> network({'recurrent_form': 'lstm'}, [4, 3, (5, 'tanh'), 2])
    {'layers': [4, {'size': 3, 'form': 'lstm'}, (5, 'tanh'), 2]}
    """
    found = renamed(keywords, NETWORKS)
    tied, form = found.pop('tied_weights', False), found.pop('recurrent_form', None)
    decoded = positive(found.pop('decode_from', 1), 'decode_from')
    if not (tied or form or decoded > 1):
        return {'layers': layers, **found}
    entries = list(layers)
    if form is not None:
        entries[1:-1] = [extend(e, {'form': form}) if is_size(e) else e for e in entries[1:-1]]
    if tied:
        entries = _tied(entries)
    if decoded > 1:
        entries[-1:] = [_decoding(entries, decoded)]
    return {'layers': entries, **found}


def _tied(entries: list[Entry]) -> list[Entry]:
    """Return the entries with those after the middle tied to those before it."""
    sizes = [parse(entry, i).size for i, entry in enumerate(entries)]
    if len(entries) < 3 or sizes != sizes[::-1]:
        raise ConfigurationError(
            f'tied_weights: expected layers whose sizes are the same from both ends, got {sizes}. '
            'Write for example [784, 256, 784].'
        )
    middle = len(entries) // 2 + 1
    return entries[:middle] + [
        (*entry, 'tied') if isinstance(entry, (tuple, list)) else extend(entry, {'form': 'tied'})
        for entry in entries[middle:]
    ]


def _decoding(entries: list[Entry], count: int) -> Entry:
    """Return the last entry, reading `count` hidden layers."""
    if count > len(entries) - 2:
        raise ConfigurationError(
            f'decode_from: expected at most {len(entries) - 2}, the number of hidden layers, '
            f'got {count}. Lower it, or add hidden layers.'
        )
    names = tuple(parse(e, i).name for i, e in enumerate(entries[:-1]))[-count:]
    last = entries[-1]
    if not isinstance(last, (tuple, list)):
        return extend(last, {'inputs': names})
    spec = parse(last, len(entries) - 1)
    fields = {'form': spec.form, 'size': spec.size, 'activation': spec.activation}
    return {**{k: v for k, v in fields.items() if v is not None}, 'inputs': names}


@translates('layers')
def layers(nodes: Any, net: Any) -> list[Any]:
    """Return the layers of a network as theanets' objects."""
    from kerasnets.compat.layers import objects  # which needs Keras

    return objects(net)


@translates('loss')
def loss(form: Any) -> Any:
    """Return the form of a loss for the name of theanets' class of it."""
    return LOSSES.get(form.lower(), form) if isinstance(form, str) else form
