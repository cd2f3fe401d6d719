"""What the control plane does without being asked, besides snapshots: availability checks and forgetting."""

from __future__ import annotations

from datetime import datetime, timedelta

from neon_sandbox.entities import UNFINISHED, Operation, Project
from neon_sandbox.plane import Plane, Planned

OPERATIONS_KEPT = timedelta(days=183)
MOST_OPERATIONS_OF_A_PROJECT = 5_000
FORGETTING_EVERY = timedelta(hours=1)


class Chores:
    """Its own clocks start anew with the sandbox; all of them go by the sandbox's time."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._checked_at: dict[str, datetime] = {}
        self._forgot_at: datetime | None = None

    def check_availability(self) -> None:
        """Now and then an operation of nobody's, as on Neon, that locks the project for a moment."""
        every = self._plane.settings.availability_checks_every_seconds
        if every <= 0:
            return
        now = self._plane.clock.now()
        for project in self._plane.store.find(Project):
            due = self._checked_at.setdefault(project.id, now) + timedelta(seconds=every)
            if now >= due and self._check(project):
                self._checked_at[project.id] = now

    def forget_operations(self) -> None:
        """Finished ones that are older than Neon keeps them, and the oldest of a project that has very many."""
        now = self._plane.clock.now()
        due = self._forgot_at is None or now - self._forgot_at >= FORGETTING_EVERY
        for project in self._plane.store.find(Project):
            operations = self._plane.store.find_by(Operation, "project_id", project.id)
            if due or len(operations) > MOST_OPERATIONS_OF_A_PROJECT:
                self._forget(operations, now - OPERATIONS_KEPT)
        if due:
            self._forgot_at = now

    def _check(self, project: Project) -> bool:
        plane = self._plane
        with plane.store.transaction():
            branch = next((branch for branch in plane.branches(project.id) if branch.default), None)
            endpoint = plane.endpoint_of(branch.id) if branch else None
            if branch is None or endpoint is None or plane.locked(project.id):
                return False
            plane.schedule(project.id, "foreign", [Planned("check_availability", branch.id, endpoint.id)], {})
            return True

    def _forget(self, operations: list[Operation], before: datetime) -> None:
        too_many = len(operations) - MOST_OPERATIONS_OF_A_PROJECT
        with self._plane.store.transaction():
            for index, operation in enumerate(operations):
                if (operation.created_at < before or index < too_many) and operation.status not in UNFINISHED:
                    self._plane.store.remove(operation)
