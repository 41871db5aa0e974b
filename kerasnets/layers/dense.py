"""Fully connected layers: y = σ(x·w + b)."""

import keras

from kerasnets.layers.form import Anatomy, Form, Layout, Output, project


def _pre(layer, x):
    return project(x, layer.kernel, layer.bias)


_dense = Form(choose=lambda options: keras.layers.Dense)
_softmax = Form(choose=lambda options: keras.layers.Dense, activation='softmax')

FORMS = {'ff': _dense, 'feedforward': _dense, 'softmax': _softmax, 'classifier': _softmax}
ANATOMIES = {
    keras.layers.Dense: Anatomy(
        params={'w': Layout('kernel'), 'b': Layout('bias')},
        outputs={'pre': Output(_pre)},
    )
}
