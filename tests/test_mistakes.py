"""Mistakes in the calls that people make most, and what is said of each."""

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import activations, initializers, optimizers, util
from kerasnets.errors import ConfigurationError, DataError, FileError

X, Y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])
SEQUENCES = [np.ones((n, 3), 'f') for n in (2, 4)]


def classifier():
    return kerasnets.Classifier([4, 5, 3])


def recurrent():
    return kerasnets.recurrent.Regressor([3, (4, 'rnn'), 2])


MISTAKES = {
    'an algorithm given twice': (
        lambda: classifier().train([X, Y], algo='sgd', optimize='sgd'),
        "expected 'algo' once, got it twice",
    ),
    'no algorithm': (lambda: classifier().train([X, Y], algo=[]), 'an algorithm or several'),
    'an algorithm that is none': (lambda: optimizers.build(3), 'unknown algorithm 3'),
    'an option that Keras refuses': (
        lambda: optimizers.build('ftrl', learning_rate_power=1.0),
        "'ftrl': ",
    ),
    'a penalty for sequences without any': (
        lambda: classifier().train([X, Y], recurrent_norm=0.1),
        'no hidden layer outputs sequences',
    ),
    'a contractive penalty with padding': (
        lambda: recurrent().train([SEQUENCES, [s[:, :2] for s in SEQUENCES]], contractive=0.1),
        'sequences of equal length, got padded ones',
    ),
    'probabilities of a linear layer': (
        lambda: kerasnets.Classifier([4, (3, 'linear')]).train([X, Y]),
        'its activation is linear',
    ),
    'an activation that learns without a layer': (
        lambda: activations.build('prelu'),
        'expected a layer with a size',
    ),
    'a negative radius': (
        lambda: util.random_matrix(3, 4, radius=-1.0),
        'radius of 0 or more, got -1.0',
    ),
    'steps of an error that do not count': (
        lambda: kerasnets.recurrent.Regressor([3, 2]).train(
            [np.ones((2, 3, 3)), np.ones((2, 3, 2))], recurrent_error_start=2
        ),
        'recurrent_error_start: expected 0',
    ),
    'two kinds of batches': (
        lambda: recurrent().train(
            iter(
                [
                    [np.ones((2, 3, 3)), np.ones((2, 3, 2))],
                    [SEQUENCES, [s[:, :2] for s in SEQUENCES]],
                ]
            ),
            train_batches=2,
        ),
        'batches of one kind',
    ),
}


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('mistake', MISTAKES)
def test_what_is_said_of_a_mistake(mistake):
    call, says = MISTAKES[mistake]
    with pytest.raises((ConfigurationError, DataError), match=says):
        call()


def test_more_steps_than_a_text_has():
    with pytest.raises(DataError, match=r'expected more than 9 labels, got 5\. Use fewer steps'):
        kerasnets.recurrent.Text('abcab', min_count=1).sequences(9)


def test_a_generator_that_is_none():
    with pytest.raises(FileError, match='no state of a random generator'):
        initializers.restored({'bit_generator': 'MT19937000', 'state': {}})


def test_activations_of_every_kind():
    built = activations.build(keras.activations.relu)
    assert activations.build(built) is built
    assert np.array(built([-1.0, 2.0])).tolist() == [0.0, 2.0]
    net = kerasnets.Network([4, (5, 'prelu'), 3])
    layer = net.layers[1]
    learned = activations.build('prelu', layer)
    assert [param.name for param in learned.params] == ['hid1.leak']
    assert learned.params[0].get_value().shape == (5,)


def test_examples_without_any_value_give_random_weights():
    net = kerasnets.Classifier([4, 5, 3])
    net.train([np.zeros((6, 4), 'f'), np.arange(6) % 3], algo='sample')
    assert np.linalg.norm(net.find('hid1', 'w').get_value()) > 0


def test_pretraining_on_batches_of_a_callable():
    net = kerasnets.Classifier([4, 5, 3])
    before = net.find('hid1', 'w').get_value()
    net.train(lambda: [X, Y], algo='pretrain', subalgo='sgd', epochs=1, train_batches=2)
    assert (net.find('hid1', 'w').get_value() != before).any()
