"""A float64 transformer in PyTorch, written to be read: the oracle of the architecture tests. See README.md."""
