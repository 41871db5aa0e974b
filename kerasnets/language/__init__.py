"""The language of layers: entries of the list, parsed to plain data."""
