"""Why a database, or a part of it, could not be read. None of these means that anything was changed."""

from __future__ import annotations


class DatabaseUnreachable(Exception):
    """No connection could be opened, or it was lost. Nothing was changed; trying again is safe."""


class OutOfTime(Exception):
    """The budget ended before the answer came. The same question can be asked again."""


class NotReadable(Exception):
    """The database refused the question; the text says why, without any value of a row."""

    def __init__(self, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate
