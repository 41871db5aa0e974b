"""The names of layer forms, and where each is made.

Names only: the parser reads them without importing Keras.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

#: Form, as theanets spells it -> module of `kerasnets.layers` that makes it.
FORMS = {
    'input': 'basic',
    'ff': 'dense',
    'feedforward': 'dense',
    'softmax': 'dense',
    'classifier': 'dense',
    'tied': 'dense',
    'rnn': 'rnn',
    'lstm': 'lstm',
    'gru': 'gru',
    'rrnn': 'cells.rrnn',
    'mrnn': 'cells.mrnn',
    'mut1': 'cells.mut1',
    'scrn': 'cells.scrn',
    'clockwork': 'cells.clockwork',
    'bcrnn': 'cells.clockwork',
    'bidirectional': 'bidirectional',
    'embedding': 'basic',
    'flatten': 'basic',
    'flat': 'basic',
    'reshape': 'basic',
    'product': 'basic',
    'prod': 'basic',
    'concatenate': 'basic',
    'concat': 'basic',
    'conv1': 'convolution',
    'conv2': 'convolution',
    'pool1': 'convolution',
    'pool2': 'convolution',
    'attention': 'attention',
    'transformer': 'attention',
    'add': 'basic',
    'norm': 'basic',
    'dropout': 'basic',
    'rescaled': 'ensemble',
    'ensemble': 'ensemble',
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

#: Modules of `kerasnets.layers` that define forms.
MODULES = sorted(set(FORMS.values()))

#: Form -> class of a layer of the user's own; `kerasnets.register` fills it.
OWN: dict[str, type] = {}


@functools.cache
def load_layers() -> list[ModuleType]:
    """Import every module of layers, so that Keras knows our classes; returns them."""
    return [importlib.import_module(f'kerasnets.layers.{name}') for name in MODULES]


def form_of(word: str) -> str | None:
    """The form that a word names, or None.

    Forms of kerasnets may be written small or in capitals, since 'LSTM' and 'GRU' are words of
    their own; what else begins with a capital is taken for a class of Keras.

    >>> form_of('lstm'), form_of('LSTM'), form_of('Softmax'), form_of('tanh')
    ('lstm', 'lstm', 'Softmax', None)
    """
    if word in OWN:
        return word
    theirs = word in CLASSES and word != 'Bidirectional'  # Keras' own is another
    if word.lower() in FORMS and (theirs or word in (word.lower(), word.upper())):
        return word.lower()
    return word if word[:1].isupper() else None
