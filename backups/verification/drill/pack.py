"""What a drill checks, on which copy, and what comes of it: plain values that a row of a database can hold."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backups.domain.execution import CheckOutcome
from backups.verification.anchors import Anchors
from backups.verification.canary import Beat
from backups.verification.catalog import full_name
from backups.verification.drill.own_check import OwnCheck
from backups.verification.dsn import Dsn
from backups.verification.results import CheckSpec

#: The check that reads the copy for the others; see DrillTarget.learn().
READING_CODE = "copy_read"
#: As long as a sentence that is stored may be.
SENTENCE_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One check to be run. `database`, `code` and `subject` together are unique within a drill.

    `subject`: the table (`schema.table`) or the key of an own check; empty when the check is about the database.
    """

    code: str
    title: str
    database: str
    subject: str
    required: bool


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What came of a check, or where it stands. Figures are counts, names, times of the system and keyed hashes.

    `outcome` None: the budget ended first. Then keep `cursor` (JSON) and call again with it, not before
    `retry_after_seconds` have passed.
    """

    outcome: CheckOutcome | None
    sentence: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    retry_after_seconds: float = 0.0

    @property
    def has_ended(self) -> bool:
        return self.outcome is not None


@dataclass(frozen=True, slots=True)
class CheckPack:
    """Which checks a drill runs and what they demand. Tables are named `schema.table` or `table` (public).

    required_checks: codes whose outcome decides the drill; empty means all. Own checks say it themselves.
    left_out: codes that are not run at all.
    changing_tables: tables that are rewritten all the time (sessions, queues), so their content is not compared.
    row_tolerance_share: how many rows of a table may be missing on the copy, as a share of the rows that must be
        there (0.001 is one in a thousand). 0: none.
    write_time_columns: for a table, the columns that say when a row was written; otherwise they are known by name.
    rpo_objective_seconds: how much time before the point may be lost; None: measured and not judged.
    largest_source_bytes: larger tables are not read at the source, which serves people meanwhile.
    """

    required_tables: tuple[str, ...] = ()
    required_checks: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    changing_tables: tuple[str, ...] = ()
    row_tolerance_share: float = 0.0
    write_time_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rpo_objective_seconds: float | None = None
    largest_source_bytes: int = 4 * 1024**3
    has_canary: bool = False
    own_checks: tuple[OwnCheck, ...] = ()

    def requires(self, code: str) -> bool:
        return not self.required_checks or code in self.required_checks

    def is_changing(self, label: str) -> bool:
        return label in {full_name(name) for name in self.changing_tables}

    def own_check(self, key: str) -> OwnCheck | None:
        return next((check for check in self.own_checks if check.key == key), None)


@dataclass(frozen=True, slots=True)
class DrillTarget:
    """One database of a copy that nobody writes to, and the branch that it was made from.

    `source` None: there is nothing to compare with, and what needs it is inconclusive. `point_at`: the point that
    was asked for; None when it is an LSN whose time isn't known. `known_beats`: the canaries that the portal itself
    wrote into this branch around the point (canary.known_around), without those that a restore in place took away.
    `hash_key`: a secret of the portal, so that hashes of two drills can be compared and nobody else can try values
    out; None: a new one for each check.
    """

    database: str
    copy: Dsn
    source: Dsn | None = None
    point_at: dt.datetime | None = None
    pack: CheckPack = field(default_factory=CheckPack)
    known_beats: tuple[Beat, ...] = ()
    canary_since: dt.datetime | None = None
    hash_key: bytes | None = field(default=None, repr=False)
    anchors: Anchors | None = None
    in_flight: tuple[int, ...] = ()
    statistics_settle_seconds: float = 12.0

    def learn(self, code: str, figures: Mapping[str, Any]) -> DrillTarget:
        """The target for the checks that follow a finished check with this code. Call it for each, in order."""
        if code == READING_CODE and figures.get("boundary_xid") is not None:
            return replace(self, anchors=Anchors.from_json(figures), in_flight=tuple(figures.get("in_flight", ())))
        return self

    def seed_for(self, subject: str) -> int:
        """The seed of a table's hashes, 62 bits."""
        if self.hash_key is None:
            return secrets.randbits(62)
        return int.from_bytes(self._keyed(f"seed of {subject}")[:8]) >> 2

    def hash_of(self, value: str) -> str:
        """A hash of a value that must not be shown."""
        return self._keyed(value)[:8].hex()

    def _keyed(self, text: str) -> bytes:
        return hmac.digest(self.hash_key or secrets.token_bytes(32), text.encode(), hashlib.sha256)


def spec_of(planned: PlannedCheck) -> CheckSpec:
    return CheckSpec(planned.code, planned.subject, planned.title, planned.required)
