"""Programs: the numbers of single steps, compiled once for all networks of a structure."""

import logging
import threading

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import backend, compilation
from kerasnets.data import batches, blocks
from kerasnets.layers.fast import variants
from kerasnets.programs import program, training
from kerasnets.training import cost_model, steps
from kerasnets.training.settings import Settings
from kerasnets.training.trainer import acts_on

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
    monkeypatch.setattr(blocks, 'BATCHES', 2)  # several blocks, the last of them not full
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


@not_torch
def test_float64_and_sparse_rows_are_copied_as_they_should_be():
    sparse = pytest.importorskip('scipy.sparse').csr_matrix(X)
    net = kerasnets.Classifier([4, 6, 3])
    for x in (X, X.astype('f'), sparse):
        source = batches.dataset([x, Y], net.data_spec.fit, batch_size=8)
        found = []
        for block in blocks.pack(source, [None], 4, 2, True):
            count = block.ends[block.epochs]
            assert [list(block.rows[:count]), block.open] in (
                [[8, 8], True],
                [[8], True],
                [[2], True],
                [[], False],
                [[2], False],
            )
            found += [
                [part[i * 8 : i * 8 + n].copy() for part in block.parts]
                for i, n in enumerate(block.rows[:count])
            ]
        np.testing.assert_allclose(np.concatenate([b[0] for b in found]), X, atol=1e-6)
        np.testing.assert_array_equal(np.concatenate([b[1] for b in found]), Y)


@not_torch
def test_a_block_holds_several_epochs_and_an_epoch_several_blocks():
    net = kerasnets.Classifier([4, 6, 3])
    source = batches.dataset([X, Y], net.data_spec.fit, batch_size=20)
    (block,) = blocks.pack(source, [None, None, 2], 16, 16, True)
    assert list(block.ends[:4]) == [0, 3, 6, 8]
    assert (block.epochs, block.open) == (3, False)
    assert list(block.rows[:9]) == [20, 20, 10, 20, 20, 10, 20, 20, 0]
    parts = [
        (list(b.ends[: b.epochs + 1]), b.open) for b in blocks.pack(source, [None] * 2, 4, 2, True)
    ]
    assert parts == [([0, 2], True), ([0, 1, 2], True), ([0, 2], True), ([0, 0], False)]
    odd = [(list(b.rows), b.odd) for b in blocks.pack(source, [None], 2, 2, False)]
    assert odd == [([20, 20], False), ([10], True), ([0, 0], False)]


@tensorflow_only
def test_layers_that_xla_cannot_compile_are_trained_without_it(caplog):
    import tensorflow as tf

    class Slow(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), x.shape)

    nets = [kerasnets.Classifier([4, Slow(), 3]) for _ in range(2)]
    with caplog.at_level(logging.WARNING):
        for net, jit in zip(nets, (True, False)):
            net.train([X, Y], jit=jit, algo='sgd', learning_rate=0.1, epochs=2)
    assert 'XLA cannot compile' in caplog.text
    for a, b in zip(*map(weights, nets)):
        np.testing.assert_array_equal(a, b)


@tensorflow_only
def test_a_validation_that_xla_refuses_runs_without_it(caplog):
    import tensorflow as tf

    class Same(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), x.shape)

    net = kerasnets.Classifier([4, Same(), 3])
    with caplog.at_level(logging.WARNING):
        _, found = net.train([X, Y], [X, Y], jit=True, algo='sgd', epochs=1)
    assert 'XLA cannot compile' in caplog.text
    assert found['loss'] == pytest.approx(net.evaluate([X, Y])['loss'], abs=1e-6)


def chosen(net, rows, algo='rmsprop', **settings):
    """Return whether XLA compiles a first training, as `cost_model.uses_xla` decides."""
    source = batches.dataset(rows, net.data_spec.fit, batch_size=settings.get('batch_size', 32))
    optimizer = kerasnets.optimizers.build(algo)
    found = cost_model.uses_xla(net._models, source, Settings(**settings), optimizer)[0]
    return found if isinstance(found, bool) else found.pays


@tensorflow_only
def test_xla_is_for_long_training_of_layers_that_gain_by_it():
    net, rows = dense()
    assert chosen(net, rows, epochs=10) is False
    assert chosen(net, rows, epochs=10_000) is True
    assert chosen(net, rows, epochs=10, jit=True, batch_size=1)
    assert chosen(net, rows, epochs=10_000, jit=False) is False
    own = kerasnets.recurrent.Classifier([5, dict(form='clockwork', size=6, periods=(1, 2)), 5])
    labels = [LABELS[:, :-1], LABELS[:, 1:]]
    assert not chosen(own, labels, epochs=10_000)
    assert chosen(recurrent()[0], labels, epochs=10_000, batch_size=8) is True
    assert chosen(recurrent()[0], labels, epochs=10_000) is True  # no whole batch


@tensorflow_only
def test_with_a_cache_on_disk_shorter_trainings_are_compiled(monkeypatch):
    net, rows = dense()
    assert not chosen(net, rows, epochs=1000, batch_size=32)
    monkeypatch.setenv('TF_XLA_FLAGS', f'{compilation.FLAG}/tmp')
    assert chosen(net, rows, epochs=1000, batch_size=32)


@tensorflow_only
def test_trainings_that_together_save_enough_are_compiled(monkeypatch):
    (_, rows), found = dense(), []
    payoff = steps.Payoff(0.3, 0.8)  # of 0.9 s, the third reaches 0.8
    monkeypatch.setattr(cost_model, 'uses_xla', lambda *args: (payoff, False))
    kerasnets.clear_cache()
    for _ in range(4):
        before, net = len(training.executables), dense()[0]
        net.train(rows, epochs=2, batch_size=8)
        found.append((len(training.executables) - before, weights(net)))
    assert [count for count, _ in found] == [0, 0, 1, 0]
    for _, params in found[1:]:
        for one, first in zip(params, found[0][1]):
            np.testing.assert_allclose(one, first, rtol=1e-4, atol=1e-6)


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
        xla = chosen(net, [LABELS[:, :-1], LABELS[:, 1:]], epochs=1, batch_size=8)
        layer = net.model.layers[0]
        assert xla == net.model.jit_compile == (entry in others)  # `predict` goes by it too
        if entry in taken:
            assert variants.fast_variant(layer) is layer


@tensorflow_only
def test_keras_trains_where_a_callback_acts_on_batches():
    one = {'jit_compile': 'auto', 'steps_per_execution': 1}
    assert cost_model.settings_for_keras(Settings(), True) == one
    assert cost_model.settings_for_keras(Settings(), False) is None
    seen = keras.callbacks.LambdaCallback(on_train_batch_end=print)
    assert acts_on(seen, 'train_batch')
    assert not acts_on(seen, 'test_batch')


@not_torch
@pytest.mark.parametrize('ragged', [False, True])
def test_batches_that_are_drawn_are_trained_on_one_by_one(ragged, monkeypatch):
    monkeypatch.setattr(blocks, 'BATCHES', 4)
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
    monkeypatch.setattr(blocks, 'BATCHES', 4)
    net, rows = dense()
    net.train(rows, jit=True, batch_size=5, epochs=1, verbose=1)
    assert [batch for batch, _ in seen] == [3, 7, 9]
    assert all(names == ['acc', 'err', 'loss'] for _, names in seen)


# Compiled once for a structure


@pytest.fixture
def programs(monkeypatch):
    """Return an empty cache of programs."""
    monkeypatch.setattr(program, 'CACHE', program.Cache())
    return program.CACHE


def kinds(programs):
    """Return the kinds of the programs in a cache, the oldest first."""
    return [key[1] for key in programs._programs]


@not_torch
def test_networks_of_one_structure_share_a_program(programs):
    for rate, decay, seed in ((0.1, 0.1, 1), (0.01, 0.5, 2), (0.2, 0.3, 3)):
        net = kerasnets.Classifier([4, 6, 3], rng=seed)
        rows = [X[: 40 + seed], Y[: 40 + seed]]
        keywords = dict(learning_rate=rate, weight_l2=decay, input_dropout=decay)
        net.train(rows, algo='sgd', epochs=1, jit=True, **keywords)
    assert kinds(programs) == ['train']
    net.train(
        [X, Y], [X[:9], Y[:9]], algo='sgd', epochs=3, jit=True, weight_l2=1, input_dropout=0.1
    )
    assert kinds(programs) == ['train', 'evaluate']
    kerasnets.Classifier([4, 7, 3]).train([X, Y], algo='sgd', epochs=1, jit=True)
    assert kinds(programs) == ['train', 'evaluate', 'train']


@tensorflow_only
def test_what_is_compiled_is_used_where_it_would_not_pay_to_compile(programs):
    for jit in ('auto', True, 'auto'):
        net, rows = dense()
        net.train(rows, epochs=1, jit=jit)
    assert [one.xla for one in programs._programs.values()] == [False, True]


@not_torch
def test_weights_of_penalties_are_values(programs):
    def trained(**keywords):
        net = kerasnets.Classifier([4, (6, 'tanh'), 3])
        net.train([X, Y], algo='sgd', learning_rate=0.1, epochs=1, jit=True, **keywords)
        return weights(net)

    shared = [trained(weight_l2=factor, hidden_l1=factor) for factor in (0.01, 3.0)]
    assert kinds(programs) == ['train']
    programs.clear()
    for a, b in zip(shared[1], trained(weight_l2=3.0, hidden_l1=3.0)):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(shared[0][0], shared[1][0])


@not_torch
def test_an_epoch_at_a_time_and_many_give_the_same_numbers():
    nets = [dense()[0] for _ in range(3)]
    keywords = dict(algo='adam', learning_rate=0.1, batch_size=8, jit=True, input_noise=0.3)
    nets[0].train([X, Y], epochs=30, patience=2, **keywords)
    for _ in nets[1].itertrain([X, Y], epochs=30, patience=2, **keywords):
        pass
    heard = []
    hear = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(logs))
    nets[2].train([X, Y], epochs=30, patience=2, callbacks=[hear], **keywords)
    first, *others = [[{**row, 'seconds': 0} for row in net.history] for net in nets]
    assert others == [first, first]
    assert [logs['loss'] for logs in heard] == [row['loss'] for row in first]
    for net in nets[1:]:
        for a, b in zip(weights(net), weights(nets[0])):
            np.testing.assert_array_equal(a, b)


@not_torch
@pytest.mark.parametrize('error', [KeyboardInterrupt, ValueError])
def test_parameters_are_copied_back_when_training_ends_early(error):
    def leave(epoch, logs):
        seen.append(weights(net))
        if epoch == 2:
            raise error

    seen = []
    net, rows = dense()
    stop = keras.callbacks.LambdaCallback(on_epoch_end=leave)
    keywords = dict(algo='sgd', learning_rate=0.1, jit=True)
    if error is KeyboardInterrupt:
        net.train(rows, epochs=9, callbacks=[stop], **keywords)
    else:
        with pytest.raises(error):
            net.train(rows, epochs=9, callbacks=[stop], **keywords)
    for a, b in zip(weights(net), seen[-1]):
        np.testing.assert_array_equal(a, b)
    whole = dense()[0]
    whole.train(rows, epochs=3, **keywords)
    for a, b in zip(weights(net), weights(whole)):
        np.testing.assert_allclose(a, b, atol=1e-6)


@not_torch
def test_two_threads_train_networks_of_one_structure(programs):
    def trained(net):
        net.train([X, Y], algo='adam', learning_rate=0.05, epochs=20, jit=True)

    alone = [kerasnets.Classifier([4, 6, 3], rng=seed) for seed in (1, 2)]
    for net in alone:
        trained(net)
    together = [kerasnets.Classifier([4, 6, 3], rng=seed) for seed in (1, 2)]
    threads = [threading.Thread(target=trained, args=[net]) for net in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together):
        for one, other in zip(weights(a), weights(b)):
            np.testing.assert_array_equal(one, other)


def test_the_cache_is_bounded_and_can_be_cleared():
    class Sized:
        bytes = 40

    kept = program.Cache(limit=100)
    for key in 'abcb':
        if kept.get(key) is None:
            kept.put(key, Sized())
    assert [key in kept for key in 'abc'] == [False, True, True]
    assert kept.made == 3
    kept.clear()
    assert 'b' not in kept
    kerasnets.clear_cache()


@not_torch
def test_unknown_structures_are_not_shared(programs):
    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    for net in (
        kerasnets.Classifier([4, Twice(), 3]),
        kerasnets.Classifier([4, dict(size=5, activation=lambda x: x), 3]),
        kerasnets.Regressor([4, 3], loss=lambda t, y: (t - y) ** 2),
    ):
        targets = Y if isinstance(net, kerasnets.Classifier) else np.eye(3)[Y]
        net.train([X, targets], algo='sgd', epochs=1)
    assert not kinds(programs)


@not_torch
def test_batches_of_a_layer_that_mixes_rows_are_not_padded():
    nets = []
    for jit in (True, False):
        net = kerasnets.Classifier([4, keras.layers.BatchNormalization(), 3])
        net.train([X, Y], jit=jit, algo='sgd', learning_rate=0.1, epochs=2, batch_size=20)
        nets.append(net)
    for a, b in zip(*(backend.values(net.model.variables) for net in nets)):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != 'torch', reason='of PyTorch')
def test_torch_says_that_it_does_not_compile():
    net, rows = dense()
    with pytest.raises(kerasnets.ConfigurationError, match=r'got PyTorch.*Leave out jit'):
        net.train(rows, jit=True)
