"""Each alert arrives exactly once in the end and in order for its subject, whatever the receivers do. Over sockets."""

from __future__ import annotations

import datetime as dt
import email
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backups.domain.monitor import Severity
from backups.domain.notification import Channel, Subject, SubjectKind, Topic
from backups.models import ChannelState, OutboxMessage
from backups.selectors.clock import database_now
from backups.selectors.notification import channel_health
from backups.services.notification.alert import alert
from backups.services.notification.deliver import deliver_due_messages
from tests.services.notification import receivers
from tests.services.notification.receivers import Receiver, answer, http_receiver, smtp_receiver

pytestmark = pytest.mark.django_db
FAULTS = ("500", "429", "503", "hang", "lost", "refused login page")


@dataclass
class Scripted:
    """One receiver that misbehaves as its script says, and then takes everything. `arrived`: ids, in order."""

    kind: Channel
    script: list[str] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)

    def http(self, handler: Any, receiver: Receiver) -> None:
        fault = self.script.pop(0) if self.script else ""
        if not fault or fault == "lost":
            self.arrived.append(self._id(receiver))
        if fault == "lost":
            return  # taken, and the answer never comes
        acts: dict[str, Callable[[Any, Receiver], None]] = {
            "": answer(202 if self.kind is Channel.PAGERDUTY else 200),
            "500": answer(500),
            "503": answer(503, b"", Retry_After="7"),
            "429": answer(429, b"", Retry_After="30"),
            "hang": receivers.hang,
            "refused login page": answer(302, b"", Location="https://login.example"),
        }
        acts[fault](handler, receiver)

    def smtp(self, handler: Any, receiver: Receiver) -> None:
        fault = self.script.pop(0) if self.script else ""
        if fault == "hang":
            receiver.over.wait(30)
        elif fault and fault != "lost":
            handler.wfile.write(b"421 not now\r\n")
        else:
            take = receivers.leave_without_answer if fault == "lost" else receivers.take_mail
            take(handler, receiver)
            self.arrived += [str(email.message_from_string(text)["Message-ID"]) for text in receiver.mails]
            receiver.mails.clear()

    def _id(self, receiver: Receiver) -> str:
        headers = receiver.posts[-1].headers
        return headers.get("webhook-id") or headers["x-message-id"]


@dataclass
class Stage:
    receivers: dict[Channel, Scripted]
    people: Any

    def begin(self, scripts: dict[Channel, list[str]]) -> None:
        for channel, scripted in self.receivers.items():
            scripted.script, scripted.arrived = list(scripts.get(channel, [])), []


@pytest.fixture
def stage(settings: Any, people: Any) -> Iterator[Stage]:
    settings.NOTIFICATION_POST_SECONDS, settings.NOTIFICATION_MAIL_SECONDS = 0.12, 0.25
    settings.NOTIFICATION_RETRY_SECONDS = settings.NOTIFICATION_RETRY_LONGEST_SECONDS = 0.001
    settings.NOTIFICATION_ATTEMPTS = 50
    settings.PAGERDUTY_ROUTING_KEY = "routing-key-CANARY"
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    scripted = {channel: Scripted(channel) for channel in Channel}
    slack, webhook, pagerduty = (scripted[c].http for c in (Channel.SLACK, Channel.WEBHOOK, Channel.PAGERDUTY))
    with (
        http_receiver(slack) as on_slack,
        http_receiver(webhook) as on_webhook,
        http_receiver(pagerduty) as on_pagerduty,
        smtp_receiver(scripted[Channel.MAIL].smtp) as on_mail,
    ):
        settings.SLACK_WEBHOOK_URL, settings.WEBHOOK_URL = on_slack.address, on_webhook.address
        settings.PAGERDUTY_URL, settings.EMAIL_PORT = on_pagerduty.address, on_mail.port
        yield Stage(scripted, people)


def say(stage: Stage, number: int, subject: str, *, resolves: bool) -> None:
    alert(
        topic=Topic.SYSTEM_WELL if resolves else Topic.SYSTEM_TROUBLE,
        subject=Subject(SubjectKind.SYSTEM, subject),
        severity=Severity.CRITICAL,
        text=f"Number {number}.",
        link_path="/notifications/",
        people=[stage.people.bob.user],
        occasion=str(number),
        resolves=resolves,
    )


def let_time_pass() -> None:
    """What waits is due, and no channel is held any more."""
    OutboxMessage.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=database_now())
    ChannelState.objects.update(held_until=None)


def deliver_everything() -> None:
    for _ in range(40):
        for channel in Channel:
            deliver_due_messages(channel=channel)
        if not OutboxMessage.objects.filter(next_attempt_at__isnull=False).exists():
            return
        let_time_pass()
    raise AssertionError("something is never delivered")


def told(channel: Channel, **of: Any) -> list[str]:
    """The ids as a receiver sees them, in the order in which they were written."""
    ids = OutboxMessage.objects.filter(channel=channel, **of).order_by("pk").values_list("pk", flat=True)
    return [f"<msg_{pk}@testserver>" if channel is Channel.MAIL else f"msg_{pk}" for pk in ids]


scripts = st.fixed_dictionaries({channel: st.lists(st.sampled_from(FAULTS), max_size=4) for channel in Channel})
alerts = st.lists(st.tuples(st.sampled_from("AB"), st.booleans()), min_size=1, max_size=5)


@hypothesis_settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scripts=scripts, alerts=alerts)
def test_each_alert_arrives_once_and_in_order_of_its_subject(stage, scripts, alerts):
    with transaction.atomic():
        stage.begin(scripts)
        for number, (subject, resolves) in enumerate(alerts):
            say(stage, number, subject, resolves=resolves)
        deliver_everything()
        assert not OutboxMessage.objects.filter(sent_at__isnull=True).exists()
        for channel, scripted in stage.receivers.items():
            first_arrivals = list(dict.fromkeys(scripted.arrived))
            note(f"{channel}: {scripted.arrived}")
            assert sorted(first_arrivals) == sorted(told(channel)), "each of them, and nothing else"
            for subject in "AB":
                mine = told(channel, subject_reference=subject)
                assert [one for one in first_arrivals if one in mine] == mine, "in order"
        transaction.set_rollback(True)


def test_a_later_message_waits_for_an_earlier_one_of_its_subject_only(stage):
    for number, subject in enumerate("AAB"):
        say(stage, number, subject, resolves=False)
    slack = OutboxMessage.objects.filter(channel=Channel.SLACK).order_by("pk")
    now = database_now()
    slack.filter(pk=slack.first().pk).update(lease_until=now + dt.timedelta(minutes=1), attempts=1)
    assert deliver_due_messages(channel=Channel.SLACK) == 1, "only B's: the first of A is being sent elsewhere"
    assert [message.sent_at is not None for message in slack] == [False, False, True]
    slack.filter(pk=slack.first().pk).update(next_attempt_at=None, given_up_at=now, lease_until=None)
    assert deliver_due_messages(channel=Channel.SLACK) == 1, "the first is given up, so the second goes"


def test_mails_to_one_person_do_not_wait_for_mails_to_another(stage):
    stage.people.all()
    subject = Subject(SubjectKind.SYSTEM, "A")
    for number, person in enumerate((stage.people.bob, stage.people.carol)):
        alert(
            topic=Topic.SYSTEM_TROUBLE, subject=subject, severity=Severity.NOTICE, text="x", link_path="/",
            people=[person.user], occasion=str(number),
        )  # fmt: skip
    later = database_now() + dt.timedelta(hours=1)
    OutboxMessage.objects.filter(person=stage.people.bob.user).update(next_attempt_at=later)
    assert deliver_due_messages(channel=Channel.MAIL) == 1
    assert OutboxMessage.objects.get(person=stage.people.carol.user).sent_at is not None


def test_who_asks_for_a_pause_gets_it_for_the_whole_channel_and_for_no_other(stage):
    stage.begin({Channel.SLACK: ["429"]})
    for number, subject in enumerate("AB"):
        say(stage, number, subject, resolves=False)
    assert deliver_due_messages(channel=Channel.SLACK) == 1, "B's would meet the same answer"
    held = ChannelState.objects.get(channel=Channel.SLACK).held_until
    assert 25 <= (held - database_now()).total_seconds() <= 30
    first = OutboxMessage.objects.filter(channel=Channel.SLACK).order_by("pk").first()
    assert 25 <= (first.next_attempt_at - database_now()).total_seconds() <= 30
    assert deliver_due_messages(channel=Channel.WEBHOOK) == 2


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("12", 10, 12), ("999999", 0, 1), ("90000", 3590, 3600), ("soon", 0, 1), ("-5", 0, 1), ("date", 50, 60)],
)
def test_a_pause_is_read_as_http_writes_it_and_never_lasts_a_day(settings, stage, value, low, high):
    if value == "date":
        value = f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60):%a, %d %b %Y %H:%M:%S GMT}"
    with http_receiver(answer(429, b"", Retry_After=value)) as slack:
        settings.SLACK_WEBHOOK_URL = slack.address
        settings.NOTIFICATION_ATTEMPTS = 1
        say(stage, 1, "A", resolves=False)
        deliver_due_messages(channel=Channel.SLACK)
    held = ChannelState.objects.get(channel=Channel.SLACK).held_until
    waits = (held - database_now()).total_seconds() if held else 0
    assert low <= waits <= high


def test_what_is_late_or_given_up_is_counted_for_the_monitor(stage, settings):
    settings.NOTIFICATION_ATTEMPTS = 2
    stage.begin({Channel.SLACK: ["500", "500"], Channel.WEBHOOK: ["500"]})
    say(stage, 1, "A", resolves=False)
    for _ in range(2):
        deliver_due_messages(channel=Channel.SLACK)
        let_time_pass()
    settings.NOTIFICATION_RETRY_SECONDS = settings.NOTIFICATION_RETRY_LONGEST_SECONDS = 600
    deliver_due_messages(channel=Channel.WEBHOOK)
    by_channel = {health.channel: health for health in channel_health()}
    assert (by_channel[Channel.SLACK].given_up, by_channel[Channel.SLACK].is_well) == (1, False)
    assert by_channel[Channel.SLACK].last_problem == "It answered 500."
    assert (by_channel[Channel.WEBHOOK].waiting, by_channel[Channel.WEBHOOK].late) == (1, 0)
    later = {health.channel: health for health in channel_health(now=database_now() + dt.timedelta(minutes=6))}
    assert (later[Channel.WEBHOOK].late, later[Channel.WEBHOOK].is_well) == (1, False)
    tomorrow = {health.channel: health for health in channel_health(now=database_now() + dt.timedelta(hours=25))}
    assert tomorrow[Channel.SLACK].given_up == 0


def test_an_account_without_an_address_is_not_the_channels_fault(stage):
    stage.people.bob.user.email = ""
    stage.people.bob.user.save()
    say(stage, 1, "A", resolves=False)
    [health] = [health for health in channel_health() if health.channel is Channel.MAIL]
    assert (health.unreachable, health.given_up, health.is_well) == (1, 0, True)


def test_pagerduty_gets_one_incident_for_a_subject_and_ends_it(settings, stage):
    bodies: list[dict[str, Any]] = []

    def keep(handler: Any, receiver: Receiver) -> None:
        bodies.append(json.loads(receiver.posts[-1].body))
        answer(202)(handler, receiver)

    with http_receiver(keep) as pagerduty:
        settings.PAGERDUTY_URL = pagerduty.address
        say(stage, 1, "A", resolves=False)
        say(stage, 2, "A", resolves=True)
        assert deliver_due_messages(channel=Channel.PAGERDUTY) == 2
    trigger, resolve = bodies
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "testserver/system:A"
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["links"] == [{"href": "http://testserver/notifications/", "text": "Open A"}]
    assert trigger["routing_key"] == "routing-key-CANARY"
    assert "payload" not in resolve
