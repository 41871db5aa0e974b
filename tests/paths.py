"""Where the tests, and the checkout around them, are; arrays in files."""

import pathlib

import numpy as np

TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parent


def arrays(path):
    """The arrays of an .npz file, by name."""
    with np.load(path) as held:
        return dict(held)
