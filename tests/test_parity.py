"""Held against what theanets itself computed: outputs, predictions, losses and updates."""

import json

import numpy as np
import pytest
from paths import TESTS
from paths import arrays as read

import kerasnets
from kerasnets import regularizers

FOLDER = TESTS / 'parity'
#: theanets returns these time-first: nothing to hold to.
TIME_FIRST = (':rate', ':factors')
CASES = json.loads((FOLDER / 'index.json').read_text())


def entry(typed):
    """theanets' LSTM always has peepholes; a list in JSON was a tuple."""
    if isinstance(typed, list):
        typed = tuple(typed)
        if 'lstm' in typed:
            return dict(form='lstm', size=typed[0], peepholes=True)
    if isinstance(typed, dict) and typed.get('form') == 'lstm':
        return dict(typed, peepholes=True)
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
    for key in arrays:
        if key.startswith('param/'):
            net.find(*key[6:].split('.', 1)).set_value(arrays[key])


@pytest.mark.parametrize('case', CASES, ids=[c['name'] for c in CASES])
def test_theanets_numbers(case):
    arrays = read(FOLDER / f'{case["name"]}.npz')
    net = build(case, arrays)
    outputs = net.feed_forward(arrays['x'])
    for key in arrays:
        if key.startswith('out/') and not key.endswith(TIME_FIRST):
            np.testing.assert_allclose(outputs[key[4:]], arrays[key], atol=1e-5, err_msg=key)
    np.testing.assert_allclose(net.predict(arrays['x']), arrays['predict'], atol=1e-5)
    data = [arrays[k] for k in 'xyw' if k in arrays]
    if 'loss' in arrays:
        np.testing.assert_allclose(net.evaluate(data)['loss'], arrays['loss'], rtol=1e-5)
    for name in set(case['regularizers']) & set(regularizers.names()):
        weight = case['regularizers'][name]
        loss = net.evaluate(data, **{name: weight})['loss']
        np.testing.assert_allclose(loss, arrays[f'loss/{name}'], rtol=1e-5, err_msg=name)


UPDATES = [(case, algo) for case in CASES for algo in case['algorithms']]


@pytest.mark.parametrize(('case', 'algo'), UPDATES, ids=[f'{c["name"]}-{a}' for c, a in UPDATES])
def test_theanets_updates(case, algo):
    arrays = read(FOLDER / f'{case["name"]}.npz')
    net = build(case, arrays)
    data = [arrays[k] for k in 'xyw' if k in arrays]
    options = dict(case['algorithms'][algo])
    steps = net.itertrain(data, batch_size=len(data[0]), validate_every=1000, **options)
    for _ in range(5):
        next(steps)
    for param in net.params:
        want = arrays[f'step/{algo}/{param.name}']
        np.testing.assert_allclose(param.get_value(), want, atol=1e-4, err_msg=param.name)
