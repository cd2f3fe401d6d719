"""Runs of the worker: exactly one effect at Neon from tasks that may be delivered any number of times."""
