"""The command ``kerasnets``."""

import json
import pathlib
import subprocess
import sys

import hostile
import numpy as np
import pytest
from click.testing import CliRunner

import kerasnets
from kerasnets.cli import main

PICKLES = pathlib.Path(__file__).parent / 'pickles'


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_convert_and_inspect(tmp_path):
    name = '0.7.3-rec_lstm'
    old, new = PICKLES / f'{name}.theanets.pkl.gz', tmp_path / 'new.keras'
    done = call('convert', old, new)
    assert done.exit_code == 0, done.output
    assert 'new.keras: ' in done.output
    want = np.load(PICKLES / f'{name}.npz')
    np.testing.assert_allclose(kerasnets.load(new).predict(want['x']), want['predict'], atol=1e-5)
    for path in (old, new):
        done = call('inspect', path)
        assert done.exit_code == 0
        assert 'recurrent.' in done.output
        assert 'hid1' in done.output
        assert json.loads(call('inspect', path, '--json').output)['num_params'] > 0


@pytest.mark.parametrize('new', ['net.h5', 'net.weights.h5', 'net.tflite', 'folder'])
def test_other_formats(new, tmp_path):
    (tmp_path / 'old.keras').write_bytes(hostile.honest('.keras'))
    done = call('convert', tmp_path / 'old.keras', tmp_path / new)
    assert done.exit_code == 0, done.output
    assert (tmp_path / new).exists()


def test_a_warning_and_errors_are_told(tmp_path):
    old = PICKLES / '0.6.2-rec_bidirectional.theanets.pkl.gz'
    assert (
        'Warning: theanets left the backward half' in call('convert', old, tmp_path / 'a.h5').output
    )
    for arguments, says in [
        (('inspect', tmp_path / 'none'), 'there is no such file'),
        (('convert', old, tmp_path / 'a.pkl'), 'networks are saved as .keras or .h5'),
        (('convert', old, tmp_path / 'b.keras', '--max-params', 3), 'more than max_params=3'),
        (('convert', 'hf://a/b', tmp_path / 'b.keras'), 'is an address'),
        (('inspcet', old), 'No such command'),
    ]:
        done = call(*arguments)
        assert done.exit_code != 0
        assert says in done.output
        assert 'Traceback' not in done.output
    assert not (tmp_path / 'b.keras').exists()


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, '-m', 'kerasnets', '--version'], capture_output=True, text=True
    )
    assert done.stdout.strip().endswith(kerasnets.__version__)
