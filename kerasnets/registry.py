"""The names of layer forms, and where each is made.

Names only: the parser reads them without importing Keras.
"""

import importlib

#: Form, as theanets spells it -> module of `kerasnets.layers` that makes it.
FORMS = {
    'input': 'input',
    'ff': 'dense',
    'feedforward': 'dense',
    'softmax': 'dense',
    'classifier': 'dense',
    'rnn': 'rnn',
    'lstm': 'lstm',
    'gru': 'gru',
    'flatten': 'reshape',
    'flat': 'reshape',
}

#: Modules of `kerasnets.layers`: those of the forms, and one for layers of Keras without a form.
MODULES = sorted({*FORMS.values(), 'activation'})


def load_layers():
    """Import every module of layers, so that Keras knows our classes; returns them."""
    return [importlib.import_module(f'kerasnets.layers.{name}') for name in MODULES]


def is_form(word):
    """True for a form of kerasnets, in any case, and for what is spelled like a class of Keras.

    >>> is_form('lstm'), is_form('LayerNormalization'), is_form('tanh')
    (True, True, False)
    """
    return word.lower() in FORMS or word[:1].isupper()
