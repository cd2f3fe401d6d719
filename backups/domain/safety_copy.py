"""Safety copies: what is made before risky work, of which kind, under which name, and for how long."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum


class CopyKind(StrEnum):
    """What Neon makes."""

    SNAPSHOT = "snapshot"
    BRANCH = "branch"


class CopyState(StrEnum):
    """Where a safety copy stands."""

    ASKED = "asked"
    MADE = "made"  # Neon shows it, and it is of this order
    FAILED = "failed"  # there is none, or nobody can say: it protects nothing
    GONE = "gone"
    LEFT = "left"  # somebody took it over at Neon; it is not the portal's to delete any more


#: Still in Neon, or perhaps.
KEPT = frozenset({CopyState.ASKED, CopyState.MADE})


class Origin(StrEnum):
    """Who or what asked for a safety copy."""

    PAGE = "page"
    COMMAND = "command"
    TOKEN = "token"  # noqa: S105 - a word for where it came from
    SCHEDULE = "schedule"


#: Manual snapshots that a plan allows per project (Neon's documentation, August 2026; the API does not tell).
MANUAL_SNAPSHOT_CAPS = {"free": 1, "launch": 100, "scale": 100}

DEFAULT_KEEP_DAYS = 7
#: Neon keeps a branch with an expiry for 30 days at most.
LONGEST_BRANCH_DAYS = 30
LONGEST_SNAPSHOT_DAYS = 365


def manual_snapshot_cap(plan: str | None) -> int | None:
    """The plan's cap; None for a plan that is not known here."""
    return MANUAL_SNAPSHOT_CAPS.get((plan or "").removesuffix("_v3").removesuffix("_v2").lower())


def kind_that_fits(*, plan: str | None, manual_snapshots: int, is_root: bool | None) -> CopyKind:
    """A snapshot where the plan is known to have room for one more and the branch is a root branch; else a branch."""
    cap = manual_snapshot_cap(plan)
    if cap is None or is_root is not True or manual_snapshots >= cap:
        return CopyKind.BRANCH
    return CopyKind.SNAPSHOT


def longest_keep_days(kind: CopyKind | None) -> int:
    """How long a copy may be kept; where the portal still chooses the kind, what both allow."""
    return LONGEST_SNAPSHOT_DAYS if kind is CopyKind.SNAPSHOT else LONGEST_BRANCH_DAYS


def copy_name(branch: str, number: int, *, scheduled_for: dt.datetime | None) -> str:
    """The name at Neon, unique in the project. It holds no words of people, because Neon's names may hold no PHI."""
    if scheduled_for is not None:
        return f"auto-backup-{branch[:180]}-{scheduled_for.astimezone(dt.UTC):%Y%m%d-%H%M}-S-{number:04d}"
    return f"safety-{branch[:200]}-S-{number:04d}"


def latest_slot(now: dt.datetime, *, hour: int, minute: int = 0) -> dt.datetime:
    """The newest planned time at or before `now`, for a copy a day at that time, UTC."""
    today = now.astimezone(dt.UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today <= now else today - dt.timedelta(days=1)


class TokenScope(StrEnum):
    """What a token lets a program do, and nothing else."""

    SAFETY_COPY = "safety_copy"
    READ_HEALTH = "read_health"
