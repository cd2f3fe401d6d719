"""The situations that acts start from, and what an act is. Made with services, and only when an act asks for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from backups.models import Execution, Finding, Intent, PlanProposal, ProjectWatch, ProtectedBranch, RestoreRequest
from backups.neon.schedules import ScheduleItem
from backups.selectors.clock import database_now
from backups.services.execution.seal import WAITING_FOR_PERSON
from backups.services.monitor.memory import KnownSchedule, Memory
from neon_sandbox.testing import running_sandbox
from tests.factories import People
from tests.support.afterwards import AfterwardsScene
from tests.support.drills import ExerciseScene
from tests.support.monitor import monitor_scene
from tests.support.scenes import Scenes

WHY = "As agreed in the quarterly review."
MINUTE = dt.timedelta(minutes=1)
DAY = 24 * 60 * MINUTE
_NOBODY = "postgresql://carecircle_owner@127.0.0.1:1/carecircle?connect_timeout=1"

Fields = Mapping[str, Any]
#: A form that is sent as it was shown.
NOTHING: Fields = {}
#: What the address names, and the fields that are sent to it.
Sent = tuple[tuple[Any, ...], Fields]


class World:
    """People, and one of each thing that acts are about."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.scenes = Scenes(people)
        self._closing = ExitStack()

    @cached_property
    def branch(self) -> ProtectedBranch:
        return self.scenes.staging_ready()

    @cached_property
    def exercise(self) -> ExerciseScene:
        return ExerciseScene(self.people, self.branch)

    @cached_property
    def afterwards(self) -> AfterwardsScene:
        return AfterwardsScene(self.scenes)

    @cached_property
    def monitored(self) -> tuple[Finding, PlanProposal]:
        return monitor_scene(self.branch, self.people.alice)

    def without_seal(self) -> RestoreRequest:
        """A started restore that waits for a person to decide about the missing seal."""
        request = self.scenes.waiting()
        Execution.objects.filter(request=request, purpose="restore").update(
            waiting_for=WAITING_FOR_PERSON, memory={"seal_since": "2026-11-26T02:00:00+00:00", "seal_asked": True}
        )
        return request

    def with_drift(self) -> ProtectedBranch:
        """A branch at which Neon has not what is declared."""
        known = KnownSchedule((ScheduleItem("daily", 5, None, 86_400),), database_now())
        memory = Memory(history_seconds=86_400, schedules={self.branch.neon_branch_id: known})
        ProjectWatch.objects.create(project=self.branch.project, known=memory.to_json(), known_at=database_now())
        return self.branch

    def sandbox_to_connect(self) -> Fields:
        """What an administrator types to take a running sandbox into care."""
        sandbox = self._closing.enter_context(running_sandbox(storage="none", connection_uri=_NOBODY))
        return {"neon_project_id": sandbox.project_id, "api_host": sandbox.url, "api_key": sandbox.api_key,
                "is_sandbox": "on"}  # fmt: skip

    def close(self) -> None:
        """Ends what was started."""
        self._closing.close()

    def accepted_by_nobody(self) -> RestoreRequest:
        """A restore that runs and whose order was not sent yet."""
        request = self.scenes.running()
        Intent.objects.filter(execution__request=request).delete()
        return request

    def id_of(self, name: str) -> str:
        return str(getattr(self.people, name).user.pk)


class Act:
    """What `who` sends, and every event that may come of it.

    `leading` is the event of the act itself, written once; `consequences` are written as well, in the same request.
    `wrong` is what the page can't use in place of those fields, or NOTHING at all; it is answered with
    `wrong_status`. None where nothing can be typed wrongly.
    `refused` is the event of wrong input where there is one (a failed log-in); else there is none.
    """

    def __init__(
        self,
        who: str | None,
        leading: str,
        send: Callable[[World], Sent],
        *consequences: str,
        wrong: Fields | None = None,
        wrong_status: int = 422,
        refused: str = "",
    ) -> None:
        self.who = who
        self.leading = leading
        self.send = send
        self.consequences = frozenset(consequences)
        self.wrong = wrong
        self.wrong_status = wrong_status
        self.refused = refused


def moment(name: str, at: dt.datetime) -> dict[str, str]:
    """A moment's three fields."""
    utc = at.astimezone(dt.UTC)
    return {f"{name}_date": f"{utc:%Y-%m-%d}", f"{name}_time": f"{utc:%H:%M:%S}", f"{name}_zone": "UTC"}


def ago(minutes: float) -> dt.datetime:
    return database_now() - minutes * MINUTE


def in_days(days: int) -> str:
    return f"{database_now() + days * DAY:%Y-%m-%d}"
