"""`Program`: a compiled function from values to values. `Programs`: those of a network.

Networks of equal structure share programs, which `CACHE` holds. These are compiled over copies of
the networks' layers.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import gc
import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import keras

from kerasnets import backend, keras_facts
from kerasnets.graph.nodes import Node, assemble, find_output, run_layer
from kerasnets.programs import key
from kerasnets.programs.models import Models

#: Maximum bytes of all kept programs.
BYTES = 2**29

#: Bytes of memory for each byte of a traced graph, measured: Python's objects and executables.
GRAPH = 55

#: Estimated bytes of a compiled function whose graph is not known.
CODE = 2**22


class Program:
    """Base of the programs: traced under a lock, with an estimate of its memory.

    Parameters
    ----------
    models : Models
        Over the layers that it runs.
    variables : list of keras.Variable
        All variables that it reads, in the order of their values.
    """

    def __init__(self, models: Models, variables: list[Any]) -> None:
        self.models = models
        self.lock = models.lock
        self.variables = variables
        self._graphs = 0

    @property
    def bytes(self) -> int:
        """Estimated bytes of its variables and of what is compiled."""
        taken = self._graphs
        for variable in self.variables:
            dtype = keras.backend.standardize_dtype(variable.dtype)
            size = 8 if '64' in dtype else 2 if '16' in dtype else 4
            taken += math.prod(variable.shape) * size
        return taken

    def sized(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, wrapped to count the size of its graph at each trace."""

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with keras_facts.releasing_gradients():
                result = function(*args, **kwargs)
            if keras.backend.backend() == 'tensorflow':
                import tensorflow as tf

                graph = tf.compat.v1.get_default_graph().as_graph_def()
                self._graphs += GRAPH * int(graph.ByteSize())
            else:
                self._graphs += CODE
            return result

        return traced


class FunctionProgram(Program):
    """A function of tensors that reads variables and changes none.

    Parameters
    ----------
    function : callable
        Of tensors, written in `keras.ops`.
    signature : list of KerasTensor, optional
        Shapes and dtypes of its arguments, with None for any length.
    xla : bool
        Whether XLA compiles it on TensorFlow.
    stored : int
        Number of values, the first ones, that are always `value` of a Keras variable.
    """

    def __init__(
        self,
        models: Models,
        variables: list[Any],
        function: Callable[..., Any],
        signature: Any = None,
        xla: bool = True,
        stored: int = 0,
    ) -> None:
        super().__init__(models, variables)
        with self.lock:
            sized = self.sized(function)
            self._function = backend.compiled(sized, variables, signature, xla, stored)
        traced = signature is not None and keras.backend.backend() == 'tensorflow'
        self._calling: Any = contextlib.nullcontext() if traced else self.lock

    def __call__(self, values: list[Any], *args: Any) -> Any:
        """Compute the function from the values of the variables and further arrays."""
        with self._calling:
            return self._function(values, *args)


class Cache:
    """Programs by key. The least recently used are dropped first.

    Parameters
    ----------
    limit : int
        Maximum number of bytes. The newest program is always kept.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self.limit = limit
        self.made = 0  # number of programs built
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        """Return True if the key has a program in the cache."""
        return key in self._programs

    def get(self, key: Hashable) -> Any:
        """Return the program of a key, or None."""
        with self._lock:
            program = self._programs.get(key)
            if program is not None:
                self._programs.move_to_end(key)
            return program

    def put(self, key: Hashable, program: Any) -> Any:
        """Store a program and return it, or the one that another thread stored first."""
        dropped = []
        with self._lock:
            self.made += key not in self._programs
            stored = self._programs.setdefault(key, program)
            taken = sum([one.bytes for one in self._programs.values()])
            while taken > self.limit and len(self._programs) > 1:
                dropped.append(self._programs.popitem(last=False)[1])
                taken -= dropped[-1].bytes
        if dropped:
            _release(dropped)
        return stored

    def clear(self) -> None:
        """Drop all programs and free their memory."""
        with self._lock:
            dropped = list(self._programs.values())
            self._programs.clear()
        _release(dropped)
        trim = getattr(ctypes.CDLL(None), 'malloc_trim', None) if os.name == 'posix' else None
        if trim is not None:  # of glibc, which else keeps what is free
            trim(0)


def _release(programs: list[Any]) -> None:
    """Free the memory of dropped programs."""
    programs.clear()
    gc.collect()  # a graph refers to itself
    keras_facts.forget_kernels()


#: The programs of this process: for training, evaluation, prediction, sampling and forecasts.
CACHE = Cache()


def clear_cache() -> None:
    """Drop the compiled programs of all networks and free their memory.

    kerasnets keeps programs for the next network of the same structure, up to 512 MB of them.

    >>> kerasnets.clear_cache()
    """
    CACHE.clear()


class Programs:
    """The programs of a network, shared or of its own.

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
        """Return the key of the layers in their present state, or None if they cannot be shared."""
        if self._snapshot is None or not self._snapshot.holds():
            description = key.Description()
            try:
                self._key, seen = description.network(self.models), description.seen
            except key.UnknownError:  # then its own programs depend on all of its layers
                layers = [keras_facts.parts(node.layer) for node in self.models.nodes]
                self._key, seen = None, sum(layers, self.models.layer_variables)
            self._snapshot = key.Snapshot(seen)
            self._own.clear()
        alone = backend.is_distributed() or keras.backend.backend() == 'torch'
        return None if alone else self._key

    def find(
        self,
        shared: tuple[Hashable, ...] | None,
        own: tuple[Hashable, ...],
        build: Callable[[Models], Any],
        losses: bool = False,
    ) -> Any:
        """Return a program; build it if it does not exist.

        Parameters
        ----------
        shared : tuple or None
            What identifies the program among those over equal layers, its kind first. None: only
            this network can use it.
        own : tuple
            The same, for a program that belongs to this network only.
        build : callable
            (models) -> program, over the layers of those models. It raises key.UnknownError
            if it cannot build one over copies.
        losses : bool
            Whether the program computes the losses.
        """
        layers = self.layers_key()
        if layers is not None and shared is not None:
            program = CACHE.get((layers, *shared))
            if program is not None:
                return program
            try:
                copied = self._copy(layers, losses)
                with copied.lock:
                    return CACHE.put((layers, *shared), build(copied))
            except key.UnknownError:
                pass
        with self.models.lock:
            if own not in self._own:
                keras_facts.share_names()
                self._own[own] = build(self.models)
            return self._own[own]

    def has(self, shared: tuple[Hashable, ...] | None, own: tuple[Hashable, ...]) -> bool:
        """Return True if this program is already built."""
        layers = self.layers_key()
        if layers is None or shared is None:
            return own in self._own
        return (layers, *shared) in CACHE

    def _copy(self, layers: str, losses: bool) -> Models:
        """Return a copy of the models, which is shared by all networks with the key `layers`.

        Raise UnknownError if the copy may compute something else than the original.
        """
        whole = layers, key.of_losses(self.models) if losses else None
        keras_facts.share_names()
        with _copying:
            copied = _copies.get(whole)
            if copied is None:
                copied = copy(self.models, losses)
                shapes = [
                    [(tuple(v.shape), v.dtype) for v in one.layer_variables]
                    for one in (copied, self.models)
                ]
                if key.Description().network(copied) != layers or shapes[0] != shapes[1]:
                    self._key = None
                    raise key.UnknownError('a layer with an attribute outside of its configuration')
                _copies[whole] = copied
            return copied


#: Copies of layers that a living program uses, by the keys of layers and losses.
_copies: weakref.WeakValueDictionary[tuple[str, str | None], Models] = weakref.WeakValueDictionary()

_copying = threading.RLock()


def copy(models: Models, losses: bool) -> Models:
    """Return models over layers of equal configuration, with variables of their own.

    They have the losses of the network if `losses` is true.
    """
    nodes: list[Node] = []
    with keras_facts.seeded(), keras_facts.without_tensorflow():
        for node in models.nodes:
            try:
                layer = type(node.layer).from_config(node.layer.get_config())
            except Exception as error:  # such as a function that is not registered with Keras
                raise key.UnknownError('a layer that its configuration cannot rebuild') from error
            own = layer if node.spec.layer is not None else None  # no layer of the network
            spec = dataclasses.replace(node.spec, layer=own, entry=repr(node.spec.entry))
            if spec.form == 'input':
                output = layer.output
            else:
                output = run_layer(layer, spec, lambda name: find_output(nodes, name))
            nodes.append(Node(spec, layer, output))
        model = assemble(nodes)
    kept = models.losses if losses else []
    method: Any = models.monitors  # of the network, which a copy does not hold
    monitors = functools.partial(method.__func__, None)
    return Models(nodes, model, kept, monitors, models.takes_labels, models.time_major)


def copy_optimizer(optimizer: Any, models: Models) -> Any:
    """Return an optimizer of equal settings for the variables of other models.

    Raises
    ------
    key.UnknownError
        If the optimizer has an attribute that its configuration does not hold.
    """
    with keras_facts.seeded(), keras_facts.without_tensorflow():
        copied = type(optimizer).from_config(optimizer.get_config())
    copied.build(models.model.trainable_variables)
    if repr(key.Description().of(copied)) != repr(key.Description().of(optimizer)):
        raise key.UnknownError('an optimizer with settings of its own')
    return copied
