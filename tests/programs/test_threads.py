"""Networks in threads: each as if it were alone, and no global state is touched."""

import contextlib
import functools
import os
import random
import threading
import warnings

import judges
import keras
import numpy as np
import pytest

import kerasnets

RNG = np.random.default_rng(8)
X = RNG.normal(size=(48, 5)).astype('f')
Y = X[:, :3].argmax(1)
LABELS = RNG.integers(5, size=(12, 6))
THREADS = 8
SGD = dict(algo='sgd', learning_rate=0.2, batch_size=48, jit=False)

not_torch = pytest.mark.skipif(
    keras.backend.backend() == 'torch', reason='nothing is compiled or shared'
)


def dense(rng, size=6):
    return kerasnets.Classifier([5, (size, 'tanh'), 3], rng=rng)


def recurrent(rng, size=4):
    return kerasnets.recurrent.Classifier([5, (size, 'rnn'), 5], rng=rng)


def use_dense(rng, size=6, jit=False, **options):
    """Build, train, predict and evaluate; return all that came of it."""
    net = dense(rng, size)
    options = {'algo': 'adam', 'learning_rate': 0.02, 'batch_size': 16, **options}
    shown = net.train([X, Y], epochs=3, jit=jit, **options)
    return [*judges.values(net), net.predict_proba(X), *(list(s.values()) for s in shown)]


def use_recurrent(rng, size=4):
    """Build, train, predict, evaluate and sample; return all that came of it."""
    net = recurrent(rng, size)
    data = [LABELS[:, :-1], LABELS[:, 1:]]
    net.train(data, algo='sgd', learning_rate=0.1, epochs=2, jit=False)
    sampled = list(net.predict_sequence([0, 1], 5, rng=3))
    shown = list(net.evaluate(data).values())
    return [*judges.values(net), net.predict_proba(data[0]), sampled, shown]


def in_threads(calls):
    """Return the results of calls, each made in a thread of its own, all at once."""
    results, errors = [None] * len(calls), []
    barrier = threading.Barrier(len(calls))

    def run(i, call):
        try:
            barrier.wait()
            results[i] = call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return results


def assert_same(together, alone):
    """Check what came of networks; monitors and probabilities may be rounded otherwise."""
    for a, b in zip(together, alone, strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def global_state():
    """Return what all threads of a process share."""
    config = keras.config
    return {
        'filters': list(warnings.filters),
        'showwarning': warnings.showwarning,
        'environment': {k: v for k, v in os.environ.items() if not k.startswith('PYTEST')},
        'random': random.getstate(),
        'numpy': [np.array(part) for part in np.random.get_state()[1:]],
        'floatx': config.floatx(),
        'epsilon': config.epsilon(),
        'policy': config.dtype_policy().name,
        'format': config.image_data_format(),
        'seeds': _seeds(),
        'threads': threading.active_count(),
    }


def _seeds():
    """Return the state of the backend's generators."""
    made = keras.src.backend.common.global_state.get_global_attribute('global_seed_generator')
    found = [None if made is None else judges.arrays([made.state])[0]]
    if keras.backend.backend() == 'tensorflow':
        import tensorflow as tf

        found.append(tf.random.get_global_generator().state.numpy())
    return found


def assert_untouched(before):
    """Check that nothing that threads share is another than before."""
    for name, value in global_state().items():
        if isinstance(value, list):
            assert len(value) == len(before[name]), name
            for a, b in zip(value, before[name]):
                assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, name
        else:
            assert value == before[name], name


@contextlib.contextmanager
def untouched():
    """Check that the state of the process is left alone; warnings are errors meanwhile."""
    _seeds()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.filterwarnings(
            'ignore', category=DeprecationWarning, module='(keras|tensorflow|google|numpy|h5py)'
        )
        before = global_state()
        yield
        assert_untouched(before)


@pytest.fixture(autouse=True)
def _empty():
    """Nothing is compiled when a test begins."""
    kerasnets.clear_cache()


@functools.cache
def course(rng):
    """Return what plain Keras makes of a dense network in four updates, and its beginning."""
    model = judges.copy(dense(rng).model)
    return judges.course(model, keras.optimizers.SGD(0.2), [[X, Y]] * 4)


@not_torch
def test_networks_of_equal_and_of_other_structure_are_used_at_once():
    calls = [
        *(functools.partial(use_dense, rng) for rng in range(1, 5)),
        *(functools.partial(use_dense, rng, 7, hidden_dropout=0.5) for rng in (5, 6)),
        *(functools.partial(use_recurrent, rng) for rng in (1, 2)),
    ]
    assert len(calls) == THREADS
    with untouched():
        together = in_threads(calls)
        kerasnets.clear_cache()
        assert_same(together, [call() for call in calls])


@not_torch
def test_equal_networks_train_at_once_as_plain_keras_trains_them():
    def trained(rng):
        net = dense(rng)
        net.train([X, Y], epochs=4, **SGD)
        return judges.values(net)

    with untouched():
        found = in_threads([functools.partial(trained, rng) for rng in range(THREADS)])
    for rng, values in enumerate(found):
        judges.assert_close(values, course(rng)[4])


@not_torch
def test_an_error_in_one_thread_is_nothing_to_the_others():
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError

    def trained(rng):
        net = dense(rng)
        if rng % 2:
            with pytest.raises(RuntimeError):
                net.train([X, Y], callbacks=[Fails()], epochs=4, **SGD)
        else:
            net.train([X, Y], epochs=4, **SGD)
        return judges.values(net)

    with untouched():
        found = in_threads([functools.partial(trained, rng) for rng in range(THREADS)])
    for rng, values in enumerate(found):
        judges.assert_close(values, course(rng)[2 if rng % 2 else 4])


def test_one_network_predicts_in_many_threads():
    net, others = dense(1), [RNG.normal(size=(n, 5)).astype('f') for n in range(1, THREADS + 1)]

    def predicted(x):
        return [net.predict_proba(x) for _ in range(5)]

    with untouched():
        found = in_threads([functools.partial(predicted, x) for x in others])
    for x, predictions in zip(others, found):
        for p in predictions:
            np.testing.assert_allclose(p, net.model(x), atol=1e-6)


@not_torch
def test_one_network_samples_in_many_threads():
    net = recurrent(1)

    def sampled(rng):
        return list(net.predict_sequence([0], 20, rng=rng))

    with untouched():
        found = in_threads([functools.partial(sampled, rng) for rng in range(THREADS)])
    for rng, labels in enumerate(found):
        assert labels == sampled(rng)
    assert len({tuple(labels) for labels in found}) > 1


def test_one_network_is_evaluated_in_many_threads():
    net, sizes = dense(1), [40, 48] * (THREADS // 2)

    def evaluated(n):
        return net.evaluate([X[:n], Y[:n]])

    with untouched():
        found = in_threads([functools.partial(evaluated, n) for n in sizes])
    for n, shown in zip(sizes, found):
        loss = judges.cross_entropy(judges.values(net), X[:n], Y[:n])
        assert shown['loss'] == pytest.approx(loss, abs=1e-5)


def test_a_network_that_is_built_and_used_touches_no_global_state():
    with untouched():
        use_dense(1, weight_l2=0.1)
        if keras.backend.backend() != 'torch':
            use_recurrent(1)


@not_torch
@pytest.mark.slow
def test_threads_that_clear_the_cache_meanwhile():
    def clear():
        for _ in range(20):
            kerasnets.clear_cache()
        return []

    calls = [
        functools.partial(use_dense, rng, jit=jit) for rng in range(3) for jit in (False, True)
    ]
    with untouched():
        found = in_threads([*calls, clear, functools.partial(use_recurrent, 1)])
        assert_same(found[:6], [call() for call in calls])


@not_torch
@pytest.mark.slow
@pytest.mark.parametrize('again', range(5))
def test_many_networks_in_threads(again):
    calls = [
        *(functools.partial(use_dense, i, 5 + i % 3, jit=i % 2 == 0) for i in range(12)),
        *(functools.partial(use_recurrent, i, 3 + i % 2) for i in range(4)),
        functools.partial(use_dense, again, weight_l2=0.1, hidden_dropout=0.3),
    ]
    with untouched():
        together = in_threads(calls)
        kerasnets.clear_cache()
        assert_same(together, [call() for call in calls])
