"""Values of a parameter of which all are tested, some by `pytest -m slow` alone."""

import pytest


def quick(*names, but):
    """Names, those of `but` as slow."""
    slow = [pytest.param(name, marks=pytest.mark.slow) for name in but]
    return [*(name for name in names if name not in but), *slow]
