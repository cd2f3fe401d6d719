"""The control plane's shared ground: memory, storage, clock, the lock that unfinished operations are, scheduling."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from neon_sandbox import catalog_history, problems
from neon_sandbox.clock import Clock
from neon_sandbox.entities import (
    UNFINISHED,
    BackupSchedule,
    Branch,
    Database,
    Endpoint,
    Job,
    Operation,
    Project,
    Role,
    Settings,
    Snapshot,
)
from neon_sandbox.storage.base import Storage
from neon_sandbox.store import Store

ROOT_CAPS = {"free": 3, "launch": 5, "scale": 25}
BRANCH_CAPS = {"free": 10, "launch": 5000, "scale": 5000}
SNAPSHOT_CAPS = {"free": 1, "launch": 100, "scale": 100}
# A point at the very edge of the window was in it when it was asked for.
WINDOW_GRACE = timedelta(minutes=5)
PROTECTED_CAPS = {"free": 0, "launch": 2, "scale": 5}
HISTORY_CAPS_SECONDS = {"free": 21_600, "launch": 604_800, "scale": 2_592_000}
HISTORY_DEFAULT_SECONDS = {"free": 21_600, "launch": 86_400, "scale": 86_400}


@dataclass(frozen=True)
class Planned:
    """An operation that a call is about to start."""

    action: str
    branch_id: str | None = None
    endpoint_id: str | None = None


class Plane:
    def __init__(self, store: Store, storage: Storage, clock: Clock) -> None:
        self.store = store
        self.storage = storage
        self.clock = clock
        self.wake_worker: Callable[[str], None] = lambda project_id: None
        self.read_meters: Callable[[], None] = lambda: None
        self.pinned_nodes: set[str] = set()
        self.proxy_port = 0
        self._clock_lock = threading.Lock()
        self._last_moment = clock.now()

    @property
    def settings(self) -> Settings:
        return self.store.get(Settings, "settings") or Settings()

    def moment(self) -> datetime:
        """Now, but never the same twice: the operations' cursor is a time."""
        # Read first: the clock asks the memory, whose lock another thread may hold while it waits for this one.
        now = self.clock.now()
        with self._clock_lock:
            self._last_moment = max(now, self._last_moment + timedelta(microseconds=1))
            return self._last_moment

    def locked(self, project_id: str) -> bool:
        mine = self.store.find_by(Operation, "project_id", project_id)
        return any(operation.status in UNFINISHED for operation in mine)

    def refuse_if_locked(self, project_id: str) -> None:
        if self.locked(project_id):
            raise problems.locked()

    def schedule(
        self,
        project_id: str,
        kind: str,
        planned: Sequence[Planned],
        arguments: Mapping[str, Any],
        effects: Mapping[str, Any] | None = None,
    ) -> list[Operation]:
        """Writes a job and its operations; part of the caller's transaction. Raises 423 when others are unfinished."""
        self.refuse_if_locked(project_id)
        operations = [self._operation(project_id, item, effects or {}) for item in planned]
        job = Job(
            id=str(uuid.uuid4()),
            project_id=project_id,
            kind=kind,
            operation_ids=[o.id for o in operations],
            created_at=self.moment(),
            arguments=dict(arguments),
        )
        for entity in (*operations, job):
            self.store.put(entity)
        self.wake_worker(project_id)
        return operations

    def _operation(self, project_id: str, planned: Planned, effects: Mapping[str, Any]) -> Operation:
        moment = self.moment()
        failure = effects.get("failure")
        return Operation(
            id=str(uuid.uuid4()),
            project_id=project_id,
            branch_id=planned.branch_id,
            endpoint_id=planned.endpoint_id,
            action=planned.action,
            created_at=moment,
            updated_at=moment,
            extra_seconds=float(effects.get("extra_seconds", 0)),
            failure=failure if failure and failure.get("action") in (None, planned.action) else None,
        )

    # Looking things up

    def branches(self, project_id: str) -> list[Branch]:
        return self.store.find_by(Branch, "project_id", project_id)

    def children(self, branch_id: str) -> list[Branch]:
        return self.store.find_by(Branch, "parent_id", branch_id)

    def endpoint_of(self, branch_id: str) -> Endpoint | None:
        found = self.store.find_by(Endpoint, "branch_id", branch_id)
        return found[0] if found else None

    def roles(self, branch_id: str) -> list[Role]:
        return self.store.find_by(Role, "branch_id", branch_id)

    def databases(self, branch_id: str) -> list[Database]:
        return self.store.find_by(Database, "branch_id", branch_id)

    def snapshots(self, project_id: str) -> list[Snapshot]:
        return self.store.find_by(Snapshot, "project_id", project_id)

    def catalog(self, branch_id: str) -> list[Role | Database]:
        return [*self.roles(branch_id), *self.databases(branch_id)]

    def history_start(self, project: Project) -> datetime:
        return self.clock.now() - timedelta(seconds=project.history_retention_seconds)

    def root_cap(self) -> int:
        settings = self.settings
        return settings.root_cap if settings.root_cap is not None else ROOT_CAPS[settings.plan]

    def branch_cap(self) -> int:
        settings = self.settings
        return settings.branch_cap if settings.branch_cap is not None else BRANCH_CAPS[settings.plan]

    def protected_cap(self) -> int:
        settings = self.settings
        return settings.protected_cap if settings.protected_cap is not None else PROTECTED_CAPS[settings.plan]

    def snapshot_cap(self) -> int:
        """How many snapshots a project can hold that no schedule took."""
        settings = self.settings
        return settings.snapshot_cap if settings.snapshot_cap is not None else SNAPSHOT_CAPS[settings.plan]

    def connection_uri(self, endpoint: Endpoint, role: Role, database_name: str) -> str:
        settings = self.settings
        configured = settings.connection_uris.get(endpoint.branch_id) or settings.connection_uri
        if configured:
            return configured
        return f"postgresql://{role.name}:{role.password}@127.0.0.1:{endpoint.port}/{database_name}?sslmode=disable"

    # Changes that several calls share

    def change_branch(self, branch: Branch, **changes: Any) -> Branch:
        moment = self.moment()
        if "current_state" in changes:
            changes.setdefault("pending_state", None)
            changes["state_changed_at"] = moment
        changed = replace(branch, updated_at=moment, **changes)
        self.store.put(changed)
        return changed

    def change_endpoint(self, endpoint: Endpoint, **changes: Any) -> Endpoint:
        changed = replace(endpoint, updated_at=self.moment(), **changes)
        self.store.put(changed)
        return changed

    def copy_catalog(self, source_id: str, target_id: str, *, until: datetime | None) -> None:
        """Gives a branch the roles and databases that another one had at that moment."""
        found = catalog_history.catalog_at(self.store, source_id, until)
        catalog_history.replace_catalog(self.store, target_id, found)

    def remove_branch(self, branch: Branch) -> None:
        endpoint = self.endpoint_of(branch.id)
        if endpoint is not None:
            self.store.remove(endpoint)
        catalog_history.replace_catalog(self.store, branch.id, ())
        catalog_history.replace_history(self.store, branch.id, ())
        if schedule := self.store.get(BackupSchedule, branch.id):
            self.store.remove(schedule)
        self.store.remove(branch)

    def collect(self) -> None:
        """Lets the storage throw away what no branch, no snapshot and no unfinished job refers to."""
        with self.store.transaction():
            unneeded = self.storage.unneeded(self.needed_nodes())
        self.storage.discard(unneeded)

    def needed_nodes(self) -> dict[str, datetime]:
        """The nodes in use, each with the oldest moment that must stay reachable from it."""
        now = self.clock.now()
        windows = {project.id: self.history_start(project) - WINDOW_GRACE for project in self.store.find(Project)}
        moments = [
            (branch.node_id, max(windows.get(branch.project_id, now), branch.history_from))
            for branch in self.store.find(Branch)
        ]
        for job in self.store.find(Job):
            # What it was promised when it was accepted.
            earliest = windows.get(job.project_id, now) - (now - job.created_at)
            moments += [(node_id, earliest) for node_id in job.arguments.get("node_ids", ())]
        moments += [(endpoint.node_id, now) for endpoint in self.store.find(Endpoint)]
        moments += [(snapshot.node_id, now) for snapshot in self.store.find(Snapshot)]
        moments += [(node_id, now) for node_id in self.pinned_nodes]
        needed: dict[str, datetime] = {}
        for node_id, moment in moments:
            needed[node_id] = min(moment, needed.get(node_id, moment))
        return needed
