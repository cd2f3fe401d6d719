"""No order that overwrites data goes out before its approvals are sealed and anchored."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from backups.domain.actions import Action
from backups.domain.restore import RequestState, RestoreKind
from backups.models import AnchorReceipt, Execution, Intent, LedgerEvent, LedgerLeaf, OutboxMessage, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore import allowed_actions
from backups.services.execution import seal
from backups.services.execution.advance import advance
from backups.services.monitor.controls.ledger import sealed as ledger_findings
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.unsealed import go_on_unsealed
from backups.services.sealing.errors import SealRefused
from backups.services.sealing.loop import SealerLoop, record_refusal_to_seal
from backups.services.sealing.watch import tell_of_refusals
from tests.services.execution.scene import Scene, work
from tests.support.dump import dump, put_back
from tests.support.sealing import SealedPortal, comment


@pytest.fixture
def sealed(scene: Scene, portal: SealedPortal, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SealedPortal:
    settings.SEAL_BEFORE_ACT = True
    settings.SEAL_WAIT_SECONDS = 0.3
    monkeypatch.setattr(seal, "_IN_STEP_SECONDS", 0.05)
    monkeypatch.setattr(seal, "_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(seal, "_FROZEN_AGAIN_SECONDS", 0.05)
    return portal


def pass_once(run: Execution) -> Execution:
    """One task of the worker, once the run is due."""
    Execution.objects.filter(pk=run.pk).update(next_attempt_at=None, lease_until=None)
    advance(run.pk)
    run.refresh_from_db()
    return run


def waited_in_vain(run: Execution) -> None:
    pass_once(run)
    time.sleep(0.35)
    pass_once(run)
    assert run.memory["seal_asked"]


def request_of(run: Execution) -> RestoreRequest:
    return RestoreRequest.objects.get(executions=run)


def orders() -> int:
    return Intent.objects.filter(kind="restore_branch").count()


def test_an_order_waits_until_its_approvals_are_sealed_and_anchored(scene: Scene, sealed: SealedPortal):
    run = pass_once(scene.started())
    assert run.waiting_for == seal.WAITING_FOR_SEAL
    assert not orders()
    sealed.seal()
    work(run)
    assert request_of(run).state == RequestState.COMPLETED
    anchored = AnchorReceipt.objects.order_by("-checkpoint_id").first().checkpoint_id
    votes = LedgerEvent.objects.filter(type__in=["request.voted", "request.approved", "request.started"])
    assert votes.count() >= 4
    assert LedgerLeaf.objects.filter(event__in=votes, index__lt=anchored).count() == votes.count()
    scene.assert_invariants()


def test_a_seal_without_an_anchor_is_not_enough(scene: Scene, sealed: SealedPortal):
    sealed.anchor.path.rmdir()
    run = scene.started()
    sealed.seal()
    pass_once(run)
    assert run.waiting_for == seal.WAITING_FOR_SEAL
    assert not orders()


def test_an_anchor_that_does_not_gate_is_not_enough(scene: Scene, sealed: SealedPortal, monkeypatch):
    monkeypatch.setattr(type(sealed), "anchor", type(sealed.anchor)(sealed.anchor.path, gates=False))
    run = scene.started()
    sealed.seal()
    assert AnchorReceipt.objects.exists()
    pass_once(run)
    assert not orders()


def test_after_a_while_a_person_is_asked_and_may_let_it_go_on(scene: Scene, sealed: SealedPortal):
    run, people = scene.started(), scene.people
    pass_once(run)
    assert Action.GO_ON_UNSEALED not in allowed_actions(people.bob.actor, request_of(run))
    waited_in_vain(run)
    assert run.waiting_for == seal.WAITING_FOR_PERSON
    assert LedgerEvent.objects.filter(type="request.seal_missing").count() == 1
    assert OutboxMessage.objects.filter(text__contains="its approvals are not sealed").exists()
    pass_once(run)
    assert LedgerEvent.objects.filter(type="request.seal_missing").count() == 1
    with pytest.raises(InvalidInput, match="why it can't wait"):
        go_on_unsealed(actor=people.bob.actor, request_id=request_of(run).pk, reason=" ")
    go_on_unsealed(actor=people.bob.actor, request_id=request_of(run).pk, reason="The disk of the anchor is full")
    assert LedgerEvent.objects.get(type="request.seal_waived").free_text.text == "The disk of the anchor is full"
    work(run)
    assert request_of(run).state == RequestState.COMPLETED


@pytest.mark.parametrize("who", ["alice", "dana", "erin", "charlie"])
def test_nobody_else_can_let_it_go_on(scene: Scene, sealed: SealedPortal, who: str):
    run = scene.started()
    waited_in_vain(run)
    with pytest.raises(Refused):
        go_on_unsealed(actor=getattr(scene.people, who).actor, request_id=request_of(run).pk, reason="I am in a hurry")
    pass_once(run)
    assert not orders()


def test_a_refusal_of_the_sealer_freezes_production(scene: Scene, sealed: SealedPortal):
    run = scene.started()
    sealed.seal()
    with sealed.as_sealer():
        record_refusal_to_seal(SealRefused("set_back", "The database holds 1 sealed events, but 2 were signed before."))
    pass_once(run)
    assert run.waiting_for == seal.FROZEN
    assert Action.GO_ON_UNSEALED not in allowed_actions(scene.people.bob.actor, request_of(run))
    assert not orders()
    assert tell_of_refusals() == 1
    assert tell_of_refusals() == 0
    assert LedgerEvent.objects.get(type="ledger.refused").members["data"]["refused"] == "set_back"
    assert OutboxMessage.objects.filter(text__contains="production is not restored").exists()
    sealed.as_superuser(
        "UPDATE backups_sealerrefusal SET resolved_at = now(), resolved_by_name = 'Erin', resolution = 'Newest copy'"
    )
    assert tell_of_refusals() == 1
    work(run)
    assert request_of(run).state == RequestState.COMPLETED


def test_a_database_that_was_set_back_freezes_production_and_says_why(
    scene: Scene, sealed: SealedPortal, client: Client
):
    """A real dump, put back after more was sealed. The sealer of the next moment notices by itself."""
    request = scene.published(scene.submitted())
    sealed.seal()
    old = dump(sealed.database, sealed.directory / "old.dump")
    comment()
    sealed.seal()
    put_back(sealed.database, old)
    with sealed.as_sealer():
        loop = SealerLoop(sealed.sealer())
        loop.stopping.set()  # so that it does not pause after the refusal
        loop._turn()
    request.refresh_from_db()
    run = pass_once(scene.started(scene.voted(request)))
    assert not orders()
    client.force_login(scene.people.carol.user)
    page = client.get(f"/restores/{request.pk}/").content.decode()
    assert "Waiting" in page or "Not started" in page
    assert seal.FROZEN in page
    assert "was set back to an earlier point" in page
    assert run.waiting_for == seal.FROZEN
    assert tell_of_refusals() == 1
    told = OutboxMessage.objects.filter(text__contains="production is not restored")
    assert told.exists()
    assert all("holds" in message.text for message in told)
    assert [found.subject for found in ledger_findings(database_now())] == ["refusal set_back"]


def test_a_restore_beside_the_branch_waits_for_no_seal(scene: Scene, sealed: SealedPortal):
    run = scene.started(kind=RestoreKind.NEW_BRANCH)
    work(run)
    assert request_of(run).state == RequestState.COMPLETED
