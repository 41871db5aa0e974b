"""Data frames, several labels and scaled targets in the estimators."""

import io
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import kerasnets
from kerasnets.errors import ConfigurationError, DataError
from kerasnets.estimators import (
    NetAutoencoder,
    NetClassifier,
    NetRegressor,
    SequenceClassifier,
    SequenceRegressor,
)

QUICK = {'epochs': 3, 'learning_rate': 0.01}
WELL = {'epochs': 60, 'learning_rate': 0.01}


def data(rows=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            'number': rng.normal(size=rows),
            'word': rng.choice(['x', 'y', 'z'], rows),
            'flag': rng.random(rows) > 0.5,
            'day': pd.date_range('2020-01-01', periods=rows, freq='3D'),
            'kind': pd.Categorical(rng.choice([1, 2, 3], rows)),
        }
    )
    frame.loc[3, 'number'] = np.nan
    frame.loc[4, 'word'] = None
    y = np.where((frame['word'] == 'x') ^ frame['flag'], 'yes', 'no')
    return frame, pd.Series(y, name='answer')


def test_a_data_frame_is_taken_as_it_is():
    frame, y = data()
    model = NetClassifier([16], **WELL).fit(frame, y)
    assert model.score(frame, y) > 0.95
    assert model.n_features_in_ == 5
    assert model.feature_names_in_.tolist() == list(frame)
    value = frame['number'].fillna(0) + 2 * (frame['word'] == 'y')
    regressor = NetRegressor([16], **WELL).fit(frame, value)
    assert regressor.score(frame, value) > 0.9


def test_names_and_order_are_checked():
    frame, y = data()
    model = NetClassifier([4], **QUICK).fit(frame, y)
    for other in (frame[frame.columns[::-1]], frame.drop(columns='day'), frame.assign(more=1)):
        with pytest.raises(ValueError, match='feature names'):
            model.predict(other)
    with pytest.warns(UserWarning, match='does not have valid feature names'):
        same = model.predict_proba(frame.astype(object).to_numpy())
    np.testing.assert_allclose(same, model.predict_proba(frame), atol=1e-6)


def test_new_words_and_gaps_warn():
    frame, y = data()
    model = NetClassifier([4], **QUICK).fit(frame, y)
    other = frame.assign(word='new', flag=frame['flag'].astype(object))
    other.loc[1, 'flag'] = None
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always', UserWarning)
        model.predict(other)
    assert [str(one.message) for one in found if one.category is UserWarning] == [
        "column 'word': 200 values that training never saw: 'new'",
        "column 'flag': 1 missing values, of which training had none",
    ]


def test_columns_that_cannot_help_are_named():
    frame, y = data()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always', UserWarning)
        model = NetClassifier([4], **QUICK).fit(frame.assign(id=range(200), one='a'), y)
    said = [str(one.message) for one in found if one.category is UserWarning]
    assert said == ["columns left out: 'id' (a number for each row), 'one' (one value: 'a')"]
    assert model.n_features_in_ == 7


def test_columns_that_are_unclear_are_named():
    frame, y = data()
    numbers = frame['number'].astype(str).where(frame.index != 7, 'much')
    frame = frame.assign(number=numbers, when=['03/04/2024', '05/06/2024'] * 100, word='1.5')
    frame.loc[::2, 'word'] = None
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always', UserWarning)
        NetClassifier([4], **QUICK).fit(frame[['number', 'when', 'word']], y)
    _, *said = [str(one.message) for one in found if one.category is UserWarning]
    assert said == [
        "column 'number': 198 of 199 are numbers, but 'much' in row 7; "
        "pandas.to_numeric(frame['number'], errors='coerce') takes it as missing",
        "column 'when': '03/04/2024' read as month-first",
    ]


def test_the_encoding_is_part_of_the_estimator_and_of_the_file(tmp_path):
    frame, y = data()
    model = NetClassifier([4], **QUICK).fit(frame, y)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    again = joblib.load(file)
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert clone(model).get_params() == model.get_params()
    assert clone(model).columns_ is None
    model.net_.save(tmp_path / 'net.keras')
    net = kerasnets.load(tmp_path / 'net.keras')
    labels = net.predict(net.table.inputs(frame))
    assert net.table.readable(labels).tolist() == model.predict(frame).tolist()
    assert net.table.target.name == 'answer'


def test_a_file_of_a_regressor_gives_values_back(tmp_path):
    frame, _ = data()
    value = 1e6 + 3e5 * frame['number'].fillna(0)
    model = NetRegressor([8], **QUICK).fit(frame, value)
    model.net_.save(tmp_path / 'net.keras')
    net = kerasnets.load(tmp_path / 'net.keras')
    found = net.table.readable(net.predict(net.table.inputs(frame)))
    np.testing.assert_allclose(found, model.predict(frame), rtol=1e-6)


def test_pipelines_and_searches():
    frame, y = data()
    frame = frame.drop([3, 4])
    y = y.drop([3, 4])
    assert np.isfinite(cross_val_score(NetClassifier([4], **QUICK), frame, y, cv=2)).all()
    with sklearn.config_context(transform_output='pandas'):
        numbers = frame[['number']].fillna(0)
        pipe = make_pipeline(StandardScaler(), NetClassifier([4], **QUICK)).fit(numbers, y)
        assert pipe[-1].feature_names_in_.tolist() == ['number']
        assert pipe.predict(numbers).shape == (198,)


def test_an_array_is_taken_as_numbers():
    x = np.random.default_rng(0).normal(size=(60, 3)).astype('f')
    y = (x[:, 0] > 0).astype(int)
    model = NetClassifier([4], **QUICK).fit(x, y)
    assert model.columns_ is None
    np.testing.assert_array_equal(model.predict_proba(x), model.net_.predict_proba(x))
    with pytest.raises(ValueError, match='NaN'):
        model.predict(np.full((2, 3), np.nan))
    frame = pd.DataFrame({'a': x[:, 0], 'b': x[:, 1], 'c': x[:, 2]})
    again = NetClassifier([4], **QUICK).fit(frame, y).fit(x, y)  # forgets the data frame
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


@pytest.mark.slow
def test_skrub():
    skrub = pytest.importorskip('skrub')
    frame, y = data()
    model = skrub.tabular_pipeline(NetClassifier([16], **WELL)).fit(frame, y)
    assert model.score(frame, y) > 0.95


@pytest.mark.parametrize('weights', [None, np.ones(300)])
def test_several_labels(weights):
    x, y = make_multilabel_classification(300, 8, n_classes=3, random_state=0)
    x = StandardScaler().fit_transform(x)
    model = NetClassifier([32], **WELL).fit(x, y, sample_weight=weights)
    p, found = model.predict_proba(x), model.predict(x)
    assert p.shape == found.shape == model.decision_function(x).shape == (300, 3)
    assert set(np.unique(found)) == {0, 1}
    np.testing.assert_array_equal(found, model.decision_function(x) > 0)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-model.decision_function(x))), atol=1e-5)
    assert model.score(x, y) == accuracy_score(y, found) > 0.7
    first = model.partial_fit(x, y).predict_proba(x)
    assert (first != p).any()


def test_several_labels_that_are_refused():
    x = np.zeros((20, 2))
    with pytest.raises(DataError, match='columns of 0 and 1'):
        NetClassifier([4], **QUICK).fit(x, np.arange(40).reshape(20, 2) % 3)
    with pytest.raises(ConfigurationError, match='class_weight'):
        NetClassifier([4], class_weight='balanced', **QUICK).fit(x, np.eye(2)[[0, 1] * 10])


@pytest.mark.slow
def test_scikit_learns_checks_of_several_labels():
    done = check_estimator(NetClassifier([8], **WELL), on_fail=None, on_skip=None)
    named = [one for one in done if 'multilabel' in one['check_name']]
    assert named
    assert all(one['status'] == 'passed' for one in named), named


def test_targets_of_any_scale_and_shape():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).astype('f')
    y = 1e6 + 3e5 * x[:, 0]
    for shaped in (y, y[:, None], pd.Series(y), pd.DataFrame({'a': y, 'b': -y / 1e9})):
        model = NetRegressor([16], **WELL).fit(x, shaped)
        found = model.predict(x)
        assert found.shape == np.shape(shaped)
        assert r2_score(shaped, found) > 0.95
    constant = NetRegressor([4], **QUICK).fit(x, np.full(300, 7.0)).predict(x)
    assert np.isfinite(constant).all()


def test_other_losses_see_targets_as_they_are():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype('f')
    y = np.exp(x[:, 0])
    import keras

    loss = keras.losses.Poisson()
    model = NetRegressor([4], loss=loss, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        model.fit(x, y)
    np.testing.assert_array_equal(model.predict(x), model.net_.predict(x)[:, 0])


SEQUENCES = [np.full((n, 2), n % 2, 'f') for n in range(2, 14)]


@pytest.mark.parametrize(
    ('model', 'x', 'y'),
    [
        (NetClassifier([4]), np.eye(12), np.arange(12) % 2),
        (NetRegressor([4]), np.eye(12), np.arange(12.0)),
        (NetRegressor([4]), np.eye(12), np.arange(24.0).reshape(12, 2)),
        (NetAutoencoder([2]), np.eye(12), None),
        (SequenceClassifier([(4, 'rnn')]), SEQUENCES, [len(s) % 2 for s in SEQUENCES]),
        (SequenceClassifier([(4, 'rnn')]), SEQUENCES, [np.arange(len(s)) % 2 for s in SEQUENCES]),
        (SequenceRegressor([(4, 'rnn')]), SEQUENCES, [float(s.sum()) for s in SEQUENCES]),
        (SequenceRegressor([(4, 'rnn')]), SEQUENCES, [s[:, 0] for s in SEQUENCES]),
    ],
    ids=lambda one: type(one).__name__ if hasattr(one, 'fit') else '',
)
def test_rows_of_no_weight_change_nothing(model, x, y):
    """In one batch, examples without weight leave the others' gradient as it is."""
    model.set_params(epochs=2, learning_rate=0.1, batch_size=12, algo='sgd')
    weights = np.r_[np.ones(6), np.zeros(6)]
    found = []
    for changed in (1.0, 5.0):
        other = y
        if (
            y is not None
            and np.ndim(y[0]) == 0
            and isinstance(model, (NetRegressor, SequenceRegressor))
        ):
            other = np.r_[np.asarray(y)[:6], np.asarray(y)[6:] * changed]
        fitted = clone(model).fit(x, other, sample_weight=weights)
        found.append(fitted.net_.params[0].get_value())
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    equal = clone(model).fit(x, y).net_.params[0].get_value()
    assert not np.allclose(equal, found[0], atol=1e-7)


def test_a_data_frame_of_numbers_is_taken_as_an_array_is():
    x = np.random.default_rng(0).normal(10, 1, size=(60, 3)).astype('f')
    y = (x[:, 0] > 10).astype(int)
    frame = pd.DataFrame(x, columns=list('abc'))
    model, other = (NetClassifier([4], **QUICK).fit(one, y) for one in (frame, x))
    np.testing.assert_array_equal(model.predict_proba(frame), other.predict_proba(x))
    gaps = frame.copy()
    gaps.loc[5, 'b'] = np.nan
    filled = frame.copy()
    filled.loc[5, 'b'] = frame['b'].median()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always', UserWarning)
        p = model.predict_proba(gaps)
    assert "column 'b': 1 missing values, of which training had none" in str(found[0].message)
    np.testing.assert_allclose(p, model.predict_proba(filled), atol=1e-6)


def test_dates_as_a_target_are_refused_with_a_remedy_that_works():
    y = pd.Series(pd.date_range('2020-01-01', periods=40))
    x = pd.DataFrame({'x': np.arange(40.0)})
    with pytest.raises(DataError, match='days since a date') as caught:
        NetRegressor([4], epochs=1).fit(x, y)
    remedy = str(caught.value).split('such as ')[1].rstrip('.')
    days = eval(remedy, {'y': y, 'numpy': np})
    assert days.tolist() == list(range(40))
    NetRegressor([4], epochs=1).fit(x, days)


def test_a_number_for_missing_values_warns():
    numbers = pd.DataFrame({'age': [20.0, 30, -999, 40] * 10, 'b': np.arange(40) % 7})
    for frame in (numbers, numbers.assign(w=['u', 'v'] * 20)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            NetClassifier([4], epochs=1).fit(frame, ['p', 'q'] * 20)
        assert [w for w in caught if "column 'age': -999 in 10 rows" in str(w.message)]
