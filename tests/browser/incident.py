"""A portal, its worker, a local Neon with a small CareCircle database, and somebody who deletes rows from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from backups.domain.people import command_actor
from backups.domain.policy import Environment
from backups.models import ProtectedBranch
from backups.neon.secret import Secret
from backups.services.connect import connect_project
from backups.services.environment import set_label
from demo.damage import Damage, do_damage, rows_there
from demo.seed import load
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.support.portal import LivePortal
from tests.support.worker import running_worker

SCALE = 0.02
#: Long enough for somebody who watches the page to see that Neon is at work.
OPERATION_SECONDS = 0.5
_WRITTEN_SINCE = 3
_VISITS = "INSERT INTO appointments (care_recipient_id, title, starts_at) SELECT 1, 'Visit', now() FROM generate_series"


@dataclass(frozen=True)
class Incident:
    """Rows are deleted, and three visits were entered since."""

    site: str
    sandbox: RunningSandbox
    damage: Damage
    logs_at_point: int

    def deleted_rows_there(self) -> int:
        return rows_there(self.sandbox.dsn(), self.damage)

    def visits_since(self) -> int:
        """How many of the visits that were entered after the deletion the database holds."""
        return _one(self.sandbox.dsn(), "SELECT count(*) FROM appointments WHERE title = 'Visit'")


@contextmanager
def incident(portal: LivePortal, log_directory: Path) -> Iterator[Incident]:
    with (
        running_worker(portal.database, log_directory),
        running_sandbox("postgres", operation_seconds=OPERATION_SECONDS) as sandbox,
    ):
        dsn = sandbox.dsn()
        load(dsn, scale=SCALE)
        take_into_care(sandbox)
        logs = _one(dsn, "SELECT count(*) FROM medication_logs")
        sandbox.take_snapshot(name="before the clean-up")
        damage = do_damage(dsn)
        _run(dsn, f"{_VISITS}(1, {_WRITTEN_SINCE})")
        yield Incident(portal.url, sandbox, damage, logs)


def take_into_care(sandbox: RunningSandbox) -> None:
    """Erin connects the sandbox's project; `main` is production."""
    actor = command_actor("connect", operator="erin")
    project = connect_project(
        actor=actor,
        neon_project_id=sandbox.project_id,
        api_host=sandbox.url,
        api_key=Secret(sandbox.api_key),
        is_sandbox=True,
    )
    main = ProtectedBranch.objects.get(project=project, name="main")
    set_label(branch_id=main.pk, label=Environment.PRODUCTION, actor=actor)


def _one(dsn: str, statement: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _run(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())
