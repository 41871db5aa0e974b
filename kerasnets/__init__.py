"""Neural networks as lists of layers, on Keras.

>>> net = kerasnets.Classifier([10, (20, 'tanh'), 50])
>>> net.model.name is not None
True
"""

import importlib
from typing import TYPE_CHECKING, Any

import wrapt

from kerasnets import compat as compat
from kerasnets import quiet as _quiet

if TYPE_CHECKING:  # what is imported when first used, as type checkers see it
    from kerasnets import (
        activations,
        callbacks,
        convolution,
        errors,
        estimators,
        feedforward,
        initializers,
        layers,
        losses,
        plots,
        recurrent,
        regularizers,
    )
    from kerasnets.activations import Activation
    from kerasnets.callbacks import TensorBoard
    from kerasnets.compat import experiment, util
    from kerasnets.compat import experiment as main
    from kerasnets.compat.experiment import Experiment
    from kerasnets.compat.layers import Layer
    from kerasnets.compat.util import enable_default_logging, log
    from kerasnets.compilation import enable_compilation_cache
    from kerasnets.devices import distribute
    from kerasnets.errors import (
        ConfigurationError,
        DataError,
        FileError,
        KerasnetsError,
        ProcessError,
    )
    from kerasnets.feedforward import Autoencoder, Classifier, Regressor
    from kerasnets.files.inspection import inspect
    from kerasnets.language import spec
    from kerasnets.layers import register
    from kerasnets.losses import Loss
    from kerasnets.network import Network, load
    from kerasnets.programs.program import clear_cache
    from kerasnets.regularizers import Regularizer

__version__ = '0.1.0'

#: Public name -> the module it comes from. Imported when first used: the parser, the errors
#: and the command line need no Keras.
_NAMES = {
    'Autoencoder': 'feedforward',
    'Classifier': 'feedforward',
    'ConfigurationError': 'errors',
    'DataError': 'errors',
    'Experiment': 'compat.experiment',
    'Activation': 'activations',
    'Layer': 'compat.layers',
    'Regularizer': 'regularizers',
    'enable_default_logging': 'compat.util',
    'log': 'compat.util',
    'FileError': 'errors',
    'KerasnetsError': 'errors',
    'Loss': 'losses',
    'Network': 'network',
    'ProcessError': 'errors',
    'Regressor': 'feedforward',
    'TensorBoard': 'callbacks',
    'clear_cache': 'programs.program',
    'distribute': 'devices',
    'enable_compilation_cache': 'compilation',
    'inspect': 'files.inspection',
    'load': 'network',
    'register': 'layers',
}
_MODULES = (
    'activations callbacks convolution errors estimators experiment feedforward initializers '
    'layers losses main plots recurrent regularizers spec util'
).split()

#: Names of submodules, and words of Keras -> what to write.
_ELSEWHERE = {
    'NetClassifier': 'estimators.NetClassifier',
    'NetRegressor': 'estimators.NetRegressor',
    'SequenceClassifier': 'estimators.SequenceClassifier',
    'SequenceForecaster': 'estimators.SequenceForecaster',
    'SequenceRegressor': 'estimators.SequenceRegressor',
    'Text': 'recurrent.Text',
    'load_model': 'load',
    'encode_labels': 'util.encode_labels',
}

__all__ = [
    'Activation',
    'Autoencoder',
    'Classifier',
    'ConfigurationError',
    'DataError',
    'Experiment',
    'FileError',
    'KerasnetsError',
    'Layer',
    'Loss',
    'Network',
    'ProcessError',
    'Regressor',
    'Regularizer',
    'TensorBoard',
    'activations',
    'callbacks',
    'clear_cache',
    'convolution',
    'distribute',
    'enable_compilation_cache',
    'enable_default_logging',
    'errors',
    'estimators',
    'experiment',
    'feedforward',
    'initializers',
    'inspect',
    'layers',
    'load',
    'log',
    'losses',
    'main',
    'plots',
    'recurrent',
    'register',
    'regularizers',
    'spec',
    'util',
]


_quiet.install()


@wrapt.when_imported('keras')
def _register(keras: Any) -> None:
    """Let plain Keras load files with classes of ours, whichever is imported first."""
    importlib.import_module('kerasnets.layers.form').modules()
    importlib.import_module('kerasnets.optimizers')


@wrapt.when_imported('kerasnets.files.metadata')
def _provide(metadata: Any) -> None:
    """Let files name the classes of all networks, whichever are imported."""
    models = 'feedforward', 'recurrent', 'convolution'
    metadata.PROVIDERS.append(lambda: [importlib.import_module(f'kerasnets.{m}') for m in models])


def _find(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(f'kerasnets.{_NAMES[name]}'), name)
    elif name in _MODULES:
        value = importlib.import_module(f'kerasnets.{name}')
    else:
        hint = f'. Write kerasnets.{_ELSEWHERE[name]}' if name in _ELSEWHERE else ''
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}{hint}')
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # a checker knows the names above, and no others
    __getattr__ = _find


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
