"""Time for statements that read much of a large table: longer than a page may take, and bounded all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def patience(milliseconds: int) -> Iterator[None]:
    """Statements of this thread's connection may take so long inside; outside of a transaction only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(milliseconds)])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
