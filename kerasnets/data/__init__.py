"""Specifications of arrays, and batches of them."""
