"""Values of a parameter of which all are tested, some by `pytest -m slow` alone."""

import pytest


def quick(*names, but):
    """Names, those of `but` among them as slow."""
    return [*names, *(pytest.param(name, marks=pytest.mark.slow) for name in but)]
