"""Telling people: messages are written with the change and delivered by the worker."""
