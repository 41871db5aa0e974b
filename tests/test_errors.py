import pytest

import kerasnets
from kerasnets.errors import ConfigurationError, check_known, positive, suggest


def test_one_family():
    for name in ('ConfigurationError', 'DataError', 'FileError'):
        assert issubclass(getattr(kerasnets, name), kerasnets.KerasnetsError)
    assert issubclass(kerasnets.DataError, ValueError)
    assert issubclass(kerasnets.FileError, OSError)


def test_suggest():
    assert suggest('epoch', ['epochs', 'valid']) == " Did you mean 'epochs'?"
    assert suggest('zzz', ['epochs']) == ''
    assert suggest('RELU', ['relu', 'tanh']) == " Did you mean 'relu'?"


def test_check_known():
    check_known(['a'], ['a', 'b'], 'letter')
    with pytest.raises(ConfigurationError, match=r"unknown letter 'c'.*Choose one of: a, b"):
        check_known(['a', 'c'], ['a', 'b'], 'letter')


@pytest.mark.parametrize('value', [0, -1, 1.5, True, None, '3'])
def test_positive(value):
    assert positive(3, 'n') == 3
    with pytest.raises(ConfigurationError, match='expected n as an int of 1 or more'):
        positive(value, 'n')
