import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _seed():
    """Every test draws the same numbers, whatever ran before it."""
    np.random.seed(7)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
