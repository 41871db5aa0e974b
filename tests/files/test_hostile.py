"""Rows 15, 16 and 18: files that are broken or mean harm are refused, and nothing in them runs."""

import io
import json
import resource
import zipfile

import hostile
import keras
import kinds_of_hdf5
import numpy as np
import pytest
from fresh import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import TESTS

import kerasnets
from kerasnets.errors import ConfigurationError, FileError
from kerasnets.files import atomic, contents, policy

SEAL = len(atomic.SEAL) + atomic.DIGEST
MB = 2**10  # of what Linux counts memory in
PICKLE = TESTS / 'pickles' / '0.7.3-ff_classifier.theanets.pkl'
X = np.random.default_rng(2).normal(size=(3, 4)).astype('f')

OPEN = """
import sys
import json, pathlib, resource
import hostile, keras, kerasnets

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

folder = pathlib.Path(sys.argv[1])
canary, path = folder / 'canary', folder / 'file'
files = hostile.corpus(canary)
for suffix in ('.keras', '.h5'):
    path.write_bytes(hostile.honest(suffix))
    kerasnets.load(path)
found, before = dict.fromkeys(files, ''), memory()
for ambient in (lambda: None, keras.config.enable_unsafe_deserialization):
    ambient()
    for name, content in files.items():
        path.write_bytes(content)
        try:
            kerasnets.load(path)
            found[name] += 'opened '
        except kerasnets.FileError as error:
            found[name] += '' if str(path) in str(error) else 'unnamed '
        found[name] += 'ran ' if canary.exists() else ''
        found[name] += '' if sorted(folder.iterdir()) == [path] else 'left something '
        canary.unlink(missing_ok=True)
print(json.dumps([found, memory() - before]))
"""


def test_hostile_and_broken_files(tmp_path):
    found, grown = json.loads(run(OPEN, tmp_path).splitlines()[-1])
    assert len(found) >= 70
    assert {name: what for name, what in found.items() if what} == {}
    assert grown < 64 * MB


@pytest.fixture(scope='module')
def hostile_files(tmp_path_factory):
    return hostile.corpus(tmp_path_factory.mktemp('hostile') / 'canary')


def test_the_canary_is_one(tmp_path):
    """Keras runs the same file when it is told that it may."""
    canary = tmp_path / 'canary'
    (tmp_path / 'net.keras').write_bytes(hostile.lambda_model(canary, '.keras'))
    keras.saving.load_model(tmp_path / 'net.keras', safe_mode=False)(X)
    assert canary.exists()


@pytest.mark.parametrize(
    ('name', 'says'),
    [
        ('lambda', "the layer '.*' is a Lambda, which runs code .* from_keras"),
        ('import', "the layer 'hid1' names os: 'system', which is unknown here"),
        ('unknown class', "the layer 'hid1' names mine: 'Mine'.*register_keras_serializable"),
        ('wide', "the layer 'hid1' has units=20000000, which needs more than .*max_params"),
        ('wide and wider', 'have 3,600,360,000 parameters, and it holds 43'),
        ('other table', r"the weight 'hid1/kernel' is of shape \(6, 5\) .* \(4, 5\) in the file"),
        ('h5 other weights', r"the weight 'hid1/kernel' is of shape \(4, 7\) .* \(4, 5\) in the"),
        ('half', r'the file is damaged \(BadZipFile'),
        ('empty', 'the file is not a .keras or .h5 file'),
        ('h5 flipped in the weights', 'the file is damaged'),
        ('h5 weights alone', 'only weights. Build the network and call its load_weights'),
        ('traversal', 'would be extracted outside'),
    ],
)
def test_messages_for_hostile_files(name, says, hostile_files):
    with pytest.raises(FileError, match=says):
        kerasnets.load(io.BytesIO(hostile_files[name]))


@pytest.mark.parametrize(
    'path',
    ['hf://keras/bert', 'https://example.org/net.keras', 'gs://a/net.keras', 'file:///net.h5'],
)
def test_urls_are_not_paths(path):
    net = kerasnets.Classifier([4, 3])
    for call in (kerasnets.load, net.save, net.load_weights):
        with pytest.raises(FileError, match='is a URL: kerasnets reads and writes local files'):
            call(path)


def test_max_params():
    content = hostile.honest('.keras')
    assert kerasnets.load(io.BytesIO(content), max_params=43).num_params == 43
    drawn = kerasnets.Classifier([4, (5, 'tanh'), dict(form='Dropout', rate=0.5), 3])
    handle = io.BytesIO()
    drawn.save(handle)  # seeds are no parameters
    handle.seek(0)
    assert kerasnets.load(handle, max_params=43).num_params == 43
    handle.seek(0)
    assert kerasnets.inspect(handle).num_params == 43
    for wrong in ('many', 0, 2.5):
        with pytest.raises(ConfigurationError, match='max_params as an int of 1 or more'):
            kerasnets.load(io.BytesIO(content), max_params=wrong)
    with pytest.raises(FileError, match='holds 43 parameters, more than the maximum of 42'):
        kerasnets.load(io.BytesIO(content), max_params=42)
    with pytest.raises(FileError, match='holds 51 parameters, more than the maximum of 7'):
        kerasnets.load(PICKLE.parent / '0.7.3-ff_classifier.theanets.pkl', max_params=7)


def test_building_a_skeleton_takes_no_memory():
    """Whatever Keras does with variables that wait for their values, these get none."""
    model = keras.Sequential([keras.Input((10**6,)), keras.layers.Dropout(0.5)])
    config = keras.saving.serialize_keras_object(model)
    wide = {'module': 'keras.layers', 'class_name': 'Dense', 'config': {'units': 10**6}}
    config['config']['layers'].append(wide)
    made = policy.skeleton(config)
    assert made.layers[-1].kernel.shape == (10**6, 10**6)  # 4 TB
    with keras.StatelessScope():
        pass  # what waits in this thread gets its values when the scope ends


@keras.saving.register_keras_serializable('tests')
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_registered_names_are_allowed(tmp_path):
    keras.Sequential([keras.Input((4,)), Doubling()]).save(tmp_path / 'a.keras')
    np.testing.assert_allclose(kerasnets.load(tmp_path / 'a.keras').predict(X), 2 * X)

    class Trebling(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    with keras.saving.custom_object_scope({'Trebling': Trebling}):
        keras.Sequential([keras.Input((4,)), Trebling()]).save(tmp_path / 'b.keras')
        np.testing.assert_allclose(kerasnets.load(tmp_path / 'b.keras').predict(X), 3 * X)
    with pytest.raises(FileError, match="'Trebling', which is unknown here"):
        kerasnets.load(tmp_path / 'b.keras')


# Row 15: any byte


def whole(kind):
    return PICKLE.read_bytes() if kind == 'pickle' else hostile.honest(kind)


def opened(content):
    """The network in a file; None if it is refused."""
    try:
        return kerasnets.load(io.BytesIO(content))
    except FileError:
        return None


def assert_same(net, other):
    assert net.losses == other.losses
    np.testing.assert_array_equal(net.predict_proba(X), other.predict_proba(X))


def cases(count):
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def end_too_soon(kind, count):
    content = whole(kind)

    @cases(count)
    @given(st.integers(0, len(content) - 1))
    def check(end):
        net = opened(content[:end])
        if kind == '.h5' and len(content) - end <= SEAL:
            assert_same(net, opened(content))  # nothing but the seal is lost
        else:
            assert net is None

    check()


def flip(kind, count):
    """A file with other bytes is refused, or is what it was; a pickle has no checksum to tell."""
    content = whole(kind)
    same = opened(content)
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255))

    @cases(count)
    @given(st.lists(places, min_size=1, max_size=4, unique_by=lambda flip: flip[0]))
    def check(flips):
        broken = bytearray(content)
        for at, by in flips:
            broken[at] ^= by
        net = opened(bytes(broken))
        if net is not None and kind != 'pickle':
            assert_same(net, same)

    check()


@pytest.mark.parametrize('kind', ['.keras', '.h5', 'pickle'])
@pytest.mark.parametrize('damage', [end_too_soon, flip])
def test_damaged_files(damage, kind):
    damage(kind, 100)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['.keras', '.h5', 'pickle'])
@pytest.mark.parametrize('damage', [end_too_soon, flip])
def test_damaged_files_in_thousands(damage, kind):
    damage(kind, 2000)


def test_files_of_keras_that_are_not_sealed(tmp_path):
    """Keras' own .h5 has no checksum: refused, or other numbers, but never a crash or a hang."""
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / 'net.h5')
    content = (tmp_path / 'net.h5').read_bytes()

    @cases(100)
    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    def check(at, by):
        opened(content[:at] + bytes([content[at] ^ by]) + content[at + 1 :])

    check()


def test_an_hdf5_file_changed_by_others_loses_its_checksum(tmp_path):
    """A seal says that a file is as we wrote it; who writes to it with h5py takes it off."""
    (tmp_path / 'net.h5').write_bytes(hostile.hdf5(lambda file: file.attrs.update(note='mine')))
    assert kerasnets.load(tmp_path / 'net.h5').num_params == 43
    assert contents.read(tmp_path / 'net.h5').about['class'] == 'feedforward.Classifier'


def wide(name, *layers):
    k = keras.layers
    entries = {
        'repeated': [k.RepeatVector(10**9)],
        'padded': [k.Reshape((2, 2)), k.ZeroPadding1D(10**9)],
        'upsampled': [k.Reshape((2, 2)), k.UpSampling1D(10**9)],
        'strided': [k.Reshape((2, 2)), k.Conv1DTranspose(1, 1, strides=10**9)],
    }
    return keras.Sequential([keras.Input((4,)), *entries[name], *layers])


@pytest.mark.parametrize('name', ['repeated', 'padded', 'upsampled', 'strided'])
def test_an_example_that_would_become_too_large(name, tmp_path):
    wide(name).save(tmp_path / 'net.keras')
    with pytest.raises(FileError, match=r'makes [\d,]+ values of one example.*max_values'):
        kerasnets.load(tmp_path / 'net.keras')
    assert kerasnets.load(tmp_path / 'net.keras', max_values=10**11).num_params >= 0


def test_repeated_concatenation(tmp_path):
    x = source = keras.Input((4,))
    join = keras.layers.Concatenate()
    for _ in range(30):
        x = join([x, x])  # one layer, called again and again
    keras.Model(source, x).save(tmp_path / 'net.keras')
    with pytest.raises(FileError, match=r'makes [\d,]+ values of one example'):
        kerasnets.load(tmp_path / 'net.keras')
    with pytest.raises(kerasnets.ConfigurationError, match='max_values as an int of 1 or more'):
        kerasnets.load(tmp_path / 'net.keras', max_values=0)


@pytest.mark.parametrize('name', kinds_of_hdf5.HARMLESS)
def test_numbers_beside_the_model_change_nothing(name, tmp_path):
    (tmp_path / 'net.h5').write_bytes(hostile.hdf5(kinds_of_hdf5.HARMLESS[name]))
    (tmp_path / 'plain.h5').write_bytes(hostile.honest('.h5'))
    x = np.random.default_rng(1).normal(size=(3, 4)).astype('f')
    found, want = (kerasnets.load(tmp_path / f'{n}.h5').predict_proba(x) for n in ('net', 'plain'))
    np.testing.assert_array_equal(found, want)


def test_attributes_are_not_read_at_any_size(tmp_path, monkeypatch):
    """A gigabyte beside the arrays is refused by the sizes alone."""
    read = []
    monkeypatch.setattr(contents, 'ATTRIBUTES', 50_000)
    monkeypatch.setattr(contents, '_attribute', lambda *args: read.append(args))
    (tmp_path / 'net.h5').write_bytes(
        hostile.hdf5(lambda file: file.attrs.create('model_config', b'{' + b' ' * 60_000 + b'}'))
    )
    with pytest.raises(FileError, match='bytes outside of its arrays'):
        kerasnets.load(tmp_path / 'net.h5')
    assert not read


def test_there_may_not_be_any_number_of_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, 'COUNT', 500)
    (tmp_path / 'net.h5').write_bytes(
        hostile.hdf5(lambda file: [file.create_group(f'model_weights/g{i}') for i in range(600)])
    )
    with pytest.raises(FileError, match='cyclic, too many or too deep'):
        kerasnets.load(tmp_path / 'net.h5')


@pytest.mark.parametrize(
    ('cls', 'setting', 'value'),
    [
        ('Ensemble', 'members', 10**9),
        ('Ensemble', 'hidden', [10**9]),
        ('Ensemble', 'hidden', [1] * 10**5),
        ('Rescaled', 'bins', 10**9),
        ('Rescaled', 'binned', [0] * 10**6),
        ('Rescaled', 'binned', [99]),
        ('Rescaled', 'bins', -3),
    ],
)
def test_settings_of_ensembles_that_would_take_much_room(cls, setting, value):
    layers = [
        4,
        dict(form='rescaled', binned=[1], bins=3),
        dict(form='ensemble', size=2, members=2, hidden=[5]),
        'GlobalAveragePooling1D',
    ]
    whole = io.BytesIO()
    kerasnets.Regressor(layers).save(whole)
    changed = io.BytesIO()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(changed, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            if name == 'config.json':
                config = json.loads(content)
                (layer,) = [one for one in config['config']['layers'] if one['class_name'] == cls]
                layer['config'][setting] = value
                content = json.dumps(config)
            target.writestr(name, content)
    changed.seek(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileError) as refused:
        kerasnets.load(changed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # kilobytes
    assert len(str(refused.value)) < 1000
