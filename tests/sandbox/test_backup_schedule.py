"""Backup schedules: what Neon accepts, and that the snapshots are really taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neon_sandbox.entities import Branch, Operation
from neon_sandbox.scheduler import take_due
from neon_sandbox.slots import slots_between
from neon_sandbox.storage.base import Point
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api, ago
from tests.sandbox.programs import wait_until

HOUR, DAY = 3600.0, 86_400.0
WEEK = 604_800
DAILY = {"frequency": "daily", "hour": 2, "retention_seconds": WEEK}


def path(branch_id: str) -> str:
    return f"/branches/{branch_id}/backup_schedule"


def put(api: Api, branch_id: str, *items: object):
    return api.call("PUT", path(branch_id), {"schedule": list(items)})


def scheduled(api: Api) -> list[dict]:
    """Oldest first, complete ones only."""
    found = [item for item in api.get("/snapshots")["snapshots"] if {"full_size", "diff_size"} & set(item)]
    return [item for item in reversed(found) if not item["manual"]]


def moments(api: Api) -> list[str]:
    return [item["timestamp"] for item in scheduled(api)]


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def next_slot(sandbox: RunningSandbox) -> datetime:
    """The full hour at least half an hour ahead."""
    return (sandbox.now() + timedelta(minutes=90)).replace(minute=0, second=0, microsecond=0)


def move_to(sandbox: RunningSandbox, moment: datetime) -> None:
    sandbox.move_clock((moment - sandbox.now()).total_seconds())


# What is accepted


def test_a_schedule_is_put_got_replaced_and_turned_off(api: Api, main: str):
    assert api.get(path(main)) == {"schedule": []}
    weekly = {"frequency": "weekly", "hour": 0, "day": 7}
    answer = put(api, main, DAILY, weekly)
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.get(path(main)) == {"schedule": [DAILY, weekly]}
    monthly = {"frequency": "monthly", "hour": 23, "day": 31, "retention_seconds": 3_024_000}
    put(api, main, monthly).raise_for_status()
    assert api.get(path(main)) == {"schedule": [monthly]}
    put(api, main).raise_for_status()
    assert api.get(path(main)) == {"schedule": []}
    assert api.get("/operations")["operations"] == []


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"frequency": "daily"}, "daily schedules must specify the hour of the day"),
        ({"frequency": "weekly", "day": 1}, "weekly schedules must specify the hour of the day"),
        ({"frequency": "weekly", "hour": 1}, "weekly schedules must specify the day of the week"),
        ({"frequency": "monthly", "hour": 1}, "monthly schedules must specify the day of the month"),
        ({"frequency": "hourly"}, "daily, weekly, monthly"),
        ({"frequency": "yearly", "hour": 1, "day": 1, "month": 1}, "daily, weekly, monthly"),
        ({"hour": 1}, "daily, weekly, monthly"),
        ({"frequency": "daily", "hour": 24}, "hour"),
        ({"frequency": "daily", "hour": -1}, "hour"),
        ({"frequency": "daily", "hour": "2"}, "hour"),
        ({"frequency": "daily", "hour": True}, "hour"),
        ({"frequency": "weekly", "hour": 1, "day": 0}, "day"),
        ({"frequency": "weekly", "hour": 1, "day": 8}, "day"),
        ({"frequency": "monthly", "hour": 1, "day": 32}, "day"),
        ({**DAILY, "retention_seconds": 3599}, "retention_seconds"),
        ({**DAILY, "retention_seconds": 3_024_001}, "retention_seconds"),
        ("daily", "schedule (field required)"),
    ],
)
def test_refused_items_leave_the_schedule_as_it_was(api: Api, main: str, item: object, words: str):
    put(api, main, DAILY).raise_for_status()
    refused = put(api, main, DAILY, item)
    assert refused.status_code == 400
    assert words in refused.json()["message"]
    assert api.get(path(main)) == {"schedule": [DAILY]}
    assert api.call("PUT", path(main), {}).status_code == 400


def test_root_branches_of_paid_plans_only(api: Api, sandbox: RunningSandbox, main: str):
    child = api.make_branch("child")["branch"]["id"]
    assert put(api, child, DAILY).status_code == 422
    assert put(api, "br-no-such-12345678", DAILY).status_code == 404
    sandbox.settings(plan="free")
    assert put(api, main, DAILY).status_code == 403
    assert api.get(path(main)) == {"schedule": []}


def test_a_locked_project_keeps_its_schedule(api: Api, sandbox: RunningSandbox, main: str):
    sandbox.lock_project(60)
    assert put(api, main, DAILY).status_code == 423
    assert api.get(path(main)) == {"schedule": []}


def test_it_moves_with_the_branch_and_goes_with_it(api: Api, main: str):
    put(api, main, DAILY).raise_for_status()
    snapshot = api.take_snapshot(main)["id"]
    new = api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))["branch"]["id"]
    assert api.get(path(new)) == {"schedule": [DAILY]}
    assert api.get(path(main)) == {"schedule": []}
    put(api, main, DAILY).raise_for_status()
    api.done(api.call("DELETE", f"/branches/{main}"))
    assert api.call("GET", path(main)).status_code == 404


# When slots are


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"frequency": "daily", "hour": 2}, [f"2026-02-{day:02} 02" for day in range(27, 29)] + ["2026-03-01 02"]),
        ({"frequency": "weekly", "hour": 5, "day": 7}, ["2026-03-01 05"]),
        ({"frequency": "monthly", "hour": 0, "day": 28}, ["2026-02-28 00"]),
        ({"frequency": "monthly", "hour": 0, "day": 31}, ["2026-02-28 00"]),
        ({"frequency": "monthly", "hour": 6, "day": 1}, ["2026-03-01 06"]),
    ],
    ids=["daily", "weekly", "monthly", "a short month", "first of the month"],
)
def test_slots(item: dict, expected: list[str]):
    after, until = datetime(2026, 2, 27, 2, tzinfo=UTC) - timedelta(seconds=1), datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert [f"{slot.moment:%Y-%m-%d %H}" for slot in slots_between([item], after, until)] == expected


def test_a_slot_belongs_to_one_stretch_only():
    slot = datetime(2026, 2, 27, 2, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert [s.moment for s in slots_between([DAILY], slot - hour, slot)] == [slot]
    assert slots_between([DAILY], slot, slot + hour) == []


def test_items_that_meet_are_one_snapshot_kept_for_the_longer_time():
    friday = datetime(2026, 2, 27, 2, tzinfo=UTC)
    weekly = {"frequency": "weekly", "hour": 2, "day": 5, "retention_seconds": 2 * WEEK}
    for items in ([DAILY, weekly], [weekly, DAILY]):
        (slot,) = slots_between(items, friday - timedelta(hours=1), friday)
        assert slot.expires_at == friday + timedelta(weeks=2)
    (slot,) = slots_between([{"frequency": "daily", "hour": 2}], friday - timedelta(hours=1), friday)
    assert slot.expires_at == friday + timedelta(days=35)


# That snapshots are taken


def test_a_slot_gets_its_snapshot(api: Api, sandbox: RunningSandbox, main: str):
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour, "retention_seconds": 7200}).raise_for_status()
    move_to(sandbox, slot)
    wait_until(lambda: scheduled(api), "a scheduled snapshot")
    (taken,) = scheduled(api)
    assert taken["timestamp"] == shown(slot)
    assert taken["expires_at"] == shown(slot + timedelta(hours=2))
    assert taken["name"] == f"main at {slot:%Y-%m-%d %H:%M:%S} UTC (scheduled)"
    assert (taken["source_branch_id"], taken["manual"]) == (main, False)
    assert taken["full_size"] > 0
    sandbox.move_clock(2 * HOUR + 1)
    wait_until(lambda: not scheduled(api), "the snapshot has expired")


def test_each_slot_that_was_skipped_gets_one_in_order(api: Api, sandbox: RunningSandbox, main: str):
    api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": WEEK}}))
    sandbox.settings(snapshot_cap=0)  # which counts manual ones only
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    move_to(sandbox, slot + timedelta(days=4, minutes=1))
    expected = [shown(slot + timedelta(days=day)) for day in range(5)]
    wait_until(lambda: len(scheduled(api)) == 5, "five snapshots")
    assert moments(api) == expected
    first, *later = scheduled(api)
    assert "full_size" in first
    assert all("diff_size" in item and "full_size" not in item for item in later)
    assert not take_due(sandbox.sandbox.plane)
    assert moments(api) == expected


def test_slots_outside_the_history_window_and_expired_ones_are_skipped(api: Api, sandbox: RunningSandbox, main: str):
    api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": int(3 * DAY)}}))
    slot = next_slot(sandbox)
    other = slot + timedelta(hours=1)
    put(
        api,
        main,
        {"frequency": "daily", "hour": slot.hour},
        {"frequency": "daily", "hour": other.hour, "retention_seconds": 3600},
    ).raise_for_status()
    move_to(sandbox, slot + timedelta(days=6, hours=1, minutes=30))
    # Of six days three are in the window; of those that live an hour, the last one.
    expected = [*(slot + timedelta(days=day) for day in (4, 5, 6)), other + timedelta(days=6)]
    wait_until(lambda: len(scheduled(api)) == 4, "four snapshots")
    assert moments(api) == [shown(moment) for moment in expected]


def test_it_waits_while_the_project_is_locked(api: Api, sandbox: RunningSandbox, main: str):
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    foreign = sandbox.lock_project(0.5)[0]
    move_to(sandbox, slot)
    wait_until(lambda: moments(api) == [shown(slot)], "the snapshot of the slot")
    store = sandbox.sandbox.plane.store
    (taking,) = store.find(Operation, lambda operation: operation.action == "create_timeline")
    assert taking.created_at >= store.must(Operation, foreign.id).updated_at


def test_none_twice_over_a_restart():
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            slot = next_slot(sandbox)
            put(api, sandbox.branch_id, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
            move_to(sandbox, slot)
            wait_until(lambda: scheduled(api), "a scheduled snapshot")
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            assert not take_due(sandbox.sandbox.plane)
            assert moments(api) == [shown(slot)]
            move_to(sandbox, slot + timedelta(days=1))
            wait_until(lambda: len(scheduled(api)) == 2, "the next one")


def test_after_a_finalized_restore_the_new_branch_is_backed_up(api: Api, sandbox: RunningSandbox, main: str):
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    snapshot = api.take_snapshot(main)["id"]
    new = api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))["branch"]["id"]
    move_to(sandbox, slot)
    wait_until(lambda: scheduled(api), "a scheduled snapshot")
    (taken,) = scheduled(api)
    assert taken["source_branch_id"] == new
    assert "full_size" in taken


def test_a_project_without_history_is_backed_up_by_its_head(api: Api, sandbox: RunningSandbox, main: str):
    api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": 0}}))
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    move_to(sandbox, slot + timedelta(days=1))
    wait_until(lambda: scheduled(api), "a scheduled snapshot")
    assert moments(api)[0] >= shown(slot + timedelta(days=1))
    assert len(scheduled(api)) == 1


def test_a_downgrade_to_free_stops_it(api: Api, sandbox: RunningSandbox, main: str):
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    sandbox.settings(plan="free")
    move_to(sandbox, slot)
    take_due(sandbox.sandbox.plane)
    sandbox.settings(plan="launch")
    assert not take_due(sandbox.sandbox.plane)
    assert api.get("/snapshots")["snapshots"] == []


def test_one_that_can_not_be_begun_holds_up_no_other(
    api: Api, sandbox: RunningSandbox, main: str, monkeypatch: pytest.MonkeyPatch
):
    api.done(api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=1), preserve_under_name="old"))
    slot, old = next_slot(sandbox), api.named("old")["id"]
    for branch_id in (main, old):
        put(api, branch_id, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    plane = sandbox.sandbox.plane
    broken, check = plane.store.must(Branch, main).node_id, plane.storage.check

    def fail_for_main(node_id: str, point: Point) -> None:
        if node_id == broken:
            raise RuntimeError("the data can not be read")
        check(node_id, point)

    monkeypatch.setattr(plane.storage, "check", fail_for_main)
    move_to(sandbox, slot)
    wait_until(lambda: scheduled(api), "the snapshot of the other branch")
    assert [item["source_branch_id"] for item in scheduled(api)] == [old]
    monkeypatch.undo()
    wait_until(lambda: len(scheduled(api)) == 2, "the one that was due")


def test_one_that_fails_is_missing_and_the_next_slot_is_served(api: Api, sandbox: RunningSandbox, main: str):
    slot = next_slot(sandbox)
    put(api, main, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
    sandbox.settings(scheduled_snapshot_failure={"error": "storage is away", "seconds": 0, "final": True})
    move_to(sandbox, slot)
    wait_until(lambda: [item["status"] for item in api.get("/operations")["operations"]] == ["error"], "a failure")
    assert api.get("/operations")["operations"][0]["error"] == "storage is away"
    assert api.get("/snapshots")["snapshots"] == []
    sandbox.settings(scheduled_snapshot_failure=None)
    move_to(sandbox, slot + timedelta(days=1))
    wait_until(lambda: moments(api) == [shown(slot + timedelta(days=1))], "the snapshot of the next day")
