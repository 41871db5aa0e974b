import io

import keras
import numpy as np

import kerasnets


def test_repr_is_the_list_that_makes_it(tmp_path):
    lists = [
        [4, (6, 'tanh'), 3],
        [4, {'size': 6, 'name': 'a'}, 'LayerNormalization', ['softmax', 3]],
    ]
    for entries in lists:
        net = kerasnets.Classifier(entries)
        assert repr(net) == f'feedforward.Classifier({entries!r})'
        again = eval(repr(net), {'feedforward': kerasnets.feedforward})
        assert again.specs == net.specs
        net.save(tmp_path / 'net.keras')
        assert repr(kerasnets.load(tmp_path / 'net.keras')) == repr(net)
    net = kerasnets.Classifier([4, keras.layers.Dense(6), 3])
    assert repr(net) == 'feedforward.Classifier([4, keras.layers.Dense(units=6), 3])'


def test_summary_is_a_table_of_the_layers():
    out = io.StringIO()
    net = kerasnets.recurrent.Classifier(
        [4, (6, 'gru', 'tanh'), dict(form='bidirectional', size=4, name='bd'), (5, 'prelu'), 3]
    )
    net.summary(file=out)
    rows = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    by_name = {row[0]: row for row in rows}
    assert rows[0] == ['name', 'form', 'shape', 'activation', 'parameters']
    assert by_name['in'][1:] == ['input', 'any,', '4']
    assert by_name['hid1'][1:7] == ['gru', 'any,', '6', 'tanh', 'w', '4×18']
    assert by_name['bd'][1:4] == ['bidirectional', 'any,', '4']
    assert by_name['hid3'][4:6] == ['prelu', 'w']
    assert by_name['out'][1:5] == ['ff', 'any,', '3', 'softmax']
    assert f'{net.num_params:,} parameters' in out.getvalue()
    assert net.num_params == sum(np.prod(p.shape) for p in net.params)


def test_layers_name_the_activation_of_their_form():
    layers = [
        4,
        (6, 'lstm'),
        (6, 'gru'),
        (6, 'mut1'),
        (6, 'gru', 'relu+norm:z'),
    ]
    net = kerasnets.recurrent.Classifier([*layers, keras.layers.ELU(), (4, 'bidirectional'), 3])
    names = [layer.activation for layer in net.layers]
    assert names == [None, 'tanh', 'relu', 'tanh', 'relu+norm:z', None, 'relu', 'softmax']
    for layer in net.layers[1:4]:
        assert layer.activate.name == layer.activation
