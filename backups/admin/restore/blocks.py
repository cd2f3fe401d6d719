"""The parts of the request page, made from facts into what a template prints. No queries, no rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from backups.admin import words
from backups.admin.restore.details import effect_is_known
from backups.domain.actions import VOTES, Action
from backups.domain.consequence import TABLES, count, span
from backups.domain.packet import ObservedFacts, TableFacts
from backups.domain.policy import Environment
from backups.domain.restore import TERMINAL, PointKind, RequestState, RestoreKind, Scenario
from backups.models import ProtectedBranch, RestoreRequest
from backups.selectors.restore_page import RequestPage

_S = RequestState


@dataclass(frozen=True, slots=True)
class Band:
    """The coloured strip that says where one is."""

    environment: Environment
    is_sandbox: bool
    place: str


@dataclass(frozen=True, slots=True)
class Item:
    """Rows of one table, in the fewest words: `37 doses given`. None: how many is unknown, and why."""

    rows: int | None
    what: str
    patient_safety: bool
    why: str


@dataclass(frozen=True, slots=True)
class Summary:
    """One number in words, the tables behind it, and those that the first screen has no room for."""

    sentence: str
    first: list[Item]
    more: list[Item]
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class Deadline:
    """The clock that matters now."""

    label: str
    at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One word of the bar that shows how far a request has come."""

    word: str
    look: str  # is-done, is-now, is-stopped or is-next


def band_of(branch: ProtectedBranch) -> Band:
    return Band(branch.environment, branch.project.is_sandbox, f"{branch.project.name} / {branch.name}")


def question(page: RequestPage) -> str:
    """The decision as a question while it is open, as a heading afterwards."""
    mark = "?" if page.state in {_S.DRAFT, _S.PREPARING, _S.PENDING} else ""
    return deed(page.request, page.now) + mark


def deed(request: RestoreRequest, now: dt.datetime) -> str:
    """What the request does, in the words that people use: `Take ALL of production back 50 min`."""
    place = _place(request.branch)
    if request.kind == RestoreKind.UNDO:
        undone = request.undo_of.reference if request.undo_of else "a restore"
        return f"Undo {undone}: take {place} back to before it"
    back = _back(request, now)
    if request.kind == RestoreKind.NEW_BRANCH:
        return f"Copy {place} as it was {back}"
    scope = "ALL of " if request.branch.environment is Environment.PRODUCTION else ""
    if request.kind == RestoreKind.SNAPSHOT:
        return f"Replace {scope}{place} by a snapshot taken {back}"
    verb = "back to" if request.point_kind == PointKind.LSN else "back"
    return f"Take {scope}{place} {verb} {back.removesuffix(' ago')}"


def _place(branch: ProtectedBranch) -> str:
    return "production" if branch.environment is Environment.PRODUCTION else f"{branch.environment.value} {branch.name}"


def _back(request: RestoreRequest, now: dt.datetime) -> str:
    if request.point_at is None:
        return f"log position {request.point_lsn}" if request.point_lsn else "its newest state"
    until = request.running_at or request.closed_at or now
    return f"{span(max(0.0, (until - request.point_at).total_seconds()))} ago"


def state_words(page: RequestPage) -> str:
    """The state, as exact as the run knows it."""
    run = page.restore_run
    if page.state is _S.APPROVED and page.request.start_asked_at:
        return "Starting" if run is None or not run.waiting_for else "Start is waiting"
    if page.state is _S.COMPLETED and page.request.outcome_code == "accepted_by_people":
        return "Accepted as it is"
    if page.state is _S.COMPLETED and page.request.kind == RestoreKind.NEW_BRANCH:
        return "Copy is ready"
    if page.state is _S.NEEDS_ATTENTION and run is not None and run.state == "reviewing":
        return "Needs a person · the portal is looking again"
    return words.STATE[page.state]


def your_part(page: RequestPage) -> str:
    """One short clause on what the reader can do about it now."""
    if page.own_vote is not None and page.state in {_S.PENDING, _S.APPROVED}:
        return f"you voted: {page.own_vote.choice}"
    if page.may(Action.APPROVE):
        return "you can decide"
    if page.may(Action.START):
        return "you can start it"
    if page.may(Action.CONFIRM):
        return "your confirmation is wanted"
    is_yours = page.request.requester_id == page.actor.user_id
    if is_yours and page.state in {_S.PREPARING, _S.PENDING}:
        return "you asked, so others decide"
    return ""


def deadline(page: RequestPage) -> Deadline | None:
    request = page.request
    if page.state is _S.PENDING:
        return Deadline("Decide before", request.votes_until)
    if page.state is _S.APPROVED and not request.start_asked_at:
        return Deadline("Start before", request.start_until)
    if page.state is _S.APPROVED:
        return Deadline("Gives up at", request.start_until)
    return None


_Number = Literal["lost_at_least", "back_at_least"]


def loss(observed: ObservedFacts) -> Summary:
    """What is written since the point and goes."""
    return _summary(observed, "lost_at_least", "new row", "No new row was found")


def gain(observed: ObservedFacts) -> Summary:
    """What was there at the point and comes back."""
    return _summary(observed, "back_at_least", "row", "No missing row was found")


def _summary(observed: ObservedFacts, number: _Number, noun: str, none: str) -> Summary:
    touched = [row for row in observed["tables"] if row[number]]
    unread = [row for row in observed["tables"] if row[number] is None]
    items = [_item(row, number) for row in (*touched, *unread)]
    if len(unread) == len(observed["tables"]):
        return Summary(f"Unknown: {_why(observed)}", items[:1], items[1:], is_unknown=True)
    total = sum(row[number] or 0 for row in touched)
    sentence = f"At least {count(total, noun)}, {count(len(touched), 'table')}" if touched else none
    if unread:
        sentence += f"; {count(len(unread), 'table')} unknown"
    return Summary(sentence, items[:2], items[2:], is_unknown=False)


def _item(row: TableFacts, number: _Number) -> Item:
    return Item(row[number], row["meaning"] or table_name(row["table"]), row["patient_safety"], row["unknown"] or "")


def _why(observed: ObservedFacts) -> str:
    said = next((item["why"] for item in observed["unknown"] if item["what"].startswith(TABLES)), "")
    return said or next((row["unknown"] for row in observed["tables"] if row["unknown"]), None) or "nothing was counted"


def table_name(name: str) -> str:
    """The table without the schema that nearly all tables are in."""
    return name.removeprefix("public.")


def tables_shown(observed: ObservedFacts) -> tuple[list[TableFacts], list[TableFacts]]:
    """Tables in which something changes or is unknown, and the rest."""
    loud = [row for row in observed["tables"] if _says_something(row)]
    return loud, [row for row in observed["tables"] if not _says_something(row)]


def _says_something(row: TableFacts) -> bool:
    numbers = (row.get("lost_at_least"), row.get("back_at_least"), row.get("changed_at_least"))
    return any(value is None or value > 0 for value in numbers)


def smaller_fix(request: RestoreRequest) -> str:
    """The sentence that warns when less would do."""
    if request.kind != RestoreKind.IN_PLACE:
        return ""
    if request.scenario == Scenario.ACCIDENTAL_DELETION:
        return "A smaller fix exists: open a copy beside it and bring back only the deleted rows."
    if request.scenario == Scenario.SECURITY_INCIDENT:
        return "Keep the evidence first: a copy beside it leaves the present state untouched."
    return ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way out, with its price."""

    title: str
    loses: str
    downtime: str
    votes: int | None
    kind: str = ""


def alternatives(page: RequestPage) -> list[Alternative]:
    """What else could be done; the price of each in the same words."""
    policy, production = page.policy, page.request.branch.environment is Environment.PRODUCTION
    copy = Alternative(
        "Copy beside it", "nothing; rows are brought back by hand", "none",
        policy.production_new_branch_votes if production else 0, RestoreKind.NEW_BRANCH.value,
    )  # fmt: skip
    whole = Alternative(
        "Replace it (in place)", "everything written since the point", "seconds",
        policy.production_in_place_votes if production else 0, RestoreKind.IN_PLACE.value,
    )  # fmt: skip
    nothing = Alternative("Do nothing", "what is gone stays gone; more is written meanwhile", "none", None)
    if page.request.kind == RestoreKind.UNDO:
        return [Alternative("Do nothing", "nothing; the restored data stay live", "none", None)]
    if page.request.kind == RestoreKind.NEW_BRANCH:
        return [whole, nothing]
    if page.request.kind == RestoreKind.SNAPSHOT:
        return [copy, nothing] if page.request.branch.is_from_snapshot else [whole, copy, nothing]
    return [copy, nothing]


_STAGES = ("Filed", "Facts", "Votes", "Start", "Restore", "Verified")
_AT = {
    _S.DRAFT: 0, _S.PREPARING: 1, _S.PENDING: 2, _S.APPROVED: 3, _S.RUNNING: 4, _S.NEEDS_ATTENTION: 5, _S.COMPLETED: 6,
}  # fmt: skip


def stages(page: RequestPage) -> list[Stage]:
    """How far it has come; a closed request stops where it stopped."""
    last = _AT.get(page.state)
    if page.state is _S.NEEDS_ATTENTION and not effect_is_known(page):
        last = _AT[_S.RUNNING]  # nobody knows whether it was restored, so that stage has no tick
    stopped = page.state in {_S.NEEDS_ATTENTION, *TERMINAL} - {_S.COMPLETED}
    if last is None:
        before = (RequestState(t.from_state) for t in page.transitions)
        last = next((_AT[state] for state in before if state in _AT), 0)
    return [Stage(word, _look(index, last, stopped)) for index, word in enumerate(_STAGES)]


def _look(index: int, last: int, stopped: bool) -> str:
    if index < last:
        return "is-done"
    if index > last:
        return "is-next"
    return "is-stopped" if stopped else "is-now"


@dataclass(frozen=True, slots=True)
class Buttons:
    """What the reader can do now, in the order of the thumb."""

    vote: bool
    can_reject: bool
    ask: bool
    main: tuple[Action, str, str] | None  # the action, its words, how loud


_MAIN: tuple[tuple[Action, str, str], ...] = (
    (Action.SUBMIT, "Submit…", "main"),
    (Action.APPROVE, "Approve…", "main"),
    (Action.START, "Start…", "danger"),
    (Action.CONFIRM, "Confirm the proposal…", "main"),
    (Action.FILE_AGAIN, "File again with the same facts", "main"),
)


def buttons(page: RequestPage) -> Buttons:
    main = next((item for item in _MAIN if page.may(item[0])), None)
    return Buttons(
        vote=any(page.may(action) for action in VOTES),
        can_reject=page.may(Action.REJECT),
        ask=page.may(Action.ASK) and page.state in {_S.PENDING, _S.APPROVED},
        main=main,
    )
