import numpy as np
import pytest
from fresh import bare

from kerasnets.errors import ConfigurationError
from kerasnets.language.spec import check_names, parse


def test_no_keras_is_imported():
    code = (
        'import sys, kerasnets.spec; print("keras" in sys.modules or "tensorflow" in sys.modules)'
    )
    assert bare(code).strip() == 'False'


@pytest.mark.parametrize(
    ('entry', 'form', 'size', 'activation'),
    [
        (20, 'ff', 20, None),
        (np.int64(20), 'ff', 20, None),
        ((20, 'tanh'), 'ff', 20, 'tanh'),
        (('tanh', 20), 'ff', 20, 'tanh'),
        ([20, 'rnn'], 'rnn', 20, None),
        (('LSTM', 'relu', 20), 'lstm', 20, 'relu'),
        ((20, 'Dense'), 'Dense', 20, None),
        (dict(size=20, form='GRU', activation='norm:z'), 'gru', 20, 'norm:z'),
        ('flatten', 'flatten', None, None),
        ('LayerNormalization', 'LayerNormalization', None, None),
        ((20, 'lstm', 'softmax'), 'lstm', 20, 'softmax'),
        ((20, 'softmax'), 'softmax', 20, None),
        ('Softmax', 'Softmax', None, None),
        ((20, 'relu+tanh'), 'ff', 20, 'relu+tanh'),
    ],
)
def test_entries(entry, form, size, activation):
    spec = parse(entry, 2, previous='hid1')
    assert (spec.form, spec.size, spec.activation) == (form, size, activation)
    assert (spec.name, spec.inputs, spec.entry) == ('hid2', ('hid1:out',), entry)


def test_the_first_entry_is_the_input():
    assert (parse(10, 0).form, parse(10, 0).name, parse(10, 0).size) == ('input', 'in', 10)
    assert parse((28, 28, 1), 0).shape == (28, 28, 1)
    assert parse(dict(size=3, name='x'), 0).name == 'x'
    assert parse(10, 0).inputs == ()


def test_a_dict_gives_all_options():
    spec = parse(dict(form='rnn', size=3, name='a', inputs='in', std=0.1, go_backwards=True), 1)
    assert (spec.name, spec.inputs) == ('a', ('in:out',))
    assert spec.options == {'std': 0.1, 'go_backwards': True}
    assert parse(dict(size=3, inputs=('a', 'b:pre')), 1).inputs == ('a:out', 'b:pre')


def test_specs_are_frozen():
    spec = parse(dict(size=3, std=1), 1)
    with pytest.raises(AttributeError):
        spec.size = 4
    with pytest.raises(TypeError):
        spec.options['std'] = 2


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        ((20, 30), 'two of size'),
        ((20, 'rnn', 'lstm'), 'two of form'),
        ((20, 'tanh', 'relu'), 'two of activation'),
        (0, 'size of 1 or more'),
        (-3, 'size of 1 or more'),
        (dict(size=2.5), 'size of 1 or more'),
        (dict(size=True), 'size of 1 or more'),
        (2.5, 'expected an int'),
        (True, 'expected an int'),
        (None, 'expected an int'),
        ((20, 2.5), 'got 2.5'),
        ('lstn', "Did you mean 'lstm'"),
        (dict(form='fff', size=3), "Did you mean 'ff'"),
        (dict(form=3, size=3), 'form as a str'),
        (dict(size=3, name='a.b'), 'expected a name'),
        (dict(size=3, name=''), 'expected a name'),
        (dict(size=3, inputs=[4]), 'names of layers'),
        (dict(size=3, inputs=0.5), 'inputs as names of layers, got 0.5'),
        (dict(size=3, inputs={'in': 0}), 'size of 1 or more as an int, got 0'),
        (dict(form='rnn', size=3, h_0=3), 'h_0 as the name of an output, got 3'),
        (dict(form='rnn', size=3, h_0=('in', 'in')), 'h_0 as the name of an output'),
        ({4: 5}, 'words as keys'),
    ],
)
def test_wrong_entries_name_place_and_entry(entry, says):
    with pytest.raises(ConfigurationError) as error:
        parse(entry, 3, previous='hid2')
    assert says in str(error.value)
    assert str(error.value).startswith(f'layer 3, {entry!r}: ')


@pytest.mark.parametrize('entry', ['input', dict(form='input'), dict(size=3, shape=(3, 4))])
def test_an_input_has_a_size_or_a_shape(entry):
    with pytest.raises(ConfigurationError, match='either a size or a shape'):
        parse(entry, 0)
    with pytest.raises(ConfigurationError, match='no activation'):
        parse((4, 'relu'), 0)


def _specs(*entries):
    return [parse(e, i, previous='in' if i else None) for i, e in enumerate(entries)]


def test_names_are_checked():
    check_names(_specs(4, 3, 3))
    with pytest.raises(ConfigurationError, match="'a' is taken by layer 1"):
        check_names(_specs(4, dict(size=3, name='a'), dict(size=3, name='a')))
    with pytest.raises(ConfigurationError, match="'hid9:out' is not there"):
        check_names(_specs(4, dict(size=3, inputs='hid9')))
    with pytest.raises(ConfigurationError, match='a cycle'):
        check_names(_specs(4, dict(size=3, name='a', inputs='b'), dict(size=3, name='b')))
    with pytest.raises(ConfigurationError, match='a cycle'):
        check_names(_specs(4, dict(size=3, name='a', inputs='a')))
