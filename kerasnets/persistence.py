"""The name under which pickles of kerasnets 0.1 find the function that opens them."""

from kerasnets.files.persistence import _revived

__all__ = ['_revived']
