"""Exercises logged by people, and what people add to any drill. State changes only here."""
