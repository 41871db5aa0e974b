"""Two recurrent layers side by side, one of which reads the sequence from its end.

Both halves are aligned in time: at step t the backward half has read the steps from the last
down to t. Each has half of the size, and its parameters go by the layer's name with `_fw` or
`_bw` added.

A. Graves, N. Jaitly, A. Mohamed (2013), "Hybrid speech recognition with deep bidirectional
LSTM", ASRU.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

import keras

from kerasnets import layers
from kerasnets.errors import ConfigurationError, suggest
from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Anatomy, Form
from kerasnets.typing import Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer

#: Forms that can work in either direction.
WORKERS = 'rnn lstm gru rrnn mrnn mut1 scrn clockwork bcrnn'.split()


def _build(spec: LayerSpec) -> KerasLayer:
    options = dict(spec.options)
    worker = options.pop('worker', 'rnn')
    if worker not in WORKERS:
        raise ConfigurationError(
            f'unknown worker {worker!r}.{suggest(worker, WORKERS)} '
            f'Choose one of: {", ".join(WORKERS)}.'
        )
    if spec.size is None or spec.size % 2:
        raise ConfigurationError(
            f'expected an even size, for two halves, got {spec.size}. Use {(spec.size or 19) + 1}.'
        )
    units = spec.size // 2
    if 'direction' in options or 'go_backwards' in options:
        raise ConfigurationError('it runs in both directions. Leave out the direction.')

    def half(suffix: str, backwards: bool) -> Tensor:
        settings = {**options, 'go_backwards': backwards}
        return layers.get_form(worker).make(
            dataclasses.replace(
                spec,
                form=worker,
                size=units,
                name=f'{spec.name}_{suffix}',
                options=MappingProxyType(settings),
            )
        )

    functions = [f for f in (spec.activation, *options.values()) if hasattr(f, '__name__')]
    with keras.saving.custom_object_scope({f.__name__: f for f in functions}):  # Keras copies it
        return keras.layers.Bidirectional(
            half('fw', False), backward_layer=half('bw', True), name=spec.name
        )


FORMS = {'bidirectional': Form(choose=None, build=_build)}
ANATOMIES: dict[type, Anatomy] = {}
