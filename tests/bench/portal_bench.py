"""How much time the portal itself adds to a restore, each figure beside a bare script that does the same."""

from __future__ import annotations

import datetime as dt
import json
import math
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from backups.neon.operations import Polling
from backups.neon.secret import Secret
from backups.neon.types import Branch
from backups.verification import CheckContext, Unfinished, plan_checks, run_check
from backups.verification.dsn import Dsn
from demo.incident import Story, file_restore, vote
from demo.stack import Stack, running

Figure = dict[str, Any]

CYCLES = 20
#: On a machine that is busy with other things a restore takes tens of seconds; then fewer of them have to do.
LONGEST_SECONDS = 120.0
FEWEST_CYCLES = 5
SLOW_CYCLES = 3
SLOW_OPERATION_SECONDS = 2.0
#: Small, so that the time of the checks does not hide the portal's own.
SCALE = 0.02
_POLLING = Polling(first_seconds=0.1, longest_seconds=3)


@dataclass(frozen=True)
class Cycle:
    """One restore through the portal. Seconds from the last vote; until its event was sealed and anchored too."""

    to_post: float
    to_anchored: float
    to_verified: float


def figures() -> list[Figure]:
    """Portal and script in turn, on the same stack."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        running(Path(directory), scale=SCALE, plan="scale") as (stack, children),
    ):
        story = Story(stack, children, quiet=True)
        fast = _fast(story)
        _sandbox(stack, "PATCH", "settings", {"operation_seconds": SLOW_OPERATION_SECONDS})
        slow = [(_portal(story), _bare(stack, CYCLES + number)) for number in range(SLOW_CYCLES)]
    return [_submit_figure(fast), _overhead_figure(fast), _slow_figure(slow)]


def _fast(story: Story) -> list[tuple[Cycle, float]]:
    ends_at, done = time.monotonic() + LONGEST_SECONDS, list[tuple[Cycle, float]]()
    while len(done) < CYCLES and (len(done) < FEWEST_CYCLES or time.monotonic() < ends_at):
        done.append((_portal(story), _bare(story.stack, len(done))))
    return done


def _submit_figure(cycles: list[tuple[Cycle, float]]) -> Figure:
    delays = sorted(cycle.to_post for cycle, _ in cycles)
    worst = delays[math.ceil(len(delays) * 0.95) - 1]
    typical = statistics.median(delays)
    anchored = statistics.median(cycle.to_anchored for cycle, _ in cycles)
    return _figure(
        "portal: last vote to POST at Neon, sealed and in a directory before it, start at once, idle worker (p95)",
        worst,
        f"the median of the same {len(delays)} restores: {typical:.3f} s, of which until the anchor: {anchored:.3f} s",
        worst / typical,
        goal=0.55,
        met=worst < 0.55,
    )


def _overhead_figure(cycles: list[tuple[Cycle, float]]) -> Figure:
    overhead = statistics.median(cycle.to_verified - bare for cycle, bare in cycles)
    bare = statistics.median(bare for _, bare in cycles)
    return _figure(
        "portal: last vote to verified, less the calls, operations and checks of a bare script (median)",
        overhead,
        f"the bare script: {bare:.3f} s",
        statistics.median(cycle.to_verified for cycle, _ in cycles) / bare,
        goal=0.5,
        met=overhead < 0.5,
    )


def _slow_figure(cycles: list[tuple[Cycle, float]]) -> Figure:
    portal = statistics.median(cycle.to_verified for cycle, _ in cycles)
    bare = statistics.median(bare for _, bare in cycles)
    return _figure(
        f"portal: last vote to verified with operations of {SLOW_OPERATION_SECONDS:g} s (median)",
        portal,
        f"a bare script with the same calls and checks: {bare:.3f} s",
        portal / bare,
        goal=1.3,
        met=portal / bare <= 1.3,
    )


def _figure(name: str, value: float, against: str, ratio: float, *, goal: float, met: bool) -> Figure:
    return {
        "bench": name,
        "value": round(value, 4),
        "unit": "s",
        "against": against,
        "ratio": round(ratio, 3),
        "goal": goal,
        "met": met,
    }


def _portal(story: Story) -> Cycle:
    """Files, votes through the pages, and reads the times from the request and from the sandbox's record of calls."""
    number = file_restore(story, _whole_second(story.stack), start_mode="at_once")
    story.wait_for_state(number, "pending")
    vote(story, "bob", number)
    vote(story, "carol", number)
    row = story.wait_for_state(number, "completed")
    posted = _posted_at(story.stack)
    _remove_copies(story.stack, f"_before_R-{number:04d}")
    return Cycle(
        to_post=(posted - row["approved_at"]).total_seconds(),
        to_anchored=(_anchored_at(story.stack, number) - row["approved_at"]).total_seconds(),
        to_verified=(row["closed_at"] - row["approved_at"]).total_seconds(),
    )


def _bare(stack: Stack, number: int) -> float:
    """The same calls and checks without votes, rows, events or a queue; seconds from the first to the last."""
    with NeonClient(Secret(stack.neon_key), base_url=stack.neon_url) as neon:
        point = _whole_second(stack)
        copied = neon.branches.create(
            stack.project_id,
            name=f"bare-copy-{number}",
            parent_id=stack.branch_id,
            parent_timestamp=point,
            endpoint=NewEndpoint(),
        )
        neon.operations.wait_for(stack.project_id, copied.operation_ids, deadline_seconds=60)
        reference = _dsn(neon, stack, copied.branch.id)
        began = time.monotonic()
        _restore_and_check(neon, stack, point, f"bare-kept-{number}", reference)
        seconds = time.monotonic() - began
        _remove_copies(stack, f"bare-kept-{number}")
    return seconds


def _restore_and_check(neon: NeonClient, stack: Stack, point: dt.datetime, kept: str, reference: Dsn) -> None:
    """Reads what the portal's last look reads, restores, waits, connects, checks."""
    project = stack.project_id
    neon.branches.get(project, stack.branch_id)
    neon.databases.list(project, stack.branch_id)
    neon.branches.list(project)
    neon.operations.list_since(project, dt.datetime.now(dt.UTC))
    submitted = dt.datetime.now(dt.UTC)
    change = neon.branches.restore(
        project,
        target_branch_id=stack.branch_id,
        source_branch_id=stack.branch_id,
        source_timestamp=point,
        preserve_under_name=kept,
    )
    neon.operations.wait_for(project, change.operation_ids, deadline_seconds=60, polling=_POLLING)
    neon.branches.list(project)
    branch = _dsn(neon, stack, stack.branch_id)
    with psycopg.connect(branch.reveal(), autocommit=True) as connection:
        connection.execute("SELECT 1")
    writable = dt.datetime.now(dt.UTC)
    context = CheckContext(
        branch=branch, reference=reference, point_at=point, submitted_at=submitted, writable_at=writable
    )
    _check(context)


def _check(context: CheckContext) -> None:
    for spec in plan_checks(context):
        cursor = None
        while isinstance(result := run_check(spec, context, cursor=cursor), Unfinished):
            cursor = result.cursor
        context = context.learn(spec.code, result.figures)


def _dsn(neon: NeonClient, stack: Stack, branch_id: str) -> Dsn:
    uri = neon.connection_uri(
        stack.project_id, branch_id=branch_id, database_name="carecircle", role_name="carecircle_owner"
    )
    return Dsn(uri.reveal())


def _whole_second(stack: Stack) -> dt.datetime:
    """A second that has begun a moment ago, with a write behind it, so that there is something to go back from."""
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        at = connection.execute("SELECT date_trunc('second', clock_timestamp())").fetchone()
        connection.execute("SELECT pg_sleep(0.05)")
        connection.execute("UPDATE medications SET updated_at = now() WHERE id = 1")
    if at is None:
        raise LookupError("the database tells its time")
    time.sleep(max(0.0, 1.05 - (dt.datetime.now(dt.UTC) - at[0]).total_seconds()))
    return _whole(at[0])


def _whole(at: dt.datetime) -> dt.datetime:
    """The same second in UTC, whole."""
    return at.astimezone(dt.UTC).replace(microsecond=0)


def _posted_at(stack: Stack) -> dt.datetime:
    calls = _sandbox(stack, "GET", "calls")["calls"]
    path = f"/branches/{stack.branch_id}/restore"
    newest = [call["at"] for call in calls if call["method"] == "POST" and call["path"].endswith(path)][-1]
    return dt.datetime.fromisoformat(newest)


def _anchored_at(stack: Stack, number: int) -> dt.datetime:
    """When the first anchor had a checkpoint over the newest approval of the request."""
    with psycopg.connect(stack.records_dsn, autocommit=True) as records:
        row = records.execute(_ANCHORED_AT, [f"R-{number:04d}"]).fetchone()
    if row is None or row[0] is None:
        raise LookupError(f"the approvals of R-{number:04d} are sealed and anchored")
    taken_at: dt.datetime = row[0]
    return taken_at


_ANCHORED_AT = """
SELECT min(taken_at) FROM backups_anchorreceipt WHERE checkpoint_id > (
    SELECT max(leaf.index) FROM backups_ledgerleaf leaf JOIN backups_ledgerevent event ON event.id = leaf.event_id
     WHERE event.target_id = %s AND event.type = 'request.approved')
"""


def _remove_copies(stack: Stack, kept: str) -> None:
    """Deletes the preserved branch of this round and what hangs below it, so that no cap is reached."""
    with NeonClient(Secret(stack.neon_key), base_url=stack.neon_url) as neon:
        branches = neon.branches.list(stack.project_id)
        parents = [branch for branch in branches if branch.name.endswith(kept)]
        children = [branch for branch in branches if branch.parent_id in {parent.id for parent in parents}]
        for branch in [*children, *parents]:
            _delete(neon, stack, branch)


def _delete(neon: NeonClient, stack: Stack, branch: Branch) -> None:
    change = neon.branches.delete(stack.project_id, branch.id)
    if change is not None:
        neon.operations.wait_for(stack.project_id, change.operation_ids, deadline_seconds=60, polling=_POLLING)


def _sandbox(stack: Stack, method: str, route: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The sandbox's own routes, beside Neon's."""
    request = urllib.request.Request(  # noqa: S310 - the bench's own http address
        stack.neon_url.removesuffix("/api/v2") + f"/_sandbox/{route}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {stack.neon_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


if __name__ == "__main__":
    for one in figures():
        sys.stdout.write(json.dumps(one) + "\n")
