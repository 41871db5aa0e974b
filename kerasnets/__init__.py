"""Neural networks as lists of layers, on Keras.

>>> net = kerasnets.Classifier([10, (20, 'tanh'), 50])
>>> net.model.name is not None
True
"""

import importlib

import wrapt

from kerasnets import registry

__version__ = '0.1.0'

#: Public name -> the module it comes from. Imported when first used: the parser, the errors
#: and the command line need no Keras.
_NAMES = {
    'Autoencoder': 'feedforward',
    'Classifier': 'feedforward',
    'ConfigurationError': 'errors',
    'DataError': 'errors',
    'Experiment': 'experiment',
    'FileError': 'errors',
    'KerasnetsError': 'errors',
    'Loss': 'losses',
    'Network': 'network',
    'Regressor': 'feedforward',
    'TensorBoard': 'callbacks',
    'inspect': 'inspection',
    'load': 'models',
    'register': 'layers',
}
_MODULES = (
    'activations callbacks convolution errors estimators feedforward initializers layers losses '
    'plots recurrent regularizers spec util'
).split()

__all__ = sorted([*_NAMES, *_MODULES])


@wrapt.when_imported('keras')
def _register(keras):
    """Let plain Keras load files with classes of ours, whichever is imported first."""
    registry.load_layers()
    importlib.import_module('kerasnets.optimizers')


def __getattr__(name):
    if name in _NAMES:
        value = getattr(importlib.import_module(f'kerasnets.{_NAMES[name]}'), name)
    elif name in _MODULES:
        value = importlib.import_module(f'kerasnets.{name}')
    else:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
