import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError, DataError

Classifier = kerasnets.recurrent.Classifier
RNG = np.random.default_rng(4)
LABELS = RNG.integers(6, size=(9, 12))
ONE_HOT = np.eye(6, dtype='f')[LABELS]
TARGETS = RNG.integers(3, size=(9, 12))


def test_labels_as_inputs_are_one_hot_rows():
    net = Classifier([6, (5, 'lstm'), 3])
    for dtype in ('int8', 'int64', 'uint16'):
        np.testing.assert_allclose(
            net.predict_proba(LABELS.astype(dtype)), net.predict_proba(ONE_HOT), atol=1e-6
        )
    a, b = net.feed_forward(LABELS), net.feed_forward(ONE_HOT)
    for name in b:
        np.testing.assert_allclose(a[name], b[name], atol=1e-6)
    assert net.evaluate([LABELS, TARGETS]) == pytest.approx(net.evaluate([ONE_HOT, TARGETS]))
    assert net.score(LABELS, TARGETS) == net.score(ONE_HOT, TARGETS)


def test_training_on_labels_equals_training_on_one_hot_rows():
    nets = [Classifier([6, (5, 'gru', 'tanh'), 3]) for _ in range(2)]
    for net, inputs in zip(nets, (LABELS, ONE_HOT)):
        net.train([inputs, TARGETS], epochs=3, algo='sgd', learning_rate=0.1, batch_size=4)
    for a, b in zip(nets[0].params, nets[1].params):
        np.testing.assert_allclose(a.get_value(), b.get_value(), atol=1e-5)


def test_labels_cost_no_one_hot_array():
    """What is held for an epoch is the labels themselves."""
    net = Classifier([6, (5, 'lstm'), 3])
    from kerasnets.data import batches

    source = batches.dataset([LABELS, TARGETS], net.data_spec.fit)
    assert source.arrays[0] is LABELS
    assert next(source.epoch())[0].shape == (9, 12)


def test_feedforward_classifiers_take_no_labels():
    with pytest.raises(DataError, match='expected shape'):
        kerasnets.Classifier([6, 3]).predict(np.array([1, 2, 3]))


def test_float_labels_are_not_inputs():
    with pytest.raises(DataError, match=r'expected shape \(any, any, 6\)'):
        Classifier([6, (5, 'lstm'), 3]).predict(LABELS.astype('f'))


@pytest.mark.parametrize('form', ['rnn', 'lstm', 'gru'])
def test_many_to_one(form):
    """One label for a sequence: which of two symbols came first."""
    x = RNG.integers(2, 6, size=(300, 8))
    x[:, 0] = y = RNG.integers(2, size=300)
    hidden = dict(form=form, size=12, return_sequences=False, activation='tanh')
    net = Classifier([6, hidden, 2])
    net.train([x, y], algo='adam', learning_rate=0.02, epochs=25)
    assert net.predict(x).shape == (300,)
    assert net.score(x, y) > 0.95
    assert net.predict_proba(x[:, :5]).shape == (300, 2)
    with pytest.raises(DataError, match=r'targets .*: expected shape \(any,\)'):
        net.train([x, x], epochs=1)


def test_test_sequences_may_have_any_length():
    net = Classifier([6, (5, 'lstm'), 3])
    net.train([LABELS, TARGETS], valid=[LABELS[:, :4], TARGETS[:, :4]], epochs=1)
    assert net.predict(RNG.normal(size=(2, 40, 6))).shape == (2, 40)
    assert net.predict(RNG.integers(6, size=(2, 3))).shape == (2, 3)
    assert net.score(LABELS[:, :5], TARGETS[:, :5]) >= 0


def test_batches_of_several_lengths():
    lengths = iter([3, 9, 5, 7] * 10)

    def draw():
        n = next(lengths)
        return [LABELS[:, :n], TARGETS[:, :n]]

    net = Classifier([6, (5, 'lstm'), 3])
    training, _ = net.train(draw, epochs=2, train_batches=4)
    assert np.isfinite(training['loss'])


def test_weights_hide_time_steps():
    net = Classifier([6, (5, 'lstm'), 3], weighted=True)
    w = np.ones((9, 12), 'f')
    w[:, 7:] = 0
    changed = TARGETS.copy()
    changed[:, 7:] = (changed[:, 7:] + 1) % 3
    a, b = (net.evaluate([ONE_HOT, y, w]) for y in (TARGETS, changed))
    assert a == pytest.approx(b)
    with pytest.raises(DataError, match='all weights are 0'):
        net.evaluate([ONE_HOT, TARGETS, 0 * w])


def test_the_text_is_saved_with_the_network():
    text = kerasnets.recurrent.Text('abcabc', min_count=1)
    net = Classifier([text.classes, (5, 'lstm'), text.classes], text=text)
    assert net.text is text
    sample = net.text_sample(2, 10, rng=1)
    assert sample.startswith('ab|')
    assert len(sample) == 13
    with pytest.raises(ConfigurationError, match='expected text as a Text'):
        Classifier([4, 3], text='abc')
