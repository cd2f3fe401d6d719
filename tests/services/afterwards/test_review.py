"""A review is written by those concerned and signed by a manager who neither asked for the restore nor ran it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from backups.domain.afterwards import PointCode, PointState, ReviewSection
from backups.domain.people import Role
from backups.models import Checklist, CorrectiveAction, LedgerEvent, RestoreRequest, Review, ReviewText
from backups.selectors.afterwards import actions_of, newest_texts, unreviewed
from backups.selectors.clock import database_now
from backups.services.afterwards.actions import add_review_action
from backups.services.afterwards.review import sign_review, write_review
from backups.services.corrective_action import finish_action
from backups.services.people import set_roles
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import People
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db
WHOLE = {section: f"What we know about {section.value}." for section in ReviewSection}


@pytest.fixture
def checklist(people: People) -> Checklist:
    return Checklist.objects.get(request=Scenes(people).completed())


def events(kind: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=kind))


def test_its_words_stand_beside_the_ledger(checklist: Checklist, people: People) -> None:
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    again = WHOLE | {ReviewSection.ROOT_CAUSE: "A script ran twice."}
    (changed,) = write_review(actor=people.bob.actor, checklist_id=checklist.pk, sections=again)
    assert (changed.section, changed.written_by_name) == ("root_cause", "bob")
    texts = newest_texts(checklist.review)
    assert {section: str(text.text) for section, text in texts.items()} == again
    assert len(events("review.written")) == len(ReviewSection) + 1
    assert not any("script ran twice" in event.body for event in events("review.written"))


def test_a_manager_who_took_no_part_signs(checklist: Checklist, people: People) -> None:
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    assert list(unreviewed()) == [checklist]
    review = sign_review(actor=people.carol.actor, checklist_id=checklist.pk)
    assert (review.signed_by_name, review.texts_sha256[:7] if review.texts_sha256 else "") == ("carol", "sha256:")
    point = checklist.points.get(code=PointCode.REVIEW)
    assert (point.state, point.changed_by_name) == (PointState.DONE, "carol")
    assert len(events("review.signed")) == 1
    assert not unreviewed().exists()


def test_it_is_not_changed_once_it_is_signed(checklist: Checklist, people: People) -> None:
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    sign_review(actor=people.carol.actor, checklist_id=checklist.pk)
    with pytest.raises(Refused, match="signed"):
        write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    with pytest.raises(Refused, match="signed already"):
        sign_review(actor=people.bob.actor, checklist_id=checklist.pk)
    with pytest.raises(DatabaseError, match="has its value already"), transaction.atomic():
        Review.objects.update(signed_at=database_now() + dt.timedelta(days=1))
    with pytest.raises(DatabaseError, match=r"never changed|permission denied"), transaction.atomic():
        ReviewText.objects.update(section="prevention")


def test_an_unfinished_one_is_not_signed(checklist: Checklist, people: People) -> None:
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections={ReviewSection.ROOT_CAUSE: "A script."})
    with pytest.raises(Refused, match="say nothing yet"):
        sign_review(actor=people.carol.actor, checklist_id=checklist.pk)


def make_manager(people: People, name: str) -> None:
    set_roles(actor=people.erin.actor, user_id=getattr(people, name).user.pk, roles=[Role.MANAGER, Role.ENGINEER])


@pytest.mark.parametrize("part", ["asked", "ran"])
def test_who_asked_or_ran_it_does_not_sign(people: People, part: str) -> None:
    """Alice asked and started; given the manager's role later, she still may not. Nor does the database let her."""
    scenes = Scenes(people)
    request = scenes.running()
    if part == "ran":
        RestoreRequest.objects.filter(pk=request.pk).update(start_asked_by=people.bob.user)
    who = people.alice if part == "asked" else people.bob
    request.refresh_from_db()
    checklist = Checklist.objects.get(request=scenes.finish(request))
    make_manager(people, who.user.username)
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    with pytest.raises(Refused, match=f"You {part} (for )?this restore"):
        sign_review(actor=who.actor, checklist_id=checklist.pk)
    assert len(events("access.refused")) == 1
    signed = {"signed_by": who.user, "signed_by_name": "x", "signed_at": database_now(), "texts_sha256": "sha256:"}
    with pytest.raises(IntegrityError, match=f"review_not_signed_by_who_{part}"), transaction.atomic():
        Review.objects.filter(checklist=checklist).update(**signed)


@pytest.mark.parametrize("name", ["alice", "dana", "erin", "charlie"])
def test_others_do_not_sign(checklist: Checklist, people: People, name: str) -> None:
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE)
    with pytest.raises(Refused):
        sign_review(actor=getattr(people, name).actor, checklist_id=checklist.pk)


def test_a_section_that_is_too_long_loses_nothing(checklist: Checklist, people: People) -> None:
    with pytest.raises(InvalidInput) as refused:
        write_review(
            actor=people.alice.actor, checklist_id=checklist.pk, sections=WHOLE | {ReviewSection.PREVENTION: "x" * 5001}
        )
    assert list(refused.value.errors) == ["prevention"]
    assert not ReviewText.objects.exists()


def test_it_gives_people_something_to_do(checklist: Checklist, people: People) -> None:
    day = database_now().date() + dt.timedelta(days=14)
    action = add_review_action(
        actor=people.bob.actor,
        checklist_id=checklist.pk,
        title="  Ask twice before a mass deletion ",
        owner_id=people.alice.user.pk,
        due_on=day,
    )
    assert [each.title for each in actions_of(checklist)] == ["Ask twice before a mass deletion"]
    finish_action(actor=people.alice.actor, action_id=action.pk, proof="Pull request 71")
    assert CorrectiveAction.objects.get().done_by_name == "alice"
    assert events("action.done")[0].members["data"]["request"] == checklist.reference


def test_an_action_wants_a_day_and_a_role(checklist: Checklist, people: People) -> None:
    with pytest.raises(InvalidInput, match="by which day"):
        add_review_action(
            actor=people.bob.actor, checklist_id=checklist.pk, title="x", owner_id=people.alice.user.pk, due_on=None
        )
    with pytest.raises(Refused):
        add_review_action(
            actor=people.dana.actor,
            checklist_id=checklist.pk,
            title="x",
            owner_id=people.alice.user.pk,
            due_on=database_now().date(),
        )
