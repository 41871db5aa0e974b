"""The language of layers: what a user types, parsed to frozen `LayerSpec` values.

A pure parser: it knows forms by name only and never imports Keras. `graph.nodes`
turns the specs into layers; saving and loading read the same specs.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kerasnets.errors import ConfigurationError, suggest
from kerasnets.language import registry
from kerasnets.spellings import translate
from kerasnets.typing import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Words of other libraries for a form -> what to write here.
WORDS = {
    **dict.fromkeys(('dense', 'linear', 'fc'), "'ff', or the size alone"),
    **dict.fromkeys(('batchnorm', 'batch_norm', 'bn'), "'BatchNormalization'"),
    **dict.fromkeys(('layernorm', 'layer_norm'), "'norm'"),
    **dict.fromkeys(('conv1d', 'conv2d'), "'conv1' or 'conv2'"),
    **dict.fromkeys(('maxpool', 'maxpool2d'), "'pool2'"),
    **dict.fromkeys(('simplernn', 'simple_rnn'), "'rnn'"),
}

#: The names of layers that TensorFlow takes.
SCOPE = re.compile(r'[\w>-]+', re.ASCII)

#: Keys of a dict entry that name the outputs from which a recurrent layer starts.
STATES = ('h_0', 'c_0', 's_0')

#: Keys of a dict entry that the language itself gives a meaning; the rest goes to Keras.
KEYS = ('form', 'name', 'size', 'shape', 'activation', 'inputs', *STATES)


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """The specification of one layer."""

    form: str  # a form of kerasnets, the name of a class of keras.layers, or 'keras'
    name: str  # unique in its network
    place: int  # position in the list of layers
    entry: Any  # what the user typed
    size: int | None = None  # number of units
    shape: tuple[int | None, ...] | None = None  # of an input, without the examples
    activation: Any = None  # as typed; None leaves the choice to the form
    default_activation: str | None = 'relu'  # for forms that follow the network's custom
    inputs: tuple[str, ...] = ()  # names of the outputs it reads, such as 'hid1:out'
    sizes: tuple[int | None, ...] = ()  # of the inputs, where the entry says them
    states: tuple[tuple[str, str], ...] = ()  # pairs such as ('h_0', 'encoder:out')
    options: Mapping[str, Any] = dataclasses.field(  # keywords for Keras and for initialisation
        default_factory=lambda: MappingProxyType({})
    )
    layer: Any = None  # the Keras layer itself, where the user gave one

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the outputs that the layer depends on."""
        return (*self.inputs, *(name for _, name in self.states))

    def error(self, cause: object) -> ConfigurationError:
        """Return a ConfigurationError that names the layer at fault."""
        return ConfigurationError(f'layer {self.place} ({self.name!r}), {self.entry!r}: {cause}')


def parse(
    entry: Entry,
    place: int,
    *,
    name: str | None = None,
    previous: str | tuple[str, ...] | None = None,
    default_activation: str | None = 'relu',
) -> LayerSpec:
    """Parse one entry of a list of layers.

    Parameters
    ----------
    entry : int, str, tuple, list, dict or Keras layer
        An int is a size; a str a form; a tuple holds a size, a form and an activation in any
        order (ints alone, in the first place, are the shape of an input); a dict says all by
        name; a Keras layer stands for itself.
    place : int
        Position of the entry; the entry at 0 is the input.
    name : str, optional
        Name of the layer where the entry gives none. Default 'in' at place 0, else 'hid<place>'.
    previous : str or tuple of str, optional
        Names of the layers that this one reads where the entry does not say.
    default_activation : str
        Activation where neither the entry nor its form has one.

    Raises
    ------
    ConfigurationError
        Naming the place and the entry.

    >>> spec = parse((20, 'rnn', 'tanh'), 1, previous='in')
    >>> spec.form, spec.name, spec.size, spec.activation, spec.inputs
    ('rnn', 'hid1', 20, 'tanh', ('in:out',))
    """
    try:
        fields = _fields(entry, place)
        first = 'in' if fields['form'] == 'input' else f'hid{place}'
        fields['name'] = _name(fields.get('name'), name or first)
        fields['inputs'], fields['sizes'] = _sized_inputs(fields.get('inputs'), previous)
        if fields['form'] == 'input':
            fields['inputs'] = fields['sizes'] = ()
            _check_input(fields)
    except ConfigurationError as cause:
        raise ConfigurationError(f'layer {place}, {entry!r}: {cause}') from None
    return LayerSpec(place=place, entry=entry, default_activation=default_activation, **fields)


def extend(entry: Entry, keywords: dict[str, Any]) -> Entry:
    """Return an entry with keywords added to it, as `Network.add_layer` takes them.

    >>> extend(20, {'form': 'rnn'}) == {'size': 20, 'form': 'rnn'}
    True
    """
    if not keywords:
        return entry
    if entry is None or isinstance(entry, Mapping):
        return {**keywords, **(entry or {})}
    if is_size(entry):
        return {'size': entry, **keywords}
    if isinstance(entry, str):
        return {'form': entry, **keywords}
    raise ConfigurationError(
        f'expected keywords with an int, a str or a dict, got {entry!r} and {keywords!r}. '
        'Put the keywords into the entry.'
    )


def check_names(specs: Iterable[LayerSpec]) -> None:
    """Raise ConfigurationError for duplicate names and inputs that name no earlier layer."""
    seen: dict[str, Any] = {}
    for spec in specs:
        for source in spec.sources:
            if source.split(':')[0] not in seen:
                later = any(s.name == source.split(':')[0] for s in specs)
                why = 'comes later or is itself: a cycle' if later else 'is not there'
                raise spec.error(
                    f'its input {source!r} {why}.{suggest(source.split(":")[0], seen)} '
                    f'Name one of the layers before it: {", ".join(seen)}.'
                )
        if spec.name in seen:
            raise spec.error(
                f'the name {spec.name!r} is taken by layer {seen[spec.name]}. '
                'Give one of them another name with dict(name=...).'
            )
        seen[spec.name] = spec.place


def _fields(entry: Entry, place: int) -> dict[str, Any]:
    """Return the fields of the LayerSpec that the entry itself decides."""
    default = 'input' if place == 0 else 'ff'
    if not _is_plain(entry):
        entry = translate('entry', entry, place)
    if isinstance(entry, str):
        return {'form': known_form(entry)}
    if is_size(entry):
        return {'form': default, 'size': _size(entry)}
    if isinstance(entry, (tuple, list)):
        if place == 0 and len(entry) > 1 and all(is_size(e) or e is None for e in entry):
            return {'form': 'input', 'shape': tuple(None if e is None else _size(e) for e in entry)}
        return _from_tuple(entry, default)
    if isinstance(entry, Mapping):
        return _from_dict(entry, default)
    if hasattr(entry, 'get_config') and hasattr(entry, 'name'):  # a Keras layer, not imported here
        return {'form': 'keras', 'layer': entry, 'name': entry.name}
    if isinstance(entry, type):
        raise ConfigurationError(
            f'expected a Keras layer, got the class {entry.__name__}. Write {entry.__name__}(...), '
            'an object of it.'
        )
    raise ConfigurationError(
        'expected an int, a str, a tuple, a dict or a Keras layer, '
        f'got {type(entry).__name__}. Write 20 for a layer of 20 units.'
    )


def _is_plain(entry: Entry) -> bool:
    """Return True if an entry has only sizes and lower-case names."""
    parts = entry if isinstance(entry, (tuple, list)) else [entry]
    return all(part.islower() if isinstance(part, str) else is_size(part) for part in parts)


def _from_tuple(entry: Entry, default: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}

    def put(key: str, value: Any) -> None:
        if key in fields:
            raise ConfigurationError(
                f'two of {key}: {fields[key]!r} and {value!r}. Keep one of them.'
            )
        fields[key] = value

    forms = [part for part in entry if isinstance(part, str) and form_of(part)]
    for part in entry:
        if is_size(part):
            put('size', _size(part))
        elif part in forms and not (part == 'softmax' and len(forms) > 1):
            put('form', form_of(part))
        elif isinstance(part, str) and part.lower() in WORDS and part != 'linear':
            known_form(part)  # which says the word for it
        elif isinstance(part, str) or callable(part):
            put('activation', part)
        else:
            raise ConfigurationError(
                f'expected a size (int), a form or an activation (str), got {part!r}. '
                'Write other settings as a dict: dict(form=..., size=..., ...).'
            )
    return {'form': default, **fields}


def _from_dict(entry: Entry, default: Any) -> dict[str, Any]:
    for key in entry:
        if not isinstance(key, str):
            raise ConfigurationError(
                f"expected words as keys, got {key!r}. Write for example dict(form='rnn', size=20)."
            )
    fields = {key: entry[key] for key in KEYS if entry.get(key) is not None}
    form = fields.get('form', default)
    if not isinstance(form, str):
        raise ConfigurationError(
            f"expected the form as a str, got {form!r}. Write for example form='rnn'."
        )
    fields['form'] = known_form(form)
    states = [(key, fields.pop(key)) for key in STATES if key in fields]
    for key, name in states:
        if not isinstance(name, str):
            raise ConfigurationError(
                f'expected {key} as the name of an output, got {name!r}. '
                f"Write for example {key}='hid1:out'."
            )
    fields['states'] = tuple((key, *_inputs(name, None)) for key, name in states)
    if 'size' in fields:
        fields['size'] = _size(fields['size'])
    if 'shape' in fields:
        if not isinstance(fields['shape'], (tuple, list)):
            raise ConfigurationError(
                f'expected the shape as a tuple, got {fields["shape"]!r}. '
                'Write for example shape=(28, 28, 1).'
            )
        fields['shape'] = tuple(None if n is None else _size(n) for n in fields['shape'])
    fields['options'] = MappingProxyType({k: v for k, v in entry.items() if k not in KEYS})
    return fields


def is_size(value: object) -> bool:
    """Return True if an entry, or a part of one, is a size: an int of any type."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _size(value: Any) -> int:
    if not is_size(value) or value < 1:
        raise ConfigurationError(
            f'expected a size of 1 or more as an int, got {value!r}. Write for example 20.'
        )
    return int(value)


def form_of(word: str) -> str | None:
    """Return the form that a word names, or None.

    Forms of kerasnets may be written small or in capitals, since 'LSTM' and 'GRU' are words of
    their own; what else begins with a capital is taken for a class of Keras.

    >>> form_of('lstm'), form_of('LSTM'), form_of('Softmax'), form_of('tanh')
    ('lstm', 'lstm', 'Softmax', None)
    """
    if word in registry.OWN:
        return word
    if word.lower() in registry.FORMS and word in (word.lower(), word.upper()):
        return word.lower()
    return word if word[:1].isupper() else None


def known_form(word: str) -> str:
    """Return the form that a word names; raise ConfigurationError if none has that name."""
    form = form_of(word)
    if form is not None:
        return form
    known = sorted([*registry.FORMS, *registry.OWN])
    if word.lower() in WORDS:
        raise ConfigurationError(f'unknown layer form {word!r}. Write {WORDS[word.lower()]}.')
    raise ConfigurationError(
        f'unknown layer form {word!r}.{suggest(word, known)} Choose one of: {", ".join(known)}, '
        'or a class of keras.layers by its name.'
    )


def _name(typed: object, default: Any) -> Any:
    name = default if typed is None else typed
    if not isinstance(name, str) or not name or set(name) & set(':./'):
        raise ConfigurationError(
            f"expected a name without ':', '.' or '/', got {name!r}. Use a name such as 'hid1'."
        )
    if not SCOPE.fullmatch(name):
        raise ConfigurationError(
            'expected a name of ASCII letters, digits, _ and -, which TensorFlow takes, got '
            f"{name!r}. Use a name such as 'hid1'."
        )
    return name


def _sized_inputs(typed: Any, previous: Any) -> Any:
    """Return names of outputs, and their sizes if an int or a dict of names sets them."""
    if is_size(typed):
        return _inputs(None, previous), (_size(typed),)
    if isinstance(typed, Mapping):
        return _inputs(tuple(typed), previous), tuple(map(_size, typed.values()))
    return _inputs(typed, previous), ()


def _inputs(typed: Any, previous: Any) -> Any:
    """Return full names of outputs: 'hid1:out' for 'hid1'."""
    previous = previous if isinstance(previous, tuple) else (previous,)
    names = (typed,) if isinstance(typed, str) else previous if typed is None else typed
    if not isinstance(names, (tuple, list)):
        raise ConfigurationError(
            f"expected inputs as names of layers, got {names!r}. Write for example inputs='hid1'."
        )
    for name in names:
        if not isinstance(name, str) and name is not None:
            raise ConfigurationError(
                f'expected inputs as names of layers, got {name!r}. '
                "Write for example inputs='hid1'."
            )
    return tuple(name if ':' in name else f'{name}:out' for name in names if name is not None)


def _check_input(fields: dict[str, Any]) -> None:
    if ('size' in fields) == ('shape' in fields):
        raise ConfigurationError(
            'expected an input with either a size or a shape, got '
            f'{"both" if "size" in fields else "neither"}. Write 10, or (28, 28, 1).'
        )
    if fields.get('activation') is not None:
        raise ConfigurationError(
            f'an input has no activation, got {fields["activation"]!r}. Leave it out.'
        )
