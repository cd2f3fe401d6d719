"""The page on alerts: what each channel does, where alerts go, and a test that says how it went."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from backups.domain.monitor import Severity
from backups.domain.notification import DEFAULT_ROUTES, Channel, Control, Route, Subject, SubjectKind, Topic
from backups.domain.people import Role
from backups.models import ChannelState, LedgerEvent, NotificationRoute, OutboxMessage
from backups.selectors.clock import database_now
from backups.selectors.routing import routes_in_force
from backups.services.notification.alert import alert
from backups.services.notification.heartbeat import beat
from backups.services.notification.routes import digest_of, set_routes
from backups.services.restore.errors import InvalidInput, Refused
from tests.admin.test_pages_show import text_of
from tests.services.notification import receivers
from tests.services.notification.receivers import answer, http_receiver

pytestmark = pytest.mark.django_db
PAGE = "/notifications/"
MANAGERS_AT_NIGHT = Route(Severity.CRITICAL, Channel.MAIL, Role.MANAGER)


@pytest.fixture
def erin(people: Any, log_in: Any) -> Any:
    return log_in(people.erin)


def ticked(*without: Route) -> dict[str, Any]:
    routes = DEFAULT_ROUTES - set(without)
    return {"route": [route.code for route in routes], "seen": digest_of(routes_in_force())}


def test_an_untouched_table_is_the_default_one(erin):
    html = erin.get(PAGE).content.decode()
    checked = set(re.findall(r'value="([a-z.]+)"[^>]*checked', html))
    assert checked == {route.code for route in DEFAULT_ROUTES}


def test_a_cell_is_switched_off_and_alerts_follow(erin, people):
    answered = erin.post(reverse("ops:notifications-routes"), ticked(MANAGERS_AT_NIGHT), follow=True)
    assert "Alerts go there from now on." in text_of(answered)
    assert routes_in_force() == DEFAULT_ROUTES - {MANAGERS_AT_NIGHT}
    event = LedgerEvent.objects.get(type="notification.changed")
    assert '"switched_off":["critical.mail.manager"]' in event.body
    assert people.bob
    alert(
        topic=Topic.DRILL_FAILED,
        subject=Subject(SubjectKind.DRILL, "D-1"),
        severity=Severity.CRITICAL,
        text="It failed.",
        link_path="/drills/1/",
        roles=[Role.MANAGER],
        occasion="1",
    )
    assert not OutboxMessage.objects.exists()


def test_storing_the_same_table_changes_and_records_nothing(erin):
    assert "Nothing was changed." in text_of(erin.post(reverse("ops:notifications-routes"), ticked(), follow=True))
    assert not LedgerEvent.objects.filter(type="notification.changed").exists()
    assert not NotificationRoute.objects.exists()


def test_what_is_critical_must_go_somewhere(erin):
    wish = ticked(*[route for route in DEFAULT_ROUTES if route.severity is Severity.CRITICAL])
    answered = erin.post(reverse("ops:notifications-routes"), wish)
    assert answered.status_code == 422
    assert "Critical alerts must go somewhere" in text_of(answered)
    assert "critical.slack" not in re.findall(r'value="([a-z.]+)"[^>]*checked', answered.content.decode())
    assert routes_in_force() == DEFAULT_ROUTES


def test_a_table_that_somebody_else_changed_is_not_overwritten(erin, people):
    stale = ticked()
    set_routes(actor=people.erin.actor, routes=DEFAULT_ROUTES - {MANAGERS_AT_NIGHT}, seen=stale["seen"])
    answered = erin.post(reverse("ops:notifications-routes"), stale, follow=True)
    assert "Somebody changed this table" in text_of(answered)
    assert MANAGERS_AT_NIGHT not in routes_in_force()


def test_names_of_no_cell_are_left_out(erin):
    wish = ticked() | {"route": [*ticked()["route"], "critical.pigeon", "<script>"]}
    erin.post(reverse("ops:notifications-routes"), wish)
    assert routes_in_force() == DEFAULT_ROUTES


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "charlie"])
def test_the_service_lets_nobody_else_change_the_table(people, name):
    person = getattr(people, name)
    with pytest.raises(Refused, match="Only an administrator"):
        set_routes(actor=person.actor, routes=frozenset(), seen="")
    event = LedgerEvent.objects.filter(type="access.refused").latest("recorded_at")
    assert event.actor_ref == f"user:{person.user.pk}"


def test_the_service_itself_refuses_an_empty_table(people):
    with pytest.raises(InvalidInput, match="must go somewhere"):
        set_routes(actor=people.erin.actor, routes=frozenset(), seen=digest_of(routes_in_force()))


def test_the_test_button_says_how_each_channel_did(settings, erin):
    settings.NOTIFICATION_POST_SECONDS = 0.5
    with http_receiver(answer(202)) as pagerduty, http_receiver(receivers.hang) as slack:
        settings.PAGERDUTY_ROUTING_KEY, settings.PAGERDUTY_URL = "key-CANARY", pagerduty.address
        settings.SLACK_WEBHOOK_URL = slack.address
        answered = erin.post(reverse("ops:notifications-test"), {"mail_to": "erin@carecircle.example"}, follow=True)
    words = text_of(answered)
    assert "Mail: It was taken." in words
    assert "Slack did not take the test message. There was no whole answer within 0.5 s." in words
    assert "Webhook: nothing was sent. WEBHOOK_URL is not set." in words
    assert "PagerDuty: It was taken." in words
    assert [b'"trigger"' in post.body for post in pagerduty.posts] == [True, False]
    assert mail.outbox[0].to == ["erin@carecircle.example"]
    events = LedgerEvent.objects.filter(type__startswith="notification.")
    assert sorted(event.type for event in events) == ["notification.failed"] + 2 * ["notification.sent"]
    assert "CANARY" not in answered.content.decode() + "".join(event.body for event in events)


def test_an_address_that_is_none_is_said_beside_the_field(erin):
    answered = erin.post(reverse("ops:notifications-test"), {"mail_to": "erin at example"})
    assert answered.status_code == 422
    assert "valid email address" in text_of(answered)
    assert not mail.outbox


def test_what_was_not_delivered_is_shown_and_unknown_is_not_shown_as_well(erin, settings, people):
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    alert(
        topic=Topic.DRILL_FAILED,
        subject=Subject(SubjectKind.DRILL, "D-0007"),
        severity=Severity.CRITICAL,
        text="It failed.",
        link_path="/drills/7/",
        occasion="1",
    )
    OutboxMessage.objects.update(
        next_attempt_at=None,
        given_up_at=database_now(),
        attempts=15,
        last_problem="It answered 500.",
        problem_code="refused",
    )
    beat(Control.MONITOR, well=False)
    words = text_of(erin.get(PAGE))
    assert "not delivering all" in words
    assert "D-0007" in words
    assert "given up It answered 500." in words
    assert "it could not do its work" in words
    assert words.count("never seen") == 3
    assert "nobody outside watches" in words
    assert "CANARY" not in words


def test_a_channel_whose_last_attempt_failed_is_not_shown_as_delivering(erin, settings):
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    now = database_now()
    state = ChannelState.objects.create(channel=Channel.SLACK, last_sent_at=now, last_failed_at=now)
    assert "delivers" in text_of(erin.get(PAGE))
    state.last_failed_at = now + dt.timedelta(seconds=1)
    state.save()
    words = text_of(erin.get(PAGE))
    assert "the last attempt failed" in words
    assert "delivers" not in words


def test_others_see_the_table_and_nothing_to_press(people, log_in):
    html = log_in(people.bob).get(PAGE).content.decode()
    assert "Where alerts go" in html
    assert 'type="checkbox"' not in html
    assert "Send test messages" not in html


def test_the_page_costs_the_same_however_much_there_is(erin, django_assert_max_num_queries, settings):
    settings.SLACK_WEBHOOK_URL = "https://hooks.slack.com/services/CANARY"
    for number in range(30):
        alert(
            topic=Topic.DRILL_FAILED,
            subject=Subject(SubjectKind.DRILL, f"D-{number}"),
            severity=Severity.CRITICAL,
            text="It failed.",
            link_path="/drills/7/",
            occasion="1",
        )
    with django_assert_max_num_queries(14):
        erin.get(PAGE)
