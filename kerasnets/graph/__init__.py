"""Layers connected: nodes, parameters by name, and models over one set of layers."""
