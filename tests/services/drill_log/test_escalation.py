"""Nobody forgets a corrective action in silence, and an exercise that ended asks for its signature."""

from __future__ import annotations

import datetime as dt

import pytest

from backups.models import CorrectiveAction, LedgerEvent, OutboxMessage
from backups.selectors.clock import database_now
from backups.services.corrective_action import add_drill_action, finish_action
from backups.services.drill_log import telling
from backups.services.drill_log.exercise import end_exercise, plan_exercise
from backups.services.drill_log.telling import escalate_actions
from tests.services.drill_log.conftest import ending, exercise

pytestmark = pytest.mark.django_db


@pytest.fixture
def action(people, ended) -> CorrectiveAction:
    assert people.bob
    assert people.carol
    OutboxMessage.objects.all().delete()
    return add_drill_action(
        actor=people.alice.actor,
        drill_id=ended.pk,
        title="Put a second manager on call",
        owner_id=people.erin.user.pk,
        due_on=database_now().date() + dt.timedelta(days=10),
    )


@pytest.fixture
def look(monkeypatch, action):
    """`look(days=3)`: what the duty says when so many days have passed since the last day of the action."""

    def at(days: int) -> list[tuple[str, str]]:
        now = dt.datetime.combine(action.due_on, dt.time(12), dt.UTC) + dt.timedelta(days=days)
        monkeypatch.setattr(telling, "database_now", lambda: now)
        known = set(OutboxMessage.objects.values_list("pk", flat=True))
        escalate_actions()
        new = OutboxMessage.objects.exclude(pk__in=known)
        return sorted((message.topic, message.person.username) for message in new if message.person)

    return at


def test_the_owner_is_reminded_ahead_and_managers_hear_of_it_when_it_is_late(look):
    assert look(-3) == []
    assert look(-2) == [("action.due", "erin")]
    assert look(0) == []
    late = [("action.overdue", name) for name in ("bob", "carol", "erin")]
    assert look(1) == late
    assert look(2) == []
    assert look(8) == late
    assert LedgerEvent.objects.filter(type="action.overdue").count() == 1


def test_what_is_done_says_nothing_more(people, action, look):
    finish_action(actor=people.erin.actor, action_id=action.pk, proof="OPS-12")
    assert look(20) == []


def test_messages_hold_no_words_of_people(action, look):
    look(1)
    assert not OutboxMessage.objects.filter(text__contains="second manager").exists()


def test_an_exercise_that_ended_asks_managers_for_a_signature(people, main):
    drill = plan_exercise(actor=people.bob.actor, exercise=exercise(main))
    end_exercise(actor=people.bob.actor, drill_id=drill.pk, ending=ending())
    wanted = OutboxMessage.objects.filter(topic="drill.sign_off_wanted", link__endswith=f"/drills/{drill.pk}/")
    assert {message.person.username for message in wanted if message.person} == {"carol"}, "not the one who ran it"
