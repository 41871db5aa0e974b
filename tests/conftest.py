import keras
import numpy as np
import pytest

if keras.backend.backend() == 'torch':  # tests compare its tensors as they do those of others
    import torch

    def _array(tensor, dtype=None, copy=None):
        return np.asarray(tensor.detach().cpu().numpy(), dtype)

    torch.Tensor.__array__ = _array


@pytest.fixture(autouse=True)
def _seed():
    """Every test draws the same numbers, whatever ran before it."""
    np.random.seed(7)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
