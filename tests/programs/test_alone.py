"""Whatever happens to other networks, each is as if it were alone in a fresh process."""

import os

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from replays import PENALTIES, Processes, alone

pytestmark = [
    pytest.mark.skipif(not hasattr(os, 'fork'), reason='forks processes'),
    pytest.mark.skipif(
        keras.backend.backend() != 'tensorflow', reason='only TensorFlow shares what it compiled'
    ),
]

#: Settings of both property tests. No shrinking: an example takes seconds.
OPTIONS = dict(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[*HealthCheck],
)

jits = st.sampled_from([False, False, False, True])
algos = st.sampled_from(['sgd', 'adam', 'rmsprop'])

operations = st.one_of(
    st.tuples(st.just('train'), algos, jits, st.sampled_from(list(PENALTIES)), st.integers(1, 3)),
    st.tuples(st.just('validate'), algos, jits),
    st.tuples(st.just('fail'), st.sampled_from(['begin', 'end']), st.integers(0, 1), jits),
    st.tuples(st.sampled_from(['step', 'leave', 'predict', 'evaluate', 'sample', 'copy', 'clear'])),
    st.tuples(st.just('freeze'), st.booleans()),
    st.tuples(st.just('set'), st.sampled_from([0.0, 0.25])),
)

structures = st.lists(
    st.sampled_from(['dense', 'dense', 'wide', 'dropout', 'unit', 'own', 'recurrent']),
    min_size=2,
    max_size=3,
)

sequences = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, None, None, 0.5]), operations),
    min_size=4,
    max_size=8,
)


@pytest.fixture(scope='module')
def processes():
    made = Processes()
    yield made
    made.close()


def numbered(nets, drawn):
    """Return operations whose places are those of networks that are there by then."""
    found, count = [], len(nets)
    for place, epsilon, operation in drawn:
        found.append((place % count, epsilon, *operation))
        count += operation[0] == 'copy'
    return found


def close(a, b):
    """Return whether what was seen is equal but for rounding."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, str):
        return a == b
    return np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)


def check(processes, kinds, drawn):
    """Check each of some networks against itself in a process of its own."""
    nets = [(kind, 1 + place) for place, kind in enumerate(kinds)]
    operations = numbered(nets, drawn)
    together = processes.replay(nets, operations)
    for place, (values, seen, history, predicted) in enumerate(together):
        *_, (own_values, own_seen, own_history, own_predicted) = processes.replay(
            *alone(nets, operations, place)
        )
        for a, b in zip(values, own_values, strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip([*seen, *history], [*own_seen, *own_history], strict=True):
            assert close(a, b)
        np.testing.assert_allclose(predicted, own_predicted, rtol=1e-5, atol=1e-6)


TRAIN = ('train', 'adam', False, 'none', 2)

KNOWN = [
    # an error before the first step, and a training after it
    pytest.param(
        ['dense', 'dense'],
        [(0, TRAIN), (1, ('fail', 'begin', 0, False)), (1, TRAIN)],
        id='error',
    ),
    # trainings in turn, one of them left
    pytest.param(
        ['dense', 'dense'],
        [(0, ('step',)), (1, ('step',)), (0, ('step',)), (1, ('leave',))],
        id='in turn',
        marks=pytest.mark.slow,
    ),
    # a frozen layer, and a network of the same structure without
    pytest.param(
        ['dense', 'dense'],
        [(0, TRAIN), (0, ('freeze', True)), (0, TRAIN), (1, TRAIN)],
        id='frozen',
        marks=pytest.mark.slow,
    ),
]


def known(drawn):
    """Return operations of the usual epsilon."""
    return [(place, None, operation) for place, operation in drawn]


@pytest.mark.parametrize(('kinds', 'drawn'), KNOWN)
def test_known_sequences_end_as_if_each_network_were_alone(kinds, drawn, processes):
    check(processes, kinds, known(drawn))


@example(
    ['unit', 'unit'],
    [(0, None, TRAIN), (1, 0.5, TRAIN), (0, None, ('copy',)), (2, None, TRAIN)],
)
@given(structures, sequences)
@settings(max_examples=3, derandomize=True, **OPTIONS)
def test_any_sequence_ends_as_if_each_network_were_alone(processes, kinds, drawn):
    check(processes, kinds, drawn)


@pytest.mark.slow
@given(structures, sequences)
@settings(max_examples=30, **OPTIONS)
def test_many_sequences_end_as_if_each_network_were_alone(processes, kinds, drawn):
    check(processes, kinds, drawn)
