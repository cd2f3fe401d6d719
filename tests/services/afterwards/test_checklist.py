"""The checklist of a restore: opened with its completion, settled by people or by what the portal saw."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, transaction
from django.urls import resolve

from backups.domain.afterwards import OTHER_SYSTEMS, ApplicationSeen, KnownBy, PointCode, PointState
from backups.models import Checklist, ChecklistPoint, LedgerEvent, OutboxMessage, RestoreRequest
from backups.selectors.afterwards import open_points, overdue_reviews
from backups.selectors.clock import database_now
from backups.services.afterwards.nag import nag_about_what_is_open
from backups.services.afterwards.observing import Seen, note_seen, put_due_looks
from backups.services.afterwards.points import keep_state_before, settle_point
from backups.services.afterwards.setup import set_up_afterwards
from backups.services.restore.attention import confirm_resolution
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import People
from tests.support.scenes import Scenes

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
#: The pages that messages lead to.
LINKED = {"ops:afterwards", "ops:review"}


@pytest.fixture
def scenes(people: People) -> Scenes:
    return Scenes(people)


@pytest.fixture
def checklist(scenes: Scenes) -> Checklist:
    return Checklist.objects.get(request=scenes.completed())


def point(checklist: Checklist, code: PointCode, subject: str = "") -> ChecklistPoint:
    return checklist.points.get(code=code, subject=subject)


def link_of(message: OutboxMessage) -> str:
    """The page behind the link; raises Resolver404 for one that leads nowhere."""
    return str(resolve(urlsplit(message.link).path).view_name)


def events(kind: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=kind).order_by("recorded_at", "pk"))


def test_completion_opens_it_from_the_facts_that_were_voted_on(checklist: Checklist) -> None:
    assert checklist.sessions_before == {"api": 30, "jobs": 8}
    assert (checklist.head_before, checklist.head_after) == ("care.0042_dose_windows", "care.0041_reminders")
    assert [p.subject for p in checklist.points.filter(code=PointCode.OTHER_SYSTEM)] == list(OTHER_SYSTEMS)
    assert "at least 37 doses given" in checklist.told_text
    assert checklist.kept_until is not None
    assert checklist.kept_until - checklist.opened_at == 7 * DAY
    assert checklist.kept_owner_name == "alice"
    (opened,) = events("afterwards.opened")
    assert opened.members["data"]["points"] == checklist.points.count()
    assert opened.target_id == checklist.reference


def test_a_restore_that_two_people_accept_has_one_too(scenes: Scenes) -> None:
    request = scenes.proposed()
    confirm_resolution(actor=scenes.people.bob.actor, request_id=request.pk)
    assert Checklist.objects.filter(request=request).count() == 1


def test_a_restore_without_effect_leaves_nothing_to_do(scenes: Scenes) -> None:
    scenes.failed()
    assert not Checklist.objects.exists()


def test_its_systems_are_those_of_the_project(scenes: Scenes, people: People) -> None:
    request = scenes.running()
    set_up_afterwards(
        actor=people.erin.actor,
        branch_id=request.branch_id,
        systems=["  fax   gateway ", "", "fax gateway"],
        health_url="https://api.example.org/healthz",
    )
    made = Checklist.objects.get(request=scenes.finish(request))
    assert [p.subject for p in made.points.filter(code=PointCode.OTHER_SYSTEM)] == ["fax gateway"]
    fields = [event.members["data"]["changed_fields"] for event in events("project.changed")]
    assert ["other_systems"] in fields


@pytest.mark.parametrize("name", ["alice", "bob", "dana"])
def test_only_an_administrator_sets_it_up(scenes: Scenes, people: People, name: str) -> None:
    branch = scenes.staging_ready()
    with pytest.raises(Refused):
        set_up_afterwards(actor=getattr(people, name).actor, branch_id=branch.pk, systems=[], health_url="")
    assert len(events("access.refused")) == 1


@pytest.mark.parametrize("url", ["ftp://x/", "https://user:secret@host/", "javascript:alert(1)", "no address"])
def test_a_health_address_that_cant_be_asked_is_said_beside_the_field(scenes: Scenes, people: People, url: str) -> None:
    branch = scenes.staging_ready()
    with pytest.raises(InvalidInput) as refused:
        set_up_afterwards(actor=people.erin.actor, branch_id=branch.pk, systems=[], health_url=url)
    assert "health_url" in refused.value.errors


def test_a_person_settles_a_point_and_opens_it_again(checklist: Checklist, people: People) -> None:
    writers = point(checklist, PointCode.WRITERS)
    settle_point(actor=people.alice.actor, point_id=writers.pk, state=PointState.DONE)
    writers.refresh_from_db()
    assert (writers.state, writers.known_by, writers.changed_by_name) == ("done", KnownBy.PERSON, "alice")
    settle_point(actor=people.bob.actor, point_id=writers.pk, state=PointState.OPEN)
    writers.refresh_from_db()
    assert (writers.state, writers.known_by) == ("open", "")
    told = [(e.members["data"]["from_state"], e.members["data"]["to_state"]) for e in
            events("afterwards.point_changed")]  # fmt: skip
    assert told == [("open", "done"), ("done", "open")]


def test_what_is_not_needed_says_why(checklist: Checklist, people: People) -> None:
    caches = point(checklist, PointCode.OTHER_SYSTEM, "caches")
    with pytest.raises(InvalidInput, match="Say why"):
        settle_point(actor=people.alice.actor, point_id=caches.pk, state=PointState.NOT_NEEDED, reason="  ")
    settle_point(actor=people.alice.actor, point_id=caches.pk, state=PointState.NOT_NEEDED, reason="We have none.")
    caches.refresh_from_db()
    assert str(caches.reason) == "We have none."
    (event,) = events("afterwards.point_changed")
    assert "We have none" not in event.body


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_others_settle_nothing_and_it_is_recorded(checklist: Checklist, people: People, name: str) -> None:
    writers = point(checklist, PointCode.WRITERS)
    with pytest.raises(Refused, match="Your role"):
        settle_point(actor=getattr(people, name).actor, point_id=writers.pk, state=PointState.DONE)
    writers.refresh_from_db()
    assert writers.state == PointState.OPEN
    assert len(events("access.refused")) == 1


def test_the_review_is_settled_by_no_click(checklist: Checklist, people: People) -> None:
    with pytest.raises(Refused, match="signature"):
        settle_point(actor=people.bob.actor, point_id=point(checklist, PointCode.REVIEW).pk, state=PointState.DONE)


def test_the_database_keeps_a_settled_point_from_being_nobodys(checklist: Checklist) -> None:
    with pytest.raises(IntegrityError, match="point_settled_by_somebody"), transaction.atomic():
        ChecklistPoint.objects.filter(checklist=checklist, code=PointCode.WRITERS).update(state="done")


def test_it_closes_with_its_last_point_and_opens_again(checklist: Checklist, people: People) -> None:
    ChecklistPoint.objects.filter(checklist=checklist).exclude(code=PointCode.WRITERS).update(
        state="done", known_by="portal", changed_at=database_now()
    )
    writers = point(checklist, PointCode.WRITERS)
    settle_point(actor=people.alice.actor, point_id=writers.pk, state=PointState.DONE)
    assert Checklist.objects.filter(pk=checklist.pk, closed_at__isnull=False).exists()
    assert len(events("afterwards.closed")) == 1
    settle_point(actor=people.alice.actor, point_id=writers.pk, state=PointState.OPEN)
    checklist.refresh_from_db()
    assert checklist.closed_at is None
    assert [p.code for p in open_points(checklist.branch.project)] == ["writers"]


def test_the_portal_settles_what_it_sees_and_looks_no_more(checklist: Checklist) -> None:
    note_seen(checklist_id=checklist.pk, seen=Seen(ApplicationSeen({"api": 2}), "care.0041"))
    assert point(checklist, PointCode.APPLICATION).state == PointState.OPEN
    note_seen(checklist_id=checklist.pk, seen=Seen(ApplicationSeen({"api": 28, "jobs": 8}), "care.0041"))
    found = point(checklist, PointCode.APPLICATION)
    checklist.refresh_from_db()
    assert (found.state, found.known_by, checklist.next_look_at) == ("done", KnownBy.PORTAL, None)
    assert found.sentence == "36 sessions are open; there were 38 before."
    (event,) = events("afterwards.point_changed")
    assert (event.members["data"]["sessions_now"], event.actor_kind) == (36, "system")


def test_looks_come_after_a_while_and_then_less_often(checklist: Checklist) -> None:
    assert put_due_looks() == 0
    gaps = []
    for _ in range(4):
        Checklist.objects.update(next_look_at=database_now())
        assert (put_due_looks(), put_due_looks()) == (1, 0)
        checklist.refresh_from_db()
        assert checklist.next_look_at is not None
        gaps.append(round((checklist.next_look_at - database_now()).total_seconds()))
    assert gaps == sorted(gaps)
    Checklist.objects.update(next_look_at=database_now(), opened_at=database_now() - 4 * DAY)
    put_due_looks()
    checklist.refresh_from_db()
    assert checklist.next_look_at is None


def test_an_undo_settles_what_the_restore_had_left(scenes: Scenes, people: People) -> None:
    undo = scenes.undo_pending()
    restore = undo.undo_of
    assert isinstance(restore, RestoreRequest)
    RestoreRequest.objects.filter(pk=undo.pk).update(state="running", approved_at=database_now())
    from backups.services.restore import outcome

    with transaction.atomic():
        outcome.complete(request_id=undo.pk, sentence="done")
    before = Checklist.objects.get(request=restore)
    left = set(before.points.filter(state=PointState.OPEN).values_list("code", flat=True))
    assert left == {PointCode.REVIEW, PointCode.KEPT}
    assert f"Taken back by {undo.reference}" in point(before, PointCode.WRITERS).sentence
    assert Checklist.objects.filter(request=undo).exists()


def test_keeping_the_state_before_is_a_decision_with_an_owner(checklist: Checklist, people: People) -> None:
    until = database_now() + 30 * DAY
    keep_state_before(actor=people.alice.actor, checklist_id=checklist.pk, until=until, owner_id=people.bob.user.pk)
    checklist.refresh_from_db()
    assert (checklist.kept_until, checklist.kept_owner_name) == (until, "bob")
    assert point(checklist, PointCode.KEPT).state == PointState.DONE
    assert len(events("afterwards.kept_changed")) == 1


@pytest.mark.parametrize(
    ("days", "owner", "field"), [(-1, "bob", "until"), (400, "bob", "until"), (3, "dana", "owner")]
)
def test_a_decision_that_cant_be_is_said_beside_the_field(
    checklist: Checklist, people: People, days: int, owner: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        keep_state_before(
            actor=people.alice.actor,
            checklist_id=checklist.pk,
            until=database_now() + days * DAY,
            owner_id=getattr(people, owner).user.pk,
        )
    assert list(refused.value.errors) == [field]


def test_open_points_nag_once_a_day(checklist: Checklist) -> None:
    def topics() -> list[str]:
        return sorted(set(OutboxMessage.objects.filter(subject_kind__in=["checklist", "review"])
                          .values_list("topic", flat=True)))  # fmt: skip

    nag_about_what_is_open()
    assert topics() == []
    old = database_now() - 8 * DAY
    Checklist.objects.update(opened_at=old, review_due_at=old + 3 * DAY, kept_until=old + 7 * DAY)
    nag_about_what_is_open()
    assert topics() == ["checklist.due", "checklist.overdue", "review.overdue"]
    told = OutboxMessage.objects.count()
    nag_about_what_is_open()
    assert OutboxMessage.objects.count() == told
    assert [review.checklist_id for review in overdue_reviews(database_now())] == [checklist.pk]
    assert {link_of(message) for message in OutboxMessage.objects.exclude(request__isnull=False)} <= LINKED
    texts = OutboxMessage.objects.filter(topic="checklist.due").values_list("text", flat=True)
    assert all(len(text) <= 200 and checklist.reference in text for text in texts)
