"""Tolerant reading of Neon's JSON, and strict writing of what is sent.

Neon leaves out optional fields, adds new ones and new enum words without notice, and uses Go's zero
time for "never". What is missing or of an unexpected kind reads as None, which callers show as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

Raw = Mapping[str, Any]

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", re.ASCII)
_ID = re.compile(r"[a-z0-9-]{1,60}", re.ASCII)


class UnusableShape(Exception):
    """The answer lacks something without which it cannot be acted on safely."""


def object_in(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    if not isinstance(value, dict):
        raise UnusableShape(f"no {key} object")
    return value


def optional_object(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def objects_in(raw: Raw, key: str) -> tuple[Raw, ...]:
    """The list under `key`. A missing list is an error: "none" and "not told" lead to different acts."""
    value = raw.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnusableShape(f"no list of {key}")
    return tuple(value)


def required_text(raw: Raw, key: str) -> str:
    value = text(raw, key)
    if value is None:
        raise UnusableShape(f"no {key}")
    return value


def text(raw: Raw, key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) and value else None


def integer(raw: Raw, key: str) -> int | None:
    value = raw.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(raw: Raw, key: str) -> float | None:
    value = raw.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def boolean(raw: Raw, key: str) -> bool | None:
    value = raw.get(key)
    return value if isinstance(value, bool) else None


def moment(raw: Raw, key: str) -> datetime | None:
    """A time in UTC; None when absent, unreadable, without a zone, or Go's zero time (year 1)."""
    value = raw.get(key)
    return parse_time(value) if isinstance(value, str) else None


def strict_moment(raw: Raw, key: str) -> datetime | None:
    """As `moment`, but a time that is there and can't be read is an error, not an absence."""
    found = moment(raw, key)
    value = raw.get(key)
    if found is None and value and not str(value).startswith("0001-"):
        raise UnusableShape(f"unreadable {key}")
    return found


def parse_time(value: str) -> datetime | None:
    parts = _TIME.fullmatch(value)
    if parts is None:
        return None
    date, clock, fraction, zone = parts.groups()
    # Neon may send nanoseconds; Python keeps six digits.
    micros = (fraction or "").ljust(6, "0")[:6]
    try:
        found = datetime.fromisoformat(f"{date}T{clock}.{micros}{zone.upper().replace('Z', '+00:00')}")
        return None if found.year == 1 else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text_map(raw: Raw, key: str) -> Mapping[str, str] | None:
    value = raw.get(key)
    if not isinstance(value, dict):
        return None
    return MappingProxyType({k: v for k, v in value.items() if isinstance(v, str)})


def format_point(point: datetime) -> str:
    """A restore point as Neon takes it. Neon's grain is the millisecond; a finer time would be moved
    without anybody having agreed to it, so it is refused."""
    utc = _aware(point)
    if utc.microsecond % 1000:
        raise ValueError("a restore point has whole milliseconds")
    if not utc.microsecond:
        return f"{utc:%Y-%m-%dT%H:%M:%S}Z"
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def format_expiry(at: datetime) -> str:
    """Whole seconds, which is what Neon keeps of an expiry; rounded up, so never earlier than asked."""
    utc = _aware(at)
    if utc.microsecond:
        utc = utc.replace(microsecond=0) + timedelta(seconds=1)
    return f"{utc:%Y-%m-%dT%H:%M:%S}Z"


def format_second(at: datetime) -> str:
    """Whole seconds, rounded down: the begin of a range, which must not lose what it includes."""
    return f"{_aware(at):%Y-%m-%dT%H:%M:%S}Z"


def checked_lsn(lsn: str) -> str:
    if not _LSN.fullmatch(lsn):
        raise ValueError("an LSN looks like 0/1E19478")
    return lsn


def checked_id(value: str) -> str:
    """An id that is safe in a path: nothing that could climb out of it or add a query."""
    if not _ID.fullmatch(value):
        raise ValueError("a Neon id has 1 to 60 lower-case letters, digits and hyphens")
    return value


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None or at.utcoffset() is None:
        raise ValueError("a time sent to Neon needs a zone")
    return at.astimezone(UTC)
