"""What Neon said in one look at a project, part by part; a part that could not be read says why.

Read outside any transaction and without the database, so that several projects can be read at once.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from backups.neon.calls import CallRecord
from backups.neon.client import NeonClient
from backups.neon.consumption import Granularity, Metric, Usage
from backups.neon.errors import NeonError, NeonForbidden, NeonKeyRejected, NeonNotFound, TryLater
from backups.neon.schedules import ScheduleItem
from backups.neon.snapshots import Snapshot
from backups.neon.types import Branch, Endpoint, Operation, Project
from backups.services.monitor.pace import Pace

T = TypeVar("T")

USAGE_SPAN = dt.timedelta(hours=24)
USAGE_METRICS = (Metric.INSTANT_RESTORE_BYTES, Metric.SNAPSHOT_BYTES, Metric.COMPUTE_UNIT_SECONDS)

OUT_OF_TIME = "The time for this project was over; it is read again in the next cycle."
#: After one of these the next question would fare no better.
_OF_THE_WHOLE = (TryLater, NeonKeyRejected)


class NotTold(Exception):
    """A control asked for a part that Neon did not tell. The sentence says why."""

    def __init__(self, reason: str, *, postponed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.postponed = postponed


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One part of the answer, or why there is none."""

    value: T | None = None
    trouble: str = ""
    postponed: bool = False
    error: NeonError | None = None

    @property
    def is_told(self) -> bool:
        return not self.trouble

    def get(self) -> T:
        """The part. Raises NotTold."""
        if self.trouble or self.value is None:
            raise NotTold(self.trouble or "Neon did not tell.", postponed=self.postponed)
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What to ask of one project. `quiet`: a production restore is near, so only the least is asked."""

    project_id: str
    schedules_of: tuple[str, ...] = ()
    operations_since: dt.datetime | None = None
    with_usage: bool = False
    quiet: bool = False
    quiet_because: str = ""


@dataclass(slots=True)
class CallCount:
    """How many calls were made and how many failed."""

    calls: int = 0
    failed: int = 0

    def note(self, record: CallRecord) -> None:
        """For the client's `on_call`."""
        self.calls += 1
        self.failed += record.outcome != "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeonFacts:
    """One look. `read_at` is the portal machine's clock when the look began."""

    read_at: dt.datetime
    project: Part[Project] = field(default_factory=Part)
    branches: Part[tuple[Branch, ...]] = field(default_factory=Part)
    operations: Part[tuple[Operation, ...]] = field(default_factory=Part)
    snapshots: Part[tuple[Snapshot, ...]] = field(default_factory=Part)
    endpoints: Part[tuple[Endpoint, ...]] = field(default_factory=Part)
    schedules: Mapping[str, Part[tuple[ScheduleItem, ...]]] = field(default_factory=dict)
    #: What the invoice counts; None where nobody asked, the key may not know, or the plan has no figures.
    usage: Usage | None = None

    @classmethod
    def untold(cls, questions: Questions, trouble: str) -> NeonFacts:
        """Nothing was asked; every part says why."""
        return cls(
            read_at=dt.datetime.now(dt.UTC),
            project=Part(trouble=trouble),
            branches=Part(trouble=trouble),
            operations=Part(trouble=trouble),
            snapshots=Part(trouble=trouble),
            endpoints=Part(trouble=trouble),
            schedules={each: Part(trouble=trouble) for each in questions.schedules_of},
        )

    def branch(self, neon_branch_id: str) -> Branch | None:
        """The branch of that id; None when Neon has none. Raises NotTold."""
        return next((each for each in self.branches.get() if each.id == neon_branch_id), None)

    def schedule_of(self, neon_branch_id: str) -> tuple[ScheduleItem, ...]:
        """Raises NotTold; also for a branch that nobody asked about."""
        part = self.schedules.get(neon_branch_id)
        if part is None:
            raise NotTold("The branch's schedule was not asked for.")
        return part.get()


class Reader:
    """Asks Neon one thing after the other within a time; after the first failure of the whole it asks no more."""

    def __init__(self, client: NeonClient, questions: Questions, *, pace: Pace, key: str, seconds: float) -> None:
        self._client = client
        self._questions = questions
        self._pace = pace
        self._key = key
        self._ends_at = time.monotonic() + seconds
        self._trouble: Part[object] | None = None

    def read(self) -> NeonFacts:
        """Never raises NeonError: what went wrong stands in the parts."""
        read_at = dt.datetime.now(dt.UTC)
        client, project_id = self._client, self._questions.project_id
        since = self._questions.operations_since or read_at - dt.timedelta(minutes=1)
        project = self._ask("project", lambda: client.projects.get(project_id), is_root=True)
        facts = NeonFacts(
            read_at=read_at,
            project=project,
            branches=self._ask("branches", lambda: client.branches.list(project_id), calls=2),
            operations=self._ask("operations", lambda: client.operations.list_since(project_id, since)),
            snapshots=self._unless_quiet("snapshots", lambda: client.snapshots.list(project_id)),
            endpoints=self._unless_quiet("endpoints", lambda: client.endpoints.list(project_id)),
            schedules={each: self._schedule(each) for each in self._questions.schedules_of},
        )
        return replace(facts, usage=self._usage(project, read_at))

    def _usage(self, project: Part[Project], now: dt.datetime) -> Usage | None:
        """Of the last full hours. Many keys and plans have no figures, so a refusal says nothing about the rest."""
        org_id = project.value.org_id if project.value is not None else None
        if not self._questions.with_usage or self._questions.quiet or org_id is None or self._trouble is not None:
            return None
        until = now.replace(minute=0, second=0, microsecond=0)
        try:
            found = self._client.consumption.projects(
                org_id,
                since=until - USAGE_SPAN,
                until=until,
                granularity=Granularity.HOURLY,
                metrics=USAGE_METRICS,
                project_ids=[self._questions.project_id],
            )
        except (NeonError, ValueError):
            return None
        return next((each for each in found if each.project_id == self._questions.project_id), None)

    def _schedule(self, branch_id: str) -> Part[tuple[ScheduleItem, ...]]:
        return self._unless_quiet("schedule", lambda: self._client.schedules.get(self._questions.project_id, branch_id))

    def _unless_quiet(self, route: str, call: Callable[[], T]) -> Part[T]:
        if self._questions.quiet:
            return Part(trouble=self._questions.quiet_because, postponed=True)
        return self._ask(route, call)

    def _ask(self, route: str, call: Callable[[], T], *, is_root: bool = False, calls: int = 1) -> Part[T]:
        """`calls`: how many are likely; Neon's list of branches has an empty page at its end."""
        if self._trouble is not None:
            return Part(trouble=self._trouble.trouble, error=self._trouble.error)
        left = self._ends_at - time.monotonic()
        if left <= 0 or not self._pace.wait(key=self._key, route=route, longest_seconds=left, calls=calls):
            return Part(trouble=OUT_OF_TIME)
        try:
            return Part(value=call())
        except NeonError as error:
            part: Part[T] = Part(trouble=reason_of(error), error=error)
            if is_root or isinstance(error, _OF_THE_WHOLE):
                self._trouble = Part(trouble=part.trouble, error=error)
            return part


def reason_of(error: NeonError) -> str:
    """The error in a short sentence without addresses, ids of calls or Neon's own words."""
    if isinstance(error, NeonKeyRejected):
        return "Neon does not accept the API key."
    if isinstance(error, NeonForbidden):
        return "The API key, or the plan, does not allow this question."
    if isinstance(error, NeonNotFound):
        return "Neon knows no such object, or hides it from this key."
    status = f" (HTTP {error.status})" if error.status else ""
    return f"{error.happened}{status}."
