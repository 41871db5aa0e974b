import gc
import os

# tests compile much and run it briefly: XLA's code need not be fast. What is computed is the same.
if os.environ.get('KERAS_BACKEND', 'tensorflow') == 'tensorflow':
    os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0')

import numpy as np
import pytest


def pytest_configure(config):
    """Set Keras up where tests run: not in the process that hands them out to others."""
    if not config.getoption('numprocesses', None):
        _prepare()


def _prepare():
    import keras

    # tests trace many functions: no time for short tracebacks
    keras.config.disable_traceback_filtering()
    if keras.backend.backend() == 'tensorflow':
        import tensorflow as tf

        tf.debugging.disable_traceback_filtering()
        # each function is run a few times: not worth a rewrite of its graph
        tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
    if keras.backend.backend() == 'torch':  # tests compare its tensors as they do those of others
        import torch

        torch.Tensor.__array__ = _array


def _array(tensor, dtype=None, copy=None):
    return np.asarray(tensor.detach().cpu().numpy(), dtype)


def pytest_collection_finish():
    """Imports made garbage, which is not looked for again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(autouse=True)
def _seed():
    """Every test draws the same numbers, whatever ran before it."""
    np.random.seed(7)


@pytest.fixture(autouse=True, scope='module')
def _memory():
    """Give back what the tests of a module compiled."""
    yield
    import kerasnets

    kerasnets.clear_cache()


@pytest.fixture
def rng():
    return np.random.default_rng(7)
