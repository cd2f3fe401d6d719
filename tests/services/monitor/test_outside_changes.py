"""What somebody does with Neon's own tools is reported by the next look; what the portal ordered is not."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.utils import timezone

from backups.domain.execution import BranchPurpose, IntentKind, IntentOutcome
from backups.domain.monitor import FindingCode
from backups.models import Execution, Finding, Intent, LedgerEvent, OwnedBranch, PlanProposal
from tests.factories import person
from tests.services.monitor.conftest import World
from tests.services.monitor.test_findings_in_sandbox import own

pytestmark = pytest.mark.django_db

C = FindingCode


def found(world: World, code: FindingCode) -> list[Finding]:
    return list(Finding.objects.filter(project=world.project, code=code).order_by("pk"))


def restore(world: World, name: str = "main_old") -> dict[str, Any]:
    """An in-place restore to a minute ago, by hand."""
    at = (world.sandbox.now() - dt.timedelta(milliseconds=1)).isoformat()
    body = {"source_branch_id": world.branch_id, "source_timestamp": at, "preserve_under_name": name}
    answer: dict[str, Any] = world.api.done(world.api.restore(world.branch_id, **body))
    return answer


def order(world: World, kind: IntentKind, target: str, **more: Any) -> Intent:
    """An order of the portal's own, as its worker would have written it."""
    proposer = person("alice").user
    proposal = PlanProposal.objects.create(
        branch=world.branch, wanted={}, seen={}, proposed_by=proposer, proposed_at=timezone.now(),
        refused_at=timezone.now(),
    )  # fmt: skip
    run = Execution.objects.create(
        purpose="backup_plan", step="apply", state="finished", project=world.project, branch=world.branch,
        plan_proposal=proposal,
    )  # fmt: skip
    now = timezone.now()
    defaults: dict[str, Any] = {
        "execution": run, "kind": kind, "number": 1, "name": "n", "target_branch_id": target, "fence": 1,
        "http_request_id": uuid.uuid4(), "created_at": now, "call_deadline_at": now + dt.timedelta(seconds=5),
        "outcome": IntentOutcome.APPLIED, "settled_at": now,
    }  # fmt: skip
    return Intent.objects.create(**(defaults | more))


def test_a_restore_is_reported_within_one_look_with_all_that_is_needed_later(world: World) -> None:
    world.look()
    answer = restore(world)
    world.look()

    (finding,) = found(world, C.RESTORED_OUTSIDE)
    assert (finding.severity, finding.branch) == ("critical", world.branch)
    evidence = finding.evidence
    assert evidence["branch"] == world.branch_id
    assert {each["id"] for each in answer["operations"]} <= set(evidence["operations"])
    assert evidence["last_reset_at"] == answer["branch"]["last_reset_at"].replace("Z", "+00:00")
    assert any("main_old" in each for each in evidence["new_branches"])
    event = LedgerEvent.objects.get(type="finding.opened", members__data__kind=C.RESTORED_OUTSIDE.value)
    assert event.members["corr"]["ops"] == evidence["operations"]

    world.look()
    assert found(world, C.RESTORED_OUTSIDE) == [finding]
    assert finding.closed_at is None, "it stays until somebody has explained it"


def later(world: World) -> None:
    """As if some seconds had passed: Neon's youngest operations are judged too, and a branch is old."""
    world.patch.setattr("backups.services.monitor.comparison.SETTLED_AFTER", dt.timedelta(0))
    world.patch.setattr("backups.services.monitor.outside._made_the_branch", lambda known, at: False)


def test_a_second_restore_in_the_same_second_is_another_finding(world: World) -> None:
    world.look()
    later(world)
    restore(world, "first")
    world.look()
    restore(world, "second")
    world.look()
    world.look()
    assert len(found(world, C.RESTORED_OUTSIDE)) == 2


def test_a_new_branch_is_not_taken_for_a_restore(world: World) -> None:
    world.patch.setattr("backups.services.monitor.comparison.SETTLED_AFTER", dt.timedelta(0))
    world.look()
    world.api.make_branch("feature", parent_id=world.branch_id)
    for _ in range(3):
        world.look()
    assert not Finding.objects.filter(control="outside").exists()


def test_snapshots_are_not_taken_for_restores(world: World) -> None:
    world.look()
    later(world)
    world.api.take_snapshot(world.branch_id, name="by-hand")
    for _ in range(2):
        world.look()
    assert not Finding.objects.filter(control="outside").exists()


def test_a_restore_that_the_portal_ordered_is_no_finding(world: World) -> None:
    world.look()
    answer = restore(world)
    ids = [each["id"] for each in answer["operations"]]
    order(world, IntentKind.RESTORE_BRANCH, world.branch_id, operation_ids=ids)
    world.look()
    world.look()
    assert not found(world, C.RESTORED_OUTSIDE)


def test_a_restore_by_hand_right_after_the_portals_own_is_reported(world: World) -> None:
    world.look()
    answer = restore(world)
    ids = [each["id"] for each in answer["operations"]]
    order(world, IntentKind.RESTORE_BRANCH, world.branch_id, operation_ids=ids)
    restore(world, "by-hand")
    later(world)
    world.look()
    world.look()
    assert len(found(world, C.RESTORED_OUTSIDE)) == 1


def test_while_an_order_is_not_settled_nothing_is_said_and_nothing_forgotten(world: World) -> None:
    world.look()
    restore(world)
    intent = order(world, IntentKind.RESTORE_BRANCH, world.branch_id, outcome=IntentOutcome.PENDING, settled_at=None)
    world.look()
    assert not found(world, C.RESTORED_OUTSIDE)

    Intent.objects.filter(pk=intent.pk).update(outcome=IntentOutcome.NOT_APPLIED, settled_at=timezone.now())
    world.look()
    assert len(found(world, C.RESTORED_OUTSIDE)) == 1


def test_a_deleted_branch_is_reported(world: World) -> None:
    child = world.api.make_branch("staging", parent_id=world.branch_id)["branch"]
    world.project.branches.create(
        neon_branch_id=child["id"], name="staging", label="staging", is_root=False, is_default=False,
        is_neon_protected=False,
    )  # fmt: skip
    world.look()
    world.api.done(world.api.call("DELETE", f"/branches/{child['id']}"))
    world.look()
    (finding,) = found(world, C.DELETED_OUTSIDE)
    assert (finding.subject, finding.severity) == (child["id"], "warning"), "staging weighs less"
    assert C.BRANCH_MISSING not in world.open()
    others = Finding.objects.filter(branch=finding.branch, closed_at__isnull=True).exclude(pk=finding.pk)
    assert not others.exists(), "of a branch that is gone nothing else is said"


def test_a_kept_state_that_is_deleted_by_hand_is_reported(world: World) -> None:
    made = world.api.make_branch("main_before_R-0001", parent_id=world.branch_id)["branch"]
    row = _own(world, made["id"])
    world.look()
    world.api.done(world.api.call("DELETE", f"/branches/{made['id']}"))
    world.look()
    assert [each.subject for each in found(world, C.DELETED_OUTSIDE)] == [row.neon_branch_id]


def test_what_the_portal_removed_or_neon_let_expire_is_no_finding(world: World) -> None:
    made = world.api.make_branch("main_before_R-0001", parent_id=world.branch_id)["branch"]
    _own(world, made["id"])
    world.look()
    world.api.done(world.api.call("DELETE", f"/branches/{made['id']}"))
    order(world, IntentKind.DELETE_BRANCH, made["id"])
    world.look()
    assert not found(world, C.DELETED_OUTSIDE)


def test_protection_taken_away_is_reported(world: World) -> None:
    world.api.done(world.api.call("PATCH", f"/branches/{world.branch_id}", {"branch": {"protected": True}}))
    world.look()
    world.api.done(world.api.call("PATCH", f"/branches/{world.branch_id}", {"branch": {"protected": False}}))
    world.look()
    (finding,) = found(world, C.PROTECTION_OUTSIDE)
    assert (finding.severity, finding.evidence["before"], finding.evidence["now"]) == ("warning", True, False)


def test_a_changed_schedule_is_reported_and_the_portals_own_change_is_not(world: World) -> None:
    world.look()
    path = f"/branches/{world.branch_id}/backup_schedule"
    item = {"frequency": "daily", "hour": 5, "retention_seconds": 3600}
    assert world.api.call("PUT", path, {"schedule": [item]}).is_success
    world.look()
    (finding,) = found(world, C.SCHEDULE_OUTSIDE)
    assert "05:00" in finding.sentence

    world.declare_as_found()
    wanted = {"frequency": "daily", "hour": 2, "retention_seconds": 604_800}
    order(world, IntentKind.PUT_SCHEDULE, world.branch_id, facts={"schedule": [wanted]})
    world.look()
    assert found(world, C.SCHEDULE_OUTSIDE) == [finding]


def test_a_shorter_history_is_reported(world: World) -> None:
    world.look()
    world.api.done(world.api.call("PATCH", "", {"project": {"history_retention_seconds": 3600}}))
    world.look()
    (finding,) = found(world, C.HISTORY_OUTSIDE)
    assert (finding.severity, finding.evidence["now_seconds"]) == ("critical", 3600)


def test_a_snapshot_deleted_before_its_time_is_reported(world: World) -> None:
    taken = world.api.take_snapshot(world.branch_id, name="before-migration")
    world.look()
    world.api.done(world.api.call("DELETE", f"/snapshots/{taken['id']}"))
    world.look()
    (finding,) = found(world, C.SNAPSHOT_DELETED_OUTSIDE)
    assert finding.subject == taken["id"]


def test_a_branch_replaced_from_a_snapshot_is_a_restore(world: World) -> None:
    taken = world.api.take_snapshot(world.branch_id, name="nightly")
    world.look()
    before = world.branch_id
    body = {"target_branch_id": before, "finalize_restore": True}
    answer = world.api.done(world.api.restore_snapshot(taken["id"], **body))
    world.look()
    (finding,) = found(world, C.RESTORED_OUTSIDE)
    assert finding.evidence["new_branch"] == answer["branch"]["id"]
    assert finding.evidence["snapshot"] == taken["id"]


def test_the_first_look_accuses_nobody(world: World) -> None:
    restore(world)
    world.look()
    assert not Finding.objects.filter(control="outside").exists()


def _own(world: World, neon_branch_id: str) -> OwnedBranch:
    own(world, neon_branch_id=neon_branch_id, purpose=BranchPurpose.PRESERVED)
    return OwnedBranch.objects.get(neon_branch_id=neon_branch_id)
