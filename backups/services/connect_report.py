"""The lines of a connection check: each says ok, to do, or can't tell, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backups.domain.consequence import count, span
from backups.models import ProtectedBranch
from backups.neon.types import Auth, Branch, Project
from backups.services.project import root_branch_cap
from backups.verification import DatabaseFacts

_DAY_SECONDS = 24 * 3600
_SHOWN = 8


class Verdict(StrEnum):
    """How a line stands. Can't tell is never shown as ok."""

    OK = "ok"
    TO_DO = "to_do"
    CANT_TELL = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. `subject` is a branch or database where the line is about one."""

    code: str
    title: str
    verdict: Verdict
    sentence: str
    to_do: str = ""
    subject: str = ""

    def to_json(self) -> dict[str, str]:
        """As pages and the command show it."""
        return {
            "code": self.code,
            "title": f"{self.title} ({self.subject})" if self.subject else self.title,
            "subject": self.subject,
            "status": self.verdict.value,
            "sentence": self.sentence,
            "next": self.to_do,
        }


@dataclass(slots=True)
class Report:
    """What a check found, as kept in Project.connect_report. `addresses`: where the project's databases are."""

    as_of: dt.datetime
    lines: list[Line] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For the project's row: each line has code, title, subject, status, sentence, and next where there is one."""
        lines = [line.to_json() for line in self.lines]
        return {"as_of": self.as_of.isoformat(), "lines": lines, "addresses": sorted(set(self.addresses))}

    def number_of(self, verdict: Verdict) -> int:
        """How many lines stand so."""
        return sum(1 for line in self.lines if line.verdict is verdict)


def ok(code: str, title: str, sentence: str, *, subject: str = "") -> Line:
    return Line(code, title, Verdict.OK, sentence, subject=subject)


def to_do(code: str, title: str, sentence: str, act: str, *, subject: str = "") -> Line:
    return Line(code, title, Verdict.TO_DO, sentence, to_do=act, subject=subject)


def cant_tell(code: str, title: str, sentence: str, act: str, *, subject: str = "") -> Line:
    return Line(code, title, Verdict.CANT_TELL, sentence, to_do=act, subject=subject)


def key_line(auth: Auth) -> Line:
    """Which kind of key this is: a personal one ends with its owner's membership."""
    title = "API key"
    if auth.auth_method == "api_key_user":
        return to_do(
            "key",
            title,
            "The key works. It is a personal key: it can do whatever its owner can, and it dies with the membership.",
            "Make a key for this project alone in Neon's organisation settings and connect again with it.",
        )
    if auth.auth_method == "api_key_org":
        return ok("key", title, "The key works. It belongs to the organisation or to one of its projects.")
    kind = auth.auth_method or "of a kind that Neon did not tell"
    return cant_tell("key", title, f"The key works; it is {kind}.", "Prefer a key for this project alone.")


def plan_line(project: Project) -> Line:
    """The plan decides history, root branches and whether Neon signs for PHI."""
    if not project.plan:
        return cant_tell("plan", "Plan", "Neon did not tell the plan.", "Look it up in Neon's console.")
    name = project.plan.removesuffix("_v3")
    if name.startswith("free"):
        act = "Use the Scale plan for PHI: only there does Neon accept HIPAA's terms."
        return to_do("plan", "Plan", "Free plan: 6 hours of history and 3 root branches.", act)
    return ok("plan", "Plan", f"Plan {name}.")


def history_line(project: Project) -> Line:
    """How far back Neon can go. One day is what paid plans begin with, not what somebody chose."""
    title, seconds = "History window", project.history_retention_seconds
    if seconds is None:
        return cant_tell(
            "history", title, "Neon did not tell how far back it can go.", "Look in the project's settings."
        )
    if seconds == 0:
        act = "Set a history window in the project's settings; without one nothing can be restored to a point in time."
        return to_do("history", title, "No history is kept: no point in time can be restored.", act)
    if seconds <= _DAY_SECONDS:
        act = "Damage is often noticed later. Choose 7 days or more in the project's settings."
        return to_do("history", title, f"Neon can go back {span(seconds)}; 1 d is the default.", act)
    return ok("history", title, f"Neon can go back {span(seconds)}.")


def head_room_line(project: Project, branches: Sequence[Branch]) -> Line:
    """A restore in place adds one root branch, and its undo another."""
    title, used = "Room for root branches", sum(1 for branch in branches if branch.is_root)
    cap = root_branch_cap(project.plan)
    if cap is None:
        act = "Look up your plan's limit in Neon's documentation; a restore and its undo need two more."
        return cant_tell("head_room", title, f"{count(used, 'root branch', 'root branches')}; the cap is unknown.", act)
    if cap - used < 2:
        act = "Delete preserved branches that nobody needs any more: a restore and its undo need two."
        return to_do("head_room", title, f"{used} of {cap} root branches are used.", act)
    return ok("head_room", title, f"{used} of {cap} root branches are used; a restore and its undo need two more.")


def default_branch_line(branches: Sequence[Branch]) -> Line:
    """The default branch is what the application most likely uses."""
    title = "Default branch"
    default = next((branch for branch in branches if branch.default), None)
    if default is None:
        return cant_tell("default_branch", title, "Neon did not tell which it is.", "Look in Neon's console.")
    if not default.is_root:
        act = "Neon restores only root branches to a point in time. Make a root branch the default."
        return to_do("default_branch", title, f"{default.name} is a child branch.", act, subject=default.name)
    return ok("default_branch", title, f"{default.name}, a root branch.", subject=default.name)


def restorable_line(branch: Branch) -> Line:
    """Whether Neon is known to refuse a restore of this branch."""
    title = "Can be restored"
    if not branch.can_be_restore_target:
        act = "Restore it to a new branch, or make another root branch the one in use."
        return to_do("restorable", title, "Neon refuses to restore it in place.", act, subject=branch.name)
    if branch.protected:
        act = (
            "Neon does not document whether it restores a protected branch in place: rehearse it before you rely on it."
        )
        return cant_tell("restorable", title, "It is protected at Neon.", act, subject=branch.name)
    return ok("restorable", title, "A root branch, and nothing at Neon stands against it.", subject=branch.name)


def environment_line(branch: ProtectedBranch) -> Line:
    """Unclassified counts as production; that is safe, and more work than needed for other branches."""
    title = "Used for"
    if branch.label:
        return ok("environment", title, f"{branch.environment.value.capitalize()}.", subject=branch.name)
    act = "Say what it is used for on the project's page."
    return to_do("environment", title, "Not said, so it counts as production.", act, subject=branch.name)


def time_column_lines(branch: str, facts: Sequence[DatabaseFacts]) -> list[Line]:
    """Columns that carry a time make lost rows countable; without one a table may end as "could not tell"."""
    return [_time_columns(branch, database) for database in facts]


def _time_columns(branch: str, database: DatabaseFacts) -> Line:
    title, subject = "Tables that carry time", f"{branch} / {database.database}"
    if not database.tables:
        return cant_tell(
            "time_columns", title, "No table was found.", "Connect again when there are some.", subject=subject
        )
    without = [t.name for t in database.tables if not any(c.records_writes for c in t.time_columns)]
    tables = count(len(database.tables), "table")
    if not without:
        return ok("time_columns", title, f"All of {tables} carry the time of writing.", subject=subject)
    names = ", ".join(without[:_SHOWN]) + (f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else "")
    act = "Add a column such as created_at where you can: without one, fewer losses can be counted."
    return to_do("time_columns", title, f"{len(without)} of {tables} carry none: {names}.", act, subject=subject)
