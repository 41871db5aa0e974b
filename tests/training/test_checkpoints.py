"""A run that was broken off ends with the numbers of one that never was."""

import io
import logging
import os
import random
import time
import zipfile

import numpy as np
import pytest
from fresh import start
from warned import warned

import kerasnets
from kerasnets.errors import ConfigurationError, FileError
from kerasnets.files import keras_files
from kerasnets.training import checkpoints

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(60, 4)).astype('f'), RNG.integers(3, size=60)
VALID = [RNG.normal(size=(20, 4)).astype('f'), RNG.integers(3, size=20)]
OPTIONS = dict(
    algo='rmsprop', momentum=0.5, learning_rate=0.02, batch_size=16, validate_every=2,
    hidden_dropout=0.3, input_noise=0.1,
)  # fmt: skip


def fresh():
    return kerasnets.Classifier([4, (6, 'tanh'), dict(form='Dropout', rate=0.2), 3], rng=7)


def everything(net):
    return [p.get_value() for p in net.params], [
        {k: v for k, v in row.items() if k != 'seconds'} for row in net.history
    ]


def assert_same(a, b):
    for x, y in zip(everything(a)[0], everything(b)[0]):
        np.testing.assert_array_equal(x, y)
    assert everything(a)[1] == everything(b)[1]


@pytest.mark.parametrize('stop', [1, 2, 5])
def test_resuming_equals_training_without_interruption(stop, tmp_path):
    whole, path = fresh(), tmp_path / 'run.keras'
    whole.train([X, Y], VALID, epochs=8, **OPTIONS)
    broken = fresh()
    steps = broken.itertrain([X, Y], VALID, epochs=8, save_progress=path, save_every=1, **OPTIONS)
    for _ in range(stop):
        next(steps)
    steps.close()
    other = fresh()
    for _ in range(3):
        other.rng.random()  # wherever its generator stands
    other.train([X, Y], VALID, epochs=8, resume=path, **OPTIONS)
    assert_same(whole, other)
    assert kerasnets.load(path).predict(X).shape == (60,)


def test_every_so_often(tmp_path):
    net, path = fresh(), tmp_path / 'run.keras'
    written = []
    for i, _ in enumerate(
        net.itertrain([X, Y], epochs=5, save_progress=path, save_every=2, **OPTIONS)
    ):
        if path.exists():
            written.append((i, checkpoints.read(path).epoch))
    assert written == [(1, 2), (2, 2), (3, 4), (4, 5)]
    assert checkpoints.Checkpoints(path, 1e-9).is_due()
    assert not checkpoints.Checkpoints(path, 60.0).is_due()
    net.train([X, Y], epochs=1, save_progress=str(tmp_path / 'at-{}.keras'))
    (stamped,) = tmp_path.glob('at-*.keras')
    assert abs(int(stamped.stem[3:]) - time.time()) < 1000


def test_resume_true_starts_if_there_is_nothing_and_goes_on_if_there_is(tmp_path):
    whole, path = fresh(), tmp_path / 'run.keras'
    whole.train([X, Y], epochs=4, **OPTIONS)
    for epochs in (2, 4, 4):
        net = fresh()
        net.train([X, Y], epochs=epochs, save_progress=path, save_every=1, resume=True, **OPTIONS)
    assert_same(whole, net)


def test_the_state_of_an_optimizer_goes_on_when_asked():
    a, b, c = fresh(), fresh(), fresh()
    options = dict(algo='sgd', momentum=0.9, learning_rate=0.1, batch_size=60)
    a.train([X, Y], epochs=4, **options)
    for net, keep in ((b, True), (c, False)):
        net.train([X, Y], epochs=2, patience=99, **options)
        net.train([X, Y], epochs=2, patience=99, continue_=keep, **options)
    assert int(b.model.optimizer.iterations) == 4
    assert int(c.model.optimizer.iterations) == 2


CHILD = """
import sys
import numpy as np
from test_checkpoints import OPTIONS, VALID, X, Y, fresh
net = fresh()
for _ in net.itertrain([X, Y], VALID, epochs=12, save_progress=sys.argv[1], save_every=1,
                       resume=True, **OPTIONS):
    print('epoch', flush=True)
np.savez(sys.argv[2], *[p.get_value() for p in net.params])
"""


def killed(path, out, epochs, delay):
    """Whether a training process was killed, some moments after so many epochs."""
    said = f'{out}.said'
    os.mkfifo(said)
    child = start(CHILD, path, out, out=said)
    with open(said) as lines:
        for _ in range(epochs):
            lines.readline()
        child.join(delay)
        child.kill()
        child.join()
    os.remove(said)
    return child.exitcode != 0


def kill_and_resume(times, tmp_path):
    path, out = tmp_path / 'run.keras', tmp_path / 'end.npz'
    draw = random.Random(3)
    for _ in range(times):
        killed(path, out, draw.randint(1, 2), draw.random() * 0.15)
    assert not killed(path, out, 99, 300)
    whole = fresh()
    whole.train([X, Y], VALID, epochs=12, **OPTIONS)
    with np.load(out) as found:
        for key, param in zip(found.files, whole.params):
            np.testing.assert_array_equal(found[key], param.get_value())


def test_a_killed_process_resumes(tmp_path):
    """Row 14."""
    kill_and_resume(1, tmp_path)


@pytest.mark.slow
def test_killed_ten_times_at_random(tmp_path):
    kill_and_resume(10, tmp_path)


def squeezed(content):
    """The bytes of an .npz file of one array."""
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('plain.npy', content)
    return handle.getvalue()


def empty():
    """Return the bytes of an .npz file without any field of a checkpoint."""
    handle = io.BytesIO()
    np.savez(handle, plain='{}')
    return handle.getvalue()


def test_invalid_checkpoints(tmp_path):
    net = fresh()
    with pytest.raises(FileError, match='there is no folder'):  # before any training
        net.train([X, Y], epochs=1, save_progress=tmp_path / 'none' / 'a.keras')
    assert not net.history
    net.save(tmp_path / 'net.keras')
    (tmp_path / 'empty.keras').write_bytes(b'')
    kerasnets.Classifier([4, 3]).train([X, Y], epochs=1, save_progress=tmp_path / 'other.keras')
    fresh().train([X, Y], algo='sgd', epochs=1, save_progress=tmp_path / 'algo.keras')
    for name, member in [
        ('nothing', empty()),
        ('noise', bytes(100)),
        ('zeros', squeezed(bytes(2**25))),
        ('hollow', squeezed(b"\x93NUMPY\x01\x00F\x00{'descr': '<f8', 'fortran_order': False, "
                            b"'shape': (99999999999,)}" + b' ' * 7 + b'\n')),
    ]:  # fmt: skip
        keras_files.save(net, tmp_path / f'{name}.keras', {checkpoints.MEMBER: member})
    for name, says in [
        ('algo.keras', 'another network or algorithm: expected optimizer of shapes'),
        ('nothing.keras', 'it lacks best, epoch'),
        ('noise.keras', 'expected a checkpoint'),
        ('zeros.keras', 'expected a checkpoint.*would expand'),
        ('hollow.keras', 'expected a checkpoint'),
        ('none.keras', 'there is no such file'),
        ('net.keras', 'expected a checkpoint'),
        ('empty.keras', 'expected a checkpoint'),
        ('other.keras', 'is of another network or algorithm'),
    ]:
        before = [p.get_value() for p in net.params]
        with pytest.raises(FileError, match=says):
            net.train([X, Y], epochs=1, resume=tmp_path / name)
        for a, b in zip(before, net.params):
            np.testing.assert_array_equal(a, b.get_value())
    for wrong, says in [
        (dict(save_every=1), 'expected save_progress'),
        (dict(resume=True), 'expected save_progress'),
        (dict(resume=3), 'resume as a path, or True, got 3'),
        (dict(save_progress='a.keras', save_every=True), 'int of epochs or a float of minutes'),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            net.train([X, Y], epochs=1, **wrong)


def test_a_legacy_generator_continues_too(tmp_path):
    """Such as that of an old pickle, in a network that has its own by default."""

    def mine():
        return kerasnets.Classifier([4, 6, 3], rng=np.random.Generator(np.random.MT19937(3)))

    keywords = dict(algo='sgd', learning_rate=0.1, hidden_dropout=0.3)
    unbroken, first = mine(), mine()
    unbroken.train([X, Y], epochs=4, **keywords)
    path = tmp_path / 'a.keras'
    first.train([X, Y], epochs=2, save_progress=path, save_every=2, **keywords)
    second = kerasnets.load(path)
    second.train([X, Y], epochs=4, resume=path, **keywords)
    for a, b in zip(unbroken.params, second.params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    assert second.rng.random() == unbroken.rng.random()


def test_a_disk_that_fills_does_not_end_training(tmp_path, monkeypatch):
    whole, net, path = fresh(), fresh(), tmp_path / 'run.keras'
    whole.train([X, Y], epochs=6, **OPTIONS)
    save, saved = keras_files.save, []

    def full_at_first(*args):
        saved.append(args)
        if len(saved) < 3:
            raise FileError('no space left on device')
        save(*args)

    monkeypatch.setattr(keras_files, 'save', full_at_first)
    with warned('not saved, training goes on: no space left', UserWarning, times=2):
        net.train([X, Y], epochs=6, save_progress=path, save_every=2, **OPTIONS)
    assert_same(whole, net)
    assert checkpoints.read(path).epoch == 6


def test_other_rows_are_refused_and_another_batch_size_is_said(tmp_path, caplog):
    path = tmp_path / 'run.keras'
    fresh().train([X, Y], epochs=1, save_progress=path, **OPTIONS)
    with pytest.raises(FileError, match='60, and this training has 50'):
        fresh().train([X[:50], Y[:50]], epochs=2, resume=path, **OPTIONS)
    with caplog.at_level(logging.WARNING, 'kerasnets'):
        fresh().train([X, Y], epochs=2, resume=path, **{**OPTIONS, 'batch_size': 20})
    assert [record.args for record in caplog.records] == [('batch_size',)]


def test_a_place_where_no_progress_can_be_saved_is_refused_before_training(tmp_path):
    (tmp_path / 'folder.keras').mkdir()
    os.mkfifo(tmp_path / 'pipe.keras')
    net = fresh()
    for name in ('folder.keras', 'pipe.keras'):
        with pytest.raises(FileError, match='it is a folder or a device, not a file'):
            net.train([X, Y], epochs=1, save_progress=tmp_path / name)
    assert not net.history


TOGETHER = """
import sys
import numpy as np
import kerasnets

x = np.random.default_rng(1).normal(size=(60, 4)).astype('f')
net = kerasnets.Classifier([4, 5, 3], rng=int(sys.argv[2]))
net.train([x, x[:, :3].argmax(1)], algo='sgd', learning_rate=0.1, epochs=30, jit=False,
          save_progress=sys.argv[1], save_every=1)
"""


@pytest.mark.slow
def test_two_processes_that_save_to_one_path(tmp_path):
    """Whenever it is looked at, there is a whole checkpoint of one of them."""
    path, seen = tmp_path / 'run.keras', 0
    processes = [start(TOGETHER, path, seed, out=tmp_path / f'out{seed}') for seed in (1, 2)]
    while any(process.is_alive() for process in processes):
        if path.exists():
            seen += kerasnets.load(path).num_params == 43
    assert [process.exitcode for process in processes] == [0, 0]
    assert seen > 1
    x = np.random.default_rng(1).normal(size=(60, 4)).astype('f')
    net = kerasnets.Classifier([4, 5, 3])
    net.train([x, x[:, :3].argmax(1)], algo='sgd', learning_rate=0.1, epochs=31, resume=path)
    assert [row['epoch'] for row in net.history] == list(range(1, 32))
    assert [found.name for found in tmp_path.iterdir() if found.suffix == '.tmp'] == []
