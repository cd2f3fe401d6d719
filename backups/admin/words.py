"""The words of the pages for the words of the code, and numbers and times as people read them."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from backups.domain.consequence import span
from backups.domain.execution import CheckOutcome, ExecutionState, Purpose, Step
from backups.domain.policy import Environment
from backups.domain.restore import (
    RequestState,
    RestoreKind,
    Scenario,
    SnapshotMode,
    StartMode,
    Urgency,
    Verb,
    WritersStopped,
)

KIND = {
    RestoreKind.IN_PLACE: "Replace it (in place)",
    RestoreKind.NEW_BRANCH: "Copy beside it",
    RestoreKind.UNDO: "Undo of a restore",
    RestoreKind.SNAPSHOT: "Replace it from a snapshot",
}
SNAPSHOT_MODE = {
    SnapshotMode.PREVIEW_FIRST: "Preview first: the copy that people vote on is checked again, then takes its place",
    SnapshotMode.ONE_STEP: "In one step: Neon restores and replaces at once",
}
#: In a list of facts; None: Neon did not tell.
TAKEN_BY = {True: "by hand", False: "by schedule", None: "unknown"}
STATE = {
    RequestState.DRAFT: "Draft",
    RequestState.PREPARING: "Gathering the facts",
    RequestState.PENDING: "Waiting for approval",
    RequestState.APPROVED: "Approved, not started",
    RequestState.RUNNING: "Running",
    RequestState.COMPLETED: "Restored",
    RequestState.FAILED: "Failed: nothing was changed",
    RequestState.NEEDS_ATTENTION: "Needs a person",
    RequestState.REJECTED: "Rejected: nothing was changed",
    RequestState.WITHDRAWN: "Withdrawn: nothing was changed",
    RequestState.EXPIRED: "Expired: nothing was changed",
}
TONE = {
    RequestState.DRAFT: "plain",
    RequestState.PREPARING: "info",
    RequestState.PENDING: "warn",
    RequestState.APPROVED: "info",
    RequestState.RUNNING: "info",
    RequestState.COMPLETED: "good",
    RequestState.FAILED: "bad",
    RequestState.NEEDS_ATTENTION: "bad",
    RequestState.REJECTED: "plain",
    RequestState.WITHDRAWN: "plain",
    RequestState.EXPIRED: "plain",
}
SCENARIO = {
    Scenario.ACCIDENTAL_DELETION: "Rows deleted",
    Scenario.BAD_MIGRATION: "Bad migration",
    Scenario.CORRUPTION: "Corruption",
    Scenario.REGION_OUTAGE: "Region outage",
    Scenario.SECURITY_INCIDENT: "Security incident",
    Scenario.REHEARSAL: "Rehearsal",
    Scenario.OTHER: "Something else",
}
URGENCY = {
    Urgency.URGENT: "Urgent: tell approvers now, marked urgent",
    Urgency.CAN_WAIT: "Can wait: tell approvers without urgency",
}
START = {
    StartMode.BY_HAND: "When somebody presses Start",
    StartMode.AT_ONCE: "At once after the last vote",
}
WRITERS = {
    WritersStopped.YES: "Yes, they are stopped",
    WritersStopped.BEFORE_START: "They will be, before the start",
    WritersStopped.NO: "No, they go on writing",
}
ENVIRONMENT = {
    Environment.PRODUCTION: "Production",
    Environment.STAGING: "Staging",
    Environment.DEVELOPMENT: "Development",
}
OUTCOME = {
    CheckOutcome.PASSED: "Passed",
    CheckOutcome.FAILED: "Failed",
    CheckOutcome.INCONCLUSIVE: "Could not tell",
}
OUTCOME_TONE = {CheckOutcome.PASSED: "good", CheckOutcome.FAILED: "bad", CheckOutcome.INCONCLUSIVE: "unknown"}
VERB = {
    Verb.SUBMIT: "Submitted",
    Verb.PREPARED: "Facts gathered; votes are open",
    Verb.RETURNED: "Returned to its writer: the facts could not be read",
    Verb.QUORUM: "Approved by enough people",
    Verb.EDIT: "Changed; earlier votes lapsed",
    Verb.DRIFT: "A fact changed; earlier votes lapsed",
    Verb.TAKE_BACK: "A vote was taken back",
    Verb.REJECT: "Rejected",
    Verb.WITHDRAW: "Withdrawn",
    Verb.EXPIRE: "Expired",
    Verb.CLAIM: "Started by the worker",
    Verb.COMPLETE: "Restored and verified",
    Verb.NO_EFFECT: "Ended without an effect",
    Verb.HALT: "Stopped: needs a person",
    Verb.ACCEPT: "Accepted as it is, by two people",
    Verb.DISPROVE: "Closed as not having run, by two people",
}
STEP = {
    Step.PREFLIGHT: "Votes and facts checked once more",
    Step.SUBMIT: "Order given to Neon",
    Step.WAIT: "Neon carries it out",
    Step.CONNECT: "Connected to the branch",
    Step.VERIFY: "Data verified",
    Step.FINISH: "Result recorded",
    Step.FACTS: "Facts read from Neon",
    Step.COPY: "Copy made at the chosen moment",
    Step.INSPECT: "Rows counted on both sides",
    Step.COMPARE: "Both sides compared",
    Step.REHEARSE: "Checks rehearsed on the copy",
    Step.PUBLISH: "Facts frozen for the vote",
    Step.REMOVE: "Copy removed",
}
#: Where a step means something else in a run of that purpose.
STEP_IN = {
    (Purpose.DRILL, Step.PREFLIGHT): "History read at Neon, moment chosen",
    (Purpose.DRILL, Step.CONNECT): "Connected to the copy",
    (Purpose.DRILL, Step.VERIFY): "Copy checked",
}
STEPS_OF = {
    Purpose.PREPARE: (Step.FACTS, Step.COPY, Step.INSPECT, Step.COMPARE, Step.REHEARSE, Step.PUBLISH),
    Purpose.RESTORE: (Step.PREFLIGHT, Step.SUBMIT, Step.WAIT, Step.CONNECT, Step.VERIFY, Step.FINISH),
    Purpose.LOOK: (Step.COPY, Step.INSPECT),
    Purpose.DISPOSE: (Step.REMOVE,),
    Purpose.DRILL: (Step.PREFLIGHT, Step.COPY, Step.CONNECT, Step.VERIFY, Step.REMOVE, Step.FINISH),
}
#: Of a restore that looks at its copy once more before anything is overwritten.
STEPS_WITH_COPY = (
    Step.PREFLIGHT, Step.COPY, Step.REHEARSE, Step.SUBMIT, Step.WAIT, Step.CONNECT, Step.VERIFY, Step.FINISH,
)  # fmt: skip
RUN_STATE = {
    ExecutionState.ACTIVE: "at work",
    ExecutionState.HALTED: "stopped; a person decides",
    ExecutionState.REVIEWING: "looking again",
    ExecutionState.TAKEN_OVER: "an undo took its place",
    ExecutionState.FINISHED: "ended",
}

#: Offered beside the reader's own zone; any other name of the tz database is accepted when typed in a link.
COMMON_ZONES = (
    "UTC",
    "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome",
    "Europe/Amsterdam", "Europe/Zurich", "Europe/Vienna", "Europe/Warsaw", "Europe/Stockholm", "Europe/Helsinki",
    "Europe/Athens", "Europe/Kyiv", "Europe/Istanbul",
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
    "America/Anchorage", "America/Halifax", "America/Toronto", "America/Vancouver", "America/Mexico_City",
    "America/Bogota", "America/Sao_Paulo", "America/Argentina/Buenos_Aires", "Pacific/Honolulu",
    "Africa/Lagos", "Africa/Cairo", "Africa/Nairobi", "Africa/Johannesburg",
    "Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Jakarta", "Asia/Shanghai",
    "Asia/Hong_Kong", "Asia/Singapore", "Asia/Manila", "Asia/Tokyo", "Asia/Seoul",
    "Australia/Perth", "Australia/Brisbane", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


def zone_or_utc(name: str) -> zoneinfo.ZoneInfo:
    """The zone of that name; UTC where this machine knows none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def zone_word(zone: dt.tzinfo) -> str:
    """The city that people say for a zone: `Berlin`, `New York`, `UTC`."""
    return str(zone).rpartition("/")[2].replace("_", " ")


def distance(at: dt.datetime, now: dt.datetime) -> str:
    """`50 min ago` or `in 3 h 53 min`."""
    seconds = (at - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def in_zone(at: dt.datetime, zone: dt.tzinfo, now: dt.datetime) -> str:
    """Time of day in a zone, with the date unless it is today there: `02:31:59`, `22 Nov 02:31:59`."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    if local.year == today.year:
        return f"{local.day} {local:%b %H:%M:%S}"
    return f"{local.day} {local:%b %Y %H:%M:%S}"


def utc_stamp(at: dt.datetime) -> str:
    """`2026-11-22 01:31:59 UTC`, for tables, exports and history."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def size(number_of_bytes: int) -> str:
    """`1.2 GB`; powers of 1000."""
    amount, unit = float(number_of_bytes), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def precise(seconds: float) -> str:
    """`0.3 s`, `6.2 s`, `1 min`: for steps that people watch."""
    return f"{seconds:.1f} s" if seconds < 10 else span(seconds)
