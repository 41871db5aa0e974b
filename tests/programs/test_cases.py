"""Cases that once went wrong, and all of their kinds. Plain Keras says what is right."""

import contextlib
import copy
import functools
import gc
import logging
import signal
import weakref

import judges
import keras
import numpy as np
import pytest
from fresh import run

import kerasnets

RNG = np.random.default_rng(11)
X = RNG.normal(size=(40, 5)).astype('f')
Y = X[:, :3].argmax(1)
VALID_X = RNG.normal(size=(30, 5)).astype('f')
VALID = [VALID_X, VALID_X[:, :3].argmax(1)]
SEQUENCES = RNG.normal(size=(40, 6, 5)).astype('f')
STEPS = SEQUENCES[:, :, :3].argmax(2)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == 'torch', reason='nothing is compiled or shared'
)
slow = pytest.mark.slow
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='needs TensorFlow'
)


def dense(rng=1):
    return kerasnets.Classifier([5, (6, 'tanh'), 3], rng=rng)


@keras.saving.register_keras_serializable('kerasnets_tests')
class Scale(keras.layers.Layer):
    """A user's layer: multiplies by a variable, and raises if it is told to."""

    broken = False

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer='ones', name='scale')

    def call(self, x):
        if self.broken:
            raise RuntimeError('broken')
        return x * self.scale


#: Kind -> (a network of a seed, inputs, labels).
KINDS = {
    'dense': (dense, X, Y),
    'lstm': (
        lambda rng: kerasnets.recurrent.Classifier([5, (4, 'lstm'), 3], rng=rng),
        SEQUENCES,
        STEPS,
    ),
    'normalization': (
        lambda rng: kerasnets.Classifier(
            [5, keras.layers.BatchNormalization(), (6, 'tanh'), 3], rng=rng
        ),
        X,
        Y,
    ),
    'own layer': (lambda rng: kerasnets.Classifier([5, Scale(), (6, 'tanh'), 3], rng=rng), X, Y),
    'dropout': (
        lambda rng: kerasnets.Classifier(
            [5, dict(form='Dropout', rate=0.5), (6, 'tanh'), 3], rng=rng
        ),
        X,
        Y,
    ),
}


def halves(x, y):
    """Return two batches of 20 rows."""
    return [[x[:20], y[:20]], [x[20:], y[20:]]]


class InTurn:
    """A callable that returns the batches of a list in turn; at one of its calls it raises."""

    def __init__(self, batches, at=None, error=None):
        self.batches, self.at, self.error = batches, at, error
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return self.batches[(self.calls - 1) % len(self.batches)]


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


#: The same algorithm by name, and three epochs of two batches.
OPTIONS = dict(
    algo='sgd', momentum=0.9, learning_rate=0.1, train_batches=2, epochs=3, validate_every=1
)


@functools.cache
def course(rng):
    """Return what plain Keras makes of a dense network in six updates, and its beginning."""
    return judges.course(judges.copy(dense(rng).model), sgd(), halves(X, Y) * 3)


# A1: exceptions


def raising(method, at, error):
    """Return a callback one of whose methods raises, and the values that it saw by then."""
    seen, calls = [], []

    def fail(self, *args, **kwargs):
        calls.append(method)
        if len(calls) == at:
            if not method.startswith('set_'):
                seen.extend(self.model.get_weights())
            raise error
        return

    return type('Raises', (keras.callbacks.Callback,), {method: fail})(), seen


@contextlib.contextmanager
def raised(error):
    """Expect an error; an interruption may also end training without one."""
    if error is KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    else:
        with pytest.raises(error):
            yield


#: Method of a callback -> (the call of it that raises, updates that are made by then).
MOMENTS = {
    'set_params': (1, 0),
    'set_model': (1, 0),
    'on_train_begin': (1, 0),
    'on_epoch_begin': (2, 2),
    'on_train_batch_begin': (4, 3),
    'on_batch_begin': (4, 3),
    'on_train_batch_end': (4, 4),
    'on_batch_end': (4, 4),
    'on_test_begin': (2, 4),
    'on_test_batch_begin': (2, 4),
    'on_test_batch_end': (2, 4),
    'on_test_end': (2, 4),
    'on_epoch_end': (2, 4),
    'on_train_end': (1, 6),
}

#: Those that are called between whole epochs, where an epoch may be one computation.
BETWEEN = ['on_train_begin', 'on_epoch_begin', 'on_test_begin', 'on_epoch_end', 'on_train_end']

#: Those that are tried in the default run, beside those with a RuntimeError and without XLA.
USUAL = [
    ('on_epoch_begin', False, KeyboardInterrupt),
    ('on_epoch_end', False, KeyboardInterrupt),
    ('on_epoch_end', True, RuntimeError),
]
UNUSUAL = ('set_params', 'on_batch_begin', 'on_batch_end', 'on_train_batch_begin')


def moments():
    """Yield each method with and without XLA, and each error; the rarer ones are slow."""
    for method in MOMENTS:
        for jit in (False, True) if method in BETWEEN else (False,):
            for error in (RuntimeError, KeyboardInterrupt):
                usual = error is RuntimeError and not jit and method not in UNUSUAL
                usual = usual or (method, jit, error) in USUAL
                yield pytest.param(method, jit, error, marks=() if usual else slow)


def test_every_method_of_a_callback_is_among_the_moments():
    methods = {name for name in dir(keras.callbacks.Callback) if name.startswith(('on_', 'set_'))}
    assert methods == {*MOMENTS} | {name for name in methods if 'predict' in name}


@pytest.mark.parametrize(('method', 'jit', 'error'), [*moments()])
def test_after_an_error_in_a_callback_a_network_has_its_own_last_values(method, jit, error):
    at, updates = MOMENTS[method]
    before, failing, after = dense(1), dense(2), dense(3)
    before.train(InTurn(halves(X, Y)), VALID, jit=jit, **OPTIONS)
    kept, started = judges.values(before), judges.values(failing)
    callback, seen = raising(method, at, error)
    with raised(error):
        failing.train(InTurn(halves(X, Y)), VALID, jit=jit, callbacks=[callback], **OPTIONS)
    found = judges.values(failing)
    if error is RuntimeError:
        judges.assert_equal(found, seen or started)
        judges.assert_close(found, course(2)[updates])
    else:  # the better ones of this moment and of the last epoch
        possible = [course(2)[i] for i in (updates, updates - updates % 2)]
        assert any(judges.is_close(found, values) for values in possible)
    if not updates:
        judges.assert_equal(found, started)
    judges.assert_equal(judges.values(before), kept)
    judges.assert_close(kept, course(1)[6])
    after.train(InTurn(halves(X, Y)), VALID, jit=jit, **OPTIONS)
    judges.assert_close(judges.values(after), course(3)[6])


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize('method', ['set_params', 'on_train_begin', 'on_epoch_begin'])
@pytest.mark.parametrize('jit', [False, pytest.param(True, marks=slow)])
def test_an_error_before_the_first_step_leaves_the_values_of_before(jit, method, error):
    options = dict(algo='sgd', learning_rate=0.1, batch_size=40, epochs=3, jit=jit)
    before, failing = dense(1), dense(2)
    before.train([X, Y], **options)
    kept, started = judges.values(before), judges.values(failing)
    callback, _ = raising(method, 1, error)
    with raised(error):
        failing.train([X, Y], callbacks=[callback], **options)
    judges.assert_equal(judges.values(failing), started)
    judges.assert_equal(judges.values(before), kept)
    assert failing.history == []


def test_a_network_trains_on_after_an_error():
    for error in (RuntimeError, KeyboardInterrupt):
        net = dense(2)
        with raised(error):
            callback, _ = raising('on_epoch_end', 1, error)
            net.train(InTurn(halves(X, Y)), VALID, callbacks=[callback], **OPTIONS)
        expected = judges.course(judges.copy(net.model), sgd(), halves(X, Y) * 3)
        net.train(InTurn(halves(X, Y)), VALID, **OPTIONS)
        judges.assert_close(judges.values(net), expected[6])


@pytest.mark.parametrize(
    ('kind', 'method'),
    [
        ('lstm', 'on_epoch_begin'),
        ('normalization', 'on_epoch_begin'),
        pytest.param('own layer', 'on_epoch_begin', marks=slow),
        pytest.param('dropout', 'on_epoch_begin', marks=slow),
        *(
            pytest.param(kind, 'on_train_batch_end', marks=slow)
            for kind in ('lstm', 'normalization', 'own layer', 'dropout')
        ),
    ],
)
def test_the_same_holds_of_other_layers(kind, method):
    make, x, y = KINDS[kind]
    at, updates = MOMENTS[method]
    options = {**OPTIONS, 'jit': False}
    before, failing = make(1), make(2)
    before.train(InTurn(halves(x, y)), **{**options, 'epochs': 1})
    kept, model = judges.values(before), judges.copy(failing.model)
    callback, seen = raising(method, at, RuntimeError)
    with pytest.raises(RuntimeError):
        failing.train(InTurn(halves(x, y)), callbacks=[callback], **options)
    judges.assert_equal(judges.values(failing), seen)
    judges.assert_equal(judges.values(before), kept)
    if kind != 'dropout':
        expected = judges.course(model, sgd(), halves(x, y) * 2)
        judges.assert_close(judges.values(failing), expected[updates])


#: Algorithms of Keras, each with a function that makes one.
ALGORITHMS = {
    'adam': lambda: keras.optimizers.Adam(0.02),
    'adamw': lambda: keras.optimizers.AdamW(0.02, weight_decay=0.1),
    'rmsprop': lambda: keras.optimizers.RMSprop(0.02, momentum=0.5),
    'nadam': lambda: keras.optimizers.Nadam(0.02),
}


@pytest.mark.parametrize(
    'algo', ['adam', *(pytest.param(a, marks=slow) for a in ALGORITHMS if a != 'adam')]
)
def test_the_same_holds_of_other_algorithms(algo):
    make = ALGORITHMS[algo]
    before, failing = dense(1), dense(2)
    options = dict(train_batches=2, epochs=3, jit=False)
    before.train(InTurn(halves(X, Y)), algo=make(), **options)
    kept = judges.values(before)
    callback, seen = raising('on_epoch_begin', 3, RuntimeError)
    optimizer = make()
    with pytest.raises(RuntimeError):
        failing.train(InTurn(halves(X, Y)), algo=optimizer, callbacks=[callback], **options)
    judges.assert_equal(judges.values(failing), seen)
    judges.assert_equal(judges.values(before), kept)
    model, plain = judges.copy(dense(2).model), make()
    expected = judges.course(model, plain, halves(X, Y) * 2)
    judges.assert_close(judges.values(failing), expected[4])
    assert int(optimizer.iterations) == 4
    judges.assert_close(*(judges.arrays(one.variables) for one in (optimizer, plain)))


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize('at', [2, 3, 4])
@pytest.mark.parametrize('jit', [False, pytest.param(True, marks=slow)])
def test_data_that_raises_leaves_values_of_the_networks_own_course(jit, at, error):
    before, failing = dense(1), dense(2)
    before.train(InTurn(halves(X, Y)), jit=jit, **OPTIONS)
    kept = judges.values(before)
    with raised(error):
        failing.train(InTurn(halves(X, Y), at, error), jit=jit, **OPTIONS)
    found = judges.values(failing)
    assert any(judges.is_close(found, values) for values in course(2)[:at])
    judges.assert_equal(judges.values(before), kept)
    iterations = int(failing.model.optimizer.iterations)
    if error is RuntimeError:
        judges.assert_close(found, course(2)[iterations])
    judges.assert_close(judges.values(before), course(1)[6])


def test_data_that_raises_in_single_steps_leaves_the_values_of_the_last_step():
    failing, seen = dense(2), []

    class Steps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights())

    with pytest.raises(RuntimeError, match='no more'):
        failing.train(
            InTurn(halves(X, Y), 4, RuntimeError('no more')), callbacks=[Steps()], **OPTIONS
        )
    judges.assert_equal(judges.values(failing), seen[-1])
    judges.assert_close(seen[-1], course(2)[len(seen)])


@pytest.mark.parametrize('jit', [False, True])
def test_callbacks_hear_of_each_batch_of_a_validation_as_in_keras(jit):
    class Tests(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_test_batch_begin(self, batch, logs=None):
            self.seen.append(batch)

        def on_test_batch_end(self, batch, logs=None):
            self.seen.append((batch, logs['loss']))

    ours, theirs = Tests(), Tests()
    net = dense(1)
    plain = judges.copy(net.model)
    options = dict(epochs=2, batch_size=20)
    net.train(
        [X, Y], VALID, algo='sgd', learning_rate=1e-9, validate_every=1, jit=jit,
        callbacks=[ours], **options,
    )  # fmt: skip
    plain.compile(keras.optimizers.SGD(1e-9), judges.LABELS)
    plain.fit(X, Y, validation_data=tuple(VALID), validation_batch_size=20, callbacks=[theirs],
              verbose=0, **options)  # fmt: skip
    assert [np.shape(one) for one in ours.seen] == [np.shape(one) for one in theirs.seen]
    for one, other in zip(ours.seen, theirs.seen):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_validation_data_that_raises_leaves_the_values_of_the_last_epoch():
    failing = dense(2)
    valid = InTurn([VALID], 3, RuntimeError('no more'))
    with pytest.raises(RuntimeError, match='no more'):
        failing.train(InTurn(halves(X, Y)), valid, valid_batches=1, jit=False, **OPTIONS)
    judges.assert_close(judges.values(failing), course(2)[4])


def test_a_layer_that_raises_while_it_is_traced_changes_nothing(monkeypatch):
    make, x, y = KINDS['own layer']
    net, other = make(2), make(3)
    other.train([x, y], algo='sgd', epochs=1)
    kept, before = judges.values(other), judges.values(net)
    monkeypatch.setattr(Scale, 'broken', True)
    for call in (
        lambda: net.train([x, y], algo='sgd', epochs=2),
        lambda: net.predict(x),
    ):
        with pytest.raises(RuntimeError, match='broken'):
            call()
    monkeypatch.setattr(Scale, 'broken', False)
    judges.assert_equal(judges.values(net), before)
    judges.assert_equal(judges.values(other), kept)
    expected = judges.course(judges.copy(net.model), sgd(), halves(x, y) * 3)
    net.train(InTurn(halves(x, y)), **OPTIONS)
    judges.assert_close(judges.values(net), expected[6])


@slow
@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='needs a timer of Unix')
def test_ctrl_c_at_any_moment_leaves_values_of_the_networks_own_course():
    epochs, draw = 200, np.random.default_rng(3)
    options = dict(algo='sgd', learning_rate=0.1, batch_size=40, epochs=epochs, jit=False)
    expected = judges.course(
        judges.copy(dense(2).model), keras.optimizers.SGD(0.1), [[X, Y]] * epochs
    )
    before = dense(1)
    before.train([X, Y], VALID, **options)
    dense(2).train([X, Y], VALID, **options)
    kept = judges.values(before)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(40):
            net = dense(2)
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.001, 0.3))
                net.train([X, Y], VALID, **options)
            except KeyboardInterrupt:
                pass
            except SystemError as error:  # of numpy, where the interruption came inside of it
                if not isinstance(error.__cause__, KeyboardInterrupt):
                    raise
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            found = judges.values(net)
            assert any(judges.is_close(found, values, 1e-4) for values in expected)
            judges.assert_equal(judges.values(before), kept)
    finally:
        signal.signal(signal.SIGALRM, handler)


FRESH = """
import sys
import numpy as np
from conftest import _prepare
from test_cases import FRESH_OPTIONS, KINDS
_prepare()
make, x, y = KINDS['dropout']
net = make(3)
net.train([x, y], jit=False, **FRESH_OPTIONS)
np.savez(sys.argv[1], *[p.get_value() for p in net.params])
"""

FRESH_OPTIONS = dict(algo='adam', learning_rate=0.02, epochs=4, batch_size=16, input_noise=0.2)


@slow
def test_noise_after_an_error_of_another_network_is_that_of_a_fresh_process(tmp_path):
    make, x, y = KINDS['dropout']
    for method in ('on_epoch_begin', 'on_epoch_end'):
        callback, _ = raising(method, 2, RuntimeError)
        with pytest.raises(RuntimeError):
            make(2).train([x, y], jit=False, callbacks=[callback], **FRESH_OPTIONS)
    net = make(3)
    net.train([x, y], jit=False, **FRESH_OPTIONS)
    run(FRESH, tmp_path / 'fresh.npz')
    with np.load(tmp_path / 'fresh.npz') as found:
        judges.assert_equal([p.get_value() for p in net.params], [found[n] for n in found.files])


# A2: trainings in turn

WHOLE = dict(algo='sgd', momentum=0.9, batch_size=40, validate_every=100)


@functools.cache
def whole_course(rng, rate):
    """Return what plain Keras makes of a dense network in six updates with all rows."""
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    return judges.course(judges.copy(dense(rng).model), optimizer, [[X, Y]] * 6)


def start(net, rate, jit, **options):
    return net.itertrain([X, Y], learning_rate=rate, jit=jit, **{**WHOLE, 'epochs': 6, **options})


@pytest.mark.parametrize('jit', [False, pytest.param(True, marks=slow)])
def test_two_trainings_in_turn_are_as_alone(jit):
    a, b = dense(1), dense(2)
    runs = [(a, 1, 0.1), (b, 2, 0.05)]
    steps = [start(net, rate, jit) for net, _, rate in runs]
    for epoch in range(1, 7):
        for (net, rng, rate), each in zip(runs, steps):
            next(each)
            judges.assert_close(judges.values(net), whole_course(rng, rate)[epoch])
            net.predict(X)
        if epoch == 3:
            a.evaluate([X, Y])
    for (net, rng, rate), each in zip(runs, steps):
        assert next(each, None) is None
        judges.assert_close(judges.values(net), whole_course(rng, rate)[6])


@pytest.mark.parametrize('jit', [False, pytest.param(True, marks=slow)])
@pytest.mark.parametrize('end', ['close', 'forget', 'fail'])
def test_a_training_that_ends_early_leaves_the_other_alone(end, jit):
    a, b = dense(1), dense(2)
    callback, _ = raising('on_epoch_begin', 3, RuntimeError)
    first = start(a, 0.1, jit)
    second = start(b, 0.05, jit, callbacks=[callback] if end == 'fail' else [])
    for _ in range(2):
        next(first)
        next(second)
    if end == 'fail':
        with pytest.raises(RuntimeError):
            next(second)
    elif end == 'close':
        second.close()
    else:
        del second
        gc.collect()
    judges.assert_close(judges.values(b), whole_course(2, 0.05)[2])
    judges.assert_close(judges.values(a), whole_course(1, 0.1)[2])
    third = dense(3)
    steps = start(third, 0.1, jit)
    for _ in first:
        next(steps)
    next(steps)
    next(steps)
    judges.assert_close(judges.values(a), whole_course(1, 0.1)[6])
    judges.assert_close(judges.values(third), whole_course(3, 0.1)[6])
    judges.assert_close(judges.values(b), whole_course(2, 0.05)[2])


@slow
def test_two_trainings_of_one_network_in_turn_share_its_values():
    """Each goes on from the values of the moment, with an optimizer state of its own or not."""
    net, model = dense(1), judges.copy(dense(1).model)
    steps = [start(net, rate, False, algo='sgd', momentum=0.0) for rate in (0.1, 0.1)]
    for each in steps * 2:
        next(each)
    expected = judges.course(model, keras.optimizers.SGD(0.1), [[X, Y]] * 4)
    judges.assert_close(judges.values(net), expected[4])


# A4, A5: what changes between two trainings


def train_both(net, model, make, data=(X, Y), epochs=3, loss=judges.LABELS, jit=False):
    """Train a network, and a plain model as Keras does; check that the values are equal."""
    net.train(list(data), algo=make(), batch_size=len(data[0]), epochs=epochs, jit=jit)
    expected = judges.course(model, make(), [data] * epochs, loss)[-1]
    judges.assert_close(judges.values(net), expected)


def small_sgd():
    return keras.optimizers.SGD(0.05, momentum=0.5)


@pytest.mark.parametrize(
    ('kind', 'make', 'jit'),
    [
        ('dense', small_sgd, False),
        ('dense', ALGORITHMS['adam'], False),
        ('normalization', small_sgd, False),
        pytest.param('lstm', small_sgd, False, marks=slow),
        pytest.param('own layer', small_sgd, False, marks=slow),
        *(
            pytest.param('dense', make, jit, marks=slow)
            for make in ALGORITHMS.values()
            for jit in (False, True)
        ),
    ],
)
def test_a_frozen_layer_stays_and_the_rest_is_trained(kind, make, jit):
    build, x, y = KINDS[kind]
    net = build(1)
    model = judges.copy(net.model)
    train_both(net, model, make, (x, y), jit=jit)
    for frozen in (True, False):
        layers = [one.layers[0] for one in (net.model, model)]
        for layer in layers:
            layer.trainable = not frozen
        before = layers[0].get_weights()
        train_both(net, model, make, (x, y), jit=jit)
        same = [np.array_equal(a, b) for a, b in zip(before, layers[0].get_weights())]
        assert all(same) if frozen else not any(same)


@pytest.mark.parametrize(
    'algo', [pytest.param(algo, marks=slow) for algo in ('adam', 'rmsprop', 'sgd')]
)
def test_algorithms_by_name_train_what_is_not_frozen(algo):
    net, other = dense(1), dense(1)
    other.model.layers[1].trainable = False
    for frozen in (True, False, True):
        net.model.layers[0].trainable = not frozen
        for one in (net, other):
            before = [layer.kernel.numpy() for layer in one.model.layers]
            one.train([X, Y], algo=algo, learning_rate=0.01, epochs=2)
            changed = [
                not np.array_equal(a, layer.kernel.numpy())
                for a, layer in zip(before, one.model.layers)
            ]
            assert changed == ([not frozen, True] if one is net else [True, False])


@slow
def test_a_layer_frozen_before_the_first_training():
    nets = [dense(1), dense(1)]
    models = [judges.copy(net.model) for net in nets]
    for one in (nets[1].model, models[1]):
        one.layers[1].trainable = False
    for net, model in zip(nets, models):
        train_both(net, model, small_sgd)


def _activate(model):
    model.layers[0].activation = keras.activations.relu


def _fix(model):
    model.layers[0].kernel.trainable = False


def _constrain(model):
    model.layers[0].kernel.constraint = keras.constraints.NonNeg()


def _limit(model):
    model.layers[1].bias.constraint = keras.constraints.MaxNorm(0.01)


def _regularize(model):
    model.layers[0].kernel.regularizer = keras.regularizers.L2(0.5)


def _quiet(model):
    model.layers[0].activity_regularizer = keras.regularizers.L2(0.01)


CHANGES = {
    'trainable': _fix,
    'constraint': _constrain,
    'constraint of a bias': _limit,
    'regularizer': _regularize,
    'activation': _activate,
    'activity regularizer': _quiet,
}


@pytest.mark.parametrize(
    'change',
    [
        pytest.param(
            c,
            marks=slow
            if c in ('activation', 'activity regularizer', 'constraint of a bias')
            else (),
        )
        for c in CHANGES
    ],
)
@pytest.mark.parametrize('jit', [False, pytest.param(True, marks=slow)])
def test_what_is_set_on_a_variable_or_a_layer_counts_from_then_on(change, jit):
    net, other = dense(1), dense(2)
    models = [judges.copy(one.model) for one in (net, other)]
    train_both(net, models[0], small_sgd, jit=jit)
    for model in (net.model, models[0]):
        CHANGES[change](model)
    train_both(net, models[0], small_sgd, jit=jit)
    train_both(other, models[1], small_sgd, jit=jit)  # of which nothing was changed
    np.testing.assert_allclose(net.predict_proba(X), models[0](X), atol=1e-5)
    np.testing.assert_allclose(
        net.evaluate([X, Y])['loss'],
        models[0].evaluate(X, Y, batch_size=40, verbose=0),
        rtol=1e-4,
    )


def test_what_is_taken_back_counts_no_more():
    net = dense(1)
    model = judges.copy(net.model)
    for constraint in (keras.constraints.NonNeg(), None, keras.constraints.UnitNorm()):
        for one in (net.model, model):
            one.layers[0].kernel.constraint = constraint
        train_both(net, model, small_sgd)


def test_settings_of_normalization_and_dropout_count_from_then_on():
    net = kerasnets.Classifier(
        [5, keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), (6, 'tanh'), 3]
    )
    net.train([X, Y], algo='sgd', epochs=1, batch_size=40)
    model = judges.copy(net.model)
    for one in (net.model, model):
        one.layers[0].momentum, one.layers[0].epsilon = 0.5, 0.1
        one.layers[1].rate = 0.0
    train_both(net, model, small_sgd)
    np.testing.assert_allclose(net.predict_proba(X), model(X), atol=1e-5)


#: What is changed in an optimizer -> the optimizer, the attribute and its new value.
SETTINGS = {
    'rate': (small_sgd, 'learning_rate', 0.01),
    'momentum': (small_sgd, 'momentum', 0.9),
    'beta': (lambda: keras.optimizers.Adam(0.02), 'beta_1', 0.5),
    'decay': (lambda: keras.optimizers.AdamW(0.02), 'weight_decay', 0.9),
    'clipping': (small_sgd, 'clipnorm', 0.01),
}


@pytest.mark.parametrize(
    'setting',
    [pytest.param(s, marks=() if s in ('rate', 'momentum') else slow) for s in SETTINGS],
)
def test_what_is_set_on_an_optimizer_counts_from_then_on(setting):
    make, name, value = SETTINGS[setting]
    net, other = dense(1), dense(1)
    model, plain, optimizer = judges.copy(net.model), make(), make()
    train_both(other, judges.copy(other.model), make)
    options = dict(algo=optimizer, batch_size=40, epochs=2, jit=False)
    net.train([X, Y], **options)
    judges.assert_close(judges.values(net), judges.course(model, plain, [[X, Y]] * 2)[-1])
    for one in (optimizer, plain):
        setattr(one, name, value)
    net.train([X, Y], **options)  # its state goes on, as that of an optimizer of Keras does
    judges.assert_close(judges.values(net), judges.course(model, plain, [[X, Y]] * 2)[-1])


@tensorflow_only
@pytest.mark.parametrize('rate', ['function', 'schedule'])
def test_a_rate_that_is_a_function_or_a_schedule(rate):
    rates = {
        'function': lambda: lambda: 0.1,
        'schedule': lambda: keras.optimizers.schedules.ExponentialDecay(0.2, 1, 0.5),
    }
    net, other = dense(1), dense(1)
    train_both(net, judges.copy(net.model), lambda: keras.optimizers.SGD(rates[rate]()))
    train_both(other, judges.copy(other.model), lambda: keras.optimizers.SGD(0.01))


# A6: weights that do not decay


@pytest.mark.parametrize('how', ['names', 'variables'])
def test_variables_excluded_from_weight_decay_do_not_decay(how):
    def excluding(model):
        made = keras.optimizers.AdamW(0.01, weight_decay=5.0)
        if how == 'names':
            made.exclude_from_weight_decay(var_names=['kernel'])
        else:
            made.exclude_from_weight_decay(var_list=[model.layers[1].kernel])
        return made

    first, net = dense(1), dense(1)
    model = judges.copy(net.model)
    train_both(
        first,
        judges.copy(first.model),
        lambda: keras.optimizers.AdamW(0.01, weight_decay=5.0),
        epochs=1,
    )
    optimizer = excluding(net.model)
    net.train([X, Y], algo=optimizer, batch_size=40, epochs=1, jit=False)
    judges.assert_close(
        judges.values(net), judges.course(model, excluding(model), [[X, Y]])[-1], 1e-6
    )


# A7: what Normalization adapted to


def adapted(data):
    layer = keras.layers.Normalization()
    layer.adapt(data)
    return layer


def check_normalized(net, scale, make=small_sgd):
    """Check a network whose first layer is a Normalization against one without, in numpy."""
    after = [layer for layer in net.model.layers if 'normalization' not in layer.name]
    model = keras.Sequential(
        [keras.Input((5,)), *(type(x).from_config(x.get_config()) for x in after)]
    )
    for layer, plain in zip(after, model.layers):
        plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(net.predict_proba(X), model(scale(X)), atol=1e-5)
    model.compile(loss=judges.LABELS)
    loss = model.evaluate(scale(X), Y, batch_size=40, verbose=0)
    np.testing.assert_allclose(net.evaluate([X, Y])['loss'], loss, rtol=1e-4)
    net.train([X, Y], algo=make(), batch_size=40, epochs=2, jit=False)
    expected = judges.course(model, make(), [[scale(X), Y]] * 2)[-1]
    judges.assert_close([v for layer in after for v in layer.get_weights()], expected)
    np.testing.assert_allclose(net.predict_proba(X), model(scale(X)), atol=1e-5)


def standardized(data):
    return lambda x: ((x - data.mean(0)) / data.std(0)).astype('f')


def test_networks_normalize_with_what_their_own_layer_adapted_to():
    others = [X * 3 + 5, X * 0.2 - 1]
    nets = [kerasnets.Classifier([5, adapted(data), (6, 'tanh'), 3]) for data in others]
    for net, data in zip(nets, others):
        check_normalized(net, standardized(data))


@slow
def test_a_mean_that_is_given_counts():
    fixed = keras.layers.Normalization(mean=2.0, variance=9.0)
    net = kerasnets.Classifier([5, fixed, (6, 'tanh'), 3])
    check_normalized(net, lambda x: (x - 2) / 3)


@slow
def test_what_a_layer_adapts_to_later_counts_from_then_on():
    net = kerasnets.Classifier([5, adapted(X), (6, 'tanh'), 3])
    for data in (X, X - 7):
        net.model.layers[0].adapt(data)
        check_normalized(net, standardized(data))


# A8: losses of layers


@keras.saving.register_keras_serializable('kerasnets_tests')
class Sparse(keras.layers.Layer):
    """A user's layer that adds a loss."""

    def call(self, x):
        self.add_loss(0.1 * keras.ops.sum(keras.ops.abs(x)))
        return x


L1, L2 = keras.regularizers.L1, keras.regularizers.L2

#: What adds a loss -> layers of a classifier.
ADDING = {
    'kernel': lambda: [5, keras.layers.Dense(6, 'tanh', kernel_regularizer=L2(10.0)), 3],
    'keyword': lambda: [5, dict(size=6, activation='tanh', kernel_regularizer=L2(10.0)), 3],
    'bias': lambda: [5, keras.layers.Dense(6, 'tanh', bias_regularizer=L1(0.5)), 3],
    'activity': lambda: [5, keras.layers.Dense(6, 'tanh', activity_regularizer=L2(0.1)), 3],
    'layer': lambda: [5, (6, 'tanh'), keras.layers.ActivityRegularization(l1=0.1, l2=0.2), 3],
    'own layer': lambda: [5, (6, 'tanh'), Sparse(), 3],
    'scale': lambda: [5, keras.layers.BatchNormalization(gamma_regularizer=L2(0.5)), 3],
}


def check_losses_of_layers(net, x, y):
    """Check 'loss' of evaluation and training, and the values after training."""
    model = judges.copy(net.model)
    model.compile(keras.optimizers.SGD(0.005), judges.LABELS, run_eagerly=True)
    for size in (16, 40):
        expected = model.evaluate(x, y, batch_size=size, verbose=0)
        assert net.evaluate([x, y], batch_size=size)['loss'] == pytest.approx(expected, rel=1e-4)
    shown, _ = net.train(
        InTurn(halves(x, y)), algo='sgd', learning_rate=0.005, epochs=1, train_batches=2, jit=False
    )
    history = model.fit(x, y, batch_size=20, shuffle=False, verbose=0).history
    assert shown['loss'] == pytest.approx(history['loss'][0], rel=1e-4)
    judges.assert_close(judges.values(net), model.get_weights())


@pytest.mark.parametrize(
    'what',
    [pytest.param(what, marks=() if what in ('kernel', 'own layer') else slow) for what in ADDING],
)
def test_losses_of_layers_are_part_of_the_loss(what):
    net = kerasnets.Classifier(ADDING[what]())
    plain = kerasnets.Classifier([5, (6, 'tanh'), 3])
    plain.train([X, Y], algo='sgd', epochs=1)
    check_losses_of_layers(net, X, Y)
    both = net.evaluate([X, Y])
    p = net.predict_proba(X)[np.arange(40), Y]
    assert both['err'] == pytest.approx(-np.log(p).mean(), rel=1e-4)
    assert both['loss'] > both['err'] + 1e-3


@slow
def test_losses_of_recurrent_layers_are_part_of_the_loss():
    layer = keras.layers.LSTM(
        4, return_sequences=True, recurrent_regularizer=L2(0.5), activity_regularizer=L2(0.01)
    )
    check_losses_of_layers(kerasnets.recurrent.Classifier([5, layer, 3]), SEQUENCES, STEPS)


# A9, A10: functions of the user

GLOBAL = {'factor': 2.0}


def scaled(x):
    return GLOBAL['factor'] * x


def check_function(net, function, make=small_sgd):
    """Check a network of a Lambda and two dense layers against numpy and plain Keras."""
    layers = [layer for layer in net.model.layers if layer.variables]
    model = keras.Sequential(
        [keras.Input((5,)), *(type(x).from_config(x.get_config()) for x in layers)]
    )
    for layer, plain in zip(layers, model.layers):
        plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(net.predict_proba(X), model(function(X)), atol=1e-5)
    net.train([X, Y], algo=make(), batch_size=40, epochs=2, jit=False)
    expected = judges.course(model, make(), [[function(X), Y]] * 2)[-1]
    judges.assert_close([v for layer in layers for v in layer.get_weights()], expected)
    loss = judges.cross_entropy(expected, function(X), Y)
    assert net.evaluate([X, Y])['loss'] == pytest.approx(loss, rel=1e-4)


def with_lambda(function):
    made = keras.layers.Lambda(function, output_shape=(5,), name='scale')
    return kerasnets.Classifier([5, made, (6, 'tanh'), 3])


@slow
def test_a_lambda_trains():
    check_function(with_lambda(lambda x: 2 * x), lambda x: 2 * x)


def test_each_lambda_is_its_own(monkeypatch):
    for factor in (2.0, 3.0):
        monkeypatch.setitem(GLOBAL, 'factor', factor)
        check_function(with_lambda(scaled), lambda x, k=factor: k * x)


@slow
def test_each_lambda_has_its_own_defaults():
    for factor in (2.0, 3.0):
        check_function(with_lambda(lambda x, k=factor: k * x), lambda x, k=factor: k * x)


@slow
def test_each_layer_of_a_user_has_what_it_holds():
    class Times(keras.layers.Layer):
        def __init__(self, factor, **options):
            super().__init__(**options)
            self.held = [factor]  # in no configuration

        def call(self, x):
            return x * self.held[0]

    for factor in (2.0, 3.0):
        net = kerasnets.Classifier([5, Times(factor, name='times'), (6, 'tanh'), 3])
        check_function(net, lambda x, k=factor: k * x)


def test_each_activation_of_a_user_is_its_own():
    for factor in (2.0, 3.0):
        net = kerasnets.Classifier([5, keras.layers.Activation(lambda x, k=factor: k * x), 6, 3])
        first, second = (layer.get_weights() for layer in net.model.layers[1:])
        hidden = np.maximum(factor * X @ first[0] + first[1], 0)
        z = hidden @ second[0] + second[1]
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        np.testing.assert_allclose(net.predict_proba(X), p, atol=1e-5)


# A11: rows that fill up a batch


@keras.saving.register_keras_serializable('kerasnets_tests')
class Centred(keras.layers.Layer):
    """A user's layer that looks at all rows of a batch."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def _functional():
    x = keras.Input((5,))
    y = x - keras.ops.mean(x, axis=0, keepdims=True)
    return keras.Model(x, keras.layers.Dense(2)(y))


def _sequential(*layers):
    return lambda: keras.Sequential([keras.Input((5,)), *layers, keras.layers.Dense(2)])


MIXING = {
    'an operation': _functional,
    'own layer': _sequential(Centred()),
    'softmax over rows': _sequential(keras.layers.Softmax(axis=0)),
    'norm over rows': _sequential(keras.layers.UnitNormalization(axis=0)),
    'normalization': _sequential(keras.layers.BatchNormalization()),
    'activity': _sequential(keras.layers.Dense(3, activity_regularizer=L2(0.1))),
}


@pytest.mark.parametrize(
    'what',
    [
        pytest.param(what, marks=() if what in ('an operation', 'softmax over rows') else slow)
        for what in MIXING
    ],
)
def test_no_rows_are_added_where_a_layer_looks_at_all_of_them(what):
    model = MIXING[what]()
    targets = X[:, :2]
    net = kerasnets.Regressor.from_keras(model)
    plain = judges.copy(model)
    plain.compile(keras.optimizers.SGD(0.05), 'mse', run_eagerly=True)
    for size in (32, 40):
        expected = plain.evaluate(X, targets, batch_size=size, verbose=0)
        assert net.evaluate([X, targets], batch_size=size)['loss'] == pytest.approx(
            expected, rel=1e-4
        )
    np.testing.assert_allclose(
        net.predict(X), plain.predict(X, batch_size=40, verbose=0), atol=1e-5
    )
    batches = [[X[:32], targets[:32]], [X[32:], targets[32:]]]
    net.train(InTurn(batches), algo='sgd', learning_rate=0.05, epochs=2, train_batches=2, jit=False)
    plain.fit(X, targets, batch_size=32, epochs=2, shuffle=False, verbose=0)
    judges.assert_close(judges.values(net), plain.get_weights())


@pytest.mark.parametrize('further', [{'monitor_gradients': True}, {'contractive': 1e-9}])
def test_losses_of_layers_count_once_where_layers_are_run_again(further):
    entry = keras.layers.ActivityRegularization(l2=0.3)
    net = kerasnets.Classifier([5, (6, 'tanh'), entry, 3], rng=1)
    plain = judges.copy(net.model)
    plain.compile(keras.optimizers.SGD(0.1), judges.LABELS, run_eagerly=True)
    loss = plain.evaluate(X, Y, batch_size=40, verbose=0)
    assert net.evaluate([X, Y], batch_size=40, **further)['loss'] == pytest.approx(loss, rel=1e-5)
    shown, _ = net.train(
        [X, Y], algo='sgd', learning_rate=0.1, epochs=1, batch_size=40, jit=False, **further
    )
    assert shown['loss'] == pytest.approx(loss, rel=1e-5)
    plain.fit(X, Y, batch_size=40, verbose=0)
    judges.assert_close(judges.values(net), plain.get_weights())


# A12: what is read while a program is traced


@pytest.fixture
def epsilon():
    before = keras.config.epsilon()
    yield keras.config.set_epsilon
    keras.config.set_epsilon(before)


def test_a_new_epsilon_counts_for_the_next_training(epsilon):
    def made(rng):
        entry = dict(size=6, activation='tanh', kernel_constraint=keras.constraints.UnitNorm())
        return kerasnets.Regressor([5, entry, 3], rng=rng)  # Keras clips probabilities by epsilon

    before = keras.config.epsilon()
    for rng, value in enumerate((before, 0.5, before)):
        epsilon(value)
        net = made(rng)
        train_both(net, judges.copy(net.model), small_sgd, (X, X[:, :3]), loss='mse')


@tensorflow_only  # on JAX the judge clips probabilities by epsilon
def test_a_new_epsilon_counts_for_the_next_prediction(epsilon):
    before = keras.config.epsilon()
    for value in (before, 3.0):
        epsilon(value)
        net = kerasnets.Classifier([5, adapted(X), (6, 'tanh'), 3])
        check_normalized(net, lambda x, v=value: (x - X.mean(0)) / np.maximum(X.std(0), v))


# A13: networks that are dropped


def _train(net, x, y):
    net.train([x, y], algo='adam', epochs=2, jit=False)


def _evaluate(net, x, y):
    net.evaluate([x, y])


def _predict(net, x, y):
    net.predict(x)


def _noise(net, x, y):
    net.predict(x, input_noise=0.1)


def _penalize(net, x, y):
    net.train([x, y], [x, y], algo='sgd', epochs=1, weight_l2=0.1, hidden_dropout=0.5)


def _leave(net, x, y):
    next(net.itertrain([x, y], algo='sgd', epochs=3))


def _copies(net, x, y):
    copy.deepcopy(net).predict(x)


def _steps(net, x, y):
    watcher = type(
        'Watcher', (keras.callbacks.Callback,), {'on_train_batch_end': lambda *a, **k: None}
    )
    net.train([x, y], algo='sgd', epochs=1, callbacks=[watcher()])


def _fails(net, x, y):
    callback, _ = raising('on_epoch_end', 1, RuntimeError)
    with contextlib.suppress(RuntimeError):
        net.train([x, y], algo='sgd', epochs=1, callbacks=[callback])


USES = [_train, _evaluate, _predict, _noise, _penalize, _leave, _copies, _steps, _fails]


def dropped(net, use, *data):
    """Use a network; return weak references to it, its model, its layers and its variables."""
    use(net, *data)
    held = [net, net.model, *net.model.layers, *net.model.variables]
    return [weakref.ref(one) for one in held]


@pytest.mark.parametrize(
    ('kind', 'uses'),
    [
        ('dense', USES),
        pytest.param('own layer', USES, marks=slow),
        pytest.param('normalization', USES, marks=slow),
    ],
)
def test_nothing_holds_a_network_that_is_dropped(kind, uses):
    make, x, y = KINDS[kind]
    for use in uses:
        references = dropped(make(1), use, x, y)
        gc.collect()
        assert [r() for r in references if r() is not None] == [], use.__name__


def test_nothing_holds_a_recurrent_network_that_is_dropped():
    labels = RNG.integers(5, size=(12, 7))

    def sample(net, x, y):
        list(net.predict_sequence([0, 1], 4, rng=1))

    for use in (sample, _train):
        net = kerasnets.recurrent.Classifier([5, (4, 'rnn'), 5])
        references = dropped(net, use, labels[:, :-1], labels[:, 1:])
        del net
        gc.collect()
        assert [r() for r in references if r() is not None] == [], use


# A14: the number that chose the parameters is theirs


def evaluated_epochs(epochs, every):
    """Return the epochs after which there is a validation."""
    return [e for e in range(1, epochs + 1) if e % every == 0 or e == epochs]


def check_choice(net, data, valid, options, penalty=0.0):
    """Train with a callback that notes all values; check which are kept and what is shown."""
    states = [judges.values(net)]
    hear = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: states.append(judges.values(net))
    )
    again = copy.deepcopy(net)
    watched = data if valid is None else valid

    def loss(values):
        squares = np.mean([np.mean(np.square(values[i].astype('d'))) for i in (0, 2)])
        return judges.cross_entropy(values, *watched) + penalty * squares

    for one, callbacks in ((net, [hear]), (again, [])):
        _, shown = one.train(list(data), valid, callbacks=callbacks, **options)
        asked = dict(weight_l2=penalty) if penalty else {}
        now = one.evaluate(list(watched), **asked)
        assert shown == {name: pytest.approx(value, abs=1e-5) for name, value in now.items()}
        pure = one.evaluate(list(watched))
        assert pure['err'] == pytest.approx(shown['err'], abs=1e-5)
        kept = judges.values(one)
        assert shown['loss'] == pytest.approx(loss(kept), abs=1e-4)
        # of the validated epochs, and the beginning, none is better
        places = [i for i, state in enumerate(states) if judges.is_close(kept, state, 1e-6)]
        epochs = evaluated_epochs(len(states) - 1, options.get('validate_every', 10))
        assert {0, *epochs}.intersection(places)
        assert loss(kept) <= min(loss(states[e]) for e in epochs) + 1e-5


#: Options of training, some of which make the loss rise and fall.
COURSES = [
    dict(algo='sgd', learning_rate=1.0, epochs=30, batch_size=40),
    dict(algo='sgd', learning_rate=8.0, epochs=30, batch_size=40, validate_every=7),
    dict(algo='sgd', learning_rate=20.0, epochs=5, batch_size=7, validate_every=1),
    dict(algo='sgd', learning_rate=30.0, epochs=2, batch_size=40),
    dict(algo='adam', learning_rate=0.5, epochs=30, batch_size=40, validate_every=1, patience=99),
    dict(algo='adam', learning_rate=1.0, epochs=3, batch_size=16, validate_every=2),
    dict(algo='rmsprop', learning_rate=0.3, epochs=5, batch_size=40),
    dict(algo='rmsprop', learning_rate=0.3, epochs=30, batch_size=64, validate_every=3, patience=2),
    dict(algo='sgd', momentum=0.9, learning_rate=2.0, epochs=30, batch_size=13, validate_every=4),
]


def courses(usual):
    """Return the courses, those that are not usual marked as slow."""
    return [
        pytest.param(
            options,
            id=f'{options["algo"]}-{options["epochs"]}-{i}',
            marks=() if i in usual else slow,
        )
        for i, options in enumerate(COURSES)
    ]


@pytest.mark.parametrize('penalty', [0.0, pytest.param(0.3, marks=slow)])
@pytest.mark.parametrize('options', courses([3, 5]))
def test_without_validation_data_the_training_data_chooses(options, penalty):
    more = dict(weight_l2=penalty) if penalty else {}
    check_choice(dense(4), (X, Y), None, {**options, **more, 'jit': False}, penalty)


@pytest.mark.parametrize('options', courses([2]))
def test_validation_data_chooses(options):
    check_choice(dense(4), (X, Y), VALID, {**options, 'jit': False})


@slow
@pytest.mark.parametrize('size', [1, 33, 64, 200])
@pytest.mark.parametrize('jit', [False, True])
def test_the_choice_is_right_for_other_sizes(size, jit):
    x = RNG.normal(size=(size, 5)).astype('f')
    y = RNG.integers(3, size=size)
    for options in COURSES:
        for valid in (None, VALID):
            check_choice(dense(size), (x, y), valid, {**options, 'jit': jit})


@slow
def test_penalties_are_part_of_what_chooses():
    check_choice(dense(4), (X, Y), None, {**COURSES[1], 'weight_l2': 0.3, 'jit': False}, 0.3)


def test_a_single_epoch_has_nothing_to_choose():
    net = dense(1)
    shown, other = net.train([X, Y], algo='sgd', learning_rate=0.1, batch_size=40, epochs=1)
    judges.assert_close(judges.values(net), whole_course(1, 0.1)[1])
    assert set(other) == set(shown)


def test_a_generator_is_read_once():
    drawn = []

    def batches():
        for i in range(6):
            drawn.append(i)
            yield halves(X, Y)[i % 2]

    net = dense(1)
    net.train(batches(), jit=False, **{**OPTIONS, 'validate_every': 1})
    assert drawn == list(range(6))
    judges.assert_close(judges.values(net), course(1)[6])


def test_the_case_of_a_full_batch():
    x = np.random.default_rng(0).normal(size=(200, 5)).astype('f')
    y = x[:, :3].argmax(1)
    net = kerasnets.Classifier([5, (8, 'tanh'), 3])
    _, shown = net.train([x, y], algo='sgd', learning_rate=1.0, epochs=30, batch_size=200)
    assert net.evaluate([x, y])['loss'] == pytest.approx(shown['loss'], abs=1e-5)


# A15: layers that Keras changes


def test_a_dense_layer_of_low_rank_trains_as_in_keras():
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(6, 'tanh', lora_rank=2),
            keras.layers.Dense(3, 'softmax'),
        ]
    )
    net = kerasnets.Classifier.from_keras(model)
    plain = judges.copy(model)
    np.testing.assert_allclose(net.predict_proba(X), plain(X), atol=1e-5)
    kernel = model.layers[0].get_weights()[0]
    train_both(net, plain, lambda: keras.optimizers.SGD(0.1))
    assert any(np.array_equal(kernel, value) for value in judges.values(net))
    np.testing.assert_allclose(net.predict_proba(X), plain(X), atol=1e-5)


# A17: scores of masked sequences


def r2(y, p):
    """Return R² of each column, averaged."""
    left = ((y - p) ** 2).sum(0)
    return float(np.mean(1 - left / ((y - y.mean(0)) ** 2).sum(0)))


def check_score(found, net, model, x, y, seen):
    """Check a score against numpy over the steps that no mask hides, and evaluation too."""
    p = model.predict(x, verbose=0)
    assert found == pytest.approx(r2(y[seen], p[seen]), abs=1e-4)
    data = [x] if isinstance(net, kerasnets.recurrent.Autoencoder) else [x, y]
    assert net.evaluate(data)['loss'] == pytest.approx(((y - p)[seen] ** 2).mean(), rel=1e-3)


def test_steps_that_an_embedding_masks_do_not_count_in_a_score():
    labels = np.random.default_rng(3).integers(1, 6, size=(12, 7))
    labels[:, 4:] = 0
    labels[3, 2:] = 0
    model = keras.Sequential(
        [
            keras.Input((7,), dtype='int32'),
            keras.layers.Embedding(6, 4, mask_zero=True),
            keras.layers.LSTM(5, return_sequences=True),
            keras.layers.Dense(2),
        ]
    )
    targets = RNG.normal(size=(12, 7, 2)).astype('f') + 50 * (labels == 0)[:, :, None]
    net = kerasnets.recurrent.Regressor.from_keras(model)
    check_score(net.score(labels, targets), net, model, labels, targets, labels > 0)


def masked_sequences():
    x = np.random.default_rng(3).normal(size=(12, 7, 3)).astype('f')
    x[:, 5:] = 0
    x[2, 2:] = 0
    return x, (x != 0).any(2)


def test_steps_that_a_masking_layer_masks_do_not_count_in_a_score():
    x, seen = masked_sequences()
    targets = RNG.normal(size=(12, 7, 2)).astype('f') + 50 * ~seen[:, :, None]
    net = kerasnets.recurrent.Regressor([3, keras.layers.Masking(), (4, 'rnn'), 2])
    check_score(net.score(x, targets), net, net.model, x, targets, seen)
    again = kerasnets.recurrent.Autoencoder([3, keras.layers.Masking(), (4, 'rnn'), 3])
    check_score(again.score(x), again, again.model, x, x, seen)


def test_steps_that_are_masked_do_not_count_in_accuracy_and_confusion():
    pytest.importorskip('matplotlib').use('agg')
    from matplotlib import pyplot

    x, seen = masked_sequences()
    labels = RNG.integers(3, size=(12, 7))
    net = kerasnets.recurrent.Classifier([3, keras.layers.Masking(), (4, 'rnn'), 3])
    right = net.model.predict(x, verbose=0).argmax(2) == labels
    assert net.score(x, labels) == pytest.approx(right[seen].mean(), abs=1e-6)
    assert net.evaluate([x, labels])['acc'] == pytest.approx(right[seen].mean(), abs=1e-6)
    figure = kerasnets.plots.confusion(net, x, labels)
    shown = [int(text.get_text()) for text in figure.axes[0].texts]
    assert sum(shown) == seen.sum()
    pyplot.close(figure)


def test_no_message_is_logged_by_trainings_that_share_a_program(caplog):
    with caplog.at_level(logging.WARNING):
        for rng in (1, 2):
            dense(rng).train([X, Y], algo='adam', learning_rate=0.1, epochs=2, jit=False)
    assert caplog.records == []
