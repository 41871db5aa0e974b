"""Held against what theanets itself computed: outputs, predictions, losses and updates."""

import json
import pathlib

import numpy as np
import pytest

import kerasnets

FOLDER = pathlib.Path(__file__).parent / 'parity'
CASES = [c for c in json.loads((FOLDER / 'index.json').read_text()) if 'Classifier' in c['model']]


def entry(typed):
    """theanets' LSTM always has peepholes; a list in JSON was a tuple."""
    if isinstance(typed, list):
        typed = tuple(typed)
        if 'lstm' in typed:
            return dict(form='lstm', size=typed[0], peepholes=True)
    return typed


def build(case, arrays):
    module, name = case['model'].split('.')
    loss = {'loss': case['loss']} if case['loss'] else {}
    net = getattr(getattr(kerasnets, module), name)(
        [entry(e) for e in case['layers']], weighted=case['weighted'], **loss
    )
    restore(net, arrays)
    return net


def restore(net, arrays):
    for key in arrays.files:
        if key.startswith('param/'):
            net.find(*key[6:].split('.')).set_value(arrays[key])


@pytest.mark.parametrize('case', CASES, ids=[c['name'] for c in CASES])
def test_theanets_numbers(case):
    arrays = np.load(FOLDER / f'{case["name"]}.npz')
    net = build(case, arrays)
    outputs = net.feed_forward(arrays['x'])
    for key in arrays.files:
        if key.startswith('out/') and not key.endswith(':rate'):  # theanets' are time-first
            np.testing.assert_allclose(outputs[key[4:]], arrays[key], atol=1e-5, err_msg=key)
    np.testing.assert_array_equal(net.predict(arrays['x']), arrays['predict'])
    data = [arrays[k] for k in 'xyw' if k in arrays.files]
    np.testing.assert_allclose(net.evaluate(data)['loss'], arrays['loss'], rtol=1e-5)
    for name, weight in case['regularizers'].items():
        loss = net.evaluate(data, **{name: weight})['loss']
        np.testing.assert_allclose(loss, arrays[f'loss/{name}'], rtol=1e-5, err_msg=name)


UPDATES = [(case, algo) for case in CASES for algo in case['algorithms']]


@pytest.mark.parametrize(('case', 'algo'), UPDATES, ids=[f'{c["name"]}-{a}' for c, a in UPDATES])
def test_theanets_updates(case, algo):
    arrays = np.load(FOLDER / f'{case["name"]}.npz')
    net = build(case, arrays)
    data = [arrays[k] for k in 'xyw' if k in arrays.files]
    options = dict(case['algorithms'][algo])
    steps = net.itertrain(data, batch_size=len(data[0]), validate_every=1000, **options)
    for _ in range(5):
        next(steps)
    for param in net.params:
        want = arrays[f'step/{algo}/{param.name}']
        np.testing.assert_allclose(param.get_value(), want, atol=1e-4, err_msg=param.name)


ACTIVATIONS = sorted(path.stem for path in FOLDER.glob('act_*.npz'))


@pytest.mark.parametrize('name', ACTIVATIONS)
def test_theanets_activations(name):
    arrays = np.load(FOLDER / f'{name}.npz')
    case = next(c for c in json.loads((FOLDER / 'index.json').read_text()) if c['name'] == name)
    net = kerasnets.Network([*(entry(e) for e in case['layers'][:-1]), (3, 'linear')])
    for param in net.params:
        param.set_value(arrays['param/' + param.name.replace('hid2', 'out')])
    outputs = net.feed_forward(arrays['x'])
    for part in ('hid1:pre', 'hid1:out', 'out:out'):
        np.testing.assert_allclose(outputs[part], arrays[f'out/{part}'], atol=1e-5, err_msg=part)


@pytest.mark.parametrize('name', ['rec_rnn', 'rec_lstm', 'rec_gru'])
def test_theanets_recurrent_layers(name):
    arrays = np.load(FOLDER / f'{name}.npz')
    form = name[4:]
    hidden = dict(form=form, size=6, **({'peepholes': True} if form == 'lstm' else {}))
    if form != 'lstm':
        hidden['activation'] = 'tanh'
    net = kerasnets.recurrent.Classifier([4, hidden, (3, 'linear')])
    restore(net, arrays)
    outputs = net.feed_forward(arrays['x'])
    for key in arrays.files:
        if key.startswith('out/') and not key.endswith(':rate'):
            np.testing.assert_allclose(outputs[key[4:]], arrays[key], atol=1e-5, err_msg=key)
