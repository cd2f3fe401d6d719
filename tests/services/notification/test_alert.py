"""Alerts about anything: who is told, once, in order, and not again and again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

from backups.domain.notification import Channel, Severity, Subject, SubjectKind, Topic
from backups.domain.people import Role
from backups.models import DampedAlert, OutboxMessage
from backups.selectors.clock import database_now
from backups.services.notification.alert import alert

pytestmark = pytest.mark.django_db
F7 = Subject(SubjectKind.FINDING, "F-0007", identity="schedule:main", project="calm-river-12345678", is_sandbox=False)


@pytest.fixture(autouse=True)
def team(settings: Any, people: Any) -> None:
    people.all()
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    settings.PAGERDUTY_ROUTING_KEY = "routing-key-CANARY"


def say(topic: Topic, occasion: str, subject: Subject = F7, **fields: Any) -> int:
    given: dict[str, Any] = {"severity": Severity.WARNING, "text": "Schedule differs.", "link_path": "/monitor/7/"}
    return alert(topic=topic, subject=subject, occasion=occasion, **(given | fields))


def told() -> list[tuple[str, str, str]]:
    rows = OutboxMessage.objects.order_by("pk").values_list("topic", "channel", "person__username")
    return [(topic, channel, person or "") for topic, channel, person in rows]


def test_severity_and_role_decide_where_it_goes():
    say(Topic.FINDING_OPENED, "1", severity=Severity.CRITICAL, roles=[Role.MANAGER, Role.ENGINEER])
    assert {(channel, person) for _, channel, person in told()} == {
        ("slack", ""),
        ("pagerduty", ""),
        ("mail", "alice"),
        ("mail", "bob"),
        ("mail", "carol"),
    }


@pytest.mark.parametrize(("severity", "mailed"), [(Severity.NOTICE, False), (Severity.WARNING, True)])
def test_mail_to_a_role_follows_the_severity_and_never_rings(severity, mailed):
    say(Topic.SAFETY_COPY_MADE, "1", severity=severity, roles=[Role.ENGINEER])
    assert (("safety_copy.made", "mail", "alice") in told()) == mailed
    assert not OutboxMessage.objects.filter(channel=Channel.PAGERDUTY).exists()


def test_who_is_named_gets_a_mail_whatever_the_table_says(people):
    say(Topic.REVIEW_DUE, "1", severity=Severity.NOTICE, people=[people.bob.user])
    assert ("review.due", "mail", "bob") in told()


def test_the_same_occasion_is_told_once():
    assert say(Topic.DRILL_FAILED, "D-1", roles=[Role.ENGINEER]) == 2
    assert say(Topic.DRILL_FAILED, "D-1", roles=[Role.ENGINEER, Role.AUDITOR]) == 1
    assert told().count(("drill.failed", "slack", "")) == 1
    assert say(Topic.DRILL_FAILED, "D-2", roles=[Role.ENGINEER]) == 2


def test_the_end_is_told_to_all_who_were_told_of_the_trouble(people):
    say(Topic.FINDING_OPENED, "1", severity=Severity.CRITICAL, people=[people.bob.user])
    OutboxMessage.objects.update(topic="earlier")
    say(Topic.FINDING_CLOSED, "1", severity=Severity.NOTICE, resolves=True)
    assert told()[-3:] == [
        ("finding.closed", "mail", "bob"),
        ("finding.closed", "slack", ""),
        ("finding.closed", "pagerduty", ""),
    ]


def test_what_never_rang_is_not_ended_at_pagerduty():
    say(Topic.FINDING_CLOSED, "1", severity=Severity.CRITICAL, resolves=True)
    assert told() == [("finding.closed", "slack", "")]


def test_nobody_is_woken_for_a_sandbox():
    sandbox = Subject(SubjectKind.DRILL, "D-1", project="calm-river-12345678", is_sandbox=True)
    say(Topic.DRILL_FAILED, "1", sandbox, severity=Severity.CRITICAL)
    assert told() == [("drill.failed", "slack", "")]


def test_a_flapping_finding_is_told_as_one_pair_and_then_kept():
    for number in range(4):
        say(Topic.FINDING_OPENED, f"F-{number}")
        say(Topic.FINDING_CLOSED, f"F-{number}", resolves=True)
    assert [topic for topic, _, _ in told()] == ["finding.opened", "finding.closed"]
    waiting = DampedAlert.objects.get()
    assert (waiting.count, waiting.topic, waiting.resolves) == (6, "finding.closed", True)
    assert waiting.due_at > database_now() + dt.timedelta(minutes=14)


def test_what_is_worse_is_told_at_once_even_while_it_flaps():
    for number in range(2):
        say(Topic.FINDING_OPENED, f"F-{number}")
    assert say(Topic.FINDING_WORSE, "F-1", severity=Severity.CRITICAL) == 2


def test_what_opens_again_and_worse_is_told_at_once_and_the_past_is_dropped():
    say(Topic.FINDING_OPENED, "F-1", severity=Severity.WARNING)
    say(Topic.FINDING_CLOSED, "F-1", severity=Severity.WARNING, resolves=True)
    assert say(Topic.FINDING_OPENED, "F-2", severity=Severity.WARNING) == 0
    assert say(Topic.FINDING_OPENED, "F-3", severity=Severity.CRITICAL) == 2
    assert ("finding.opened", "pagerduty", "") in told()
    assert not DampedAlert.objects.exists()
    assert say(Topic.FINDING_OPENED, "F-4", severity=Severity.CRITICAL) == 0, "that bad it is known to be"


def test_another_subject_is_not_damped():
    say(Topic.FINDING_OPENED, "1")
    other = Subject(SubjectKind.FINDING, "F-0008", identity="window:main")
    assert say(Topic.FINDING_OPENED, "1", other) == 1


def test_a_repeated_call_for_the_same_opening_is_no_flapping():
    say(Topic.FINDING_OPENED, "F-1")
    assert say(Topic.FINDING_OPENED, "F-1") == 0
    assert not DampedAlert.objects.exists()


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example/x", "monitor/7/"])
def test_an_alert_links_to_the_portal_only(path):
    with pytest.raises(ValueError, match="path of the portal"):
        say(Topic.DRILL_FAILED, "1", link_path=path)


def test_a_long_text_is_cut_to_one_line():
    say(Topic.DRILL_FAILED, "1", text="word\r\nBcc: x " * 50)
    text = OutboxMessage.objects.first().text
    assert len(text) <= 200
    assert text.isprintable()


@pytest.mark.parametrize("reference", ["two words", "", "x" * 101, "F-1\n"])
def test_a_subject_is_named_by_an_id(reference):
    with pytest.raises(ValueError, match="subject"):
        Subject(SubjectKind.FINDING, reference)


@pytest.mark.parametrize("odd", ["x" * 400, "branch\nwith a line break", "zero\x00byte"])
def test_names_from_elsewhere_make_a_usable_identity(odd):
    subject = Subject(SubjectKind.FINDING, "F-1", identity=odd)
    assert len(subject.key) <= 200
    assert subject.key.isprintable()
    assert subject.key != Subject(SubjectKind.FINDING, "F-1", identity=odd + "!").key
    assert say(Topic.FINDING_OPENED, "1", subject) == 1
    assert say(Topic.FINDING_OPENED, "2", subject) == 0, "the same trouble, so it is damped"


def test_a_rolled_back_change_tells_nobody():
    def change() -> None:
        with transaction.atomic():
            say(Topic.DRILL_FAILED, "1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()
    assert told() == []
