from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neon_sandbox.errors import SandboxError
from neon_sandbox.sandbox import Sandbox
from neon_sandbox.storage.none import NoStorage
from neon_sandbox.store import Store


@contextmanager
def opened_sandbox(state_dir: Path, *, storage: str, track_commit_timestamp: bool = True) -> Iterator[Sandbox]:
    """A started sandbox on this state, stopped at the end together with its computes."""
    if storage != "none":
        raise SandboxError(f"There is no storage {storage}.")
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    sandbox = Sandbox(state_dir, NoStorage(), Store(state_dir / "sandbox.sqlite3"))
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
