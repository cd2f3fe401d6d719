"""A connection string that can't be printed by accident, and what may be said about a failed connection."""

from __future__ import annotations

from typing import NoReturn

from psycopg.conninfo import conninfo_to_dict


class Dsn:
    """A PostgreSQL connection string. Only `reveal()` shows it; it can't be pickled into a task's arguments."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def place(self) -> str:
        """`host:port/database`, without user and password: fit for a sentence."""
        parts = conninfo_to_dict(self._text)
        return f"{parts.get('host', '?')}:{parts.get('port') or 5432}/{parts.get('dbname', '?')}"

    def __repr__(self) -> str:
        return "Dsn([hidden])"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection string is never pickled")
