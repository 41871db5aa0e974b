"""Warnings of ours, told from those that Keras and others give meanwhile."""

import contextlib
import re
import warnings


@contextlib.contextmanager
def warned(match, category=DeprecationWarning, times=1):
    """So many warnings are given that say something, each pointing at the tests."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        yield
    found = [w for w in seen if w.category is category and re.search(match, str(w.message))]
    assert len(found) == times, [str(w.message) for w in seen]
    assert all('/tests/' in w.filename for w in found), found[0].filename
