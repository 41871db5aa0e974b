import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError, DataError


def net_of(*entries):
    return kerasnets.recurrent.Classifier([4, *entries, 3])


def test_names_shapes_and_layouts_are_theanets_own():
    net = net_of((5, 'rnn'), (6, 'lstm'), (7, 'gru'), dict(form='lstm', size=8, peepholes=True))
    shapes = {p.name: p.shape for p in net.params}
    assert shapes == {
        'hid1.xh': (4, 5), 'hid1.hh': (5, 5), 'hid1.b': (5,),
        'hid2.xh': (5, 24), 'hid2.hh': (6, 24), 'hid2.b': (24,),
        'hid3.w': (6, 21), 'hid3.hh': (7, 7), 'hid3.hr': (7, 7), 'hid3.hz': (7, 7),
        'hid3.b': (21,),
        'hid4.xh': (7, 32), 'hid4.hh': (8, 32), 'hid4.b': (32,),
        'hid4.ci': (8,), 'hid4.cf': (8,), 'hid4.co': (8,),
        'out.w': (8, 3), 'out.b': (3,),
    }  # fmt: skip
    assert net.num_params == sum(np.prod(s) for s in shapes.values()) == net.model.count_params()


@pytest.mark.parametrize('form', ['ff', 'rnn', 'lstm', 'gru'])
def test_set_value_changes_one_parameter_only(form, rng):
    net = net_of((5, form))
    values = {p.name: rng.normal(size=p.shape).astype('f') for p in net.params}
    for param in net.params:
        param.set_value(values[param.name])
    for param in net.params:
        np.testing.assert_array_equal(param.get_value(), values[param.name])


def test_gru_blocks_lie_where_keras_has_them(rng):
    net = net_of((5, 'gru'))
    w = rng.normal(size=(4, 15)).astype('f')
    net.find('hid1', 'w').set_value(w)
    h, r, z = np.split(w, 3, axis=1)
    kernel = net.find('hid1', 'w').variable.numpy()
    np.testing.assert_array_equal(kernel, np.concatenate([-z, r, h], axis=1))


def test_a_value_is_a_copy():
    param = net_of(5).find('hid1', 'w')
    value = param.get_value()
    value[:] = 9
    assert not (param.get_value() == 9).any()


def test_set_value_refuses_what_does_not_fit():
    param = net_of(5).find('hid1', 'w')
    before = param.get_value()
    with pytest.raises(DataError, match=r'hid1.w: expected an array of shape \(4, 5\), got \(5,'):
        param.set_value(np.zeros((5, 4)))
    with pytest.raises(DataError, match='expected numbers'):
        param.set_value('zero')
    np.testing.assert_array_equal(param.get_value(), before)


def test_find_by_place_and_by_name():
    net = net_of((5, 'rnn'))
    assert net.find(1, 0).name == net.find('hid1', 'xh').name == 'hid1.xh'
    assert net.find(-1, -1).name == 'out.b'
    for which, param, says in [
        ('hid2', 'w', "no layer 'hid2'.*'hid1'"),
        ('hid1', 'hx', "no parameter 'hx'.*Choose one of: xh, hh, b"),
        ('in', 'w', 'It has none'),
        (7, 0, 'no layer 7'),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            net.find(which, param)


def test_other_layers_use_the_names_of_keras():
    layer = keras.layers.TimeDistributed(keras.layers.Dense(3))
    net = kerasnets.recurrent.Classifier(
        [(6, 4), dict(form='TimeDistributed', layer=layer.layer), 'BatchNormalization', 3]
    )
    names = [p.name for p in net.params if p.name.startswith('hid')]
    assert names == ['hid1.kernel', 'hid1.bias', 'hid2.gamma', 'hid2.beta']
    net.find('hid1', 'kernel').set_value(np.ones((4, 3)))
    assert (net.find('hid1', 0).get_value() == 1).all()


def test_bidirectional_layers_of_keras_have_halves():
    worker = keras.layers.LSTM(3, return_sequences=True)
    net = net_of(dict(form='Bidirectional', layer=worker, name='bd'), 5)
    assert net.find('bd_fw', 'xh').shape == net.find('bd_bw', 'xh').shape == (4, 12)


def test_no_bias_no_parameter():
    net = net_of(dict(form='lstm', size=5, use_bias=False))
    assert [p.name for p in net.params if 'hid1' in p.name] == ['hid1.xh', 'hid1.hh']
