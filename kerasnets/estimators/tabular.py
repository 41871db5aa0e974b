"""The base class of `NetClassifier` and `NetRegressor`: an ensemble, or one network."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnets.errors import ConfigurationError, fraction, positive
from kerasnets.estimators import defaults
from kerasnets.estimators.base import Estimator
from kerasnets.estimators.defaults import Plan
from kerasnets.language.spec import parse
from kerasnets.typing import Array

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11

#: Parameters that are None by default: what is best for the table, as `defaults` has it.
CHOSEN: dict[str, Any] = dict.fromkeys(
    'layers ensemble algo validation_fraction epochs learning_rate batch_size patience '
    'validate_every'.split()
)

#: What they are where `layers` are given and no ensemble is; the others as in `Network.itertrain`.
SINGLE = {'algo': 'adam', 'epochs': 200, 'learning_rate': defaults.RATE}


class Tabular(Estimator):
    """Base class of the estimators of tables.

    Parameters
    ----------
    layers : sequence, optional
        The hidden layers, entries of the language of layers. Default: two dense layers of 64
        units in each network of an ensemble, which scales and bins its inputs itself.
    ensemble : int, optional
        Number of networks that are trained side by side and averaged. Each leaves out one fold of
        the rows; the losses of all on these decide which epoch is kept. Default: 4; of 20,000 rows
        or more 2, which leave out the same tenth; and 1 where `layers` are given. Layers of an
        ensemble are dense: sizes, and perhaps one activation for all.
    validation_fraction : float, optional
        Fraction of the rows to validate with, the same for all networks. Default: the folds of
        an ensemble, a fifth for a single network by default, and 0 where `layers` are given.
    epochs, batch_size, patience, validate_every : int, optional
        Default: by the number of rows; where `layers` are given 200 epochs, and the rest as in
        `Network.itertrain`.
    algo, learning_rate : optional
        Default: AdamW with a rate that warms up to 0.003 (0.006 for 20,000 rows or more), and
        falls to 0; Adam with 0.001 where `layers` are given. A number is the rate of all epochs.
    """

    #: What the ensemble in `net_` is; None for a single network of `layers`.
    _plan: Plan | None = None

    def _make(self, x: Any, outputs: int, weighted: bool) -> None:
        """Build `net_`, an ensemble or a single network, for inputs (examples, columns)."""
        self._plan = self._planned(x)
        if self._plan is None:
            self._build((x.shape[1], outputs), weighted)
        else:
            self._average(x, outputs)

    def _average(self, x: Any, outputs: int) -> None:
        """Build `net_` as an ensemble."""
        assert self._plan is not None
        self.net_ = defaults.network(
            self.KIND, x, outputs, self._plan, loss=self.loss, rng=self._seed()
        )

    def _weigh(self, loss: Any, weights: Array | None) -> None:
        """Let the loss of a trained network take weights, or none; an ensemble's always does."""
        if self._plan is None:
            self.net_.set_loss(loss, weighted=weights is not None)

    def _planned(self, x: Any) -> Plan | None:
        if self.ensemble is not None:
            positive(self.ensemble, 'ensemble')
        if self.layers is not None and self.ensemble in (None, 1):
            return None
        names = 'epochs', 'batch_size', 'patience', 'validate_every'
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.validation_fraction is not None:
            chosen['held_out'] = fraction(self.validation_fraction, 'validation_fraction')
        if self.layers is not None:
            chosen |= _dense(self._hidden())
        if self.ensemble is not None:
            chosen['members'] = self.ensemble
        return Plan.of(x, **chosen)

    def _learn_rows(
        self,
        x: Any,
        y: Array,
        weights: Array | None,
        stratify: Any = None,
        class_weight: dict[int, float] | None = None,
        **changes: Any,
    ) -> Self:
        """Train `net_` on inputs, labels or values, and weights of the rows."""
        if self._plan is None:
            data = [x, y]
            if weights is not None:
                each = y.ndim > 1 and len(self.net_.losses[0].weights_shape(y.shape)) > 1
                data.append(np.broadcast_to(weights[:, None], y.shape) if each else weights)
            return self._train(data, stratify, class_weight=class_weight, **changes)
        if class_weight is not None:
            factors = np.array([class_weight[label] for label in y])
            weights = factors if weights is None else weights * factors
        plan = self._plan
        if 'epochs' in changes:  # in `partial_fit`, which holds nothing out
            plan = dataclasses.replace(plan, held_out=0.0)
        parts = defaults.data(self.net_, x, y, plan, weights)
        return self._run(parts, class_weight=None, **changes)

    def _keywords(self, **changes: Any) -> dict[str, Any]:
        """Return the keywords of training: those given, and otherwise those of the plan."""
        given = super()._keywords(**changes)
        if self._plan is None:
            return {**SINGLE, **given}
        usual = defaults.settings(self._plan, self.algo)
        if 'epochs' in changes:
            usual['learning_rate'] = defaults.RATE
        return {**usual, **given}


def _dense(hidden: list[Any]) -> dict[str, Any]:
    """Return the sizes and the activation of the hidden layers of an ensemble."""
    specs = [parse(entry, i + 1, previous='in') for i, entry in enumerate(hidden)]
    for spec in specs:
        if spec.form not in ('ff', 'feedforward') or spec.options or spec.size is None:
            raise ConfigurationError(
                f'ensemble: expected dense layers, such as [64, 64], got {spec.entry!r}. '
                'Leave out ensemble, or use sklearn.ensemble.BaggingClassifier.'
            )
    activations = {spec.activation or 'relu' for spec in specs}
    if len(activations) > 1:
        raise ConfigurationError(
            f'ensemble: expected one activation for all layers, got {sorted(activations)}. '
            'Choose one.'
        )
    return {'hidden': tuple(spec.size for spec in specs), 'activation': activations.pop()}
