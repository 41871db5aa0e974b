"""Translators of other spellings: a package at the edge registers them, the core calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Translator = TypeVar('Translator', bound=Callable[..., Any])

#: Subject, such as 'entry' or 'activation' -> function from any spelling to that of the core.
_TRANSLATORS: dict[str, Callable[..., Any]] = {}


def translates(subject: str) -> Callable[[Translator], Translator]:
    """Register a function as the translator of a subject, by a decorator."""

    def register(function: Translator) -> Translator:
        _TRANSLATORS[subject] = function
        return function

    return register


def translate(subject: str, value: Any, *context: Any) -> Any:
    """Return a value in the spelling of the core; the value itself without a translator.

    >>> translate('activation', 'norm:mean')
    'norm:mean'
    """
    translator = _TRANSLATORS.get(subject)
    return value if translator is None else translator(value, *context)
