import gc
import os

# tests compile much and run it briefly: XLA's code need not be fast. What is computed is the same.
os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0')

import keras
import numpy as np
import pytest

if keras.backend.backend() == 'torch':  # tests compare its tensors as they do those of others
    import torch

    def _array(tensor, dtype=None, copy=None):
        return np.asarray(tensor.detach().cpu().numpy(), dtype)

    torch.Tensor.__array__ = _array


# tests trace many functions: no time for short tracebacks, nor for garbage that imports made
keras.config.disable_traceback_filtering()
if keras.backend.backend() == 'tensorflow':
    import tensorflow as tf

    tf.debugging.disable_traceback_filtering()
    # tests trace many functions and run each a few times: not worth a rewrite of its graph
    tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(autouse=True)
def _seed():
    """Every test draws the same numbers, whatever ran before it."""
    np.random.seed(7)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
