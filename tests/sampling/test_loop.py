"""The loop over steps, judged by a loop of numpy."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasnets.sampling.loop import run_steps

ROWS = np.random.default_rng(1).normal(size=(100, 2, 3)).astype('f')


def smooth(held, rows, i):
    """A step written in operations of Keras alone."""
    after = ops.tanh(held['x'] * 0.5 + rows[0] + ops.cast(i, 'float32') * 0.01)
    return {'x': after}, [ops.sum(after, axis=-1)]


def looking(held, rows, i):
    """A step that looks at a value, as no compiled step can."""
    after = ops.tanh(held['x'] * (0.5 if float(held['x'][0, 0]) > 0 else 0.25) + rows[0])
    return {'x': after}, [ops.sum(after, axis=-1)]


@pytest.mark.parametrize(
    'step',
    [
        smooth,
        pytest.param(
            looking,
            marks=pytest.mark.skipif(
                keras.backend.backend() != 'torch', reason='compiled loops read no values'
            ),
        ),
    ],
)
@pytest.mark.parametrize('count', [0, 1, 90, 100])  # short ones are not traced on PyTorch
def test_a_loop_computes_what_numpy_computes(step, count):
    x, sums = np.ones((2, 3), 'f'), []
    for i in range(count):
        factor = 0.5 if step is smooth or x[0, 0] > 0 else 0.25
        x = np.tanh(x * factor + ROWS[i] + (i * 0.01 if step is smooth else 0))
        sums.append(x.sum(axis=-1))
    held, (record,) = run_steps(
        step,
        ops.convert_to_tensor(count, 'int32'),
        [ops.convert_to_tensor(ROWS)],
        {'x': ops.ones((2, 3))},
        [ops.zeros((100, 2))],
    )
    np.testing.assert_allclose(ops.convert_to_numpy(held['x']), x, atol=1e-5)
    np.testing.assert_allclose(
        ops.convert_to_numpy(record)[:count], np.reshape(sums, (count, 2)), atol=1e-5
    )
