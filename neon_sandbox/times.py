from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from neon_sandbox.problems import ApiProblem

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


def now() -> datetime:
    return datetime.now(UTC)


def next_month(moment: datetime) -> datetime:
    """The first moment of the month after that of `moment`."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def shown(moment: datetime | None) -> str | None:
    """As in Neon's answers: UTC, whole seconds, `Z`."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown_exactly(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object, field: str) -> datetime:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise ApiProblem(400, f"invalid request: {field} must be an RFC 3339 timestamp with a time zone")
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ApiProblem(400, f"invalid request: {field} is not a valid timestamp") from None


def parse_lsn(text: object, field: str) -> int:
    if not isinstance(text, str) or not _LSN.fullmatch(text):
        raise ApiProblem(400, f"invalid request: {field} must be an LSN such as 0/1E19478")
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def shown_lsn(lsn: int | None) -> str | None:
    return None if lsn is None else f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
