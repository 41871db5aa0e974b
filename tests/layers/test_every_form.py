"""What holds for every form of layer: files, and the mistakes one can make in an entry."""

import numpy as np
import pytest
from fresh import run

import kerasnets
from kerasnets.errors import ConfigurationError
from kerasnets.language import registry

#: Form -> how a network with such a layer, called 'a', is made; a list of its layers.
VECTORS, SEQUENCES, IMAGES = 'feedforward', 'recurrent', 'convolution'
IMAGE = (6, 6, 2)
FORMS = {
    'input': (VECTORS, [4, dict(form='input', size=3, name='a'),
                        dict(form='concat', inputs=('in', 'a')), 2]),
    'ff': (VECTORS, [4, dict(form='ff', size=6, name='a'), 2]),
    'feedforward': (VECTORS, [4, dict(form='feedforward', size=6, name='a'), 2]),
    'softmax': (VECTORS, [4, dict(form='softmax', size=6, name='a'), 2]),
    'classifier': (VECTORS, [4, dict(form='classifier', size=6, name='a'), 2]),
    'tied': (VECTORS, [4, 6, dict(form='tied', size=4, name='a'), 2]),
    'product': (VECTORS, [4, 4, dict(form='product', inputs=('in', 'hid1'), name='a'), 2]),
    'prod': (VECTORS, [4, 4, dict(form='prod', inputs=('in', 'hid1'), name='a'), 2]),
    'concatenate': (VECTORS, [4, 3, dict(form='concatenate', inputs=('in', 'hid1'), name='a'), 2]),
    'concat': (VECTORS, [4, 3, dict(form='concat', inputs=('in', 'hid1'), name='a'), 2]),
    'reshape': (VECTORS, [4, dict(form='reshape', shape=(2, 2), name='a'), 'flat', 2]),
    'embedding': (SEQUENCES, [5, dict(form='embedding', size=6, name='a'), 2]),
    'rnn': (SEQUENCES, [4, dict(form='rnn', size=6, name='a'), 2]),
    'lstm': (SEQUENCES, [4, dict(form='lstm', size=6, name='a', peepholes=True), 2]),
    'gru': (SEQUENCES, [4, dict(form='gru', size=6, name='a'), 2]),
    'rrnn': (SEQUENCES, [4, dict(form='rrnn', size=6, name='a', rate='log'), 2]),
    'mrnn': (SEQUENCES, [4, dict(form='mrnn', size=6, name='a', factors=3), 2]),
    'mut1': (SEQUENCES, [4, dict(form='mut1', size=6, name='a'), 2]),
    'scrn': (SEQUENCES, [4, dict(form='scrn', size=6, name='a'), 2]),
    'clockwork': (SEQUENCES, [4, dict(form='clockwork', size=6, name='a', periods=(1, 2)), 2]),
    'bcrnn': (SEQUENCES, [4, dict(form='bcrnn', size=6, name='a', num_modules=2), 2]),
    'bidirectional': (SEQUENCES, [4, dict(form='bidirectional', size=6, name='a'), 2]),
    'conv1': (SEQUENCES, [4, dict(form='conv1', size=6, name='a', filter_size=3), 2]),
    'pool1': (SEQUENCES, [4, dict(form='pool1', name='a', pool_size=2), 2]),
    'conv2': (IMAGES, [IMAGE, dict(form='conv2', size=6, name='a', filter_size=(3, 3)), 'flat', 2]),
    'pool2': (IMAGES, [IMAGE, dict(form='pool2', name='a', mode='avg', stride=2), 'flat', 2]),
    'flatten': (IMAGES, [IMAGE, dict(form='flatten', name='a'), 2]),
    'attention': (SEQUENCES, [4, 6, dict(form='attention', size=6, name='a', heads=3), 2]),
    'transformer': (SEQUENCES, [4, 6, dict(form='transformer', size=6, name='a', heads=3), 2]),
    'add': (VECTORS, [4, 4, dict(form='add', inputs=('in', 'hid1'), name='a'), 2]),
    'norm': (VECTORS, [4, dict(form='norm', name='a'), 2]),
    'dropout': (VECTORS, [4, dict(form='dropout', name='a', rate=0.3), 2]),
    'flat': (IMAGES, [IMAGE, dict(form='flat', name='a'), 2]),
    'rescaled': (VECTORS, [4, dict(form='rescaled', name='a', binned=[1], bins=2), 2]),
    'ensemble': (VECTORS, [4, dict(form='ensemble', size=6, name='a', hidden=[3]), 'flat', 2]),
}  # fmt: skip
SIZELESS = 'product prod concatenate concat reshape flatten flat pool1 pool2 input'.split()
SIZELESS += ['add', 'norm', 'dropout', 'rescaled']
#: Forms whose size is that of their input where none is given.
FOLLOWING = ['attention', 'transformer']


def make(which, **changes):
    """A network with a form, and changes to the entry that is called 'a'."""
    module, entries = FORMS[which]
    drop = [key for key, value in changes.items() if value is None]
    entries = [
        {k: v for k, v in {**e, **changes}.items() if k not in drop}
        if isinstance(e, dict) and e.get('name') == 'a'
        else e
        for e in entries
    ]
    return getattr(kerasnets, module).Classifier(entries)


def data(form):
    rng = np.random.default_rng(2)
    shape = {VECTORS: (5, 4), SEQUENCES: (5, 9, 4), IMAGES: (5, 6, 6, 2)}[FORMS[form][0]]
    x = rng.normal(size=shape).astype('f')
    if form == 'embedding':
        return rng.integers(5, size=(5, 9))
    return [x, rng.normal(size=(5, 3)).astype('f')] if form == 'input' else x


def test_every_form_is_here():
    assert set(FORMS) == set(registry.FORMS)


LOAD = """
import sys, numpy as np, kerasnets
from test_every_form import data
folder, suffix, *forms = sys.argv[1:]
for form in forms:
    net = kerasnets.load(f'{folder}/{form}{suffix}')
    want = np.load(f'{folder}/{form}.npz')
    out = net.feed_forward(data(form))
    assert list(out) == list(want['names']), form
    for i, name in enumerate(out):
        # graphs are rewritten there, and not in the tests: the last digits differ
        np.testing.assert_allclose(out[name], want[f'arr_{i}'], rtol=1e-5, atol=1e-6, err_msg=name)
    print(form, repr(net) == str(want['net']))
"""


@pytest.mark.parametrize('suffix', ['.keras', '.h5'])
def test_a_fresh_process_opens_what_another_saved(suffix, tmp_path):
    forms = [form for form in FORMS if (form, suffix) != ('tied', '.h5')]  # weights are shared
    for form in forms:
        net = make(form)
        for param in net.params:  # biases too, so that none is lost unseen
            param.set_value(param.get_value() + 0.1)
        net.save(tmp_path / f'{form}{suffix}')
        out = net.feed_forward(data(form))
        np.savez(tmp_path / form, *out.values(), names=list(out), net=repr(net))
    lines = run(LOAD, tmp_path, suffix, *forms).split('\n')
    assert [line for line in lines if line] == [f'{form} True' for form in forms]


@pytest.mark.parametrize('form', FORMS)
def test_mistakes_in_an_entry_name_its_place(form):
    """Rows 9 and 10 of what may go wrong."""
    place = next(i for i, e in enumerate(FORMS[form][1]) if isinstance(e, dict))
    mistakes = [
        (dict(naem='b'), "unknown keyword .*'naem'"),
        (dict(form=f'{form}x'), 'unknown layer form'),
        (dict(size=-3), 'size of 1 or more as an int, got -3'),
        (dict(size=2.5), 'size of 1 or more as an int, got 2.5'),
        (dict(name='in'), "name 'in' is taken by layer 0"),
        (dict(name='a.b'), r"a name without ':', '\.' or '/'"),
        (dict(name='a b'), 'a name of ASCII letters'),
        (dict(name='größe'), 'a name of ASCII letters'),
    ]
    if form != 'input':
        mistakes += [
            (dict(inputs='zz'), "its input 'zz:out' is not there"),
            (dict(inputs='a'), "its input 'a:out' comes later or is itself: a cycle"),
        ]
    if form not in SIZELESS:
        mistakes += [(dict(activation='tanj'), 'tanj')]
    if form not in (*SIZELESS, *FOLLOWING, 'tied'):
        mistakes += [(dict(size=None), 'has no size|even size')]
    elif form not in ('input', 'tied', 'attention'):
        mistakes += [(dict(size=3), 'takes no size|size')]
    for changes, says in mistakes:
        with pytest.raises(ConfigurationError, match=says) as error:
            make(form, **changes)
        assert str(error.value).startswith(f'layer {place}'), (changes, error.value)
