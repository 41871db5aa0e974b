"""Training by blocks that XLA compiles: the same numbers, and only where it pays."""

import logging

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.data import batches
from kerasnets.layers.fast import recurrent as fast_layers
from kerasnets.training import engine
from kerasnets.training.settings import Settings

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(50, 4)), RNG.integers(3, size=50)
LABELS = RNG.integers(5, size=(22, 7))
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='other backends compile by themselves'
)
not_torch = pytest.mark.skipif(keras.backend.backend() == 'torch', reason='it does not compile')


def dense():
    return kerasnets.Classifier([4, (6, 'tanh'), 3]), [X, Y]


def recurrent(form='lstm'):
    net = kerasnets.recurrent.Classifier([5, (6, form), 5])
    return net, [LABELS[:, :-1], LABELS[:, 1:]]


def weights(net):
    return [param.get_value() for param in net.params]


@not_torch
@pytest.mark.parametrize('make', [dense, recurrent])
def test_blocks_give_the_numbers_of_single_steps(make, monkeypatch):
    monkeypatch.setattr(engine, 'STEPS', 2)  # several blocks, the last of them not full
    nets = []
    for jit in (True, False):
        net, rows = make()
        shown = net.train(
            rows, jit=jit, algo='adam', learning_rate=0.05, batch_size=4, epochs=2, patience=9
        )
        nets.append((net, shown))
    (fast, one), (plain, other) = nets
    for a, b in zip(weights(fast), weights(plain)):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert one[0] == pytest.approx(other[0], abs=1e-5)
    configs = [net.model.get_config()['layers'] for net in (fast, plain)]
    assert configs[0] == configs[1]


@not_torch
def test_weights_and_penalties_in_blocks():
    nets = []
    for jit in (True, False):
        net = kerasnets.Classifier([4, 6, 3], weighted=True)
        rows = [X, Y, np.linspace(0.1, 2, len(X))]
        net.train(rows, jit=jit, algo='sgd', learning_rate=0.1, epochs=3, weight_l2=0.1)
        nets.append(net)
    for a, b in zip(*map(weights, nets)):
        np.testing.assert_allclose(a, b, atol=1e-5)


@not_torch
def test_one_seed_draws_the_same_noise_in_blocks():
    nets = [dense()[0] for _ in range(2)]
    for net in nets:
        net.train([X, Y], jit=True, algo='sgd', epochs=3, input_noise=0.5, hidden_dropout=0.5)
    for a, b, start in zip(*map(weights, nets), weights(dense()[0])):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, start)


@tensorflow_only
def test_float64_and_sparse_rows_are_copied_as_they_should_be():
    sparse = pytest.importorskip('scipy.sparse').csr_matrix(X)
    net = kerasnets.Classifier([4, 6, 3])
    for x in (X, X.astype('f'), sparse):
        source = batches.dataset([x, Y], net.data_spec.fit, batch_size=8)
        blocks = [[np.array(part) for part in block] for [(block, _)] in source.blocks(2)]
        assert [len(block[0]) for block in blocks] == [16, 16, 16, 2]
        np.testing.assert_allclose(np.concatenate([b[0] for b in blocks]), X, atol=1e-6)
        np.testing.assert_array_equal(np.concatenate([b[1] for b in blocks]), Y)


@tensorflow_only
def test_what_xla_refuses_is_trained_without_it(caplog):
    import tensorflow as tf

    class Slow(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), x.shape)

    nets = [kerasnets.Classifier([4, Slow(), 3]) for _ in range(2)]
    with caplog.at_level(logging.WARNING):
        for net, jit in zip(nets, (True, False)):
            net.train([X, Y], jit=jit, algo='sgd', learning_rate=0.1, epochs=2)
    assert 'XLA does not compile' in caplog.text
    for a, b in zip(*map(weights, nets)):
        np.testing.assert_array_equal(a, b)


def choice(net, rows, **settings):
    """What is chosen for some training, by `engine.choose`."""
    source = batches.dataset(rows, net.data_spec.fit, batch_size=settings.get('batch_size', 32))
    return engine.choose(net._models, source, Settings(**settings), settings.get('callbacks', ()))


@tensorflow_only
def test_xla_is_for_long_training_of_layers_that_gain_by_it():
    net, rows = dense()
    assert 'block' not in choice(net, rows, epochs=10)
    assert choice(net, rows, epochs=10_000)['block'] == (2, 32)
    assert choice(net, rows, epochs=10, jit=True, batch_size=1)['block'] == (32, 1)
    assert 'block' not in choice(net, rows, epochs=10_000, jit=False)
    own = kerasnets.recurrent.Classifier([5, dict(form='clockwork', size=6, periods=(1, 2)), 5])
    labels = [LABELS[:, :-1], LABELS[:, 1:]]
    assert 'block' not in choice(own, labels, epochs=10_000)
    assert 'block' in choice(recurrent()[0], labels, epochs=10_000, batch_size=8)
    assert 'block' not in choice(recurrent()[0], labels, epochs=10_000)  # no whole batch


@pytest.fixture
def gpu(monkeypatch):
    """TensorFlow believes that there is a GPU."""
    import tensorflow as tf

    found = tf.config.PhysicalDevice('/physical_device:GPU:0', 'GPU')
    cpus = tf.config.list_physical_devices('CPU')
    there = {'CPU': cpus, 'GPU': [found], None: [*cpus, found]}
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind=None: there[kind])
    monkeypatch.setattr(tf.config, 'list_logical_devices', lambda kind=None: there[kind])


@tensorflow_only
def test_on_a_gpu_xla_compiles_what_cudnn_does_not_take(gpu):
    after = dict(form='gru', size=6, reset_after=True, activation='tanh')
    both = dict(form='bidirectional', size=6, worker='lstm')
    taken, others = [(6, 'lstm'), after, both], [(6, 'gru'), (6, 'rnn'), (6, 'scrn'), (6, 'tanh')]
    for entry in (*taken, *others):
        net = kerasnets.recurrent.Classifier([5, entry, 5])
        chosen = choice(net, [LABELS[:, :-1], LABELS[:, 1:]], epochs=1, batch_size=8)
        layer = net.model.layers[0]
        if entry in taken:
            assert chosen == {'jit_compile': 'auto', 'steps_per_execution': 32}
            assert not net.model.jit_compile  # by which `predict` goes
            assert fast_layers.as_trained(layer) is layer
        else:
            assert chosen['block'] == (3, 8)
            assert net.model.jit_compile


@tensorflow_only
def test_who_hears_of_steps_hears_of_each():
    net, rows = dense()
    one = {'jit_compile': 'auto', 'steps_per_execution': 1}
    steps = keras.callbacks.LambdaCallback(on_train_batch_end=print)
    epochs = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)
    assert choice(net, rows, epochs=10_000, callbacks=[epochs, steps]) == one
    assert choice(net, rows, max_updates=10_000) == one
    assert 'block' in choice(net, rows, epochs=10_000, callbacks=[epochs])


@not_torch
@pytest.mark.parametrize('ragged', [False, True])
def test_batches_that_are_drawn_are_trained_on_one_by_one(ragged, monkeypatch):
    monkeypatch.setattr(engine, 'STEPS', 3)
    sizes = [4, 4, 6, 3, 4, 4, 4, 10] if ragged else [4] * 8

    def batches():
        rng = np.random.default_rng(2)
        for size in sizes * 2:
            labels = rng.integers(5, size=(size, size + 3 if ragged else 7))
            yield [labels[:, :-1], labels[:, 1:]]

    nets = []
    for jit in (True, False):
        net, _ = recurrent()
        net.train(batches(), jit=jit, algo='adam', learning_rate=0.05, epochs=2, train_batches=8)
        nets.append(net)
    for a, b in zip(*map(weights, nets)):
        np.testing.assert_allclose(a, b, atol=1e-5)


@not_torch
def test_progress_counts_batches_where_fit_counts_blocks(monkeypatch):
    seen = []
    monkeypatch.setattr(
        'kerasnets.callbacks.Progress.on_train_batch_end',
        lambda self, batch, logs=None: seen.append((batch, sorted(logs))),
    )
    monkeypatch.setattr(engine, 'STEPS', 4)
    net, rows = dense()
    net.train(rows, jit=True, batch_size=5, epochs=1, verbose=1)
    if keras.backend.backend() == 'tensorflow':
        assert [batch for batch, _ in seen] == [3, 7, 9]
    assert all(names == ['acc', 'err', 'loss'] for _, names in seen)


@tensorflow_only
def test_other_data_is_compiled_anew():
    net, (x, y) = recurrent()
    net.train([x, y], jit=True, batch_size=8, epochs=1)
    objective = net._objectives.find(batches.dataset([x, y], net.data_spec.fit))
    blocks = objective.train_function
    net.train([x[:, :4], y[:, :4]], jit=True, batch_size=8, epochs=1)
    assert objective.train_function is blocks
    assert blocks.shape == [8, (4,), (4,)]
    assert blocks.many.experimental_get_tracing_count() == 2


@pytest.mark.skipif(keras.backend.backend() != 'torch', reason='of PyTorch')
def test_torch_says_that_it_does_not_compile():
    net, rows = dense()
    with pytest.raises(kerasnets.ConfigurationError, match=r'got PyTorch.*Leave out jit'):
        net.train(rows, jit=True)
