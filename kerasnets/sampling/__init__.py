"""Sampling of sequences, and texts explained by their probabilities."""
