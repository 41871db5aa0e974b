"""Former modules, importable under their names, and former names in the modules of today."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import wrapt

from kerasnets.compat import methods
from kerasnets.compat.words import CLASSES

#: Former module, under `kerasnets` -> module that has its names.
MODULES = {
    'experiment': 'compat.experiment',
    'files.persistence': 'network',
    'layers.base': 'compat.layers',
    'layers.feedforward': 'compat.layers',
    'layers.recurrent': 'compat.layers',
    'main': 'compat.experiment',
    'models': 'network',
    'persistence': 'network',
    'spec': 'language.spec',
    'util': 'compat.util',
}

#: Module of today -> names that it had, and the module that has them now.
NAMES = {
    'activations': ('compat.activations', ['Built', 'Learned', 'build']),
    'feedforward': ('compat.methods', ['load']),
    'graph': ('compat.methods', ['LayerError']),
    'layers': ('compat.layers', [*CLASSES, 'Layer', 'build']),
    'layers.convolution': ('compat.layers', ['Conv1', 'Conv2', 'Pool1', 'Pool2']),
    'losses': (
        'compat.losses',
        [
            'CrossEntropy',
            'GaussianLogLikelihood',
            'Hinge',
            'KullbackLeiblerDivergence',
            'MaximumMeanDiscrepancy',
            'MeanAbsoluteError',
            'MeanSquaredError',
            'build',
        ],
    ),
    'regularizers': (
        'compat.regularizers',
        ['BernoulliDropout', 'GaussianNoise', 'from_kwargs'],
    ),
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a former module as one that looks its names up in a module of today."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a former module; None for any other."""
        package, _, former = fullname.partition('.')
        known = package == 'kerasnets' and former in MODULES
        return importlib.util.spec_from_loader(fullname, self) if known else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill a module of theanets with its names."""
        source = _module(MODULES[module.__name__.removeprefix('kerasnets.')])
        _look_up(module, lambda name: getattr(source, name))
        vars(module).update(__doc__=source.__doc__, __dir__=lambda: dir(source))
        if hasattr(source, '__all__'):
            vars(module)['__all__'] = source.__all__


def _module(name: str) -> ModuleType:
    return importlib.import_module(f'kerasnets.{name}')


def _look_up(module: ModuleType, find: Callable[[str], Any]) -> None:
    """Have a module look up by a function the names that it lacks."""
    vars(module)['__getattr__'] = find


def _add_names(module: ModuleType) -> None:
    """Have a module of today look up its former names, and modules that were in it."""
    place = module.__name__.removeprefix('kerasnets.')
    source, names = NAMES[place]

    def find(name: str) -> Any:
        if name in names:
            return getattr(_module(source), name)
        if f'{place}.{name}' in MODULES:
            return _module(f'{place}.{name}')
        raise AttributeError(f'module {module.__name__!r} has no attribute {name!r}')

    _look_up(module, find)


def _add_methods(module: ModuleType) -> None:
    """Add theanets' methods to the classes of a module; let `batches` take samples and labels."""
    if module.__name__ == 'kerasnets.network':
        module.Network.transform = methods.transform
    elif module.__name__ == 'kerasnets.feedforward':
        module.Classifier.classify = methods.classify
    else:
        vars(module)['batches'] = methods.with_labels(module.batches)


sys.meta_path.append(Finder())
for _name in NAMES:
    wrapt.when_imported(f'kerasnets.{_name}')(_add_names)
for _name in ('network', 'feedforward', 'text'):
    wrapt.when_imported(f'kerasnets.{_name}')(_add_methods)
