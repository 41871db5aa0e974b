"""The errors that kerasnets raises. Each says what is wrong, what was expected and what to do."""

from __future__ import annotations

import contextvars
import difflib
import fnmatch
import inspect
import numbers
import os
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kerasnets.typing import Tensor

#: Folders of installed modules, and of Python's own.
LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ('stdlib', 'purelib', 'platlib'))


#: Argument -> its name in messages, where another than in Python: a command sets its options'.
NAMES: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar('names')


def named(argument: str) -> str:
    """Return the name of an argument for messages: at the shell that of the option."""
    return NAMES.get({}).get(argument, argument)


class KerasnetsError(Exception):
    """Base of every error that kerasnets raises on purpose.

    A notebook shows the user's frames, one public function of kerasnets, and the message.
    """

    def _render_traceback_(self) -> list[str]:
        shell = sys.modules['IPython'].get_ipython()
        held = self.__cause__, self.__context__, self.__suppress_context__
        self.__cause__ = self.__context__ = None
        try:
            shown, traceback = shell.InteractiveTB, _outside(self.__traceback__)
            found: list[str] = shown.structured_traceback(
                type(self), self, traceback, tb_offset=shown.tb_offset
            )
        finally:
            self.__cause__, self.__context__, self.__suppress_context__ = held
        return found


def _outside(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback with the user's frames and the first frame of kerasnets."""
    frames, entered = [], False
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        ours = path.startswith(os.path.dirname(__file__))
        if not entered or not (ours or path.startswith(LIBRARIES)):
            frames.append(traceback)
        entered |= ours
        traceback = traceback.tb_next
    for one in reversed(frames):
        traceback = types.TracebackType(traceback, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return traceback


class ConfigurationError(KerasnetsError, ValueError):
    """A network, a layer or a keyword that cannot be what the caller meant."""


class UnknownNameError(ConfigurationError, KeyError):
    """A layer or a parameter that a network does not have."""

    __str__ = Exception.__str__  # a KeyError would put its message in quotes


class DataError(KerasnetsError, ValueError):
    """Data that does not fit the network."""


class FileError(KerasnetsError, OSError):
    """A file that cannot be read or written as a network."""


class ProcessError(KerasnetsError, RuntimeError):
    """Another process that shares the work is lost."""


def in_a_line(error: Exception) -> str:
    """Return the message of an error of Keras in a line, without what it adds for a terminal."""
    text = re.sub(r'\x1b\[\d*m', '', str(error))
    text = text.partition('Arguments received by')[0]
    text = re.sub(r'Exception encountered when calling [^ ]+\.', '', text)
    return ' '.join(text.partition('Error encountered:')[2].split() or text.split())


def suggest(word: object, known: Iterable[object]) -> str:
    """Return a sentence with the known word nearest to `word`, or an empty string.

    >>> suggest('lstn', ['lstm', 'gru'])
    " Did you mean 'lstm'?"
    """
    words = {str(k).lower(): str(k) for k in known if not str(k).startswith('_')}
    near = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.6)
    return f' Did you mean {words[near[0]]!r}?' if near else ''


def check_object(given: object, what: str) -> None:
    """Raise ConfigurationError for a class where an object of it is expected."""
    if isinstance(given, type):
        raise ConfigurationError(
            f'expected {what} by name or as an object, got the class {given.__name__}. '
            f'Write {given.__name__}(), an object of it.'
        )


def check_known(
    given: Iterable[Any], known: Iterable[Any], what: str, words: Mapping[str, str] | None = None
) -> None:
    """Refuse names that are not known.

    Raises ConfigurationError for the first unknown name. The message has the remedy that `words`
    gives for the name, or else the nearest known name, or else all.
    """
    known = list(known)
    for name in given:
        if name not in known and name in (words or {}):
            raise ConfigurationError(f'unknown {what} {name!r}. {(words or {})[name]}')
        if name not in known:
            choices = f'Choose one of: {", ".join(sorted(map(str, known)))}.'
            remedy = suggest(name, known)[1:] or (choices if known else 'Leave it out.')
            raise ConfigurationError(f'unknown {what} {name!r}. {remedy}')


def matching(pattern: str, names: Iterable[str], what: str) -> list[str]:
    """Return the names that a shell-style pattern matches.

    Raises ConfigurationError if there are none, naming the nearest.
    """
    found = fnmatch.filter(names, pattern)
    if not found:
        raise ConfigurationError(
            f'{what} {pattern!r} matches nothing.{suggest(pattern, names)} '
            f'Choose one of: {", ".join(names)}.'
        )
    return found


def scalar(tensor: Tensor, what: str) -> Tensor:
    """Return the tensor if it has no axes; else raise ConfigurationError."""
    shape = getattr(tensor, 'shape', ())
    if len(shape):
        raise ConfigurationError(
            f'expected {what} to give a scalar, got shape {tuple(shape)}. Take a mean, for example.'
        )
    return tensor


def positive(value: Any, name: str, least: int = 1) -> int:
    """Return the value as an int of 1 (or `least`) or more; else raise ConfigurationError."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ConfigurationError(
            f'expected {named(name)} as an int of {least} or more, got {value!r}. '
            f'Write for example {max(least, 10)}.'
        )
    return int(value)


def number(value: Any, name: str, allowed: Callable[[Any], bool], when: str) -> float:
    """Return the value as a float if `allowed` accepts it; else raise ConfigurationError."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not allowed(value):
        raise ConfigurationError(
            f'expected {named(name)} as a number {when}, got {value!r}. Change it to such a number.'
        )
    return float(value)


def fraction(value: Any, name: str) -> float:
    """Return a value as a float of 0 to under 1; raise ConfigurationError for any other."""
    return number(value, name, lambda v: 0 <= v < 1, 'of 0 to under 1')


def pick(found: Any, key: Any, complaint: str) -> Any:
    """Return an item of a dict by name or index; raise UnknownNameError if it has none."""
    names = list(found)
    if isinstance(key, numbers.Integral) and -len(names) <= int(key) < len(names):
        return found[names[int(key)]]
    if key not in found:
        raise UnknownNameError(
            f'{complaint} {key!r}.{suggest(key, names)} '
            + (f'Choose one of: {", ".join(names)}.' if names else 'It has none.')
        )
    return found[key]


def stacklevel() -> int:
    """Return the `stacklevel` at which a warning points at the first code outside kerasnets.

    Keras, which calls our callbacks, is passed over too.
    """
    keras = getattr(sys.modules.get('keras'), '__file__', None)
    inside = tuple(os.path.dirname(path) for path in (__file__, keras) if path)
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    return level
