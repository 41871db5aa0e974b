"""Programs: compiled functions from values to values, shared by networks of equal structure."""
