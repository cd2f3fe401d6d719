"""Smaller sentences and lists of the request page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from backups.admin import words
from backups.domain.actions import NO_UNDO_OF_SNAPSHOT, NO_UNDO_ON_SNAPSHOT, Action
from backups.domain.consequence import count
from backups.domain.execution import EFFECTS, CheckOutcome, IntentOutcome
from backups.domain.packet import ObservedFacts
from backups.domain.people import Capability
from backups.domain.restore import OPEN, RequestState, RestoreKind, StartMode, Verb
from backups.models import CheckResult, RestoreRequest
from backups.selectors.restore_page import RequestPage

_S = RequestState
FILE = Capability.FILE_RESTORE
_ICON = {CheckOutcome.PASSED: "check", CheckOutcome.FAILED: "cross", CheckOutcome.INCONCLUSIVE: "question"}


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """One check in words and colour; what has no outcome yet could not tell."""

    words: str
    tone: str
    icon: str
    title: str
    subject: str
    sentence: str
    is_required: bool

    @property
    def has_passed(self) -> bool:
        """Only these may be folded away."""
        return self.words == words.OUTCOME[CheckOutcome.PASSED]


def _shown(outcome: str | None, title: str, sentence: str, subject: str = "", required: bool = True) -> ShownCheck:
    if outcome is None:
        return ShownCheck("Not done", "unknown", "question", title, subject, sentence, required)
    known = CheckOutcome(outcome)
    return ShownCheck(words.OUTCOME[known], words.OUTCOME_TONE[known], _ICON[known], title, subject, sentence, required)


@dataclass(frozen=True, slots=True)
class ShownRehearsal:
    """The checks run on a copy beforehand."""

    words: str
    tone: str
    checks: list[ShownCheck]


def rehearsal(observed: ObservedFacts) -> ShownRehearsal:
    """How the rehearsal went; a rehearsal that was not run is unknown, not fine."""
    rehearsed = observed["rehearsal"]
    checks = [_shown(each["outcome"], each["title"], each["sentence"]) for each in rehearsed["checks"]]
    if rehearsed["outcome"] is None:
        return ShownRehearsal("unknown, not run", "unknown", checks)
    outcome = CheckOutcome(rehearsed["outcome"])
    passed = sum(1 for each in rehearsed["checks"] if each["outcome"] == CheckOutcome.PASSED)
    said = f"{words.OUTCOME[outcome].lower()}, {passed} of {len(checks)} checks"
    if rehearsed["ready_seconds"] is not None:
        said += f", ready in {words.precise(rehearsed['ready_seconds'])}"
    return ShownRehearsal(said, words.OUTCOME_TONE[outcome], checks)


def latest_checks(page: RequestPage) -> list[ShownCheck]:
    """The checks of the newest round that has any, failed and unclear ones first."""
    run = page.restore_run
    found = list(run.checks.all()) if run else []
    newest = max((check.review_round for check in found), default=0)
    ours = [check for check in found if check.review_round == newest and not check.before_effect]
    return [_check(check) for check in sorted(ours, key=_rank)]


def _rank(check: CheckResult) -> tuple[int, int]:
    order = {CheckOutcome.FAILED.value: 0, CheckOutcome.INCONCLUSIVE.value: 1, None: 2, CheckOutcome.PASSED.value: 3}
    return order.get(check.outcome, 2), check.position


def _check(check: CheckResult) -> ShownCheck:
    return _shown(check.outcome, check.title, check.sentence, check.subject, check.is_required)


def checks_words(checks: Sequence[ShownCheck]) -> str:
    """`10 passed, 1 failed`; what did not pass is never left out."""
    kinds = ("Passed", "Failed", "Could not tell", "Not done")
    said = [(sum(1 for check in checks if check.words == kind), kind.lower()) for kind in kinds]
    return ", ".join(f"{number} {kind}" for number, kind in said if number)


def restorable_until(page: RequestPage) -> dt.datetime | None:
    """When Neon's history no longer reaches the point; None where it is not known."""
    if page.request.kind == RestoreKind.SNAPSHOT:
        return None  # the snapshot is kept apart from the history
    window = page.request.branch.project.history_retention_seconds
    if page.request.point_at is not None and window is not None:
        return page.request.point_at + dt.timedelta(seconds=window)
    left = page.observed["history_left_seconds"]
    if left is None or page.packet is None:
        return None
    return page.packet.built_at + dt.timedelta(seconds=left)


def undo_words(page: RequestPage) -> str:
    if page.request.kind == RestoreKind.NEW_BRANCH:
        return "nothing is overwritten"
    if page.request.kind == RestoreKind.SNAPSHOT:
        return f"not in one step; the state before is kept as {kept_as(page)}"
    return f"yes, from {page.request.preserve_name}"


def effect_is_known(page: RequestPage) -> bool:
    run, orders = page.restore_run, EFFECTS[RestoreKind(page.request.kind)]
    return run is not None and any(
        intent.kind in orders and intent.outcome == IntentOutcome.APPLIED for intent in run.intents.all()
    )


def no_undo(page: RequestPage) -> str:
    """Why a restore that overwrote something can't be undone, where a snapshot is the reason."""
    request = page.request
    if not RestoreKind(request.kind).overwrites or page.preserved is None:
        return ""
    if request.kind != RestoreKind.SNAPSHOT and not request.branch.is_from_snapshot:
        return ""
    return NO_UNDO_OF_SNAPSHOT if request.kind == RestoreKind.SNAPSHOT else NO_UNDO_ON_SNAPSHOT


def kept_as(page: RequestPage) -> str:
    """The name of the state before: the one that Neon gave it, else the one that it will have."""
    return page.preserved.name if page.preserved else str(page.request.preserve_name)


def now_words(request: RestoreRequest) -> str:
    """What the worker is doing, as a heading."""
    if request.state == _S.PREPARING:
        return "Gathering the facts"
    if request.state == _S.NEEDS_ATTENTION:
        return "Looking again"
    asked = request.start_asked_by_name
    if request.state == _S.APPROVED:
        return f"About to start: {asked} pressed Start." if asked else "About to start."
    who = f" Started by {asked}." if asked else ""
    verb = "Making the copy" if request.kind == RestoreKind.NEW_BRANCH else f"Restoring {request.branch.name}"
    return f"{verb}.{who}"


def start_sentence(page: RequestPage) -> str:
    """Who does what next, after the last vote."""
    if page.request.start_mode == StartMode.AT_ONCE:
        return "It starts by itself in a moment."
    return f"{page.request.requester_name} or another engineer presses Start, else it expires."


def outcome_heading(page: RequestPage) -> str:
    if page.request.outcome_code == "accepted_by_people":
        return "Accepted as it is, by two people"
    return {
        RestoreKind.IN_PLACE: "Restored and verified",
        RestoreKind.NEW_BRANCH: "The copy is ready and verified",
        RestoreKind.UNDO: "Undone and verified",
        RestoreKind.SNAPSHOT: "Restored from the snapshot and verified",
    }[RestoreKind(page.request.kind)]


def closed_heading(page: RequestPage) -> str:
    return words.STATE.get(page.state, "Closed")


def times(page: RequestPage) -> list[tuple[str, float]]:
    """The spans that recovery times are made of; only those of which both ends are known."""
    request = page.request
    pairs = (
        ("Votes", request.submitted_at, request.approved_at),
        ("Last vote to order at Neon", request.approved_at, request.submitted_to_neon_at),
        ("Order to first connection", request.submitted_to_neon_at, request.connectable_at),
        ("Connection to verified", request.connectable_at, request.closed_at),
        ("Since the damage was noticed", request.noticed_at, request.closed_at),
    )
    return [(name, (end - begin).total_seconds()) for name, begin, end in pairs if begin and end and end >= begin]


def why_nothing(page: RequestPage) -> str:
    """Why the reader can only read."""
    if page.state in {_S.PENDING, _S.APPROVED}:
        return page.actions[Action.APPROVE].refusal or ""
    if page.state in {_S.PREPARING, _S.RUNNING}:
        return "Nothing to do at the moment: the worker is at work."
    return "Nothing is left to decide here." if page.state not in OPEN else ""


def submit_words(page: RequestPage) -> str:
    if not page.votes_needed:
        return "Submit: starts without a vote"
    names = [voter.name for voter in page.voters]
    if not names:
        return "Submit: nobody can vote at present"
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"Submit: tells {shown}"


def who_is_told(page: RequestPage) -> str:
    names = [voter.name for voter in page.voters]
    if not names:
        return "nobody can be"
    joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{joined} {'is' if len(names) == 1 else 'are'}"


def afterwards(page: RequestPage) -> list[str]:
    """What people still have to do, which no database restore does for them."""
    request = page.request
    if request.kind == RestoreKind.NEW_BRANCH:
        return [
            "Copy the rows that are missing back, or switch the application to the copy.",
            "Let the copy delete itself, or delete it when it is no longer needed.",
        ]
    steps = ["Bring the application back and see that it connects."]
    if page.observed["migration_head"]["then"] != page.observed["migration_head"]["now"]:
        steps.insert(0, "Roll the application's release back to the migration of the point.")
    lost = [row for row in page.observed["tables"] if row["patient_safety"] and row["lost_at_least"]]
    steps += [
        f"Tell the care teams: {count(row['lost_at_least'] or 0, 'row')} of {row['meaning'] or row['table']} "
        "since the point look as if they had never been."
        for row in lost
    ]
    steps.append("Decide what is run again: queues, e-mail, push, imports.")
    days = page.policy.preserved_branch_days
    if request.kind == RestoreKind.SNAPSHOT:
        steps.append(
            f"Going back again: take a snapshot of {kept_as(page)} and file a restore from it, or copy rows from it."
        )
    steps.append(f"Decide how long {kept_as(page)} is kept; {days} days unless somebody says otherwise.")
    return steps


def technical(page: RequestPage) -> list[tuple[str, str, str]]:
    """(name, value, id of the element): identifiers for people who look further."""
    request, packet = page.request, page.packet
    rows = [
        ("Neon project", request.branch.project.neon_project_id),
        ("Neon branch", request.branch.neon_branch_id),
        ("Former ids of the branch", ", ".join(former.neon_branch_id for former in request.branch.former_ids.all())),
        ("Source branch", "" if request.snapshot_id else request.source_branch_id),
        ("Point as sent to Neon", next(iter(request.point.for_neon().values()), "newest state of the source")),
        ("The state before is kept as", kept_as(page) if request.kind != RestoreKind.NEW_BRANCH else ""),
        ("Fingerprint of these facts", packet.digest if packet else ""),
        ("Log position of the branch when counted", page.observed["head_lsn"] or ""),
        ("Copy that was counted", page.preview.neon_branch_id if page.preview else ""),
        ("State kept before", page.preserved.neon_branch_id if page.preserved else ""),
    ]
    return [(name, value, f"tech-{index}") for index, (name, value) in enumerate(rows) if value]


def switch_lines(page: RequestPage) -> str:
    """Commands that point an application at the copy; the password is not shown."""
    copy = page.handed_over
    run = page.restore_run
    place = run.memory if run else {}
    if copy is None or not place.get("host"):
        return ""
    address = f"postgresql://{place.get('role', '')}:PASSWORD@{place['host']}:{place.get('port') or 5432}"
    address += f"/{place.get('database', '')}?sslmode=require"
    return f"export DATABASE_URL='{address}'\npsql \"$DATABASE_URL\" -c 'select now()'"


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that happened, newest first."""

    at: dt.datetime
    words: str
    who: str
    sentence: str


def history(page: RequestPage) -> list[HistoryLine]:
    """Changes of state, votes and runs in one list; times of the record."""
    lines = [HistoryLine(t.at, words.VERB[Verb(t.verb)], t.actor_name, t.sentence) for t in page.transitions]
    lines += [HistoryLine(v.cast_at, f"Vote: {v.choice}", v.voter_name, "") for v in page.votes]
    lines += [HistoryLine(v.taken_back_at, "Vote taken back", v.voter_name, "") for v in page.votes if v.taken_back_at]
    lines.append(HistoryLine(page.request.created_at, "Draft written", page.request.requester_name, ""))
    return sorted(lines, key=lambda line: line.at, reverse=True)
