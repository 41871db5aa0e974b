"""Sampling of sequences, forecasts, and texts explained by their probabilities."""
