"""Exports of the ledger: asked for by a person, written by the worker, downloaded, and removed in time."""
