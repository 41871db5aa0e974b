"""Estimators of tables with default settings: an ensemble, and what it must equal."""

import io

import joblib
import keras
import numpy as np
import pytest
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnets
from kerasnets import feedforward
from kerasnets.errors import ConfigurationError
from kerasnets.estimators import NetClassifier, NetRegressor, defaults
from kerasnets.layers.ensemble import Ensemble, Rescaled

RNG = np.random.default_rng(3)
X = RNG.normal(size=(240, 4)) * [1, 10, 0.1, 5]
Z = (X[:, 0] + X[:, 1] / 10) ** 2 + X[:, 2]
Y = np.where(X[:, 0] * X[:, 1] > 0, 'yes', 'no')
QUICK = {'epochs': 4, 'batch_size': 64}


@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning')
@pytest.mark.parametrize('name', ['breast_cancer', 'wine', 'diabetes'])
def test_defaults_are_as_good_as_those_of_scikit_learn(name):
    x, y = getattr(datasets, f'load_{name}')(return_X_y=True)
    words = name != 'diabetes'
    ours, theirs = (NetClassifier, MLPClassifier) if words else (NetRegressor, MLPRegressor)
    scores = []
    for seed in range(2):
        parts = train_test_split(x, y, random_state=seed, stratify=y if words else None)
        pipeline = make_pipeline(StandardScaler(), theirs(random_state=seed))
        for model in ours(random_state=seed), pipeline:
            scores.append(model.fit(parts[0], parts[2]).score(parts[1], parts[3]))
    assert np.mean(scores[::2]) > np.mean(scores[1::2]) - 0.01


def test_dropout_leaves_out_the_same_values_in_all_members():
    layer = Ensemble(64, members=3, hidden=[64], activation='relu', dropout=0.25, seed=1)
    layer.build((None, 4))
    first, second = (np.zeros((4, 64)), np.ones(64)), (np.eye(64), np.zeros(64))
    row = np.concatenate([part.ravel() for part in (*first, *second)])
    layer.kernel.assign(np.tile(row, (3, 1)))  # the outputs are the hidden values, all 1
    x = np.zeros((500, 4), 'f')
    np.testing.assert_array_equal(layer(x), np.ones((500, 3, 64)))
    dropped = np.asarray(layer(x, training=True))
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.75], rtol=1e-6)
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 3, axis=1))
    assert abs((dropped == 0).mean() - 0.25) < 0.01
    assert 0 < (dropped[0] == 0).mean() < 1  # other values in other examples
    assert (dropped[0] != dropped[1]).any()


def test_keras_gets_no_loss_of_a_layer_before_the_last():
    """On JAX, it would compare the targets of all members with the mean of their outputs."""
    model = NetClassifier(**QUICK).fit(X, Y).net_.model
    assert model.get_compile_config()['loss'] is None
    single = NetClassifier(layers=[5], **QUICK).fit(X, Y).net_.model
    assert single.get_compile_config()['loss'] is not None


@pytest.mark.parametrize('classes', [False, True])
def test_members_are_networks_that_train_alone(classes):
    """By gradient descent on whole folds, each member is a dense network of plain Keras."""
    x, y = X.astype('f'), (Y == 'yes').astype(int) if classes else Z[:, None].astype('f')
    plan = defaults.Plan.of(x, members=3, hidden=(6, 5), dropout=0.0, batch_size=240)
    kind = feedforward.Classifier if classes else feedforward.Regressor
    net = defaults.network(kind, x, 2 if classes else 1, plan)
    scaled, ensemble = (net.model.layers[i] for i in (0, 1))
    assert isinstance(scaled, Rescaled)
    assert isinstance(ensemble, Ensemble)
    before = ensemble.arrays()
    (_, _, weights), _ = parts = defaults.data(net, x, y, plan)
    inputs = keras.ops.convert_to_numpy(scaled(x))
    net.train(*parts, algo='sgd', learning_rate=0.03, epochs=5, batch_size=240, validate_every=5)
    means = []
    for member in range(3):
        fold = weights.reshape(240, 3)[:, member] > 0
        assert fold.sum() == 160
        alone = keras.Sequential(
            [
                keras.Input(inputs.shape[1:]),
                keras.layers.Dense(6, 'silu'),
                keras.layers.Dense(5, 'silu'),
                keras.layers.Dense(2 if classes else 1),
            ]
        )
        alone.set_weights([a[member, 0] if i % 2 else a[member] for i, a in enumerate(before)])
        loss = keras.losses.SparseCategoricalCrossentropy(True) if classes else 'mse'
        alone.compile(keras.optimizers.SGD(0.03 / 3), loss)  # the loss is the mean over members
        alone.fit(inputs[fold], y[fold], epochs=5, batch_size=240, verbose=0)
        for ours, theirs in zip(ensemble.arrays(), alone.get_weights()):
            np.testing.assert_allclose(ours[member].reshape(theirs.shape), theirs, atol=2e-5)
        out = alone.predict(inputs, verbose=0)
        means.append(keras.ops.softmax(out) if classes else out)
    found = net.predict_proba(x) if classes else net.predict(x)
    np.testing.assert_allclose(found, np.mean(list(map(np.asarray, means)), axis=0), atol=1e-5)


def test_each_row_is_held_out_by_one_member():
    plan = defaults.Plan.of(X)
    net = defaults.network(feedforward.Classifier, X, 2, plan)
    labels = (Y == 'yes').astype(int)
    (_, _, chosen), (_, _, held) = defaults.data(net, X, labels, plan)
    np.testing.assert_array_equal(chosen + held, 1)
    np.testing.assert_array_equal(held.sum(axis=1), 1)
    shares = [labels[held[:, member] > 0].mean() for member in range(plan.members)]
    np.testing.assert_allclose(shares, labels.mean(), atol=0.02)


@pytest.mark.parametrize('cls', [NetClassifier, NetRegressor])
def test_a_file_and_a_copy_predict_alike(cls, tmp_path):
    model = cls(**QUICK).fit(X, Y if cls is NetClassifier else Z)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).predict(X), model.predict(X))
    model.net_.save(tmp_path / 'net.keras')
    loaded = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_allclose(loaded.predict(X), model.net_.predict(X), atol=1e-6)


def test_what_is_given_is_done():
    assert len(NetClassifier([8], epochs=2).fit(X, Y).net_.model.layers) == 2
    one = NetClassifier(ensemble=1, **QUICK).fit(X, Y)
    assert one.net_.model.layers[1].members == 1
    assert one.n_iter_ == len(one.loss_curve_) == 4
    several = NetRegressor([(8, 'tanh')], ensemble=3, **QUICK).fit(X, Z)
    layer = several.net_.model.layers[1]
    assert (layer.members, layer.hidden) == (3, [8])
    with pytest.raises(ConfigurationError, match=r'expected dense layers, such as \[64, 64\]'):
        NetClassifier([dict(form='lstm', size=3)], ensemble=2).fit(X, Y)


def test_weights_of_classes_and_of_rows_are_the_same():
    factors = {'no': 1.0, 'yes': 3.0}
    by_class = NetClassifier(class_weight=factors, **QUICK).fit(X, Y)
    by_row = NetClassifier(**QUICK).fit(X, Y, [factors[y] for y in Y])
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    even = NetClassifier(**QUICK).fit(X, Y)
    assert by_class.predict_proba(X)[:, 1].mean() > even.predict_proba(X)[:, 1].mean()


def test_training_goes_on_by_parts():
    model = NetRegressor().partial_fit(X, Z)
    first = model.predict(X)
    model.partial_fit(X, Z)
    assert len(model.loss_curve_) == 2
    assert not np.array_equal(model.predict(X), first)


def test_several_labels_and_values():
    labels = np.stack([Y == 'yes', Z > 1], 1).astype(int)
    model = NetClassifier(**QUICK).fit(X, labels)
    assert model.predict_proba(X).shape == model.decision_function(X).shape == (240, 2)
    p = 1 / (1 + np.exp(-model.decision_function(X)))
    np.testing.assert_allclose(p, model.predict_proba(X), atol=1e-5)
    assert NetRegressor(**QUICK).fit(X, np.stack([Z, -Z], 1)).predict(X).shape == (240, 2)
