"""A sealed log of as many events as a bench asks for, in a database of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FilledLog:
    """`url`: as the owner of the database."""

    url: str
    directory: Path


@contextmanager
def filled_log() -> Iterator[FilledLog]:
    """BENCH_EVENTS events, sealed. Django is connected to them."""
    from neon_sandbox.testing import running_postgres
    from tests.bench import ledger_bench

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    with running_postgres("portal") as server, tempfile.TemporaryDirectory(prefix="bench-export-") as directory:
        url = server.url("portal")
        ledger_bench._set_up(url, Path(directory))
        ledger_bench._fill(url)
        ledger_bench._loop(Path(directory)).work()
        yield FilledLog(url, Path(directory))
