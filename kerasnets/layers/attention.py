"""Causal self-attention, alone (`attention`) and in a block (`transformer`).

    q, k, v = x·q + bq, x·k + bk, x·v + bv            of each head
    a_t = Σ_{s ≤ t} softmax_s(q_t·k_s / √width) v_s   over the last `context` steps
    attention: y = a·o + bo

    transformer, with layer normalization before each part and residual connections:
    h = x + attention(norm(x))
    y = h + σ(norm(h)·w1 + b1)·w2 + b2

with x·w0 + b0 instead of x where the size of the block is not that of its input.

Both are a Keras model of stock layers; rotary positions alone have a class of ours.

A. Vaswani et al. (2017), "Attention is all you need", NeurIPS; R. Xiong et al. (2020), "On layer
normalization in the transformer architecture", ICML; J. Su et al. (2021), "RoFormer: enhanced
transformer with rotary position embedding", arXiv:2104.09864.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from kerasnets import activations
from kerasnets.errors import ConfigurationError, check_known, number, positive, suggest
from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Anatomy, Form, Layout, initial_settings
from kerasnets.typing import Shape, Tensor, TensorFunction, Tensors

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Ways to tell an attention layer which step is which.
POSITIONS = ('rotary', 'learned', None)

#: Steps that attention reaches back, if nothing is said.
CONTEXT = 256

#: The longest wavelength of rotary positions, over 2π.
BASE = 10000.0

#: Added to the score of a key that is not attended to.
NOWHERE = -1e30

#: Name of the attention layer in the model that either form makes.
PART = 'attention'


def rotate(x: Tensor, steps: Tensor) -> Tensor:
    """Turn the pairs of values of each head by an angle that grows with the step.

    Parameters
    ----------
    x : tensor (examples, time, heads, width)
    steps : tensor (time,)
        Of float: number of each step in its sequence.
    """
    half = x.shape[-1] // 2
    rates = BASE ** (-ops.arange(half, dtype='float32') / half)
    angles = ops.cast(steps, 'float32')[:, None, None] * rates
    cos, sin = ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype)
    a, b = x[..., :half], x[..., half:]
    return ops.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


@keras.saving.register_keras_serializable('kerasnets')
class RotaryAttention(keras.layers.MultiHeadAttention):
    """Multi-head attention whose queries and keys are rotated by their positions.

    Parameters are those of `keras.layers.MultiHeadAttention`; `key_dim` is even.

    >>> layer = RotaryAttention(num_heads=2, key_dim=4)
    >>> x = np.zeros((3, 5, 8), 'f')
    >>> tuple(layer(x, x, use_causal_mask=True).shape)
    (3, 5, 8)
    """

    def _compute_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kw: Any
    ) -> Tensor:
        """Rotate queries and keys, then attend: the method that Keras documents to override."""
        query, key = (rotate(x, ops.arange(ops.shape(x)[1])) for x in (query, key))
        return super()._compute_attention(query, key, value, *args, **kw)


def projected(layer: KerasLayer, x: Tensor, steps: Tensor) -> Tensors:
    """Return queries, keys and values (examples, time, heads, width) of an attention layer."""
    q, k, v = layer.query_dense(x), layer.key_dense(x), layer.value_dense(x)
    if isinstance(layer, RotaryAttention):
        q, k = rotate(q, steps), rotate(k, steps)
    return q, k, v


def attended(layer: KerasLayer, q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """Return the attention (examples, queries, size) of a layer to the keys that are seen.

    Parameters
    ----------
    layer : keras.layers.MultiHeadAttention
    q, k, v : tensor (examples, time, heads, width)
        Queries, and keys and values, as from `projected`.
    seen : bool array or tensor (queries, keys)
        Which keys each query attends to.
    """
    scores = ops.einsum('bqhw,bkhw->bhqk', q * float(layer.key_dim) ** -0.5, k)
    hide = (np if isinstance(seen, np.ndarray) else ops).where(seen, 0.0, NOWHERE)
    weights = ops.softmax(scores + ops.cast(hide, scores.dtype))
    return layer.output_dense(ops.einsum('bhqk,bkhw->bqhw', weights, v))


@dataclasses.dataclass(frozen=True)
class Heads(Layout):
    """The layout of a weight that Keras keeps with an axis for the heads."""

    axis: int = 1  # of the heads; the next axis is the width of each

    def read(self, value: Tensor) -> Tensor:
        """Return theanets' matrix from Keras' array."""
        return ops.reshape(value, self.shape(value.shape))

    def write(self, value: Tensor, array: Tensor) -> Tensor:
        """Copy theanets' matrix into Keras' array; return Keras'."""
        value[...] = array.reshape(value.shape)
        return value

    def shape(self, shape: Shape) -> Shape:
        """Return the shape of theanets' matrix."""
        heads, width = shape[self.axis : self.axis + 2]
        return (*shape[: self.axis], heads * width, *shape[self.axis + 2 :])


def _options(spec: LayerSpec, size: int) -> dict[str, Any]:
    """Return the entry's settings of attention, after checking them."""
    own = ('heads', 'dropout', 'positions', 'context', *(['hidden'] * (spec.form != PART)))
    options = {k: v for k, v in spec.options.items() if k not in initial_settings(spec.options, ())}
    check_known(options, own, f'keyword of {spec.form}')
    options = {'heads': 4, 'dropout': 0.0, 'positions': 'rotary', 'context': CONTEXT, **options}
    options['hidden'] = positive(options.get('hidden', 4 * size), 'hidden')
    positive(options['heads'], 'heads')
    positive(options['context'], 'context')
    number(options['dropout'], 'dropout', lambda p: 0 <= p < 1, 'of at least 0 and under 1')
    positions = options['positions']
    if positions not in POSITIONS:
        raise ConfigurationError(
            f'unknown positions {positions!r}.{suggest(str(positions), POSITIONS[:2])} '
            "Choose one of: 'rotary', 'learned', None."
        )
    width, rest = divmod(size, options['heads'])
    if rest or (positions == 'rotary' and width % 2):
        raise ConfigurationError(
            f'expected heads that divide the size of {size}'
            + (' into even parts, as rotary positions need' if not rest else '')
            + f', got heads={options["heads"]}. Choose another number of heads or another size.'
        )
    return options


def _read(spec: LayerSpec, inputs: Sequence[Tensor]) -> tuple[Tensor, int]:
    """Return the input of a form, as a tensor of its own model, and its size."""
    (x,) = inputs if len(inputs) == 1 else (None,)
    if x is None or len(x.shape) != 3 or x.shape[-1] is None:
        shapes = ', '.join(str(tuple(t.shape)) for t in inputs)
        raise ConfigurationError(
            f'expected one input of sequences of vectors, (examples, time, variables), got '
            f'{shapes}. Put an embedding before it for labels: (128, "embedding").'
        )
    return keras.Input(x.shape[1:], dtype=x.dtype, name='read'), x.shape[-1]


def _located(x: Tensor, size: int, options: dict[str, Any]) -> Tensor:
    """Return the sequence with a learned vector added to each step, if positions are learned."""
    if options['positions'] != 'learned':
        return x
    steps = ops.cumsum(ops.ones_like(x[..., 0], dtype='int32'), axis=1) - 1
    learned = keras.layers.Embedding(options['context'], size, name='positions')(steps)
    return keras.layers.Add(name='located')([x, learned])


def _attend(x: Tensor, size: int, options: dict[str, Any]) -> Tensor:
    learned = options['positions'] == 'learned'
    rotary = options['positions'] == 'rotary'
    cls = RotaryAttention if rotary else keras.layers.MultiHeadAttention
    layer = cls(
        options['heads'],
        size // options['heads'],
        output_shape=size,
        sliding_window=None if learned else options['context'],
        name=PART,
    )
    return layer(x, x, use_causal_mask=True)


def _seed() -> Any:
    return random.randrange(2**31) if keras.backend.backend() == 'torch' else None


def _attention(spec: LayerSpec, inputs: Sequence[Tensor]) -> KerasModel:
    """Build the model of the form `attention`."""
    x, size = _read(spec, inputs)
    size = size if spec.size is None else spec.size
    options = _options(spec, size)
    if spec.activation is not None:
        raise ConfigurationError(
            f'attention takes no activation, got {spec.activation!r}. Leave it out.'
        )
    y = _attend(_located(x, x.shape[-1], options), size, options)
    if options['dropout']:
        y = keras.layers.Dropout(options['dropout'], seed=_seed(), name='dropout')(y)
    return keras.Model(x, y, name=spec.name)


def _transformer(spec: LayerSpec, inputs: Sequence[Tensor]) -> KerasModel:
    """Build the model of the form `transformer`."""
    x, reads = _read(spec, inputs)
    size = reads if spec.size is None else spec.size
    options = _options(spec, size)
    layers, rate = keras.layers, options['dropout']

    def added(x: Tensor, y: Tensor, name: str) -> Tensor:
        y = layers.Dropout(rate, seed=_seed(), name=f'dropout_{name}')(y) if rate else y
        return layers.Add(name=name)([x, y])

    entered = x if size == reads else layers.Dense(size, name='enter')(x)
    start = _located(entered, size, options)
    h = layers.LayerNormalization(name='norm1')(start)
    h = added(start, _attend(h, size, options), 'middle')
    y = layers.LayerNormalization(name='norm2')(h)
    function = activations.get('gelu' if spec.activation is None else spec.activation)
    y = layers.Dense(options['hidden'], activation=function, name='hidden')(y)
    y = layers.Dense(size, name='back')(y)
    return keras.Model(x, added(h, y, 'out'), name=spec.name)


_PARAMS = {
    **{
        name: Heads(f'{PART}.{part}_dense.kernel')
        for name, part in {'q': 'query', 'k': 'key', 'v': 'value'}.items()
    },
    'o': Heads(f'{PART}.output_dense.kernel', axis=0),
    **{
        f'b{name}': Heads(f'{PART}.{part}_dense.bias', axis=0)
        for name, part in {'q': 'query', 'k': 'key', 'v': 'value'}.items()
    },
    'bo': Layout(f'{PART}.output_dense.bias'),
}
_POSITIONS = {'p': Layout('positions.embeddings')}
_ENTRY = {'w0': Layout('enter.kernel'), 'b0': Layout('enter.bias')}
_BLOCK = {
    'gamma1': Layout('norm1.gamma'),
    'beta1': Layout('norm1.beta'),
    **_PARAMS,
    'gamma2': Layout('norm2.gamma'),
    'beta2': Layout('norm2.beta'),
    'w1': Layout('hidden.kernel'),
    'b1': Layout('hidden.bias'),
    'w2': Layout('back.kernel'),
    'b2': Layout('back.bias'),
}


def attention_of(model: KerasModel) -> KerasLayer:
    """Return the attention layer in a model of these forms; None for any other model."""
    parts = [layer for layer in model.layers if layer.name == PART]
    return parts[0] if parts and isinstance(parts[0], keras.layers.MultiHeadAttention) else None


def of_model(model: KerasModel) -> Anatomy | None:
    """Return the `Anatomy` of a model of these forms; None for any other model."""
    if attention_of(model) is None:
        return None
    names = {layer.name for layer in model.layers}
    params = {**(_POSITIONS if 'positions' in names else {}), **_PARAMS}
    params = {**params, **_BLOCK} if 'back' in names else params
    params = {**_ENTRY, **params} if 'enter' in names else params
    return Anatomy(params, biases=tuple(p for p in params if p[0] in 'bg'))


def window(model: KerasModel) -> int:
    """Return the number of steps that attention reaches back; all, with learned positions."""
    size: int | None = attention_of(model).get_config()['sliding_window']
    return size or reach(model) or CONTEXT


def around(
    parts: dict[str, KerasLayer],
    x: Tensor,
    steps: Tensor,
    attend: TensorFunction,
    change: TensorFunction = lambda name, y: y,
) -> Tensor:
    """Compute a block over a sequence, with a function that attends.

    Parameters
    ----------
    parts : dict of str to keras.layers.Layer
        Of the model that one of the forms made.
    x : tensor (examples, time, variables)
    steps : tensor (time,) of int
        Numbers of the steps.
    attend : callable
        (x) -> attention of x.
    change : callable, optional
        (name, tensor) -> tensor, for what passes a layer of dropout.
    """
    x = parts['enter'](x) if 'enter' in parts else x
    x = x + parts['positions'](steps) if 'positions' in parts else x
    if 'back' not in parts:
        return change('dropout', attend(x))
    h = x + change('dropout_middle', attend(parts['norm1'](x)))
    y = parts['back'](parts['hidden'](parts['norm2'](h)))
    return h + change('dropout_out', y)


def reach(layer: KerasLayer) -> int | None:
    """Return the number of steps that a layer has learned positions for; None if unlimited."""
    if not isinstance(layer, keras.Model) or attention_of(layer) is None:
        return None
    counts = [part.input_dim for part in layer.layers if part.name == 'positions']
    return counts[0] if counts else None


def _form(make: Callable[..., KerasModel]) -> Form:
    return Form(choose=keras.Model, activation=None, follow=make)


FORMS = {'attention': _form(_attention), 'transformer': _form(_transformer)}
ANATOMIES: dict[Any, Any] = {}
