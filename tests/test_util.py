import numpy as np
import pytest

import kerasnets
from kerasnets import util


def test_random_values_follow_the_seed_and_the_settings():
    drawn = util.random_matrix(200, 300, mean=1, std=0.5, rng=3)
    assert drawn.shape == (200, 300)
    assert abs(drawn.mean() - 1) < 0.01
    assert abs(drawn.std() - 0.5) < 0.01
    np.testing.assert_array_equal(drawn, util.random_matrix(200, 300, mean=1, std=0.5, rng=3))
    eigenvalues = np.linalg.eigvals(util.random_matrix(30, 30, radius=0.7, rng=1))
    assert abs(eigenvalues).max() == pytest.approx(0.7, abs=1e-4)
    assert (util.random_matrix(100, 100, sparsity=0.9) == 0).mean() > 0.85
    assert abs(util.random_vector(10_000, std=2, rng=1).std() - 2) < 0.1
    with pytest.raises(kerasnets.ConfigurationError, match='sparsity'):
        util.random_matrix(2, 2, sparsity=2)


def test_both_halves_of_a_bidirectional_layer_are_found():
    net = kerasnets.recurrent.Regressor([2, dict(form='bidirectional', size=4), 1])
    found = dict(util.params_matching(net.layers, '*_bw.*'))
    assert sorted(found) == ['hid1_bw.b', 'hid1_bw.hh', 'hid1_bw.xh']
    np.testing.assert_array_equal(
        found['hid1_bw.hh'].get_value(), net.find('hid1_bw', 'hh').get_value()
    )
    assert list(util.params_matching(net.layers, 'hid9.*')) == []
