"""How traces at Neon are read: pure, one line of the table each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from backups.neon.types import Branch, Operation
from backups.services.execution.intents import Absent, Busy, Found, LookUp, Unclear
from backups.services.execution.lookups import judge_restore

BEFORE = "2026-11-22T10:00:00+00:00"
AFTER = "2026-11-22T11:00:00Z"


def branch(branch_id: str, name: str, last_reset_at: str | None = None) -> Branch:
    raw: dict[str, Any] = {"id": branch_id, "name": name}
    return Branch.of(raw | ({"last_reset_at": last_reset_at} if last_reset_at else {}))


def operation(operation_id: str, branch_id: str, status: str = "finished", updated_at: str = "") -> Operation:
    return Operation.of({"id": operation_id, "branch_id": branch_id, "status": status, "updated_at": updated_at})


UNTOUCHED = branch("br-main", "main", "2026-11-22T10:00:00Z")
RESET = branch("br-main", "main", AFTER)
KEPT = branch("br-kept", "main_before_R-0001")
FACTS = {"last_reset_at": BEFORE, "known_operations": ["old"]}


@pytest.mark.parametrize(
    ("target", "kept", "operations", "expected"),
    [
        (RESET, KEPT, [], Found),
        (RESET, KEPT, [operation("new", "br-main", "running")], Found),
        # Two resets in one second: only Neon's own operation tells them apart.
        (UNTOUCHED, KEPT, [operation("new", "br-main")], Found),
        (UNTOUCHED, KEPT, [operation("old", "br-main")], Unclear),
        (UNTOUCHED, KEPT, [operation("new", "br-kept")], Unclear),
        (RESET, None, [], Unclear),
        (None, KEPT, [], Unclear),
        (UNTOUCHED, None, [], Absent),
        (UNTOUCHED, None, [operation("old", "br-main", "running")], Absent),
        (UNTOUCHED, None, [operation("new", "br-other", "running")], Busy),
        (UNTOUCHED, None, [operation("new", "br-main", "scheduling")], Busy),
        (UNTOUCHED, None, [operation("new", "br-main", "a word of tomorrow")], Busy),
        # Neon may try a failed operation again by itself, until it has stayed failed for long enough.
        (UNTOUCHED, None, [operation("new", "br-main", "failed")], Busy),
        (UNTOUCHED, None, [operation("new", "br-main", "failed", "2026-01-01T00:00:00Z")], Absent),
        (UNTOUCHED, None, [operation("new", "br-main", "cancelled")], Absent),
    ],
)
def test_what_the_traces_say(
    target: Branch | None, kept: Branch | None, operations: list[Operation], expected: type[LookUp]
) -> None:
    assert isinstance(judge_restore(FACTS, target=target, kept=kept, operations=operations), expected)


def test_the_first_reset_ever_is_one_too() -> None:
    facts = FACTS | {"last_reset_at": None}
    never = dataclasses.replace(UNTOUCHED, last_reset_at=None)
    assert isinstance(judge_restore(facts, target=RESET, kept=KEPT, operations=[]), Found)
    assert isinstance(judge_restore(facts, target=never, kept=None, operations=[]), Absent)


def test_operations_of_the_effect_are_taken_over() -> None:
    operations = [operation("new", "br-main"), operation("also", "br-kept"), operation("other", "br-x")]
    found = judge_restore(FACTS, target=RESET, kept=KEPT, operations=operations)
    assert isinstance(found, Found)
    assert found.operation_ids == ("new", "also")
