"""`LayerSpec`: one layer of a network as parsed data, and the parser of entries."""

from kerasnets.language.spec import LayerSpec, check_names, extend, parse

__all__ = ['LayerSpec', 'check_names', 'extend', 'parse']
