"""The life of a restore request: its states, and every change of state that is allowed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum


class RequestState(StrEnum):
    """Where a restore request stands."""

    DRAFT = "draft"  # being written; nobody is told
    PREPARING = "preparing"  # the worker gathers the facts to vote on
    PENDING = "pending"  # waiting for votes
    APPROVED = "approved"  # enough votes; waiting for its start
    RUNNING = "running"  # claimed by the worker
    COMPLETED = "completed"  # restored and verified, or accepted by two people
    FAILED = "failed"  # proven to have had no effect
    NEEDS_ATTENTION = "needs_attention"  # effect unknown or not verified: a person decides
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"  # a clock ran out; nothing was changed


TERMINAL = frozenset(
    {
        RequestState.COMPLETED,
        RequestState.FAILED,
        RequestState.REJECTED,
        RequestState.WITHDRAWN,
        RequestState.EXPIRED,
    }
)
#: Can still be withdrawn, rejected or run out of time without any effect.
UNDECIDED = frozenset({RequestState.PREPARING, RequestState.PENDING, RequestState.APPROVED})
#: A production request in one of these keeps drills and clean-ups away from its project.
GOVERNING = frozenset({RequestState.APPROVED, RequestState.RUNNING})
OPEN = frozenset(RequestState) - TERMINAL


class Verb(StrEnum):
    """Why a state changed; the word that the history shows."""

    SUBMIT = "submit"
    PREPARED = "prepared"
    RETURNED = "returned"  # the bound facts could not be read in time
    QUORUM = "quorum"
    EDIT = "edit"
    DRIFT = "drift"  # a bound fact changed
    TAKE_BACK = "take_back"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    CLAIM = "claim"
    COMPLETE = "complete"
    NO_EFFECT = "no_effect"
    HALT = "halt"
    ACCEPT = "accept"
    DISPROVE = "disprove"  # two people confirm that it did not run


_S = RequestState
_V = Verb

#: The one table of legal changes: (from, verb) -> to.
TRANSITIONS: dict[tuple[RequestState, Verb], RequestState] = {
    (_S.DRAFT, _V.SUBMIT): _S.PREPARING,
    (_S.DRAFT, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.PREPARING, _V.PREPARED): _S.PENDING,
    (_S.PREPARING, _V.RETURNED): _S.DRAFT,
    (_S.PREPARING, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.PREPARING, _V.EXPIRE): _S.EXPIRED,
    (_S.PENDING, _V.QUORUM): _S.APPROVED,
    (_S.PENDING, _V.EDIT): _S.PREPARING,
    (_S.PENDING, _V.DRIFT): _S.PREPARING,
    (_S.PENDING, _V.REJECT): _S.REJECTED,
    (_S.PENDING, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.PENDING, _V.EXPIRE): _S.EXPIRED,
    (_S.APPROVED, _V.CLAIM): _S.RUNNING,
    (_S.APPROVED, _V.EDIT): _S.PREPARING,
    (_S.APPROVED, _V.DRIFT): _S.PREPARING,
    (_S.APPROVED, _V.TAKE_BACK): _S.PENDING,
    (_S.APPROVED, _V.REJECT): _S.REJECTED,
    (_S.APPROVED, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.APPROVED, _V.EXPIRE): _S.EXPIRED,
    (_S.RUNNING, _V.COMPLETE): _S.COMPLETED,
    (_S.RUNNING, _V.NO_EFFECT): _S.FAILED,
    (_S.RUNNING, _V.HALT): _S.NEEDS_ATTENTION,
    (_S.NEEDS_ATTENTION, _V.ACCEPT): _S.COMPLETED,
    (_S.NEEDS_ATTENTION, _V.DISPROVE): _S.FAILED,
}


class IllegalTransition(Exception):
    """The request is in a state from which this step does not lead anywhere. Nothing was changed."""

    def __init__(self, state: RequestState, verb: Verb) -> None:
        super().__init__(f"A request that is {state.value} can't go through “{verb.value}”. Nothing was changed.")
        self.state = state
        self.verb = verb


def next_state(state: RequestState, verb: Verb) -> RequestState:
    """The state that `verb` leads to. Raises IllegalTransition."""
    try:
        return TRANSITIONS[(state, verb)]
    except KeyError:
        raise IllegalTransition(state, verb) from None


class RestoreKind(StrEnum):
    """What is done at Neon."""

    IN_PLACE = "in_place"
    NEW_BRANCH = "new_branch"
    UNDO = "undo"
    SNAPSHOT = "snapshot"  # the branch is replaced by a snapshot's content, under a new id

    @property
    def overwrites(self) -> bool:
        """True when the branch that applications use is replaced."""
        return self is not RestoreKind.NEW_BRANCH


class SnapshotMode(StrEnum):
    """Whether what is restored from a snapshot can be looked at before it replaces the branch."""

    PREVIEW_FIRST = "preview_first"  # the copy that was voted on becomes the branch
    ONE_STEP = "one_step"  # Neon restores and replaces in one call


class Scenario(StrEnum):
    """What happened, in the words of the contingency plan."""

    ACCIDENTAL_DELETION = "accidental_deletion"
    BAD_MIGRATION = "bad_migration"
    CORRUPTION = "corruption"
    REGION_OUTAGE = "region_outage"
    SECURITY_INCIDENT = "security_incident"
    REHEARSAL = "rehearsal"
    OTHER = "other"


class Urgency(StrEnum):
    """Whether people are paged or only notified."""

    URGENT = "urgent"
    CAN_WAIT = "can_wait"


class StartMode(StrEnum):
    """Who starts an approved request."""

    BY_HAND = "by_hand"
    AT_ONCE = "at_once"


class WritersStopped(StrEnum):
    """Whether applications still write to the branch; said by a person, not measured."""

    YES = "yes"
    BEFORE_START = "before_start"
    NO = "no"


class PointKind(StrEnum):
    """How a restore point is named."""

    TIMESTAMP = "timestamp"
    LSN = "lsn"
    HEAD = "head"  # the newest state of the source; only for an undo
    SNAPSHOT = "snapshot"  # what a snapshot holds


_LSN = re.compile(r"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$")


def parse_lsn(text: str) -> int:
    """The byte position of an LSN such as `0/1E19478`. Raises ValueError."""
    if not _LSN.fullmatch(text.strip()):
        raise ValueError("Not a position in the database's log: it looks like 0/1E19478.")
    high, low = text.strip().split("/")
    return (int(high, 16) << 32) | int(low, 16)


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """The state that a restore brings back: a UTC time, a log position, the head of its source, or a snapshot.

    For a snapshot `at` is the moment whose state it holds.
    """

    kind: PointKind
    at: dt.datetime | None = None
    lsn: str = ""
    snapshot_id: str = ""
    snapshot_name: str = ""

    def __post_init__(self) -> None:
        if self.kind is PointKind.TIMESTAMP and (self.at is None or self.at.tzinfo is None):
            raise ValueError("A restore point in time needs a time with its zone.")
        if self.kind is PointKind.LSN:
            parse_lsn(self.lsn)
        if self.kind is PointKind.SNAPSHOT and (not self.snapshot_id or self.at is None or self.at.tzinfo is None):
            raise ValueError("A restore from a snapshot needs its id and the time that it was taken, with its zone.")

    def latest_moment(self) -> dt.datetime | None:
        """The last moment whose writes the state can hold; None where the point has no time.

        Neon tells a snapshot's time in whole seconds, and what is committed in that second may be in it.
        """
        if self.kind is PointKind.SNAPSHOT and self.at is not None:
            return self.at + dt.timedelta(seconds=1)
        return self.at

    def for_neon(self) -> dict[str, str]:
        """The point as Neon's API takes it: milliseconds, UTC, `Z` (Neon: instant restore)."""
        if self.kind is PointKind.TIMESTAMP and self.at is not None:
            return {"timestamp": rfc3339(self.at)}
        if self.kind is PointKind.LSN:
            return {"lsn": self.lsn}
        return {"snapshot": self.snapshot_id} if self.kind is PointKind.SNAPSHOT else {}

    def __str__(self) -> str:
        if self.at is not None:
            moment = f"{self.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
            return f"the snapshot of {moment}" if self.kind is PointKind.SNAPSHOT else moment
        return self.lsn if self.kind is PointKind.LSN else "its newest state"


def whole_milliseconds(at: dt.datetime) -> dt.datetime:
    """`at` cut to the millisecond, the finest grain of a point in time at Neon."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def rfc3339(at: dt.datetime) -> str:
    """`at` in UTC with milliseconds and `Z`. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError("A time without a zone names no moment.")
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
