"""Networks made under the policy mixed_bfloat16: weights in float32, computation in bfloat16."""

import keras
import numpy as np
import pytest
from marks import quick

import kerasnets

FORMS = quick('lstm', 'scrn', but=['rnn', 'gru', 'mut1', dict(form='clockwork', periods=(1, 2))])


@pytest.fixture
def mixed():
    """The policy, for one test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy('mixed_bfloat16')
    yield
    keras.config.set_dtype_policy(before)


def test_a_classifier_learns_as_it_does_in_float32(mixed, rng, tmp_path):
    x = rng.normal(size=(300, 6)).astype('f')
    y = x[:, :3].argmax(axis=1)
    net = kerasnets.Classifier([6, (32, 'tanh'), 3])
    net.train([x, y], algo='adam', learning_rate=0.02, epochs=12)
    assert net.score(x, y) > 0.93
    assert net.find('hid1', 'w').get_value().dtype == 'float32'
    assert net.model.layers[0].compute_dtype == 'bfloat16'
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


@pytest.mark.parametrize('form', FORMS, ids=str)
def test_a_recurrent_network_is_near_that_of_float32(form, rng):
    entry = {**(form if isinstance(form, dict) else {'form': form}), 'size': 8}
    labels = rng.integers(5, size=(4, 9))
    plain = kerasnets.recurrent.Classifier([5, entry, 5])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy('mixed_bfloat16')
    try:
        net = kerasnets.recurrent.Classifier([5, entry, 5])
    finally:
        keras.config.set_dtype_policy(before)
    found = net.predict_proba(labels)
    assert found.dtype == 'float32'
    np.testing.assert_allclose(found, plain.predict_proba(labels), atol=0.02)
    training, _ = net.train([labels, labels], epochs=1)
    assert np.isfinite(training['loss'])
    assert len(list(net.predict_sequence([0], 5, rng=1))) == 5
