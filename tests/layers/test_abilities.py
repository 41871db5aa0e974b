"""The table of what each class of layers can do, judged by what Keras computes."""

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812
from samples import LABELS, S2, SAMPLES, S
from test_every_form import FORMS, make

from kerasnets import keras_facts
from kerasnets.layers import abilities

STOCK = {
    cls.__name__: found
    for cls, found in abilities.table().items()
    if getattr(L, cls.__name__, None) is cls
}
STEPWISE = [name for name, found in STOCK.items() if found.by_steps or found.joins]


def sample(name):
    """Return a layer of a class, and a sequence or a pair of sequences that it reads."""
    x = LABELS if name == 'Embedding' else [S, S2] if STOCK[name].joins else S
    return SAMPLES[name].make(), x


@pytest.mark.parametrize('name', STEPWISE)
def test_each_step_is_computed_from_that_step_alone(name):
    layer, x = sample(name)
    whole = keras.ops.convert_to_numpy(layer(x))
    for t in range(S.shape[1]):
        part = layer(keras.tree.map_structure(lambda a, t=t: a[:, t : t + 1], x))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(part), whole[:, t : t + 1], rtol=1e-5)


@pytest.mark.parametrize('name', STEPWISE)
def test_masks_are_lost_where_keras_loses_them(name):
    layer, x = sample(name)
    if name == 'Embedding':
        mask = layer.compute_mask(x, np.ones(x.shape, bool))
    else:
        try:
            y = layer(keras.tree.map_structure(lambda a: L.Masking()(a), x))
            mask = getattr(y, '_keras_mask', None)
        except (UserWarning, ValueError):  # Keras warns of some layers, and refuses another
            mask = None
    assert (mask is None) == STOCK[name].loses_mask


@pytest.mark.parametrize('form', FORMS)
def test_every_form_is_made_of_classes_in_the_table(form):
    parts = [part for node in make(form).nodes for part in keras_facts.parts(node.layer)]
    assert {type(part) for part in parts} <= set(abilities.table())


def test_a_derived_class_has_no_ability_of_its_base():
    class Halved(L.Dense):
        def call(self, x):
            return keras.ops.flip(super().call(x), axis=1) / 2

    assert abilities.of(L.Dense) != abilities.of(Halved) == abilities.NONE
