"""Training: settings, the loop, what is compiled, checkpoints."""
