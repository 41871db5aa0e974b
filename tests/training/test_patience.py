import logging

import numpy as np
import pytest

import kerasnets
from kerasnets.training.plan import advise, falling

STEEP = [{'epoch': i + 1, 'loss': 2.0 * 0.95**i} for i in range(20)]
FLAT = [{'epoch': i + 1, 'loss': 1 + 0.5**i} for i in range(20)]


def said(caplog, rows, algo=None, **asked):
    caplog.clear()
    with caplog.at_level(logging.WARNING, 'kerasnets'):
        advise(rows, algo, asked)
    return [record.getMessage() for record in caplog.records]


def test_a_loss_that_still_falls_steeply_is_told_of(caplog):
    (line,) = said(caplog, STEEP)
    assert line.startswith('the loss still fell by 19% in the last 4 of 20 epochs')
    assert "algo='adam', learning_rate='auto'" in line


@pytest.mark.parametrize(
    ('rows', 'asked'),
    [
        (FLAT, {}),
        (STEEP[:4], {}),  # too few to tell
        (STEEP[::-1], {}),  # rises
        ([{'epoch': i, 'loss': -float(i)} for i in range(20)], {}),  # of no scale
        (STEEP, {'learning_rate': 1e-4}),
        (STEEP, {'algo': 'adadelta'}),
        (STEEP, {'algo': 'layerwise'}),
        (STEEP, {'verbose': 0}),
    ],
)
def test_nothing_is_said_otherwise(rows, asked, caplog):
    assert said(caplog, rows, **asked) == []


def test_validations_count_where_there_are_any():
    rows = [{**row, **({'val_loss': 3.0} if i % 5 == 4 else {})} for i, row in enumerate(STEEP)]
    assert falling(rows) == (0.0, 0)
    rows[19]['val_loss'] = 1.5
    assert falling(rows) == (0.5, 5)


def test_train_says_it_once(caplog, rng):
    x = rng.normal(size=(64, 3)).astype('f')
    data = [x, x @ np.ones((3, 1), 'f')]
    net = kerasnets.Regressor([3, 1])
    net.train(data, algo='sgd', learning_rate=0.05, epochs=10)
    assert not caplog.records
    net = kerasnets.Regressor([3, 1], learning_rate=0.01)  # a default of the network is a choice
    net.train(data, algo='sgd', epochs=10)
    assert not caplog.records
    rare = kerasnets.Regressor([3, 1])
    rare.train(data, algo='sgd', epochs=600)
    assert [record.levelname for record in caplog.records] == ['WARNING']
