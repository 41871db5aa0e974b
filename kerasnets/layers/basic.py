"""Inputs, embeddings, and layers that join, reshape or activate values.

An embedding gives a learned vector for each label: y = w[x] for labels x, (examples, …) of int.
In a list such as ``[64, (20, 'embedding'), …]`` the size of the input is the number of labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from kerasnets.language.spec import LayerSpec
from kerasnets.layers.form import Anatomy, Form, Layout, Output
from kerasnets.typing import Tensor


def _stock(cls: Any) -> Form:
    return Form(choose=cls, activation=None)


def _following(cls: Any, **defaults: Any) -> Form:
    """Return a form whose size follows from its inputs."""
    form = dataclasses.replace(_stock(cls), defaults=defaults)

    def follow(spec: LayerSpec, inputs: Sequence[Tensor]) -> Any:
        if cls is keras.layers.Flatten and None in inputs[0].shape[1:] and spec.size is not None:
            return keras.layers.Reshape((spec.size,), name=spec.name)  # of images of any size
        return form.make(dataclasses.replace(spec, size=None))

    return dataclasses.replace(form, follow=follow)


_product, _concatenate = _following(keras.layers.Multiply), _following(keras.layers.Concatenate)
_flatten = _following(keras.layers.Flatten)
_before = Anatomy(outputs={'pre': Output(lambda run: run.inputs)})

FORMS = {
    'input': _stock(keras.layers.InputLayer),
    'embedding': Form(choose=keras.layers.Embedding, activation=None, of_labels=True),
    'product': _product,
    'prod': _product,
    'concatenate': _concatenate,
    'concat': _concatenate,
    'flatten': _flatten,
    'flat': _flatten,
    'reshape': _stock(keras.layers.Reshape),
    'add': _following(keras.layers.Add),
    'norm': _following(keras.layers.LayerNormalization),
    'dropout': _following(keras.layers.Dropout, rate=0.5),
}
ANATOMIES = {
    keras.layers.Embedding: Anatomy(params={'w': Layout('embeddings')}),
    keras.layers.Activation: _before,
    keras.layers.Softmax: _before,
}
