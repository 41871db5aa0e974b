"""`load`: a network of any class from a file."""

from __future__ import annotations

from kerasnets import convolution, feedforward, recurrent
from kerasnets.network import Network
from kerasnets.typing import File

MODELS = tuple(
    getattr(module, name)
    for module in (feedforward, recurrent, convolution)
    for name in ('Autoencoder', 'Classifier', 'Regressor')
    if hasattr(module, name)
)


def load(
    filename_or_handle: File, max_params: int | None = None, max_values: int | None = None
) -> Network:
    """Read a network of any class from a file that `Network.save`, Keras or theanets wrote.

    Parameters
    ----------
    filename_or_handle : str, path or binary file
    max_params : int, optional
        Learnable values that the network may have. Default: as many as the file holds.
    max_values : int, optional
        Values that a layer may make of one example. Default: 2²⁷.

    Returns
    -------
    Network
        Of the class that was saved.

    Raises
    ------
    FileError
        If there is no such file, it holds no network, or it asks for what no network needs.
    """
    return Network.load(filename_or_handle, max_params, max_values)
