"""`Experiment`: a network and the keywords of its training in one object."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from typing import Any

from kerasnets.compat.words import warn
from kerasnets.errors import ConfigurationError
from kerasnets.network import Network, load
from kerasnets.training import settings
from kerasnets.typing import Monitors, Path


class Experiment:
    """A network with the keywords that it is trained with, as theanets' older scripts have it.

    Parameters
    ----------
    network : class, Network, or path of a saved one
        A class is given those of the keywords that its constructor takes.
    *args
        For the class.
    **keywords
        All others are defaults for `train` and `itertrain`; `optimize` is a former name of `algo`.

    Attributes
    ----------
    network : Network

    Raises
    ------
    ConfigurationError
        For what is no network, and for a keyword that neither takes.

    >>> exp = Experiment(kerasnets.Classifier, layers=[4, 5, 3], learning_rate=0.1)
    >>> training, validation = exp.train([np.eye(4), [0, 1, 2, 0]], algo='sgd', epochs=2)
    >>> exp.network.predict(np.eye(4)).shape
    (4,)
    """

    def __init__(self, network: Any, *args: Any, **keywords: Any) -> None:
        if inspect.isclass(network) and issubclass(network, Network):
            self.network: Network = network(*args, **keywords)
            return
        if args:
            raise ConfigurationError(
                f'expected no arguments for a network that is made, got {args!r}. '
                'Leave the arguments out.'
            )
        defaults = settings.defaults(keywords)
        if isinstance(network, (str, os.PathLike)):
            network = load(network)
        if not isinstance(network, Network):
            raise ConfigurationError(
                f'expected a network, its class or its file, got {network!r}. '
                'Write Experiment(kerasnets.Classifier, layers=[10, 20, 3]).'
            )
        self.network = network
        self.network.defaults = {**network.defaults, **defaults}

    def itertrain(self, *args: Any, **keywords: Any) -> Iterator[tuple[Monitors, Monitors]]:
        """Train, and yield what `Network.itertrain` yields, whose arguments it takes.

        Keywords of the call come before those of the experiment.
        """
        return self.network.itertrain(*args, **keywords)

    def train(self, *args: Any, **keywords: Any) -> tuple[Monitors, Monitors]:
        """Train to the end. Takes what `itertrain` takes; returns the monitors of the last."""
        return self.network.train(*args, **keywords)

    def run(self, *args: Any, **keywords: Any) -> tuple[Monitors, Monitors]:
        """Former name of `train`."""
        warn('Experiment.run()', 'write Experiment.train()')
        return self.train(*args, **keywords)

    def save(self, path: Path) -> None:
        """Save the network; see `Network.save`."""
        self.network.save(path)

    def load(self, path: Path) -> Network:
        """Replace this network by a saved one, and return it."""
        self.network = load(path)
        return self.network
