"""One plain server for all tests of this directory; each test has two databases of its own, copied from one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from neon_sandbox.plain import PlainPostgres, running_plain_postgres
from neon_sandbox.testing import temporary_state_dir
from tests.verification.drill.databases import SCHEMA, TEMPLATE, Sides, database, execute


@pytest.fixture(scope="session")
def drill_server() -> Iterator[PlainPostgres]:
    settings = {"autovacuum": "off", "fsync": "off"}
    with (
        temporary_state_dir() as directory,
        running_plain_postgres(directory / "state", databases=(TEMPLATE,), settings=settings) as server,
    ):
        execute(server.url(TEMPLATE), SCHEMA, "VACUUM ANALYZE")
        yield server


@pytest.fixture
def sides(drill_server: PlainPostgres) -> Iterator[Sides]:
    with database(drill_server) as source, database(drill_server) as copy:
        yield Sides(drill_server, source, copy)


@pytest.fixture
def other_copy(drill_server: PlainPostgres, shared: Sides) -> Iterator[Sides]:
    """For tests that leave the source as it is."""
    with database(drill_server) as copy:
        yield Sides(drill_server, shared.source, copy)


@pytest.fixture(scope="module")
def shared(drill_server: PlainPostgres) -> Iterator[Sides]:
    """For tests that only read."""
    with database(drill_server) as source, database(drill_server) as copy:
        yield Sides(drill_server, source, copy)
