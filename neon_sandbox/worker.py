"""Performs jobs: one thread a project, one job at a time, each operation from scheduling over running to its end."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import timedelta

from neon_sandbox.entities import Job, Operation, Project
from neon_sandbox.jobs import KINDS, JobKind, settle_of
from neon_sandbox.plane import Plane

log = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 0.1


class Interrupted(Exception):
    """The sandbox is stopping; the job is taken up again at the next start."""


class Workers:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._wake: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        plane.wake_worker = self.ensure

    def start(self) -> None:
        for job in self._plane.store.find(Job, lambda job: job.done):
            self._plane.store.remove(job)
        unfinished = {job.project_id for job in self._plane.store.find(Job)}
        for project_id in unfinished.union(project.id for project in self._plane.store.find(Project)):
            self.ensure(project_id)

    def ensure(self, project_id: str) -> None:
        """Has a thread for this project, and has it look for work."""
        with self._lock:
            if self._stopping.is_set():
                return
            if project_id not in self._threads:
                self._wake[project_id] = threading.Event()
                thread = threading.Thread(
                    target=self._serve, args=[project_id], name=f"worker-{project_id}", daemon=True
                )
                self._threads[project_id] = thread
                thread.start()
            self._wake[project_id].set()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            threads = list(self._threads.values())
            for wake in self._wake.values():
                wake.set()
        for thread in threads:
            thread.join()

    def _serve(self, project_id: str) -> None:
        wake = self._wake[project_id]
        while not self._stopping.is_set():
            wake.clear()  # before looking, so that a job that comes meanwhile is not slept over
            if job := next(iter(self._plane.store.find_by(Job, "project_id", project_id)), None):
                try:
                    self._perform(job)
                except Interrupted:
                    return
            elif self._retired(project_id):
                return
            else:
                wake.wait()

    def _retired(self, project_id: str) -> bool:
        """Whether the project is gone for good; its thread is then forgotten."""
        if self._plane.store.get(Project, project_id) is not None:
            return False
        with self._lock:
            if self._wake[project_id].is_set():
                return False
            del self._threads[project_id], self._wake[project_id]
            return True

    def _perform(self, job: Job) -> None:
        kind = KINDS[job.kind]
        try:
            for operation_id in job.operation_ids:
                operation = self._plane.store.must(Operation, operation_id)
                if operation.status != "finished":
                    self._run(kind, job, operation)
        except Interrupted:
            raise
        except Exception as error:
            log.exception("%s failed", job.kind)
            self._give_up(kind, job, str(error))
        self._plane.collect()

    def _run(self, kind: JobKind, job: Job, operation: Operation) -> None:
        started = time.monotonic()
        operation = self._note(operation, status="running", started_at=self._plane.moment())
        if operation.failure is not None:
            operation = self._fail_for_a_while(operation)
        if work := kind.work.get(operation.action):
            work(self._plane, job)
        wanted = self._plane.settings.operation_seconds + operation.extra_seconds
        self._pause(wanted - (time.monotonic() - started))
        with self._plane.store.transaction():
            if settle := settle_of(kind, operation.action):
                settle(self._plane, job)
            self._note(operation, status="finished", error=None, retry_at=None)
            if operation.id == job.operation_ids[-1]:
                kind.finish(self._plane, job)
                self._plane.store.remove(job)

    def _fail_for_a_while(self, operation: Operation) -> Operation:
        """Until the moment that `retry_at` tells, which comes sooner when the sandbox's clock is moved."""
        failure = operation.failure or {}
        message = str(failure.get("error", "compute node could not be reached"))
        retry_at = self._plane.moment() + timedelta(seconds=float(failure.get("seconds", 1)))
        operation = self._note(
            operation,
            status="failed",
            error=message,
            failures_count=operation.failures_count + 1,
            retry_at=retry_at,
        )
        while (remaining := (retry_at - self._plane.clock.now()).total_seconds()) > 0:
            self._pause(min(remaining, LONGEST_PAUSE_SECONDS))
        if failure.get("final"):
            raise RuntimeError(message)
        return self._note(operation, status="running", error=None, retry_at=None)

    def _give_up(self, kind: JobKind, job: Job, error: str) -> None:
        try:
            kind.undo_work(self._plane, job)
        except Exception:
            log.exception("%s could not be taken back", job.kind)
        with self._plane.store.transaction():
            kind.undo(self._plane, job)
            for operation_id in job.operation_ids:
                operation = self._plane.store.must(Operation, operation_id)
                if operation.status == "finished":
                    continue
                begun = operation.status != "scheduling"
                self._note(
                    operation,
                    status="error" if begun else "cancelled",
                    error=error if begun else None,
                    retry_at=None,
                )
            self._plane.store.remove(job)

    def _note(self, operation: Operation, **changes: object) -> Operation:
        changed = replace(operation, updated_at=self._plane.moment(), **changes)  # type: ignore[arg-type]
        self._plane.store.put(changed)
        return changed

    def _pause(self, seconds: float) -> None:
        if self._stopping.is_set() or (seconds > 0 and self._stopping.wait(seconds)):
            raise Interrupted
