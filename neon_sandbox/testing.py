"""Context managers for tests and demonstrations."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neon_sandbox.plain import PlainPostgres, running_plain_postgres


@contextmanager
def temporary_state_dir() -> Iterator[Path]:
    """A directory that PostgreSQL's unprivileged user reaches as well (pytest's tmp_path is closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="neon-sandbox-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running_postgres(*databases: str, state_dir: Path | None = None) -> Iterator[PlainPostgres]:
    """A plain PostgreSQL server with these databases; `.url(name)` is a connection URI of the superuser."""
    with temporary_state_dir() as spare, running_plain_postgres(state_dir or spare / "s", databases=databases) as server:
        yield server
