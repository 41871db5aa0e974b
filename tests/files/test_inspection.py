"""What `inspect` tells is what `load` makes, and it makes nothing itself."""

import io

import hostile
import keras
import numpy as np
import pytest
from fresh import bare
from paths import TESTS

import kerasnets
from kerasnets.errors import FileError

PICKLES = sorted((TESTS / 'pickles').glob('*.pkl*'))


@pytest.mark.parametrize('path', PICKLES, ids=lambda path: path.name)
@pytest.mark.filterwarnings('ignore:theanets left the backward half')
def test_pickles(path):
    found, net = kerasnets.inspect(path), kerasnets.load(path)
    assert found.format == 'theanets'
    assert found.kind == f'{type(net).__module__.split(".")[1]}.{type(net).__name__}'
    assert [layer.name for layer in found.layers] == [spec.name for spec in net.specs]
    assert [layer.form for layer in found.layers] == [spec.form for spec in net.specs]
    assert found.num_params == net.num_params
    assert found.losses == [loss.form for loss in net.losses]


@pytest.mark.parametrize('suffix', ['.keras', '.h5'])
def test_files_of_ours(suffix):
    content = hostile.honest(suffix)
    found = kerasnets.inspect(io.BytesIO(content))
    assert found.kind == 'feedforward.Classifier'
    assert [(x.name, x.form, x.size, x.activation, x.num_params) for x in found.layers] == [
        ('in', 'input', 4, '', 0),
        ('hid1', 'ff', 5, 'tanh', 25),
        ('out', 'ff', 3, 'softmax', 18),
    ]
    assert (found.num_params, found.losses, found.optimizer) == (43, ['xe'], 'Adam')
    assert found.versions['keras'] == keras.__version__
    assert found.versions['kerasnets'] == kerasnets.__version__
    assert found.size == len(content)


def test_files_of_keras(tmp_path):
    a = keras.Input((4,), name='a')
    model = keras.Model(a, keras.layers.Dense(3, 'softmax', name='b')(a))
    model.compile('sgd', keras.losses.KLDivergence())
    for suffix in ('.keras', '.h5', '.weights.h5'):
        path = tmp_path / f'model{suffix}'
        (model.save_weights if 'weights' in suffix else model.save)(path)
        found = kerasnets.inspect(path)
        assert found.num_params == 15
        assert found.layers[-1].name == 'b'
        if 'weights' not in suffix:
            last = found.layers[-1]
            assert (last.form, last.size, last.activation) == ('Dense', 3, 'softmax')
            assert (found.kind, found.optimizer) == ('keras.Functional', 'SGD')
            assert found.losses == ['kl_divergence']


def test_a_custom_loss_and_the_summary(tmp_path):
    net = kerasnets.recurrent.Regressor([4, (6, 'lstm'), 2])
    net.set_loss(keras.losses.LogCosh())
    net.save(tmp_path / 'net.keras')
    file = io.StringIO()
    found = kerasnets.inspect(tmp_path / 'net.keras')
    found.show(file)
    assert 'recurrent.Regressor' in file.getvalue()
    assert '4×24' in file.getvalue()
    assert f'{net.num_params:,} parameters' in file.getvalue()
    assert len(found.losses) == 1


def test_inspecting_builds_nothing_and_needs_no_keras(tmp_path):
    code = """
import sys, kerasnets
for path in sys.argv[1:]:
    kerasnets.inspect(path)
print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])
"""
    for suffix in ('.keras', '.h5'):
        (tmp_path / f'net{suffix}').write_bytes(hostile.honest(suffix))
    paths = [*tmp_path.iterdir(), PICKLES[0]]
    assert bare(code, *paths).strip() == '[]'


def test_hostile_keras_files_are_rejected(tmp_path):
    canary = tmp_path / 'canary'
    for name, content in hostile.corpus(canary).items():
        try:
            found = kerasnets.inspect(io.BytesIO(content))
        except FileError:
            continue
        assert found.as_dict()['size'] == len(content), name
    assert not canary.exists()
    with pytest.raises(FileError, match='there is no such file'):
        kerasnets.inspect(tmp_path / 'none')


def test_the_widest_sizes_are_reported():
    """A file that `load` refuses can be looked at."""
    found = kerasnets.inspect(io.BytesIO(hostile.option(units=20_000_000)))
    assert found.num_params == 43
    assert np.isscalar(found.layers[1].size)
