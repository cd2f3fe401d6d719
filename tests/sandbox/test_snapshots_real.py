"""Snapshots over real PostgreSQL: exactly the rows of their moment, whatever becomes of the branch."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from neon_sandbox.testing import running_sandbox
from tests.sandbox.programs import wait_until
from tests.sandbox.real import RealProject, quiet_moment, real_project
from tests.sandbox.test_backup_schedule import move_to, next_slot, put, scheduled


def restore(project: RealProject, snapshot: Any, target: str, *, in_one_step: bool) -> str:
    """The id of the branch that took the target's place."""
    body = {"target_branch_id": target, "finalize_restore": in_one_step}
    made = project.api.done(project.api.restore_snapshot(snapshot["id"], **body))["branch"]["id"]
    if not in_one_step:
        project.api.done(project.api.call("POST", f"/branches/{made}/finalize_restore"))
    return str(made)


@pytest.mark.parametrize("in_one_step", [True, False], ids=["one step", "preview first"])
def test_the_rows_of_the_moment_come_back_under_the_same_connection_string(project: RealProject, in_one_step: bool):
    dsn = project.sandbox.dsn(project.main)
    project.insert(1, 2)
    moment = quiet_moment()
    project.execute("delete from entry where id = 1")
    project.insert(3)
    past = project.api.take_snapshot(project.main, timestamp=moment)
    head = project.api.take_snapshot(project.main)
    project.insert(4)

    old, new = project.main, restore(project, past, project.main, in_one_step=in_one_step)
    assert project.sandbox.dsn(new) == dsn
    assert project.ids(new) == [1, 2]
    project.insert(20, branch_id=new)
    # What was there before is reached by a new compute.
    project.add_endpoint(old)
    assert project.ids(old) == [2, 3, 4]
    newest = restore(project, head, new, in_one_step=in_one_step)
    assert project.sandbox.dsn(newest) == dsn
    assert project.ids(newest) == [2, 3]


def test_an_lsn_is_exact_to_the_row(project: RealProject):
    project.insert(1)
    lsn = project.head_lsn()
    project.insert(2)
    snapshot = project.api.take_snapshot(project.main, lsn=lsn)
    assert snapshot["lsn"] == lsn
    assert project.ids(restore(project, snapshot, project.main, in_one_step=True)) == [1]


def test_a_preview_is_apart_from_its_target(project: RealProject):
    project.insert(1)
    snapshot = project.api.take_snapshot(project.main)
    preview = project.api.done(project.api.restore_snapshot(snapshot["id"], name="preview"))["branch"]["id"]
    project.insert(2)
    project.insert(10, branch_id=preview)
    assert (project.ids(), project.ids(preview)) == ([1, 2], [1, 10])
    project.api.done(project.api.call("POST", f"/branches/{preview}/finalize_restore"))
    assert project.ids(preview) == [1, 10]


def test_a_restore_does_not_touch_the_snapshot_and_needs_it_no_longer(project: RealProject):
    project.insert(1)
    snapshot = project.api.take_snapshot(project.main)
    first = restore(project, snapshot, project.main, in_one_step=True)
    project.insert(2, branch_id=first)
    second = project.api.done(project.api.restore_snapshot(snapshot["id"], name="second", target_branch_id=first))
    project.api.done(project.api.call("DELETE", f"/snapshots/{snapshot['id']}"))
    project.api.done(project.api.call("DELETE", f"/branches/{project.main}"))
    assert project.ids(first) == [1, 2]
    assert project.ids(second["branch"]["id"]) == [1]
    # Without both it came from, it is still a branch like others.
    moment = quiet_moment()
    project.insert(3, branch_id=first)
    child = project.branch("child", parent_id=first, parent_timestamp=moment)
    assert project.ids(child) == [1, 2]
    again = project.api.take_snapshot(first, timestamp=moment)
    assert project.ids(restore(project, again, first, in_one_step=True)) == [1, 2]


def test_it_outlives_the_branch_that_it_was_taken_of(project: RealProject):
    project.insert(1)
    moment = quiet_moment()
    project.insert(2)
    project.restore(source_timestamp=moment, preserve_under_name="old")
    old = project.api.named("old")["id"]
    snapshot = project.api.take_snapshot(old)
    project.api.done(project.api.call("DELETE", f"/branches/{old}"))
    assert project.ids(restore(project, snapshot, project.main, in_one_step=True)) == [1, 2]


def test_sessions_are_cut_and_a_suspended_compute_wakes_with_the_new_data(project: RealProject):
    project.insert(1)
    snapshot = project.api.take_snapshot(project.main)
    project.insert(2)
    with project.connect() as connection:
        first = restore(project, snapshot, project.main, in_one_step=True)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    endpoint = project.api.get(f"/branches/{first}/endpoints")["endpoints"][0]["id"]
    project.insert(3, branch_id=first)
    project.api.done(project.api.call("POST", f"/endpoints/{endpoint}/suspend"))
    second = restore(project, snapshot, first, in_one_step=True)
    project.api.done(project.api.call("POST", f"/endpoints/{endpoint}/start"))
    assert project.ids(second) == [1]


def test_a_suspended_branch_is_snapshotted_as_it_was_and_as_it_is(project: RealProject):
    project.insert(1)
    moment = quiet_moment()
    project.insert(2)
    endpoint = project.api.get(f"/branches/{project.main}/endpoints")["endpoints"][0]["id"]
    project.api.done(project.api.call("POST", f"/endpoints/{endpoint}/suspend"))
    past = project.api.take_snapshot(project.main, timestamp=moment)
    head = project.api.take_snapshot(project.main)
    assert project.api.get(f"/endpoints/{endpoint}")["endpoint"]["current_state"] == "idle"
    for snapshot, rows in ((past, [1]), (head, [1, 2])):
        made = project.api.done(project.api.restore_snapshot(snapshot["id"]))["branch"]["id"]
        assert project.ids(made) == rows


def test_scheduled_snapshots_hold_the_rows_of_their_slots():
    with running_sandbox("postgres", plan="scale") as sandbox, real_project(sandbox) as project:
        slot = next_slot(sandbox)
        put(project.api, project.main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
        for day in range(3):
            project.insert(day)
            move_to(sandbox, slot + timedelta(days=day, minutes=1))
            wait_until(partial(_has_scheduled, project, day + 1), "the snapshot of the day")
        taken = scheduled(project.api)
        assert [item["timestamp"] for item in taken] == [
            f"{slot + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in range(3)
        ]
        assert taken[0]["full_size"] > taken[1]["diff_size"]
        sandbox.settings(detach_after_seconds=None)
        for day, snapshot in enumerate(taken):
            made = project.api.done(project.api.restore_snapshot(snapshot["id"], name=f"day {day}"))
            assert project.ids(made["branch"]["id"]) == list(range(day + 1))


def _has_scheduled(project: RealProject, count: int) -> bool:
    return len(scheduled(project.api)) == count
