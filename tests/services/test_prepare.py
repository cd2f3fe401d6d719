from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models import F

from backups.domain.execution import BranchFate
from backups.domain.restore import PointKind, RestorePoint
from backups.models import Execution, LedgerEvent, OwnedBranch, ProtectedBranch, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.bound_facts import read_bound_facts
from backups.services.dispose import dispose_due_branches
from backups.services.neon_access import client_for
from backups.services.restore.draft import draft_undo, submit_request
from backups.services.restore.votes import withdraw_request
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_once, run_to_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(branch: ProtectedBranch, people: factories.People) -> RestoreRequest:
    return factories.submitted(people.alice, branch)


def run_of(request: RestoreRequest) -> Execution:
    return Execution.objects.get(request=request, purpose="prepare", revision=request.revision)


def make_older(run: Execution, seconds: float) -> None:
    """As if the request had been submitted that much earlier."""
    by = dt.timedelta(seconds=seconds)
    Execution.objects.filter(pk=run.pk).update(created_at=F("created_at") - by, deadline_at=F("deadline_at") - by)
    run.refresh_from_db()


def unknown(request: RestoreRequest) -> dict[str, str]:
    assert request.packet is not None
    return {item["what"]: item["why"] for item in request.packet.observed["unknown"]}


def made_copies(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [call for call in sandbox.calls("POST", "/branches") if call["applied"]]


def test_it_publishes_the_facts(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    run = run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert (run.outcome_code, request_.state) == ("published", "pending")
    assert request_.packet is not None
    assert request_.packet.bound["databases"] == ["carecircle"]
    assert request_.packet.bound["votes_needed"] == 2
    assert request_.packet.observed["root_branches"] == {"used": 1, "cap": 5}
    assert request_.packet.observed["history_left_seconds"] > 3600
    assert request_.packet.observed["rehearsal"]["outcome"] == "passed"
    assert unknown(request_) == {}
    assert "No row written since was found." in request_.packet.consequence


def test_what_cant_be_connected_to_is_unknown_with_its_reason(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    sandbox.settings(connection_uri="postgresql://carecircle_owner@127.0.0.1:1/carecircle?connect_timeout=1")
    run = run_once(run_of(request_))
    assert (run.step, run.waiting_for) == ("compare", "the copy at the restore point")
    make_older(run, 50)
    run_to_end(run)
    request_.refresh_from_db()
    assert request_.state == "pending"
    assert "No connection to 127.0.0.1:1/carecircle" in unknown(request_)["tables at the point"]
    assert "No connection to 127.0.0.1:1/carecircle" in unknown(request_)["sessions"]
    assert request_.packet is not None
    assert "How many rows written since are discarded is unknown" in request_.packet.consequence
    assert request_.packet.observed["rehearsal"]["outcome"] is None


def test_the_copy_is_owned_expires_after_the_votes_and_names_the_request(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    run_to_end(run_of(request_))
    owned = OwnedBranch.objects.get(request=request_)
    assert (owned.name, owned.fate, owned.purpose) == (request_.preview_name, "present", "preview")
    assert owned.expires_at is not None
    assert dt.timedelta(hours=6.5) < owned.expires_at - database_now() < dt.timedelta(days=30)
    (call,) = made_copies(sandbox)
    assert call["body"]["annotation_value"] == {"made-by": "carecircle-ops", "request": request_.reference}
    assert call["body"]["endpoints"][0]["type"] == "read_write"


def test_our_own_copy_is_no_child_and_other_peoples_branches_are(
    sandbox: RunningSandbox, request_: RestoreRequest, branch: ProtectedBranch
) -> None:
    run_to_end(run_of(request_))
    with client_for(branch.project, correlation="tests") as client:
        client.branches.create(sandbox.project_id, name="staging", parent_id=branch.neon_branch_id)
        facts = read_bound_facts(client, RestoreRequest.objects.get(pk=request_.pk))
    assert [child.split(" ")[0] for child in facts.children] == ["staging"]


def test_a_copy_leaves_children_and_preserved_name_out_of_its_facts(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    request = factories.submitted(people.alice, branch, kind=factories.RestoreKind.NEW_BRANCH)
    with client_for(branch.project, correlation="tests") as client:
        client.branches.create(sandbox.project_id, name="staging", parent_id=branch.neon_branch_id)
        facts = read_bound_facts(client, request)
    assert (facts.children, facts.preserve_name, facts.votes_needed) == ((), "", 1)


def test_a_renamed_branch_is_seen_before_its_name_is_bound(
    sandbox: RunningSandbox, branch: ProtectedBranch, request_: RestoreRequest
) -> None:
    with client_for(branch.project, correlation="tests") as client:
        client.branches.update(sandbox.project_id, branch.neon_branch_id, name="production")
    run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert request_.packet is not None
    assert request_.packet.bound["branch_name"] == "production"
    assert request_.packet.bound["preserve_name"] == f"production_before_{request_.reference}"


def test_a_lost_answer_is_looked_up_and_the_copy_made_once(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    sandbox.faults.add("lose_answer", method="POST", path="/branches$")
    run_to_end(run_of(request_))
    assert len(made_copies(sandbox)) == 1
    assert OwnedBranch.objects.get(request=request_).fate == BranchFate.PRESENT
    assert LedgerEvent.objects.filter(type="execution.adopted").count() == 1


def test_a_namesake_is_neither_read_as_the_point_nor_removed(
    sandbox: RunningSandbox, branch: ProtectedBranch, request_: RestoreRequest, people: factories.People
) -> None:
    with client_for(branch.project, correlation="tests") as client:
        client.branches.create(sandbox.project_id, name=request_.preview_name, parent_id=branch.neon_branch_id)
    run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert "no copy could be made" in unknown(request_)["tables at the point"]
    withdraw_request(actor=people.alice.actor, request_id=request_.pk)
    assert dispose_due_branches() == 1
    removal = run_to_end(Execution.objects.get(purpose="dispose"))
    assert removal.outcome_code == "not_ours"
    assert not sandbox.calls("DELETE")


def test_neon_busy_delays_the_copy_and_then_it_is_made(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    sandbox.faults.add("status", method="POST", path="/branches$", times=2, status=423)
    run = run_once(run_of(request_))
    assert run.waiting_for == "Neon to finish other work in this project"
    run_to_end(run)
    assert len(made_copies(sandbox)) == 1


def test_neon_busy_for_too_long_means_a_packet_without_the_point(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    sandbox.faults.add("status", method="POST", path="/branches$", times=None, status=423)
    run = run_once(run_of(request_))
    make_older(run, 30)
    run_to_end(run)
    request_.refresh_from_db()
    assert request_.state == "pending"
    assert "no copy could be made" in unknown(request_)["tables at the point"]
    assert unknown(request_)["rehearsal"] == "there is no copy to rehearse on"
    assert request_.packet is not None
    assert request_.packet.observed["rehearsal"]["outcome"] is None


def test_a_full_plan_is_a_reason_and_not_the_end(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    sandbox.faults.add("status", method="POST", path="/branches$", status=422, message="branches limit exceeded")
    run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert request_.state == "pending"
    assert "branches limit exceeded" in unknown(request_)["tables at the point"]


def test_a_point_that_neon_refuses_goes_back_to_its_writer(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    sandbox.faults.add("status", method="POST", path="/branches$", status=400, message="lsn is beyond the head")
    request = factories.submitted(people.alice, branch, point=RestorePoint(PointKind.LSN, lsn="F/FFFFFF"))
    run = run_to_end(run_of(request))
    request.refresh_from_db()
    assert (run.outcome_code, request.state) == ("point_refused", "draft")
    assert "lsn is beyond the head" in request.outcome_sentence


def test_a_late_worker_publishes_what_it_still_can(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    run = run_of(request_)
    make_older(run, 3600)
    run_to_end(run)
    request_.refresh_from_db()
    assert request_.state == "pending"
    assert not made_copies(sandbox)
    assert "the time ended while waiting for Neon" in unknown(request_)["tables at the point"]


def test_without_bound_facts_at_the_deadline_the_draft_goes_back(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    sandbox.faults.add("status", method="GET", path="/databases$", times=None, status=503)
    run = run_once(run_of(request_))
    assert (run.step, run.state) == ("facts", "active")
    make_older(run, 60)
    run_once(run)
    request_.refresh_from_db()
    assert (run.state, request_.state, request_.outcome_code) == ("finished", "draft", "deadline")
    assert "submit it again" in request_.outcome_sentence


def test_a_rejected_key_is_said_at_once(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    sandbox.faults.add("revoke_key", path="/projects")
    run_once(run_of(request_))
    request_.refresh_from_db()
    assert (request_.state, request_.outcome_code) == ("draft", "key_rejected")
    assert sandbox.api_key not in request_.outcome_sentence


def test_a_branch_that_is_gone_is_said_at_once(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    request = factories.submitted(people.alice, branch)
    RestoreRequest.objects.filter(pk=request.pk).update(source_branch_id="br-gone-gone-00000000")
    run_once(run_of(request))
    request.refresh_from_db()
    assert (request.state, request.outcome_code) == ("draft", "not_found")


def test_a_point_that_left_the_history_goes_back(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    RestoreRequest.objects.filter(pk=request_.pk).update(point_at=database_now() - dt.timedelta(days=2))
    run_once(run_of(request_))
    request_.refresh_from_db()
    assert (request_.state, request_.outcome_code) == ("draft", "point_too_old")


def test_a_withdrawn_request_gets_no_packet(
    sandbox: RunningSandbox, request_: RestoreRequest, people: factories.People
) -> None:
    run = run_of(request_)
    withdraw_request(actor=people.alice.actor, request_id=request_.pk, reason="found another way")
    run_once(run)
    request_.refresh_from_db()
    assert (request_.state, request_.packet) == ("withdrawn", None)
    assert not made_copies(sandbox)


def test_every_change_at_neon_has_an_earlier_intent_and_an_owner(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    run = run_to_end(run_of(request_))
    (intent,) = run.intents.all()
    (call,) = made_copies(sandbox)
    owned = OwnedBranch.objects.get(name=intent.name)
    assert owned.created_at <= intent.settled_at
    assert call["body"]["branch"]["name"] == intent.name


def test_no_copy_is_made_while_production_is_being_restored(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    other = factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    RestoreRequest.objects.filter(pk=other.pk).update(state="running", running_at=database_now())
    request = factories.submitted(people.alice, branch)
    run = run_once(run_of(request))
    assert run.waiting_for == f"{other.reference}, which restores production"
    make_older(run, 40)
    run_to_end(run)
    request.refresh_from_db()
    assert not made_copies(sandbox)
    assert f"waiting for {other.reference}" in unknown(request)["tables at the point"]


@pytest.fixture
def restored(sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People) -> RestoreRequest:
    """A restore that Neon has carried out, with the state before it kept."""
    request = factories.submitted(people.alice, branch)
    factories.publish(request)
    with client_for(branch.project, correlation="tests") as client:
        client.branches.restore(
            sandbox.project_id,
            target_branch_id=branch.neon_branch_id,
            source_branch_id=branch.neon_branch_id,
            source_timestamp=request.point_at,
            preserve_under_name=request.preserve_name,
        )
        kept = client.branches.find_by_name(sandbox.project_id, request.preserve_name)
    assert kept is not None
    now = database_now()
    OwnedBranch.objects.create(
        project=branch.project,
        name=kept.name,
        neon_branch_id=kept.id,
        purpose="preserved",
        fate="present",
        owner_name="alice",
        request=request,
    )
    RestoreRequest.objects.filter(pk=request.pk).update(
        state="completed", approved_at=now, submitted_to_neon_at=now, connectable_at=now, closed_at=now
    )
    return RestoreRequest.objects.get(pk=request.pk)


def test_an_undo_is_prepared_from_the_head_of_the_preserved_branch(
    sandbox: RunningSandbox, restored: RestoreRequest, people: factories.People
) -> None:
    undo = draft_undo(actor=people.alice.actor, request_id=restored.pk, reason="It was the wrong point")
    undo = submit_request(actor=people.alice.actor, request_id=undo.pk)
    run_to_end(run_of(undo))
    undo.refresh_from_db()
    assert undo.packet is not None
    assert (undo.packet.bound["point"], undo.packet.bound["votes_needed"]) == ("head", 1)
    assert undo.packet.bound["source_branch_id"] == undo.source_branch_id
    assert undo.packet.bound["children"] == []
    (call,) = made_copies(sandbox)
    assert call["body"]["branch"]["parent_id"] == undo.source_branch_id
    assert "parent_timestamp" not in call["body"]["branch"]
    assert f"what is kept in {restored.preserve_name}" in undo.packet.consequence
    assert f"kept as {undo.preserve_name}" in undo.packet.consequence
