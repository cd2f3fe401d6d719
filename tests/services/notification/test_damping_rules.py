"""However a finding flaps, people are not flooded, and in the end they know how it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backups.domain.monitor import Severity
from backups.domain.notification import Channel, Subject, SubjectKind, Topic
from backups.models import DampedAlert, OutboxMessage
from backups.selectors.clock import database_now
from backups.services.notification import alert as alert_module
from backups.services.notification import summaries
from backups.services.notification.alert import alert
from backups.services.notification.summaries import send_summaries

pytestmark = pytest.mark.django_db
DAMPING_SECONDS = 900
Move = tuple[int, str, Severity]
moves = st.lists(
    st.tuples(st.integers(1, 1200), st.sampled_from(["flip", "worse"]), st.sampled_from(Severity)),
    min_size=1,
    max_size=12,
)


class Teller:
    """A finding that opens, worsens and closes, told as the monitor tells it, by a clock that is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def begin(self) -> None:
        self.now = database_now()
        self.is_open = False
        self.number = 0
        self.severity = Severity.NOTICE
        for module in (alert_module, summaries):
            self.monkeypatch.setattr(module, "database_now", lambda: self.now)

    def wait(self, seconds: int) -> None:
        """The duty runs every half minute."""
        for _ in range(0, seconds, 30):
            self.now += dt.timedelta(seconds=min(30, seconds))
            send_summaries()

    def play(self, what: str, severity: Severity) -> None:
        if what == "flip" and self.is_open:
            self.is_open = False
            self._say(Topic.FINDING_CLOSED, resolves=True)
        elif what == "flip":
            self.is_open, self.severity = True, severity
            self.number += 1
            self._say(Topic.FINDING_OPENED)
        elif self.is_open and severity.rank < self.severity.rank:
            self.severity = severity
            self._say(Topic.FINDING_WORSE)

    def _say(self, topic: Topic, *, resolves: bool = False) -> None:
        alert(
            topic=topic,
            subject=Subject(SubjectKind.FINDING, f"F-{self.number}", identity="schedule:main"),
            severity=self.severity,
            text="Over." if resolves else "It is open.",
            link_path="/monitor/",
            occasion=f"{self.number}:{topic.value}:{self.severity.value}",
            resolves=resolves,
        )


@pytest.fixture
def teller(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Teller:
    settings.NOTIFICATION_DAMPING_SECONDS = DAMPING_SECONDS
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    settings.PAGERDUTY_ROUTING_KEY = "routing-key-CANARY"
    return Teller(monkeypatch)


@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves)
@example(moves=[(1, "flip", Severity.CRITICAL)] * 9)
@example(moves=[(1, "flip", Severity.WARNING)] * 3 + [(1, "worse", Severity.CRITICAL), (1, "flip", Severity.NOTICE)])
def test_in_the_end_people_know_how_it_is_and_were_not_flooded(teller, moves: list[Move]):
    with transaction.atomic():
        teller.begin()
        for seconds, what, severity in moves:
            teller.wait(seconds)
            teller.play(what, severity)
        teller.wait(DAMPING_SECONDS + 60)
        told = list(OutboxMessage.objects.filter(channel=Channel.SLACK).order_by("pk"))
        rung = list(OutboxMessage.objects.filter(channel=Channel.PAGERDUTY).order_by("pk"))
        note(str([(message.topic, message.severity) for message in told]))
        assert not DampedAlert.objects.exists(), "nothing is kept for ever"
        if told:
            assert told[-1].resolves == (not teller.is_open), "the last word is true"
        if told and teller.is_open and teller.severity is Severity.CRITICAL:
            assert _rings(rung)
        if not teller.is_open:
            assert not _rings(rung)
        assert _most_in_a_window(told, Topic.FINDING_OPENED) <= 3, "once, and once more for each time that is worse"
        assert _most_in_a_window(told, Topic.FINDING_CLOSED) <= 1
        assert _most_in_a_window(told, Topic.FINDING_FLAPPING) <= 1
        transaction.set_rollback(True)


def _rings(rung: list[OutboxMessage]) -> bool:
    return bool(rung) and not rung[-1].resolves


def _most_in_a_window(told: list[OutboxMessage], topic: Topic) -> int:
    """How many of a topic stood in one damping time at most. Openings that are worse each time are no flood."""
    times = [message.created_at for message in told if message.topic == topic]
    window = dt.timedelta(seconds=DAMPING_SECONDS - 1)
    return max((sum(start <= at <= start + window for at in times) for start in times), default=0)
