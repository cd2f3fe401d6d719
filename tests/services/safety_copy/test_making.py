"""A safety copy is ordered once, counted only when Neon shows it, and never made in silence about a failure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backups.domain.people import command_actor
from backups.domain.safety_copy import CopyKind, CopyState, Origin, TokenScope, copy_name, kind_that_fits, latest_slot
from backups.models import Execution, LedgerEvent, OutboxMessage, OwnedBranch, Project, ProtectedBranch, SafetyCopy
from backups.selectors.clock import database_now
from backups.services.execution.safety_copy_steps import STEPS
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy
from backups.services.safety_copy.schedule import DailyCopy, make_due_copies, set_schedule
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.factories import People
from tests.services.sandboxes import run_once, run_to_end

pytestmark = pytest.mark.django_db
ORDER: dict[CopyKind, dict[str, Any]] = {
    CopyKind.SNAPSHOT: {"method": "POST", "path": "/snapshot$"},
    CopyKind.BRANCH: {"method": "POST", "path": "/branches$"},
}


def asked(people: People, branch: ProtectedBranch, kind: CopyKind | None = None, **wish: Any) -> SafetyCopy:
    made = CopyWish(branch_id=branch.pk, reason=wish.pop("reason", "migration 0042"), kind=kind, **wish)
    return ask_for_safety_copy(actor=people.alice.actor, wish=made, origin=Origin.PAGE)


def run_of(copy: SafetyCopy) -> Execution:
    return Execution.objects.get(safety_copy=copy, purpose="safety_copy")


def made(copy: SafetyCopy) -> SafetyCopy:
    run = run_to_end(run_of(copy))
    copy.refresh_from_db()
    assert (run.outcome_code, copy.state) == ("made", CopyState.MADE), (run.outcome_code, copy.problem)
    return copy


def events(kind: str) -> int:
    return LedgerEvent.objects.filter(type=kind).count()


def orders(sandbox: RunningSandbox, kind: CopyKind) -> list[dict[str, Any]]:
    end = "/snapshot" if kind is CopyKind.SNAPSHOT else "/branches"
    return [call for call in sandbox.calls("POST", end) if call["applied"]]


@pytest.mark.parametrize(
    ("plan", "taken", "is_root", "kind"),
    [
        ("scale", 5, True, CopyKind.SNAPSHOT),
        ("launch_v3", 99, True, CopyKind.SNAPSHOT),
        ("launch_v3", 100, True, CopyKind.BRANCH),
        ("free", 1, True, CopyKind.BRANCH),
        ("something new", 0, True, CopyKind.BRANCH),
        ("scale", 0, False, CopyKind.BRANCH),
        ("scale", 0, None, CopyKind.BRANCH),
    ],
)
def test_a_snapshot_where_the_plan_is_known_to_have_room(plan, taken, is_root, kind) -> None:
    assert kind_that_fits(plan=plan, manual_snapshots=taken, is_root=is_root) is kind


def test_names_tell_scheduled_from_asked_and_hold_no_words_of_people() -> None:
    slot = dt.datetime(2026, 11, 26, 2, 5, tzinfo=dt.UTC)
    assert copy_name("main", 7, scheduled_for=None) == "safety-main-S-0007"
    assert copy_name("main", 7, scheduled_for=slot) == "auto-backup-main-20261126-0205-S-0007"
    assert len(copy_name("b" * 256, 7, scheduled_for=slot)) <= 256


@pytest.mark.parametrize("kind", list(CopyKind))
def test_it_is_made_and_seen_at_neon(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    copy = made(asked(people, branch, kind))
    (call,) = orders(sandbox, kind)
    told = call["query"] if kind is CopyKind.SNAPSHOT else call["body"]["branch"]
    assert told["name"] == copy.name == f"safety-main-{copy.reference}"
    assert told["expires_at"].startswith(f"{copy.expires_at:%Y-%m-%dT%H:%M:%S}")
    assert (events("copy.asked"), events("copy.made")) == (1, 1)
    assert "migration 0042" not in LedgerEvent.objects.get(type="copy.asked").body
    assert str(copy.reason) == "migration 0042"
    if kind is CopyKind.BRANCH:
        owned = OwnedBranch.objects.get(safety_copy=copy)
        assert (owned.purpose, owned.fate, owned.neon_branch_id) == ("safety", "present", copy.neon_id)
        assert not call["body"].get("endpoints"), "a copy that nobody reads needs no compute"


def test_the_portal_chooses_what_fits(sandbox: RunningSandbox, branch: ProtectedBranch, people: People) -> None:
    assert made(asked(people, branch)).kind == CopyKind.SNAPSHOT
    Project.objects.update(plan="free")
    assert made(asked(people, branch)).kind == CopyKind.BRANCH


@pytest.mark.parametrize("kind", list(CopyKind))
@pytest.mark.parametrize("fault", ["lose_answer", "late"])
def test_a_lost_answer_makes_no_second_copy(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind, fault: str
) -> None:
    if fault == "late":
        sandbox.faults.add("status", status=503, **ORDER[kind])
    else:
        sandbox.faults.add(fault, **ORDER[kind])
    made(asked(people, branch, kind))
    assert len(orders(sandbox, kind)) == 1
    assert events("execution.adopted") == (1 if fault == "lose_answer" else 0)


@pytest.mark.parametrize("kind", list(CopyKind))
def test_a_refusal_by_neon_is_told(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    sandbox.faults.add("status", status=422, message="limit exceeded", **ORDER[kind])
    copy = asked(people, branch, kind)
    run_to_end(run_of(copy))
    copy.refresh_from_db()
    assert (copy.state, "limit exceeded" in copy.problem) == (CopyState.FAILED, True)
    assert events("copy.failed") == 1
    texts = OutboxMessage.objects.filter(topic="safety_copy.failed").values_list("text", flat=True)
    assert all("FAILED" in text for text in texts)


@pytest.mark.parametrize("kind", list(CopyKind))
def test_an_operation_that_fails_makes_no_copy(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    sandbox.faults.add("operation_fails", final=True, **ORDER[kind])
    copy = asked(people, branch, kind)
    run_to_end(run_of(copy))
    copy.refresh_from_db()
    assert copy.state == CopyState.FAILED


def test_a_namesake_is_not_taken_for_ours(sandbox: RunningSandbox, branch: ProtectedBranch, people: People) -> None:
    copy = asked(people, branch, CopyKind.SNAPSHOT)
    sandbox.take_snapshot(name=copy.name)
    run_to_end(run_of(copy))
    copy.refresh_from_db()
    assert (copy.state, copy.neon_id) == (CopyState.FAILED, "")


def test_it_waits_for_a_production_restore_and_gives_up_in_time(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People
) -> None:
    Project.objects.update(history_retention_seconds=86_400)
    request = factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    copy = asked(people, branch)
    run = run_once(run_of(copy))
    assert run.waiting_for == f"{request.reference}, which restores production"
    Execution.objects.filter(pk=run.pk).update(deadline_at=database_now())
    run_once(run)
    copy.refresh_from_db()
    assert (copy.state, request.reference in copy.problem) == (CopyState.FAILED, True)
    assert not sandbox.calls("POST")


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_who_may_not_is_refused_and_the_refusal_recorded(branch: ProtectedBranch, people: People, name: str) -> None:
    wish = CopyWish(branch_id=branch.pk, reason="x")
    with pytest.raises(Refused, match="does not let you"):
        ask_for_safety_copy(actor=getattr(people, name).actor, wish=wish, origin=Origin.PAGE)
    assert (SafetyCopy.objects.count(), events("access.refused")) == (0, 1)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"keep_days": 0}, "keep_days"),
        ({"keep_days": 31}, "keep_days"),
        ({"keep_days": 366, "kind": CopyKind.SNAPSHOT}, "keep_days"),
    ],
)
def test_what_cant_be_is_said_beside_the_field(
    branch: ProtectedBranch, people: People, wish: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(people, branch, wish.pop("kind", None), **wish)
    assert list(refused.value.errors) == [field]
    assert not SafetyCopy.objects.exists()


def test_a_secret_in_the_reason_is_refused(branch: ProtectedBranch, people: People) -> None:
    with pytest.raises(InvalidInput, match="API key"):
        asked(people, branch, reason="napi_abcdefghijklmnop")
    assert not SafetyCopy.objects.exists()


def test_a_command_needs_no_account(branch: ProtectedBranch) -> None:
    actor = command_actor("safety_copy", operator="root")
    copy = ask_for_safety_copy(
        actor=actor, wish=CopyWish(branch_id=branch.pk, reason="migration"), origin=Origin.COMMAND
    )
    assert (copy.asked_by, copy.asked_by_name) == (None, "safety_copy@root")


# --- The daily copy -----------------------------------------------------------------------------------------------


def daily(now: dt.datetime, **changed: Any) -> DailyCopy:
    at = now.astimezone(dt.UTC)
    asked_for: dict[str, Any] = {"hour": at.hour, "minute": at.minute, "keep_days": 7, "kind": None, "is_on": True}
    return DailyCopy(**(asked_for | changed))


def test_a_planned_time_gives_one_copy_and_a_missed_one_none(branch: ProtectedBranch, people: People) -> None:
    now = database_now()
    schedule = set_schedule(actor=people.alice.actor, branch_id=branch.pk, daily=daily(now))
    assert make_due_copies() == 0, "no time has come since it was set"
    type(schedule).objects.update(since=now - dt.timedelta(days=3))
    assert (make_due_copies(), make_due_copies()) == (1, 0)
    copy = SafetyCopy.objects.get()
    assert copy.slot_at == latest_slot(now, hour=schedule.hour, minute=schedule.minute)
    assert copy.name.startswith("auto-backup-main-")
    assert (copy.origin, copy.asked_by_name, copy.reason) == (Origin.SCHEDULE, "worker", None)
    earlier = (now - dt.timedelta(hours=7)).astimezone(dt.UTC)
    SafetyCopy.objects.update(slot_at=now - dt.timedelta(days=2))
    type(schedule).objects.update(hour=earlier.hour, minute=earlier.minute)
    assert make_due_copies() == 0, "seven hours late is missed"


def test_switched_off_it_makes_none(branch: ProtectedBranch, people: People) -> None:
    schedule = set_schedule(actor=people.bob.actor, branch_id=branch.pk, daily=daily(database_now(), is_on=False))
    type(schedule).objects.update(since=database_now() - dt.timedelta(days=3))
    assert make_due_copies() == 0
    assert events("copy.scheduled") == 1


@pytest.mark.parametrize(
    ("changed", "field"), [({"hour": 24}, "time"), ({"keep_days": 0}, "keep_days"), ({"keep_days": 31}, "keep_days")]
)
def test_a_plan_that_cant_be_is_said_beside_the_field(
    branch: ProtectedBranch, people: People, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_schedule(actor=people.alice.actor, branch_id=branch.pk, daily=daily(database_now(), **changed))
    assert list(refused.value.errors) == [field]


def test_the_steps_and_scopes_are_the_ones_that_are_tested() -> None:
    assert [step.value for step in STEPS] == ["facts", "copy", "wait", "verify"]
    assert {scope.value for scope in TokenScope} == {"safety_copy", "read_health"}
