"""`Symbols`: the losses and outputs of a network as symbolic tensors, as theanets gave them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kerasnets import monitors as monitoring
from kerasnets.graph.loss_graph import Asked
from kerasnets.graph.models import Models
from kerasnets.graph.nodes import output_names
from kerasnets.regularizers import build as build_regularizers
from kerasnets.typing import Tensor


class Symbols:
    """The methods of a `Network` that give Keras tensors."""

    nodes: Any

    @property
    def _models(self) -> Models:
        raise NotImplementedError

    @property
    def variables(self) -> list[Tensor]:
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self._models.variables

    def build_graph(
        self, regularizers: Any = MappingProxyType({})
    ) -> tuple[dict[str, Tensor], list[Any]]:
        """Connect the layers.

        Parameters
        ----------
        regularizers : dict or sequence of Regularizer

        Returns
        -------
        outputs : dict of str to KerasTensor
            Every output by name: 'in:out', 'hid1:pre', 'hid1:out', …
        updates : list
            Empty: Keras layers update their own state when they are called.
        """
        if not isinstance(regularizers, Mapping):
            regularizers = {'regularizers': list(regularizers)}
        names = output_names(self.nodes)
        return self._models.outputs(names, build_regularizers(regularizers)), self.updates()

    def loss(self, **regularizers: Any) -> Tensor:
        """The loss as a symbolic scalar over `variables`.

        >>> net = kerasnets.Classifier([4, 3])
        >>> f = keras.Function(net.variables, net.loss())
        >>> x, y = np.zeros((2, 4), 'f'), np.zeros(2, 'i')
        >>> round(float(f([x, y])), 4)
        1.0986
        """
        return self._graph(regularizers).loss

    def monitors(self, monitors: Any = None, **regularizers: Any) -> list[tuple[str, Tensor]]:
        """Return (name, KerasTensor) pairs of the monitors, without the loss.

        >>> net = kerasnets.Regressor([4, 5, 3])
        >>> [name for name, _ in net.monitors(monitors={'hid1:out': (0.1, 0.9)})]
        ['err', 'hid1:out<0.1', 'hid1:out<0.9']
        """
        watched, _ = monitoring.build(monitors)
        graph = self._graph(regularizers, watched)
        return [('err', graph.err), *((name, mean) for name, (mean, _) in graph.monitors.items())]

    def updates(self, **regularizers: Any) -> list[Any]:
        """Return an empty list: Keras layers update their own state, see `build_graph`."""
        build_regularizers(regularizers)  # for the errors
        return []

    def _graph(self, regularizers: Any, monitors: Any = ()) -> Any:
        built = build_regularizers(regularizers)
        return self._models.graph(asked=Asked(built, noisy=True, monitors=monitors))
