"""The names of layer forms, and where each is made.

Names only: the parser reads them without importing Keras.
"""

from __future__ import annotations

#: Form -> module of `kerasnets.layers` that makes it.
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
}

#: Form -> class of a layer of the user's own; `kerasnets.register` fills it.
OWN: dict[str, type] = {}


def form_of(word: str) -> str | None:
    """The form that a word names, or None.

    Forms of kerasnets may be written small or in capitals, since 'LSTM' and 'GRU' are words of
    their own; what else begins with a capital is taken for a class of Keras.

    >>> form_of('lstm'), form_of('LSTM'), form_of('Softmax'), form_of('tanh')
    ('lstm', 'lstm', 'Softmax', None)
    """
    if word in OWN:
        return word
    if word.lower() in FORMS and word in (word.lower(), word.upper()):
        return word.lower()
    return word if word[:1].isupper() else None
