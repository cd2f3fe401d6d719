"""Findings, files and signatures: on any drill, by who may, and held by the database too."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from backups.domain.drill import DrillState, FindingSeverity
from backups.models import DrillSignOff, LedgerEvent
from backups.selectors.clock import database_now
from backups.services.drill_log.course import add_participant
from backups.services.drill_log.exercise import end_exercise, plan_exercise
from backups.services.drill_log.results import add_finding, attach_file, sign_off
from backups.services.restore.errors import InvalidInput, Refused
from tests.services.drill_log.conftest import ending, exercise

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n1 0 obj\nendobj\ntrailer\n%%EOF\n"


def sign(person, drill):
    return sign_off(actor=person.actor, drill_id=drill.pk, text="Read it; the times are credible")


def test_an_automatic_drill_takes_findings_files_and_a_signature(people, automatic):
    drill = automatic(asked_by=people.alice)
    add_finding(actor=people.alice.actor, drill_id=drill.pk, severity=FindingSeverity.MAJOR, text="Restore took long")
    file = attach_file(actor=people.alice.actor, drill_id=drill.pk, name="../../etc/rép ort.PDF", content=PDF)
    signed = sign(people.bob, drill)

    assert (file.name, file.content_type) == ("rep ort.pdf", "application/pdf")
    assert bytes(file.content) == PDF
    assert file.sha256 in LedgerEvent.objects.get(type="drill.attachment_added").body
    assert (signed.signed_by, signed.ran_by) == (people.bob.user, people.alice.user)
    event = LedgerEvent.objects.get(type="drill.signed_off")
    assert event.members["data"] == {
        "drill": drill.reference, "outcome": "passed", "findings_count": 1, "open_actions": 0,
    }  # fmt: skip


def test_a_drill_by_schedule_was_run_by_nobody(people, automatic):
    assert sign(people.bob, automatic()).ran_by is None


def test_who_logged_the_exercise_does_not_sign_it(people, main):
    drill = plan_exercise(actor=people.bob.actor, exercise=exercise(main))
    end_exercise(actor=people.bob.actor, drill_id=drill.pk, ending=ending())
    with pytest.raises(Refused, match="You ran this drill"):
        sign(people.bob, drill)
    assert sign(people.carol, drill).signed_by == people.carol.user


def test_who_led_the_exercise_does_not_sign_it_either(people, planned):
    add_participant(actor=people.alice.actor, drill_id=planned.pk, login=people.bob.user.username, ran_it=True)
    end_exercise(actor=people.alice.actor, drill_id=planned.pk, ending=ending())
    with pytest.raises(Refused, match="You ran this drill"):
        sign(people.bob, planned)
    assert LedgerEvent.objects.filter(type="access.refused", actor_ref=f"user:{people.bob.user.pk}").exists()
    assert sign(people.carol, planned)


@pytest.mark.parametrize("who", ["alice", "dana", "erin", "charlie"])
def test_only_a_manager_signs(people, ended, who):
    with pytest.raises(Refused, match="manager"):
        sign(getattr(people, who), ended)
    assert not DrillSignOff.objects.exists()


def test_what_has_not_ended_is_not_signed_and_nothing_twice(people, planned, automatic):
    with pytest.raises(Refused, match="has ended"):
        sign(people.bob, planned)
    drill = automatic()
    sign(people.bob, drill)
    with pytest.raises(Refused, match="already"):
        sign(people.carol, drill)


def test_what_was_signed_stays_as_it_was(people, ended):
    sign(people.bob, ended)
    with pytest.raises(Refused, match="signed off"):
        add_finding(actor=people.alice.actor, drill_id=ended.pk, severity=FindingSeverity.MINOR, text="One more")
    with pytest.raises(Refused, match="signed off"):
        attach_file(actor=people.alice.actor, drill_id=ended.pk, name="late.pdf", content=PDF)


def test_the_database_refuses_a_signature_of_the_one_who_ran_it(people, planned, automatic):
    """Past the services, and with a lie about who ran it."""
    add_participant(actor=people.alice.actor, drill_id=planned.pk, login=people.bob.user.username, ran_it=True)
    end_exercise(actor=people.alice.actor, drill_id=planned.pk, ending=ending())
    planned.refresh_from_db()
    running = automatic(state=DrillState.RUNNING, outcome=None, ended_at=None)
    row = {"signed_by_name": "x", "text": planned.conclusion, "at": database_now()}
    for attack in (
        {"drill": planned, "signed_by": people.alice.user, "ran_by": people.alice.user},
        {"drill": planned, "signed_by": people.alice.user, "ran_by": None},
        {"drill": planned, "signed_by": people.bob.user, "ran_by": people.alice.user},
        {"drill": running, "signed_by": people.carol.user, "ran_by": None},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            DrillSignOff.objects.create(**row, **attack)
    assert DrillSignOff.objects.create(**row, drill=planned, signed_by=people.carol.user, ran_by=people.alice.user)


def test_the_database_keeps_findings_and_signatures_as_they_were_written(people, ended):
    add_finding(actor=people.alice.actor, drill_id=ended.pk, severity=FindingSeverity.MINOR, text="Slow to connect")
    sign(people.bob, ended)
    for statement in (
        "UPDATE backups_drillfinding SET severity = 'observation'",
        "DELETE FROM backups_drillfinding",
        "UPDATE backups_drillsignoff SET signed_by_name = 'carol'",
        "DELETE FROM backups_drillsignoff",
    ):
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert ended.findings.get().severity == FindingSeverity.MINOR


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("report.pdf", b"<html><script>alert(1)</script>", "not that of a pdf"),
        ("report.pdf", b"%PDF-1.7 cut off", "cut off"),
        ("page.html", b"<html>", "not taken"),
        ("picture.svg", b"<svg onload=alert(1)>", "not taken"),
        ("notes.txt", b"\x00\x01binary", "control characters"),
        ("notes.txt", b"\xff\xfe", "UTF-8"),
        ("notes.txt", b"", "empty"),
        ("big.txt", b"a" * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
        (".pdf", PDF, "a name"),
        ("pdf", PDF, "a name"),
    ],
)
def test_a_file_of_another_kind_is_refused_whatever_its_name(people, ended, name, content, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        attach_file(actor=people.alice.actor, drill_id=ended.pk, name=name, content=content)
    assert not ended.attachments.exists()


def test_a_name_is_used_once(people, ended):
    attach_file(actor=people.alice.actor, drill_id=ended.pk, name="a.txt", content=b"one")
    with pytest.raises(InvalidInput, match="attached already"):
        attach_file(actor=people.alice.actor, drill_id=ended.pk, name="A.TXT".lower(), content=b"two")
