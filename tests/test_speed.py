"""The ratios over plain Keras that the README names, with a margin for the machine's moods."""

import sys

import keras
import pytest
from paths import ROOT

BENCHMARKS = ROOT / 'benchmarks'
MARGIN = 1.3
WORKS = ['dense_32', 'dense_256', 'lstm', 'gru', 'rnn', 'predict', 'sample_1', 'first', 'memory']

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='the ratios are of it'),
]


@pytest.mark.parametrize('work', WORKS)
def test_ratio_over_keras(work, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import table

    ours, theirs = (table.timed(sys.executable, peer, work) for peer in ('kerasnets', 'keras'))
    goal = table.GOALS[work][0]
    assert ours / theirs <= goal * MARGIN, f'{ours / theirs:.2f} over {goal}'
