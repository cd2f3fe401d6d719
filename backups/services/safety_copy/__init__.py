"""Copies made before risky work: asked for, made by the worker, kept for their time, and removed."""
