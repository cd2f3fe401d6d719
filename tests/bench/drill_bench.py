"""A whole drill of the demo database, from the press on the button to the copy that is gone, beside a bare script."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from backups.neon.errors import NeonNotFound
from backups.neon.secret import Secret
from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.dsn import Dsn
from demo.incident import Story
from demo.rehearsal import make_plan, run
from demo.stack import Stack, running
from demo.traffic import Traffic

Figure = dict[str, Any]

ROUNDS = 3
GOAL_SECONDS = 3.0


def figures(rounds: int = ROUNDS) -> list[Figure]:
    """Drill and script in turn, on the same stack, which serves its clients all the time."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        running(Path(directory), scale=1.0, plan="scale") as (stack, children),
        Traffic(stack.dsn, rate_per_second=50.0) as traffic,
    ):
        story = Story(stack, children, quiet=True)
        traffic.wait_for(150)
        plan = make_plan(story, "Bench", {"point_choice": "latest"})
        taken = [(_drill(story, plan), _bare(stack, number)) for number in range(rounds)]
    drill, bare = (statistics.median(each) for each in zip(*taken, strict=True))
    return [
        {
            "bench": "drill_demo: the demo database, 100,000 rows, all checks, until the copy is gone (median)",
            "value": round(drill, 4),
            "unit": "s",
            "against": f"a bare script: copy, count(*) of every table, removal: {bare:.4f} s",
            "ratio": round(drill / bare, 2),
            "goal": GOAL_SECONDS,
            "met": drill < GOAL_SECONDS,
        }
    ]


def _drill(story: Story, plan: int) -> float:
    row = run(story, plan, wanted="passed")
    return float((row["ended_at"] - row["requested_at"]).total_seconds())


def _bare(stack: Stack, number: int) -> float:
    began = time.monotonic()
    with NeonClient(Secret(stack.neon_key), base_url=stack.neon_url) as neon:
        name = f"bare-drill-{number}"
        made = neon.branches.create(stack.project_id, name=name, parent_id=stack.branch_id, endpoint=NewEndpoint())
        if made.branch is None:
            raise LookupError("Neon made no branch")
        neon.operations.wait_for(stack.project_id, made.operation_ids, deadline_seconds=60)
        _count(neon, stack, made.branch.id)
        neon.branches.delete(stack.project_id, made.branch.id)
        while _is_there(neon, stack, made.branch.id):
            time.sleep(0.02)
    return time.monotonic() - began


def _count(neon: NeonClient, stack: Stack, branch_id: str) -> None:
    uri = neon.connection_uri(
        stack.project_id, branch_id=branch_id, database_name="carecircle", role_name="carecircle_owner"
    )
    with (
        open_snapshot(Dsn(uri.reveal()), Budget(60)) as snapshot,
        psycopg.connect(uri.reveal(), autocommit=True) as connection,
    ):
        for table in read_tables(snapshot).values():
            connection.execute(psycopg.sql.SQL("SELECT count(*) FROM {}").format(table.identifier))


def _is_there(neon: NeonClient, stack: Stack, branch_id: str) -> bool:
    try:
        neon.branches.get(stack.project_id, branch_id)
    except NeonNotFound:
        return False
    return True


def main() -> int:
    found = figures()
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if all(each["met"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
