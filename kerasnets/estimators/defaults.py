"""Networks for tables with default settings: several small ones, cross-fitted and averaged.

Each member of an ensemble trains on all folds of the rows but one, so that together they use every
row, and the loss of each on its own fold chooses the epoch that is kept. All members train at once,
in one layer. `benchmarks/NOTES.md` has the measurements behind each choice.

>>> x = np.random.default_rng(0).normal(size=(300, 3))
>>> net = fit(feedforward.Regressor, x, x[:, :1] ** 2, Plan.of(x))
>>> net.predict(x).shape
(300, 1)
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from kerasnets import feedforward
from kerasnets.errors import positive
from kerasnets.layers.ensemble import Rescaled
from kerasnets.losses import Loss
from kerasnets.network import Network
from kerasnets.typing import Array, Layers

#: Networks in an ensemble.
MEMBERS = 4

#: Fraction of the rows that a network alone is validated with.
ALONE = 0.2

#: Name of the layer with the outputs of each member.
EACH = 'each'


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is trained on a table, and how long.

    Attributes
    ----------
    members : int
        Networks that are averaged.
    hidden : tuple of int
        Units of the hidden layers of each.
    activation : str
        Of the hidden layers.
    dropout : float
        Of the hidden layers.
    binned : tuple of int
        Columns with a piecewise linear encoding: those with more than a few different values.
    bins : int
        Bins of that encoding; it grows with the number of rows.
    scaled : bool
        Whether the network scales its inputs. Sparse arrays are taken as they are.
    held_out : float or None
        Fraction of the rows to validate with. None: of each member the rows of its fold. 0: none.
    batch_size : int
    epochs : int
    updates : int
        Of all epochs together, over which the rate of learning falls.
    validate_every : int
        Epochs between validations.
    patience : int
        Validations without improvement before training stops.
    learning_rate : float
        The highest of a schedule that warms up, and falls to 0 by a cosine.
    weight_decay_rate : float
    """

    members: int = MEMBERS
    hidden: tuple[int, ...] = (64, 64)
    activation: str = 'silu'
    dropout: float = 0.1
    binned: tuple[int, ...] = ()
    bins: int = 1
    scaled: bool = True
    held_out: float | None = None
    batch_size: int = 64
    epochs: int = 100
    updates: int = 500
    validate_every: int = 5
    patience: int = 5
    learning_rate: float = 6e-3
    weight_decay_rate: float = 0.02

    @classmethod
    def of(cls, x: Array, **chosen: Any) -> Plan:
        """Return the plan for inputs (examples, columns); `chosen` are some of its attributes."""
        rows, dense = x.shape[0], isinstance(x, np.ndarray)
        bins = min(BINS, rows // ROWS_OF_A_BIN) if dense else 1
        columns = enumerate(x[:LOOKED_AT].T if bins >= LEAST_BINS else ())
        varied = [i for i, column in columns if len(np.unique(column)) > FEW]
        bins = min(bins, BINNED // max(1, len(varied)))
        bins = bins if bins >= LEAST_BINS else 1
        batch_size = positive(chosen.get('batch_size', _batch_size(rows)), 'batch_size')
        steps = math.ceil(rows / batch_size)
        wide = x.shape[1] + len(varied) * (bins - 1) > WIDE
        updates = UPDATES_LARGE if rows >= LARGE else UPDATES_WIDE if wide else UPDATES
        epochs = int(chosen.get('epochs', max(1, round(updates / steps))))
        usual = {
            'binned': tuple(varied) if bins > 1 else (),
            'bins': bins,
            'scaled': dense,
            'batch_size': batch_size,
            'epochs': epochs,
            'updates': epochs * steps,
            'validate_every': max(1, math.ceil(epochs / CHECKS)),
        }
        sized = OF_SMALL if rows < SMALL else OF_LARGE if rows >= LARGE else {}
        return cls(**{**sized, **usual, **chosen})

    def about(self, rows: int) -> str:
        """Describe what is trained on a number of rows."""
        size = ', '.join(map(str, self.hidden))
        several = self.members > 1
        nets = f'{self.members} networks with' if several else 'one network with'
        if self.held_out == 0:
            left = f'all {rows:,} rows'
        elif self.held_out is None and several:
            left = f'{rows:,} rows, each network without a fold of one in {self.members}'
        else:
            left = f'{rows:,} rows without {self.held_out or ALONE:.0%} for validation'
        return (
            f'Training {nets} hidden layers of {size} on {left}, for at most {self.epochs} epochs.'
        )


#: Limits of bins: at most BINS for a column, at least ROWS_OF_A_BIN rows each, BINNED in total.
#: Where they allow fewer than LEAST_BINS, no column is binned.
BINS, ROWS_OF_A_BIN, BINNED, LEAST_BINS = 16, 100, 256, 6

#: A column is binned if its first LOOKED_AT rows have more than FEW different values.
FEW, LOOKED_AT = 4, 10_000

#: Maximum number of updates, and of validations in a training. With more than WIDE columns, bins
#: counted singly, an update takes longer and fewer suffice.
UPDATES, UPDATES_WIDE, WIDE, CHECKS = 500, 400, 128, 20

#: A small table has fewer rows than SMALL, a large one at least LARGE.
SMALL, LARGE = 500, 20_000

#: Settings for a small table, on which two layers overfit.
OF_SMALL: dict[str, Any] = {'hidden': (100,), 'weight_decay_rate': 0.3}

#: Settings for a large table, which overfits less and takes longer for each member.
OF_LARGE: dict[str, Any] = {'members': 2, 'held_out': 0.1, 'dropout': 0.0}
UPDATES_LARGE = 1500


#: The learning rate warms up in the first 1/WARM of the updates.
WARM = 20

#: Learning rate of another algorithm than AdamW.
RATE = 1e-3


def _batch_size(rows: int) -> int:
    """Return the batch size for a number of rows."""
    return 64 if rows < 2000 else 128 if rows < 8000 else 256


def entries(plan: Plan, columns: int, outputs: int, output: str) -> Layers:
    """Return the list of layers of a network; `output` is its activation."""
    scaled = {'form': 'rescaled', 'binned': list(plan.binned), 'bins': plan.bins}
    ensemble = {
        'form': 'ensemble',
        'size': outputs,
        'members': plan.members,
        'hidden': list(plan.hidden),
        'activation': plan.activation,
        'dropout': plan.dropout,
    }
    softmax = output == 'softmax'
    each = {'form': 'Softmax'} if softmax else {'form': 'Activation', 'activation': output}
    mean = {'form': 'GlobalAveragePooling1D'}
    return [columns, *[scaled] * plan.scaled, ensemble, {**each, 'name': EACH}, mean]


def network(
    kind: type[Network],
    x: Array,
    outputs: int,
    plan: Plan,
    loss: Any = None,
    output: str | None = None,
    rng: Any = 13,
    **keywords: Any,
) -> Network:
    """Return a network for a table that is not trained yet, its scales set from the inputs.

    Parameters
    ----------
    kind : class
        `feedforward.Classifier` or `feedforward.Regressor`.
    x : array (examples, columns)
    outputs : int
        Classes, or values.
    plan : Plan
    loss : str, optional
    output : str, optional
        Activation of the output. Default: softmax, or linear.
    rng : int or numpy random generator
    **keywords
        Of `kind`.
    """
    classes = issubclass(kind, feedforward.Classifier)
    named = ('xe' if classes else 'mse') if loss is None else loss
    output = output or ('softmax' if classes else 'linear')
    net = kind(entries(plan, x.shape[1], outputs, output), loss=of_each(named), rng=rng, **keywords)
    if plan.scaled:
        scaled = net.nodes[1].layer
        assert isinstance(scaled, Rescaled)
        scaled.adapt(x)
    return net


def of_each(loss: Any) -> Loss:
    """Return a loss of the output of each member, with weights."""
    if isinstance(loss, Loss):
        return dataclasses.replace(loss, output_name=f'{EACH}:out', weighted=True)
    return Loss.build(loss, output_name=f'{EACH}:out', weighted=True)


def data(
    net: Network, x: Array, y: Array, plan: Plan, sample_weight: Array | None = None
) -> tuple[list[Array], list[Array] | None]:
    """Return the training and the validation data of each member.

    Parameters
    ----------
    net : Network
        As `network` makes it. Its random generator draws the folds.
    x : array (examples, columns)
    y : array (examples,) of labels, or (examples, values)
    plan : Plan
    sample_weight : array (examples,), optional
    """
    rows, members = x.shape[0], plan.members
    seed = int(net.rng.integers(2**31))
    labels = y if y.ndim == 1 else None
    weights = np.ones(rows) if sample_weight is None else np.asarray(sample_weight)
    held = np.zeros((rows, members), bool)
    if plan.held_out is None and members > 1:
        rare = labels is None or np.bincount(labels)[np.unique(labels)].min() < members
        folds: Any = (KFold if rare else StratifiedKFold)(members, shuffle=True, random_state=seed)
        if rows >= members:
            for member, (_, fold) in enumerate(folds.split(x, labels)):
                held[fold, member] = True
    elif plan.held_out != 0 and rows > 2:
        part = ALONE if plan.held_out is None else plan.held_out
        few = labels is None or np.bincount(labels)[np.unique(labels)].min() < 2
        some = train_test_split(
            np.arange(rows), test_size=part, random_state=seed, stratify=None if few else labels
        )[1]
        held[some] = True
    target = np.repeat(y[:, None], members, axis=1)

    axes = len(net.losses[0].weights_shape(target.shape if labels is None else (*target.shape, 0)))

    def weighed(counts: Array) -> list[Array]:
        w = (counts * weights[:, None]).astype('float32')
        return [x, target, w if axes == 2 else np.repeat(w[..., None], target.shape[2], axis=2)]

    chosen, validated = ~held * weights[:, None], held * weights[:, None]
    if not (chosen.sum(axis=0) > 0).all() or not validated.any():  # nothing to hold out
        return weighed(np.ones_like(held)), None
    return weighed(~held), weighed(held)


def fit(
    kind: type[Network],
    x: Array,
    y: Array,
    plan: Plan | None = None,
    outputs: int | None = None,
    sample_weight: Array | None = None,
    rng: Any = 13,
    training: dict[str, Any] | None = None,
    **keywords: Any,
) -> Network:
    """Return a network that is trained on a table.

    Parameters
    ----------
    kind : class
        `feedforward.Classifier` or `feedforward.Regressor`.
    x : array (examples, columns)
        Numbers without gaps, in any units; words one-hot encoded.
    y : array (examples,) of labels, or (examples, values)
        Values are best of mean 0 and deviation 1.
    plan : Plan, optional
        Default: ``Plan.of(x)``.
    outputs : int, optional
        Classes, or values. Default: as many as `y` has.
    sample_weight : array (examples,), optional
    rng : int or numpy random generator
    training : dict, optional
        Further keywords of `Network.train`.
    **keywords
        Of `network` and of `kind`, such as ``loss`` and ``class_names``.
    """
    plan = Plan.of(x) if plan is None else plan
    outputs = outputs or (int(y.max()) + 1 if y.ndim == 1 else y.shape[1])
    net = network(kind, x, outputs, plan, rng=rng, **keywords)
    parts = data(net, x, y, plan, sample_weight)
    net.train(*parts, **{**settings(plan), **(training or {})})
    return net


def settings(plan: Plan, algo: Any = None) -> dict[str, Any]:
    """Return the keywords of `Network.train` for a plan.

    Another algorithm than AdamW gets the rate `RATE` in all epochs, and no weight decay.
    """
    warm = max(1, plan.updates // WARM)
    rate = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / warm,
        max(1, plan.updates - warm),
        warmup_target=plan.learning_rate,
        warmup_steps=warm,
    )
    usual = {'weight_decay_rate': plan.weight_decay_rate, 'learning_rate': rate}
    return {
        'algo': algo or 'adamw',
        **(usual if algo is None else {'learning_rate': RATE}),
        'epochs': plan.epochs,
        'batch_size': plan.batch_size,
        'validate_every': plan.validate_every,
        'patience': plan.patience,
        'verbose': 0,
    }
