"""Recurrent layers with hand-written gradients, and one step at a time for sampling."""
