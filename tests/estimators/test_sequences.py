"""Estimators of sequences of values."""

import numpy as np

from kerasnets.estimators import SequenceRegressor


def test_a_value_for_each_sequence(rng):
    x = [rng.uniform(size=(n, 2)) for n in rng.integers(3, 6, size=64)]
    y = np.array([one[:, 0].sum() for one in x])
    model = SequenceRegressor([(12, 'gru')], epochs=30, learning_rate=0.03).fit(x, y)
    assert model.predict(x).shape == (64,)
    assert model.score(x, y) > 0.9
    rows = SequenceRegressor([(4, 'gru')], epochs=1).fit(x, np.stack([y, -y], axis=1))
    assert rows.predict(x[:7]).shape == (7, 2)
    assert rows.score(x, np.stack([y, -y], axis=1)) < 1


def test_a_value_for_each_step(rng):
    x = [rng.uniform(size=(n, 2)) for n in rng.integers(3, 6, size=64)]
    y = [one[:, 1] for one in x]
    model = SequenceRegressor([(8, 'rnn', 'tanh')], epochs=30, learning_rate=0.03).fit(x, y)
    assert [one.shape for one in model.predict(x)] == [one.shape for one in y]
    assert model.score(x, y) > 0.9
    weights = np.zeros(64)
    weights[3] = 1
    error = ((model.predict(x)[3] - y[3]) ** 2).sum()
    want = 1 - error / ((y[3] - y[3].mean()) ** 2).sum()
    assert np.isclose(model.score(x, y, weights), want)
    deep = [one[:, None] for one in y]
    assert (
        SequenceRegressor([(4, 'gru')], epochs=1).fit(x, deep).predict(x)[0].shape == deep[0].shape
    )
