"""What the tests against the local Neon share."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from backups.neon.client import NeonClient
from backups.neon.deadline import Deadlines
from backups.neon.results import Progress
from backups.neon.secret import Secret
from neon_sandbox.testing import RunningSandbox


def client_of(sandbox: RunningSandbox, total_seconds: float = 5.0, **options: Any) -> NeonClient:
    limits = Deadlines(total_seconds=total_seconds)
    return NeonClient(Secret(sandbox.api_key), sandbox.url, deadlines=limits, **options)


def settled(neon: NeonClient, sandbox: RunningSandbox, change: Any) -> None:
    """Wait for a change, and see that it was made."""
    state = neon.operations.wait_for(sandbox.project_id, change.operation_ids, deadline_seconds=10)
    assert state.progress is Progress.DONE


def a_moment_ago() -> datetime:
    """A whole millisecond that is over."""
    at = datetime.now(UTC)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000) + timedelta(milliseconds=1)
    while datetime.now(UTC) <= at:
        time.sleep(0.001)
    return at
