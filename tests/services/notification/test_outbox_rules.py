"""What holds in the outbox whoever writes: by constraint, and when two write at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backups.admin.audit.event_words import TARGET_KINDS
from backups.domain.monitor import Severity
from backups.domain.notification import Subject, SubjectKind, Topic
from backups.models import NotificationRoute, OutboxMessage
from backups.selectors.clock import database_now
from backups.services.ledger import NotInTransaction
from backups.services.notification.alert import alert
from tests.support.at_once import at_once

D7 = Subject(SubjectKind.DRILL, "D-0007")


def say(occasion: str) -> int:
    return alert(
        topic=Topic.DRILL_FAILED, subject=D7, severity=Severity.CRITICAL, text="It failed.", link_path="/drills/7/",
        occasion=occasion,
    )  # fmt: skip


@pytest.fixture
def slack(settings: Any) -> None:
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"next_attempt_at": None},
        {"sent_at": "now"},
        {"given_up_at": "now"},
        {"channel": "pigeon"},
        {"severity": "loud"},
        {"subject_kind": "patient"},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_the_database_keeps_a_message_in_exactly_one_state_and_in_known_words(slack, wrong):
    say("1")
    now = database_now()
    fields = {name: now if value == "now" else value for name, value in wrong.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        OutboxMessage.objects.update(**fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "mail", "role": ""},
        {"channel": "slack", "role": "manager"},
        {"channel": "pigeon", "role": ""},
        {"channel": "slack", "role": "", "severity": "loud"},
    ],
)
def test_the_database_refuses_a_route_that_is_none(wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationRoute.objects.create(**({"severity": "critical", "is_on": True} | wrong))


def test_events_about_every_kind_of_subject_can_be_chosen_in_the_log():
    listed = TARGET_KINDS.keys()
    assert {kind.value for kind in SubjectKind} - {SubjectKind.REQUEST.value} <= listed


def test_two_who_tell_of_the_same_at_once_tell_it_once(own_database, slack):
    counts: list[int] = []

    def tell() -> None:
        with transaction.atomic():
            counts.append(say("1"))

    assert at_once(tell, tell, tell) == [None, None, None]
    assert sorted(counts) == [0, 0, 1]
    assert OutboxMessage.objects.count() == 1


def test_outside_a_transaction_nobody_is_told(own_database, slack):
    with pytest.raises(NotInTransaction, match="open the transaction"):
        say("1")
    assert not OutboxMessage.objects.exists()
