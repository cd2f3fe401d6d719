"""A sandbox over a socket whose branches all lead to one small, quiet database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from backups.models import ProtectedBranch
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.factories import People
from tests.services.sandboxes import in_care, main_branch
from tests.support.database import PortalDatabases

QUIET_DATABASE = "quiet_client_database"


@pytest.fixture(scope="session")
def quiet_database_url(portal_databases: PortalDatabases) -> str:
    """What every branch and copy of the sandbox below shows: nothing in it ever changes."""
    portal_databases.administrate(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(QUIET_DATABASE)))
    url = portal_databases.server.url(QUIET_DATABASE)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE visits (id serial PRIMARY KEY, note text, created_at timestamptz NOT NULL)")
        connection.execute(
            "INSERT INTO visits (note, created_at) SELECT 'n', now() - interval '1 day' FROM generate_series(1, 50)"
        )
    return url


@pytest.fixture
def sandbox(settings: Any, quiet_database_url: str) -> Iterator[RunningSandbox]:
    settings.NEON_CALL_DEADLINE_SECONDS = 0.8
    settings.EXECUTION_SETTLE_SECONDS = 0.2
    with running_sandbox(storage="none", connection_uri=quiet_database_url) as sandbox:
        yield sandbox


@pytest.fixture
def branch(sandbox: RunningSandbox) -> ProtectedBranch:
    """Production, in the portal's care."""
    return main_branch(in_care(sandbox))


@pytest.fixture
def people(db: None) -> People:
    """Everybody, with roles from before any request."""
    everybody = People()
    everybody.all()
    return everybody
