"""Right restores under traffic never fail, and what clients were promised is where it must be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from backups.verification import CheckContext, Dsn
from demo.traffic import Record, Traffic
from tests.verification.story import Story, not_passed, verify, whatever_is_deleted
from tests.verification.timeline import Timeline

RUNS = 8
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
        assert not_passed(verify(whatever_is_deleted(context))) == {}
    assert len(clients.record.outages) == 1
    # The ids of the lost rows are given out again, so a row is known by its id and its time.
    promised, present = _inserted(clients.record), _rows(timeline)
    assert _inserted(clients.record, confirmed_by=point) <= present
    assert not {row for row in promised if point < row[2] <= submitted_at} & present
    assert {row for row in promised if row[2] > writable_at} <= present


Row = tuple[str, int, dt.datetime]


def _rows(timeline: Timeline) -> set[Row]:
    return {
        (table, *row)
        for table in ("medication_logs", "appointments")
        for row in timeline.main.execute(f"SELECT id, created_at FROM {table}")  # noqa: S608
    }


def _inserted(record: Record, *, confirmed_by: dt.datetime | None = None) -> set[Row]:
    """A row's own time is the start of its transaction; only the confirmation tells that it was committed by then."""
    return {
        (done.table, done.id, dt.datetime.fromisoformat(done.row_at))
        for done in record.acknowledged
        if done.action == "insert"
        and (confirmed_by is None or dt.datetime.fromisoformat(done.acknowledged_at) <= confirmed_by)
    }


@pytest.mark.parametrize("commit_times", ["on", "off"])
def test_upkeep_on_either_side_changes_nothing(new_timeline: Callable[..., Timeline], commit_times: str) -> None:
    """It takes transaction ids and rewrites tables, but leaves the ids in the rows."""
    story = Story(new_timeline())
    story.reference.execute("VACUUM (FULL, ANALYZE)")
    node, context = story.branch(track_commit_timestamp=commit_times)
    with Traffic(node.dsn, rate_per_second=None) as clients:
        clients.wait_for(50)
        node.execute("VACUUM (FREEZE, ANALYZE)")
        node.execute("VACUUM (FULL)")
        clients.wait_for(50)
    assert not_passed(verify(replace(whatever_is_deleted(context), statistics_settle_seconds=12))) == {}


@pytest.mark.parametrize("commit_times", ["off", pytest.param("on", marks=pytest.mark.soak)])
def test_heavy_writers_never_make_a_right_restore_fail(
    new_timeline: Callable[..., Timeline], commit_times: str
) -> None:
    """Real Neon has no commit times."""
    _restore_and_verify(Story(new_timeline()), commit_times, runs=RUNS // 2, rate_per_second=200)


@pytest.mark.soak
@pytest.mark.parametrize("commit_times", ["on", "off"])
def test_two_hundred_restores_under_the_heaviest_writers(
    new_timeline: Callable[..., Timeline], commit_times: str
) -> None:
    _restore_and_verify(Story(new_timeline()), commit_times, runs=100, rate_per_second=None)


def _restore_and_verify(story: Story, commit_times: str, *, runs: int, rate_per_second: float | None) -> None:
    for run in range(runs):
        node, context = story.branch(track_commit_timestamp=commit_times)
        with ExitStack() as stack:
            writers = [
                stack.enter_context(Traffic(node.dsn, rate_per_second=rate_per_second, seed=100 * run + number))
                for number in range(CLIENTS)
            ]
            writers[0].wait_for(60)
            results = verify(replace(whatever_is_deleted(context), statistics_settle_seconds=12), only=TOUCHED)
        story.timeline.discard(node)
        assert not_passed(results) == {}, f"run {run + 1}"
