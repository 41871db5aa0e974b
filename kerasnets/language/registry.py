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
    'rescaled': 'ensemble',
    'ensemble': 'ensemble',
}

#: Form -> class of a layer of the user's own; `kerasnets.register` fills it.
OWN: dict[str, type] = {}
