"""What enters a network: several inputs, sequences of differing length, sparse rows, labels."""

import keras
import numpy as np
import pytest
import scipy.sparse

import kerasnets
from kerasnets.data import batches, blocks
from kerasnets.errors import ConfigurationError, DataError
from kerasnets.programs import prediction

recurrent = kerasnets.recurrent
RNG = np.random.default_rng(8)
LENGTHS = (3, 7, 1, 5, 7, 2)
SEQUENCES = [RNG.normal(size=(n, 4)).astype('f') for n in LENGTHS]
LABELS = [RNG.integers(3, size=n) for n in LENGTHS]
VALUES = [RNG.normal(size=(n, 2)) for n in LENGTHS]
IDS = [RNG.integers(4, size=n) for n in LENGTHS]


# Several inputs


@pytest.fixture(scope='module')
def two():
    return kerasnets.Classifier(
        [4, dict(size=5, name='a'), dict(form='input', size=2, name='other'),
         dict(size=3, name='out', inputs=('a', 'other'), activation='softmax')]
    )  # fmt: skip


X, Z, Y = RNG.normal(size=(20, 4)).astype('f'), RNG.normal(size=(20, 2)), np.arange(20) % 3


def test_two_inputs(two, tmp_path):
    out = two.feed_forward([X, Z])
    w = [two.find('out', p).get_value() for p in ('w_a:out', 'w_other:out', 'b')]
    pre = out['a:out'] @ w[0] + Z @ w[1] + w[2]
    np.testing.assert_allclose(out['out:pre'], pre, atol=1e-5)
    p = two.predict_proba({'other': Z, 'in': X})
    np.testing.assert_array_equal(p, two.predict_proba((X, Z)))
    assert two.predict([X[:0], Z[:0]]).shape == (0,)
    assert [t.name for t in two.inputs] == ['in', 'other']
    ways = [[X, Z, Y], [[X, Z], Y], [{'other': Z, 'in': X}, Y], lambda: [X, Z, Y]]
    losses = [two.evaluate(way)['loss'] for way in ways]
    want = -np.log(p[np.arange(20), Y].astype('d')).mean()
    np.testing.assert_allclose(losses, want, rtol=1e-5)
    assert two.score([X, Z], Y) == (p.argmax(1) == Y).mean()
    two.save(tmp_path / 'two.keras')
    again = kerasnets.load(tmp_path / 'two.keras')
    np.testing.assert_array_equal(again.predict_proba([X, Z]), p)
    plain = keras.saving.load_model(tmp_path / 'two.keras')
    np.testing.assert_allclose(plain.predict([X, Z.astype('f')], verbose=0), p, atol=1e-6)


def test_training_on_two_inputs_follows_both():
    nets = [
        kerasnets.Regressor(
            [4, dict(form='input', size=2, name='b'), dict(form='concat', inputs=('in', 'b')), 1]
        ),
        kerasnets.Regressor([6, 1]),
    ]
    nets[1].find('out', 'w').set_value(nets[0].find('out', 'w').get_value())
    t = RNG.normal(size=(20, 1))
    options = dict(algo='sgd', learning_rate=0.1, batch_size=20, epochs=3)
    nets[0].train([X, Z, t], **options)
    nets[1].train([np.hstack([X, Z]), t], **options)
    np.testing.assert_allclose(
        nets[0].find('out', 'w').get_value(), nets[1].find('out', 'w').get_value(), atol=1e-6
    )


@pytest.mark.parametrize(
    ('given', 'says'),
    [
        (X, r"list or dict of arrays for the inputs \['in', 'other'\], got ndarray"),
        ([X], 'got 1 of them'),
        ({'in': X, 'othr': Z}, r"expected a dict of inputs named \['in', 'other'\]"),
        ([X, Z[:5]], "as many inputs .'other'. as inputs .'in'., got 5 and 20"),
        ([X, X], r"inputs .'other'.: expected shape \(any, 2\), got \(20, 4\)"),
        ([X, Z * np.nan], "inputs .'other'.: expected finite numbers"),
    ],
)
def test_wrong_inputs(two, given, says):
    with pytest.raises(DataError, match=says):
        two.predict(given)


def test_an_unused_input():
    with pytest.raises(ConfigurationError, match=r"layer 1 \('b'\).*no layer reads it"):
        _ = kerasnets.Classifier(
            [4, dict(form='input', size=3, name='b'), dict(size=3, inputs='in')]
        ).model


def test_heads_that_nothing_reads_are_outputs_too(tmp_path):
    net = kerasnets.Regressor(
        [4, dict(size=5, name='a'), dict(size=2, name='side'), dict(size=1, inputs='a')]
    )
    net.add_loss('mse', output_name='side')
    before = net.find('side', 'w').get_value()
    net.train([X, X[:, :1], Z], algo='sgd', learning_rate=0.1, epochs=2)
    assert (net.find('side', 'w').get_value() != before).any()
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    a, b = net.feed_forward(X), again.feed_forward(X)
    np.testing.assert_array_equal(a['side:out'], b['side:out'])
    np.testing.assert_array_equal(net.predict(X), a['out:out'])


# Sequences of differing length

NETS = {
    'lstm': [4, (5, 'lstm'), 3],
    'bidirectional': [4, (5, 'rnn'), dict(form='bidirectional', size=6, worker='lstm'), 3],
    'own': [4, (6, 'clockwork', 'tanh'), (4, 'scrn'), 'LayerNormalization', 3],
    'sum': [4, dict(form='gru', size=5, name='a'), dict(size=4, name='b', inputs='in'),
            dict(size=3, name='out', inputs=('a', 'b'), activation='softmax')],
    'learned': [4, (5, 'rnn', 'prelu'), (4, 'maxout:2'), 'RMSNormalization', 3],
}  # fmt: skip


@pytest.mark.parametrize('name', NETS)
def test_padding_changes_nothing(name):
    """All outputs of a padded batch are those of the sequences one by one."""
    net = recurrent.Classifier(NETS[name])
    found = net.feed_forward(SEQUENCES)
    for i, sequence in enumerate(SEQUENCES):
        alone = net.feed_forward(sequence[None])
        for part, value in alone.items():
            np.testing.assert_allclose(found[part][i], value[0], atol=2e-6, err_msg=part)


@pytest.mark.parametrize('name', NETS)
def test_padding_weighs_nothing(name):
    net = recurrent.Classifier(NETS[name])
    ps = net.predict_proba(SEQUENCES)
    p, y = np.concatenate(ps).astype('d'), np.concatenate(LABELS)
    got = net.evaluate([SEQUENCES, LABELS], batch_size=4)
    np.testing.assert_allclose(got['loss'], -np.log(p[np.arange(25), y]).mean(), rtol=1e-5)
    np.testing.assert_allclose(got['acc'], (p.argmax(1) == y).mean(), rtol=1e-5)
    assert net.score(SEQUENCES, LABELS) == (p.argmax(1) == y).mean()
    assert [len(q) for q in net.predict(SEQUENCES)] == list(LENGTHS)


def test_training_on_lists_equals_training_with_weights():
    nets = [recurrent.Regressor([4, (5, 'gru', 'tanh'), 2], weighted=w) for w in (False, True)]
    x, y, w = np.zeros((6, 7, 4), 'f'), np.zeros((6, 7, 2), 'f'), np.zeros((6, 7, 2), 'f')
    for i, n in enumerate(LENGTHS):
        x[i, :n], y[i, :n], w[i, :n] = SEQUENCES[i], VALUES[i], 1
    options = dict(algo='sgd', learning_rate=0.1, batch_size=4, epochs=3)
    nets[0].train([SEQUENCES, VALUES], **options)
    nets[1].train([x, y, w], **options)
    for a, b in zip(nets[0].params, nets[1].params):
        np.testing.assert_allclose(a.get_value(), b.get_value(), atol=1e-5, err_msg=a.name)
    np.testing.assert_allclose(nets[0].score(SEQUENCES, VALUES), nets[0].score(x, y, w), rtol=1e-5)


def test_weights_of_sequences():
    net = recurrent.Regressor([4, (5, 'rnn'), 2], weighted=True)
    w = [RNG.random((n, 2)) for n in LENGTHS]
    p, y, m = (np.concatenate(a) for a in (net.predict(SEQUENCES), VALUES, w))
    got = net.evaluate([SEQUENCES, VALUES, w], batch_size=4)['loss']
    np.testing.assert_allclose(got, (m * (p - y) ** 2).sum() / m.sum(), rtol=1e-5)


def test_labels_for_sequences_of_differing_length():
    net = recurrent.Classifier([4, (5, 'lstm'), 3])
    rows = [np.eye(4, dtype='f')[ids] for ids in IDS]
    for a, b in zip(net.predict_proba(IDS), net.predict_proba(rows)):
        np.testing.assert_allclose(a, b, atol=1e-6)
    a, b = net.evaluate([IDS, LABELS]), net.evaluate([rows, LABELS])
    assert a == pytest.approx(b, rel=1e-5)
    training, _ = net.train(lambda: [IDS, LABELS], epochs=1, train_batches=3)
    assert np.isfinite(training['loss'])


def test_one_label_for_a_sequence_of_any_length():
    net = recurrent.Classifier([4, dict(form='lstm', size=5, return_sequences=False), 3])
    p = net.predict_proba(SEQUENCES)
    assert p.shape == (6, 3)
    for row, sequence in zip(p, SEQUENCES):
        np.testing.assert_allclose(row, net.predict_proba(sequence[None])[0], atol=1e-6)
    y = np.arange(6) % 3
    loss = -np.log(p[np.arange(6), y].astype('d')).mean()
    np.testing.assert_allclose(net.evaluate([SEQUENCES, y])['loss'], loss, rtol=1e-5)


def test_a_masking_layer_hides_steps_from_the_loss():
    net = recurrent.Classifier([4, dict(form='Masking', mask_value=9.0), (5, 'lstm'), 3])
    x = np.full((6, 7, 4), 9.0)
    y = np.zeros((6, 7), 'i')
    for i, n in enumerate(LENGTHS):
        x[i, :n], y[i, :n] = SEQUENCES[i], LABELS[i]
    p = np.concatenate([net.predict_proba(s[None])[0] for s in SEQUENCES]).astype('d')
    want = -np.log(p[np.arange(25), np.concatenate(LABELS)]).mean()
    np.testing.assert_allclose(net.evaluate([x, y])['loss'], want, rtol=1e-5)


@pytest.mark.parametrize('form', ['lstm', 'gru', 'rnn', 'bidirectional'])
def test_an_empty_sequence_has_no_weight(form):
    """Row 24: a sequence that is padding alone gives no nan."""
    net = recurrent.Classifier([4, (6, form), 3])
    x, y = [*SEQUENCES, SEQUENCES[0][:0]], [*LABELS, LABELS[0][:0]]
    assert net.predict(x)[-1].shape == (0,)
    assert net.evaluate([x, y]) == pytest.approx(net.evaluate([x[:-1], y[:-1]]))
    training, _ = net.train([x[-1:] * 3, y[-1:] * 3], epochs=1)
    assert training['loss'] == 0
    training, _ = net.train([x, y], epochs=1)
    assert np.isfinite(training['loss'])


@pytest.mark.parametrize(
    ('given', 'says'),
    [
        ([SEQUENCES, [y[:1] for y in LABELS]], 'targets .*, sequence 0: expected 3 steps.*got 1'),
        ([SEQUENCES, LABELS[:5]], 'as many targets'),
        ([[s[:, :3] for s in SEQUENCES], LABELS], r'sequence 0: expected shape \(any, 4\)'),
        ([[*SEQUENCES[:5], SEQUENCES[5] * np.nan], LABELS], 'sequence 5: .*finite.*nan in step 0'),
        ([SEQUENCES, [y + 2 for y in LABELS]], 'sequence 0: expected labels of 0 to 2'),
        ([SEQUENCES, np.zeros((6, 7), 'f') + 0.5], 'whole numbers'),
    ],
)
def test_wrong_sequences(given, says):
    with pytest.raises(DataError, match=says):
        recurrent.Classifier([4, (5, 'rnn'), 3]).train(given, epochs=1)


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(form='conv1', size=5, filter_size=2), 'Conv1D layers do not support masks'),
        (dict(form='rnn', size=5, direction='backwards'), 'outputs its sequence backwards'),
    ],
)
def test_layers_without_mask_support_are_rejected(entry, says):
    net = recurrent.Classifier([4, entry, 3])
    with pytest.raises(ConfigurationError, match=rf"layer 1 \('hid1'\).*{says}"):
        net.predict(SEQUENCES)


def test_batches_of_sequences_are_padded_by_themselves():
    net = recurrent.Classifier([4, (5, 'rnn'), 3])
    source = batches.dataset([SEQUENCES, LABELS], net.data_spec.fit, batch_size=2)
    shapes = [[a.shape for a in batch] for batch in source.epoch()]
    assert shapes[1] == [(2, 5, 4), (2, 5), (2, 5)]
    assert source.arrays[0].sequences[0] is SEQUENCES[0]


# Sparse rows


@pytest.mark.parametrize('kind', ['csr_matrix', 'csc_array', 'coo_matrix'])
def test_sparse_rows_are_dense_by_the_batch_only(kind, monkeypatch):
    dense = scipy.sparse.random(70, 30, 0.1, random_state=1).toarray()
    x = getattr(scipy.sparse, kind)(dense)
    net = kerasnets.Classifier([dict(form='input', size=30, sparse='csr'), 5, 3])
    y = np.arange(70) % 3
    sizes = []
    whole = type(x.tocsr()).toarray
    monkeypatch.setattr(
        type(x.tocsr()), 'toarray', lambda self, *a: sizes.append(self.shape) or whole(self, *a)
    )
    monkeypatch.setattr(prediction, 'BATCH_VALUES', 1000)
    monkeypatch.setattr(blocks, 'BYTES', 4096)
    p = net.predict_proba(x)
    net.train([x, y], algo='sgd', learning_rate=0.1, epochs=2, batch_size=16)
    assert max(rows for rows, _ in sizes) <= 33
    other = kerasnets.Classifier([30, 5, 3])
    np.testing.assert_allclose(p, other.predict_proba(dense), atol=1e-6)
    other.train([dense, y], algo='sgd', learning_rate=0.1, epochs=2, batch_size=16)
    for a, b in zip(net.params, other.params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    assert net.score(x, y) == other.score(dense, y)


def test_invalid_sparse_inputs():
    with pytest.raises(ConfigurationError, match="sparse as 'csr' or 'csc', got 'crs'"):
        kerasnets.Classifier([dict(form='input', size=3, sparse='crs'), 2])
    with pytest.raises(DataError, match='sparse matrix'):
        recurrent.Classifier([4, (5, 'rnn'), 3]).predict(scipy.sparse.csr_matrix(X))


# Labels


def test_embedding(tmp_path):
    net = recurrent.Classifier([6, (5, 'embedding'), (7, 'lstm'), 6])
    assert [type(layer).__name__ for layer in net.model.layers] == ['Embedding', 'LSTM', 'Dense']
    ids = RNG.integers(6, size=(4, 9))
    w = net.find('hid1', 'w').get_value()
    assert w.shape == (6, 5)
    np.testing.assert_array_equal(net.feed_forward(ids)['hid1:out'], w[ids])
    training, _ = net.train([ids, ids], epochs=1)
    assert np.isfinite(training['loss'])
    lists = [row[:n] for row, n in zip(ids, (2, 9, 4, 1))]
    for whole, row in zip(net.predict_proba(lists), lists):
        np.testing.assert_allclose(whole, net.predict_proba(row[None])[0], atol=1e-6)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(again.predict_proba(ids), net.predict_proba(ids))
    assert list(again.predict_sequence([1], 9, rng=3)) == list(net.predict_sequence([1], 9, rng=3))
    for wrong, says in [(ids + 1, 'labels of 0 to 5'), (ids * 1.5, 'whole numbers')]:
        with pytest.raises(DataError, match=says):
            net.predict(wrong)
    rows = kerasnets.Regressor([6, (5, 'embedding'), 2])
    assert rows.predict(np.array([0, 5, 5])).shape == (3, 2)


def test_the_embedding_of_keras_is_checked_too():
    net = recurrent.Classifier(
        [dict(shape=(None,)), dict(form='Embedding', size=4, input_dim=6), (7, 'lstm'), 6]
    )
    assert net.predict(np.array([[1.0, 5.0]])).shape == (1, 2)
    with pytest.raises(DataError, match='labels of 0 to 5, for 6 classes, got 6'):
        net.predict(np.array([[1, 6]]))


@pytest.mark.parametrize('form', [np.array, np.int64, int, lambda n: np.array([n])], ids=range(4))
def test_a_target_for_each_sequence_may_have_any_form(form):
    x = [np.ones((3 + i % 4, 4)) * i for i in range(8)]
    last = dict(form='rnn', size=3, return_sequences=False)
    labels = [form(i % 2) for i in range(8)]
    for net in (
        kerasnets.recurrent.Classifier([4, last, 2]),
        kerasnets.recurrent.Regressor([4, last, 1]),
    ):
        net.train([x, labels], epochs=1)
        want = net.score(x, np.arange(8) % 2)
        assert net.score(x, labels) == pytest.approx(want, abs=1e-6)


def test_heads_of_one_size_are_trained_as_in_keras():
    net = kerasnets.Regressor(
        [4, dict(size=5, name='a'), dict(size=2, name='side'), dict(size=2, inputs='a')]
    )
    net.add_loss('mae', output_name='side')
    rng = np.random.default_rng(1)
    y, z = rng.normal(size=(2, len(X), 2)).astype('f')
    model = keras.models.clone_model(net.model)
    model.set_weights(net.model.get_weights())
    model.compile(keras.optimizers.Adam(0.01), ['mse', 'mae'])
    model.fit(X, [y, z], epochs=3, batch_size=len(X), verbose=0)
    net.train([X, y, z], algo='adam', learning_rate=0.01, epochs=3, batch_size=len(X))
    for ours, theirs in zip(net.model.get_weights(), model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
