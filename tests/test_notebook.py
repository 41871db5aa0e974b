"""What a notebook shows of networks, their history and their files."""

import xml.etree.ElementTree

import numpy as np
import pytest

import kerasnets

X, Y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])


def parse(text):
    return xml.etree.ElementTree.fromstring(f'<div>{text}</div>')


def cells(tree):
    return [[cell.text or '' for cell in row] for row in tree.iter('tr')]


def test_a_network_is_a_table_and_a_picture():
    layers = [4, (5, 'tanh'), 3, dict(name='a&b', size=3, inputs=('hid1', 'hid2'))]
    net = kerasnets.Regressor(layers)
    tree = parse(net._repr_html_())
    header, *rows = cells(tree)
    assert header == ['name', 'form', 'shape', 'activation', 'parameters']
    assert rows[1] == ['hid1', 'ff', '5', 'tanh', 'w 4×5  b 5']
    assert [row[0] for row in rows] == ['in', 'hid1', 'hid2', 'a&b']
    assert f'{net.num_params:,} parameters' in ''.join(tree.itertext())
    svg = '{http://www.w3.org/2000/svg}'
    assert len(list(tree.iter(f'{svg}rect'))) == 4
    assert len(list(tree.iter(f'{svg}path'))) == 4  # lines: one for each input of each layer


def test_the_history_is_a_table_and_is_drawn(tmp_path):
    net = kerasnets.Classifier([4, 3])
    net.train([X, Y], [X, Y], epochs=40, validate_every=10)
    header, *rows = cells(parse(net.history._repr_html_()))
    assert header[:3] == ['epoch', 'seconds', 'loss']
    assert [row[0] for row in rows[:2] + rows[-1:]] == ['1', '2', '40']
    assert len(rows) == 21
    assert rows[-1][header.index('loss')] == f'{net.history[-1]["loss"]:.4g}'
    pandas = pytest.importorskip('pandas')
    assert pandas.DataFrame(net.history)['loss'].iloc[-1] == net.history[-1]['loss']
    pytest.importorskip('matplotlib')
    net.history.plot('acc').savefig(tmp_path / 'acc.png')
    assert (tmp_path / 'acc.png').read_bytes().startswith(b'\x89PNG')


def test_a_file_is_a_table(tmp_path):
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    net.save(tmp_path / 'net.keras')
    tree = parse(kerasnets.inspect(tmp_path / 'net.keras')._repr_html_())
    header, *rows = cells(tree)
    assert header == ['name', 'form', 'size', 'activation', 'arrays']
    assert ['hid1', 'ff', '5', 'tanh', '4×5  5'] in rows
    assert 'losses: xe' in ''.join(tree.itertext())
