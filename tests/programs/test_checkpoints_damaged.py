"""Checkpoints that are damaged or of another training; those that are whole go on exactly."""

import copy
import io
import json
import logging
import zipfile

import judges
import keras
import numpy as np
import pytest
from fresh import run

import kerasnets
from kerasnets.errors import FileError, KerasnetsError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 4)).astype('f')
Y = X[:, :3].argmax(1)
VALID_X = RNG.normal(size=(20, 4)).astype('f')
VALID = [VALID_X, VALID_X[:, :3].argmax(1)]
MEMBER = 'training.npz'
OPTIONS = dict(
    algo='adam', learning_rate=0.02, batch_size=16, validate_every=2, hidden_dropout=0.3, jit=False
)

pytestmark = pytest.mark.skipif(keras.backend.backend() == 'torch', reason='slow there')


def network(rng=7):
    return kerasnets.Classifier([4, (6, 'tanh'), dict(form='Dropout', rate=0.2), 3], rng=rng)


def everything(net):
    """Return all that a resumed training may change."""
    optimizer = getattr(net.model, 'optimizer', None)
    return (
        judges.arrays(net.model.variables),
        judges.arrays(optimizer.variables if optimizer is not None else ()),
        copy.deepcopy(list(net.history)),
        copy.deepcopy(net.rng.bit_generator.state),
    )


def assert_unchanged(net, before):
    """Check that a network, its optimizer, its history and its generator are as before."""
    values, state, history, rng = everything(net)
    judges.assert_equal(values, before[0])
    judges.assert_equal(state, before[1])
    assert history == before[2]
    assert rng == before[3]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The path of a checkpoint after three epochs."""
    path = tmp_path_factory.mktemp('whole') / 'run.keras'
    network().train([X, Y], VALID, epochs=3, save_progress=path, **OPTIONS)
    return path


@pytest.fixture(scope='module')
def used():
    """A network that was trained before, as one that is told to resume may be."""
    net = network(8)
    net.train([X, Y], epochs=1, **OPTIONS)
    return net


def parts(path):
    """Return the members of a file, the arrays of a checkpoint, and its plain data."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with np.load(io.BytesIO(members[MEMBER])) as found:
        arrays = {name: found[name] for name in found.files}
    return members, arrays, json.loads(str(arrays.pop('plain')))


def write(path, members):
    """Write a file of members."""
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def packed(arrays, plain):
    """Return the bytes of a checkpoint's member."""
    handle = io.BytesIO()
    np.savez(handle, plain=plain if isinstance(plain, str) else json.dumps(plain), **arrays)
    return handle.getvalue()


def says(key, value):
    """Return a damage: a plain value for a field."""

    def damage(arrays, plain):
        plain[key] = {'value': value}

    return damage


def array(key, change, place=0):
    """Return a damage: another array in the place of one."""

    def damage(arrays, plain):
        name = f'{key}/{place}'
        arrays[name] = change(arrays[name])

    return damage


def count(key, more):
    """Return a damage: an array too many, or one too few."""

    def damage(arrays, plain):
        number = plain[key]['arrays']
        plain[key]['arrays'] = number + more
        if more > 0:
            arrays[f'{key}/{number}'] = np.zeros(2, 'f')
        else:
            del arrays[f'{key}/{number - 1}']

    return damage


def without(key):
    """Return a damage: a field that is missing."""

    def damage(arrays, plain):
        del plain[key]

    return damage


def swapped(place, state):
    """Return a damage: the state of a generator is another value."""

    def damage(arrays, plain):
        plain['rngs']['value'][place] = state

    return damage


def _text(a):
    return np.full(a.shape, 'text')


def _complex(a):
    return a + 1j


def _nan(a):
    return np.full(a.shape, np.nan, 'f')


def _infinite(a):
    return np.full(a.shape, np.inf, 'f')


def _taller(a):
    return np.zeros((*a.shape[:-1], a.shape[-1] + 1) if a.ndim else (2,), a.dtype)


def _flat(a):
    return a.reshape(-1, 1)


TWISTER = {
    'bit_generator': 'MT19937',
    'state': {'key': [1] * 624, 'pos': 3},
}
NAN = float('nan')

ARRAYS = {
    'text': _text,
    'complex': _complex,
    'NaN': _nan,
    'infinite': _infinite,
    'taller': _taller,
    'flat': _flat,
}

VALUES = {
    'epoch': ['three', NAN, -1, 2.5, None, [3], {}, 10**30],
    'updates': [None, 'six', -6, 1.5, NAN, [6]],
    'validation': [5, 'text', [1], None, {'loss': 'text'}, {'loss': None}],
    'patience': [
        5, None, [1.0], [1.0, 0, 3], ['text', 0], [1.0, -1], [1.0, 'text'], [None, 0],
        [1.0, 0.5], [NAN, 0], {'best': 1.0, 'failures': 0},
    ],
    'history': ['text', 5, None, [1, 2], [[1]], {'epoch': 1}, ['row']],
    'rngs': [5, None, 'text', ['a', 'b'], [{}, {}], [1]],
    'best': [5, None, [[1.0]]],
    'parameters': [5, None, [[1.0]]],
    'optimizer': [5, None],
    'noises': [5, None, 'text'],
    'data': ['text', [1], 5],
}  # fmt: skip

FIELDS = [
    'best', 'epoch', 'history', 'noises', 'optimizer', 'parameters', 'patience', 'rngs', 'updates',
    'validation',
]  # fmt: skip

#: Name -> damage, a function that changes the arrays and the plain data of a checkpoint.
DAMAGES = {
    **{f'{k} is {v!r:.20}': says(k, v) for k, values in VALUES.items() for v in values},
    **{
        f'{k} is {name}': array(k, change)
        for k in ('parameters', 'best', 'noises')
        for name, change in ARRAYS.items()
    },
    **{f'a moment is {name}': array('optimizer', change, 2) for name, change in ARRAYS.items()},
    'iterations are text': array('optimizer', _text),
    'iterations are NaN': array('optimizer', _nan),
    'iterations are negative': array('optimizer', lambda a: a * 0 - 5),
    **{f'{k} has one too many': count(k, 1) for k in ('parameters', 'best', 'optimizer', 'noises')},
    **{f'{k} lacks one': count(k, -1) for k in ('parameters', 'best', 'optimizer', 'noises')},
    **{f'there is no {k}': without(k) for k in FIELDS},
    'another field': says('other', 1),
    'another generator': swapped(0, TWISTER),
    'a generator without a state': swapped(0, {'bit_generator': 'PCG64'}),
    'a network generator without a state': swapped(1, {'bit_generator': 'PCG64'}),
    'a generator of text': swapped(0, 'text'),
    'a network generator of text': swapped(1, 'text'),
    'a generator of no kind': swapped(1, {'bit_generator': 'PCG65', 'state': {}}),
    'a state of text': swapped(
        0, {'bit_generator': 'PCG64', 'state': {'state': 'a', 'inc': 1}, 'has_uint32': 0,
            'uinteger': 0},
    ),
    'a negative state': swapped(
        1, {'bit_generator': 'PCG64', 'state': {'state': -1, 'inc': 1}, 'has_uint32': 0,
            'uinteger': 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_field_is_refused_before_anything_changes(damage, whole, used, tmp_path):
    members, arrays, plain = parts(whole)
    DAMAGES[damage](arrays, plain)
    path = tmp_path / 'damaged.keras'
    write(path, {**members, MEMBER: packed(arrays, plain)})
    before = everything(used)
    with pytest.raises(FileError):
        used.train([X, Y], VALID, epochs=5, resume=path, **OPTIONS)
    assert_unchanged(used, before)


def test_the_damages_are_those_of_every_field(whole):
    _, _, plain = parts(whole)
    assert set(FIELDS) <= set(plain)
    assert set(VALUES) == {*FIELDS, 'data'}


def _cut(content):
    return content[: len(content) // 2]


#: Name -> the members of a file from those of a whole one.
FILES = {
    'no member': lambda m: {k: v for k, v in m.items() if k != MEMBER},
    'an empty member': lambda m: {**m, MEMBER: b''},
    'half a member': lambda m: {**m, MEMBER: _cut(m[MEMBER])},
    'noise': lambda m: {**m, MEMBER: bytes(range(256)) * 4},
    'no JSON': lambda m: {**m, MEMBER: packed({}, 'text {')},
    'a list': lambda m: {**m, MEMBER: packed({}, [1, 2])},
    'numbers': lambda m: {**m, MEMBER: packed({}, {'epoch': 3, 'best': [1]})},
    'nothing': lambda m: {**m, MEMBER: packed({}, {})},
    'arrays that are not there': lambda m: {**m, MEMBER: packed({}, {'best': {'arrays': 3}})},
    'minus one array': lambda m: {**m, MEMBER: packed({}, {'best': {'arrays': -1}})},
    'many arrays': lambda m: {**m, MEMBER: packed({}, {'best': {'arrays': 10**12}})},
}


@pytest.mark.parametrize('file', FILES)
def test_a_damaged_member_is_refused_before_anything_changes(file, whole, used, tmp_path):
    members, _, _ = parts(whole)
    write(tmp_path / 'damaged.keras', FILES[file](members))
    before = everything(used)
    for options in (
        dict(resume=tmp_path / 'damaged.keras'),
        dict(resume=True, save_progress=tmp_path / 'damaged.keras'),
    ):
        with pytest.raises(FileError):
            used.train([X, Y], VALID, epochs=5, **options, **OPTIONS)
        assert_unchanged(used, before)


@pytest.mark.parametrize('part', [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused_before_anything_changes(part, whole, used, tmp_path):
    content = whole.read_bytes()
    path = tmp_path / 'damaged.keras'
    path.write_bytes(content[: int(len(content) * part)])
    before = everything(used)
    with pytest.raises(FileError):
        used.train([X, Y], VALID, epochs=5, resume=path, **OPTIONS)
    assert_unchanged(used, before)


@pytest.mark.slow
def test_no_changed_byte_changes_half_of_a_network(whole, used, tmp_path):
    """It is refused before anything changes, or it is of no consequence."""
    content, draw = whole.read_bytes(), np.random.default_rng(2)
    path = tmp_path / 'damaged.keras'
    for place in draw.integers(len(content), size=150):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        path.write_bytes(bytes(changed))
        before = everything(used)
        try:
            used.itertrain([X, Y], VALID, epochs=5, resume=path, **OPTIONS).close()
        except FileError:
            assert_unchanged(used, before)


def test_a_network_trains_on_after_a_refused_checkpoint(whole, tmp_path):
    members, arrays, plain = parts(whole)
    without('rngs')(arrays, plain)
    write(tmp_path / 'damaged.keras', {**members, MEMBER: packed(arrays, plain)})
    nets = [network(3), network(3)]
    with pytest.raises(FileError):
        nets[0].train([X, Y], VALID, epochs=5, resume=tmp_path / 'damaged.keras', **OPTIONS)
    for net in nets:
        net.train([X, Y], VALID, epochs=2, **OPTIONS)
    judges.assert_equal(judges.values(nets[0]), judges.values(nets[1]))
    nets[0].train([X, Y], VALID, epochs=5, resume=whole, **OPTIONS)
    assert [row['epoch'] for row in nets[0].history] == [1, 2, 3, 4, 5]


# Checkpoints of another training

#: What is another -> data and options.
OTHERS = {
    'the algorithm': ([X, Y], dict(algo='sgd')),
    'an algorithm of other state': ([X, Y], dict(algo='rmsprop')),
    'an algorithm of equal state': ([X, Y], dict(algo='adamw')),
    'less noise': ([X, Y], dict(hidden_dropout=0.0)),
    'more noise': ([X, Y], dict(input_noise=0.1)),
    'fewer rows': ([X[:30], Y[:30]], {}),
    'more rows': ([np.repeat(X, 2, 0), np.repeat(Y, 2)], {}),
}


@pytest.mark.parametrize('what', OTHERS)
def test_a_checkpoint_of_another_training_is_refused_before_anything_changes(what, whole, used):
    data, options = OTHERS[what]
    options = {k: v for k, v in {**OPTIONS, **options}.items() if v != 0.0}
    before = everything(used)
    with pytest.raises(KerasnetsError):
        used.train(data, VALID, epochs=5, resume=whole, **options)
    assert_unchanged(used, before)


def test_a_checkpoint_of_another_network_is_refused_before_anything_changes(whole):
    for layers in ([4, (7, 'tanh'), dict(form='Dropout', rate=0.2), 3], [4, (6, 'tanh'), 3]):
        net = kerasnets.Classifier(layers)
        before = everything(net)
        with pytest.raises(KerasnetsError):
            net.train([X, Y], VALID, epochs=5, resume=whole, **OPTIONS)
        judges.assert_equal(everything(net)[0], before[0])
        assert net.history == []
        assert net.rng.bit_generator.state == before[3]


SMALL = dict(algo='sgd', momentum=0.5, learning_rate=0.1, weight_l2=0.01, batch_size=20, jit=False)

#: Keyword -> options of the first and of the second half of a training.
SAID = {
    'learning_rate': (SMALL, {**SMALL, 'learning_rate': 0.05}),
    'momentum': (SMALL, {**SMALL, 'momentum': 0.9}),
    'nesterov': (SMALL, {**SMALL, 'nesterov': True}),
    'beta_1': (
        dict(algo='adam', learning_rate=0.01, jit=False),
        dict(algo='adam', learning_rate=0.01, beta_1=0.5, jit=False),
    ),
    'weight_l2': (SMALL, {**SMALL, 'weight_l2': 0.1}),
    'weight_l1': (SMALL, {**SMALL, 'weight_l1': 0.1}),
    'batch_size': (SMALL, {**SMALL, 'batch_size': 10}),
}


def warned(caplog):
    """Return the warnings that were logged by kerasnets."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.split('.')[0] == 'kerasnets' and record.levelno >= logging.WARNING
    ]


@pytest.mark.parametrize(
    'keyword',
    [pytest.param(k, marks=pytest.mark.slow if k in ('nesterov', 'beta_1') else ()) for k in SAID],
)
def test_a_setting_that_changed_is_said_and_counts(keyword, tmp_path, caplog):
    first, second = SAID[keyword]
    net = kerasnets.Classifier([4, (6, 'tanh'), 3])
    net.train([X, Y], VALID, epochs=2, save_progress=tmp_path / 'run.keras', **first)
    again = kerasnets.Classifier([4, (6, 'tanh'), 3])
    with caplog.at_level(logging.WARNING):
        again.train([X, Y], VALID, epochs=4, resume=tmp_path / 'run.keras', **second)
    (message,) = warned(caplog)
    assert keyword in message
    assert [row['epoch'] for row in again.history] == [1, 2, 3, 4]


def test_a_regularizer_that_is_left_out_is_said(tmp_path, caplog):
    net = kerasnets.Classifier([4, (6, 'tanh'), 3])
    net.train([X, Y], VALID, epochs=2, save_progress=tmp_path / 'run.keras', **SMALL)
    second = {k: v for k, v in SMALL.items() if k != 'weight_l2'}
    with caplog.at_level(logging.WARNING):
        net.train([X, Y], VALID, epochs=4, resume=tmp_path / 'run.keras', **second)
    (message,) = warned(caplog)
    assert 'weight_l2' in message
    losses = [row['loss'] - row['err'] for row in net.history]
    assert min(losses[:2]) > 1e-4
    assert np.abs(losses[2:]).max() < 1e-6


@pytest.mark.parametrize(
    'change', [dict(learning_rate=0.02), dict(momentum=0.9), dict(learning_rate=0.3, momentum=0.2)]
)
def test_a_resumed_training_goes_by_its_own_rate_and_momentum(change, tmp_path):
    """Full batches, against plain Keras."""
    options = dict(algo='sgd', learning_rate=0.1, momentum=0.5, batch_size=40, jit=False)
    net = kerasnets.Classifier([4, (6, 'tanh'), 3])
    model = judges.copy(net.model)
    net.train([X, Y], VALID, epochs=2, save_progress=tmp_path / 'run.keras', **options)
    plain = keras.optimizers.SGD(0.1, momentum=0.5)
    judges.course(model, plain, [[X, Y]] * 2)
    options |= change
    again = kerasnets.Classifier([4, (6, 'tanh'), 3])
    again.train([X, Y], VALID, epochs=4, resume=tmp_path / 'run.keras', **options)
    plain.learning_rate = options['learning_rate']
    plain.momentum = options['momentum']
    judges.assert_close(judges.values(again), judges.course(model, plain, [[X, Y]] * 2)[-1])


# Whole checkpoints

#: Name -> options of a training of six epochs, whether it validates, and when it stops.
RUNS = {
    'adam': (dict(algo='adam', learning_rate=0.02, batch_size=16, hidden_dropout=0.3), True, 1),
    'sgd': (dict(algo='sgd', momentum=0.9, learning_rate=0.05, batch_size=16), False, 2),
    'rmsprop': (
        dict(algo='rmsprop', learning_rate=0.02, batch_size=11, input_noise=0.2, weight_l2=0.01),
        False,
        3,
    ),
    'nadam': (dict(algo='nadam', learning_rate=0.02, batch_size=7, hidden_noise=0.1), True, 4),
    'rprop': (dict(algo='rprop', learning_rate=0.01, batch_size=40), False, 5),
    'each epoch': (
        dict(algo='adam', learning_rate=0.5, batch_size=16, validate_every=1, patience=9),
        True,
        3,
    ),
    'adadelta': (dict(algo='adadelta', batch_size=16, hidden_dropout=0.3), False, 1),
}

UNBROKEN = """
import sys
import numpy as np
import kerasnets
from conftest import _prepare
from test_checkpoints_damaged import RUNS, VALID, X, Y, network
_prepare()
found = {}
for name in sys.argv[2:]:
    options, validates, _ = RUNS[name]
    net = network()
    net.train([X, Y], VALID if validates else None, epochs=6, jit=False, **options)
    rows = [[row[k] for k in ('loss', 'err', 'acc')] for row in net.history]
    values = [v for v in net.model.get_weights()]
    found |= {f'{name}/{i}': v for i, v in enumerate([*values, np.array(rows)])}
    kerasnets.clear_cache()
np.savez(sys.argv[1], **found)
"""


def check_runs(names, tmp_path, caplog):
    """Check trainings that stop and are resumed against unbroken ones in a fresh process."""
    run(UNBROKEN, tmp_path / 'unbroken.npz', *names)
    with np.load(tmp_path / 'unbroken.npz') as found:
        expected = {name: found[name] for name in found.files}
    for name in names:
        options, validates, stop = RUNS[name]
        valid, path = VALID if validates else None, tmp_path / f'{name}.keras'
        steps = network().itertrain(
            [X, Y], valid, epochs=6, jit=False, save_progress=path, save_every=1, **options
        )
        for _ in range(stop):
            next(steps)
        steps.close()
        net = network()
        net.rng.random(5)  # wherever its generator stands
        with caplog.at_level(logging.WARNING):
            net.train([X, Y], valid, epochs=6, jit=False, resume=path, **options)
        assert warned(caplog) == []
        rows = np.array([[row[k] for k in ('loss', 'err', 'acc')] for row in net.history])
        values = net.model.get_weights()
        for i, value in enumerate([*values, rows]):
            np.testing.assert_array_equal(value, expected[f'{name}/{i}'], err_msg=name)


def test_a_training_that_is_resumed_ends_as_an_unbroken_one_in_a_fresh_process(tmp_path, caplog):
    check_runs(['adam', 'sgd'], tmp_path, caplog)


@pytest.mark.slow
def test_all_trainings_that_are_resumed_end_as_unbroken_ones(tmp_path, caplog):
    check_runs(list(RUNS), tmp_path, caplog)
