"""Corrective actions: agreed on, moved with a reason, done with proof."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import ProgrammingError, connection, transaction

from backups.models import CorrectiveAction, LedgerEvent
from backups.selectors.clock import database_now
from backups.selectors.drill_log import open_actions, overdue_actions
from backups.services.corrective_action import add_drill_action, finish_action, move_action
from backups.services.restore.errors import InvalidInput, Refused

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def action(people, ended) -> CorrectiveAction:
    due_on = database_now().date() + 7 * DAY
    return add_drill_action(
        actor=people.alice.actor,
        drill_id=ended.pk,
        title="Put a second manager on call",
        owner_id=people.erin.user.pk,
        due_on=due_on,
    )


def test_an_action_has_an_owner_and_a_day_and_its_words_stay_out_of_the_ledger(people, action):
    assert (action.owner, action.owner_name) == (people.erin.user, "erin")
    event = LedgerEvent.objects.get(type="action.added")
    assert event.members["data"]["due_on"] == action.due_on.isoformat()
    assert "second manager" not in event.body


def test_it_is_done_by_its_owner_with_proof(people, action):
    with pytest.raises(InvalidInput):
        finish_action(actor=people.erin.actor, action_id=action.pk, proof=" ")
    done = finish_action(actor=people.erin.actor, action_id=action.pk, proof="OPS-12, rota of December")
    assert (done.done_by_name, done.proof.text) == ("erin", "OPS-12, rota of December")
    assert not open_actions().exists()


@pytest.mark.parametrize("who", ["dana", "charlie"])
def test_whoever_neither_owns_it_nor_logs_drills_can_do_nothing(people, action, who):
    actor = getattr(people, who).actor
    with pytest.raises(Refused):
        finish_action(actor=actor, action_id=action.pk, proof="done")
    with pytest.raises(Refused):
        move_action(actor=actor, action_id=action.pk, owner_id=action.owner_id, due_on=action.due_on, reason="later")
    assert LedgerEvent.objects.filter(type="access.refused", target_id=f"A-{action.pk:04d}").count() == 2


def test_it_moves_with_a_reason(people, action):
    later = action.due_on + 7 * DAY
    move_action(actor=people.bob.actor, action_id=action.pk, owner_id=people.bob.user.pk, due_on=later, reason="Ill")
    action.refresh_from_db()
    assert (action.owner_name, action.due_on) == ("bob", later)
    assert LedgerEvent.objects.get(type="action.moved").members["data"]["previous_due_on"] != later.isoformat()


def test_what_cannot_be_agreed_on_is_said_beside_its_field(people, ended):
    with pytest.raises(InvalidInput) as invalid:
        add_drill_action(
            actor=people.alice.actor, drill_id=ended.pk, title="", owner_id=987654, due_on=dt.date(2020, 1, 1)
        )
    assert set(invalid.value.errors) == {"title", "owner", "due_on"}


def test_done_is_done_in_the_database_too(people, action):
    finish_action(actor=people.erin.actor, action_id=action.pk, proof="OPS-12")
    with pytest.raises(Refused, match="done already"):
        finish_action(actor=people.erin.actor, action_id=action.pk, proof="OPS-13")
    for statement in (
        "UPDATE backups_correctiveaction SET done_at = NULL, done_by_name = ''",
        "DELETE FROM backups_correctiveaction",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_action_is_overdue_when_its_day_is_over_in_utc(action):
    last_minute = dt.datetime.combine(action.due_on, dt.time(23, 59), dt.UTC)
    assert not overdue_actions(last_minute).exists()
    assert overdue_actions(last_minute + dt.timedelta(minutes=2)).get() == action
