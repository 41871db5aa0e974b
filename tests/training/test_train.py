import logging
import os

import keras
import numpy as np
import pytest
from fresh import bare, run

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.programs.program import CACHE
from kerasnets.training import cost_model
from kerasnets.training.plan import Patience

RNG = np.random.default_rng(3)
X = RNG.normal(size=(96, 4)).astype('f')
Y = X[:, :3].argmax(1)
VALID = [RNG.normal(size=(33, 4)).astype('f'), RNG.integers(3, size=33)]


def values(net):
    return [p.get_value() for p in net.params]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b))


def test_patience():
    patience = Patience(1, 0.1)
    assert [patience.note(loss) for loss in (10, 9.5, 8.9, 8.8)] == [True, False, True, False]
    assert not patience.exhausted
    patience.note(8.7)
    assert patience.exhausted


def test_training_learns_what_can_be_learnt():
    net = kerasnets.Classifier([4, 12, 3])
    net.train([X, Y], algo='adam', learning_rate=0.02, epochs=80)
    assert net.score(X, Y) > 0.97


def test_monitors_are_those_of_the_data_named():
    net = kerasnets.Classifier([4, 5, 3])
    training, validation = net.train([X, Y], VALID, epochs=1, learning_rate=0)
    for monitors, data in ((training, [X, Y]), (validation, VALID)):
        assert list(monitors) == ['loss', 'err', 'acc']
        for name, value in net.evaluate(data).items():
            np.testing.assert_allclose(monitors[name], value, rtol=1e-5)
    assert training != validation


def test_the_mean_of_an_epoch_counts_every_example_once():
    net = kerasnets.Classifier([4, 5, 3], weighted=True)
    w = RNG.random(96).astype('f')
    p = net.predict_proba(X)[np.arange(96), Y]
    want = (w * -np.log(p)).sum() / w.sum()
    for batch_size in (7, 32, 96, 1000):
        training, _ = net.train([X, Y, w], epochs=1, learning_rate=0, batch_size=batch_size)
        np.testing.assert_allclose(training['loss'], want, rtol=1e-5)
        got = net.evaluate([X, Y, w], batch_size=batch_size)
        np.testing.assert_allclose(got['loss'], want, rtol=1e-5)
        right = net.predict(X) == Y
        np.testing.assert_allclose(got['acc'], (w * right).sum() / w.sum(), rtol=1e-5)


def test_itertrain_yields_once_an_epoch_and_stands_still_between():
    net = kerasnets.Classifier([4, 5, 3])
    seen = []
    for training, validation in net.itertrain([X, Y], VALID, epochs=4, learning_rate=0.01):
        before = values(net)
        now = net.evaluate([X, Y])
        assert same(values(net), before)
        seen.append((training['loss'], validation['loss'], now['loss']))
    assert len(seen) == 4
    assert len({loss for loss, _, _ in seen}) == 4
    # validated before the first epoch, and after the last
    assert [v for _, v, _ in seen][:3] == [seen[0][1]] * 3
    assert seen[3][1] != seen[0][1]


@pytest.mark.parametrize(('every', 'calls'), [(1, 6), (2, 4), (4, 3), (10, 2)])
def test_validate_every(every, calls):
    net = kerasnets.Classifier([4, 5, 3])
    count = []

    def valid():
        count.append(1)
        return VALID

    net.train([X, Y], valid, epochs=5, validate_every=every, valid_batches=1)
    assert len(count) == calls  # of them one before the first epoch


def test_the_best_parameters_are_restored():
    net = kerasnets.Classifier([4, 5, 3])
    best, lowest = values(net), net.evaluate(VALID)['loss']
    rates = iter([0.001, 0.001, 5.0, 5.0])

    class Rate(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = next(rates)

    for _, validation in net.itertrain(
        [X, Y], VALID, algo='sgd', epochs=4, validate_every=1, callbacks=[Rate()]
    ):
        if validation['loss'] < lowest:
            best, lowest = values(net), validation['loss']
        last = values(net)
    assert not same(last, best)
    assert same(values(net), best)


def test_patience_ends_training():
    net = kerasnets.Classifier([4, 5, 3])
    epochs = list(net.itertrain([X, Y], VALID, learning_rate=0, validate_every=2, patience=3))
    assert len(epochs) == 2 * 4  # the first validation is the best; the fourth failure ends it
    net = kerasnets.Classifier([4, 5, 3])
    epochs = list(net.itertrain([X, Y], learning_rate=0, validate_every=3, patience=1))
    assert len(epochs) == 9


def test_without_validation_the_training_data_is_evaluated():
    net = kerasnets.Classifier([4, 5, 3])
    pairs = list(net.itertrain([X, Y], epochs=3))
    assert all(training == validation for training, validation in pairs[:2])
    assert pairs[2][1] == pytest.approx(net.evaluate([X, Y]), abs=1e-6)


def test_one_seed_one_history():
    def history(seed):
        net = kerasnets.Classifier([4, 5, dict(form='Dropout', rate=0.5), 3], rng=seed)
        return [t['loss'] for t, _ in net.itertrain([X, Y], epochs=3, learning_rate=0.01)]

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_leaving_early_keeps_the_network_intact():
    net = kerasnets.Classifier([4, 5, 3])
    steps = net.itertrain([X, Y], VALID, epochs=50, learning_rate=0.05)
    next(steps)
    next(steps)
    now = values(net)
    steps.close()
    assert same(values(net), now)
    assert len(list(net.itertrain([X, Y], epochs=2))) == 2


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize('valid', [None, VALID])
def test_ctrl_c_keeps_the_best_parameters(valid, caplog):
    net = kerasnets.Classifier([4, 5, 3])
    kept = []
    with caplog.at_level(logging.WARNING, logger='kerasnets'):
        for _ in net.itertrain(
            [X, Y], valid, epochs=9, learning_rate=0.02, batch_size=32, callbacks=[Interrupt(3, 0)]
        ):
            kept.append(values(net))
    assert 'interrupted' in caplog.text
    assert len(kept) == 3
    if valid is None:
        assert same(values(net), kept[-1])  # whose training loss was the lowest
    before = net.evaluate([X, Y])['loss']
    net.train([X, Y], epochs=3, learning_rate=0.01)
    assert net.evaluate([X, Y])['loss'] < before


def test_a_loss_that_is_not_finite_stops_training(caplog):
    net = kerasnets.Classifier([4, 5, 3])
    before = values(net)
    with caplog.at_level(logging.WARNING, logger='kerasnets'):
        count = len(list(net.itertrain([X * 1e18, Y], algo='sgd', learning_rate=1e30, epochs=5)))
    assert count < 5
    assert 'training stops' in caplog.text
    assert np.isfinite(net.predict_proba(X)).all()
    assert all(np.isfinite(v).all() for v in values(net))
    assert len(before) == len(values(net))


def test_callbacks_see_one_training_of_the_networks_own_model():
    net = kerasnets.Classifier([4, 5, 3])
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(('begin', self.model is net.model))

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))

        def on_train_end(self, logs=None):
            seen.append('end')

    net.train([X, Y], VALID, epochs=2, callbacks=[Spy()])
    names = ['acc', 'err', 'loss']
    assert seen == [('begin', True), (0, names), (1, names + [f'val_{n}' for n in names]), 'end']


def test_keras_callbacks_work(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    k = keras.callbacks
    stop = k.EarlyStopping('val_loss', patience=1)
    epochs = list(
        net.itertrain(
            [X, Y],
            VALID,
            epochs=50,
            learning_rate=0,
            validate_every=1,
            patience=40,
            callbacks=[
                stop,
                k.ModelCheckpoint(tmp_path / 'best.keras', monitor='val_loss'),
                k.CSVLogger(tmp_path / 'log.csv'),
                k.ReduceLROnPlateau('val_loss'),
            ],
        )
    )
    assert len(epochs) == 2
    model = keras.saving.load_model(tmp_path / 'best.keras')
    np.testing.assert_allclose(model.predict(X, verbose=0), net.predict_proba(X), atol=1e-6)
    assert len((tmp_path / 'log.csv').read_text().splitlines()) == 3


def test_each_training_resets_the_optimizer():
    def twice(algo):
        net = kerasnets.Classifier([4, 5, 3])
        first = values(net)
        out = []
        for _ in range(2):
            for param, value in zip(net.params, first):
                param.set_value(value)
            net.train([X, Y], algo=algo, epochs=1, batch_size=96, learning_rate=0.01)
            out.append(values(net))
        return out

    for algo in ('adam', 'rmsprop'):
        for a, b in zip(*twice(algo)):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_second_training_compiles_nothing():
    net = kerasnets.Classifier([4, 5, 3])
    net.train([X, Y], epochs=1, learning_rate=0.1)
    optimizer, made = net.model.optimizer, CACHE.made
    net.train([X, Y], epochs=1, learning_rate=0.2)
    assert net.model.optimizer is optimizer
    assert CACHE.made == made
    np.testing.assert_allclose(float(net.model.optimizer.learning_rate), 0.2)


def test_training_by_the_function_of_keras_gives_what_plain_keras_gives(monkeypatch):
    """PyTorch and several devices train so, also where no callback listens."""
    monkeypatch.setattr(cost_model, 'settings_for_keras', lambda *args: {'jit_compile': False})
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    plain = keras.models.clone_model(net.model)
    plain.set_weights(net.model.get_weights())
    plain.compile(keras.optimizers.SGD(0.1), 'sparse_categorical_crossentropy')
    plain.fit(X, Y, batch_size=96, epochs=1, shuffle=False, verbose=0)
    net.train([X, Y], algo='sgd', learning_rate=0.1, batch_size=96, epochs=1)
    for ours, theirs in zip(net.model.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    net.train([X, Y], algo='sgd', learning_rate=0.1, epochs=12)
    assert len(net.history) == 13


def test_invalid_callbacks():
    net = kerasnets.Classifier([4, 3])
    for wrong in (3, [3], None):
        with pytest.raises(ConfigurationError, match=r'list of keras\.callbacks\.Callback'):
            net.train([X, Y], epochs=1, callbacks=wrong)
    net.train([X, Y], epochs=1, callbacks=keras.callbacks.TerminateOnNaN())


@pytest.mark.parametrize(
    ('kwargs', 'says'),
    [
        (dict(epoch=3), "unknown keyword of training 'epoch'.*Did you mean 'epochs'"),
        (dict(learning_rat=3), "Did you mean 'learning_rate'"),
        (dict(momentun=3), "Did you mean 'momentum'"),
        (dict(algo='adm'), "Did you mean 'adam'"),
        (dict(algo='adam', rprop_increase=2.0), "unknown keyword of training 'rprop_increase'"),
    ],
)
def test_misspelled_keywords(kwargs, says):
    net = kerasnets.Classifier([4, 3])
    for call in (net.train, net.itertrain):
        with pytest.raises(ConfigurationError, match=says):
            call([X, Y], **{'algo': 'sgd', **kwargs})


def test_no_epochs_no_training():
    net = kerasnets.Classifier([4, 3])
    before = values(net)
    assert net.train([X, Y], epochs=0) == ({}, {})
    assert same(values(net), before)


def test_steps_follow_the_gradient_exactly():
    """Five full-batch steps of SGD against numpy."""
    net = kerasnets.Classifier([4, 3])
    w, b = (net.find('out', p).get_value().astype('d') for p in 'wb')
    net.train([X, Y], algo='sgd', learning_rate=0.5, batch_size=96, epochs=5)
    for _ in range(5):
        p = np.exp(X @ w + b)
        g = (p / p.sum(1, keepdims=True) - np.eye(3)[Y]) / 96
        w, b = w - 0.5 * X.T @ g, b - 0.5 * g.sum(0)
    np.testing.assert_allclose(net.find('out', 'w').get_value(), w, atol=1e-5)
    np.testing.assert_allclose(net.find('out', 'b').get_value(), b, atol=1e-5)


def test_max_updates():
    counts = []
    for updates in (0, 1, 4, 7):
        net = kerasnets.Classifier([4, 5, 3])
        rounds = list(net.itertrain([X, Y], batch_size=32, max_updates=updates, algo='sgd'))
        counts.append(len(rounds))
        assert int(net.model.optimizer.iterations) == updates
    assert counts == [0, 1, 2, 3]  # of three batches each


def test_running_means_of_the_parameters_are_those_of_keras():
    """use_ema: at the end the parameters are the running means of those of each step."""
    options = dict(algo='sgd', learning_rate=0.5, batch_size=32, epochs=1)
    steps = []
    for updates in range(4):
        net = kerasnets.Classifier([4, 5, 3])
        net.train([X, Y], max_updates=updates, **options)
        steps.append(values(net))
    want = steps[1]  # Keras lets the mean start at the first step
    for step in steps[2:]:
        want = [0.8 * a + 0.2 * b for a, b in zip(want, step)]
    net = kerasnets.Classifier([4, 5, 3])
    net.train([X, Y], use_ema=True, ema_momentum=0.8, **options)
    for a, b in zip(values(net), want):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_batch_larger_than_the_data_is_the_data():
    x, y = np.eye(5, dtype='f'), np.array([0, 1, 2, 0, 1])
    net = kerasnets.Classifier([5, 3])
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.set_weights([p.get_value() for p in net.params])
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(x, y, batch_size=10**9, epochs=3, verbose=0, shuffle=False)
    net.train([x, y], batch_size=10**9, epochs=3, algo='sgd', learning_rate=0.1)
    for ours, theirs in zip(net.params, model.get_weights()):
        np.testing.assert_allclose(ours.get_value(), theirs, atol=1e-6)


LEFT = """
import keras, numpy as np, kerasnets
ended = keras.callbacks.LambdaCallback(on_train_end=lambda logs: print('ended'))
net = kerasnets.Classifier([4, 3])
epochs = net.itertrain([np.eye(4), [0, 1, 2, 0]], epochs=9, callbacks=[ended])
next(epochs)
"""


def test_a_training_that_is_left_ends_with_the_process():
    assert bare(LEFT) == 'ended\n'


def test_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy('mixed_bfloat16')
    try:
        net = kerasnets.recurrent.Classifier([4, (6, 'lstm'), (5, 'tanh'), 3])
        x, y = RNG.normal(size=(8, 5, 4)), RNG.integers(3, size=(8, 5))
        before = net.evaluate([x, y])['loss']
        net.train([x, y], algo='adam', learning_rate=0.05, epochs=20)
        assert net.evaluate([x, y])['loss'] < before - 0.1
        assert {v.dtype for v in net.model.trainable_variables} == {'float32'}
        assert net.layers[1].keras.compute_dtype == 'bfloat16'
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.skipif(keras.backend.backend() == 'torch', reason='it does not compile')
def test_xla_on_request_gives_the_same_numbers():
    nets = [kerasnets.Classifier([4, (6, 'tanh'), 3]) for _ in range(2)]
    for net, jit in zip(nets, (True, False)):
        net.train([X, Y], jit=jit, algo='adam', learning_rate=0.05, epochs=2)
    for a, b in zip(*map(values, nets)):
        np.testing.assert_allclose(a, b, atol=1e-5)
    with pytest.raises(ConfigurationError, match="jit as 'auto', True or False"):
        nets[0].train([X, Y], jit='xla')


MEMORY = """
import resource
import numpy as np
import kerasnets
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
x, y = np.ones((400_000, 200), 'float32'), np.zeros(400_000, 'int32')
x[:] = np.random.default_rng(1).random((1, 200))
net = kerasnets.Classifier([200, 4, 3])
options = dict(epochs=1, train_batches=20, batch_size=256)
net.train([x[:5120], y[:5120]], **options)
net.predict(x[:5120])
before = peak()
net.train([x, y], **options)
net.evaluate([x[:100_000], y[:100_000]])
trained = peak()
net.predict(x)
print(x.nbytes / 2**20, trained - before, peak() - trained)
"""


def test_a_large_array_is_never_copied_whole():
    """Row 22, in megabytes of a fresh process."""
    size, training, predicting = map(float, run(MEMORY).split())
    assert size > 300
    assert training < 0.4 * size
    assert predicting < 0.4 * size


GROWTH = """
import gc
import numpy as np
import kerasnets

def memory():
    gc.collect()
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096 / 2**20

x, y = np.eye(6, dtype='f'), np.arange(6) % 3

def networks(count):
    for i in range(count):
        net = kerasnets.Classifier([6, (8, 'tanh'), 3])
        net.train([x, y], algo='adam', learning_rate=0.001 * (i + 1), epochs=2)
        net.predict(x)
    return net

networks(20)
start = memory()
net = networks(300)
made = memory() - start
start = memory()
for _ in range(200):
    net.train([x, y], algo='adam', epochs=1)
print(made, memory() - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='of Linux')
def test_networks_and_trainings_leave_no_memory_behind():
    """Row 25, in megabytes of a fresh process."""
    made, trained = map(float, run(GROWTH).split())
    assert made < 20
    assert trained < 1


def test_optimizers_have_no_names_of_their_own(rng):
    """TensorFlow keeps 32 kB for each name of a variable that it has seen."""
    paths = []
    for _ in range(2):
        net = kerasnets.Classifier([3, 4, 2])
        x = rng.normal(size=(8, 3)).astype('f')
        net.train([x, x[:, :2].argmax(1)], algo='adam', epochs=1)
        paths.append([variable.path for variable in net.model.optimizer.variables])
    assert paths[0] == paths[1]
