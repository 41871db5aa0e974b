"""Layers that join values, or only move them about."""

import keras

from kerasnets.layers.form import Form


def _stock(cls):
    return Form(choose=lambda options: cls, activation=None)


_product, _concatenate = _stock(keras.layers.Multiply), _stock(keras.layers.Concatenate)
_flatten = _stock(keras.layers.Flatten)

FORMS = {
    'product': _product,
    'prod': _product,
    'concatenate': _concatenate,
    'concat': _concatenate,
    'flatten': _flatten,
    'flat': _flatten,
    'reshape': _stock(keras.layers.Reshape),
}
ANATOMIES = {}
