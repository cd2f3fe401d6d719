"""Every test here has a database of its own, because runs commit, and time that goes faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import People
from tests.services.execution.scene import Scene, opened_scene
from tests.support.database import OwnDatabase

#: Small enough for tests, and still in the order that safety asks for: call < lease, poll < retry < settle.
FAST = {
    "NEON_CALL_DEADLINE_SECONDS": 1.0,
    "EXECUTION_LEASE_SECONDS": 3.0,
    "EXECUTION_BUDGET_SECONDS": 10.0,
    "EXECUTION_SETTLE_SECONDS": 0.4,
    "EXECUTION_POLL_SECONDS": 0.01,
    "EXECUTION_POLL_LONGEST_SECONDS": 0.05,
    "EXECUTION_RETRY_SECONDS": 0.05,
    "EXECUTION_RETRY_LONGEST_SECONDS": 0.2,
    "EXECUTION_FAILED_GRACE_SECONDS": 1.5,
    "EXECUTION_PATIENCE_SECONDS": 5.0,
    "EXECUTION_CONNECT_SECONDS": 2.0,
    "EXECUTION_LOOK_UPS": 3,
}


@pytest.fixture
def quick(settings: Any) -> None:
    for name, value in FAST.items():
        setattr(settings, name, value)


@pytest.fixture
def scene(own_database: OwnDatabase, quick: None, quiet_database_url: str) -> Iterator[Scene]:
    with opened_scene(quiet_database_url, People()) as opened:
        yield opened
