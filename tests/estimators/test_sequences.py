"""Estimators of sequences of values."""

import numpy as np
import pandas
import pytest

from kerasnets.errors import DataError
from kerasnets.estimators import (
    NetClassifier,
    NetRegressor,
    SequenceClassifier,
    SequenceRegressor,
)


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


@pytest.mark.parametrize(
    'layers',
    [
        [4],
        [(4, 'bidirectional')],
        [('SimpleRNN', 4)],
        [(4, 'lstm'), 'GlobalAveragePooling1D', dict(form='Dropout', rate=0.2), 3],
        [(4, 'lstm'), 'LayerNormalization'],
        [dict(form='transformer', size=8, heads=2)],
        [dict(form='transformer', size=8, heads=2), 'GlobalAveragePooling1D'],
    ],
    ids=range(7),
)
def test_any_layer_gives_a_class_for_each_sequence(layers, rng):
    x, y = [rng.normal(size=(4 + i % 3, 2)) for i in range(12)], np.arange(12) % 2
    for classes in (y, y[:, None], pandas.Series(y, index=range(7, 19)), list('ab' * 6)):
        model = SequenceClassifier(layers, epochs=1).fit(x, classes)
        assert model.predict(x).shape == (12,)
        alone = np.concatenate([model.predict_proba([one]) for one in x])
        np.testing.assert_allclose(alone, model.predict_proba(x), atol=1e-5)


def test_a_series_of_floats_is_one_variable(rng):
    x = rng.normal(size=(12, 7))
    model = SequenceRegressor([4], epochs=1, random_state=1).fit(x, x[:, 0])
    same = SequenceRegressor([4], epochs=1, random_state=1).fit(x[..., None], x[:, 0])
    np.testing.assert_array_equal(model.predict(x), same.predict(x[..., None]))
    lists = [[1, 2, 3], [1.5, 2, 3, 4]] * 6
    classes = SequenceClassifier([4], epochs=1).fit(lists, [0, 1] * 6)
    assert classes.predict([[1, 2, 3]]).shape == (1,)
    assert SequenceRegressor([4], epochs=1).fit([[1, 2, 3]] * 12, y=x[:, 0]).n_features_in_ == 1


X = [np.ones((3, 2)), np.ones((4, 2))] * 2


@pytest.mark.parametrize(
    ('x', 'y', 'says'),
    [
        (X, None, 'expected y, the target of each sequence'),
        (X, np.eye(2)[[0, 1, 0, 1]], 'Pass classes, not one-hot rows'),
        (X, [0.5, 1.5, 2.5, 3.5], 'Unknown label type'),
        (['ab', 'c', 'ab', 'c'], [0, 1, 0, 1], 'got words'),
        ([['a', 'b'], ['c']] * 2, [0, 1, 0, 1], 'got words'),
        (np.ma.masked_greater(np.ones((4, 3)), 0), [0, 1, 0, 1], 'without masked values'),
        (X, [np.ma.masked_greater([1, 2, 3], 2), [1, 2, 3, 4]] * 2, 'without masked values'),
        ([], [], 'at least one sequence'),
    ],
)
def test_what_is_no_sequence_or_class_is_refused(x, y, says):
    with pytest.raises(ValueError, match=says):
        SequenceClassifier([4], epochs=1).fit(x, y)


def test_masked_values_are_refused():
    x = np.ma.masked_greater(np.arange(24.0).reshape(12, 2), 20)
    y = np.arange(12) % 2
    for model in (NetClassifier([4], epochs=1), NetRegressor([4], epochs=1)):
        with pytest.raises(DataError, match='X: expected an array without masked values'):
            model.fit(x, y)
        with pytest.raises(DataError, match='y: expected an array without masked values'):
            model.fit(x.data, np.ma.masked_equal(y, 1))
