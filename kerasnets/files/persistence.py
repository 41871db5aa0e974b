"""`Persistent`: networks in files and pickles, and over Keras models."""

from __future__ import annotations

import copy
import io
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kerasnets.errors import FileError
from kerasnets.files import export, keras_files, keras_models
from kerasnets.graph import builder
from kerasnets.typing import File, Path

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

    from kerasnets.losses import Loss


Kind = TypeVar('Kind')


class _OnBoth:
    """A method of a class and of its objects: it gets the one or the other."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type[Kind]) -> Callable[..., Kind]:
        return types.MethodType(self.function, owner if instance is None else instance)


class Persistent:
    """The methods of a `Network` that save and load it."""

    rng: np.random.Generator
    losses: list[Loss]
    history: list[dict[str, Any]]

    def save(self, filename_or_handle: File) -> None:
        """Write the network to a ``.keras`` or ``.h5`` file that plain Keras opens.

        An existing file is replaced only after the new one is complete and on disk.

        Parameters
        ----------
        filename_or_handle : str, path or binary file
            Ending in ``.keras``, ``.h5`` or, for the parameters alone, ``.weights.h5``. An open
            file gets the ``.keras`` format, and so does a path that ends otherwise, with a warning.

        Raises
        ------
        FileError
        """
        keras_files.save(self, filename_or_handle)

    def export(self, path: Path) -> None:
        """Write the network for inference where Keras is not: what `predict` computes.

        Parameters
        ----------
        path : str or path
            A folder, given without a suffix, for a SavedModel of TensorFlow; or a file ending
            in ``.onnx`` (needs ``pip install 'kerasnets[onnx]'``) or ``.tflite`` (LiteRT; of
            recurrent layers Keras makes what its runtime runs with the Flex delegate alone).
            Inputs are arrays of values, of labels only if the network's input is of integers.

        Raises
        ------
        FileError
            For another suffix, or where it cannot be written.
        ConfigurationError
            If the backend does not make a format, or what it needs is not installed.
        """
        export.export(self, path)

    @classmethod
    def from_keras(cls, model: Any, loss: Any = None, **kwargs: Any) -> Self:
        """A network over the layers of a Keras model, which both then share.

        Parameters
        ----------
        model : keras.Model
            Sequential or functional, and built.
        loss : str, dict or Loss, optional
            Default: that of the class.

        Raises
        ------
        ConfigurationError
            For a model that is no graph of layers.

        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, 'softmax')])
        >>> kerasnets.Classifier.from_keras(model).predict(np.zeros((2, 4))).shape
        (2,)
        """
        made: Any = cls
        net = made(**kwargs) if loss is None else made(loss=loss, **kwargs)
        net.adopt(builder.adopt(keras_models.specs_of(model), model), model)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are the network's own file, and what no file holds."""
        handle = io.BytesIO()
        keras_files.save(self, handle)
        state = {'rng': copy.deepcopy(self.rng), 'history': copy.copy(self.history)}
        state['losses'] = list(self.losses)
        return _revived, (type(self), handle.getvalue()), state

    @_OnBoth
    def load(
        self: Any,
        filename_or_handle: File,
        max_params: int | None = None,
        max_values: int | None = None,
    ) -> Any:
        """Read a network that `save` wrote, a model that Keras saved, or a pickle of theanets.

        Called on a network, it sets the parameters of that one, which must have the same layers.

        Nothing in a file is executed: see `policy` and `theanets.safe_unpickler`.

        Parameters
        ----------
        filename_or_handle : str, path or binary file
        max_params : int, optional
            Learnable values that the network may have. Default: as many as the file holds.
        max_values : int, optional
            Values that a layer may make of one example. Default: 2²⁷.

        Raises
        ------
        FileError
            If the file holds no network, or one of another class, or asks for what no network
            needs.
        """
        if isinstance(self, type):
            return keras_files.load(filename_or_handle, self, max_params, max_values)
        found = keras_files.load(filename_or_handle, type(self), max_params, max_values)
        _take(self, found.params)
        return self

    def load_weights(self, filename_or_handle: File) -> None:
        """Set the parameters to those of a file of the same layers, ``.weights.h5`` or any other.

        Raises
        ------
        FileError
            Naming a weight and both shapes, if they differ. The parameters are then as before.
        """
        keras_files.load_weights(self, filename_or_handle)


def _take(net: Any, params: Any) -> None:
    """Set the parameters of a network to those of another one of the same layers."""
    own = [(p.name.split('.')[-1], p.shape) for p in net.params]
    held = [(p.name.split('.')[-1], p.shape) for p in params]
    if own != held:
        raise FileError(
            f'expected the parameters of this network, {_named(own)}; the file has {_named(held)}. '
            'Call load() of the class, which makes a network of any layers.'
        )
    for mine, param in zip(net.params, params):
        mine.set_value(param.get_value())


def _named(params: Any) -> str:
    return ', '.join(f'{name} {shape}' for name, shape in params)


def _revived(cls: Any, content: bytes) -> Any:
    """A network from the bytes of its file."""
    return cls.load(io.BytesIO(content))
