"""People who decide in the same instant: the row lock gives them an order, and each outcome is a legal one."""

from __future__ import annotations

import pytest

from backups.domain.restore import RequestState
from backups.models import RestoreRequest, Vote
from backups.services.restore.draft import edit_request
from backups.services.restore.errors import Refused
from backups.services.restore.votes import cast_vote
from tests import factories
from tests.factories import People, Person
from tests.support.at_once import at_once

pytestmark = pytest.mark.usefixtures("own_database")


@pytest.fixture
def everybody() -> People:
    people = People()
    assert people.all()
    return people


@pytest.fixture
def waiting(everybody: People) -> RestoreRequest:
    return factories.pending(everybody.alice, factories.branch())


def vote(request: RestoreRequest, who: Person, choice: Vote.Choice = Vote.Choice.APPROVE):
    actor, digest = who.actor, request.packet.digest
    return lambda: cast_vote(actor=actor, request_id=request.pk, digest=digest, choice=choice, reason="seen")


def states_of(request: RestoreRequest) -> list[str]:
    return [transition.to_state for transition in request.transitions.all()]


def test_two_managers_vote_at_once(everybody, waiting):
    assert at_once(vote(waiting, everybody.bob), vote(waiting, everybody.carol)) == [None, None]
    waiting.refresh_from_db()
    assert waiting.state == RequestState.APPROVED
    assert states_of(waiting) == ["preparing", "pending", "approved"]


def test_one_manager_clicks_twice(everybody, waiting):
    raised = at_once(vote(waiting, everybody.bob), vote(waiting, everybody.bob))
    assert sorted(type(error).__name__ for error in raised) == ["NoneType", "Refused"]
    waiting.refresh_from_db()
    assert waiting.state == RequestState.PENDING
    assert Vote.objects.count() == 1


def test_one_person_approves_and_rejects_at_once(everybody, waiting):
    factories.approve(waiting, everybody.bob)
    approve, reject = vote(waiting, everybody.carol), vote(waiting, everybody.carol, Vote.Choice.REJECT)
    raised = at_once(approve, reject)
    waiting.refresh_from_db()
    assert sum(error is None for error in raised) == 1, "one person, one vote"
    assert waiting.state == (RequestState.APPROVED if raised[0] is None else RequestState.REJECTED)


def test_two_people_approve_and_reject_at_once(everybody, waiting):
    raised = at_once(vote(waiting, everybody.bob), vote(waiting, everybody.carol, Vote.Choice.REJECT))
    waiting.refresh_from_db()
    assert waiting.state == RequestState.REJECTED, "one rejection ends it, whoever was first"
    assert raised[1] is None
    assert raised[0] is None or isinstance(raised[0], Refused)


def test_a_vote_against_an_edit(everybody, waiting):
    factories.approve(waiting, everybody.bob)
    alice, wish = everybody.alice.actor, factories.wish(waiting.branch, ticket="INC-900")
    voted, edited = at_once(
        vote(waiting, everybody.carol), lambda: edit_request(actor=alice, request_id=waiting.pk, wish=wish)
    )
    waiting.refresh_from_db()
    assert edited is None
    assert voted is None or isinstance(voted, Refused)
    assert waiting.state == RequestState.PREPARING
    assert waiting.packet is None
    assert "running" not in states_of(waiting)
