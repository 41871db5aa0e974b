"""Training that is compiled once for all networks of a structure."""
