"""Lists of operations, and waiting for them on a clock that only sleeping moves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.operations import judge
from backups.neon.results import Progress
from backups.neon.types import Operation
from backups.neon.wire import format_expiry
from tests.neon.conftest import PROJECT, START, Fake

A, B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


def operation(id: str, minutes_ago: float | None = None, **fields: Any) -> dict[str, Any]:
    told = {} if minutes_ago is None else {"created_at": format_expiry(START - timedelta(minutes=minutes_ago))}
    return {"id": id, "status": "finished"} | told | fields


def says_status(fake: Fake, id: str, *statuses: str, **fields: Any) -> None:
    for status in statuses:
        fake.says({"operation": {"id": id, "status": status} | fields})


def test_operations_since_a_time_stop_at_the_first_page_that_is_older(fake: Fake, neon: NeonClient) -> None:
    fake.says({"operations": [operation("a", 1), operation("b")], "pagination": {"cursor": "1"}})
    fake.says({"operations": [operation("c", 9), operation("d", 11)], "pagination": {"cursor": "2"}})
    fake.says({"operations": [operation("e", 12)], "pagination": {"cursor": "3"}})
    found = neon.operations.list_since(PROJECT, START - timedelta(minutes=10))
    assert [o.id for o in found] == ["a", "b", "c"]


def test_operations_since_a_time_stop_at_an_empty_page(fake: Fake, neon: NeonClient) -> None:
    fake.says({"operations": [operation("a", 1)], "pagination": {"cursor": "1"}})
    fake.says({"operations": [], "pagination": {"cursor": "1"}})
    assert len(neon.operations.list_since(PROJECT, START - timedelta(minutes=10))) == 1


def test_a_time_without_zone_is_refused(neon: NeonClient) -> None:
    with pytest.raises(ValueError, match="zone"):
        neon.operations.list_since(PROJECT, START.replace(tzinfo=None))


def test_one_operation(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, "scheduling")
    assert neon.operations.get(PROJECT, A).status == "scheduling"
    assert fake.asked == [f"GET /projects/{PROJECT}/operations/{A}"]


def test_waiting_polls_only_what_is_not_done_yet(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, "scheduling")
    says_status(fake, B, "finished")
    says_status(fake, A, "running", "a-new-word", "skipped")
    state = neon.operations.wait_for(PROJECT, [A, B], deadline_seconds=15)
    assert state.progress is Progress.DONE
    assert [o.status for o in state.operations] == ["skipped", "finished"]
    assert fake.time.slept == pytest.approx([0.1, 0.125, 0.15625])


def test_waiting_for_nothing_is_done(neon: NeonClient) -> None:
    assert neon.operations.wait_for(PROJECT, [], deadline_seconds=15).progress is Progress.DONE


@pytest.mark.parametrize("status", ["error", "cancelled"])
def test_a_final_failure_ends_the_wait(fake: Fake, neon: NeonClient, status: str) -> None:
    says_status(fake, A, status, error="replay stopped")
    says_status(fake, B, "running")
    state = neon.operations.wait_for(PROJECT, [A, B], deadline_seconds=15)
    assert state.progress is Progress.FAILED
    assert [o.error for o in state.failed] == ["replay stopped"]


def test_the_deadline_ends_the_wait_without_a_verdict(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, *["running"] * 5)
    state = neon.operations.wait_for(PROJECT, [A], deadline_seconds=0.5)
    assert state.progress is Progress.RUNNING
    assert sum(fake.time.slept) == pytest.approx(0.5)


def test_a_failed_operation_that_neon_then_finishes(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, "failed", "failed", updated_at=format_expiry(START))
    says_status(fake, A, "finished")
    assert neon.operations.wait_for(PROJECT, [A], deadline_seconds=15).progress is Progress.DONE


def test_a_failed_operation_is_final_after_the_grace_also_in_a_later_wait(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, "failed", updated_at=format_expiry(START))
    assert neon.operations.wait_for(PROJECT, [A], deadline_seconds=0).progress is Progress.RUNNING
    fake.time.seconds += 61
    says_status(fake, A, "failed", updated_at=format_expiry(START))
    assert neon.operations.wait_for(PROJECT, [A], deadline_seconds=0).progress is Progress.FAILED


def test_a_key_revoked_during_the_wait_is_said(fake: Fake, neon: NeonClient) -> None:
    says_status(fake, A, "running")
    fake.says({"message": "no"}, status=401)
    with pytest.raises(errors.NeonKeyRejected):
        neon.operations.wait_for(PROJECT, [A], deadline_seconds=15)


def test_one_failure_decides_for_all() -> None:
    operations = tuple(Operation.of({"id": s, "status": s}) for s in ("finished", "running", "error"))
    assert judge(operations, now=START).progress is Progress.FAILED
    assert judge(operations[:2], now=START).progress is Progress.RUNNING
    assert judge(operations[:1], now=START).progress is Progress.DONE
