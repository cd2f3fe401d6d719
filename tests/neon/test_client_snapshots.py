"""Snapshots and the schedule that takes them: what is sent, and what is made of the answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.schedules import ScheduleItem
from tests.neon.answers import COPY, ENDPOINT, OP, POINT, SNAPSHOT, body, branch, params
from tests.neon.conftest import MAIN, PROJECT, START, Fake

OPERATIONS = [{"id": OP, "action": "a-new-word", "status": "running"}]
RESTORE = f"POST /projects/{PROJECT}/snapshots/{SNAPSHOT}/restore"


def snapshot(id: str = SNAPSHOT, name: str = "before-import", **fields: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "created_at": "2026-11-22T09:00:00Z"} | fields


def taken() -> dict[str, Any]:
    return {"snapshot": snapshot(), "operations": OPERATIONS}


def test_the_list_has_no_pages_and_names_are_found_whole(fake: Fake, neon: NeonClient) -> None:
    listed = {"snapshots": [snapshot("snap-2", "before-import-2"), snapshot(full_size=7, manual=True)]}
    fake.says(listed)
    fake.says(listed)
    found = neon.snapshots.find_by_name(PROJECT, "before-import")
    assert found is not None
    assert (found.id, found.full_size_bytes, found.diff_size_bytes, found.manual) == (SNAPSHOT, 7, None, True)
    assert neon.snapshots.find_by_name(PROJECT, "before") is None
    assert fake.asked == [f"GET /projects/{PROJECT}/snapshots"] * 2
    assert params(fake) == {}


@pytest.mark.parametrize("broken", [{}, {"snapshots": None}, {"snapshots": [{"id": SNAPSHOT}]}])
def test_a_list_that_cannot_be_read_is_not_an_empty_list(fake: Fake, neon: NeonClient, broken: Any) -> None:
    fake.says(broken)
    with pytest.raises(errors.AnswerUnusable):
        neon.snapshots.find_by_name(PROJECT, "before-import")


def test_a_snapshot_is_asked_for_in_the_query_alone(fake: Fake, neon: NeonClient) -> None:
    fake.says(taken())
    change = neon.snapshots.create(
        PROJECT,
        branch_id=MAIN,
        name="before import & more",
        timestamp=POINT,
        expires_at=POINT + timedelta(days=1),
        slug="before-import",
    )
    assert fake.asked == [f"POST /projects/{PROJECT}/branches/{MAIN}/snapshot"]
    assert params(fake) == {
        "name": "before import & more",
        "timestamp": "2026-11-22T09:30:15.250Z",
        "expires_at": "2026-11-23T09:30:16Z",
        "slug": "before-import",
    }
    assert fake.requests[0].content == b""
    assert "content-type" not in fake.requests[0].headers
    assert (change.snapshot.id, change.operation_ids) == (SNAPSHOT, (OP,))
    assert change.request_id == fake.requests[0].headers["x-request-id"]


def test_what_is_sent_in_the_query_of_a_change_is_not_reported(fake: Fake, neon: NeonClient) -> None:
    fake.says({"code": "", "message": "no"}, status=409)
    with pytest.raises(errors.NeonRefused) as caught:
        neon.snapshots.create(PROJECT, branch_id=MAIN, name="canary", lsn="A/B")
    assert params(fake) == {"name": "canary", "lsn": "A/B"}
    assert fake.records[0].path == caught.value.path == f"/projects/{PROJECT}/branches/{MAIN}/snapshot"
    assert "canary" not in repr(fake.records) + str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"timestamp": POINT, "lsn": "0/1"}, "not both"),
        ({"timestamp": POINT.replace(microsecond=1)}, "milliseconds"),
        ({"expires_at": POINT.replace(tzinfo=None)}, "zone"),
        ({"lsn": "head"}, "LSN"),
        ({"name": ""}, "characters"),
        ({"branch_id": "main branch"}, "Neon id"),
        *[({"slug": slug}, "slug") for slug in ("", "A", "1a", "-a", "a-", "a_b", "a\n", "a" * 64, "é")],
    ],
)
def test_a_snapshot_that_makes_no_sense_is_not_sent(neon: NeonClient, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        neon.snapshots.create(PROJECT, **({"branch_id": MAIN, "name": "a"} | arguments))


@pytest.mark.parametrize("slug", ["a", "before-import-2", "a" * 63])
def test_a_slug_as_neon_takes_it(fake: Fake, neon: NeonClient, slug: str) -> None:
    fake.says(taken())
    neon.snapshots.create(PROJECT, branch_id=MAIN, name="a", slug=slug)
    assert params(fake)["slug"] == slug


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"name": "new"}, {"name": "new"}),
        ({"expires_at": START}, {"expires_at": "2026-11-22T10:00:00Z"}),
        ({"name": "new", "never_expires": True}, {"name": "new", "expires_at": None}),
    ],
)
def test_update(fake: Fake, neon: NeonClient, given: dict[str, Any], sent: dict[str, Any]) -> None:
    fake.says({"snapshot": snapshot()})
    change = neon.snapshots.update(PROJECT, SNAPSHOT, **given)
    assert fake.asked == [f"PATCH /projects/{PROJECT}/snapshots/{SNAPSHOT}"]
    assert body(fake) == {"snapshot": sent}
    assert change.operation_ids == ()


@pytest.mark.parametrize("given", [{}, {"never_expires": True, "expires_at": START}, {"name": ""}])
def test_an_update_that_makes_no_sense(neon: NeonClient, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"change|expires|characters"):
        neon.snapshots.update(PROJECT, SNAPSHOT, **given)


def test_delete_is_accepted_before_it_is_done(fake: Fake, neon: NeonClient) -> None:
    fake.says({"operations": OPERATIONS}, status=202)
    assert neon.snapshots.delete(PROJECT, SNAPSHOT).operation_ids == (OP,)
    assert fake.asked == [f"DELETE /projects/{PROJECT}/snapshots/{SNAPSHOT}"]


def test_a_preview_then_its_finalisation(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branch": branch(COPY, "look", restore_status="restored"), "operations": OPERATIONS})
    fake.says({"operations": OPERATIONS})
    fake.says({"operations": []})
    change = neon.snapshots.restore(PROJECT, SNAPSHOT, target_branch_id=MAIN, finalize=False, name="look")
    assert body(fake) == {"name": "look", "target_branch_id": MAIN, "finalize_restore": False}
    assert change.branch is not None
    assert (change.branch.id, change.branch.restore_status, change.endpoints) == (COPY, "restored", ())
    assert neon.branches.finalize_restore(PROJECT, COPY).operation_ids == (OP,)
    assert fake.requests[-1].content == b""
    assert neon.branches.finalize_restore(PROJECT, COPY, name="replaced").operations == ()
    assert body(fake) == {"name": "replaced"}
    assert fake.asked == [RESTORE, *[f"POST /projects/{PROJECT}/branches/{COPY}/finalize_restore"] * 2]


def test_in_one_step_the_computes_come_along(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branch": branch(COPY, "main"), "endpoints": [{"id": ENDPOINT}], "operations": OPERATIONS})
    change = neon.snapshots.restore(PROJECT, SNAPSHOT, target_branch_id=MAIN, finalize=True)
    assert fake.asked == [RESTORE]
    assert body(fake) == {"target_branch_id": MAIN, "finalize_restore": True}
    assert [endpoint.id for endpoint in change.endpoints] == [ENDPOINT]


@pytest.mark.parametrize("answer", [{}, {"branch": branch()}, {"operations": OPERATIONS}])
def test_a_restore_that_cannot_be_followed_up_is_unknown(fake: Fake, neon: NeonClient, answer: Any) -> None:
    fake.says(answer)
    with pytest.raises(errors.OutcomeUnknown):
        neon.snapshots.restore(PROJECT, SNAPSHOT, target_branch_id=MAIN, finalize=True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"finalize": False}, "found"),
        ({"finalize": True, "target_branch_id": ""}, "Neon id"),
        ({"finalize": False, "name": "x" * 257}, "characters"),
    ],
)
def test_a_restore_that_makes_no_sense_is_not_sent(neon: NeonClient, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        neon.snapshots.restore(PROJECT, SNAPSHOT, **({"target_branch_id": MAIN} | arguments))


def test_a_schedule_is_read_and_replaced_as_a_whole(fake: Fake, neon: NeonClient) -> None:
    daily = {"frequency": "daily", "hour": 2, "retention_seconds": 604800}
    fake.says({"schedule": [daily, {"frequency": "a-new-word"}]})
    fake.says({})
    fake.says({})
    first, second = neon.schedules.get(PROJECT, MAIN)
    assert first == ScheduleItem("daily", hour=2, retention_seconds=604800)
    assert (second.frequency, second.hour) == ("a-new-word", None)
    neon.schedules.put(PROJECT, MAIN, [first, ScheduleItem("weekly", hour=0, day=7)])
    assert body(fake) == {"schedule": [daily, {"frequency": "weekly", "hour": 0, "day": 7}]}
    neon.schedules.put(PROJECT, MAIN, ())
    assert body(fake) == {"schedule": []}
    path = f"/projects/{PROJECT}/branches/{MAIN}/backup_schedule"
    assert fake.asked == [f"GET {path}", f"PUT {path}", f"PUT {path}"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (ScheduleItem("hourly", hour=0), "not hourly"),
        (ScheduleItem("daily"), "hour"),
        (ScheduleItem("daily", hour=24), "hour"),
        (ScheduleItem("daily", hour=-1), "hour"),
        (ScheduleItem("daily", hour=2, day=1), "no day"),
        (ScheduleItem("weekly", hour=2), "from 1 to 7"),
        (ScheduleItem("weekly", hour=2, day=8), "from 1 to 7"),
        (ScheduleItem("monthly", hour=2, day=0), "from 1 to 31"),
        (ScheduleItem("monthly", hour=2, day=32), "from 1 to 31"),
        (ScheduleItem("daily", hour=2, retention_seconds=3599), "35 days"),
        (ScheduleItem("daily", hour=2, retention_seconds=3_024_001), "35 days"),
    ],
)
def test_a_rule_that_neon_does_not_take_is_not_sent(neon: NeonClient, item: ScheduleItem, reason: str) -> None:
    good = ScheduleItem("daily", hour=23, retention_seconds=3_024_000)
    with pytest.raises(ValueError, match=reason):
        neon.schedules.put(PROJECT, MAIN, [good, item])


def test_no_schedule_and_an_unreadable_one_are_told_apart(fake: Fake, neon: NeonClient) -> None:
    fake.says({"schedule": []})
    assert neon.schedules.get(PROJECT, MAIN) == ()
    fake.says({})
    with pytest.raises(errors.AnswerUnusable):
        neon.schedules.get(PROJECT, MAIN)
