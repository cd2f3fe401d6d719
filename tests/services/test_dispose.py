from __future__ import annotations

import datetime as dt

import pytest

from backups.models import Execution, LedgerEvent, OwnedBranch, Project, ProtectedBranch, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.dispose import dispose_due_branches
from backups.services.look import close_look, open_look
from backups.services.neon_access import client_for
from backups.services.restore.votes import withdraw_request
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_once, run_to_end
from tests.services.test_look import half_an_hour_ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def prepared(branch: ProtectedBranch, people: factories.People) -> RestoreRequest:
    """A request that waits for votes, with its copy."""
    request = factories.submitted(people.alice, branch)
    run_to_end(Execution.objects.get(request=request, purpose="prepare"))
    request.refresh_from_db()
    assert request.state == "pending"
    return request


@pytest.fixture
def withdrawn(prepared: RestoreRequest, people: factories.People) -> RestoreRequest:
    withdraw_request(actor=people.alice.actor, request_id=prepared.pk)
    return prepared


def removal() -> Execution:
    return Execution.objects.filter(purpose="dispose").latest("pk")


def names(sandbox: RunningSandbox) -> set[str]:
    project = Project.objects.get()
    with client_for(project, correlation="tests") as client:
        return {branch.name for branch in client.branches.list(sandbox.project_id)}


def deletions(sandbox: RunningSandbox) -> int:
    return len(sandbox.calls("DELETE"))


def test_a_copy_stays_while_its_request_is_open(sandbox: RunningSandbox, prepared: RestoreRequest) -> None:
    assert dispose_due_branches() == 0
    assert prepared.preview_name in names(sandbox)


def test_a_copy_goes_when_its_request_has_ended(sandbox: RunningSandbox, withdrawn: RestoreRequest) -> None:
    assert (dispose_due_branches(), dispose_due_branches()) == (1, 0)
    run = run_to_end(removal())
    owned = OwnedBranch.objects.get(request=withdrawn)
    assert (run.outcome_code, owned.fate) == ("removed", "gone")
    assert names(sandbox) == {"main"}
    assert LedgerEvent.objects.filter(type="execution.cleaned_up").count() == 1
    assert dispose_due_branches() == 0


def test_the_copy_of_an_older_revision_goes(
    sandbox: RunningSandbox, prepared: RestoreRequest, people: factories.People
) -> None:
    older = prepared.preview_name
    RestoreRequest.objects.filter(pk=prepared.pk).update(revision=2)
    assert dispose_due_branches() == 1
    run_to_end(removal())
    assert older not in names(sandbox)


def test_it_yields_to_production(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch, people: factories.People
) -> None:
    assert dispose_due_branches() == 1
    other = factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    run = run_once(removal())
    assert run.waiting_for == f"{other.reference}, which restores production"
    assert deletions(sandbox) == 0


def test_nothing_begins_while_production_is_about_to_be_restored(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch, people: factories.People
) -> None:
    factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    assert dispose_due_branches() == 0


def test_a_branch_that_somebody_renamed_is_left_alone(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch
) -> None:
    owned = OwnedBranch.objects.get(request=withdrawn)
    with client_for(branch.project, correlation="tests") as client:
        client.branches.update(sandbox.project_id, owned.neon_branch_id, name="kept-for-the-review")
    dispose_due_branches()
    run = run_to_end(removal())
    assert run.outcome_code == "not_ours"
    assert "kept-for-the-review" in names(sandbox)
    assert deletions(sandbox) == 0
    assert dispose_due_branches() == 0


def test_a_protected_branch_is_left_alone(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch
) -> None:
    owned = OwnedBranch.objects.get(request=withdrawn)
    with client_for(branch.project, correlation="tests") as client:
        client.branches.update(sandbox.project_id, owned.neon_branch_id, never_expires=True)
        client.branches.update(sandbox.project_id, owned.neon_branch_id, protected=True)
    dispose_due_branches()
    assert run_to_end(removal()).outcome_code == "not_ours"
    assert deletions(sandbox) == 0


def test_a_branch_that_the_portal_did_not_make_is_never_looked_at(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch
) -> None:
    with client_for(branch.project, correlation="tests") as client:
        client.branches.create(sandbox.project_id, name="preview_R-9999_1", parent_id=branch.neon_branch_id)
    dispose_due_branches()
    run_to_end(removal())
    assert names(sandbox) == {"main", "preview_R-9999_1"}


def test_what_neon_removed_already_is_noted(
    sandbox: RunningSandbox, withdrawn: RestoreRequest, branch: ProtectedBranch
) -> None:
    owned = OwnedBranch.objects.get(request=withdrawn)
    with client_for(branch.project, correlation="tests") as client:
        client.branches.delete(sandbox.project_id, owned.neon_branch_id)
    before = deletions(sandbox)
    dispose_due_branches()
    assert run_to_end(removal()).outcome_code == "gone"
    assert deletions(sandbox) == before
    owned.refresh_from_db()
    assert owned.fate == "gone"


def test_a_copy_whose_answer_was_lost_is_found_by_its_name(sandbox: RunningSandbox, withdrawn: RestoreRequest) -> None:
    OwnedBranch.objects.filter(request=withdrawn).update(fate="intended", neon_branch_id="")
    dispose_due_branches()
    assert run_to_end(removal()).outcome_code == "removed"
    assert names(sandbox) == {"main"}


def test_a_lost_answer_to_the_removal_is_looked_up(sandbox: RunningSandbox, withdrawn: RestoreRequest) -> None:
    sandbox.faults.add("lose_answer", method="DELETE")
    dispose_due_branches()
    assert run_to_end(removal()).outcome_code == "removed"
    assert names(sandbox) == {"main"}


def test_a_refused_removal_rests_before_it_is_tried_again(sandbox: RunningSandbox, withdrawn: RestoreRequest) -> None:
    sandbox.faults.add("status", method="DELETE", status=422, message="branch has children")
    dispose_due_branches()
    assert run_to_end(removal()).outcome_code == "refused"
    assert LedgerEvent.objects.filter(type="execution.cleanup_failed").count() == 1
    assert dispose_due_branches() == 0
    Execution.objects.filter(purpose="dispose").update(finished_at=database_now() - dt.timedelta(minutes=6))
    assert dispose_due_branches() == 1
    assert run_to_end(removal()).outcome_code == "removed"


def test_a_handed_over_copy_is_never_removed(sandbox: RunningSandbox, withdrawn: RestoreRequest) -> None:
    OwnedBranch.objects.filter(request=withdrawn).update(fate="handed_over", expires_at=database_now())
    assert dispose_due_branches() == 1
    assert run_to_end(removal()).outcome_code == "kept"
    assert deletions(sandbox) == 0
    assert dispose_due_branches() == 0


def test_a_closed_look_is_removed(sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People) -> None:
    look = open_look(actor=people.alice.actor, branch_id=branch.pk, point=half_an_hour_ago())
    run_to_end(Execution.objects.get(look=look))
    assert dispose_due_branches() == 0
    close_look(actor=people.alice.actor, look_id=look.pk)
    assert dispose_due_branches() == 1
    run_to_end(removal())
    assert names(sandbox) == {"main"}
    assert LedgerEvent.objects.filter(type="look.removed").count() == 1
