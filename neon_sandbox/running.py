from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from neon_sandbox.binaries import prepare
from neon_sandbox.clock import Clock
from neon_sandbox.errors import SandboxError
from neon_sandbox.ownership import owned
from neon_sandbox.sandbox import Sandbox
from neon_sandbox.storage.base import Storage
from neon_sandbox.storage.none import NoStorage
from neon_sandbox.storage.postgres import PostgresStorage
from neon_sandbox.store import Store

STORAGES = ("postgres", "none")


@contextmanager
def opened_sandbox(
    state_dir: Path,
    *,
    storage: str,
    track_commit_timestamp: bool = True,
    fsync: bool = False,
    proxy_port: int = 0,
) -> Iterator[Sandbox]:
    """A started sandbox on this state, stopped at the end together with its computes."""
    if storage not in STORAGES:
        raise SandboxError(f"There is no storage {storage}; choose one of {', '.join(STORAGES)}.")
    with ExitStack() as stack:
        tools = prepare(state_dir) if storage == "postgres" else None
        if tools is None:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        clusters_dir = tools.make_dir(tools.home / "nodes") if tools else None
        stack.enter_context(owned(state_dir.resolve(), clusters_dir))
        store = Store(state_dir / "sandbox.sqlite3")
        clock = Clock(store)
        chosen: Storage = NoStorage(clock)
        if tools is not None:
            chosen = PostgresStorage(tools, store, clock, track_commit_timestamp=track_commit_timestamp, fsync=fsync)
        sandbox = Sandbox(state_dir, chosen, store, clock)
        stack.callback(sandbox.stop)
        sandbox.start()
        if tools is not None:
            sandbox.open_proxy(proxy_port)
        yield sandbox
