"""The cache on disk of what XLA compiles, tried in processes of their own."""

import json
import os
import subprocess
import sys

import keras
import pytest

from kerasnets import compilation
from kerasnets.errors import ConfigurationError, FileError

TRAINS = """
import sys, kerasnets
folder = kerasnets.enable_compilation_cache(sys.argv[1])
import numpy as np
x = np.eye(8, dtype='f')
net = kerasnets.Classifier([8, 7, 8])
net.train([x, np.arange(8)], algo='adam', epochs=3, jit=True)
print(folder, net.predict_proba(x).tobytes().hex())
"""

ENABLES = """
import sys, kerasnets
try:
    print(kerasnets.enable_compilation_cache(*sys.argv[1:]))
except kerasnets.KerasnetsError as error:
    print(f'{type(error).__name__}: {error}')
assert 'keras' not in sys.modules
"""


def run(code, *args, **environment):
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def entries(folder):
    return {path.name: path.stat().st_mtime_ns for path in compilation._entries(folder)}


@pytest.mark.skipif(keras.backend.backend() == 'torch', reason='PyTorch compiles nothing')
def test_a_second_process_compiles_nothing_and_damage_is_compiled_anew(tmp_path):
    root = tmp_path / 'cache'
    first = run(TRAINS, root)
    (folder,) = root.iterdir()
    written = entries(folder)
    assert written
    assert run(TRAINS, root) == first
    assert entries(folder) == written

    name = max(written, key=lambda name: (folder / name).stat().st_size)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-100] + bytes(100))
    assert run(TRAINS, root) == first
    again = entries(folder)
    assert [entry for entry in written if again[entry] != written[entry]] == [name]
    digests = json.loads((folder / compilation.DIGESTS).read_text())
    assert digests.keys() == written.keys()
    assert all(digests[entry] == compilation._digest(folder / entry) for entry in written)


@pytest.mark.skipif(not hasattr(os, 'getuid'), reason='no permissions')
def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    said = run(ENABLES, tmp_path)
    assert said.startswith('FileError: others can write to')
    os.system(said.partition('`')[2].partition('`')[0])  # what it says to do
    assert run(ENABLES, tmp_path).startswith(str(tmp_path))


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'getuid', lambda: 12345)
    with pytest.raises(FileError, match='belongs to another user'):
        compilation._check_owner(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    path = tmp_path / 'file'
    path.write_text('')
    assert run(ENABLES, path).startswith('FileError: cannot use')


def test_the_folder_is_for_the_owner_alone_and_limited(tmp_path):
    folder = run(ENABLES, tmp_path / 'cache')
    assert oct(os.stat(folder).st_mode & 0o777) == '0o700'
    for i, name in enumerate('abc'):
        path = os.path.join(folder, name)
        with open(path, 'w') as file:
            file.write('x' * 100)
        os.utime(path, (i, i))
    compilation._remove_oldest(tmp_path / 'cache', 250)
    assert sorted(os.listdir(folder)) == ['b', 'c']


def test_entries_of_a_process_that_crashed_are_removed(tmp_path):
    (tmp_path / 'entry').write_text('half')
    assert compilation._remove_damaged(tmp_path) == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='JAX reads settings later')
def test_after_tensorflow_is_imported_it_is_too_late(tmp_path):
    with pytest.raises(ConfigurationError, match='tensorflow is imported already'):
        compilation.enable_compilation_cache(tmp_path)


def test_a_backend_without_compilation(tmp_path):
    said = run(ENABLES, tmp_path, KERAS_BACKEND='torch')
    assert said.startswith("ConfigurationError: the backend 'torch' compiles nothing")


@pytest.mark.parametrize('wrong', ['3', "''", 'None, 0', "None, 'x'", 'None, -1'])
def test_wrong_arguments(wrong):
    code = f"""
import kerasnets
try:
    kerasnets.enable_compilation_cache({wrong})
except kerasnets.ConfigurationError as error:
    print(error)
"""
    assert run(code).startswith(('expected the path of a folder', 'expected limit as an int of 1'))


def test_a_second_call_replaces_the_folder(tmp_path):
    code = """
import os, sys, kerasnets
os.environ['TF_XLA_FLAGS'] = '--tf_xla_clustering_debug'
for name in 'ab':
    folder = kerasnets.enable_compilation_cache(f'{sys.argv[1]}/{name}')
assert os.environ['TF_XLA_FLAGS'].split() == [
    '--tf_xla_clustering_debug', f'--tf_xla_persistent_cache_directory={folder}'
]
print('replaced')
"""
    assert run(code, tmp_path, KERAS_BACKEND='tensorflow') == 'replaced'
