"""The outbox is delivered: at least once, never for ever, and one dead channel stops nothing else."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from backups.models import Channel, LedgerEvent, OutboxMessage
from backups.selectors.clock import database_now
from backups.services.notification.deliver import deliver_due_messages, deliver_mail, deliver_slack, deliver_webhook
from backups.services.restore.votes import withdraw_request
from backups.worker.duties import Duty, DutyRoster
from tests import factories
from tests.factories import People
from tests.services.notification import receivers
from tests.services.notification.receivers import answer, http_receiver

NO_PAUSE = 0.000001


@pytest.fixture
def webhook(settings):
    with http_receiver() as receiver:
        settings.WEBHOOK_URL = receiver.address
        yield receiver


@pytest.fixture
def slack(settings):
    with http_receiver() as receiver:
        settings.SLACK_WEBHOOK_URL = receiver.address
        yield receiver


def of(channel: Channel) -> OutboxMessage:
    return OutboxMessage.objects.get(channel=channel)


def events(kind: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=kind).order_by("recorded_at"))


def test_what_was_sent_is_noted_and_in_the_ledger(webhook, pending):
    assert deliver_webhook() == 1
    message = of(Channel.WEBHOOK)
    assert message.sent_at is not None
    assert message.next_attempt_at is None
    [event] = events("notification.sent")
    assert event.target_id == pending.reference
    assert '"channel":"webhook"' in event.body
    assert deliver_webhook() == 0
    assert len(webhook.posts) == 1


def test_each_person_gets_a_mail_of_their_own(pending):
    assert deliver_mail() == 2
    assert sorted(message.to for message in mail.outbox) == [["bob@carecircle.example"], ["carol@carecircle.example"]]
    bodies = "".join(event.body for event in events("notification.sent"))
    assert all(f'"recipient":"user:{message.person_id}"' in bodies for message in OutboxMessage.objects.all())


def test_a_failure_is_tried_again_later_with_the_same_id(settings, webhook, pending):
    webhook.act = answer(503)
    deliver_webhook()
    message = of(Channel.WEBHOOK)
    assert message.last_problem == "It answered 503."
    assert database_now() < message.next_attempt_at <= database_now() + dt.timedelta(seconds=5)
    assert deliver_webhook() == 0

    webhook.act = answer(200)
    make_due(message)
    deliver_webhook()
    assert of(Channel.WEBHOOK).sent_at is not None
    assert len({post.headers["webhook-id"] for post in webhook.posts}) == 1
    assert [len(events("notification.failed")), len(events("notification.sent"))] == [1, 1]


def test_the_pause_grows_and_obeys_the_receiver(settings, webhook, pending):
    settings.NOTIFICATION_RETRY_SECONDS, settings.NOTIFICATION_RETRY_LONGEST_SECONDS = 8, 100
    webhook.act = answer(500)
    pauses = []
    for _ in range(6):
        deliver_webhook()
        message = of(Channel.WEBHOOK)
        pauses.append((message.next_attempt_at - database_now()).total_seconds())
        make_due(message)
    for pause, ceiling in zip(pauses, [8, 16, 32, 64, 100, 100], strict=True):
        assert ceiling * 0.5 - 1 <= pause <= ceiling
    webhook.act = answer(429, Retry_After="90")
    settings.NOTIFICATION_RETRY_SECONDS = NO_PAUSE
    deliver_webhook()
    assert 85 <= (of(Channel.WEBHOOK).next_attempt_at - database_now()).total_seconds() <= 90


def test_it_is_given_up_loudly(settings, webhook, pending, caplog):
    settings.NOTIFICATION_ATTEMPTS, settings.NOTIFICATION_RETRY_SECONDS = 3, NO_PAUSE
    webhook.act = answer(500)
    assert deliver_webhook() == 3
    message = of(Channel.WEBHOOK)
    assert message.given_up_at is not None
    assert message.next_attempt_at is None
    assert "was NOT delivered by webhook after 3 attempts" in caplog.text
    assert ["gave_up" in event.body for event in events("notification.failed")] == [False, False, True]
    assert deliver_webhook() == 0


def test_two_at_once_send_once(settings, own_database):
    people = People()  # not the fixture of that name, whose transaction other threads can not see
    with http_receiver() as receiver:
        settings.WEBHOOK_URL = receiver.address
        assert people.bob
        factories.pending(people.alice, factories.branch())
        both = threading.Barrier(2)
        both_inside = threading.Event()
        tried: list[int] = []

        def answer_late(handler: Any, r: receivers.Receiver) -> None:
            both_inside.wait(10)
            answer(200)(handler, r)

        receiver.act = answer_late

        def deliver() -> None:
            both.wait()
            tried.append(deliver_due_messages(channel=Channel.WEBHOOK))
            both_inside.set()  # the one who found nothing lets the other's answer go
            connection.close()

        settings.NOTIFICATION_POST_SECONDS = 10
        threads = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(tried) == [0, 1]
    assert len(receiver.posts) == 1


def test_a_message_whose_sender_died_is_sent_by_the_next(webhook, pending):
    now = database_now()
    OutboxMessage.objects.filter(channel=Channel.WEBHOOK).update(attempts=1, lease_until=now + dt.timedelta(minutes=1))
    assert deliver_webhook() == 0, "somebody may still be sending it"
    OutboxMessage.objects.filter(channel=Channel.WEBHOOK).update(lease_until=now)
    assert deliver_webhook() == 1
    assert of(Channel.WEBHOOK).sent_at is not None


def test_a_message_that_kills_its_senders_is_given_up(settings, webhook, pending):
    OutboxMessage.objects.filter(channel=Channel.WEBHOOK).update(attempts=settings.NOTIFICATION_ATTEMPTS)
    deliver_webhook()
    assert of(Channel.WEBHOOK).given_up_at is not None
    assert not webhook.posts


def test_a_dead_channel_delays_no_other(settings, own_database):
    people = People()  # not the fixture of that name, whose transaction other threads can not see
    settings.NOTIFICATION_POST_SECONDS = 60
    with http_receiver(receivers.hang) as dead, http_receiver() as alive:
        settings.SLACK_WEBHOOK_URL, settings.WEBHOOK_URL = dead.address, alive.address
        assert people.bob
        request = factories.pending(people.alice, factories.branch())
        assert not dead.posts, "telling people waits for no channel"
        roster = DutyRoster([Duty(act.__name__, 0.05, act) for act in (deliver_slack, deliver_mail, deliver_webhook)])
        roster.start()
        try:
            assert dead.connected.wait(20)
            assert alive.connected.wait(20)
            withdraw_request(actor=people.alice.actor, request_id=request.pk)
            alive.connected.clear()
            assert alive.connected.wait(20)
            assert of_topic("votes_wanted", Channel.SLACK).sent_at is None
        finally:
            dead.over.set()
            roster.stop(timeout_seconds=20)


def test_nobody_is_asked_for_a_vote_that_can_no_longer_be_given(webhook, pending, people):
    withdraw_request(actor=people.alice.actor, request_id=pending.pk)
    deliver_webhook()
    assert [post.body.split(b'"')[3] for post in webhook.posts] == [b"restore.withdrawn"]
    asked = of_topic("votes_wanted", Channel.WEBHOOK)
    assert asked.sent_at is None
    assert asked.last_problem == "It was no longer needed when its turn came."


def test_a_question_for_votes_that_waits_does_not_hold_up_the_decision(settings, slack, pending, people):
    settings.NOTIFICATION_RETRY_SECONDS = settings.NOTIFICATION_RETRY_LONGEST_SECONDS = 300
    slack.act = answer(500)
    deliver_slack()
    slack.act = answer(200)
    assert deliver_slack() == 0, "the next attempt is minutes away"
    factories.approve(pending, people.bob, people.carol)
    slack.posts.clear()
    deliver_slack()
    assert [b"approved" in post.body for post in slack.posts] == [True]
    assert of_topic("votes_wanted", Channel.SLACK).problem_code == "outdated"


@pytest.mark.parametrize("act", [answer(500, b"CANARY"), receivers.hang], ids=["500", "hang"])
def test_no_secret_is_in_logs_rows_or_events(settings, slack, webhook, pending, caplog, act):
    settings.NOTIFICATION_ATTEMPTS = 1
    slack.act = webhook.act = act
    deliver_slack()
    deliver_webhook()
    assert len(events("notification.failed")) == 2
    seen = caplog.text + "".join(LedgerEvent.objects.values_list("body", flat=True))
    seen += "".join(map(str, OutboxMessage.objects.values()))
    for secret in ("CANARY", "webhook-secret-canary", slack.address, str(slack.port)):
        assert secret not in seen


def test_an_error_that_nobody_foresaw_is_one_more_failure(settings, webhook, pending, caplog, monkeypatch):
    def burst(*_: object) -> None:
        raise RuntimeError(settings.WEBHOOK_URL)

    monkeypatch.setattr("backups.services.notification.deliver.send", burst)
    deliver_webhook()
    assert of(Channel.WEBHOOK).last_problem == "Something unexpected happened (RuntimeError)."
    assert "CANARY" not in caplog.text


def make_due(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=database_now())


def of_topic(topic: str, channel: Channel) -> OutboxMessage:
    return OutboxMessage.objects.get(topic=topic, channel=channel)
