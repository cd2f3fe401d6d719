"""What the monitor can say: a finding of a known kind, or that it could not tell.

One table of kinds. A control returns observations or says why it could not tell; unknown is never healthy.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from backups.domain.people import Role
from backups.domain.policy import Environment

#: What evidence may hold: ids, counts, times as text, and lists of them. Never a row's values, never a secret.
Evidence: TypeAlias = Mapping[str, "str | int | float | bool | list[str] | None"]


class Severity(StrEnum):
    """How soon a person has to look."""

    CRITICAL = "critical"  # now, at night too
    WARNING = "warning"  # today
    NOTICE = "notice"  # when there is time

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)

    @property
    def one_lower(self) -> Severity:
        """The next milder one."""
        return list(Severity)[min(self.rank + 1, len(Severity) - 1)]


class FindingCode(StrEnum):
    """Every kind of finding."""

    CANNOT_TELL = "cannot_tell"
    KEY_REJECTED = "key_rejected"
    PROJECT_HIDDEN = "project_hidden"
    HISTORY_OFF = "history_off"
    HISTORY_SHORT = "history_short"
    BRANCH_MISSING = "branch_missing"
    BRANCH_NOT_READY = "branch_not_ready"
    BRANCH_NOT_ROOT = "branch_not_root"
    BRANCH_RESTRICTED = "branch_restricted"
    BRANCH_FROM_SNAPSHOT = "branch_from_snapshot"
    SCHEDULE_MISSING = "schedule_missing"
    SCHEDULE_DRIFT = "schedule_drift"
    SNAPSHOT_OVERDUE = "snapshot_overdue"
    SNAPSHOT_AWAITED = "snapshot_awaited"
    ROOT_CAP_REACHED = "root_cap_reached"
    ROOT_CAP_NEAR = "root_cap_near"
    BRANCH_CAP_NEAR = "branch_cap_near"
    ORPHAN = "orphan"
    OWNED_MISSING = "owned_missing"
    PRESERVED_KEPT = "preserved_kept"
    STORAGE_GROWTH = "storage_growth"
    QUOTA_EXCEEDED = "quota_exceeded"
    QUOTA_NEAR = "quota_near"
    ENDPOINT_MISSING = "endpoint_missing"
    ENDPOINT_DISABLED = "endpoint_disabled"
    DRILL_OVERDUE = "drill_overdue"
    DRILL_MISSING = "drill_missing"
    DRILL_FAILED = "drill_failed"
    REVIEW_OVERDUE = "review_overdue"
    RECORD_UNSIGNED = "record_unsigned"
    DAILY_COPY_OVERDUE = "daily_copy_overdue"
    WORKER_LATE = "worker_late"
    MESSAGES_UNDELIVERED = "messages_undelivered"
    LEDGER_UNSEALED = "ledger_unsealed"
    LEDGER_NOT_SEALED = "ledger_not_sealed"
    ANCHOR_OVERDUE = "anchor_overdue"
    LOG_REVIEW_OVERDUE = "log_review_overdue"
    GOVERNANCE_DUE = "governance_due"
    RESTORED_OUTSIDE = "restored_outside"
    DELETED_OUTSIDE = "deleted_outside"
    SNAPSHOT_DELETED_OUTSIDE = "snapshot_deleted_outside"
    PROTECTION_OUTSIDE = "protection_outside"
    SCHEDULE_OUTSIDE = "schedule_outside"
    HISTORY_OUTSIDE = "history_outside"


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind: its words, how bad it is as a rule, where people read what to do, and who is told."""

    code: FindingCode
    title: str
    severity: Severity
    anchor: str
    """Of a heading in docs/procedures.md."""
    tells: tuple[Role, ...]
    closes_by_itself: bool = True
    """False: what happened stays so; it closes when a person or a record has explained it."""


_E, _M, _A = Role.ENGINEER, Role.MANAGER, Role.ADMINISTRATOR
_C = FindingCode
_CRITICAL, _WARNING, _NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE
_OUTSIDE = "something-was-changed-behind-the-portals-back"
_HISTORY = "the-history-window-is-off-or-too-short"
_BRANCH = "a-branch-cant-be-restored-in-place"
_SCHEDULE = "the-backup-schedule-is-not-as-declared"
_CAPS = "the-plan-is-nearly-full"
_LEFT = "something-of-the-portals-was-left-at-neon"
_ENDPOINT = "the-databases-compute-is-stopped"

# fmt: off
_ROWS: tuple[FindingKind, ...] = (
    FindingKind(_C.CANNOT_TELL, "The monitor can't tell", _WARNING, "the-monitor-cant-tell", (_E, _A)),
    FindingKind(_C.KEY_REJECTED, "Neon does not accept the API key", _CRITICAL, "the-monitor-cant-tell", (_A, _E)),
    FindingKind(_C.PROJECT_HIDDEN, "Neon shows no such project", _CRITICAL, "the-monitor-cant-tell", (_A, _E)),
    FindingKind(_C.HISTORY_OFF, "No point in time can be restored", _CRITICAL, _HISTORY, (_E, _M)),
    FindingKind(_C.HISTORY_SHORT, "The history window is shorter than declared", _WARNING, _HISTORY, (_E, _M)),
    FindingKind(_C.BRANCH_MISSING, "A branch in care is not at Neon", _CRITICAL, _BRANCH, (_E, _M)),
    FindingKind(_C.BRANCH_NOT_READY, "The branch is not ready", _WARNING, _BRANCH, (_E,)),
    FindingKind(_C.BRANCH_NOT_ROOT, "A child branch can't be restored in place", _WARNING, _BRANCH, (_E,)),
    FindingKind(_C.BRANCH_RESTRICTED, "Neon refuses restores of the branch", _CRITICAL, _BRANCH, (_E, _M)),
    FindingKind(_C.BRANCH_FROM_SNAPSHOT, "From a snapshot: no points in time for now", _WARNING, _BRANCH, (_E,)),
    FindingKind(_C.SCHEDULE_MISSING, "Neon takes no scheduled snapshots", _WARNING, _SCHEDULE, (_E, _M)),
    FindingKind(_C.SCHEDULE_DRIFT, "The schedule is not the declared one", _WARNING, _SCHEDULE, (_E, _M)),
    FindingKind(_C.SNAPSHOT_OVERDUE, "The newest scheduled snapshot is too old", _CRITICAL,
                "no-scheduled-snapshot-was-taken", (_E, _M)),
    FindingKind(_C.SNAPSHOT_AWAITED, "The first scheduled snapshot is awaited", _NOTICE,
                "no-scheduled-snapshot-was-taken", (_E,)),
    FindingKind(_C.ROOT_CAP_REACHED, "No restore fits the plan's cap on root branches", _CRITICAL, _CAPS, (_E, _M)),
    FindingKind(_C.ROOT_CAP_NEAR, "A restore with its undo does not fit the plan's cap", _WARNING, _CAPS, (_E,)),
    FindingKind(_C.BRANCH_CAP_NEAR, "Few branches are left in the plan", _WARNING, _CAPS, (_E,)),
    FindingKind(_C.ORPHAN, "Neon has something of ours that no row knows", _WARNING, _LEFT, (_E,)),
    FindingKind(_C.OWNED_MISSING, "Something of ours is not at Neon any more", _WARNING, _LEFT, (_E,)),
    FindingKind(_C.PRESERVED_KEPT, "A state before a restore is still kept", _NOTICE, _LEFT, (_E, _M)),
    FindingKind(_C.STORAGE_GROWTH, "Storage grows fast", _NOTICE, "storage-grows", (_E,)),
    FindingKind(_C.QUOTA_EXCEEDED, "The project's quota is used up: Neon stops its computes", _CRITICAL,
                _ENDPOINT, (_E, _A)),
    FindingKind(_C.QUOTA_NEAR, "The project's quota is nearly used up", _WARNING, _ENDPOINT, (_E, _A)),
    FindingKind(_C.ENDPOINT_MISSING, "The branch has no compute to write to", _WARNING, _ENDPOINT, (_E,)),
    FindingKind(_C.ENDPOINT_DISABLED, "The branch's compute is disabled", _CRITICAL, _ENDPOINT, (_E,)),
    FindingKind(_C.DRILL_OVERDUE, "The last good drill is too old", _WARNING, "a-drill-is-overdue-or-failed", (_E, _M)),
    FindingKind(_C.DRILL_MISSING, "No drill ever proved a recovery of the branch", _WARNING,
                "a-drill-is-overdue-or-failed", (_E, _M)),
    FindingKind(_C.DRILL_FAILED, "The newest drill failed", _CRITICAL, "a-drill-is-overdue-or-failed", (_E, _M)),
    FindingKind(_C.REVIEW_OVERDUE, "A restore is not reviewed in time", _WARNING, "after-a-restore", (_M, _E)),
    FindingKind(_C.RECORD_UNSIGNED, "A restore by hand has one signature", _WARNING,
                "a-restore-was-made-outside-the-portal", (_M,)),
    FindingKind(_C.DAILY_COPY_OVERDUE, "A daily safety copy was not made", _WARNING,
                "before-risky-work-a-safety-copy", (_E,)),
    FindingKind(_C.WORKER_LATE, "The worker is not running", _CRITICAL, "the-worker-is-not-running", (_A, _E)),
    FindingKind(_C.MESSAGES_UNDELIVERED, "Messages don't arrive", _WARNING, "messages-dont-arrive", (_A,)),
    FindingKind(_C.LEDGER_UNSEALED, "The ledger is not sealed, or not kept elsewhere", _CRITICAL,
                "the-approvals-are-not-sealed", (_A, _E)),
    FindingKind(_C.LEDGER_NOT_SEALED, "The ledger has no sealer", _WARNING, "the-approvals-are-not-sealed", (_A,)),
    FindingKind(_C.ANCHOR_OVERDUE, "An anchor of the ledger is overdue", _WARNING, "the-approvals-are-not-sealed",
                (_A,)),
    FindingKind(_C.LOG_REVIEW_OVERDUE, "The log is not reviewed in time", _WARNING, "the-weekly-log-review", (_M,)),
    FindingKind(_C.GOVERNANCE_DUE, "The register says too little of a project", _NOTICE, "the-governance-register",
                (_M, _A)),
    FindingKind(_C.RESTORED_OUTSIDE, "A restore was made outside the portal", _CRITICAL, _OUTSIDE, (_M, _E), False),
    FindingKind(_C.DELETED_OUTSIDE, "A branch was deleted outside the portal", _CRITICAL, _OUTSIDE, (_M, _E), False),
    FindingKind(_C.SNAPSHOT_DELETED_OUTSIDE, "A snapshot was deleted outside the portal", _WARNING, _OUTSIDE,
                (_M, _E), False),
    FindingKind(_C.PROTECTION_OUTSIDE, "A branch's protection was changed outside the portal", _WARNING, _OUTSIDE,
                (_M, _E), False),
    FindingKind(_C.SCHEDULE_OUTSIDE, "The backup schedule was changed outside the portal", _WARNING, _OUTSIDE,
                (_M, _E), False),
    FindingKind(_C.HISTORY_OUTSIDE, "The history window was changed outside the portal", _WARNING, _OUTSIDE,
                (_M, _E), False),
)
# fmt: on

KINDS: Mapping[FindingCode, FindingKind] = {kind.code: kind for kind in _ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something is wrong, as seen just now. `subject` tells two of the same kind apart: an id or a name at Neon.

    `branch_id` is the portal's own id of the protected branch, None for the whole project or portal. Without a
    severity the kind's own counts.
    """

    code: FindingCode
    subject: str
    sentence: str
    evidence: Evidence = field(default_factory=dict)
    severity: Severity | None = None
    branch_id: int | None = None

    @property
    def kind(self) -> FindingKind:
        return KINDS[self.code]

    @property
    def weight(self) -> Severity:
        """The severity that counts."""
        return self.severity or self.kind.severity


@dataclass(frozen=True, slots=True)
class CouldNotTell:
    """The control has no answer. It opens and closes nothing.

    `postponed`: the portal itself holds the control back for now, so nobody is told that it is unknown.
    """

    reason: str
    postponed: bool = False


Verdict: TypeAlias = Sequence[Observation] | CouldNotTell


def weight_in(environment: Environment, severity: Severity) -> Severity:
    """A finding weighs less where less is at stake: one step in staging, only a notice in development."""
    if environment is Environment.PRODUCTION:
        return severity
    return severity.one_lower if environment is Environment.STAGING else Severity.NOTICE


class Health(StrEnum):
    """The state of one branch, project or portal, worst first in what it asks of people."""

    FINDINGS = "findings"
    UNKNOWN = "unknown"
    HEALTHY = "healthy"


def overall(*, findings: int, unknown: int, controls: int) -> Health:
    """What is said in one word. Without a single control that answered nothing is known."""
    if findings:
        return Health.FINDINGS
    if unknown or not controls:
        return Health.UNKNOWN
    return Health.HEALTHY


@dataclass(frozen=True, slots=True)
class Forecast:
    """A straight line through the samples; nothing more is claimed. `per_day` is in the samples' unit."""

    per_day: float
    samples: int
    spans_seconds: float

    def in_days(self, now_value: float, days: float) -> float:
        return max(0.0, now_value + self.per_day * days)


#: Fewer points, or a shorter span, say nothing about a trend.
FEWEST_POINTS = 4
SHORTEST_SPAN = dt.timedelta(days=2)


def forecast(points: Sequence[tuple[dt.datetime, float]]) -> Forecast | None:
    """The least-squares line; None when there are too few points or they lie too close together."""
    if len(points) < FEWEST_POINTS:
        return None
    first = min(at for at, _ in points)
    days = [(at - first) / dt.timedelta(days=1) for at, _ in points]
    span = max(days) - min(days)
    if span < SHORTEST_SPAN / dt.timedelta(days=1):
        return None
    mean_x, mean_y = sum(days) / len(days), sum(value for _, value in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x in days)
    lean = sum((x - mean_x) * (value - mean_y) for x, (_, value) in zip(days, points, strict=True))
    return Forecast(per_day=lean / spread, samples=len(points), spans_seconds=span * 86_400)
