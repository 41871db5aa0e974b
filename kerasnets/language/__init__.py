"""What a user types: entries of the list of layers, parsed to plain data."""
