"""Layers that only move values about."""

import keras

from kerasnets.layers.form import Form

_flatten = Form(choose=lambda options: keras.layers.Flatten, activation=None)

FORMS = {'flatten': _flatten, 'flat': _flatten}
ANATOMIES = {}
