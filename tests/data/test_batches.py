"""Rows 1 to 6 of what may go wrong: every array is checked before it is used."""

import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
import tensorflow as tf

import kerasnets
from kerasnets.data import batches
from kerasnets.data.array_spec import ArraySpec
from kerasnets.errors import ConfigurationError, DataError

X = np.random.default_rng(1).normal(size=(70, 4))
Y = np.arange(70) % 3


@pytest.fixture(scope='module')
def net():
    return kerasnets.Classifier([4, 5, 3])


@pytest.fixture(scope='module')
def rnet():
    return kerasnets.recurrent.Classifier([4, (5, 'rnn'), 3])


def put(array, at, value):
    array = np.array(array)
    array[at] = value
    return array


R = np.random.default_rng(2).normal(size=(6, 7, 4))
L = np.zeros((6, 7), 'i')

FEEDFORWARD = [
    # row 1: not finite
    ([put(X, (60, 2), np.nan), Y], "inputs .'in'.: expected finite numbers, got nan in row 60"),
    ([put(X, (3, 1), np.inf), Y], 'finite numbers, got inf in row 3'),
    ([X, put(Y.astype('f'), 5, np.nan)], "targets .'out'.: .*got nan in row 5"),
    # row 2: labels outside the classes
    ([X, put(Y, 8, 3)], 'labels of 0 to 2, for 3 classes, got 3 in row 8'),
    ([X, put(Y, 8, -1)], 'got -1 in row 8'),
    # row 3: float and string labels
    ([X, put(Y.astype('f'), 9, 0.7)], 'whole numbers as labels .the dtype is float32.*row 9'),
    ([X, np.array(list('abc'))[Y]], 'expected numbers, got dtype <U1.*encode_labels'),
    ([np.full((70, 4), 'a'), Y], "inputs .'in'.: expected numbers, got dtype <U1"),
    ([X.astype(object).astype(str).astype(object), Y], "expected numbers, got '.*' in row 0"),
    ([X.astype(complex), Y], 'got dtype complex128'),
    # row 4: shapes
    ([X, Y[:69]], 'as many targets .* as inputs .*, got 69 and 70'),
    ([X[:, :3], Y], r'expected shape \(any, 4\), got \(70, 3\)'),
    ([X[:, 0], Y], r'got \(70,\)'),
    ([X, np.eye(3)[Y]], r'got \(70, 3\). Labels are integers, not one-hot rows'),
    ([X], r'expected 2 arrays .*, got 1'),
    ([X, Y, Y], 'got 3. For weights, build the network with weighted=True'),
    ([[[1, 2], [1]], [0, 1]], 'rows of one length'),
    ([X, scipy.sparse.csr_matrix(X)], 'expected an array, got a sparse matrix'),
    # row 5: nothing
    ([X[:0], Y[:0]], 'at least one example'),
    ([], 'expected 2 arrays'),
    (X, 'expected 2 arrays .*, got 1. Pass them as one list: .inputs, targets.'),
    (None, 'got None'),
    (7, 'got int'),
    (iter([[X, Y[:5]]]), 'as many targets'),
]


@pytest.mark.parametrize(('given', 'says'), FEEDFORWARD)
def test_wrong_data_is_refused_before_training(net, given, says):
    before, state = [p.get_value() for p in net.params], net.rng.bit_generator.state
    with pytest.raises((DataError, ConfigurationError), match=says):
        net.train(given, epochs=1)
    with pytest.raises((DataError, ConfigurationError)):
        net.itertrain([X, Y], valid=given if given is not None else 7)
    for param, value in zip(net.params, before):
        np.testing.assert_array_equal(param.get_value(), value)
    assert net.rng.bit_generator.state == state


@pytest.mark.parametrize(
    ('given', 'says'),
    [
        ([R, L[:, :6]], r'expected shape \(any, 7\), got \(6, 6\)'),
        ([R[:, 0], L], r'expected shape \(any, any, 4\), got \(6, 4\).*add an axis'),
        ([R, L[:, 0]], r'got \(6,\)'),
        ([L + 4, L], 'labels of 0 to 3, for 4 classes, got 4 in row 0'),
        ([L, L[:, :5]], r'expected shape \(any, 7\)'),
        ([R[:, :0], L[:, :0]], 'no axis of length 0'),
    ],
)
def test_wrong_sequences(rnet, given, says):
    with pytest.raises(DataError, match=says):
        rnet.train(given, epochs=1)


def test_weights_are_checked():
    net = kerasnets.Classifier([4, 3], weighted=True)
    for w, says in [
        (put(np.ones(70), 4, np.nan), 'weights: expected finite numbers, got nan in row 4'),
        (put(np.ones(70), 4, -1), 'weights: expected weights of 0 or more, got -1.0 in row 4'),
        (np.ones(69), 'as many weights'),
        (np.ones((70, 1)), r'expected shape \(any\,\)'),
    ]:
        with pytest.raises(DataError, match=says):
            net.train([X, Y, w], epochs=1)


@pytest.mark.parametrize('method', ['predict', 'predict_proba', 'predict_logit', 'feed_forward'])
def test_prediction_checks_its_input(net, method):
    with pytest.raises(DataError, match='got nan in row 1'):
        getattr(net, method)(put(X, (1, 1), np.nan))
    with pytest.raises(DataError, match='expected shape'):
        getattr(net, method)(X[0])
    with pytest.raises(DataError, match='got nan in value 1'):
        getattr(net, method)(scipy.sparse.csr_matrix(put(X, (0, 1), np.nan)))
    with pytest.raises(DataError, match=r'expected shape \(any, 4\), got \(70, 3\)'):
        getattr(net, method)(scipy.sparse.coo_array(X[:, :3]))


def test_nothing_to_predict_gives_nothing(net, rnet):
    assert net.predict(X[:0]).shape == (0,)
    assert net.predict_proba(X[:0]).shape == (0, 3)
    assert rnet.predict_proba(R[:0]).shape == (0, 7, 3)
    assert rnet.predict(L[:0]).shape == (0, 7)
    assert net.feed_forward(X[:0])['hid1:out'].shape == (0, 5)


@pytest.mark.parametrize(
    'kind', [list, np.ndarray, 'float32', 'float16', 'int8', bool, 'pandas-like']
)
def test_unambiguous_data_is_accepted(net, kind):
    x = np.sign(X) > 0
    want = net.predict_proba(x.astype('f'))

    class Frame:
        def __array__(self, dtype=None, copy=None):
            return x.astype(dtype or 'd')

    given = {list: x.astype('d').tolist(), np.ndarray: x.astype('d'), 'pandas-like': Frame()}
    given = given[kind] if kind in given else x.astype(kind)
    np.testing.assert_allclose(net.predict_proba(given), want, atol=1e-6)


def test_whole_float_labels_are_taken(net):
    assert net.evaluate([X, Y.astype('d')]) == net.evaluate([X, Y])


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(batch_size=0),
        dict(batch_size=-2),
        dict(batch_size=2.5),
        dict(epochs=-1),
        dict(epochs=1.5),
        dict(train_batches=0),
        dict(validate_every=0),
        dict(patience=-1),
        dict(patience=None),
        dict(epochs=True),
        dict(min_improvement=2),
        dict(learning_rate=-1),
        dict(learning_rate='fast'),
        dict(verbose=3),
    ],
)
def test_numbers_out_of_range(net, kwargs):
    with pytest.raises(ConfigurationError, match=next(iter(kwargs))):
        net.train([X, Y], **kwargs)


def slots(batch):
    x, y = ArraySpec('x', (None, 2)), ArraySpec('y', (None,), 'labels', 9, dtype='int32')
    return [x, y], batch


def test_arrays_are_cut_into_batches_without_loss():
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 9
    source = batches.dataset([x, y], slots, batch_size=4)
    assert source.batches == 3
    got = list(source.epoch())
    assert [len(b[0]) for b in got] == [4, 4, 2]
    assert got[0][0].dtype == 'float32'
    assert got[0][1].dtype == 'int32'
    np.testing.assert_array_equal(np.concatenate([b[0] for b in got]), x)


def test_shuffling_keeps_rows_together_and_differs_by_epoch():
    x, y = np.arange(18.0).reshape(9, 2), np.arange(9)
    source = batches.dataset([x, y], slots, batch_size=4)
    source.shuffle(np.random.default_rng(1))
    first, second = (np.concatenate([b[1] for b in source.epoch()]) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(9))
    assert list(first) != list(second)
    for bx, by in source.epoch():
        np.testing.assert_array_equal(bx[:, 0], by * 2)


def test_no_copy_of_an_array():
    x, y = np.zeros((10, 2)), np.zeros(10, 'i')
    source = batches.dataset([x, y], slots)
    assert source.arrays[0] is x
    assert source.arrays[1] is y


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='of TensorFlow')
@pytest.mark.parametrize(('shuffle', 'block'), [(False, 1), (True, 100), (True, 10**6)])
@pytest.mark.parametrize('layout', [np.ascontiguousarray, np.asfortranarray, lambda x: x[:, ::2]])
@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int8', 'bool'])
def test_tensorflow_cuts_the_same_batches(shuffle, layout, dtype, block, monkeypatch):
    monkeypatch.setattr(batches, 'BLOCK', block)
    x = layout(np.random.default_rng(1).integers(0, 2, (10, 4)).astype(dtype)[:, :4])
    x, y = (x[:, :2] if x.shape[1] > 2 else x), np.arange(10, dtype='int64') % 9
    a, b = (batches.dataset([x, y], slots, batch_size=4, batches=2) for _ in range(2))
    if shuffle:
        a.shuffle(np.random.default_rng(3))
        b.shuffle(np.random.default_rng(3))
    for _ in range(2):
        got = [[t.numpy() for t in batch] for (batch,) in a.feed()]
        want = list(b.epoch())
        assert len(got) == len(want) == 2
        for one, other in zip(got, want):
            for g, w in zip(one, other):
                assert g.dtype == w.dtype
                np.testing.assert_array_equal(g, w)


def test_read_only_arrays_are_taken(net):
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    assert net.evaluate([x, y]) == net.evaluate([X, Y])


def test_a_callable_gives_every_batch_it_returns():
    count = iter(range(1000))

    def draw():
        n = next(count)
        return [np.full((2, 2), n), np.zeros(2)]

    source = batches.dataset(draw, slots, batches=3)
    epochs = [[int(b[0][0, 0]) for b in source.epoch()] for _ in range(2)]
    assert epochs == [[0, 1, 2], [3, 4, 5]]
    assert batches.dataset(draw, slots).batches == batches.CALLABLE_BATCHES


def test_a_tf_dataset_is_read_from_its_start_each_epoch():
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 9
    ds = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    source = batches.dataset(ds, slots)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([b[0] for b in source.epoch()]), x)
    with pytest.raises(ConfigurationError, match=r'never ends.*train_batches=100'):
        batches.dataset(ds.repeat(), slots, what='train')
    assert len(list(batches.dataset(ds.repeat(), slots, batches=7).epoch())) == 7
    with pytest.raises(DataError, match='at least one batch'):
        batches.dataset(ds.take(0), slots)


def test_every_batch_of_a_callable_is_checked(net):
    count = iter(range(1000))

    def draw():
        x = X[:8].copy()
        if next(count) == 2:
            x[5, 0] = np.nan
        return [x, Y[:8]]

    with pytest.raises(DataError, match=r'inputs.*nan in row 5.*a batch from .*draw'):
        net.train(draw, epochs=2, train_batches=4)


@pytest.mark.parametrize(
    ('later', 'says'),
    [
        ([X], 'expected 2 arrays'),
        ([X, Y, Y], 'expected 2 arrays'),
        ([X[:, :3], Y], r'expected shape \(any, 4\)'),
        ([X[:5], Y], 'as many targets'),
    ],
)
def test_a_callable_that_changes_its_mind(net, later, says):
    batches = iter([[X, Y], [X, Y], later, [X, Y]])

    def fickle():
        return next(batches)

    with pytest.raises(DataError, match=f'{says}.*a batch from .*fickle'):
        net.train(fickle, epochs=1, train_batches=4)


def test_a_callable_that_returns_no_list(net):
    def no_list():
        return {'x': X}

    with pytest.raises(DataError, match=r'expected .*no_list to return a list of arrays, got dict'):
        net.train(no_list, epochs=1)


def test_errors_of_a_callable_are_raised(net):
    def broken():
        if broken.calls:
            raise KeyError('mine')
        broken.calls += 1
        return [X, Y]

    broken.calls = 0
    with pytest.raises(KeyError, match='mine'):
        net.train(broken, epochs=1)


# Further sources


def test_a_generator_continues_over_epochs():
    def draws():
        for n in range(7):
            yield [np.full((2, 2), n), np.zeros(2)]

    source = batches.dataset(draws(), slots, what='train', batches=3)
    epochs = [[int(b[0][0, 0]) for b in source.epoch()] for _ in range(2)]
    assert epochs == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(DataError, match='ended after 7 batches, expected more'):
        list(source.epoch())


def test_a_generator_that_ends_says_so_in_training(net):
    batches = ([X[:8], Y[:8]] for _ in range(3))
    with pytest.raises(DataError, match=r'train: .*genexpr.* ended after 3 batches'):
        net.train(batches, epochs=1)


def test_a_callable_with_a_length_says_how_long_an_epoch_is(net):
    class Draws:
        def __len__(self):
            return 4

        def __call__(self):
            return [X[:8], Y[:8]]

    assert batches.dataset(Draws(), net.data_spec.fit).batches == 4
    assert batches.dataset(Draws(), net.data_spec.fit, batches=2).batches == 2


def test_a_dataset_of_keras(net):
    class Rows(keras.utils.PyDataset):
        ends = 0

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return X[i * 20 : (i + 1) * 20], Y[i * 20 : (i + 1) * 20]

        def on_epoch_end(self):
            self.ends += 1

    rows = Rows()
    source = batches.dataset(rows, net.data_spec.fit)
    assert source.batches == 3
    for ends in (1, 2):
        np.testing.assert_allclose(
            np.concatenate([b[0] for b in source.epoch()]), X[:60], rtol=1e-6
        )
        assert rows.ends == ends
    assert net.evaluate(rows) == pytest.approx(net.evaluate([X[:60], Y[:60]]), rel=1e-5)


def test_pandas(net):
    frame = pandas.DataFrame(X, columns=list('abcd'), index=np.arange(70)[::-1])
    labels = pandas.Series(Y)
    assert net.evaluate([frame, labels]) == net.evaluate([X, Y])
    np.testing.assert_array_equal(net.predict(frame), net.predict(X))
    assert net.score(frame, labels) == net.score(X, Y)
    with pytest.raises(DataError, match="got column 'a' of dtype"):
        net.predict(frame.assign(a='x'))


@pytest.mark.parametrize('shape', [(6,), (6, 1), (6, 7), (6, 7, 2), (6, 7, 1)])
def test_weights_of_examples_steps_and_values(shape):
    net = kerasnets.recurrent.Regressor([4, (5, 'rnn'), 2], weighted=True)
    y, w = np.zeros((6, 7, 2)), np.random.default_rng(1).random(shape)
    if shape[1:2] == (1,) or shape[2:] == (1,):
        with pytest.raises(DataError, match='weights: expected shape'):
            net.evaluate([R, y, w])
        return
    whole = np.broadcast_to(w.reshape(shape + (1,) * (3 - len(shape))), y.shape)
    want = (whole * net.predict(R) ** 2).sum() / whole.sum()
    np.testing.assert_allclose(net.evaluate([R, y, w], batch_size=4)['loss'], want, rtol=1e-5)
    net.train([R, y, w], epochs=1)
    np.testing.assert_allclose(net.score(R, y + 1, w), net.score(R, y + 1, whole), rtol=1e-5)
