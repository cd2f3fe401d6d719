"""Who decides, on what, and until when."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from backups.domain.execution import Purpose
from backups.domain.people import SYSTEM, Role
from backups.domain.policy import Environment
from backups.domain.restore import RequestState, RestoreKind, StartMode, WritersStopped
from backups.models import Execution, LedgerEvent, OutboxMessage, RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.selectors.restore import eligible_voters, valid_approvals
from backups.services.people import set_roles, set_service_account
from backups.services.restore.draft import edit_request
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.start import start_request
from backups.services.restore.votes import cast_vote, comment_on_request, take_vote_back, withdraw_request
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_pending(people: People) -> RestoreRequest:
    assert people.bob
    assert people.carol
    return factories.pending(people.alice, factories.branch())


def vote(request: RestoreRequest, who, choice=Vote.Choice.APPROVE, reason="checked", digest=None):
    request.refresh_from_db()
    return cast_vote(
        actor=who.actor,
        request_id=request.pk,
        digest=digest or request.packet.digest,
        choice=choice,
        reason=reason,
    )


def test_two_managers_approve_production_and_the_start_waits_for_a_person(people, request_pending):
    vote(request_pending, people.bob)
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.PENDING
    vote(request_pending, people.carol)
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.APPROVED
    assert request_pending.start_mode == StartMode.BY_HAND
    assert not Execution.objects.filter(purpose=Purpose.RESTORE).exists()


def test_every_change_of_state_has_one_event_and_one_row_of_history(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    transitions = list(request_pending.transitions.all())
    assert [t.to_state for t in transitions] == ["preparing", "pending", "approved"]
    assert [t.from_state for t in transitions] == ["draft", "preparing", "pending"]
    events = LedgerEvent.objects.filter(pk__in=[t.event_id for t in transitions])
    assert {e.type for e in events} == {"request.submitted", "request.packet_built", "request.approved"}


def test_the_requester_never_votes(people, request_pending):
    set_roles(actor=SYSTEM, user_id=people.alice.user.pk, roles=[Role.ENGINEER, Role.MANAGER])
    with pytest.raises(Refused, match="somebody else must decide"):
        vote(request_pending, people.alice)
    assert not Vote.objects.exists()


def test_the_database_refuses_a_vote_by_the_requester_whatever_the_code_does(people, request_pending):
    with pytest.raises(IntegrityError, match="vote_never_by_requester"), transaction.atomic():
        Vote.objects.create(
            request=request_pending,
            packet=request_pending.packet,
            digest=request_pending.packet.digest,
            choice="approve",
            voter=people.alice.user,
            voter_name="alice",
            requester=people.alice.user,
            cast_at=database_now(),
        )


@pytest.mark.parametrize("name", ["alice", "dana", "erin", "charlie"])
def test_nobody_but_a_manager_votes(people, request_pending, name):
    with pytest.raises(Refused):
        vote(request_pending, getattr(people, name))
    assert not Vote.objects.exists()


def test_a_superuser_has_no_vote(people, request_pending):
    people.charlie.user.is_superuser = True
    people.charlie.user.save()
    with pytest.raises(Refused, match="role"):
        vote(request_pending, people.charlie)


def test_a_service_account_has_no_vote(people, request_pending):
    robot = factories.person("robot", Role.MANAGER)
    set_service_account(actor=SYSTEM, user_id=robot.user.pk, is_service=True)
    with pytest.raises(Refused):
        vote(request_pending, robot)


def test_a_role_given_after_the_submission_gives_no_vote(people, request_pending):
    late = factories.person("late", Role.MANAGER)
    with pytest.raises(Refused, match="after the request was submitted"):
        vote(request_pending, late)


def test_a_manager_who_lost_the_role_no_longer_counts(people, request_pending):
    factories.approve(request_pending, people.bob)
    set_roles(actor=SYSTEM, user_id=people.bob.user.pk, roles=[])
    set_roles(actor=SYSTEM, user_id=people.bob.user.pk, roles=[Role.MANAGER])
    assert valid_approvals(request_pending) == []


def test_one_person_votes_once_and_may_change_by_taking_back(people, request_pending):
    vote(request_pending, people.bob)
    with pytest.raises(Refused, match="Take your vote back"):
        vote(request_pending, people.bob)
    take_vote_back(actor=people.bob.actor, request_id=request_pending.pk)
    vote(request_pending, people.bob)
    assert len(valid_approvals(request_pending)) == 1


def test_a_vote_names_the_facts_it_is_on(people, request_pending):
    old = request_pending.packet.digest
    edit_request(
        actor=people.alice.actor, request_id=request_pending.pk, wish=factories.wish(request_pending.branch, ticket="X")
    )
    request_pending.refresh_from_db()
    factories.publish(request_pending)
    with pytest.raises(Refused, match="facts changed"):
        vote(request_pending, people.bob, digest=old)


def test_an_edit_voids_the_votes_and_gathers_facts_again(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    edit_request(
        actor=people.alice.actor, request_id=request_pending.pk, wish=factories.wish(request_pending.branch, ticket="X")
    )
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.PREPARING
    assert request_pending.revision == 2
    assert request_pending.packet is None
    assert valid_approvals(request_pending) == []
    assert Execution.objects.filter(purpose=Purpose.PREPARE, revision=2, state="active").count() == 1


def test_one_rejection_ends_it_even_after_the_approval(people, request_pending):
    dave = factories.person("dave", Role.MANAGER)
    request_pending.submitted_at = database_now()
    request_pending.save()
    factories.approve(request_pending, people.bob, people.carol)
    vote(request_pending, dave, Vote.Choice.REJECT)
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.REJECTED
    assert "Nothing was changed" in request_pending.outcome_sentence


def test_taking_an_approval_back_reopens_the_vote(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    take_vote_back(actor=people.carol.actor, request_id=request_pending.pk)
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.PENDING
    assert request_pending.start_until is None


def test_a_vote_on_production_needs_a_reason(people, request_pending):
    with pytest.raises(InvalidInput) as refused:
        vote(request_pending, people.bob, reason="  ")
    assert "reason" in refused.value.errors
    assert not Vote.objects.exists()


def test_no_vote_after_the_time_for_votes(people, request_pending):
    request_pending.votes_until = database_now() - dt.timedelta(seconds=1)
    request_pending.save()
    with pytest.raises(Refused, match="time for votes is over"):
        vote(request_pending, people.bob)


def test_staging_needs_no_vote_and_starts_by_itself(people):
    staging = factories.branch(label=Environment.STAGING.value, is_default=False)
    request = factories.pending(people.alice, staging)
    assert request.state == RequestState.APPROVED
    assert Execution.objects.filter(purpose=Purpose.RESTORE, request=request).count() == 1


def test_a_copy_of_production_needs_one_vote(people):
    assert people.bob
    request = factories.pending(people.alice, factories.branch(), kind=RestoreKind.NEW_BRANCH)
    factories.approve(request, people.bob)
    assert request.state == RequestState.APPROVED


def test_start_by_hand_asks_for_the_minutes_that_are_lost(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    with pytest.raises(InvalidInput, match="30 minutes are thrown away, not 3"):
        start_request(
            actor=people.alice.actor,
            request_id=request_pending.pk,
            writers_stopped=WritersStopped.YES,
            minutes=3,
        )
    start_request(
        actor=people.alice.actor, request_id=request_pending.pk, writers_stopped=WritersStopped.YES, minutes=30
    )
    with pytest.raises(Refused, match="started already"):
        start_request(
            actor=people.alice.actor, request_id=request_pending.pk, writers_stopped=WritersStopped.YES, minutes=30
        )
    assert Execution.objects.filter(purpose=Purpose.RESTORE).count() == 1


def test_a_second_restore_of_the_branch_waits_for_the_first(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    other = factories.pending(people.alice, request_pending.branch)
    factories.approve(other, people.bob, people.carol)
    start_request(
        actor=people.alice.actor, request_id=request_pending.pk, writers_stopped=WritersStopped.YES, minutes=30
    )
    with pytest.raises(Refused, match="Another restore of this branch"):
        start_request(actor=people.alice.actor, request_id=other.pk, writers_stopped=WritersStopped.YES, minutes=30)


def test_a_manager_can_not_start_and_an_outsider_can_not_comment(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    with pytest.raises(Refused):
        start_request(
            actor=people.bob.actor, request_id=request_pending.pk, writers_stopped=WritersStopped.YES, minutes=30
        )
    with pytest.raises(Refused):
        comment_on_request(actor=people.charlie.actor, request_id=request_pending.pk, text="hello")


def test_a_refusal_is_in_the_ledger(people, request_pending):
    with pytest.raises(Refused):
        vote(request_pending, people.charlie)
    event = LedgerEvent.objects.filter(type="access.refused").latest("recorded_at")
    assert event.target_id == request_pending.reference
    assert event.outcome == "denied"


def test_withdrawing_tells_the_voters_and_changes_nothing(people, request_pending):
    vote(request_pending, people.bob)
    withdraw_request(actor=people.alice.actor, request_id=request_pending.pk)
    request_pending.refresh_from_db()
    assert request_pending.state == RequestState.WITHDRAWN
    told = OutboxMessage.objects.filter(person__isnull=False).values_list("person__username", "topic")
    assert {("alice", "withdrawn"), ("bob", "withdrawn"), ("carol", "vote_not_needed")} <= set(told)


def test_whoever_can_vote_is_told_at_once(people, request_pending):
    told = OutboxMessage.objects.filter(topic="votes_wanted").values_list("person__username", flat=True)
    assert {"bob", "carol"} <= set(told)
    assert set(eligible_voters(request_pending)) == {people.bob.user, people.carol.user}
    assert all(len(m.text) <= 200 for m in OutboxMessage.objects.all())


def test_a_start_that_another_restore_keeps_away_is_left_to_a_person_who_is_told(people, request_pending):
    factories.approve(request_pending, people.bob, people.carol)
    start_request(
        actor=people.alice.actor, request_id=request_pending.pk, writers_stopped=WritersStopped.YES, minutes=30
    )
    other = factories.pending(people.alice, request_pending.branch, start_mode=StartMode.AT_ONCE)
    factories.approve(other, people.bob, people.carol)
    other.refresh_from_db()
    assert (other.state, other.start_mode) == (RequestState.APPROVED, StartMode.BY_HAND)
    assert OutboxMessage.objects.filter(topic="start_wanted", person=people.alice.user).exists()
