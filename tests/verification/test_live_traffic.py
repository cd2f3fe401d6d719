"""Right restores under traffic never fail, and what clients were promised is where it must be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from backups.verification import CheckContext, Dsn
from demo.traffic import Record, Traffic
from tests.verification.story import PASSED, Story, failures, not_passed, verify
from tests.verification.timeline import Timeline

RUNS = 20
CLIENTS = 2
#: Every check that reads what the clients write.
TOUCHED = frozenset({
    "anchors", "server_restarted", "no_commit_between", "sequences", "constraints_hold", "public.medication_logs",
    "public.medications", "public.appointments", "public.notifications",
})  # fmt: skip


def test_restore_in_place_while_clients_write(new_timeline: Callable[..., Timeline]) -> None:
    """The whole story: cut, clients back within milliseconds, verified while they go on."""
    timeline = new_timeline()
    with Traffic(timeline.main.dsn, rate_per_second=300) as clients:
        clients.wait_for(100)
        point = timeline.now()
        clients.wait_for(100)
        reference = timeline.copy_at(point)
        submitted_at = timeline.now()
        writable_at = timeline.restore(point)
        clients.wait_for(100)
        context = CheckContext(
            branch=Dsn(timeline.main.dsn),
            reference=Dsn(reference.dsn),
            point_at=point,
            submitted_at=submitted_at,
            writable_at=writable_at,
        )
        assert not_passed(verify(context)) == {}
    assert len(clients.record.outages) == 1
    present = _ids(timeline)
    promised = _inserted(clients.record)
    assert _between(promised, None, point) <= present
    assert not _between(promised, point, submitted_at) & present - _after(promised, writable_at)
    assert _after(promised, writable_at) <= present


def _ids(timeline: Timeline) -> set[tuple[str, int]]:
    return {
        (table, row[0])
        for table in ("medication_logs", "appointments")
        for row in timeline.main.execute(f"SELECT id FROM {table}")  # noqa: S608
    }


Promised = list[tuple[dt.datetime, tuple[str, int]]]


def _inserted(record: Record) -> Promised:
    return [
        (dt.datetime.fromisoformat(done.row_at), (done.table, done.id))
        for done in record.acknowledged
        if done.action == "insert"
    ]


def _between(promised: Promised, begin: dt.datetime | None, end: dt.datetime) -> set[tuple[str, int]]:
    return {row for at, row in promised if (begin is None or at > begin) and at <= end}


def _after(promised: Promised, begin: dt.datetime) -> set[tuple[str, int]]:
    return {row for at, row in promised if at > begin}


@pytest.mark.parametrize("commit_times", ["on", "off"])
def test_heavy_writers_never_make_a_right_restore_fail(
    new_timeline: Callable[..., Timeline], commit_times: str
) -> None:
    """Half of the runs each with and without commit times on the server; real Neon has none."""
    story = Story(new_timeline())
    for run in range(RUNS // 2):
        node, context = story.branch(track_commit_timestamp=commit_times)
        with ExitStack() as stack:
            writers = [
                stack.enter_context(Traffic(node.dsn, rate_per_second=200, seed=100 * run + number))
                for number in range(CLIENTS)
            ]
            writers[0].wait_for(60)
            results = verify(replace(context, statistics_settle_seconds=12), only=TOUCHED)
        node.cluster.kill()
        assert failures(results) == set(), not_passed(results)
        assert results["public.medication_logs"].outcome is PASSED
