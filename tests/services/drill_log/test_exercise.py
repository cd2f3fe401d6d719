"""Exercises logged by people: entered, changed until over, and each change an event."""

from __future__ import annotations

import datetime as dt

import pytest

from backups.domain.drill import DrillOutcome, DrillState, DrillType
from backups.models import Drill, LedgerEvent, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.drill_log.course import add_note, add_participant, remove_participant
from backups.services.drill_log.exercise import (
    begin_exercise,
    cancel_exercise,
    change_exercise,
    end_exercise,
    plan_exercise,
)
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import project
from tests.services.drill_log.conftest import ending, exercise
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db


def events_of(drill: Drill) -> list[str]:
    events = LedgerEvent.objects.filter(target_id=drill.reference, type__startswith="drill.")
    return list(events.order_by("id").values_list("type", flat=True))


def test_an_exercise_goes_from_planned_to_ended_with_an_event_for_each_change(people, main, planned):
    alice = people.alice.actor
    change_exercise(actor=alice, drill_id=planned.pk, exercise=exercise(main, title="Rows deleted at night"))
    begin_exercise(actor=alice, drill_id=planned.pk)
    add_participant(actor=alice, drill_id=planned.pk, login="bob", part="approved")
    add_participant(actor=alice, drill_id=planned.pk, name="Dr. Ada Stone", part="clinic on call")
    add_note(actor=alice, drill_id=planned.pk, at=database_now() - dt.timedelta(minutes=5), text="Bob is called")
    drill = end_exercise(actor=alice, drill_id=planned.pk, ending=ending())

    assert (drill.state, drill.outcome, drill.title) == (DrillState.ENDED, DrillOutcome.PASSED, "Rows deleted at night")
    assert drill.rto_milliseconds == 30 * 60 * 1000
    assert drill.conclusion.text.startswith("Everybody knew")
    assert events_of(drill) == [
        "drill.exercise_planned", "drill.exercise_changed", "drill.exercise_begun", "drill.participants_changed",
        "drill.participants_changed", "drill.noted", "drill.exercise_ended",
    ]  # fmt: skip


def test_peoples_words_stay_out_of_the_events_and_can_be_erased(planned):
    event = LedgerEvent.objects.get(type="drill.exercise_planned")
    assert "medication" not in event.body
    assert planned.title not in event.body
    assert planned.story.event_id == event.pk


def test_a_name_without_an_account_stays_out_of_the_ledger(people, planned):
    add_participant(actor=people.alice.actor, drill_id=planned.pk, name="Dr. Ada Stone")
    assert not LedgerEvent.objects.filter(body__contains="Stone").exists()


def test_nothing_new_is_no_change(people, main, planned):
    change_exercise(actor=people.alice.actor, drill_id=planned.pk, exercise=exercise(main))
    assert events_of(planned) == ["drill.exercise_planned"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"story": "  "}, "story"),
        ({"story": "use napi_0123456789abcdef"}, "story"),
        ({"story": "x" * 4001}, "story"),
        ({"title": ""}, "title"),
        ({"title": "x" * 161}, "title"),
        ({"project_id": 987654}, "project"),
        ({"restore_request_id": 987654}, "restore_request"),
    ],
)
def test_what_cannot_be_entered_is_said_beside_its_field_and_nothing_is_stored(people, main, changes, field):
    with pytest.raises(InvalidInput) as invalid:
        plan_exercise(actor=people.alice.actor, exercise=exercise(main, **changes))
    assert list(invalid.value.errors) == [field]
    assert not Drill.objects.exists()


def test_a_branch_of_another_project_is_refused(people, main):
    other = project(neon_project_id="other-1")
    with pytest.raises(InvalidInput) as invalid:
        plan_exercise(actor=people.alice.actor, exercise=exercise(main, project_id=other.pk))
    assert "branch" in invalid.value.errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conclusion": ""}, "conclusion"),
        ({"ended_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "ended"),
        ({"noticed_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "verified_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
         "verified"),
        ({"ended_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "ended"),
    ],
)  # fmt: skip
def test_an_ending_that_cannot_be_is_refused(people, planned, changes, field):
    with pytest.raises(InvalidInput) as invalid:
        end_exercise(actor=people.alice.actor, drill_id=planned.pk, ending=ending(**changes))
    assert field in invalid.value.errors
    planned.refresh_from_db()
    assert planned.state == DrillState.PLANNED


@pytest.mark.parametrize("who", ["dana", "erin", "charlie"])
def test_whoever_has_no_such_role_logs_nothing_and_it_is_recorded(people, main, who):
    person = getattr(people, who)
    with pytest.raises(Refused):
        plan_exercise(actor=person.actor, exercise=exercise(main))
    refused = LedgerEvent.objects.get(type="access.refused")
    assert refused.actor_ref == f"user:{person.user.pk}"
    assert not Drill.objects.exists()


def test_what_is_over_is_not_rewritten(people, main, ended):
    alice = people.alice.actor
    acts = [
        lambda: change_exercise(actor=alice, drill_id=ended.pk, exercise=exercise(main, title="It went better")),
        lambda: end_exercise(actor=alice, drill_id=ended.pk, ending=ending(outcome=DrillOutcome.FAILED)),
        lambda: cancel_exercise(actor=alice, drill_id=ended.pk, reason="It went badly"),
        lambda: add_note(actor=alice, drill_id=ended.pk, at=database_now(), text="Later"),
        lambda: add_participant(actor=alice, drill_id=ended.pk, login="bob"),
        lambda: begin_exercise(actor=alice, drill_id=ended.pk),
    ]
    for act in acts:
        with pytest.raises(Refused, match="over"):
            act()
    ended.refresh_from_db()
    assert ended.outcome == DrillOutcome.PASSED
    assert LedgerEvent.objects.filter(type="access.refused", target_id=ended.reference).count() == len(acts)


def test_an_automatic_drill_is_not_written_by_hand(people, main, automatic):
    drill = automatic(state=DrillState.WAITING, outcome=None, ended_at=None)
    with pytest.raises(Refused, match="portal runs"):
        end_exercise(actor=people.alice.actor, drill_id=drill.pk, ending=ending())
    drill.refresh_from_db()
    assert drill.state == DrillState.WAITING


def test_a_cancelled_exercise_says_why(people, planned):
    drill = cancel_exercise(actor=people.alice.actor, drill_id=planned.pk, reason="The clinic moves that day")
    assert (drill.state, drill.outcome, drill.conclusion.text) == ("cancelled", None, "The clinic moves that day")


def test_participants_are_listed_once_and_can_be_taken_off(people, planned):
    alice, drill = people.alice.actor, planned.pk
    bob = add_participant(actor=alice, drill_id=drill, login=people.bob.user.username)
    for login, field in (("bob", "name"), ("nobody", "login"), ("", "name")):
        with pytest.raises(InvalidInput) as invalid:
            add_participant(actor=alice, drill_id=drill, login=login)
        assert list(invalid.value.errors) == [field]
    remove_participant(actor=alice, drill_id=drill, participant_id=bob.pk)
    assert not planned.participants.exists()


def test_the_timeline_holds_no_time_to_come(people, planned):
    with pytest.raises(InvalidInput, match="future"):
        add_note(
            actor=people.alice.actor,
            drill_id=planned.pk,
            at=database_now() + dt.timedelta(minutes=5),
            text="It will be repaired",
        )
    assert not planned.notes.exists()


def test_an_exercise_takes_its_times_from_the_restore_that_was_really_made(people):
    restore = Scenes(people).completed()
    main = restore.branch
    RestoreRequest.objects.filter(pk=restore.pk).update(noticed_at=restore.submitted_at - dt.timedelta(minutes=9))
    restore.refresh_from_db()
    wanted = exercise(main, type=DrillType.FULL, restore_request_id=restore.pk)
    drill = plan_exercise(actor=people.alice.actor, exercise=wanted)
    too_late = ending(noticed_at=database_now(), verified_at=None, ended_at=database_now())
    with pytest.raises(InvalidInput, match="verified before this time"):
        end_exercise(actor=people.alice.actor, drill_id=drill.pk, ending=too_late)
    drill = end_exercise(
        actor=people.alice.actor,
        drill_id=drill.pk,
        ending=ending(noticed_at=None, verified_at=None, ended_at=database_now()),
    )
    assert (drill.noticed_at, drill.approved_at) == (restore.noticed_at, restore.approved_at)
    assert (drill.submitted_at, drill.verified_at) == (restore.submitted_to_neon_at, restore.closed_at)
    assert drill.rto_milliseconds == round((restore.closed_at - restore.noticed_at).total_seconds() * 1000)
