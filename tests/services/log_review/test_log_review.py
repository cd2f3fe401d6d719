"""The review of the log: drawn by the machine, marked by people who did not cause the event, signed when whole."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from backups.domain.ledger import Outcome, Target
from backups.domain.log_review import MOST_OF_A_REASON, OVERLAP, Mark, Reason
from backups.domain.monitor import FindingCode
from backups.domain.people import anonymous_actor
from backups.models import CorrectiveAction, LedgerEvent, LogReview, LogReviewItem, LogReviewMark
from backups.selectors.clock import database_now
from backups.selectors.log_review import concerns, standing
from backups.selectors.log_review_draw import by_lot, draw
from backups.services.drill_log.telling import escalate_actions
from backups.services.ledger import record_event
from backups.services.log_review import Marking, add_review_action, mark_items, open_review, sign_review
from backups.services.monitor.controls.ledger import reviewed
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import People, Person

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def everybody(people: People) -> list[Person]:
    """Their accounts and roles are the first events."""
    return people.all()


def marks_of(review: LogReview, person: Person, mark: Mark = Mark.OK) -> dict[int, Marking]:
    """The same mark for everything that this person may mark."""
    items = review.items.select_related("event")
    return {item.pk: Marking(mark) for item in items if not concerns(item, person.actor)}


def mark_all(review: LogReview, people: People) -> None:
    mark_items(actor=people.dana.actor, review_id=review.pk, markings=marks_of(review, people.dana))
    own = [item for item in review.items.select_related("event") if concerns(item, people.dana.actor)]
    mark_items(actor=people.bob.actor, review_id=review.pk, markings={item.pk: Marking(Mark.OK) for item in own})


def refuse(people: People, number: int) -> None:
    for _ in range(number):
        record_event(
            type="access.refused",
            actor=people.alice.actor,
            target=Target(kind="page", id="/tokens/"),
            outcome=Outcome.DENIED,
            details={"refused": "role"},
        )


def test_the_draw_can_be_computed_again_by_anybody(people, settings):
    settings.LOG_REVIEW_SAMPLE = 5
    refuse(people, 3)
    review = open_review(actor=people.dana.actor)
    told = LedgerEvent.objects.get(type="log_review.opened").members["data"]
    assert told["seed"] == review.seed
    population = list(
        LedgerEvent.objects.filter(
            recorded_at__gte=review.begins_at - OVERLAP, recorded_at__lt=review.ends_at
        ).values_list("pk", flat=True)
    )
    assert told["events"] == review.population == len(population)

    def lot(event_id: UUID) -> bytes:
        return hashlib.sha256(f"{told['seed']}:{event_id}".encode()).digest()

    drawn = list(review.items.filter(reason=Reason.SAMPLE).values_list("event_id", flat=True))
    assert drawn == sorted(population, key=lot)[:5]
    lines = [f"{item.event_id} {item.reason}" for item in review.items.order_by("position")]
    assert told["evidence_sha256"] == "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_some_kinds_are_always_looked_at_and_the_rest_is_counted(people, settings):
    settings.LOG_REVIEW_SAMPLE = 1
    for _ in range(6):
        record_event(
            type="access.login_failed",
            actor=anonymous_actor(ip="10.0.0.9"),
            target=Target(kind="account", id="unknown"),
            outcome=Outcome.DENIED,
            details={"means": "password", "login_hash": "hmac:abc"},
        )
    refuse(people, MOST_OF_A_REASON + 4)
    review = open_review(actor=people.dana.actor)
    reasons = list(review.items.values_list("reason", flat=True))
    assert reasons.count(Reason.BURST) == 1
    assert reasons.count(Reason.REFUSED) in {MOST_OF_A_REASON - 1, MOST_OF_A_REASON}
    assert review.left_out["refused"] == 4
    assert reasons.count(Reason.ACCESS) >= MOST_OF_A_REASON - 1


def test_a_few_refused_log_ins_are_no_burst(people):
    for number in range(4):
        record_event(
            type="access.login_failed",
            actor=anonymous_actor(ip=f"10.0.0.{number}"),
            target=Target(kind="account", id="unknown"),
            outcome=Outcome.DENIED,
            details={"means": "password", "login_hash": "hmac:abc"},
        )
    since = database_now() - DAY
    found = draw(since=since, until=database_now() + DAY, seed=1, sample_size=0)
    assert Reason.BURST not in [reason for _, reason in found.items]


def test_the_next_period_begins_where_the_last_one_ended(people):
    first = open_review(actor=people.dana.actor)
    with pytest.raises(Refused, match="not signed yet"):
        open_review(actor=people.bob.actor)
    mark_all(first, people)
    sign_review(actor=people.dana.actor, review_id=first.pk)
    second = open_review(actor=people.bob.actor)
    assert (second.begins_at, second.previous_id) == (first.ends_at, first.pk)
    assert second.seed != first.seed


def test_the_seed_does_not_follow_from_who_opens(people):
    with transaction.atomic():
        seeds = {open_review(actor=people.dana.actor).seed}
        transaction.set_rollback(True)
    seeds.add(open_review(actor=people.dana.actor).seed)
    assert len(seeds) == 2


@pytest.mark.parametrize("who", ["alice", "erin", "charlie"])
def test_only_auditors_and_managers_review(people, who):
    with pytest.raises(Refused, match="Only an auditor or a manager"):
        open_review(actor=getattr(people, who).actor)
    assert not LogReview.objects.exists()


def own_item(people: People, person: Person) -> LogReviewItem:
    record_event(type="access.logout", actor=person.actor, target=Target(kind="account", id=person.actor.ref))
    review = open_review(actor=people.dana.actor)
    return next(item for item in review.items.select_related("event") if concerns(item, person.actor))


def test_nobody_marks_an_own_event(people, settings):
    settings.LOG_REVIEW_SAMPLE = 200
    item = own_item(people, people.bob)
    with pytest.raises(Refused, match="marked by somebody else"):
        mark_items(actor=people.bob.actor, review_id=item.review_id, markings={item.pk: Marking(Mark.OK)})
    assert mark_items(actor=people.carol.actor, review_id=item.review_id, markings={item.pk: Marking(Mark.OK)}) == 1


def test_the_database_lets_nobody_mark_an_own_event(people, settings):
    settings.LOG_REVIEW_SAMPLE = 200
    item = own_item(people, people.bob)
    with pytest.raises(DatabaseError, match="Nobody marks an event that he caused"), transaction.atomic():
        sql(
            "INSERT INTO backups_logreviewmark (item_id, mark, marked_by_id, marked_by_name, at) "
            "VALUES (%s, 'ok', %s, 'bob', now())",
            item.pk,
            people.bob.user.pk,
        )
    assert not LogReviewMark.objects.exists()


def test_a_review_is_not_signed_before_everything_is_marked(people):
    review = open_review(actor=people.dana.actor)
    with pytest.raises(Refused, match="have no mark yet"):
        sign_review(actor=people.dana.actor, review_id=review.pk)
    with pytest.raises(DatabaseError, match="every event is marked"), transaction.atomic():
        sign_by_sql(review, people.dana)


def test_a_problem_needs_words_or_an_action(people):
    review = open_review(actor=people.dana.actor)
    mark_all(review, people)
    item = next(each for each in review.items.select_related("event") if not concerns(each, people.dana.actor))
    mark_items(actor=people.dana.actor, review_id=review.pk, markings={item.pk: Marking(Mark.PROBLEM)})
    with pytest.raises(Refused, match="words that explain it"):
        sign_review(actor=people.dana.actor, review_id=review.pk)
    with pytest.raises(DatabaseError, match="every problem explained"), transaction.atomic():
        sign_by_sql(review, people.dana)
    action = add_review_action(
        actor=people.dana.actor,
        review_id=review.pk,
        item_id=item.pk,
        title="Close the account",
        owner_id=people.erin.user.pk,
        due_on=(database_now() + 7 * DAY).date(),
    )
    assert action.log_review_item == item
    assert sign_review(actor=people.dana.actor, review_id=review.pk).signed_by_name == "dana"
    added = LedgerEvent.objects.get(type="action.added")
    assert (added.members["data"]["log_review"], added.world) == (review.reference, "portal")


def test_words_explain_a_problem_and_lie_beside_the_ledger(people):
    review = open_review(actor=people.dana.actor)
    mark_all(review, people)
    item = next(each for each in review.items.select_related("event") if not concerns(each, people.dana.actor))
    said = {item.pk: Marking(Mark.PROBLEM, "This account was to be closed in May.")}
    assert mark_items(actor=people.dana.actor, review_id=review.pk, markings=said) == 1
    assert mark_items(actor=people.dana.actor, review_id=review.pk, markings=said) == 0, "nothing new was said"
    event = LedgerEvent.objects.get(type="log_review.remarked")
    assert "May" not in event.body
    assert event.free_text.text.endswith("in May.")
    sign_review(actor=people.dana.actor, review_id=review.pk)
    signed = LedgerEvent.objects.get(type="log_review.signed").members["data"]
    assert (signed["problems"], signed["items"]) == (1, review.items.count())


def test_marks_and_signed_reviews_are_not_changed(people):
    review = open_review(actor=people.dana.actor)
    mark_all(review, people)
    sign_review(actor=people.dana.actor, review_id=review.pk)
    item = review.items.first()
    with pytest.raises(Refused, match="takes no more marks"):
        mark_items(actor=people.carol.actor, review_id=review.pk, markings={item.pk: Marking(Mark.OK)})
    attacks = [
        "UPDATE backups_logreviewmark SET mark = 'ok'",
        "DELETE FROM backups_logreviewmark",
        "UPDATE backups_logreviewitem SET position = position + 100",
        "DELETE FROM backups_logreview",
        "UPDATE backups_logreview SET seed = 1",
        "UPDATE backups_logreview SET signed_by_id = NULL, signed_by_name = NULL, signed_at = NULL",
        "INSERT INTO backups_logreviewmark (item_id, mark, marked_by_id, marked_by_name, at) "
        "SELECT item_id, mark, marked_by_id, marked_by_name, at FROM backups_logreviewmark LIMIT 1",
    ]
    for attack in attacks:
        with pytest.raises(DatabaseError), transaction.atomic():
            sql(attack)


def again(**changed: str) -> str:
    """The newest review copied as a row of SQL, with some columns changed."""
    columns = {
        "previous_id": "previous_id",
        "begins_at": "begins_at",
        "ends_at": "ends_at",
        "population": "population",
        "sample_size": "sample_size",
        "seed": "seed + 1",
        "left_out": "left_out",
        "opened_by_id": "opened_by_id",
        "opened_by_name": "opened_by_name",
        "opened_at": "opened_at",
    } | changed
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO backups_logreview ({names}) SELECT {values} FROM backups_logreview LIMIT 1"  # noqa: S608


def test_a_period_has_no_second_seed(people):
    review = open_review(actor=people.dana.actor)
    with pytest.raises(DatabaseError, match="follows the newest one"), transaction.atomic():
        sql(again())
    with pytest.raises(DatabaseError, match="once that one is signed"), transaction.atomic():
        sql(again(previous_id="id", begins_at="ends_at", ends_at="now()", opened_at="now()"))
    mark_all(review, people)
    sign_review(actor=people.dana.actor, review_id=review.pk)
    with pytest.raises(DatabaseError, match="begins where the newest one ends"), transaction.atomic():
        sql(again(previous_id="id"))
    future = "now() + interval '1 day'"
    with pytest.raises(DatabaseError, match="into the future"), transaction.atomic():
        sql(again(previous_id="id", begins_at="ends_at", ends_at=future, opened_at=future))


def test_two_at_once_get_one_review(people):
    """Even where the trigger saw no review yet, the first one has no twin."""
    review = open_review(actor=people.dana.actor)
    twin = LogReview(**{f.attname: getattr(review, f.attname) for f in LogReview._meta.fields if f.name != "id"})
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        twin.save()
    names = {constraint.name for constraint in LogReview._meta.constraints}
    assert {"log_review_follows_once", "log_review_one_draw_per_period"} <= names


def test_a_question_needs_its_words_and_a_secret_is_not_kept(people):
    review = open_review(actor=people.dana.actor)
    keys = list(marks_of(review, people.dana))[:2]
    markings = {keys[0]: Marking(Mark.QUESTION), keys[1]: Marking(Mark.OK, "napi_0123456789abcdef")}
    with pytest.raises(InvalidInput) as wrong:
        mark_items(actor=people.dana.actor, review_id=review.pk, markings=markings)
    assert set(wrong.value.errors) == {f"words-{key}" for key in keys}
    assert not LogReviewMark.objects.exists()


def test_one_save_is_one_event_with_counts(people):
    review = open_review(actor=people.dana.actor)
    markings = marks_of(review, people.dana)
    mark_items(actor=people.dana.actor, review_id=review.pk, markings=markings)
    event = LedgerEvent.objects.get(type="log_review.marked")
    assert event.members["data"]["items"] == event.members["data"]["marked_ok"] == len(markings)


def test_who_was_slower_sees_the_other_mark_first(people):
    review = open_review(actor=people.dana.actor)
    key = min(marks_of(review, people.dana).keys() & marks_of(review, people.carol).keys())
    mark_items(actor=people.dana.actor, review_id=review.pk, markings={key: Marking(Mark.PROBLEM, "Why?", seen=0)})
    with pytest.raises(InvalidInput, match="while you looked"):
        mark_items(actor=people.carol.actor, review_id=review.pk, markings={key: Marking(Mark.OK, seen=0)})
    newest = LogReviewMark.objects.get(item=key)
    mark_items(actor=people.carol.actor, review_id=review.pk, markings={key: Marking(Mark.OK, seen=newest.pk)})
    assert LogReviewMark.objects.filter(item=key).count() == 2


def test_an_event_of_another_review_is_refused(people):
    review = open_review(actor=people.dana.actor)
    with pytest.raises(Refused, match="not of this review"):
        mark_items(actor=people.dana.actor, review_id=review.pk, markings={987654: Marking(Mark.OK)})


def test_the_monitor_says_when_nobody_reviews(people):
    now = database_now()
    assert reviewed(now) == []
    assert reviewed(now + 7.5 * DAY) == [], "late by half a day alarms nobody"
    found = reviewed(now + 9 * DAY)
    assert [each.code for each in found] == [FindingCode.LOG_REVIEW_OVERDUE]
    assert "nobody has opened it" in found[0].sentence
    review = open_review(actor=people.dana.actor)
    assert f"{review.reference} is open and not signed" in reviewed(now + 9 * DAY)[0].sentence
    mark_all(review, people)
    sign_review(actor=people.dana.actor, review_id=review.pk)
    assert standing(now + 6.5 * DAY).is_due
    assert not standing(now + 6.5 * DAY).is_overdue


def test_the_draw_reads_the_index_and_no_event(people):
    """What makes it quick with a million events: the lot needs the time and the id, both in the index."""
    refuse(people, 3)
    since, until = database_now() - DAY, database_now() + DAY
    within = LedgerEvent.objects.filter(recorded_at__gte=since, recorded_at__lt=until).order_by()
    query, parameters = by_lot(within, 7).values_list("pk", flat=True)[:25].query.sql_with_params()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {query}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using ledger_newest" in plan


def test_an_action_of_the_log_is_told_and_shown_without_a_project(people):
    review = open_review(actor=people.dana.actor)
    action = add_review_action(
        actor=people.dana.actor,
        review_id=review.pk,
        item_id=review.items.first().pk,
        title="Ask Erin",
        owner_id=people.erin.user.pk,
        due_on=database_now().date(),
    )
    assert escalate_actions() >= 0
    assert CorrectiveAction.objects.get(pk=action.pk).log_review_item.review == review


def sign_by_sql(review: LogReview, person: Person) -> None:
    sql(
        "UPDATE backups_logreview SET signed_by_id = %s, signed_by_name = 'dana', signed_at = now(), "
        "marks_sha256 = 'sha256:0' WHERE id = %s",
        person.user.pk,
        review.pk,
    )


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
