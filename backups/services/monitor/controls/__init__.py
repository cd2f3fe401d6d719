"""The controls: small functions that look at one thing and say what is wrong, or that they could not tell.

To add one: a function of the right shape in a file of its subject, and a line in the registry (registry.py).
"""
