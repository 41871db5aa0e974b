"""Networks in scikit-learn's hands."""

import io
import json

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
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
)

X, Y = load_iris(return_X_y=True)
NAMES = np.array(['setosa', 'versicolor', 'virginica'])[Y]
QUICK = {'epochs': 3, 'learning_rate': 0.01}

#: Check of scikit-learn -> why it cannot hold.
EXCEPTIONS = {
    'check_sample_weight_equivalence_on_dense_data': 'batches of other rows are other steps',
    'check_sample_weight_equivalence_on_sparse_data': 'the same',
    'check_methods_sample_order_invariance': 'on some processors a product depends on its row',
}


@pytest.mark.slow
@pytest.mark.parametrize(
    'model',
    [
        NetClassifier([10], epochs=20, learning_rate=0.02),
        NetRegressor([10], epochs=20, learning_rate=0.02),
        NetAutoencoder([2], epochs=2),
        NetClassifier(),
        NetRegressor(),
    ],
    ids=lambda model: f'{type(model).__name__}-{model.layers}',
)
def test_scikit_learns_own_checks(model):
    done = check_estimator(model, expected_failed_checks=EXCEPTIONS, on_fail=None, on_skip=None)
    failed = {one['check_name']: one['exception'] for one in done if one['status'] == 'failed'}
    assert not failed, failed
    assert sum(one['status'] == 'passed' for one in done) > 30


def test_a_classifier_of_names():
    model = NetClassifier([16], learning_rate=0.01, epochs=60).fit(X, NAMES)
    assert model.score(X, NAMES) > 0.95
    assert model.classes_.tolist() == ['setosa', 'versicolor', 'virginica']
    assert set(model.predict(X)) == set(NAMES)
    p, logits = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(-1, keepdims=True), p, atol=1e-5)
    assert isinstance(model.net_, kerasnets.Classifier)
    assert model.n_iter_ == len(model.loss_curve_) == 60
    assert [layer.units for layer in model.net_.layers[1:]] == [16, 3]


def test_it_trains_as_the_network_does():
    keywords = dict(algo='sgd', learning_rate=0.1, epochs=3, weight_l2=0.01, momentum=0.5)
    model = NetClassifier([(5, 'tanh')], random_state=4, **keywords).fit(X, Y)
    net = kerasnets.Classifier([4, (5, 'tanh'), 3], rng=4)
    net.train([X, Y], **keywords)
    np.testing.assert_array_equal(model.predict_proba(X), net.predict_proba(X))


def test_weights_and_class_weight():
    weights = np.where(Y == 2, 0.0, 1.0)
    model = NetClassifier([8], learning_rate=0.02, epochs=30).fit(X, Y, sample_weight=weights)
    assert 2 not in model.predict(X)
    model = NetClassifier([8], learning_rate=0.02, epochs=30, class_weight='balanced')
    rows = np.r_[0:50, 50:55, 100:105]  # few of the second and third
    balanced = model.fit(X[rows], Y[rows]).score(X, Y)
    assert balanced > 0.9
    model.set_params(class_weight={0: 1.0, 1: 1.0, 2: 0.0})
    assert 2 not in model.fit(X, Y).predict(X)


def test_partial_fit_goes_on():
    model = NetClassifier([8], learning_rate=0.01)
    model.partial_fit(X[:50], NAMES[:50], classes=np.unique(NAMES))
    net = model.net_
    for _ in range(2):
        model.partial_fit(X, NAMES)
    assert model.net_ is net
    assert len(model.loss_curve_) == 3
    with pytest.raises(DataError, match=r"expected classes of .* got 'rose'"):
        model.partial_fit(X[:1], ['rose'])


def test_searches_and_pipelines():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NetClassifier([8], **QUICK)),
        {'netclassifier__weight_l2': [0.0, 0.1], 'netclassifier__layers': [[4], [(8, 'tanh')]]},
        cv=2,
    ).fit(X, NAMES)
    assert set(search.best_params_) == {'netclassifier__weight_l2', 'netclassifier__layers'}


@pytest.mark.slow  # each process imports TensorFlow
def test_processes():
    model = NetClassifier([8], **QUICK)
    np.testing.assert_array_equal(
        cross_val_score(model, X, NAMES, cv=2, n_jobs=2), cross_val_score(model, X, NAMES, cv=2)
    )


def test_it_can_be_cloned_and_dumped():
    model = NetClassifier([(6, 'tanh')], hidden_dropout=0.1, **QUICK).fit(X, Y)
    other = clone(model)
    assert other.get_params() == model.get_params()
    assert not hasattr(other, 'net_')
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    again = joblib.load(file)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_names_of_columns():
    pandas = pytest.importorskip('pandas')
    frame = pandas.DataFrame(X, columns=list('abcd'))
    model = NetClassifier([4], **QUICK).fit(frame, Y)
    assert model.feature_names_in_.tolist() == list('abcd')
    with pytest.raises(ValueError, match='feature names'):
        model.predict(frame[list('badc')])


def test_a_regressor():
    x, y = make_regression(200, 5, noise=1, random_state=0)
    y = (y - y.mean()) / y.std()
    model = NetRegressor([16], learning_rate=0.01, epochs=60).fit(x, y)
    assert model.predict(x).shape == (200,)
    assert model.score(x, y) > 0.95
    assert model.fit(x, np.c_[y, -y]).predict(x).shape == (200, 2)
    ignoring = NetRegressor([16], learning_rate=0.01, epochs=60)
    wrong = np.where(np.arange(200) < 100, y, 9.0)
    ignoring.fit(x, wrong, sample_weight=np.arange(200) < 100)
    assert ignoring.score(x[:100], y[:100]) > 0.9


def test_an_autoencoder_is_a_transformer():
    model = NetAutoencoder([8, (2, 'tanh'), 8], learning_rate=0.01, epochs=80)
    scaled = StandardScaler().fit_transform(X)
    codes = model.fit_transform(scaled)
    assert codes.shape == (150, 2)
    assert model.get_feature_names_out().tolist() == ['netautoencoder0', 'netautoencoder1']
    assert model.inverse_transform(codes).shape == (150, 4)
    assert model.score(scaled) > 0.7
    wide = NetAutoencoder([8, 2, 8], code='hid1', epochs=1).fit(scaled)
    assert wide.transform(scaled).shape == (150, 8)


def test_validation_ends_training():
    model = NetClassifier([8], learning_rate=0.05, validation_fraction=0.2, patience=1)
    model.set_params(validate_every=1, epochs=500).fit(X, Y)
    assert model.n_iter_ < 500
    assert 'val_loss' in model.net_.history[-1]


def parity(count, rng):
    """Sequences of bits, and whether the last one is set."""
    sequences = [rng.integers(2, size=n) for n in rng.integers(3, 8, size=count)]
    return sequences, np.array(['yes' if one[-1] else 'no' for one in sequences])


def test_sequences_with_a_class_each():
    x, y = parity(200, np.random.default_rng(0))
    model = SequenceClassifier([(8, 'lstm')], learning_rate=0.03, epochs=15).fit(x, y)
    assert model.score(x, y) == 1.0
    assert model.predict(x).tolist() == y.tolist()
    assert model.predict_proba(x).shape == (200, 2)


def test_sequences_with_a_class_at_each_step():
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(n, 2)).astype('f') for n in rng.integers(3, 8, size=100)]
    y = [np.where(one[:, 0] > 0, 'up', 'down') for one in x]
    model = SequenceClassifier([(8, 'rnn', 'tanh')], learning_rate=0.03, epochs=20).fit(x, y)
    assert model.score(x, y) > 0.95
    assert [len(one) for one in model.predict(x)] == [len(one) for one in x]
    assert model.predict_proba(x)[0].shape == (len(x[0]), 2)


@pytest.mark.parametrize(
    ('model', 'says'),
    [
        (NetClassifier('lstm'), "expected layers as a list of the hidden layers, got 'lstm'"),
        (NetClassifier([(8, 'tahn')]), "Did you mean 'tanh'"),
        (NetClassifier([8], algo='admm'), "unknown algorithm 'admm'"),
        (NetClassifier([8], algo='adam', rprop_increase=2.0), "unknown keyword .*'rprop_increase'"),
        (NetClassifier([8], validation_fraction=1.5), 'validation_fraction as a number'),
    ],
)
def test_invalid_parameters_are_rejected_in_fit(model, says):
    with pytest.raises(ConfigurationError, match=says):
        model.fit(X, Y)


def test_every_keyword_of_training_is_a_parameter():
    import inspect

    known = set(NetClassifier().get_params())
    for name in inspect.signature(kerasnets.Network.itertrain).parameters:
        if name not in ('self', 'train', 'valid', 'options', 'subalgo', 'unlabelled', 'compat'):
            assert name in known, name
    assert json.dumps(NetClassifier().get_params())


@pytest.mark.distributed
@pytest.mark.filterwarnings('ignore')  # of dask with others
def test_a_search_on_a_dask_cluster(tmp_path, monkeypatch):
    """Many small networks outgrow a machine by going to others."""
    dask = pytest.importorskip('dask.distributed')
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(
        NetClassifier([8], epochs=10), {'learning_rate': [1e-4, 0.03]}, cv=2, n_jobs=2
    )
    with (
        dask.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        dask.Client(cluster),
        joblib.parallel_config('dask'),
    ):
        search.fit(x, y)
    assert search.best_params_ == {'learning_rate': 0.03}
    alone = GridSearchCV(NetClassifier([8], epochs=10), {'learning_rate': [1e-4, 0.03]}, cv=2)
    alone.fit(x, y)
    np.testing.assert_allclose(
        search.cv_results_['mean_test_score'], alone.cv_results_['mean_test_score'], atol=0.02
    )


def test_a_regressor_trains_an_epoch_at_a_time():
    x, y = make_regression(60, 4, random_state=1)
    x, y = x.astype('f'), (y / 100).astype('f')
    parts = NetRegressor([6], learning_rate=0.01).partial_fit(x, y)
    first = parts.net_.find('hid1', 'w').get_value()
    parts.partial_fit(x, y)
    assert [row['epoch'] for row in parts.net_.history] == [1, 2]
    assert (parts.net_.find('hid1', 'w').get_value() != first).any()
    assert parts.predict(x).shape == (60,)


def test_an_autoencoder_trains_an_epoch_at_a_time():
    parts = NetAutoencoder([(2, 'tanh')]).partial_fit(X).partial_fit(X)
    assert len(parts.net_.history) == 2
    assert parts.transform(X).shape == (150, 2)


@pytest.mark.parametrize(
    ('weights', 'error', 'says'),
    [
        (np.ones((150, 2)), ValueError, 'one axis'),
        (np.zeros(150), DataError, 'zero for all rows'),
        (np.ones(149), ValueError, '149'),
    ],
)
def test_invalid_sample_weights(weights, error, says):
    with pytest.raises(error, match=says):
        NetClassifier([2], **QUICK).fit(X, Y, weights)


def test_one_number_as_the_weight_of_all():
    same = [NetRegressor([2], **QUICK).fit(X, Y, w).predict(X) for w in (2.0, np.full(150, 2.0))]
    np.testing.assert_array_equal(*same)


def test_classes_that_come_later_must_have_been_named():
    model = NetClassifier([2], **QUICK).partial_fit(X[:100], Y[:100])
    with pytest.raises(DataError, match='Name all of them at first'):
        model.partial_fit(X, Y)
    with pytest.raises(DataError, match='two classes or more'):
        NetClassifier([2], **QUICK).fit(X[:50], Y[:50])
