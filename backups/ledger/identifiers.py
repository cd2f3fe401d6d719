"""Ids of events, and the one way in which a time is written in them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import UUID

_MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def uuid7(at: datetime) -> UUID:
    """A version 7 UUID (RFC 9562): 48 bits of milliseconds, then random, so that ids sort by time.

    The twelve bits after the version count quarters of a microsecond, which keeps the order of
    events that one transaction writes within a millisecond.
    """
    microseconds = _microseconds(at)
    milliseconds, rest = divmod(microseconds, 1000)
    value = (milliseconds & (2**48 - 1)) << 80
    value |= 0x7 << 76
    value |= (rest * 4096 // 1000) << 64
    value |= 0b10 << 62
    value |= secrets.randbits(62)
    return UUID(int=value)


def utc_text(at: datetime) -> str:
    """The time in UTC with microseconds, always 27 characters: `2026-11-22T09:40:41.123456Z`."""
    if at.tzinfo is None:
        raise ValueError("A time without a zone cannot be recorded.")
    return at.astimezone(UTC).strftime(_MICROSECONDS)


def parse_utc(text: str) -> datetime:
    """The reverse of utc_text; refuses every other way of writing a time."""
    at = datetime.strptime(text, _MICROSECONDS).replace(tzinfo=UTC)
    if utc_text(at) != text:
        raise ValueError(f"{text} is not a time as the ledger writes it.")
    return at


def _microseconds(at: datetime) -> int:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    span = at - epoch
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
