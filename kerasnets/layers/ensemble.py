"""Several small networks side by side, and numbers prepared for them.

    rescaled: z = s(x - c),   y = z/√(1 + (z/3)²),   t_j = min(max(a_j·x + b_j, 0), 1)
    ensemble: y_m = v_m·h_m + d_m,   h_m = σ(w_m·x + b_m), …   for each member m

c and s are the median and the inverse of the spread of the middle half of each column. The t_j are
the piecewise linear encoding of a column: bin j is 0 below it, 1 above it and linear within it; the
first and last bins go on beyond their ends, by as much as they are wide.

D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default", NeurIPS; Y. Gorishniy, I.
Rubachev, A. Babenko (2022), "On embeddings for numerical features in tabular deep learning",
NeurIPS.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasnets import backend
from kerasnets.errors import ConfigurationError, fraction, positive
from kerasnets.layers.form import Anatomy, Form
from kerasnets.typing import Array, Tensor

#: Values beyond about this multiple of the interquartile range are pulled in.
CLIP = 3.0


@keras.saving.register_keras_serializable('kerasnets')
class Rescaled(keras.layers.Layer):
    """Scale columns robustly, and encode some of them by bins.

    `adapt` sets the weights, which are not trained. Maps (examples, columns) to (examples,
    columns + len(binned) * bins).

    Parameters
    ----------
    binned : sequence of int
        Columns that get a piecewise linear encoding besides.
    bins : int
        Bins of each of them.

    >>> layer = Rescaled(binned=[1], bins=2)
    >>> layer.adapt(np.array([[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]], 'f'))
    >>> print(ops.convert_to_numpy(layer(np.array([[2, 3]], 'f'))).round(2))
    [[0.   0.49 1.   0.5 ]]
    """

    def __init__(self, binned: Sequence[int] = (), bins: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.binned = [positive(i, 'binned', least=0) for i in binned]
        self.bins = positive(bins, 'bins')

    def build(self, shape: Any) -> None:
        """Add the weights; they leave the columns as they are until `adapt`."""
        outside = [i for i in self.binned if i >= shape[-1]]
        if outside:
            raise ConfigurationError(
                f'binned: expected columns of 0 to {shape[-1] - 1}, got {outside[0]}. Leave it out.'
            )
        wide = (len(self.binned) * self.bins,)
        self.center = self._fixed('center', shape[-1:], 'zeros')
        self.scale = self._fixed('scale', shape[-1:], 'ones')
        if self.binned:
            self.slope = self._fixed('slope', wide, 'zeros')
            self.offset = self._fixed('offset', wide, 'zeros')

    def _fixed(self, name: str, shape: Any, initial: str) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initial, trainable=False)

    def adapt(self, x: Array) -> None:
        """Set the weights from an array (examples, columns)."""
        x = np.asarray(x, 'float64')
        if not self.built:
            self.build(x.shape)
        low, center, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
        half, whole = high - low, np.ptp(x, axis=0) / 2
        spread = np.where(half > 0, half, np.where(whole > 0, whole, 1.0))
        few = np.array([len(np.unique(column)) < 3 for column in x.T], bool)  # such as one-hot
        self.center.assign(np.where(few, 0.0, center))
        self.scale.assign(1 / np.where(few, 1.0, spread))
        if not self.binned:
            return
        edges = np.quantile(x[:, self.binned], np.linspace(0, 1, self.bins + 1), axis=0).T
        widths = np.diff(edges, axis=1)
        slope = np.divide(1.0, widths, out=np.zeros_like(widths), where=widths > 0)
        self.slope.assign(slope.ravel())
        self.offset.assign((-edges[:, :-1] * slope).ravel())

    def call(self, x: Tensor) -> Any:
        """Return the scaled columns, and the bins of some of them."""
        z = (x - self.center) * self.scale
        parts = [z / ops.sqrt(1 + ops.square(z / CLIP))]
        if self.binned:
            grid = len(self.binned), self.bins
            columns = ops.expand_dims(ops.take(x, self.binned, axis=1), -1)
            t = columns * ops.reshape(self.slope, grid) + ops.reshape(self.offset, grid)
            low, high = np.zeros(self.bins, 'float32'), np.ones(self.bins, 'float32')
            low[0], high[-1] = -1, 2  # values outside of the range of training
            t = ops.minimum(ops.maximum(t, low), high)
            parts.append(ops.reshape(t, (-1, len(self.binned) * self.bins)))
        return ops.concatenate(parts, axis=-1) if parts[1:] else parts[0]

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the shape of the output for that of the input."""
        return (*shape[:-1], shape[-1] + len(self.binned) * self.bins)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), 'binned': list(self.binned), 'bins': self.bins}


@keras.saving.register_keras_serializable('kerasnets')
class Ensemble(keras.layers.Layer):
    """Several dense networks over the same inputs, computed at once.

    Maps (examples, columns) to (examples, members, units).

    Parameters
    ----------
    units : int
        Outputs of each member.
    members : int
    hidden : sequence of int
        Units of the hidden layers of each member.
    activation : str
        Of the hidden layers.
    dropout : float
        Fraction of hidden values that training leaves out, the same ones in all members: so a step
        draws fewer numbers.

    >>> tuple(Ensemble(2, members=5, hidden=[8])(np.zeros((3, 4), 'f')).shape)
    (3, 5, 2)
    """

    def __init__(
        self,
        units: int,
        members: int = 4,
        hidden: Sequence[int] = (64, 64),
        activation: Any = 'silu',
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.members = positive(units, 'units'), positive(members, 'members')
        self.hidden = [positive(size, 'hidden') for size in hidden]
        self.function = keras.activations.get(activation)
        self.dropout = fraction(dropout, 'dropout')
        self.seed = seed
        if self.dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape: Any) -> None:
        """Add one weight with all kernels and biases, a row for each member.

        One variable, since an optimizer takes as long to compile for each as for this one.
        """
        sizes = [shape[-1], *self.hidden, self.units]
        self.shapes = [s for i, j in itertools.pairwise(sizes) for s in ((i, j), (1, j))]
        wide = self.members, sum(i * j for i, j in self.shapes)
        self.kernel = self.add_weight(name='kernel', shape=wide, initializer=self._initial)

    def _initial(self, shape: Any, dtype: Any = None) -> Any:
        """Draw normal kernels of variance 2/inputs, 1/inputs in the last layer; biases are 0."""
        normal = keras.initializers.RandomNormal(stddev=1.0)(shape, dtype)
        std = np.zeros(shape[1], 'float32')
        for i, (rows, part) in enumerate(zip(self.shapes, self._slices())):
            if not i % 2:
                std[part] = ((2 if i < 2 * len(self.hidden) else 1) / rows[0]) ** 0.5
        return normal * ops.convert_to_tensor(std, dtype)

    def _slices(self) -> list[slice]:
        """Return the place of each kernel and bias in a row of the weight."""
        ends = np.cumsum([i * j for i, j in self.shapes]).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends)]

    def arrays(self) -> list[Array]:
        """Return the kernels (members, inputs, outputs) and biases (members, 1, outputs)."""
        kernel = ops.convert_to_numpy(self.kernel)
        parts = zip(self.shapes, self._slices())
        return [kernel[:, part].reshape(-1, *shape) for shape, part in parts]

    def call(self, x: Tensor, training: Any = None) -> Any:
        """Return the outputs of all members."""
        ends = [part.stop for part in self._slices()[:-1]]
        parts = ops.split(ops.convert_to_tensor(self.kernel), ends, axis=1)
        parts = [ops.reshape(p, (-1, *shape)) for p, shape in zip(parts, self.shapes)]
        y = self._first(x, parts[0]) + parts[1]
        for kernel, bias in zip(parts[2::2], parts[3::2]):
            y = self.function(y)
            if training and self.dropout:
                ones = ops.ones((1, *ops.shape(y)[1:]), y.dtype)
                y = y * backend.omitted(ones, self.dropout, self.seed_generator)
            y = ops.matmul(y, kernel) + bias
        return ops.transpose(y, (1, 0, 2))

    def _first(self, x: Tensor, kernel: Tensor) -> Any:
        """Return the products of the same inputs and all members' kernels: one matrix product."""
        inputs, units = self.shapes[0]
        wide = ops.reshape(ops.transpose(kernel, (1, 0, 2)), (inputs, self.members * units))
        return ops.transpose(ops.reshape(ops.matmul(x, wide), (-1, self.members, units)), (1, 0, 2))

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the shape of the output for that of the input."""
        return (shape[0], self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {
            **super().get_config(),
            'units': self.units,
            'members': self.members,
            'hidden': list(self.hidden),
            'activation': keras.activations.serialize(self.function),
            'dropout': self.dropout,
            'seed': self.seed,
        }


FORMS = {
    'rescaled': Form(choose=lambda options: Rescaled, activation=None),
    'ensemble': Form(choose=lambda options: Ensemble, activation=None),
}
ANATOMIES: dict[Any, Anatomy] = {}
