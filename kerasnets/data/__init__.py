"""What an array must be, and arrays as batches."""
