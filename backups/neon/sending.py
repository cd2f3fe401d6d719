"""Parts of what is sent that several calls share. Wrong arguments raise ValueError before anything is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backups.neon import wire


def without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def one_point(timestamp: datetime | None, lsn: str | None, timestamp_key: str, lsn_key: str) -> dict[str, str]:
    """A moment, an LSN, or nothing, which means the head."""
    if timestamp is not None and lsn is not None:
        raise ValueError("a point is a timestamp or an LSN, not both")
    if timestamp is not None:
        return {timestamp_key: wire.format_point(timestamp)}
    return {} if lsn is None else {lsn_key: wire.checked_lsn(lsn)}


def new_expiry(expires_at: datetime | None, never_expires: bool, what: str) -> dict[str, str | None]:
    """The change of an expiry, also of taking it away, which null does at Neon."""
    if never_expires and expires_at is not None:
        raise ValueError(f"a {what} either expires or it does not")
    if never_expires:
        return {"expires_at": None}
    return {} if expires_at is None else {"expires_at": wire.format_expiry(expires_at)}


def checked_name(name: str, what: str = "branch") -> str:
    if not 1 <= len(name) <= 256:
        raise ValueError(f"the name of a {what} has 1 to 256 characters")
    return name
