"""The id that ties together the log lines, events and Neon calls of one web request or one task."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """The id in force, or an empty string outside of `request_id_scope`."""
    return _current.get()


@contextmanager
def request_id_scope(offered: str = "") -> Iterator[str]:
    """Puts an id in force: the offered one when it is harmless to print, else a new one."""
    request_id = offered if _ACCEPTED.fullmatch(offered) else str(uuid.uuid4())
    token = _current.set(request_id)
    try:
        yield request_id
    finally:
        _current.reset(token)
