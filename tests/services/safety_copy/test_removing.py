"""What is kept goes after its time, or when two people agree; nothing of anybody else's ever does."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from backups.domain.safety_copy import CopyKind, CopyState
from backups.models import Execution, LedgerEvent, OwnedBranch, ProtectedBranch, RemovalRequest, SafetyCopy
from backups.neon.snapshots import Snapshot
from backups.selectors.clock import database_now
from backups.services.afterwards.removal import (
    ask_removal_of_copy,
    ask_removal_of_state,
    confirm_removal,
    drop_removal,
)
from backups.services.dispose import dispose_due_branches
from backups.services.execution import seal
from backups.services.execution.advance import advance
from backups.services.neon_access import client_for
from backups.services.restore.draft import draft_undo
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.safety_copy.prune import prune_due_copies
from neon_sandbox.testing import RunningSandbox
from tests.factories import People
from tests.services.safety_copy.test_making import asked, events, made
from tests.services.sandboxes import run_to_end
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db
PRUNE = {CopyKind.SNAPSHOT: prune_due_copies, CopyKind.BRANCH: dispose_due_branches}
PURPOSE = {CopyKind.SNAPSHOT: "prune", CopyKind.BRANCH: "dispose"}


def removal_run(kind: CopyKind) -> Execution:
    return Execution.objects.filter(purpose=PURPOSE[kind]).latest("pk")


def names_at_neon(copy: SafetyCopy) -> set[str]:
    project = copy.branch.project
    with client_for(project, correlation="tests") as client:
        taken: tuple[Snapshot, ...] = client.snapshots.list(project.neon_project_id)
        branches = client.branches.list(project.neon_project_id)
    return {each.name for each in taken} | {each.name for each in branches}


def end_retention(copy: SafetyCopy) -> None:
    """As if its days were over by the portal's clock; Neon's own has not moved."""
    past = database_now() - dt.timedelta(minutes=1)
    SafetyCopy.objects.filter(pk=copy.pk).update(expires_at=past, created_at=past - dt.timedelta(days=7))
    OwnedBranch.objects.filter(safety_copy=copy).update(expires_at=past)


@pytest.mark.parametrize("kind", list(CopyKind))
def test_it_goes_after_its_retention(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    sandbox.take_snapshot(name="safety-main-by-hand")
    copy = made(asked(people, branch, kind))
    assert PRUNE[kind]() == 0
    end_retention(copy)
    assert (PRUNE[kind](), PRUNE[kind]()) == (1, 0)
    run = run_to_end(removal_run(kind))
    copy.refresh_from_db()
    assert (run.outcome_code, copy.state) == ("removed", CopyState.GONE)
    assert names_at_neon(copy) == {"main", "safety-main-by-hand"}
    assert (events("copy.gone"), PRUNE[kind]()) == (1, 0)


@pytest.mark.parametrize("kind", list(CopyKind))
def test_what_somebody_renamed_is_left_alone(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    copy = made(asked(people, branch, kind))
    with client_for(branch.project, correlation="tests") as client:
        if kind is CopyKind.SNAPSHOT:
            client.snapshots.update(sandbox.project_id, copy.neon_id, name="mine now")
        else:
            client.branches.update(sandbox.project_id, copy.neon_id, name="mine now")
    end_retention(copy)
    PRUNE[kind]()
    run_to_end(removal_run(kind))
    copy.refresh_from_db()
    assert copy.state == CopyState.LEFT
    assert "mine now" in names_at_neon(copy)
    assert (events("copy.left"), PRUNE[kind]()) == (1, 0)


def test_a_namesake_with_another_id_is_left_alone(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People
) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    with client_for(branch.project, correlation="tests") as client:
        client.snapshots.delete(sandbox.project_id, copy.neon_id)
    while copy.name in names_at_neon(copy):
        pass
    sandbox.take_snapshot(name=copy.name)
    deletions = len(sandbox.calls("DELETE"))
    end_retention(copy)
    prune_due_copies()
    run_to_end(removal_run(CopyKind.SNAPSHOT))
    copy.refresh_from_db()
    assert (copy.state, copy.name in names_at_neon(copy)) == (CopyState.GONE, True)
    assert len(sandbox.calls("DELETE")) == deletions


def test_a_lost_answer_of_the_deletion_is_looked_up(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People
) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    end_retention(copy)
    sandbox.faults.add("lose_answer", method="DELETE", path="/snapshots/")
    prune_due_copies()
    run_to_end(removal_run(CopyKind.SNAPSHOT))
    copy.refresh_from_db()
    assert copy.state == CopyState.GONE


def test_a_removal_that_neon_refuses_is_tried_again_later(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People
) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    end_retention(copy)
    sandbox.faults.add("status", method="DELETE", path="/snapshots/", status=400)
    prune_due_copies()
    run = run_to_end(removal_run(CopyKind.SNAPSHOT))
    assert (run.outcome_code, prune_due_copies()) == ("refused", 0)
    copy.refresh_from_db()
    assert copy.state == CopyState.MADE
    Execution.objects.filter(pk=run.pk).update(finished_at=database_now() - dt.timedelta(minutes=6))
    assert prune_due_copies() == 1


@pytest.mark.parametrize("kind", list(CopyKind))
def test_inside_its_retention_it_takes_two_people(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind
) -> None:
    copy = made(asked(people, branch, kind))
    removal = ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="The migration is done.")
    assert PRUNE[kind]() == 0
    with pytest.raises(Refused, match="somebody else"):
        confirm_removal(actor=people.alice.actor, removal_id=removal.pk)
    confirm_removal(actor=people.bob.actor, removal_id=removal.pk)
    assert PRUNE[kind]() == 1
    run_to_end(removal_run(kind))
    copy.refresh_from_db()
    assert copy.state == CopyState.GONE
    assert [events(f"removal.{act}") for act in ("asked", "confirmed")] == [1, 1]


@pytest.mark.parametrize("kind", list(CopyKind))
def test_what_two_people_agreed_on_waits_for_its_seal(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: People, kind: CopyKind, settings, monkeypatch
) -> None:
    copy = made(asked(people, branch, kind))
    removal = ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="The migration is done.")
    confirm_removal(actor=people.bob.actor, removal_id=removal.pk)
    settings.SEAL_BEFORE_ACT = True
    PRUNE[kind]()
    run = removal_run(kind)
    advance(run.pk)
    run.refresh_from_db()
    assert run.waiting_for == seal.WAITING_FOR_SEAL
    assert copy.name in names_at_neon(copy)
    Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
    monkeypatch.setattr(seal, "unsealed_among", lambda events: set())
    run_to_end(run)
    assert copy.name not in names_at_neon(copy)


def test_the_database_wants_two_people_too(branch: ProtectedBranch, people: People) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    removal = ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="x")
    alone = {"confirmed_by": people.alice.user, "confirmed_by_name": "alice", "confirmed_at": database_now()}
    with pytest.raises(IntegrityError, match="removal_two_people"), transaction.atomic():
        RemovalRequest.objects.filter(pk=removal.pk).update(**alone)


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_others_neither_ask_nor_confirm(branch: ProtectedBranch, people: People, name: str) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    who = getattr(people, name).actor
    with pytest.raises(Refused, match="Your role"):
        ask_removal_of_copy(actor=who, safety_copy_id=copy.pk, reason="x")
    removal = ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="x")
    for act in (confirm_removal, drop_removal):
        with pytest.raises(Refused, match="Your role"):
            act(actor=who, removal_id=removal.pk)
    assert events("access.refused") == 3


def test_a_wish_can_be_dropped_and_made_again(branch: ProtectedBranch, people: People) -> None:
    copy = made(asked(people, branch, CopyKind.SNAPSHOT))
    with pytest.raises(InvalidInput, match="Say why"):
        ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason=" ")
    first = ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="x")
    with pytest.raises(Refused, match="already"):
        ask_removal_of_copy(actor=people.bob.actor, safety_copy_id=copy.pk, reason="x")
    drop_removal(actor=people.bob.actor, removal_id=first.pk)
    with pytest.raises(Refused, match="decided"):
        confirm_removal(actor=people.bob.actor, removal_id=first.pk)
    ask_removal_of_copy(actor=people.alice.actor, safety_copy_id=copy.pk, reason="x")
    assert prune_due_copies() == 0


# --- The state before a restore -----------------------------------------------------------------------------------


def kept_state(people: People) -> OwnedBranch:
    request = Scenes(people).completed()
    return OwnedBranch.objects.get(request=request, purpose="preserved")


def test_the_state_before_goes_only_when_two_people_agree_and_not_before_its_day(people: People) -> None:
    owned = kept_state(people)
    OwnedBranch.objects.filter(pk=owned.pk).update(expires_at=None)
    assert dispose_due_branches() == 0
    day = database_now() + dt.timedelta(days=2)
    removal = ask_removal_of_state(
        actor=people.alice.actor, owned_branch_id=owned.pk, reason="Nothing is missed.", not_before=day
    )
    confirm_removal(actor=people.carol.actor, removal_id=removal.pk)
    assert not Execution.objects.filter(purpose="dispose", owned_branch=owned).exists()
    dispose_due_branches()
    assert not Execution.objects.filter(purpose="dispose", owned_branch=owned).exists()


def test_at_once_means_with_the_next_clean_up(people: People) -> None:
    owned = kept_state(people)
    removal = ask_removal_of_state(actor=people.alice.actor, owned_branch_id=owned.pk, reason="Nothing is missed.")
    confirm_removal(actor=people.carol.actor, removal_id=removal.pk)
    dispose_due_branches()
    assert Execution.objects.filter(purpose="dispose", owned_branch=owned).count() == 1
    assert LedgerEvent.objects.filter(type="removal.confirmed").count() == 1


def test_what_an_undo_may_bring_back_stays(people: People) -> None:
    owned = kept_state(people)
    removal = ask_removal_of_state(actor=people.alice.actor, owned_branch_id=owned.pk, reason="Nothing is missed.")
    assert owned.request is not None
    undo = draft_undo(actor=people.alice.actor, request_id=owned.request.pk, reason="It was right before.")
    with pytest.raises(Refused, match=undo.reference):
        confirm_removal(actor=people.carol.actor, removal_id=removal.pk)
