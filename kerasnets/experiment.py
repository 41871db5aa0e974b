"""`Experiment`: a network and the keywords of its training in one object."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from typing import Any

from kerasnets import models
from kerasnets.errors import ConfigurationError
from kerasnets.network import Network
from kerasnets.training import settings
from kerasnets.typing import Data, Monitors, Path


class Experiment:
    """A network with the keywords that it is trained with, as theanets' older scripts have it.

    Parameters
    ----------
    network : class, Network, or path of a saved one
        A class is given those of the keywords that its constructor takes.
    *args
        For the class.
    **keywords
        All others are defaults for `train` and `itertrain`; `optimize` is another word for
        `algo`, and may be a list of algorithms to train with one after the other.

    Attributes
    ----------
    network : Network

    Raises
    ------
    ConfigurationError
        For what is no network, and for a keyword that neither takes.

    >>> exp = Experiment(kerasnets.Classifier, layers=[4, 5, 3], learning_rate=0.1)
    >>> training, validation = exp.train([np.eye(4), [0, 1, 2, 0]], optimize='sgd', epochs=2)
    >>> exp.network.predict(np.eye(4)).shape
    (4,)
    """

    def __init__(self, network: Any, *args: Any, **keywords: Any) -> None:
        taken = {}
        if inspect.isclass(network) and issubclass(network, Network):
            known = inspect.signature(network).parameters
            taken = {k: keywords.pop(k) for k in list(keywords) if k in known}
        elif args:
            raise ConfigurationError(
                f'expected no arguments for a network that is made, got {args!r}.'
            )
        self.keywords = self._merge({}, keywords)
        for algo in self._algorithms(dict(self.keywords)):
            settings.check_keywords(algo, self.keywords)
        if isinstance(network, (str, os.PathLike)):
            network = models.load(network)
        elif inspect.isclass(network) and issubclass(network, Network):
            network = network(*args, **taken)
        if not isinstance(network, Network):
            raise ConfigurationError(
                f'expected a network, its class or its file, got {network!r}. '
                'Write Experiment(kerasnets.Classifier, layers=[10, 20, 3]).'
            )
        self.network = network

    def itertrain(
        self, train: Data, valid: Data | None = None, optimize: Any = None, **keywords: Any
    ) -> Iterator[tuple[Monitors, Monitors]]:
        """Train with one algorithm after another; yield what `Network.itertrain` yields.

        Keywords of the call come before those of the experiment.
        """
        if optimize is not None:
            keywords['optimize'] = optimize
        keywords = self._merge(self.keywords, keywords)
        for algo in self._algorithms(keywords):
            yield from self.network.itertrain(train, valid, algo=algo, **keywords)

    def train(self, *args: Any, **keywords: Any) -> tuple[Monitors, Monitors]:
        """Train to the end. Takes what `itertrain` takes; returns the monitors of the last."""
        monitors: tuple[Monitors, Monitors] = {}, {}
        for monitors in self.itertrain(*args, **keywords):  # noqa: B007
            pass
        return monitors

    def save(self, path: Path) -> None:
        """Save the network; see `Network.save`."""
        self.network.save(path)

    def load(self, path: Path) -> Network:
        """Replace this network by a saved one, and return it."""
        self.network = models.load(path)
        return self.network

    @staticmethod
    def _merge(defaults: Any, keywords: Any) -> dict[str, Any]:
        """Keywords over defaults, the algorithm under one name."""
        keywords = dict(keywords)
        if 'optimize' in keywords:
            if 'algo' in keywords:
                both = f'{keywords["algo"]!r} and {keywords["optimize"]!r}'
                raise ConfigurationError(f"expected 'algo' or 'optimize', got both: {both}.")
            keywords['algo'] = keywords.pop('optimize')
        return {**defaults, **keywords}

    @staticmethod
    def _algorithms(keywords: Any) -> Any:
        """The algorithms among the keywords, taken out of them."""
        algo = keywords.pop('algo', 'rmsprop')
        algo = algo.split() if isinstance(algo, str) else algo
        return list(algo) if isinstance(algo, (list, tuple)) else [algo]
