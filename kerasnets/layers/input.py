"""Inputs: where data enters the network. They hold no parameters."""

import keras

from kerasnets.layers.form import Form

FORMS = {'input': Form(choose=lambda options: keras.layers.InputLayer, activation=None)}
ANATOMIES = {}
