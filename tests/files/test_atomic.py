"""Row 13: whatever happens while a file is written, it is the old one or the new one, whole."""

import json
import os
import pathlib
import stat
import tempfile

import keras
import numpy as np
import pytest
from fresh import run

import kerasnets
from kerasnets.errors import FileError
from kerasnets.files import atomic

SUFFIXES = ['.keras', '.h5', '.weights.h5']

NETS = """
import json, os, pathlib, random, resource, signal, sys
import numpy as np
import kerasnets

def make(seed):
    net = kerasnets.Classifier([8, (12, 'tanh'), 8], rng=seed)
    net.train([np.zeros((2, 8)), np.zeros(2, int)], epochs=1)
    return net

*nets, other = map(make, (1, 2, 3))
values = [[p.get_value() for p in net.params] for net in nets]

def held(path):
    # the places of the networks whose parameters a file holds
    if path.endswith('.weights.h5'):
        other.load_weights(path)
        found = other
    else:
        found = kerasnets.load(path)
    found = [p.get_value() for p in found.params]
    return [i for i in (0, 1) if all((a == b).all() for a, b in zip(values[i], found))]
"""

KILLS = (
    NETS
    + """
def save(path, i, at):
    # in a copy of this process, which is killed when it has made so many calls
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    made = 0
    def count(frame, event, arg):
        nonlocal made
        made += 1
        if made == at:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    nets[i].save(path)
    sys.setprofile(None)
    pathlib.Path(path + '.calls').write_text(str(made))
    os._exit(0)

random.seed(7)
for path in sys.argv[1:]:
    nets[0].save(path)
    assert not save(path, 0, -1)
    calls = int(pathlib.Path(path + '.calls').read_text())
    now, found = 0, {'killed': 0, 'old': 0, 'new': 0}
    for i in range(34):
        found['killed'] += save(path, 1 - now, random.randint(1, calls))
        (after,) = held(path)
        found['old' if after == now else 'new'] += 1
        now = after
    print('found', json.dumps(found))
"""
)


def of_each(code, tmp_path):
    """What a process found of a file of each kind."""
    lines = run(code, *(tmp_path / suffix[1:] / f'net{suffix}' for suffix in SUFFIXES)).splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith('found ')]


@pytest.fixture
def folders(tmp_path):
    for suffix in SUFFIXES:
        (tmp_path / suffix[1:]).mkdir()
    return tmp_path


@pytest.mark.parametrize('moments', [4, pytest.param(34, marks=pytest.mark.slow)])
def test_a_process_killed_while_saving_leaves_a_whole_file(moments, folders):
    for found in of_each(KILLS.replace('range(34)', f'range({moments})'), folders):
        # the number of calls is not quite the same each time
        assert found['killed'] >= moments - max(1, moments // 10)
        assert found['old'] + found['new'] == moments
        assert found['old'] > moments // 2  # the new one comes in at the end


FULL = (
    NETS
    + """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def full(path, limit):
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            nets[1].save(path)
            code = 1
        except kerasnets.FileError as error:
            code = 0 if path in str(error) else 2
        except BaseException:
            code = 3
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, held(path), os.listdir(os.path.dirname(path))

for path in sys.argv[1:]:
    nets[0].save(path)
    size = os.path.getsize(path)
    limits = [0, 1000, *(size * i // 8 for i in range(1, 8)), size - 41, size - 1]
    print('found', json.dumps([full(path, limit) for limit in limits]))
"""
)


def test_a_full_disk(folders):
    for suffix, found in zip(SUFFIXES, of_each(FULL, folders)):
        assert found == [[0, [0], [f'net{suffix}']]] * 11


NOWHERE = """
import io, pathlib, shutil, sys, tempfile
import kerasnets
net = kerasnets.Classifier([4, 5, 3])
paths = [pathlib.Path(sys.argv[1], f'net{suffix}') for suffix in ('.keras', '.h5', '.bin')]
for path in paths[:2]:
    net.save(path)
shutil.copy(*paths[::2])
content = paths[0].read_bytes()
def look():
    for source in (*paths, io.BytesIO(content)):
        try:
            kerasnets.load(source)
            print('read')
        except kerasnets.FileError as error:
            print(error)
tempfile.tempdir = '/nowhere'
look()
"""


def test_reading_where_nothing_can_be_written(tmp_path):
    """Row 26."""
    said = run(NOWHERE, tmp_path).splitlines()
    assert len(said) == 4
    for line in said:
        says = "Keras needs a temporary folder, and '/nowhere' is not writable"
        assert line == 'read' or says in line, line
    assert said[1] == 'read'


DENIED = """
import os, sys, kerasnets
net = kerasnets.Classifier([4, 3])
if os.getuid() == 0:
    os.setuid(65534)
try:
    net.save(sys.argv[1])
except kerasnets.FileError as error:
    print(error)
"""


def test_a_folder_without_write_permission():
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is for this user alone
        os.chmod(folder, 0o555)
        said = run(DENIED, f'{folder}/net.keras')
    assert f'the folder {folder!r} is not writable for this user' in said


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_an_error_within_leaves_the_old_file_and_nothing_else(suffix, tmp_path, monkeypatch):
    net = kerasnets.Classifier([4, 3])
    path = tmp_path / f'net{suffix}'
    net.save(path)
    before = path.read_bytes()

    def broken(self, *args):
        raise RuntimeError('not today')

    monkeypatch.setattr(keras.layers.Dense, 'get_config', broken)
    monkeypatch.setattr(keras.layers.Dense, 'save_own_variables', broken)
    with pytest.raises(RuntimeError, match='not today'):
        net.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_files_are_verified_after_writing(suffix, tmp_path, monkeypatch):
    net = kerasnets.Classifier([4, 3])
    path = tmp_path / f'net{suffix}'
    net.save(path)
    before = path.read_bytes()
    name = 'save_weights' if suffix == '.weights.h5' else 'save'

    net.find('out', 'w').set_value(np.ones((4, 3)))
    other = kerasnets.Classifier([4, 3])
    monkeypatch.setattr(net.model, name, getattr(other.model, name))
    with pytest.raises(FileError, match='differs from what was written'):
        net.save(path)
    assert path.read_bytes() == before


def test_a_link_is_followed_and_a_mode_is_kept(tmp_path):
    net = kerasnets.Classifier([4, 3])
    (tmp_path / 'there').mkdir()
    target, link = tmp_path / 'there' / 'blob', tmp_path / 'net.keras'
    link.symlink_to(target)
    net.save(link)
    target.chmod(0o640)
    net.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert kerasnets.load(target).num_params == 15


def test_h5_and_then_keras_keep_the_optimizer(tmp_path):
    """Row 17."""
    net = kerasnets.Classifier([4, 3])
    x = np.random.default_rng(1).normal(size=(8, 4))
    net.train([x, np.arange(8) % 3], algo='sgd', learning_rate=0.125, momentum=0.5, epochs=3)
    for name in ('a.h5', 'b.keras', 'c.h5'):
        net.save(tmp_path / name)
    for name in ('a.h5', 'b.keras', 'c.h5'):
        optimizer = kerasnets.load(tmp_path / name).model.optimizer
        assert isinstance(optimizer, keras.optimizers.SGD)
        for a, b in zip(optimizer.variables, net.model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(a, b)


def test_weights_alone(tmp_path):
    net, other = (kerasnets.Classifier([4, (5, 'tanh'), 3], rng=seed) for seed in (1, 2))
    for suffix in SUFFIXES:
        net.save(tmp_path / f'net{suffix}')
        other = kerasnets.Classifier([4, (5, 'tanh'), 3], rng=2)
        other.load_weights(tmp_path / f'net{suffix}')
        for a, b in zip(net.params, other.params):
            np.testing.assert_array_equal(a.get_value(), b.get_value())
    plain = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(n) for n in (5, 3))])
    plain.load_weights(tmp_path / 'net.weights.h5')
    np.testing.assert_array_equal(plain.layers[0].kernel, net.find('hid1', 'w').get_value())
    wide = kerasnets.Classifier([4, (7, 'tanh'), 3])
    before = [p.get_value() for p in wide.params]
    with pytest.raises(FileError, match=r"'hid1/kernel' is of shape \(4, 7\) .* \(4, 5\) in the"):
        wide.load_weights(tmp_path / 'net.weights.h5')
    with pytest.raises(FileError, match='cannot read'):
        kerasnets.Classifier([4, 5, 5, 3]).load_weights(tmp_path / 'net.weights.h5')
    for a, b in zip(before, wide.params):
        np.testing.assert_array_equal(a, b.get_value())


def test_a_checksum_detects_any_change(tmp_path):
    path = pathlib.Path(tmp_path, 'a')
    for content in (b'', b'x', b'kerasnet' * 100_000 + bytes(40)):
        path.write_bytes(content)
        atomic.check_seal(path)
        path.write_bytes(content + atomic.seal(content))
        atomic.check_seal(path)
        if content:
            path.write_bytes(b'y' + path.read_bytes()[1:])
            with pytest.raises(FileError, match='damaged'):
                atomic.check_seal(path)
