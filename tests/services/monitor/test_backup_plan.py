"""Backups as declared: who may declare, propose and agree, and what the worker then sends."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backups.domain.backup_plan import Rule, WantedBackups, drift, problems_with
from backups.models import BackupPlan, Execution, Intent, LedgerEvent, PlanProposal
from backups.services.backup_plan import confirm_plan, declare_backups, propose_plan, refuse_plan
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import People
from tests.services.monitor.conftest import World, approved_restore
from tests.services.sandboxes import run_once, run_to_end

pytestmark = pytest.mark.django_db

DAY = 86_400
WEEKLY = WantedBackups((Rule("weekly", 3, 1, 14 * DAY),), 14 * DAY)
WHY = "As agreed in the quarterly review."


def declared(world: World, people: People, wanted: WantedBackups = WEEKLY) -> None:
    declare_backups(actor=people.erin.actor, branch_id=world.branch.pk, wanted=wanted, reason=WHY)
    world.look()


def proposed(world: World, people: People) -> PlanProposal:
    declared(world, people)
    return propose_plan(actor=people.alice.actor, branch_id=world.branch.pk, reason=WHY)


def run_of(proposal: PlanProposal) -> Execution:
    return Execution.objects.get(plan_proposal=proposal)


def at_neon(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.api.get(f"/branches/{world.branch_id}/backup_schedule")["schedule"]
    return found


def test_what_is_declared_shows_as_drift_and_is_applied_with_one_approval(world: World, people: People) -> None:
    proposal = proposed(world, people)
    assert "schedule_drift" in world.open()
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    run = run_to_end(run_of(proposal))

    proposal.refresh_from_db()
    assert (run.outcome_code, proposal.applied_at is not None) == ("applied", True)
    assert at_neon(world) == [{"frequency": "weekly", "hour": 3, "day": 1, "retention_seconds": 14 * DAY}]
    assert world.api.get()["project"]["history_retention_seconds"] == 14 * DAY
    world.look()
    assert not {"schedule_drift", "schedule_outside", "history_outside"} & world.open().keys()
    assert LedgerEvent.objects.filter(type="backup.applied").count() == 1


def test_nobody_agrees_to_their_own_and_only_a_manager_agrees(world: World, people: People) -> None:
    declared(world, people)
    proposal = propose_plan(actor=people.bob.actor, branch_id=world.branch.pk, reason=WHY)
    with pytest.raises(Refused, match="somebody else"):
        confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    for person in (people.alice, people.dana, people.erin, people.charlie):
        with pytest.raises(Refused, match="Only a manager"):
            confirm_plan(actor=person.actor, proposal_id=proposal.pk)
    assert not Execution.objects.exists()
    with pytest.raises(IntegrityError, match="plan_proposal_two_people"), transaction.atomic():
        PlanProposal.objects.filter(pk=proposal.pk).update(
            decided_by=people.bob.user, confirmed_at=proposal.proposed_at
        )
    confirm_plan(actor=people.carol.actor, proposal_id=proposal.pk)
    with pytest.raises(Refused, match="decided already"):
        refuse_plan(actor=people.bob.actor, proposal_id=proposal.pk)


@pytest.mark.parametrize("name", ["alice", "dana", "charlie"])
def test_only_managers_and_administrators_declare(world: World, people: People, name: str) -> None:
    with pytest.raises(Refused):
        declare_backups(actor=getattr(people, name).actor, branch_id=world.branch.pk, wanted=WEEKLY, reason=WHY)
    assert not BackupPlan.objects.exists()


def test_nothing_is_proposed_when_nothing_differs_or_nothing_is_known(world: World, people: People) -> None:
    with pytest.raises(Refused, match="has not read"):
        propose_plan(actor=people.alice.actor, branch_id=world.branch.pk, reason=WHY)
    world.look()
    with pytest.raises(Refused, match="nothing to apply"):
        propose_plan(actor=people.alice.actor, branch_id=world.branch.pk, reason=WHY)


def test_what_was_changed_at_neon_since_is_left_alone(world: World, people: People) -> None:
    proposal = proposed(world, people)
    item = {"frequency": "daily", "hour": 9, "retention_seconds": DAY}
    world.api.call("PUT", f"/branches/{world.branch_id}/backup_schedule", {"schedule": [item]})
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    run = run_to_end(run_of(proposal))
    proposal.refresh_from_db()
    assert (run.outcome_code, proposal.applied_at) == ("changed_since", None)
    assert at_neon(world) == [item]
    assert "propose it anew" in proposal.outcome


def test_what_is_declared_anew_voids_the_proposal(world: World, people: People) -> None:
    proposal = proposed(world, people)
    declared(world, people, WantedBackups((), 0))
    with pytest.raises(Refused, match="declared since"):
        confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)


def test_a_lost_answer_is_looked_up_and_not_sent_again(world: World, people: People) -> None:
    world.settings.EXECUTION_SETTLE_SECONDS = 0.1
    proposal = proposed(world, people)
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    world.sandbox.faults.add("lose_answer", method="PUT", path="backup_schedule")
    run_to_end(run_of(proposal))
    sent = [call for call in world.sandbox.calls("PUT") if world.branch_id in call["path"]]
    assert [intent.outcome for intent in Intent.objects.order_by("number")] == ["applied", "applied"]
    assert len(sent) == 2, "one by hand at the beginning, one by the worker"


def test_a_history_window_is_never_made_shorter(world: World, people: People) -> None:
    declared(world, people, WantedBackups((Rule("weekly", 3, 1, 14 * DAY),), DAY))
    proposal = propose_plan(actor=people.alice.actor, branch_id=world.branch.pk, reason=WHY)
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    run_to_end(run_of(proposal))
    assert world.api.get()["project"]["history_retention_seconds"] == 7 * DAY


def test_what_the_plan_does_not_allow_is_told(world: World, people: People) -> None:
    proposal = proposed(world, people)
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    world.sandbox.faults.add("status", method="PUT", path="backup_schedule", status=403, message="not on this plan")
    run = run_to_end(run_of(proposal))
    assert run.outcome_code == "refused"
    assert LedgerEvent.objects.filter(type="backup.not_applied").count() == 1


def test_it_waits_for_a_production_restore(world: World, people: People) -> None:
    proposal = proposed(world, people)
    confirm_plan(actor=people.bob.actor, proposal_id=proposal.pk)
    request = approved_restore(world, people)
    run = run_once(run_of(proposal))
    assert request.reference in run.waiting_for
    assert not Intent.objects.exists()


def test_a_proposal_is_taken_back_by_its_author(world: World, people: People) -> None:
    proposal = proposed(world, people)
    assert refuse_plan(actor=people.alice.actor, proposal_id=proposal.pk).refused_at is not None


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (Rule("hourly", 2), "daily, weekly or monthly"),
        (Rule("daily"), "an hour"),
        (Rule("weekly", 2), "a day from 1 to 7"),
        (Rule("monthly", 2, 32), "a day from 1 to 31"),
        (Rule("daily", 2, None, 60), "an hour to 35 days"),
    ],
)
def test_a_rule_that_neon_would_not_take_is_refused_beside_the_field(
    world: World, people: People, rule: Rule, problem: str
) -> None:
    assert any(problem in each for each in problems_with(WantedBackups((rule,), DAY)))
    with pytest.raises(InvalidInput, match=problem):
        declare_backups(
            actor=people.bob.actor, branch_id=world.branch.pk, wanted=WantedBackups((rule,), DAY), reason=WHY
        )


def test_drift_knows_no_order_and_neons_own_retention() -> None:
    one, two = Rule("daily", 2), Rule("weekly", 3, 1, 7 * DAY)
    assert drift(wanted=[one, two], found=[two, Rule("daily", 2, None, 35 * DAY)]).is_none
    assert drift(wanted=[one], found=[]).missing
