"""One array at a time: what is taken, and what is refused with the reason."""

import numpy as np
import pytest

from kerasnets.data import array_spec
from kerasnets.data.array_spec import ArraySpec
from kerasnets.errors import DataError


def put(array, at, value):
    array = np.array(array)
    array[at] = value
    return array


def test_checks_look_at_all_chunks(monkeypatch):
    monkeypatch.setattr(array_spec, 'CHUNK', 4)
    with pytest.raises(DataError, match='nan in row 8'):
        ArraySpec('x', (None, 2)).take(put(np.zeros((9, 2)), (8, 1), np.nan))
    with pytest.raises(DataError, match='9 in row 7'):
        ArraySpec('y', (None,), 'labels', 9).take(put(np.zeros(9, 'i'), 7, 9))


def test_an_overflowing_sum_is_not_an_infinite_value():
    x = np.full((9, 2), 3e38, 'f')
    assert ArraySpec('x', (None, 2)).take(x) is x
