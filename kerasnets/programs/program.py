"""`Program`: a compiled function from values to values. `Programs`: those of a network."""

from __future__ import annotations

import functools
import math
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import keras

from kerasnets import backend, devices, keras_facts
from kerasnets.programs import copy, key
from kerasnets.programs.cache import CACHE
from kerasnets.programs.models import Models

#: Bytes of memory for each byte of a traced graph, measured: Python's objects and executables.
GRAPH = 55

#: Estimated bytes of a compiled function whose graph is not known.
CODE = 2**22


class Traced:
    """A function that is traced under a lock, and knows about how many bytes it takes.

    Parameters
    ----------
    models : Models
        Over the layers that it runs.
    variables : list of keras.Variable
        All that it reads, in the order in which their values are given.
    """

    def __init__(self, models: Models, variables: list[Any]) -> None:
        self.models = models
        self.lock = models.lock
        self.variables = variables
        self._graphs = 0

    @property
    def bytes(self) -> int:
        """Estimated bytes of its variables and of what is compiled."""
        return self._graphs + sum(map(_bytes, self.variables))

    def sized(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function. Each time it is traced, its graph is counted."""

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with keras_facts.releasing_gradients():
                found = function(*args, **kwargs)
            self._graphs += _graph_bytes()
            return found

        return traced


class Program(Traced):
    """A compiled function that takes the values of variables and changes none.

    Parameters
    ----------
    function : callable
        Of tensors, written in `keras.ops`; reads the variables.
    signature : list of KerasTensor, optional
        Shapes and dtypes of its arguments, with None for any length.
    xla : bool
        Whether XLA compiles it on TensorFlow.
    """

    def __init__(
        self,
        models: Models,
        variables: list[Any],
        function: Callable[..., Any],
        signature: Any = None,
        xla: bool = True,
    ) -> None:
        super().__init__(models, variables)
        with self.lock:
            self._function = backend.compiled(self.sized(function), variables, signature, xla)
        self._traced = signature is not None and keras.backend.backend() == 'tensorflow'

    def __call__(self, values: list[Any], *args: Any) -> Any:
        """Compute the function from the values of the variables and further arrays."""
        if self._traced:
            return self._function(values, *args)
        with self.lock:
            return self._function(values, *args)


def _graph_bytes() -> int:
    """Return about how many bytes the function takes that is traced now."""
    if keras.backend.backend() != 'tensorflow':
        return CODE
    import tensorflow as tf

    return GRAPH * int(tf.compat.v1.get_default_graph().as_graph_def().ByteSize())


def _bytes(variable: Any) -> int:
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return math.prod(variable.shape) * (8 if '64' in dtype else 2 if '16' in dtype else 4)


class Programs:
    """The programs of a network.

    A network whose structure has a key shares its programs with all others of that key; they are
    compiled over copies of its layers. Any other network has programs over its own layers.

    Parameters
    ----------
    models : Models
        Over the layers of the network.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._own: dict[Hashable, Any] = {}
        self._key: str | None = None
        self._snapshot: key.Snapshot | None = None

    def layers_key(self) -> str | None:
        """Return the key of the layers as they are now, or None where they cannot be shared."""
        if self._snapshot is None or not self._snapshot.holds():
            description = key.Description()
            self._key = key.of_nodes(self.models.nodes, description)
            seen = self._objects() if self._key is None else description.seen
            self._snapshot = key.Snapshot(seen)
            self._own.clear()
        alone = devices.shared() or keras.backend.backend() == 'torch'
        return None if alone else self._key

    def _objects(self) -> list[Any]:
        """Return the layers and variables of the network, whose attributes a program reads."""
        layers = [part for node in self.models.nodes for part in keras_facts.parts(node.layer)]
        return [*layers, *self.models.layer_variables]

    def find(
        self,
        shared: tuple[Hashable, ...] | None,
        own: tuple[Hashable, ...],
        build: Callable[[Models], Any],
        losses: bool = False,
    ) -> Any:
        """Return a program, built if there is none.

        Parameters
        ----------
        shared : tuple or None
            What tells the program from others over equal layers, the kind first. None: only this
            network can use it.
        own : tuple
            The same for a program of this network alone.
        build : callable
            (models) -> program, over the layers of those models. It raises key.UnknownError
            where it cannot build one over copies.
        losses : bool
            Whether the program computes the losses.
        """
        layers = self.layers_key()
        if layers is None or shared is None:
            return self._find_own(own, build)
        found = CACHE.get((layers, *shared))
        if found is not None:
            return found
        try:
            copied = self._copy(layers, losses)
            with copied.lock:
                found = CACHE.put((layers, *shared), build(copied))
        except key.UnknownError:
            return self._find_own(own, build)
        CACHE.shrink()
        return found

    def has(self, shared: tuple[Hashable, ...] | None, own: tuple[Hashable, ...]) -> bool:
        """Return whether a program is there already."""
        layers = self.layers_key()
        if layers is None or shared is None:
            return own in self._own
        return (layers, *shared) in CACHE

    def _find_own(self, own: tuple[Hashable, ...], build: Callable[[Models], Any]) -> Any:
        with self.models.lock:
            if own not in self._own:
                keras_facts.share_names()
                self._own[own] = build(self.models)
            return self._own[own]

    def _copy(self, layers: str, losses: bool) -> Models:
        """Return a copy of the layers; UnknownError where it does not compute the same."""
        whole = layers, key.of_losses(self.models) if losses else None
        keras_facts.share_names()
        with _copying:
            found = _copies.get(whole)
            if found is None:
                found = copy.of_models(self.models, losses)
                if key.of_nodes(found.nodes) != layers or _shapes(found) != _shapes(self.models):
                    self._key = None
                    raise key.UnknownError('a layer with an attribute that no configuration tells')
                _copies[whole] = found
            return found


def _shapes(models: Models) -> list[tuple[Any, str]]:
    return [(tuple(v.shape), v.dtype) for v in models.layer_variables]


#: Copies of layers that a living program uses, by the keys of layers and losses.
_copies: weakref.WeakValueDictionary[tuple[str, str | None], Models] = weakref.WeakValueDictionary()

_copying = threading.RLock()
