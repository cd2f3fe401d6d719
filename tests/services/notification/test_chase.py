"""Who does not answer is called again, then others are; clocks are announced before they run out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backups.domain.notification import Severity, Topic
from backups.domain.people import Role
from backups.domain.restore import Urgency
from backups.models import Channel, DampedAlert, OutboxMessage, RequestOpened, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.notification import chase, clocks, summaries
from backups.services.notification.chase import chase_voters
from backups.services.notification.clocks import warn_of_clocks
from backups.services.notification.summaries import send_summaries
from backups.services.restore.votes import take_vote_back
from tests import factories
from tests.services.notification.test_alert import say
from tests.services.notification.test_tell import told

pytestmark = pytest.mark.django_db


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock of the duties."""

    def move(**ahead: float) -> None:
        for module in (chase, clocks, summaries):
            monkeypatch.setattr(module, "database_now", lambda: database_now() + dt.timedelta(**ahead))

    return move


def test_who_has_not_opened_it_is_told_again_after_five_and_ten_minutes(people, pending, later):
    RequestOpened.objects.create(request=pending, person=people.bob.user)
    assert chase_voters() == 0
    told_at: list[int] = []
    for minute in range(13):
        later(minutes=minute + 0.5)
        if chase_voters():
            told_at.append(minute)
    assert told_at == [5, 10]
    assert told("votes_repeat") == {"carol"}
    assert OutboxMessage.objects.filter(topic="votes_repeat").count() == 2


def test_a_worker_that_rested_does_not_make_up_for_missed_repeats(pending, later):
    later(minutes=11)
    assert [chase_voters(), chase_voters()] == [1, 0]
    assert OutboxMessage.objects.filter(topic="votes_repeat", person__username="bob").count() == 1


def test_who_voted_is_not_called_again(people, pending, later):
    factories.approve(pending, people.bob)
    later(minutes=6)
    chase_voters()
    assert told("votes_repeat") == {"carol"}


def test_only_urgent_requests_are_repeated(people, later):
    people.all()
    factories.pending(people.alice, factories.branch(), urgency=Urgency.CAN_WAIT)
    later(minutes=30)
    assert chase_voters() == 0


def test_after_votes_are_asked_for_again_the_repeats_begin_again(people, pending, later):
    factories.approve(pending, people.bob, people.carol)
    take_vote_back(actor=people.bob.actor, request_id=pending.pk)
    later(minutes=6)
    assert chase_voters() == 1
    assert told("votes_repeat") == {"bob"}


def test_when_too_few_open_it_whoever_can_reach_them_is_told_once(people, later):
    people.all()
    request = factories.pending(people.alice, factories.branch())
    factories.person("dan", Role.MANAGER)  # since after the request, so he can't vote but can phone
    RequestOpened.objects.create(request=request, person=people.bob.user)
    later(minutes=14)
    chase_voters()
    assert told("votes_escalated") == set()
    later(minutes=16)
    assert [chase_voters(), chase_voters()] == [1, 0]
    assert told("votes_escalated") == {"alice", "erin", "dan"}


def test_enough_people_at_work_are_not_escalated(people, pending, later):
    for person in (people.bob, people.carol):
        RequestOpened.objects.create(request=pending, person=person.user)
    later(minutes=20)
    assert chase_voters() == 0


@pytest.mark.parametrize(("left", "mark"), [(121, None), (119, 50), (47, 80), (1, 80)])
def test_who_has_not_voted_is_warned_at_half_and_at_most_of_the_time(people, pending, later, left, mark):
    factories.approve(pending, people.bob)
    at = pending.votes_until - dt.timedelta(minutes=left) - database_now()
    later(seconds=at.total_seconds())
    assert [warn_of_clocks(), warn_of_clocks()] == [1 if mark else 0, 0]
    assert told("votes_reminder") == ({"carol"} if mark else set())
    if mark:
        text = OutboxMessage.objects.filter(topic="votes_reminder").first().text
        assert "votes are still missing" in text
        assert f"{left} min" in text or f"{left - 1} min" in text


def test_both_marks_warn_in_turn(pending, later):
    later(hours=2, minutes=5)
    assert warn_of_clocks() == 1
    later(hours=3, minutes=20)
    assert warn_of_clocks() == 1
    assert OutboxMessage.objects.filter(topic="votes_reminder", person__username="bob").count() == 2


def test_a_start_that_nobody_orders_is_announced_and_at_last_to_every_engineer(people, pending, later):
    factories.person("frank", Role.ENGINEER)
    factories.approve(pending, people.bob, people.carol)
    later(minutes=16)
    assert warn_of_clocks() == 1
    assert told("start_reminder") == {"alice", "bob", "carol"}
    later(minutes=25)
    assert warn_of_clocks() == 1
    assert told("start_reminder") == {"alice", "bob", "carol", "frank"}


def test_nothing_is_announced_of_what_is_decided_or_started(people, pending, later):
    RestoreRequest.objects.filter(pk=pending.pk).update(state="rejected")
    later(hours=3, minutes=30)
    assert warn_of_clocks() == chase_voters() == 0


def test_a_flapping_finding_is_summed_up_when_its_time_has_come(people, settings, later):
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    for number in range(3):
        say(Topic.FINDING_OPENED, f"F-{number}", people=[people.bob.user], severity=Severity.WARNING)
        say(Topic.FINDING_CLOSED, f"F-{number}", resolves=True, text="The schedule is as declared.")
    assert send_summaries() == 0
    later(minutes=16)
    assert [send_summaries(), send_summaries()] == [1, 0]
    summary = OutboxMessage.objects.get(topic="finding.flapping", channel=Channel.SLACK)
    assert summary.text == "It changed 4 times more within 15 min. Now: The schedule is as declared."
    assert summary.resolves
    assert told("finding.flapping") == {"bob"}
    assert not DampedAlert.objects.exists()


def test_a_summary_opens_the_next_damping_time(people, later):
    for number in range(2):
        say(Topic.FINDING_OPENED, f"F-{number}", people=[people.bob.user])
    later(minutes=16)
    send_summaries()
    assert say(Topic.FINDING_CLOSED, "F-1", resolves=True) == 0, "it was summed up a moment ago"
    assert DampedAlert.objects.count() == 1
