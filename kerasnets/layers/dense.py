"""Fully connected layers.

`ff`: y = σ(x·w + b), and σ(Σ x_i·w_i + b) for several inputs. `tied`: y = σ(x·wᵀ + b) with the
weights w of its partner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from kerasnets import activations
from kerasnets.errors import ConfigurationError, check_known
from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Anatomy, Form, Layout, Output, Pass, kernel_sum, project
from kerasnets.typing import Activation, Config, Shape, Tensor

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel


@keras.saving.register_keras_serializable('kerasnets')
class Tied(keras.layers.Layer):
    """A dense layer with the transposed weights of another; only the bias is its own.

    Parameters
    ----------
    partner : keras.layers.Dense
    activation : str or callable
    units : int, optional
        What the partner reads; it need not be said.

    >>> dense = keras.layers.Dense(3)
    >>> tuple(Tied(dense)(dense(np.zeros((2, 4), 'f'))).shape)
    (2, 4)
    """

    def __init__(
        self,
        partner: KerasLayer,
        activation: Activation = 'linear',
        units: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.partner = partner
        self.units = partner.kernel.shape[0] if partner.built else units
        if units not in (None, self.units):
            raise ConfigurationError(
                f'expected the size of what its partner reads, {self.units}, got {units}. '
                'Leave the size out.'
            )
        self.activation = keras.activations.get(activation)

    def build(self, shape: Shape) -> None:
        """Create the weights."""
        self.units = self.partner.kernel.shape[0]
        self.bias = self.add_weight(shape=(self.units,), initializer='zeros', name='bias')
        if isinstance(self.activation, keras.layers.Layer) and not self.activation.built:
            self.activation.build((None, self.units))

    def before(self, x: Tensor) -> Tensor:
        """Return the sum at the units."""
        return project(x, ops.transpose(self.partner.kernel), self.bias)

    def call(self, x: Tensor) -> Tensor:
        """Compute the output."""
        return self.activation(self.before(x))

    def compute_output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the output."""
        return (*shape[:-1], self.units)

    def get_config(self) -> Config:
        """Return the settings."""
        return {
            **super().get_config(),
            'partner': keras.saving.serialize_keras_object(self.partner),
            'activation': keras.activations.serialize(self.activation),
            'units': self.units,
        }

    @classmethod
    def from_config(cls, config: Config) -> KerasLayer:
        """Build the layer again; within one file Keras finds the existing partner."""
        config = dict(config, partner=keras.saving.deserialize_keras_object(config['partner']))
        return cls(**config)


def _sum(spec: LayerSpec, inputs: Sequence[Tensor], activation: Activation) -> KerasModel:
    """Build a model of stock layers: a Dense for each input, their sum, the activation."""
    check_known(spec.options, (), 'keyword of a layer with several inputs')
    if spec.size is None:
        raise ConfigurationError('it has no size. Write dict(size=20, inputs=...).')
    tensors = [keras.Input(batch_shape=t.shape, dtype=t.dtype) for t in inputs]
    parts = [
        keras.layers.Dense(spec.size, use_bias=not i, name=_part(name))(tensor)
        for i, (name, tensor) in enumerate(zip(spec.inputs, tensors))
    ]
    total = keras.layers.Add(name='pre')(parts)
    function = activations.get(activation)
    return keras.Model(
        tensors, keras.layers.Activation(function, name='out')(total), name=spec.name
    )


def _part(source: str) -> str:
    """Return the name of the Dense for an input: Keras takes no colon, PyTorch no dot."""
    return f'w_{source}'.replace(':', '-')


def of_model(model: KerasModel) -> Anatomy | None:
    """Return the `Anatomy` of a model built by `_sum`; None for any other model."""
    parts = {n.name: n for n in model.layers if isinstance(n, keras.layers.Dense)}
    if not parts or not all(name.startswith('w_') for name in parts):
        return None
    first = next(iter(parts))

    def pre(run: Pass) -> Tensor:
        kernels = [run.layer.get_layer(name).kernel for name in parts]
        total = sum(ops.matmul(x, kernel) for x, kernel in zip(run.inputs, kernels))
        return total + run.layer.get_layer(first).bias

    # in files from before there were models on PyTorch, a dot stands there
    sources = {name: ':'.join(name.replace('.', '-').rsplit('-', 1)) for name in parts}
    layouts = {source: Layout(f'{name}.kernel') for name, source in sources.items()}
    return Anatomy({**layouts, 'b': Layout(f'{first}.bias')}, {'pre': Output(pre)})


_dense = Form(choose=keras.layers.Dense, join=_sum)
_softmax = Form(choose=keras.layers.Dense, activation='softmax', join=_sum)

FORMS = {
    'ff': _dense,
    'feedforward': _dense,
    'softmax': _softmax,
    'classifier': _softmax,
    'tied': Form(choose=Tied, partner=True),
}
ANATOMIES = {
    keras.layers.Dense: Anatomy(
        params={'w': Layout('kernel'), 'b': Layout('bias')},
        outputs={'pre': Output(kernel_sum)},
    ),
    Tied: Anatomy(
        params={'b': Layout('bias')},
        outputs={'pre': Output(lambda run: run.layer.before(run.inputs))},
    ),
}
