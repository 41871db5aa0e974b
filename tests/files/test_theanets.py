"""Files that theanets wrote, opened without it; and pickles that mean harm."""

import gzip
import io
import os
import pickle
import subprocess

import numpy as np
import pytest
from fresh import run
from paths import TESTS
from paths import arrays as read

import kerasnets
from kerasnets.errors import FileError
from kerasnets.files import metadata
from kerasnets.files.theanets import network, records, safe_unpickler

FOLDER = TESTS / 'pickles'
FOUND = sorted(FOLDER.glob('*.theanets.pkl*'))
BOTH_WAYS = [path for path in FOUND if '_bi' in path.name]
FILES = [path for path in FOUND if path not in BOTH_WAYS]
WHOLE = (FOLDER / '0.7.3-ff_classifier.theanets.pkl').read_bytes()
#: theanets has these time-first, or not for each example.
UNCOMPARED = (':rate', ':factors')


def arrays(path):
    return read(FOLDER / f'{path.name.split(".theanets")[0]}.npz')


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_predictions_are_those_of_theanets(path):
    net, want = kerasnets.load(path), arrays(path)
    got = net.feed_forward(want['x'])
    for key in want:
        if key.startswith('out/') and ':' in key and not key.endswith(UNCOMPARED):
            np.testing.assert_allclose(got[key[4:]], want[key], atol=1e-5, err_msg=key)
    np.testing.assert_allclose(net.predict(want['x']), want['predict'], atol=1e-5)
    if 'loss' in want:
        data = [want[key] for key in 'xy' if key in want]
        data = data[: len(net.variables)]
        np.testing.assert_allclose(net.evaluate(data)['loss'], want['loss'], rtol=1e-4)


@pytest.mark.parametrize('path', BOTH_WAYS, ids=lambda path: path.name)
def test_the_backward_half_is_reversed(path, recwarn):
    net = kerasnets.load(path)
    said = [str(warning.message) for warning in recwarn if warning.category is UserWarning]
    assert ['backward half of a bidirectional layer reversed in time' in text for text in said] == [
        True
    ]
    want = arrays(path)
    got = net.feed_forward(want['x'])
    name = net.specs[1].name
    for part in ('out', 'pre'):
        forward, backward = (f'{name}:{half}_{part}' for half in ('fw', 'bw'))
        np.testing.assert_allclose(got[forward], want[f'out/{forward}'], atol=1e-5)
        np.testing.assert_allclose(got[backward][:, ::-1], want[f'out/{backward}'], atol=1e-5)
    assert got['out:out'].shape == want['predict'].shape


def test_losses_of_releases_that_had_none():
    """Before 0.7 the loss was that of the class."""
    opened = {
        name: kerasnets.load(FOLDER / f'{name}.theanets.pkl.gz').losses
        for name in ('0.6.2-ff_weighted', '0.6.2py2-ff_classifier', '0.6.0-rec_predictor')
    }
    assert opened == {
        '0.6.2-ff_weighted': [kerasnets.Loss('mse', weighted=True)],
        '0.6.2py2-ff_classifier': [kerasnets.Loss('xe')],
        '0.6.0-rec_predictor': [kerasnets.Loss('mse')],
    }


@pytest.mark.parametrize('path', FOUND, ids=lambda path: path.name)
@pytest.mark.filterwarnings('ignore:theanets left the backward half')
def test_the_random_generator_is_converted(path, recwarn):
    """It draws what the last layer's would have drawn, were it still there."""
    record = safe_unpickler.read(path.read_bytes())
    layers = record.get('layers') if isinstance(record.state, dict) else record.state[0]
    last = [layer.get('rng') or layer.get('nrng') for layer in layers][-1].state
    key, at = (last['state'].values()) if isinstance(last, dict) else last[1:3]
    theirs = np.random.RandomState()
    theirs.set_state(('MT19937', safe_unpickler.array(key), at))
    raw = kerasnets.load(path).rng.bit_generator.random_raw(5)
    np.testing.assert_array_equal(raw, theirs.randint(2**32, size=5, dtype='uint32'))


OPEN = """
import sys
import numpy as np
import kerasnets
for line in sys.stdin.read().split():
    net = kerasnets.load(line)
    want = np.load(line.replace('.keras', '.npz'))
    print(abs(net.predict(want['x']) - want['p']).max())
"""


def test_converted_files_open_in_a_fresh_process(tmp_path):
    code = OPEN.replace('sys.stdin.read().split()', 'sys.argv[1:]')
    names = []
    for i, path in enumerate(FILES):
        net, want = kerasnets.load(path), arrays(path)
        names.append(tmp_path / f'{i}.keras')
        net.save(names[-1])
        np.savez(tmp_path / f'{i}.npz', x=want['x'], p=want['predict'])
    gaps = [float(line) for line in run(code, *names).split()]
    assert len(gaps) == len(FILES)
    assert max(gaps) < 1e-5


def test_loading_and_resuming():
    path = FOLDER / '0.7.3-ff_classifier.theanets.pkl'
    net = kerasnets.Classifier.load(str(path))
    with open(path, 'rb') as handle:
        again = kerasnets.load(handle)
    x = arrays(path)['x']
    np.testing.assert_array_equal(net.predict_proba(x), again.predict_proba(x))
    net.train([x, net.predict(x)], epochs=2)
    with pytest.raises(FileError, match=r'holds a Classifier, not a Autoencoder'):
        kerasnets.Autoencoder.load(path)


# Harm


class Harm:
    """A pickle of it runs a command when it is opened."""

    def __init__(self, function, *args):
        self.what = function, args

    def __reduce__(self):
        return self.what


def hostile(canary):
    """Name -> bytes of pickles that would touch the canary."""
    command = f'touch {canary}'
    named = {
        'system': Harm(os.system, command),
        'eval': Harm(eval, f'__import__("os").system({command!r})'),
        'exec': Harm(exec, f'import os; os.system({command!r})'),
        'open': Harm(open, str(canary), 'w'),
        'popen': Harm(subprocess.Popen, ['touch', str(canary)]),
        'getattr': Harm(getattr, os, 'system'),
        'nested': {'layers': [Harm(os.system, command)]},
    }
    found = {}
    for name, value in named.items():
        for protocol in (0, 2, 4):
            try:
                found[f'{name}-{protocol}'] = pickle.dumps(value, protocol)
            except TypeError:
                continue
    found['load'] = b'\x80\x02cnumpy\nload\nX\x01\x00\x00\x00a\x85R.'
    found['dotted'] = b'\x80\x04\x8c\x02os\x8c\x0bpath.system\x93.'
    found['theano-like'] = b'\x80\x02ctheanoevil\nsystem\n)R.'
    found['id'] = b'\x80\x02U\x01aQ.'
    return found


def test_nothing_in_a_pickle_is_executed(tmp_path):
    canary = tmp_path / 'canary'
    files = hostile(canary)
    assert len(files) > 15
    for name, content in files.items():
        for suffix, squeeze in (('.pkl', bytes), ('.pkl.gz', gzip.compress)):
            path = tmp_path / f'{name}{suffix}'
            path.write_bytes(squeeze(content))
            with pytest.raises(FileError):
                kerasnets.load(path)
            assert not canary.exists(), name


@pytest.mark.parametrize(
    'content',
    [
        b'\x80\x02]r\xff\xff\xff\x7f.',
        b'\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.',
        b'\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.',
    ],
    ids=['memo', 'bytes', 'bytearray'],
)
def test_files_that_ask_for_memory(content):
    with pytest.raises(FileError):
        kerasnets.load(io.BytesIO(content))


@pytest.mark.slow
def test_a_gigabyte_that_is_compressed():
    with pytest.raises(FileError):
        kerasnets.load(io.BytesIO(gzip.compress(bytes(2**30 + 2**20), 1)))


def test_a_shape_must_have_its_bytes():
    """The array that is asked for has a million rows; its bytes are few."""

    def fields(shape, data, kind='f4'):
        dtype = safe_unpickler.Record(kind, False, True)
        record = safe_unpickler._Reader(io.BytesIO()).find_class(
            'numpy.core.multiarray', '_reconstruct'
        )()
        record.state = (1, shape, dtype, False, data)
        return record

    np.testing.assert_array_equal(safe_unpickler.array(fields((1,), b'\0\0\x80\x3f')), [1])
    for shape, data, kind in [
        ((10**6, 10**6), b'1234', 'f4'), ((-1, -1), b'1234', 'f4'), ((1,), b'12345678', 'O8'),
    ]:  # fmt: skip
        with pytest.raises(FileError):
            safe_unpickler.array(fields(shape, data, kind))


def test_units_must_have_their_parameters(monkeypatch):
    """Twenty million units, said to be in a file of 12 kB."""
    found = records.read(WHOLE)
    found.entries[1]['size'] = 20_000_000
    monkeypatch.setattr(network, 'read', lambda content: found)
    with pytest.raises(FileError, match=r'20000000 units, for which .* are too few'):
        network.load(WHOLE, metadata.classes(kerasnets.Network))


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        (b'', 'not a .keras or .h5'),
        (b'\x80\x02', 'the pickle is damaged'),
        (b'\x1f\x8b\x08', 'gzip file is'),
        (pickle.dumps([1, 2]), 'holds a list, expected a network'),
        (pickle.dumps({'layers': 3}), 'holds a dict, expected a network'),
        (b'\x80\x02ctheanets.layers.base\nInput\n)\x81.', 'expected a network of theanets'),
    ],
)
def test_files_that_are_not_networks(content, says):
    with pytest.raises(FileError, match=says):
        kerasnets.load(io.BytesIO(content))


def test_a_pickle_may_not_unfold_to_any_size(monkeypatch):
    whole = gzip.compress(bytes(5000))
    monkeypatch.setattr(safe_unpickler, 'LARGEST', 1000)
    with pytest.raises(FileError, match='expands to more than 1,000 bytes'):
        safe_unpickler.read(whole)
    monkeypatch.setattr(safe_unpickler, 'LARGEST', 10_000)
    with pytest.raises(FileError, match='truncated'):
        safe_unpickler.read(whole[:-9])
    with pytest.raises(FileError, match='damaged'):
        safe_unpickler.read(whole[:10] + b'\xff' * 20)


def test_a_pickle_may_not_have_any_number_of_operations(monkeypatch):
    monkeypatch.setattr(safe_unpickler, 'OPERATIONS', 10)
    with pytest.raises(FileError, match='more than 10 operations'):
        safe_unpickler.read(pickle.dumps(list(range(20))))
    with pytest.raises(FileError, match='object numbers that it does not need'):
        safe_unpickler.read(b'\x80\x02]r\xff\xff\xff\x7f.')  # would make room for two billion


def test_records_remember_what_objects_were_made_of():
    made = b'\x80\x02ctheanets.layers\nLayers\n)\x81(K\x01K\x02eK\x03aX\x01\x00\x00\x00kK\x04s.'
    record = safe_unpickler.read(made)
    assert (record.kind, record.name) == ('theanets.layers.Layers', 'Layers')
    assert record.items == [1, 2, 3, ('k', 4)]
    assert record.get('anything', 7) == 7
    scalar = safe_unpickler.read(pickle.dumps(np.float64(2.5), 2))
    assert safe_unpickler.array(scalar) == 2.5
    with pytest.raises(FileError, match='expected an array'):
        safe_unpickler.array(record)
    with pytest.raises(FileError, match='outside of it'):
        safe_unpickler.read(b'\x80\x02K\x01Q.')
