"""The life of a restore request: the only code that changes its state."""
