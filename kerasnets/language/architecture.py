"""Lists of layers as theanets' older versions completed them, from keywords of the network."""

from __future__ import annotations

from typing import Any

from kerasnets.errors import ConfigurationError, positive
from kerasnets.language.spec import extend, is_size, parse
from kerasnets.typing import Layers


def arrange(layers: Layers, tied_weights: bool = False, recurrent_form: str | None = None) -> Any:
    """The entries, tied after the middle, and recurrent where only a size is given.

    Raises
    ------
    ConfigurationError
        If layers are to be tied whose sizes are not the same from both ends.

    >>> arrange([4, 3, 4], tied_weights=True)
    [4, 3, {'size': 4, 'form': 'tied'}]
    >>> arrange([4, 3, (5, 'tanh'), 2], recurrent_form='lstm')
    [4, {'size': 3, 'form': 'lstm'}, (5, 'tanh'), 2]
    """
    found = list(layers)
    if recurrent_form is not None:
        for i in range(1, len(found) - 1):
            if is_size(found[i]):
                found[i] = extend(found[i], {'form': recurrent_form})
    if not tied_weights:
        return found
    sizes = [parse(entry, i).size for i, entry in enumerate(found)]
    if len(found) < 3 or sizes != sizes[::-1]:
        raise ConfigurationError(
            f'tied_weights: expected layers whose sizes are the same from both ends, got {sizes}. '
            'Write for example [784, 256, 784].'
        )
    for i in range(len(found) // 2 + 1, len(found)):
        entry = found[i]
        parts = (*entry, 'tied') if isinstance(entry, (tuple, list)) else None
        found[i] = extend(entry, {'form': 'tied'}) if parts is None else parts
    return found


def check_decoded(decode_from: Any, layers: Any) -> int:
    """The number of hidden layers that the last one reads, if there are as many."""
    count = positive(decode_from, 'decode_from')
    if count > 1 and count > len(layers) - 2:
        raise ConfigurationError(
            f'decode_from: expected at most {len(layers) - 2}, the number of hidden layers, '
            f'got {count}.'
        )
    return count
