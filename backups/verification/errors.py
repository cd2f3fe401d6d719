"""Why a database could not be read."""

from __future__ import annotations


class DatabaseUnreachable(Exception):
    """No connection could be opened, or it was lost. Nothing was changed; trying again is safe."""
