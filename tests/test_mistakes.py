"""Mistakes in the calls that people make most, and what is said of each."""

import inspect
import io
import operator
import re
import warnings

import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
from warned import warned

import kerasnets
from kerasnets import activations, initializers, network, optimizers, util
from kerasnets.errors import ConfigurationError, DataError, FileError, KerasnetsError
from kerasnets.estimators import NetClassifier, SequenceClassifier
from kerasnets.training import settings

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
    'labels from 1 on': (
        lambda: classifier().train([X, Y + 1]),
        'labels of 0 to 2, for 3 classes, got 3 in row 2. Labels start at 0. Number the classes',
    ),
    'one output for two classes': (
        lambda: kerasnets.Classifier([4, 1]).train([X, np.minimum(Y, 1)]),
        'for 1 class, got 1 in row 1. Give the network one output for each class',
    ),
    'more classes than outputs': (
        lambda: classifier().train([X, np.arange(4)]),
        'Make the last layer of size 4, or fix the labels',
    ),
    'labels that are words': (
        lambda: classifier().train([X, np.array(['a', 'b', 'c', 'a'], object)]),
        "expected numbers, got 'a' in row 0. Number the classes: .*encode_labels",
    ),
    'a column of words': (
        lambda: classifier().train([pandas.DataFrame(X).assign(c='w').iloc[:, [0, 1, 2, 4]], Y]),
        "expected numbers, got column 'c'",
    ),
    'masked values': (
        lambda: classifier().predict(np.ma.masked_equal(X, 1)),
        'without masked values, got one in row 0. Fill them',
    ),
    'values beyond float32': (
        lambda: classifier().predict(np.eye(4) * 1e39),
        'numbers of at most 3.4e.38, the largest float32, got 1e.39 in row 0',
    ),
    'one label for each sequence of a classifier of steps': (
        lambda: kerasnets.recurrent.Classifier([3, (4, 'rnn'), 2]).train(
            [np.ones((2, 5, 3)), np.zeros(2, int)]
        ),
        'For one label for each sequence, write the last recurrent layer as .*return_sequences',
    ),
    'an image without flat': (
        lambda: kerasnets.Classifier(
            [(6, 6, 1), dict(form='conv2', size=2, filter_size=(3, 3)), 3]
        ).train([np.ones((2, 6, 6)), np.zeros(2, int)]),
        "put 'flat' before the dense layers",
    ),
    'a convolution without filters': (
        lambda: kerasnets.Classifier([(6, 6, 1), (4, 'conv2', 'relu'), 'flat', 3]),
        "it has no filter_size. Write dict.form='conv2', size=4, filter_size=.3, 3",
    ),
    'an autoencoder that ends otherwise': (
        lambda: kerasnets.Autoencoder([64, 16]),
        r'expected 64 values from the last layer, 16, .* Add an output of 64, such as \[64, 16, 64',
    ),
    'a generator for more than one pass': (
        lambda: classifier().train(iter([[X, Y]] * 2), train_batches=2, epochs=3),
        'ended after 2 batches, expected more: a generator can be read only once',
    ),
    'a metric of values for labels': (
        lambda: classifier().train([X, Y], monitors=['mse']),
        "the metric 'mean_squared_error' cannot compare targets of shape .* Write 'accuracy'",
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
    with pytest.raises(DataError, match=r'expected more than 9 labels, got 5\. Lower steps'):
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


def trained(net, *data, **keywords):
    keywords = {'epochs': 3, 'algo': 'sgd', 'learning_rate': 0.1, 'jit': False, **keywords}
    return net.train(list(data), **keywords)[0]


@pytest.mark.parametrize(
    'labels',
    [
        Y[:, None],
        pandas.Series(Y, index=list('abcd')),
        pandas.DataFrame({'kind': Y}),
        pandas.Series(Y).astype('category'),
        Y.astype('f')[:, None],
        list(Y),
    ],
    ids=['column', 'series', 'frame', 'category', 'floats', 'list'],
)
def test_labels_as_people_have_them(labels):
    assert trained(classifier(), X, labels) == trained(classifier(), X, Y)


@pytest.mark.parametrize('values', [X[:, 0], pandas.Series(X[:, 0]), pandas.DataFrame(X[:, :1])])
def test_one_value_for_each_example(values):
    expected = trained(kerasnets.Regressor([4, 3, 1]), X, X[:, :1])
    net = kerasnets.Regressor([4, 3, 1])
    assert trained(net, X, values) == expected
    assert net.score(X, values) == net.score(X, X[:, :1])


def test_images_without_an_axis_of_channels():
    layers = [(6, 6, 1), dict(form='conv2', size=2, filter_size=(3, 3)), 'flat', 3]
    images = np.random.default_rng(0).normal(size=(4, 6, 6)).astype('f')
    nets = [kerasnets.Classifier(layers) for _ in range(2)]
    assert trained(nets[0], images, Y) == trained(nets[1], images[..., None], Y)
    assert (nets[0].predict_proba(images) == nets[0].predict_proba(images[..., None])).all()


def test_series_of_one_value_a_step():
    series = [np.arange(n, dtype='f') for n in (2, 4)]
    layers = [1, (4, 'rnn'), 1]
    nets = [kerasnets.recurrent.Regressor(layers) for _ in range(2)]
    columns = [one[:, None] for one in series]
    assert trained(nets[0], series, series) == trained(nets[1], columns, columns)
    even = np.stack([series[1], series[1]])
    np.testing.assert_array_equal(nets[0].predict(even), nets[0].predict(even[..., None]))


def test_an_autoencoder_takes_a_bare_array():
    nets = [kerasnets.Autoencoder([4, 2, 4]) for _ in range(2)]
    options = dict(epochs=3, jit=False)
    assert nets[0].train(X, **options) == nets[1].train([X], **options)


def test_an_output_that_was_forgotten_is_noticed():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        kerasnets.Classifier([4, (20, 'tanh')])
    said = [str(one.message) for one in seen if one.category is UserWarning]
    assert len(said) == 1
    assert "the last layer, (20, 'tanh'), has the activation 'tanh'" in said[0]


@pytest.mark.parametrize('name', ['accuracy', 'acc'])
def test_accuracy_is_the_one_that_fits(name):
    logs = classifier().evaluate([X, Y], monitors=[name])
    assert logs[name] == logs['acc'] == classifier().score(X, Y)


def test_accuracy_of_values_is_that_of_keras():
    net = kerasnets.Regressor([4, 3])
    targets = np.eye(3, dtype='f')[Y]
    metric = keras.metrics.CategoricalAccuracy()
    metric.update_state(targets, net.predict(X))
    assert net.evaluate([X, targets], monitors=['accuracy'])['accuracy'] == float(metric.result())


def test_words_of_keras_and_scikit_learn_are_answered_by_ours():
    net = classifier()
    known = inspect.signature(kerasnets.Network.train).parameters
    options = {'max_gradient_norm', 'max_gradient_elem', 'weight_l2', 'epsilon', 'nesterov'}
    for word, remedy in settings.WORDS.items():
        with pytest.raises(
            ConfigurationError, match=f"unknown keyword of training '{word}'. "
        ) as e:
            net.train([X, Y], **{word: 1})
        assert remedy in str(e.value)
        ours = re.match(r'Write (\w+)=', remedy)
        assert ours is None or ours[1] in {*known, *options}
    for name, remedy in network.METHODS.items():
        other = kerasnets.Regressor([4, 3]) if hasattr(net, name) else net
        with pytest.raises(AttributeError, match=f"has no '{name}'") as raised:
            getattr(other, name)
        assert remedy in str(raised.value)
        ours = re.match(r'Write (?:\[p\.\w+\(\) for p in )?(\w+)', remedy)
        assert ours is None or hasattr(net, ours[1]) or ours[1] == 'kerasnets'
    assert not hasattr(net, 'fit')


@pytest.mark.parametrize('suffix', ['.keras', '.h5'])
@pytest.mark.parametrize('form', ['ff', 'rnn', 'bidirectional'])
def test_functions_of_keras_ops_are_found_by_their_names(form, suffix, tmp_path):
    net = kerasnets.recurrent.Classifier([4, (6, form, keras.ops.sin), 3])
    with warned('which plain Keras does not find', UserWarning):
        net.save(tmp_path / f'net{suffix}')
    again = kerasnets.load(tmp_path / f'net{suffix}')
    np.testing.assert_array_equal(again.predict_proba(X[None]), net.predict_proba(X[None]))


def test_hidden_sizes_of_sequences_are_recurrent_layers():
    x = [np.full((n, 2), n, 'f') for n in (2, 3, 4, 5)]
    for layers, forms in (
        ([8], ['lstm']),
        ([8, 4], ['lstm', 'lstm']),
        ([(8, 'gru'), 4], ['gru', 'ff']),
    ):
        model = SequenceClassifier(layers, epochs=1, jit=False).fit(x, list('abab'))
        assert [spec.form for spec in model.net_.specs[1:-1]] == forms
        assert model.predict_proba(x).shape == (4, 2)


def test_a_function_that_no_file_can_name_is_refused():
    def twice(x):
        return 2 * x

    net = kerasnets.Classifier([4, (5, twice), 3])
    with pytest.raises(
        FileError, match=r'no function would be loaded. .*register_keras_serializable'
    ):
        net.save(io.BytesIO())


def test_a_regressor_of_labels_wants_probabilities():
    with warned("activation 'linear', so its outputs are no probabilities", UserWarning):
        kerasnets.Regressor([4, 3], loss='xe')
    kerasnets.Regressor([4, (3, 'softmax')], loss='xe')
    inner = dict(size=3, name='inner', activation='softmax')
    loss = kerasnets.Loss('xe', output_name='inner')
    kerasnets.Regressor([4, inner, (2, 'relu')], loss=loss)


def test_metrics_of_rows_are_refused_for_labels():
    with pytest.raises(ConfigurationError, match="Write 'accuracy' for labels"):
        kerasnets.Classifier([4, 3]).evaluate([X, Y], monitors=['categorical_accuracy'])


def test_an_autoencoder_does_not_take_its_inputs_for_weights():
    net = kerasnets.Autoencoder([4, 2, 4])
    with pytest.raises(DataError, match='Leave out the second argument'):
        net.score(X, X)
    assert net.score(X) == net.score(X, np.ones(len(X)))


@pytest.mark.parametrize(
    ('call', 'says'),
    [
        (lambda net: net.predict(X, batch_size=3), 'batches are cut'),
        (lambda net: net.score(X, Y, sample_weight=Y), r'score\(x, y, w\)'),
        (lambda net: net.evaluate([X, Y], verbose=0), 'nothing is printed'),
        (lambda net: net.predict(X, carry=True), r'stream\(\).predict\(x\)'),
        (lambda net: kerasnets.Classifier([4, 3], loss='nll'), "Write 'xe'"),
        (lambda net: kerasnets.Classifier([4, (5, 'dense'), 3]), "Write 'ff'"),
        (lambda net: kerasnets.Classifier([4, dict(form='batchnorm'), 3]), "'BatchNormalization'"),
        (lambda net: kerasnets.Classifier([4, (5, 'simpleRNN'), 3]), "Write 'rnn'"),
        (lambda net: NetClassifier(warm_start=True), 'partial_fit'),
        (lambda net: NetClassifier(valid=1), 'validation_fraction='),
        (lambda net: NetClassifier(input_dim=4), 'Leave it out'),
        (lambda net: NetClassifier(criterion='mse'), 'Write loss='),
        (lambda net: NetClassifier(batch_size='auto').fit(X, Y), 'batch_size as an int'),
    ],
)
def test_words_of_others_for_methods_and_estimators(call, says):
    with pytest.raises(ConfigurationError, match=says):
        call(classifier())


def test_weights_that_are_all_zero_are_refused():
    net = kerasnets.Classifier([4, 3], weighted=True)
    with pytest.raises(DataError, match='all weights are 0'):
        net.train([X, Y, np.zeros(4)])
    net.train([X, Y, [0, 0, 1, 0]], epochs=1)
    heads = kerasnets.Regressor([4, dict(size=3, name='a'), 2], weighted=True)
    heads.add_loss('mse', output_name='a', weighted=True)
    heads.train([X, X[:, :2], np.ones((4, 2)), X[:, :3], np.zeros((4, 3))], epochs=1)


def test_a_list_with_inputs_and_outputs_is_noticed_by_an_estimator():
    with warned('are hidden layers between 4 inputs and 3 outputs', UserWarning):
        NetClassifier([4, 8, 3], epochs=1).fit(X, Y)


def grow(*entries):
    return kerasnets.Classifier([*entries, 'flat', 3])


def learn(loss):
    return kerasnets.Regressor([4, 3], loss=loss).train([X, X[:, :3]], epochs=1)


@pytest.mark.parametrize(
    ('call', 'says'),
    [
        (lambda: grow((8, 8, 1), dict(form='pool2', pool_size=9)), 'larger than its input'),
        (
            lambda: grow((8, 8, 1), dict(form='conv2', size=2, filter_size=(9, 9))),
            'larger than its input',
        ),
        (
            lambda: grow((8, 8), dict(form='conv2', size=2, filter_size=(3, 3))),
            r'conv2 reads \(height, width, channels\)',
        ),
        (
            lambda: grow((8, 8, 1), dict(form='conv1', size=2, filter_size=2)),
            r'conv1 reads \(steps, variables\)',
        ),
        (
            lambda: kerasnets.convolution.Classifier(
                [8, dict(form='conv2', size=2, filter_size=(3, 3)), 'flat', 3]
            ),
            'has no known size. Write the shape',
        ),
        (lambda: kerasnets.Classifier([keras.layers.Dense(8), 3]), 'as the first entry'),
        (lambda: learn(keras.losses.MeanSquaredError), r'Write MeanSquaredError\(\)'),
        (lambda: learn(lambda a, b: np.float64(a) - b), 'Write it in keras.ops'),
        (lambda: learn(lambda a: a), 'Write it in keras.ops'),
        (lambda: learn(lambda a, b: 0), 'Write it in keras.ops'),
        (
            lambda: classifier().train([X, Y], algo=keras.optimizers.Adam, epochs=1),
            r'Write Adam\(\)',
        ),
        (
            lambda: classifier().train([X, Y], monitors=[keras.metrics.AUC], epochs=1),
            r'Write AUC\(\)',
        ),
    ],
)
def test_messages_are_ours_and_not_those_of_keras(call, says):
    with pytest.raises(ConfigurationError, match=says) as raised:
        call()
    for text in ('\x1b', 'Arguments received', 'Exception encountered', 'positional'):
        assert text not in str(raised.value).replace('1 positional argument but 2', '')


@pytest.mark.parametrize('name', ['NetClassifier', 'load_model', 'encode_labels'])
def test_names_of_submodules_are_found(name):
    with pytest.raises(AttributeError, match='Write kerasnets') as raised:
        getattr(kerasnets, name)
    path = str(raised.value).split('Write kerasnets.')[1].rstrip('.')
    assert callable(operator.attrgetter(path)(kerasnets))


@pytest.mark.parametrize(
    ('call', 'says'),
    [
        (lambda: NetClassifier().fit(pandas.DataFrame(X, columns=list('aabc')), Y), "name 'a'"),
        (lambda: NetClassifier().fit(pandas.DataFrame(index=range(4)), Y), 'got none'),
        (lambda: NetClassifier().fit({'a': 1}, Y), 'got a dict'),
        (lambda: NetClassifier([4], 'adam'), "algo='adam'"),
        (lambda: kerasnets.util.encode_labels(['a', None]), 'got None'),
        (lambda: kerasnets.util.encode_labels([1.0, np.nan]), 'got .*nan'),
        (lambda: kerasnets.util.encode_labels(pandas.array(['a', pandas.NA])), 'got .*NA'),
        (lambda: kerasnets.util.encode_labels(None), 'got None'),
        (lambda: kerasnets.util.encode_labels([[1], [1, 2]]), r'got \[\[1\], \[1, 2\]\]'),
    ],
)
def test_data_that_is_no_table_and_no_classes_is_refused(call, says):
    with pytest.raises(KerasnetsError, match=says):
        call()


def test_sparse_targets_are_scored():
    net, y = kerasnets.Regressor([4, 1]), X[:, :1]
    want = net.score(X, y)
    assert net.score(X, scipy.sparse.csr_array(y)) == want
    assert kerasnets.util.encode_labels(iter('aba'))[0].tolist() == [0, 1, 0]
