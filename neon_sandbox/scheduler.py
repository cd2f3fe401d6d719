"""Takes the snapshots that backup schedules want: each at the moment of its slot, in order, none twice."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta

from neon_sandbox.api.rules import check_point
from neon_sandbox.api.snapshots import begin_snapshot
from neon_sandbox.entities import BackupSchedule, Branch, Project
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem
from neon_sandbox.slots import Slot, slots_between
from neon_sandbox.storage.base import Point

log = logging.getLogger(__name__)
LOOK_EVERY_SECONDS = 0.2
BUSY_SECONDS = 0.05
# A project without history has only its head, which stands for a slot that has just passed.
HEAD_STANDS_FOR = timedelta(seconds=60)


class Scheduler:
    """A thread that looks for due slots. While a project is locked, its slots wait."""

    def __init__(self, plane: Plane, stopping: threading.Event) -> None:
        self._plane = plane
        self._stopping = stopping
        self._thread = threading.Thread(target=self._serve, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        pause = LOOK_EVERY_SECONDS
        while not self._stopping.wait(pause):
            # After days that were skipped there are many slots: the next one follows as soon as one is done.
            pause = BUSY_SECONDS if take_due(self._plane) else LOOK_EVERY_SECONDS


def take_due(plane: Plane) -> bool:
    """Begins at most one snapshot for each schedule; returns whether slots are left that could not be served yet."""
    left = [_take_next_safely(plane, schedule.id) for schedule in plane.store.find(BackupSchedule)]
    return any(left)


def _take_next_safely(plane: Plane, branch_id: str) -> bool:
    try:
        with plane.store.transaction():
            schedule = plane.store.get(BackupSchedule, branch_id)
            return schedule is not None and _take_next(plane, schedule)
    except Exception:
        # The slot stays due; the schedules of other branches are not held up by it.
        log.exception("a scheduled snapshot of %s could not be begun", branch_id)
        return False


def _take_next(plane: Plane, schedule: BackupSchedule) -> bool:
    now = plane.clock.now()
    due = slots_between(schedule.items, schedule.done_until, now)
    if not due:
        return False
    if plane.locked(schedule.project_id):
        return True
    for slot in due:
        # One transaction notes the slot as done and begins its snapshot, so that a kill can't make it two or none.
        plane.store.put(replace(schedule, done_until=slot.moment))
        if _begin(plane, schedule, slot, now):
            return slot is not due[-1]
    return False


def _begin(plane: Plane, schedule: BackupSchedule, slot: Slot, now: datetime) -> bool:
    branch = plane.store.must(Branch, schedule.id)
    project = plane.store.must(Project, schedule.project_id)
    if slot.expires_at <= now or plane.settings.plan == "free":
        return False
    point = Point(timestamp=slot.moment)
    if project.history_retention_seconds == 0:
        if slot.moment < now - HEAD_STANDS_FOR:
            return False
        point = Point()
    try:
        check_point(plane, project, branch, point)
    except ApiProblem as problem:
        log.info("no snapshot of %s at %s: %s", branch.name, slot.moment, problem.message)
        return False
    effects = {"failure": plane.settings.scheduled_snapshot_failure}
    begin_snapshot(plane, branch, point, name=None, expires_at=slot.expires_at, manual=False, effects=effects)
    return True
