import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError

X, Y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])


def test_keywords_of_the_experiment_are_those_of_training():
    exp = kerasnets.Experiment(
        kerasnets.Classifier, layers=[4, 5, 3], rng=3, algo='sgd', learning_rate=0.5, epochs=2
    )
    net = kerasnets.Classifier([4, 5, 3], rng=3)
    got = exp.train([X, Y])
    assert got == net.train([X, Y], algo='sgd', learning_rate=0.5, epochs=2)
    for a, b in zip(exp.network.params, net.params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())


def test_one_algorithm_after_another():
    exp = kerasnets.Experiment(kerasnets.Classifier([4, 5, 3]))
    rounds = list(exp.itertrain([X, Y], algo=['sgd', 'adam'], epochs=2))
    assert len(rounds) == 4
    assert type(exp.network.model.optimizer).__name__ == 'Adam'
    assert len(list(exp.itertrain([X, Y], algo='sgd adam', epochs=1))) == 2


def test_files(tmp_path):
    exp = kerasnets.Experiment(kerasnets.Classifier, [4, 5, 3])
    exp.save(tmp_path / 'net.keras')
    other = kerasnets.Experiment(tmp_path / 'net.keras')
    np.testing.assert_array_equal(other.network.predict(X), exp.network.predict(X))
    assert other.load(tmp_path / 'net.keras') is other.network


@pytest.mark.parametrize(
    ('args', 'keywords', 'says'),
    [
        ((3,), {}, 'expected a network, its class or its file, got 3'),
        ((dict,), {}, 'got <class'),
        ((kerasnets.Classifier, [4, 3]), {'lerning_rate': 1}, "Did you mean 'learning_rate'"),
        ((kerasnets.Classifier, [4, 3]), {'algo': 'sdg'}, "unknown algorithm 'sdg'"),
        ((kerasnets.Classifier, [4, 3]), {'optimize': 'sgd', 'algo': 'sgd'}, 'got both'),
        ((kerasnets.Classifier([4, 3]), 5), {}, 'for a network that is made, got'),
    ],
)
def test_invalid_arguments(args, keywords, says):
    with pytest.raises(ConfigurationError, match=says):
        kerasnets.Experiment(*args, **keywords)
