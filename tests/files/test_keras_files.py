import copy
import functools
import io
import json
import os
import pathlib
import stat
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from fresh import run
from warned import warned

import kerasnets
from kerasnets.errors import FileError
from kerasnets.files import metadata

SUFFIXES = ['.keras', '.h5']

PLAIN = """
import sys, numpy as np, keras
try:
    import kerasnets
except ImportError:
    pass
else:
    raise SystemExit('kerasnets could be imported')
for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    assert type(model) is keras.Sequential
    data = np.load(path + '.npz')
    got = model.predict(data['x'], verbose=0)
    print(abs(got - data['p']).max(), type(model.optimizer).__name__)
    if path.endswith('.keras'):  # Keras itself cannot go on with the optimizer of an .h5
        model.fit(data['x'], data['y'], epochs=1, verbose=0)
"""

LISTS = {
    'feedforward': [5, (6, 'tanh'), dict(size=4, activation='logistic'), 3],
    'recurrent': [5, (6, 'rnn'), (5, 'lstm'), (4, 'gru'), 'LayerNormalization', 3],
}


def make(kind, trained=True):
    module = getattr(kerasnets, kind)
    net = module.Classifier(LISTS[kind])
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 7, 5) if kind == 'recurrent' else (20, 5)).astype('f')
    y = rng.integers(3, size=x.shape[:-1])
    if trained:
        net.train([x, y], epochs=2, algo='adam', learning_rate=0.01)
    return net, x, y


def test_plain_keras_opens_it_where_kerasnets_is_not(tmp_path):
    paths = []
    for kind in LISTS:
        net, x, y = make(kind)
        for suffix in SUFFIXES:
            paths.append(f'{tmp_path}/{kind}{suffix}')
            net.save(paths[-1])
            np.savez(f'{paths[-1]}.npz', x=x, y=y, p=net.predict_proba(x))
    for way in ('learned', None):  # rotary positions need a class of ours
        entry = dict(form='transformer', size=8, heads=2, positions=way, context=9, dropout=0.1)
        net, (_, x, y) = kerasnets.recurrent.Classifier([5, entry, 3]), make('recurrent', False)
        net.train([x, y], epochs=1, algo='adam', learning_rate=0.01)
        paths.append(f'{tmp_path}/{way}.keras')
        net.save(paths[-1])
        np.savez(f'{paths[-1]}.npz', x=x, y=y, p=net.predict_proba(x))
    lines = run(PLAIN, *paths, kerasnets=False).splitlines()
    assert len(lines) == 6
    for line in lines:
        gap, optimizer = line.split()
        assert float(gap) < 1e-6
        assert optimizer == 'Adam'


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('kind', LISTS)
def test_everything_is_restored(kind, suffix, tmp_path):
    net, x, y = make(kind)
    net.save(str(tmp_path / f'net{suffix}'))
    again = kerasnets.load(tmp_path / f'net{suffix}')
    assert type(again) is type(net)
    assert again.specs == net.specs
    assert again.losses == net.losses
    assert type(again.model) is keras.Sequential
    for a, b in zip(net.params, again.params):
        assert a.name == b.name
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    np.testing.assert_array_equal(net.predict_proba(x), again.predict_proba(x))
    np.testing.assert_allclose(again.evaluate([x, y])['loss'], net.evaluate([x, y])['loss'])
    again.train([x, y], epochs=1)
    again.save(tmp_path / f'twice{suffix}')
    np.testing.assert_array_equal(
        kerasnets.load(tmp_path / f'twice{suffix}').predict_proba(x), again.predict_proba(x)
    )


OWN = """
import sys, {imports}
import numpy as np
for path in sys.argv[1:]:
    net = {load}(path)
    data = np.load(path + '.npz')
    p = (net.predict_proba if hasattr(net, 'find') else net.predict)(data['x'])
    print('gap', abs(p - data['p']).max())
"""


@pytest.mark.parametrize(
    ('imports', 'load'),
    [
        ('kerasnets', 'kerasnets.load'),
        ('keras, kerasnets', 'keras.saving.load_model'),
        ('kerasnets, keras', 'keras.saving.load_model'),
    ],
)
def test_own_layers_and_activations_load_in_a_fresh_process(imports, load, tmp_path):
    cells = ['rrnn', 'mrnn', 'mut1', 'scrn', 'clockwork', 'bcrnn']
    net = kerasnets.recurrent.Classifier(
        [
            5,
            dict(form='lstm', size=4, peepholes=True),
            *((4, form) for form in cells),
            dict(form='rrnn', size=4, rate='log', direction='backwards'),
            (4, 'relu+norm:z'),
            5,
        ]
    )
    x = np.random.default_rng(1).normal(size=(2, 3, 5)).astype('f')
    paths = [f'{tmp_path}/net{suffix}' for suffix in SUFFIXES]
    for path in paths:
        net.save(path)
        np.savez(f'{path}.npz', x=x, p=net.predict_proba(x))
    lines = run(OWN.format(imports=imports, load=load), *paths).splitlines()
    gaps = [float(line.split()[1]) for line in lines if line.startswith('gap')]
    assert len(gaps) == 2
    assert max(gaps) < 1e-6


def test_text_sequence_and_weighted_losses_come_back(tmp_path):
    text = kerasnets.recurrent.Text('abcabc€', min_count=1, unknown='?')
    net = kerasnets.recurrent.Classifier(
        [text.classes, (5, 'lstm'), text.classes], loss='hinge', weighted=True, text=text
    )
    net.save(tmp_path / 'net.keras')
    again = kerasnets.recurrent.Classifier.load(tmp_path / 'net.keras')
    assert (again.text.alpha, again.text.unknown) == ('abc€', '?')
    assert again.losses == [kerasnets.Loss('hinge', weighted=True)]
    assert list(again.predict_sequence([1], 60, rng=2)) == list(
        net.predict_sequence([1], 60, rng=2)
    )


@pytest.mark.parametrize('kind', ['graph', 'instance', 'many-to-one'])
def test_other_shapes_of_network_come_back(kind, tmp_path):
    net = kerasnets.recurrent.Classifier(
        {
            'graph': [5, dict(size=4, name='a'), dict(size=4, name='b', inputs='in'),
                      dict(form='Concatenate', inputs=('a', 'b')), 3],
            'instance': [5, keras.layers.GRU(4, return_sequences=True, name='mine'), 3],
            'many-to-one': [5, dict(form='gru', size=4, return_sequences=False), 3],
        }[kind]
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(2, 3, 5)).astype('f')
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    np.testing.assert_array_equal(net.predict_proba(x), again.predict_proba(x))
    assert type(again.model) is type(net.model)
    a, b = net.feed_forward(x), again.feed_forward(x)
    assert list(a) == list(b)
    again.add_layer(4)
    assert again.predict_proba(x).shape[-1] == 4


def test_open_handles(tmp_path):
    net, x, _ = make('feedforward', trained=False)
    handle = io.BytesIO()
    net.save(handle)
    handle.seek(0)
    np.testing.assert_array_equal(kerasnets.load(handle).predict_proba(x), net.predict_proba(x))
    with open(tmp_path / 'net', 'wb') as file:
        net.save(file)
    with open(tmp_path / 'net', 'rb') as file:
        assert kerasnets.load(file).num_params == net.num_params
    net.save(tmp_path / 'net.h5')
    with open(tmp_path / 'net.h5', 'rb') as file:
        assert kerasnets.load(file).num_params == net.num_params


def test_formats_are_told_by_content_not_by_name(tmp_path):
    net, x, _ = make('feedforward', trained=False)
    net.save(tmp_path / 'net.h5')
    os.rename(tmp_path / 'net.h5', tmp_path / 'net.model')
    assert kerasnets.load(tmp_path / 'net.model').predict(x).shape == (20,)


def test_the_description_is_plain_json_beside_what_keras_reads(tmp_path):
    net, _, _ = make('recurrent', trained=False)
    net.save(tmp_path / 'net.keras')
    net.save(tmp_path / 'net.h5')
    with zipfile.ZipFile(tmp_path / 'net.keras') as archive:
        about = json.loads(archive.read('kerasnets.json'))
    with h5py.File(tmp_path / 'net.h5') as file:
        assert json.loads(bytes(file['kerasnets.json'][()])) == about
    assert about['class'] == 'recurrent.Classifier'
    assert [layer['form'] for layer in about['layers']][1:4] == ['rnn', 'lstm', 'gru']


def test_a_saved_file_has_the_usual_permissions(tmp_path):
    net, _, _ = make('feedforward', trained=False)
    net.save(tmp_path / 'net.keras')
    (tmp_path / 'plain').write_text('')
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ('net.keras', 'plain')]
    assert modes[0] == modes[1]


def test_paths_without_write_access(tmp_path):
    net, _, _ = make('feedforward', trained=False)
    for path, says in [
        (tmp_path / 'no' / 'net.keras', "there is no folder '.*no'"),
        (7, 'expected a path or an open binary file'),
    ]:
        with pytest.raises(FileError, match=says):
            net.save(path)
    (tmp_path / 'dir.keras').mkdir()
    with pytest.raises(FileError, match='cannot write'):
        net.save(tmp_path / 'dir.keras')
    assert sorted(os.listdir(tmp_path)) == ['dir.keras']


def test_files_that_cannot_be_read(tmp_path):
    net, _, _ = make('feedforward', trained=False)
    net.save(tmp_path / 'net.keras')
    whole = (tmp_path / 'net.keras').read_bytes()
    (tmp_path / 'cut.keras').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'empty.keras').write_bytes(b'')
    (tmp_path / 'text.keras').write_text('hello')
    for name, says in [
        ('none.keras', 'there is no such file'),
        ('cut.keras', 'cannot read'),
        ('empty.keras', 'not a .keras or .h5 file'),
        ('text.keras', 'not a .keras or .h5 file'),
    ]:
        with pytest.raises(FileError, match=says):
            kerasnets.load(tmp_path / name)


def test_a_file_of_another_class(tmp_path):
    net, _, _ = make('feedforward', trained=False)
    net.save(tmp_path / 'net.keras')
    with pytest.raises(FileError, match=r'holds a feedforward.Classifier.*kerasnets.load'):
        kerasnets.recurrent.Classifier.load(tmp_path / 'net.keras')


def test_a_file_of_a_newer_kerasnets(tmp_path, monkeypatch):
    net, _, _ = make('feedforward', trained=False)

    monkeypatch.setattr(metadata, 'VERSION', 99)
    net.save(tmp_path / 'net.keras')
    monkeypatch.setattr(metadata, 'VERSION', 1)
    with pytest.raises(FileError, match='newer kerasnets'):
        kerasnets.load(tmp_path / 'net.keras')


def test_a_custom_class(tmp_path):
    class Mine(kerasnets.Classifier):
        pass

    Mine([4, 3]).save(pathlib.Path(tmp_path, 'net.keras'))
    assert type(kerasnets.load(tmp_path / 'net.keras')) is Mine


FULL = """
import resource, sys, tempfile
import numpy as np, kerasnets
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
tempfile.tempdir = '/there/is/no/such/folder'
print(kerasnets.load(sys.argv[1]).predict(np.eye(4, dtype='f')).tolist())
"""


def test_an_archive_opens_where_nothing_can_be_written(tmp_path):
    net = kerasnets.Regressor([4, 5, 2])
    net.save(tmp_path / 'net.keras')
    code = f'exec({FULL!r})\nsys.stdout.flush()'
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path / 'net.keras')], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(
        np.array(json.loads(done.stdout), 'f'), net.predict(np.eye(4, dtype='f'))
    )


def linear(x):
    return 5 * x


def swish(x):
    return x * keras.ops.sigmoid(2 * x)


def tanh(x):
    return keras.ops.tanh(x)


@keras.saving.register_keras_serializable('tests')
def relu(x):
    return 2 * x


REFUSED = [linear, swish, keras.ops.gelu, functools.partial(relu), lambda x: x]


@pytest.mark.parametrize('function', REFUSED, ids=range(5))
@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_function_that_a_file_would_not_give_back_is_refused(function, suffix, tmp_path):
    net = kerasnets.recurrent.Classifier([5, (4, 'rnn', function), 3])
    with pytest.raises(kerasnets.FileError, match=r"hid1.*stores only a function's name"):
        net.save(tmp_path / f'net{suffix}')
    assert os.listdir(tmp_path) == []
    with pytest.raises(kerasnets.FileError, match="stores only a function's name"):
        copy.deepcopy(net)
    net.save(tmp_path / 'net.weights.h5')


@pytest.mark.parametrize('function', [tanh, relu, keras.ops.relu6, keras.ops.tanh], ids=range(4))
@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_function_computes_the_same_when_it_is_loaded(function, suffix, tmp_path):
    net, path = kerasnets.Regressor([5, (4, function), 3]), tmp_path / f'net{suffix}'
    net.save(path)
    x = np.random.default_rng(1).normal(size=(9, 5)).astype('f')
    want = net.predict(x)
    np.testing.assert_allclose(kerasnets.load(path).predict(x), want, atol=1e-6)
    np.testing.assert_allclose(keras.saving.load_model(path)(x), want, atol=1e-6)


def test_a_function_that_plain_keras_does_not_find_is_said(tmp_path):
    net = kerasnets.Regressor([5, (4, keras.ops.sin), 3])
    with warned('activation sin, which plain Keras does not find', UserWarning):
        net.save(tmp_path / 'net.keras')
    with pytest.raises(TypeError):
        keras.saving.load_model(tmp_path / 'net.keras')
    x = np.ones((2, 5), 'f')
    np.testing.assert_array_equal(kerasnets.load(tmp_path / 'net.keras').predict(x), net.predict(x))


@keras.saving.register_keras_serializable('tests')
class Leaky(keras.layers.Layer):
    """A layer of the user that makes its activation itself."""

    def __init__(self, **options):
        super().__init__(**options)
        self.activation = lambda x: keras.ops.maximum(x, 0.1 * x)

    def call(self, x):
        return self.activation(x)

    def get_config(self):
        return {**super().get_config(), 'name': self.name}


def test_an_activation_that_is_not_stored_is_not_refused(tmp_path):
    net, x = kerasnets.Regressor([4, Leaky(), 3]), np.ones((2, 4), 'f')
    net.save(tmp_path / 'net.keras')
    np.testing.assert_array_equal(kerasnets.load(tmp_path / 'net.keras').predict(x), net.predict(x))
