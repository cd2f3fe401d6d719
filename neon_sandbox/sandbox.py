"""One sandbox: memory, storage, workers and housekeeping, without its HTTP face."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from neon_sandbox import keys, snapshot_keeper
from neon_sandbox.api.branches import schedule_deletion
from neon_sandbox.api.endpoints import new_endpoint
from neon_sandbox.archiving import archive_unused
from neon_sandbox.calls import Calls
from neon_sandbox.chores import Chores
from neon_sandbox.clock import Clock
from neon_sandbox.cluster import LOOPBACK
from neon_sandbox.entities import Branch, Endpoint, Operation, Project, Settings
from neon_sandbox.errors import SandboxError
from neon_sandbox.faults import Faults
from neon_sandbox.front.proxy import Proxy
from neon_sandbox.metering import Metering
from neon_sandbox.new_project import Wanted, entities_of
from neon_sandbox.plane import HISTORY_DEFAULT_SECONDS, ROOT_CAPS, Plane, Planned
from neon_sandbox.problems import ApiProblem
from neon_sandbox.scheduler import Scheduler
from neon_sandbox.storage.base import Storage
from neon_sandbox.store import Store
from neon_sandbox.worker import Workers

log = logging.getLogger(__name__)
OWNER_ROLE = "carecircle_owner"
HOUSEKEEPING_SECONDS = 0.5


class Sandbox:
    def __init__(self, state_dir: Path, storage: Storage, store: Store, clock: Clock) -> None:
        self.state_dir = state_dir
        self.plane = Plane(store, storage, clock)
        self.faults = Faults()
        self.calls = Calls()
        self.stopping = threading.Event()
        self._tidying = threading.Lock()
        self._own_chores = Chores(self.plane)
        self._metering = Metering(self.plane)
        self.plane.read_meters = self._metering.read
        self._workers = Workers(self.plane)
        self._scheduler = Scheduler(self.plane, self.stopping)
        self._proxy: Proxy | None = None
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Brings back the computes that should run, then the work that a stop or a kill interrupted."""
        self.plane.storage.open()
        self.plane.collect()
        for endpoint in self.plane.store.find(Endpoint, lambda endpoint: endpoint.current_state == "active"):
            self.plane.storage.serve(endpoint.node_id, endpoint.port)
        self._workers.start()
        self._scheduler.start()
        self._housekeeper.start()

    def open_proxy(self, port: int = 0) -> None:
        """One port, with TLS, behind which all endpoints lie. Raises SandboxError when the port is taken."""
        try:
            self._proxy = Proxy(self.plane, self.state_dir, port=port)
        except OSError as error:
            raise SandboxError(f"Port {port} of {LOOPBACK} can not be used: {error.strerror}") from error
        self.plane.proxy_port = self._proxy.port
        with self.plane.store.transaction():
            for endpoint in self.plane.store.find(Endpoint):
                self.plane.store.put(replace(endpoint, public_port=self._proxy.port))
        self._proxy.start()

    def stop(self) -> None:
        self.stopping.set()
        self.faults.clear()
        if self._proxy is not None:
            self._proxy.stop()
        self._workers.stop()
        self._scheduler.join()
        if self._housekeeper.is_alive():
            self._housekeeper.join()
        self.plane.storage.close()
        self.plane.store.close()

    def create_project(
        self, *, name: str, databases: Sequence[str], role_name: str = OWNER_ROLE, history_seconds: int | None = None
    ) -> Project:
        """A project with a root branch `main`, its compute running, and these databases; the window by the plan."""
        if history_seconds is None:
            history_seconds = HISTORY_DEFAULT_SECONDS[self.plane.settings.plan]
        made = entities_of(
            self.plane,
            Wanted(name=name, role_name=role_name, database_names=databases, history_seconds=history_seconds),
        )
        project, branch = made.project, replace(made.branch, current_state="ready", pending_state=None)
        self.plane.pinned_nodes.add(branch.node_id)
        history_from = self.plane.storage.create_first(branch.node_id, [made.role], made.databases)
        with self.plane.store.transaction():
            self.plane.store.put(project)
            self.plane.store.put(replace(branch, created_at=history_from, history_from=history_from))
            self.plane.store.put(replace(made.role, created_at=history_from))
            for database in made.databases:
                self.plane.store.put(replace(database, created_at=history_from))
            endpoint = new_endpoint(self.plane, branch, {})
        self.plane.pinned_nodes.discard(branch.node_id)
        self.plane.storage.serve(branch.node_id, endpoint.port)
        self.plane.change_endpoint(endpoint, current_state="active", pending_state=None, started_at=self.plane.moment())
        self._workers.ensure(project.id)
        return project

    def ensure_project(self, *, databases: Sequence[str], **options: Any) -> tuple[Project, Branch]:
        """The first project and its original root branch; made when the state is empty."""
        found = self.plane.store.find(Project)
        project = found[0] if found else self.create_project(name="carecircle", databases=databases, **options)
        return project, next(branch for branch in self.plane.branches(project.id) if branch.original_root)

    def change_settings(self, changes: Mapping[str, Any]) -> Settings:
        """Raises ApiProblem 400 for an unknown name or plan."""
        known = {field.name for field in fields(Settings)} - {"id"}
        if unknown := set(changes) - known:
            raise ApiProblem(400, f"unknown settings: {', '.join(sorted(unknown))}")
        changed = replace(self.plane.settings, **changes)
        if changed.plan not in ROOT_CAPS:
            raise ApiProblem(400, f"plan must be one of: {', '.join(ROOT_CAPS)}")
        self.plane.store.put(changed)
        return changed

    def start_foreign_operation(self, project_id: str, seconds: float) -> list[Operation]:
        """An operation that nobody here asked for, as Neon's own availability checks are."""
        with self.plane.store.transaction():
            return self.plane.schedule(
                project_id, "foreign", [Planned("check_availability")], {}, {"extra_seconds": seconds}
            )

    def move_clock(self, seconds: float) -> datetime:
        """Lets that much time pass at once; returns the new time. Raises ValueError when it would run backwards."""
        # What is skipped counts with the sizes of its beginning.
        self._metering.read()
        moved = self.plane.clock.move(seconds)
        self._metering.read()
        return moved

    def add_key(self, key: str, *, label: str, kind: str = "organisation", project_id: str | None = None) -> None:
        """A key of the kind `project` is limited to that project, by default to the first one."""
        if kind == "project" and project_id is None:
            project_id = self.plane.store.find(Project)[0].id
        keys.add_key(self.plane.store, key, label=label, kind=kind, project_id=project_id)

    def ensure_key(self, key: str, *, label: str) -> None:
        """As add_key, but a key that is known keeps what it is, revoked or not."""
        if keys.key_of(self.plane.store, f"Bearer {key}") is None:
            self.add_key(key, label=label)

    def _keep_house(self) -> None:
        while not self.stopping.wait(HOUSEKEEPING_SECONDS):
            self.tidy()

    def tidy(self) -> None:
        """One round of housekeeping, as it happens every half second anyway."""
        with self._tidying:
            for chore in self._chores():
                try:
                    chore()
                except Exception:
                    log.exception("housekeeping failed")

    def _chores(self) -> list[Callable[[], None]]:
        plane, proxy = self.plane, self._proxy
        return [
            *([proxy.tidy] if proxy else []),
            self._delete_expired,
            lambda: archive_unused(plane),
            self._own_chores.check_availability,
            self._own_chores.forget_operations,
            self._metering.read_when_due,
            lambda: snapshot_keeper.remove_expired(plane),
            lambda: snapshot_keeper.detach_restored(plane),
            plane.collect,
            lambda: plane.storage.maintain(plane.needed_nodes()),
        ]

    def _delete_expired(self) -> None:
        now = self.plane.clock.now()
        with self.plane.store.transaction():
            due = self.plane.store.find(Branch, lambda b: b.expires_at is not None and b.expires_at <= now)
            for branch in due:
                if not self.plane.locked(branch.project_id) and not self.plane.children(branch.id):
                    schedule_deletion(self.plane, branch)
