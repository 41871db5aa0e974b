import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.language import registry
from kerasnets.language.spec import form_of


def test_words_that_are_forms():
    assert form_of('lstm') == form_of('LSTM') == 'lstm'
    assert form_of('Softmax') == 'Softmax'
    assert form_of('tanh') is None


def test_every_form_has_a_module_that_makes_it():
    from kerasnets import layers

    for name in registry.FORMS:
        assert isinstance(layers.get_form(name), layers.Form), name


@kerasnets.register('scale')
class Scale(keras.layers.Layer):
    """Multiplies by one learned number for each variable."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape):
        start = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(shape=(shape[-1],), initializer=start, name='scale')

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), 'start': self.start}


def test_a_registered_layer_is_a_form(tmp_path):
    net = kerasnets.Classifier([4, 'scale', dict(form='scale', start=3.0, name='s'), 3])
    assert [type(layer) for layer in net.model.layers[:2]] == [Scale, Scale]
    assert (net.find('s', 'scale').get_value() == 3).all()
    x, y = np.random.randn(9, 4), np.arange(9) % 3
    net.train([x, y], epochs=1)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(again.predict_proba(x), net.predict_proba(x))
    with pytest.raises(ConfigurationError, match="Did you mean 'start'"):
        kerasnets.Classifier([4, dict(form='scale', strt=1), 3])
    with pytest.raises(ConfigurationError, match="Did you mean 'scale'"):
        kerasnets.Classifier([4, 'scales', 3])


def test_invalid_registrations():
    with pytest.raises(ConfigurationError, match="'lstm' is taken"):
        kerasnets.register('lstm')(Scale)
    with pytest.raises(ConfigurationError, match="'scale' is taken"):
        kerasnets.register('scale')(keras.layers.Dense)
    with pytest.raises(ConfigurationError, match=r'a class of keras\.layers\.Layer'):
        kerasnets.register('mine')(len)
    with pytest.raises(ConfigurationError, match='name of a form'):
        kerasnets.register(Scale)
