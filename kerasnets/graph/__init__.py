"""Layers connected: nodes, parameters by name, and models over one set of layers."""

from kerasnets.errors import ConfigurationError as LayerError

__all__ = ['LayerError']  # theanets' name of the error for a list of layers that cannot be
