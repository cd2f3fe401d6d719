"""A restore that was done by hand at Neon is put on record by two people, and the record explains the finding."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from backups.domain.afterwards import ReviewSection
from backups.domain.monitor import FindingCode, Severity
from backups.domain.restore import RestoreKind
from backups.models import Checklist, Finding, LedgerEvent, OutboxMessage, ProtectedBranch, RetrospectiveRecord
from backups.selectors.afterwards import unsigned_records
from backups.selectors.clock import database_now
from backups.services.afterwards.actions import add_review_action
from backups.services.afterwards.retrospective import Account, drop_record, file_record, sign_record
from backups.services.afterwards.review import sign_review, write_review
from backups.services.restore.errors import InvalidInput, Refused
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def branch() -> ProtectedBranch:
    return factories.branch()


@pytest.fixture
def finding(branch: ProtectedBranch) -> Finding:
    now = database_now()
    return Finding.objects.create(
        project=branch.project,
        branch=branch,
        control="outside_changes",
        code=FindingCode.RESTORED_OUTSIDE,
        subject=branch.neon_branch_id,
        severity=Severity.CRITICAL,
        sentence="main was restored outside the portal.",
        evidence={"operation_ids": ["op-1", "op-2"], "branch": branch.neon_branch_id},
        since=now - HOUR,
        last_seen_at=now,
    )


def account(branch: ProtectedBranch, people: People, **changed: Any) -> Account:
    now = database_now()
    told: dict[str, Any] = {
        "branch_id": branch.pk,
        "kind": RestoreKind.IN_PLACE,
        "done_at": now - HOUR,
        "done_by_id": people.alice.user.pk,
        "point_at": now - 2 * HOUR,
        "why": "The portal could not be reached.",
        "lost": "What was entered between one and two o'clock.",
    }
    return Account(**(told | changed))


def filed(people: People, branch: ProtectedBranch, **changed: Any) -> RetrospectiveRecord:
    return file_record(actor=people.bob.actor, account=account(branch, people, **changed))


def events(kind: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=kind))


def test_the_first_signature_asks_for_the_second(branch: ProtectedBranch, people: People) -> None:
    record = filed(people, branch)
    assert (record.filed_by_name, record.done_by_name, record.signed_at) == ("bob", "alice", None)
    assert str(record.why) == "The portal could not be reached."
    assert list(unsigned_records()) == [record]
    assert not Checklist.objects.exists()
    assert OutboxMessage.objects.filter(topic="retrospective.signature_wanted").exists()
    (event,) = events("retrospective.filed")
    assert event.members["data"]["means"] == "outside_the_portal"
    assert "could not be reached" not in event.body


def test_the_second_opens_review_and_checklist_and_explains_the_finding(
    branch: ProtectedBranch, people: People, finding: Finding
) -> None:
    record = filed(people, branch, finding_id=finding.pk)
    assert record.operation_ids == ["op-1", "op-2"]
    sign_record(actor=people.carol.actor, record_id=record.pk)
    finding.refresh_from_db()
    assert (finding.explained_with, finding.explained_by) == (record.reference, people.carol.user)
    assert finding.closed_at is not None
    checklist = Checklist.objects.get(record=record)
    assert checklist.sessions_before is None
    assert set(checklist.points.values_list("code", flat=True)) >= {"application", "people", "review", "release"}
    assert (len(events("retrospective.signed")), len(events("finding.explained"))) == (1, 1)
    assert events("afterwards.opened")[0].target_id == record.reference


def test_its_review_is_signed_by_a_third_hand(branch: ProtectedBranch, people: People) -> None:
    record = filed(people, branch)
    sign_record(actor=people.carol.actor, record_id=record.pk)
    checklist = Checklist.objects.get(record=record)
    write_review(actor=people.alice.actor, checklist_id=checklist.pk, sections=dict.fromkeys(ReviewSection, "Said."))
    with pytest.raises(Refused, match="You asked"):
        sign_review(actor=people.bob.actor, checklist_id=checklist.pk)
    sign_review(actor=people.carol.actor, checklist_id=checklist.pk)
    action = add_review_action(
        actor=people.bob.actor, checklist_id=checklist.pk, title="Make the portal reachable",
        owner_id=people.erin.user.pk, due_on=database_now().date() + dt.timedelta(days=3),
    )  # fmt: skip
    assert (action.record, action.restore_request) == (record, None)


@pytest.mark.parametrize(
    ("name", "words"), [("bob", "You filed"), ("alice", "Only a manager"), ("dana", "Only a manager")]
)
def test_nobody_else_signs(branch: ProtectedBranch, people: People, name: str, words: str) -> None:
    record = filed(people, branch)
    with pytest.raises(Refused, match=words):
        sign_record(actor=getattr(people, name).actor, record_id=record.pk)
    assert len(events("access.refused")) == 1


def test_who_did_it_does_not_sign_it(branch: ProtectedBranch, people: People) -> None:
    record = filed(people, branch, done_by_id=people.carol.user.pk)
    with pytest.raises(Refused, match="You made this restore"):
        sign_record(actor=people.carol.actor, record_id=record.pk)
    signed = {"signed_by_name": "x", "signed_at": database_now()}
    for who, constraint in ((people.carol, "retrospective_not_by_the_doer"), (people.bob, "retrospective_two_people")):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            RetrospectiveRecord.objects.update(signed_by=who.user, **signed)


def test_a_record_is_written_once(branch: ProtectedBranch, people: People) -> None:
    filed(people, branch)
    with pytest.raises(DatabaseError, match="only signed_by_id"), transaction.atomic():
        RetrospectiveRecord.objects.update(done_by_name="somebody else")


def test_an_unsigned_one_can_be_taken_back_and_filed_anew(
    branch: ProtectedBranch, people: People, finding: Finding
) -> None:
    record = filed(people, branch, finding_id=finding.pk)
    drop_record(actor=people.alice.actor, record_id=record.pk)
    with pytest.raises(Refused, match="closed already"):
        sign_record(actor=people.carol.actor, record_id=record.pk)
    assert filed(people, branch, finding_id=finding.pk).finding == finding
    finding.refresh_from_db()
    assert finding.closed_at is None


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_others_file_none(branch: ProtectedBranch, people: People, name: str) -> None:
    with pytest.raises(Refused, match="Your role"):
        file_record(actor=getattr(people, name).actor, account=account(branch, people))
    assert not RetrospectiveRecord.objects.exists()


def test_who_did_it_may_have_no_account(branch: ProtectedBranch, people: People) -> None:
    record = filed(people, branch, done_by_id=None, done_by_name="  Neon   support ")
    assert (record.done_by, record.done_by_name) == (None, "Neon support")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"done_at": None}, "done_at"),
        ({"done_at": dt.datetime(2090, 1, 1, tzinfo=dt.UTC)}, "done_at"),
        ({"point_at": dt.datetime(2089, 1, 1, tzinfo=dt.UTC)}, "point_at"),
        ({"why": " "}, "why"),
        ({"lost": ""}, "lost"),
        ({"lost": "x" * 5001}, "lost"),
        ({"kind": RestoreKind.UNDO}, "kind"),
        ({"done_by_id": None}, "done_by"),
        ({"done_by_id": 99999}, "done_by"),
        ({"finding_id": 99999}, "finding"),
    ],
)
def test_what_cant_be_is_said_beside_the_field(
    branch: ProtectedBranch, people: People, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        filed(people, branch, **changed)
    assert list(refused.value.errors) == [field]
    assert not LedgerEvent.objects.filter(type__startswith="retrospective").exists()


def test_a_finding_of_another_kind_is_not_explained_by_it(
    branch: ProtectedBranch, people: People, finding: Finding
) -> None:
    Finding.objects.update(code=FindingCode.SCHEDULE_DRIFT)
    with pytest.raises(InvalidInput, match="not about something"):
        filed(people, branch, finding_id=finding.pk)
