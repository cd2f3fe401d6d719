from __future__ import annotations

import datetime as dt

import pytest

from backups.domain.restore import PointKind, RestorePoint
from backups.models import Execution, LedgerEvent, Look, OwnedBranch, Project, ProtectedBranch
from backups.selectors.clock import database_now
from backups.services.look import close_due_looks, close_look, open_look
from backups.services.restore.errors import InvalidInput, Refused
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_once, run_to_end

pytestmark = pytest.mark.django_db


def half_an_hour_ago() -> RestorePoint:
    return RestorePoint(PointKind.TIMESTAMP, at=database_now() - dt.timedelta(minutes=30))


def opened(by: factories.Person, branch: ProtectedBranch) -> Look:
    return open_look(actor=by.actor, branch_id=branch.pk, point=half_an_hour_ago())


def run_of(look: Look) -> Execution:
    return Execution.objects.get(look=look)


def events(kind: str) -> int:
    return LedgerEvent.objects.filter(type=kind).count()


def test_it_needs_no_request_and_no_vote(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    look = opened(people.alice, branch)
    run = run_to_end(run_of(look))
    look.refresh_from_db()
    assert (run.outcome_code, look.state) == ("ready", "ready")
    assert look.facts["databases"][0]["rows"] == {"public.visits": 50}
    (call,) = sandbox.calls("POST", "/branches")
    assert call["body"]["branch"]["name"] == look.copy_name
    assert call["body"]["branch"]["expires_at"]
    assert (events("look.requested"), events("look.ready")) == (1, 1)


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_who_may_not_look_is_refused_and_the_refusal_recorded(
    branch: ProtectedBranch, people: factories.People, name: str
) -> None:
    with pytest.raises(Refused, match="does not let you take a look"):
        opened(getattr(people, name), branch)
    assert (Look.objects.count(), events("access.refused")) == (0, 1)


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [(dt.timedelta(minutes=1), "in the future"), (dt.timedelta(days=-3), "Neon can go back only to")],
)
def test_a_moment_that_cant_be_seen_is_said_beside_the_field(
    branch: ProtectedBranch, people: factories.People, offset: dt.timedelta, sentence: str
) -> None:
    point = RestorePoint(PointKind.TIMESTAMP, at=database_now() + offset)
    with pytest.raises(InvalidInput) as refused:
        open_look(actor=people.alice.actor, branch_id=branch.pk, point=point)
    assert sentence in refused.value.errors["point"]
    assert not Execution.objects.exists()


def test_it_waits_while_production_is_about_to_be_restored(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    Project.objects.update(history_retention_seconds=86_400)
    request = factories.approve(factories.pending(people.alice, branch), people.bob, people.carol)
    assert request.state == "approved"
    run = run_once(run_of(opened(people.alice, branch)))
    assert run.waiting_for == f"{request.reference}, which restores production"
    assert not sandbox.calls("POST")


def test_a_refusal_by_neon_ends_it_with_neons_words(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    sandbox.faults.add("status", method="POST", path="/branches$", status=422, message="branches limit exceeded")
    look = opened(people.alice, branch)
    run_to_end(run_of(look))
    look.refresh_from_db()
    assert look.state == "failed"
    assert "branches limit exceeded" in look.problem
    assert "Nothing was changed" in look.problem
    assert events("look.failed") == 1


def test_a_lost_answer_makes_no_second_copy(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    sandbox.faults.add("lose_answer", method="POST", path="/branches$")
    run_to_end(run_of(opened(people.alice, branch)))
    assert len(sandbox.calls("POST", "/branches")) == 1


def test_neon_failing_to_make_it_is_told(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    sandbox.faults.add("operation_fails", method="POST", path="/branches$", final=True)
    look = opened(people.alice, branch)
    run_to_end(run_of(look))
    look.refresh_from_db()
    assert (look.state, "could not make the copy" in look.problem) == ("failed", True)


def test_a_copy_that_takes_no_connection_is_given_up_after_a_minute(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    sandbox.settings(connection_uri="postgresql://carecircle_owner@127.0.0.1:1/carecircle?connect_timeout=1")
    look = opened(people.alice, branch)
    run = run_once(run_of(look))
    assert run.waiting_for == "the copy to take connections"
    run.memory["copy"]["asked_at"] = (database_now() - dt.timedelta(seconds=61)).isoformat()
    run.save(update_fields=["memory"])
    run_once(run)
    look.refresh_from_db()
    assert (look.state, "No connection" in look.problem) == ("failed", True)


def test_closing_it_drops_what_a_worker_still_finds(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    look = opened(people.alice, branch)
    close_look(actor=people.bob.actor, look_id=look.pk)
    run = run_once(run_of(look))
    look.refresh_from_db()
    assert (look.state, run.outcome_code) == ("closed", "closed")
    assert not OwnedBranch.objects.exists()


def test_it_closes_when_its_time_is_over(
    sandbox: RunningSandbox, branch: ProtectedBranch, people: factories.People
) -> None:
    look = opened(people.alice, branch)
    assert close_due_looks() == 0
    Look.objects.filter(pk=look.pk).update(expires_at=database_now())
    assert (close_due_looks(), close_due_looks()) == (1, 0)
    look.refresh_from_db()
    assert look.state == "closed"
