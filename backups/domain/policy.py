"""How many people must agree, and how long each clock runs."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from backups.domain.restore import RestoreKind, StartMode


class Environment(StrEnum):
    """What a branch is used for, from most to least guarded."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"

    def is_lower_than(self, other: Environment) -> bool:
        """True when this label guards less than `other`."""
        order = list(Environment)
        return order.index(self) > order.index(other)


def effective_environment(*, label: Environment | None, is_default: bool, is_neon_protected: bool) -> Environment:
    """The environment that counts: whatever is unclassified, default or protected at Neon is production."""
    if label is None or is_default or is_neon_protected:
        return Environment.PRODUCTION
    return label


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the approval policy. Durations are seconds."""

    version: int = 1
    production_in_place_votes: int = 2
    production_new_branch_votes: int = 1
    production_undo_votes_soon: int = 1
    production_undo_votes_later: int = 2
    undo_soon_seconds: int = 60 * 60
    vote_window_seconds: int = 4 * 60 * 60
    start_window_seconds: int = 30 * 60
    start_window_busy_seconds: int = 2 * 60 * 60
    preparation_seconds: int = 60
    preserved_branch_days: int = 7
    required_checks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The policy as stored and hashed."""
        return asdict(self) | {"required_checks": list(self.required_checks)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Policy:
        """The policy that `to_json` wrote; unknown keys are refused by the constructor."""
        return cls(**(data | {"required_checks": tuple(data.get("required_checks", ()))}))


DEFAULT_POLICY = Policy()


def votes_needed(
    policy: Policy,
    *,
    kind: RestoreKind,
    environment: Environment,
    restored_for: dt.timedelta | None = None,
) -> int:
    """How many distinct approvals a request needs.

    `restored_for`: for an undo, how long ago the restore that it takes back took effect. Unknown counts as long ago.
    """
    if environment is not Environment.PRODUCTION:
        return 0
    if kind in {RestoreKind.IN_PLACE, RestoreKind.SNAPSHOT}:
        return policy.production_in_place_votes
    if kind is RestoreKind.NEW_BRANCH:
        return policy.production_new_branch_votes
    soon = restored_for is not None and restored_for <= dt.timedelta(seconds=policy.undo_soon_seconds)
    return policy.production_undo_votes_soon if soon else policy.production_undo_votes_later


def default_start_mode(*, kind: RestoreKind, environment: Environment) -> StartMode:
    """By hand when production is overwritten, so that a person looks once more."""
    if environment is Environment.PRODUCTION and kind.overwrites:
        return StartMode.BY_HAND
    return StartMode.AT_ONCE


def reason_required(environment: Environment) -> bool:
    """A vote on production always says why."""
    return environment is Environment.PRODUCTION
