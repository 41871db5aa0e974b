"""Keras' layers that only apply an activation: what comes before it is their input."""

import keras

from kerasnets.layers.form import Anatomy, Output

_before = Anatomy(outputs={'pre': Output(lambda run: run.given)})

FORMS = {}
ANATOMIES = {keras.layers.Activation: _before, keras.layers.Softmax: _before}
