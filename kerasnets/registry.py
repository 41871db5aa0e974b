"""The names of layer forms, and where each is made.

Names only: the parser reads them without importing Keras.
"""

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


def is_form(word):
    """True for a form of kerasnets, in any case, and for what is spelled like a class of Keras.

    >>> is_form('lstm'), is_form('LayerNormalization'), is_form('tanh')
    (True, True, False)
    """
    return word.lower() in FORMS or word[:1].isupper()
