"""A project over real PostgreSQL, with a table whose rows tell when they came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api

# Commit times of neighbouring transactions may differ by less than the clock of the test can tell.
QUIET_SECONDS = 0.003


class RealProject:
    def __init__(self, sandbox: RunningSandbox, project_id: str, api: Api) -> None:
        self.sandbox = sandbox
        self.api = api
        self.main = next(branch["id"] for branch in api.get("/branches")["branches"])
        self.execute("create table entry (id int primary key, said text)")

    def connect(self, branch_id: str | None = None) -> psycopg.Connection:
        return psycopg.connect(self.sandbox.dsn(branch_id or self.main), autocommit=True)

    def execute(self, statement: str, *values: Any, branch_id: str | None = None) -> None:
        with self.connect(branch_id) as connection:
            connection.execute(statement, values)

    def insert(self, *ids: int, branch_id: str | None = None) -> None:
        for entry in ids:
            self.execute("insert into entry values (%s, 'x')", entry, branch_id=branch_id)

    def ids(self, branch_id: str | None = None) -> list[int]:
        with self.connect(branch_id) as connection:
            return [row[0] for row in connection.execute("select id from entry order by id")]

    def head_lsn(self) -> str:
        with self.connect() as connection:
            row = connection.execute("select pg_current_wal_flush_lsn()").fetchone()
        assert row
        return str(row[0])

    def restore(self, **body: Any) -> None:
        self.api.done(self.api.restore(self.main, **{"source_branch_id": self.main, **body}))

    def branch(self, name: str, **point: Any) -> str:
        branch_id: str = self.api.make_branch(name, endpoint=True, **point)["branch"]["id"]
        return branch_id

    def add_endpoint(self, branch_id: str) -> None:
        body = {"endpoint": {"branch_id": branch_id, "type": "read_write"}}
        self.api.done(self.api.call("POST", "/endpoints", body))


def quiet_moment() -> str:
    time.sleep(QUIET_SECONDS)
    moment = datetime.now(UTC).isoformat()
    time.sleep(QUIET_SECONDS)
    return moment


@contextmanager
def real_project(sandbox: RunningSandbox) -> Iterator[RealProject]:
    project = sandbox.sandbox.create_project(name="another", databases=["carecircle"])
    api = Api(sandbox, project_id=project.id)
    with api.http:
        yield RealProject(sandbox, project.id, api)
