"""Several devices and several processes train with the losses of one.

The tests of several processes start them on this machine: ``pytest -m distributed``.
"""

import json
import os
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from paths import TESTS

import kerasnets
from kerasnets import devices

HERE = TESTS
DEVICES = '--xla_force_host_platform_device_count='


def start(folder, epochs, *more, devices=1):
    """A process that trains."""
    env = {
        **os.environ,
        'KERAS_BACKEND': 'jax',
        'TF_CPP_MIN_LOG_LEVEL': '3',
        'XLA_FLAGS': f'{DEVICES}{devices}',
        'PYTHONPATH': str(HERE.parent),
    }
    command = [sys.executable, str(HERE / 'worker.py'), str(folder), str(epochs), *map(str, more)]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def together(folder, epochs, count, lost=None):
    """So many processes that train together, of which one may be killed in the third epoch."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'127.0.0.1:{free.getsockname()[1]}'
    told = ['--address', address, '--processes', count]
    return [
        start(folder, epochs, *told, '--process', i, *(['--die', 2] if i == lost else []))
        for i in range(count)
    ]


def result(process):
    """What a process printed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def same(found, wanted):
    for name in ('losses', 'p', 'sequences'):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5, err_msg=name)
    assert found['history'] == wanted['history']
    assert found['written'] == wanted['written']
    assert found['apart'] < 1e-6


@pytest.fixture(scope='module')
def one(tmp_path_factory):
    """What one process with one device finds in four epochs."""
    pytest.importorskip('jax')
    return result(start(tmp_path_factory.mktemp('one'), 4, '--alone'))


@pytest.mark.distributed
@pytest.mark.parametrize('devices', [2, 3])
def test_devices_of_one_process(devices, tmp_path, one):
    found = result(start(tmp_path, 4, devices=devices))
    same(found, one)
    assert found['shards'] == [-(-251 // devices)] * devices


@pytest.mark.distributed
@pytest.mark.parametrize('count', [2, 3])
def test_processes(count, tmp_path, one):
    found = [result(process) for process in together(tmp_path, 4, count)]
    for each in found:
        same(each, one)
        assert each['shards'] == [-(-251 // count)]
    assert {path.name for path in tmp_path.iterdir()} == {'logs', 'net.keras', 'run.keras'}
    assert len(list((tmp_path / 'logs').iterdir())) == 1  # the first process alone writes


@pytest.mark.distributed
@pytest.mark.parametrize('lost', [0, 1])
def test_a_lost_process_ends_training_and_fewer_resume(lost, tmp_path, one):
    processes = together(tmp_path, 4, 2, lost)
    _, err = processes[1 - lost].communicate(timeout=300)
    assert processes[1 - lost].returncode != 0
    # our error, or that of JAX, one of whose threads may end the process before it is raised
    ours = 'ProcessError: one of 2 processes was lost' in err
    assert ours or 'Terminating process because the JAX distributed service' in err
    assert not ours or 'Restart all of them with resume=True' in err
    assert processes[lost].wait(60) == -signal.SIGKILL
    processes[lost].communicate()
    gone_on = [result(process) for process in together(tmp_path, 4, 3)]
    assert len(gone_on[0]['losses']) == 2  # of four, two were saved
    for each in gone_on:
        same({**each, 'losses': [*one['losses'][:2], *each['losses']]}, one)


@pytest.mark.distributed
def test_environment_variables_set_the_processes(tmp_path, one):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    said = {'JOB_ADDRESSES': f'127.0.0.1:{port},127.0.0.1:1', 'NUM_PROCESSES': '2'}
    processes = []
    for i in range(2):
        for name, value in {**said, 'PROCESS_ID': str(i)}.items():
            os.environ[f'KERAS_DISTRIBUTION_{name}'] = value
        processes.append(start(tmp_path, 4))
    for name in (*said, 'PROCESS_ID'):
        del os.environ[f'KERAS_DISTRIBUTION_{name}']
    for process in processes:
        same(result(process), one)


MIRRORED = """
import json, sys
import numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import kerasnets
from kerasnets import devices

rng = np.random.default_rng(1)
x = rng.normal(size=(157, 10)).astype('f')  # four odd batches of 39, and one row alone
y, w = x[:, :5].argmax(1), rng.random(157)


def losses():
    net = kerasnets.Classifier([10, (16, 'tanh'), 5], weighted=True)
    data = [x, y, w]
    rounds = net.itertrain(data, data, algo='adam', learning_rate=0.01, epochs=3, batch_size=39,
                           validate_every=1, weight_l2=0.1, hidden_l1=0.1,
                           monitors=['sparse_categorical_crossentropy'])
    found = [[*t.values(), *v.values()] for t, v in rounds]
    recurrent = kerasnets.recurrent.Classifier([4, (8, 'lstm'), 3])
    xs, ys = np.random.default_rng(2).normal(size=(22, 7, 4)), np.zeros((22, 7), int)
    found.append([t['loss'] for t, _ in recurrent.itertrain([xs, ys], epochs=3, batch_size=10)])
    return found, net.predict_proba(x), recurrent.predict(xs)


def parts():  # rows that each device has in prediction
    seen = set()

    def look(part):
        seen.add(part.shape[0])
        return {'outputs': {'x': part}}

    np.testing.assert_array_equal(devices.run_shared(look, [x])['outputs']['x'], x)
    return seen


one = losses()
with tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']).scope():
    assert devices.devices() == 2
    two = losses()
    assert parts() == {79}
for a, b in zip(one, two):
    for left, right in zip(a, b):
        np.testing.assert_allclose(left, right, atol=1e-5)
print('the same')
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='a strategy of TensorFlow')
def test_a_mirrored_strategy(tmp_path):
    env = {**os.environ, 'PYTHONPATH': str(HERE.parent), 'TF_CPP_MIN_LOG_LEVEL': '3'}
    done = subprocess.run(
        [sys.executable, '-c', MIRRORED], env=env, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.endswith('the same\n'), done.stderr[-3000:]


@pytest.mark.skipif(keras.backend.backend() == 'jax', reason='JAX has it')
def test_other_backends_say_what_to_do():
    with pytest.raises(kerasnets.ConfigurationError, match=r'needs Keras on JAX.*KERAS_BACKEND'):
        kerasnets.distribute()


def test_without_a_distribution_batches_are_not_split():
    assert devices.devices() == devices.processes() == 1
    assert devices.is_first()
    batch = (np.arange(7),)
    assert devices.own(batch) == (batch,)
    devices.together('nobody else')


@pytest.mark.parametrize(
    ('processes', 'process', 'says'),
    [
        (None, 0, 'expected processes as an int of 1 or more, got None'),
        (2, None, 'expected process as an int of 0 or more, got None'),
        (0, 0, 'expected processes as an int of 1 or more, got 0'),
        (2, 2, 'expected process as one of 0 to 1, got 2'),
    ],
)
def test_processes_must_be_specified(processes, process, says):
    with pytest.raises(kerasnets.ConfigurationError, match=says):
        devices._who('127.0.0.1:1', num_processes=processes, process_id=process)
