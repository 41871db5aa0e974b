"""Files cross from one backend to another, and neither JAX nor PyTorch needs TensorFlow."""

import logging
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from paths import ROOT

import kerasnets

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != 'tensorflow', reason='another process runs the other backend'
)
X = np.random.default_rng(1).normal(size=(6, 5, 4)).astype('f')

NETS = {
    'dense': lambda: kerasnets.recurrent.Classifier([4, (6, 'relu+norm:z'), (5, 'maxout:2'), 3]),
    'stock': lambda: kerasnets.recurrent.Classifier([4, (6, 'lstm'), (5, 'gru'), (4, 'rnn'), 3]),
    'own': lambda: kerasnets.recurrent.Classifier(
        [4, (6, 'scrn'), (4, 'mut1'), dict(form='clockwork', size=6, periods=(1, 2)), 3]
    ),
    'both ways': lambda: kerasnets.recurrent.Classifier([4, (8, 'bidirectional', 'tanh'), 3]),
}

#: Opens what it finds, predicts, trains on and saves; TensorFlow is not to be had.
OTHER = """
import pathlib, sys
sys.modules['tensorflow'] = None
import numpy as np
import kerasnets

x, y = np.load('x.npy'), np.zeros((6, 5), int)
there = sys.argv[1]
for path in sorted(pathlib.Path('.').glob('*.tf.*')):
    net = kerasnets.load(path)
    name, _, suffix = path.name.split('.')
    np.save(f'{name}.{suffix}.npy', net.predict_proba(x))
    net.train([x, y], algo='adam', learning_rate=0.01, epochs=1)
    net.save(f'{name}.{there}.{suffix}')
    np.save(f'{name}.{suffix}.after.npy', net.predict_proba(x))
writer = kerasnets.recurrent.Classifier([4, (8, 'lstm'), 4])
assert len(list(writer.predict_sequence([0], 20, rng=1))) == 20
print('done')
"""


#: Tests that are run on JAX by ``pytest -m slow``; all of them: ``tox -e py-jax``.
SMOKE = 'test_recurrent test_util training/test_engine estimators/test_defaults'.split()
SMOKE = [f'tests/{name}.py' for name in SMOKE]

#: Tests that compare networks with plain Keras: they are run on every backend.
BESIDE = ['tests/beside_keras']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('backend', 'tests'),
    [
        pytest.param('jax', SMOKE, id='a smoke set on jax'),
        pytest.param('jax', BESIDE, id='beside Keras on jax'),
        pytest.param('torch', BESIDE, id='beside Keras on torch'),
    ],
)
def test_tests_pass_on_another_backend(backend, tests):
    pytest.importorskip(backend)
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *tests]
    env = {k: v for k, v in os.environ.items() if not k.startswith(('PYTEST_', 'XLA_'))}
    env |= {'KERAS_BACKEND': backend, 'PYTHONPATH': str(ROOT)}
    env |= {'XLA_FLAGS': '--xla_backend_optimization_level=0'}  # compiles in half the time
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['jax', 'torch'])
def test_files_are_portable_between_backends(backend, tmp_path, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.chdir(tmp_path)
    np.save('x.npy', X)
    wanted = {}
    for name, make in NETS.items():
        net = make()
        suffix = 'h5' if name == 'dense' else 'keras'
        wanted[name, suffix] = net.predict_proba(X)
        net.save(f'{name}.tf.{suffix}')
    env = {k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'}
    env |= {'KERAS_BACKEND': backend, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-c', OTHER, backend]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.stdout == 'done\n', done.stderr[-3000:]
    for (name, suffix), p in wanted.items():
        found = np.load(f'{name}.{suffix}.npy')
        np.testing.assert_allclose(found, p, atol=1e-5, err_msg=name)
        after = kerasnets.load(f'{name}.{backend}.{suffix}').predict_proba(X)
        there = np.load(f'{name}.{suffix}.after.npy')
        np.testing.assert_allclose(after, there, atol=1e-5, err_msg=name)
        assert abs(after - p).max() > 1e-4  # it was trained on


@pytest.mark.slow
def test_many_structures_raise_no_warning_of_tensorflow(caplog):
    """It warns from the fifth function on that is traced at one place."""
    logging.getLogger('tensorflow').addHandler(caplog.handler)
    for size in range(2, 8):
        net = kerasnets.Regressor([size, 1])
        net.train([np.zeros((4, size)), np.zeros((4, 1))], epochs=1, jit=True)
    assert not [r for r in caplog.records if 'retracing' in r.getMessage()]


@pytest.mark.parametrize('backend', ['jax', 'torch'])
def test_training_on_another_backend_does_not_import_tensorflow(backend):
    """Keras' `get_config` would, to compare types: seconds of a first call."""
    pytest.importorskip(backend)
    script = """
import sys
import numpy as np
import kerasnets
net = kerasnets.Regressor([4, dict(form='EinsumDense', equation='ab,bc->ac', output_shape=3), 1])
net.train([np.ones((8, 4), 'f'), np.ones((8, 1), 'f')], epochs=1)
net.predict(np.ones((8, 4), 'f'))
assert 'tensorflow' not in sys.modules
from keras.src.utils.module_utils import tensorflow
assert tensorflow._available is None
"""
    env = os.environ | {'KERAS_BACKEND': backend, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([sys.executable, '-c', script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
