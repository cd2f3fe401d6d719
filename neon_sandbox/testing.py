"""Context managers for tests and demonstrations."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from neon_sandbox.api.snapshots import begin_snapshot
from neon_sandbox.app import App
from neon_sandbox.entities import Branch, Operation, Snapshot
from neon_sandbox.faults import Fault, Faults, fault_from
from neon_sandbox.keys import new_key
from neon_sandbox.plain import PlainPostgres, running_plain_postgres
from neon_sandbox.running import opened_sandbox
from neon_sandbox.sandbox import Sandbox
from neon_sandbox.server import Server, serving
from neon_sandbox.storage.base import Point

ROOMY_BYTES = 4 << 30


@contextmanager
def temporary_state_dir(*, on_disk: bool = False) -> Iterator[Path]:
    """A directory that PostgreSQL's unprivileged user reaches as well (pytest's tmp_path is closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="neon-sandbox-", dir=None if on_disk else _roomy_memory()))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _roomy_memory() -> str | None:
    """A file system in memory, if there is a large one: copies and deletions of clusters are many small files."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes an unguessable directory of our own in it
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOMY_BYTES:
        return str(memory)
    return None


@contextmanager
def running_postgres(*databases: str, state_dir: Path | None = None) -> Iterator[PlainPostgres]:
    """A plain PostgreSQL server with these databases; `.url(name)` is a connection URI of the superuser."""
    with ExitStack() as stack:
        directory = state_dir or stack.enter_context(temporary_state_dir()) / "state"
        yield stack.enter_context(running_plain_postgres(directory, databases=databases))


class FaultSwitch:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def add(
        self, kind: str, *, method: str | None = None, path: str = "", times: int | None = 1, **parameters: Any
    ) -> Fault:
        """`path` is a regular expression searched in the path without /api/v2; `faults.KINDS` lists the kinds."""
        return self._faults.add(
            fault_from({"kind": kind, "method": method, "path": path, "times": times, "parameters": parameters})
        )

    def clear(self) -> None:
        self._faults.clear()


class RunningSandbox:
    """A sandbox in this process, served over a socket."""

    def __init__(
        self, sandbox: Sandbox, server: Server, app: App, *, api_key: str, project_id: str, branch_id: str
    ) -> None:
        self.sandbox = sandbox
        self.app = app
        self.root_url = f"http://127.0.0.1:{server.port}"
        self.url = f"{self.root_url}/api/v2"
        self.api_key = api_key
        self.project_id = project_id
        self.branch_id = branch_id
        self.faults = FaultSwitch(sandbox.faults)

    def calls(self, method: str | None = None, path_end: str = "") -> list[dict[str, Any]]:
        """Recorded calls, oldest first; each has method, path, query, body, status, applied, answered, fault."""
        return [
            call
            for call in self.sandbox.calls.all()
            if method in (None, call["method"]) and call["path"].endswith(path_end)
        ]

    def settings(self, **changes: Any) -> Mapping[str, Any]:
        """Changes settings (operation_seconds, plan, root_cap, connection_uri, ...) and returns all."""
        return vars(self.sandbox.change_settings(changes))

    def add_key(self, label: str, kind: str = "organisation", *, project_id: str | None = None) -> str:
        """One of the kind `project` is limited to `project_id`, by default to the first project."""
        key = new_key()
        self.sandbox.add_key(key, label=label, kind=kind, project_id=project_id)
        return key

    def dsn(self, branch_id: str | None = None, *, database: str | None = None) -> str:
        """Connection string of a branch's endpoint, without asking the API."""
        plane, chosen = self.sandbox.plane, branch_id or self.branch_id
        endpoint = plane.endpoint_of(chosen)
        if endpoint is None:
            raise LookupError(f"{chosen} has no endpoint")
        return plane.connection_uri(endpoint, plane.roles(chosen)[0], database or plane.databases(chosen)[0].name)

    def now(self) -> datetime:
        """The sandbox's time."""
        return self.sandbox.plane.clock.now()

    def move_clock(self, seconds: float) -> datetime:
        """Lets that much time pass at once; returns the new time."""
        return self.sandbox.move_clock(seconds)

    def take_snapshot(self, branch_id: str | None = None, *, name: str, timestamp: datetime | None = None) -> Snapshot:
        """A snapshot of a root branch (default `main`), complete when it is returned."""
        plane, point = self.sandbox.plane, Point(timestamp=timestamp)
        with plane.store.transaction():
            branch = plane.store.must(Branch, branch_id or self.branch_id)
            snapshot, _ = begin_snapshot(plane, branch, point, name=name)
        while not (taken := plane.store.must(Snapshot, snapshot.id)).ready:
            time.sleep(0.005)
        return taken

    def lock_project(self, seconds: float) -> list[Operation]:
        """Somebody else's operation; until it is over, every change answers 423."""
        return self.sandbox.start_foreign_operation(self.project_id, seconds)


@contextmanager
def running_sandbox(
    storage: str = "none",
    state_dir: Path | None = None,
    *,
    databases: Sequence[str] = ("carecircle",),
    port: int = 0,
    track_commit_timestamp: bool = True,
    **settings: Any,
) -> Iterator[RunningSandbox]:
    """A sandbox with one project and its root branch `main`, ended and (without `state_dir`) forgotten at the end."""
    with ExitStack() as stack:
        directory = state_dir or stack.enter_context(temporary_state_dir()) / "state"
        sandbox = stack.enter_context(
            opened_sandbox(directory, storage=storage, track_commit_timestamp=track_commit_timestamp)
        )
        # Tests poll far more often than a client may.
        sandbox.change_settings({"rate_limits": False, **settings})
        project, branch = sandbox.ensure_project(databases=databases)
        api_key = new_key()
        sandbox.add_key(api_key, label="first")
        app = App(sandbox)
        server = stack.enter_context(serving(app, port))
        yield RunningSandbox(sandbox, server, app, api_key=api_key, project_id=project.id, branch_id=branch.id)
