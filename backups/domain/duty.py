"""Duties: what has to be done once, or again and again, so that a recovery will work when it is needed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.people import Capability


class Cadence(StrEnum):
    """How often a duty comes."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class DoneBy(StrEnum):
    """Who says that a duty is done."""

    SEEN = "seen"  # the portal saw the proof
    PERSON = "person"  # somebody says so, with a reason


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty. `is_seen`: the portal can see the proof itself, so nobody is asked to say it."""

    code: str
    title: str
    cadence: Cadence
    what_to_do: str
    is_seen: bool
    capability: Capability | None = None
    """Who may say that it is done; None where only the portal's own sight counts."""


_ONCE_DUE = dt.timedelta(days=14)

# fmt: off
_ROWS: tuple[Duty, ...] = (
    Duty("connect_project", "Connect a project", Cadence.ONCE,
         "An administrator gives the project's id and an API key of its own.", is_seen=True),
    Duty("classify_branches", "Say what each branch is used for", Cadence.ONCE,
         "Until then every branch is guarded as production.", is_seen=True),
    Duty("enough_approvers", "Have more approvers than a production restore needs", Cadence.ONCE,
         "With as many as needed and no more, one absence stops every such restore.", is_seen=True),
    Duty("plan_drills", "Give each production branch a drill plan that runs by itself", Cadence.ONCE,
         "A branch without a plan is never proven.", is_seen=True),
    Duty("messages_arrive", "Send a message that arrives", Cadence.ONCE,
         "Set up mail or Slack, then send a test message.", is_seen=True),
    Duty("agreement_with_neon", "Sign the business associate agreement with Neon", Cadence.ONCE,
         "Neon's HIPAA add-on and a signed agreement come before the first patient's record.", is_seen=False,
         capability=Capability.MANAGE_PROJECTS),
    Duty("off_site_copy", "Arrange a copy outside Neon", Cadence.ONCE,
         "Nothing in this portal copies data out of Neon. Say where the copy lies and who can read it back.",
         is_seen=False, capability=Capability.MANAGE_PROJECTS),
    Duty("backups_checked", "Backups were checked", Cadence.DAILY,
         "The monitor does it by itself, or run check_backups.", is_seen=True),
    Duty("drill_passed", "A drill passed for each production branch", Cadence.WEEKLY,
         "Run a plan now, and read the report if it does not pass.", is_seen=True),
    Duty("runbook_printed", "The runbook of each project was written", Cadence.WEEKLY,
         "The worker writes it to RUNBOOK_DIR, or run the command runbook.", is_seen=True),
    Duty("ledger_verified", "The whole audit log was verified", Cadence.MONTHLY,
         "Press Verify it now under Audit, or run the command verify_ledger.", is_seen=True),
    Duty("people_reviewed", "The list of people and roles was gone through", Cadence.MONTHLY,
         "Open People. Whoever has left or changed work loses the role. Say what was found.", is_seen=False,
         capability=Capability.READ_PEOPLE),
    Duty("exercise_held", "An exercise with people was held and signed off", Cadence.YEARLY,
         "Talk an incident through, or play it, and log it under Drills.", is_seen=True),
)
# fmt: on

DUTIES: dict[str, Duty] = {duty.code: duty for duty in _ROWS}


@dataclass(frozen=True, slots=True)
class Period:
    """Proof from `starts_at` on counts; the duty is overdue after `due_at`."""

    starts_at: dt.datetime
    due_at: dt.datetime


def period_at(cadence: Cadence, now: dt.datetime, *, first_seen_at: dt.datetime) -> Period:
    """The period that `now` lies in, in UTC: a day, a week from Monday, a month, a year.

    A duty of one time has one period, from when the portal first asked for it.
    """
    if cadence is Cadence.ONCE:
        return Period(first_seen_at, first_seen_at + _ONCE_DUE)
    today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if cadence is Cadence.DAILY:
        return Period(today, today + dt.timedelta(days=1))
    if cadence is Cadence.WEEKLY:
        monday = today - dt.timedelta(days=today.weekday())
        return Period(monday, monday + dt.timedelta(days=7))
    if cadence is Cadence.MONTHLY:
        first = today.replace(day=1)
        return Period(first, (first + dt.timedelta(days=32)).replace(day=1))
    january = today.replace(month=1, day=1)
    return Period(january, january.replace(year=january.year + 1))
