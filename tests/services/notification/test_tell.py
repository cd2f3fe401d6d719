"""Who is told what and when, and what must never be in a message."""

from __future__ import annotations

from itertools import product

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from backups.domain.notification import REQUEST_TOPICS, Topic, message_text
from backups.domain.people import Role
from backups.domain.restore import RestoreKind, Urgency
from backups.models import Channel, LedgerEvent, OutboxMessage, RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.selectors.notification import ToldState, team_told_for_votes, told_for_votes
from backups.services.notification.deliver import deliver_mail, deliver_slack
from backups.services.notification.tell import tell
from backups.services.restore.clock import expire_due_requests
from backups.services.restore.votes import cast_vote, comment_on_request, take_vote_back, withdraw_request
from tests import factories
from tests.services.notification.receivers import answer, http_receiver

pytestmark = pytest.mark.django_db
PATIENT = "Jane-Doe-born-1961"


def told(topic: str) -> set[str]:
    rows = OutboxMessage.objects.filter(topic=topic, person__isnull=False)
    return set(rows.values_list("person__username", flat=True))


@pytest.mark.parametrize("urgency", list(Urgency))
def test_whoever_can_vote_is_told_whatever_the_urgency(people, urgency):
    people.all()
    factories.pending(people.alice, factories.branch(), urgency=urgency)
    assert told("votes_wanted") == {"bob", "carol"}
    text = OutboxMessage.objects.first().text
    assert text.startswith("URGENT: ") == (urgency is Urgency.URGENT)


def test_the_decision_reaches_the_requester_and_all_who_were_asked(people, pending):
    factories.approve(pending, people.bob)
    assert told("approved") == set()
    factories.approve(pending, people.carol)
    assert told("approved") == {"alice", "bob", "carol"}


def test_who_was_asked_and_did_not_vote_learns_that_no_vote_is_needed(people):
    dan = factories.person("dan", Role.MANAGER)
    assert people.bob
    assert people.carol
    request = factories.pending(people.alice, factories.branch())
    factories.approve(request, people.bob, people.carol)
    assert told("approved") == {"alice", "bob", "carol"}
    assert told("vote_not_needed") == {dan.user.username}


def test_an_expired_request_is_told_to_all_who_were_asked(people, pending):
    RestoreRequest.objects.filter(pk=pending.pk).update(votes_until=database_now())
    assert expire_due_requests() == 1
    assert told("expired") == {"alice"}
    assert told("vote_not_needed") == {"bob", "carol"}
    assert not OutboxMessage.objects.filter(topic="vote_not_needed", person=None).exists()


def test_nobody_is_relieved_twice(people, pending):
    withdraw_request(actor=people.alice.actor, request_id=pending.pk)
    pending.refresh_from_db()
    tell(topic=Topic.EXPIRED, request=pending)
    assert OutboxMessage.objects.filter(topic="vote_not_needed", person=people.bob.user).count() == 1


def test_a_vote_taken_back_asks_for_votes_again(people, pending):
    factories.approve(pending, people.bob, people.carol)
    OutboxMessage.objects.filter(topic="votes_wanted").update(topic="earlier")
    take_vote_back(actor=people.bob.actor, request_id=pending.pk)
    assert told("votes_wanted") == {"bob", "carol"}


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (Topic.STARTED, {"alice", "bob"}),
        (Topic.COMPLETED, {"alice", "bob"}),
        (Topic.FAILED, {"alice", "bob"}),
        (Topic.NEEDS_ATTENTION, {"alice", "bob", "carol"}),
    ],
)
def test_who_took_part_learns_how_it_went(people, pending, topic, expected):
    factories.approve(pending, people.bob)
    tell(topic=topic, request=pending)
    assert told(topic.value) == expected


def test_every_queued_message_is_in_the_ledger(settings, people):
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    assert people.bob
    factories.pending(people.alice, factories.branch())
    channels = {event.body.split('"channel":"')[1].split('"')[0] for event in _events("notification.queued")}
    assert channels == {"mail", "slack"}


def test_a_person_without_address_is_visible(people):
    assert people.carol
    User.objects.filter(pk=people.bob.user.pk).update(email="")
    request = factories.pending(people.alice, factories.branch())
    seen = told_for_votes(request, [people.bob.user.pk, people.carol.user.pk])
    assert seen[people.bob.user.pk].state is ToldState.FAILED
    assert seen[people.bob.user.pk].problem == "The account has no e-mail address."
    assert seen[people.carol.user.pk].state is ToldState.WAITING
    [event] = _events("notification.failed")
    assert "no_address" in event.body


def test_without_mail_nobody_looks_told(settings, people):
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert people.bob
    assert people.carol
    request = factories.pending(people.alice, factories.branch())
    assert deliver_mail() == 0
    assert told_for_votes(request, [people.bob.user.pk])[people.bob.user.pk].problem == "Mail is not set up."
    [event] = _events("notification.failed")
    assert "not_configured" in event.body


def test_the_page_learns_who_was_told_and_how(settings, people, client):
    with http_receiver(answer(500)) as receiver:
        settings.SLACK_WEBHOOK_URL = receiver.address
        settings.NOTIFICATION_ATTEMPTS = 1
        assert people.bob
        assert people.carol
        User.objects.filter(pk=people.carol.user.pk).update(email="")
        request = factories.pending(people.alice, factories.branch())
        deliver_mail()
        deliver_slack()
    assert told_for_votes(request, [people.bob.user.pk])[people.bob.user.pk].state is ToldState.SENT
    [team] = team_told_for_votes(request)
    assert (team.channel, team.state, team.problem) == (Channel.SLACK, ToldState.FAILED, "It answered 500.")
    client.force_login(people.alice.user)
    page = client.get(f"/restores/{request.pk}/").content.decode()
    assert "could not be told: The account has no e-mail address." in page
    assert "could not be told: It answered 500." in page


def test_nothing_that_people_wrote_is_in_a_message(people):
    assert people.bob
    assert people.carol
    words = {"reason": PATIENT, "ticket": PATIENT, "thread_url": f"https://chat.example.org/{PATIENT}"}
    request = factories.pending(people.alice, factories.branch(), **words)
    comment_on_request(actor=people.bob.actor, request_id=request.pk, text=PATIENT, question=True)
    request.refresh_from_db()
    request.outcome_sentence = PATIENT
    for topic in REQUEST_TOPICS:
        tell(topic=topic, request=request)
    cast_vote(
        actor=people.bob.actor,
        request_id=request.pk,
        digest=request.packet.digest,
        choice=Vote.Choice.REJECT,
        reason=PATIENT,
    )
    assert OutboxMessage.objects.count() > 20
    assert PATIENT not in "".join(map(str, OutboxMessage.objects.values()))
    assert told("rejected") == {"alice", "bob", "carol"}


@pytest.mark.parametrize(("topic", "kind"), list(product(REQUEST_TOPICS, RestoreKind)))
def test_a_message_is_one_line_of_200_characters_however_long_the_names_are(topic, kind):
    text = message_text(
        topic,
        reference="R-0142",
        branch="long " * 60 + "name",
        environment="production",
        kind=kind,
        point="2026-03-01 02:31:00 UTC",
        person="Alice\r\nBcc: everybody@example.org " * 5,
        urgency="urgent",
        minutes_left=240,
    )
    assert len(text) <= 200
    assert text.isprintable()
    assert "R-0142" in text
    if topic is Topic.VOTES_WANTED:
        assert text.endswith("Your vote is wanted.")


def test_no_message_holds_more_than_a_link_to_the_page(pending):
    for link in OutboxMessage.objects.values_list("link", flat=True):
        assert link == f"http://testserver/restores/{pending.pk}/"


def test_the_command_says_of_each_channel_how_it_is(settings, capsys):
    with http_receiver() as receiver:
        settings.WEBHOOK_URL = receiver.address
        call_command("send_test_message", "--to", "erin@carecircle.example")
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "ok" in lines["mail"]
    assert "not configured" in lines["slack"]
    assert "SLACK_WEBHOOK_URL" in lines["slack"]
    assert "ok" in lines["webhook"]
    assert len(_events("notification.sent")) == 2


def test_the_command_says_why_a_channel_fails_and_fails(settings, capsys):
    with http_receiver(answer(403)) as receiver:
        settings.SLACK_WEBHOOK_URL = receiver.address
        with pytest.raises(CommandError):
            call_command("send_test_message")
    out = capsys.readouterr().out
    assert "failed          It answered 403." in out
    assert "not tried       Say to whom" in out
    assert "CANARY" not in out


def _events(kind: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=kind))
