"""What people do with findings, and what is refused."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from backups.domain.monitor import FindingCode
from backups.models import Finding, FreeText, LedgerEvent, OutboxMessage
from backups.services.monitor.handling import acknowledge_finding, explain_finding, give_finding
from backups.services.restore.errors import InvalidInput, Refused
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db
WHY = "The owner restored it by hand while the portal was down."


@pytest.fixture
def people() -> People:
    everybody = People()
    everybody.all()
    return everybody


def finding(code: FindingCode = FindingCode.RESTORED_OUTSIDE, **fields: object) -> Finding:
    branch = factories.branch()
    now = timezone.now()
    defaults = {
        "project": branch.project, "branch": branch, "control": "outside", "code": code, "subject": "br-1@t",
        "severity": "critical", "sentence": "main was overwritten", "since": now, "last_seen_at": now,
    }  # fmt: skip
    return Finding.objects.create(**(defaults | fields))


def test_an_acknowledgement_keeps_it_open_and_its_words_can_be_erased(people: People) -> None:
    found = acknowledge_finding(actor=people.alice.actor, finding_id=finding().pk, reason="I am looking at it now.")
    assert (found.acknowledged_by, found.closed_at) == (people.alice.user, None)
    event = LedgerEvent.objects.get(type="finding.acknowledged")
    assert event.pk == found.acknowledgement_event_id
    assert "looking at it" not in event.body
    assert FreeText.objects.get(event=event).text == "I am looking at it now."
    assert OutboxMessage.objects.filter(topic="finding.acknowledged").exists()


def test_it_is_acknowledged_once(people: People) -> None:
    found = finding()
    acknowledge_finding(actor=people.alice.actor, finding_id=found.pk, reason="I am looking at it now.")
    with pytest.raises(Refused, match="already"):
        acknowledge_finding(actor=people.bob.actor, finding_id=found.pk, reason="I am looking too, at once.")


@pytest.mark.parametrize("name", ["dana", "charlie"])
def test_who_only_reads_can_do_nothing_and_it_is_recorded(people: People, name: str) -> None:
    actor, found = getattr(people, name).actor, finding()
    for act in (acknowledge_finding, explain_finding):
        with pytest.raises(Refused):
            act(actor=actor, finding_id=found.pk, reason=WHY)
    with pytest.raises(Refused):
        give_finding(actor=actor, finding_id=found.pk, owner_id=None)
    assert LedgerEvent.objects.filter(type="access.refused").count() == 3
    found.refresh_from_db()
    assert (found.acknowledged_at, found.closed_at) == (None, None)


def test_only_a_manager_explains_what_happened_outside(people: People) -> None:
    found = finding()
    for person in (people.alice, people.erin):
        with pytest.raises(Refused, match="Only a manager"):
            explain_finding(actor=person.actor, finding_id=found.pk, reason=WHY)
    closed = explain_finding(actor=people.bob.actor, finding_id=found.pk, reason=WHY)
    assert (closed.explained_by, closed.closed_at is not None) == (people.bob.user, True)
    with pytest.raises(Refused, match="closed"):
        explain_finding(actor=people.carol.actor, finding_id=found.pk, reason=WHY)


def test_a_reason_is_needed(people: People) -> None:
    with pytest.raises(InvalidInput, match="who did it and why"):
        explain_finding(actor=people.bob.actor, finding_id=finding().pk, reason=" ok ")


def test_what_closes_by_itself_is_not_talked_away(people: People) -> None:
    found = finding(FindingCode.HISTORY_OFF, control="history")
    with pytest.raises(Refused, match="closes by itself"):
        explain_finding(actor=people.bob.actor, finding_id=found.pk, reason=WHY)


def test_it_is_given_only_to_who_can_handle_it(people: People) -> None:
    found = finding()
    assert give_finding(actor=people.bob.actor, finding_id=found.pk, owner_id=people.alice.user.pk).owner
    with pytest.raises(InvalidInput, match="whose role can handle"):
        give_finding(actor=people.bob.actor, finding_id=found.pk, owner_id=people.dana.user.pk)
    found.refresh_from_db()
    assert found.owner == people.alice.user


def test_the_database_itself_keeps_one_open_finding_of_a_kind() -> None:
    found = finding()
    with pytest.raises(IntegrityError, match="finding_open_once"), transaction.atomic():
        Finding.objects.create(
            project=found.project, branch=found.branch, control=found.control, code=found.code, subject=found.subject,
            severity="critical", sentence="again", since=found.since, last_seen_at=found.since,
        )  # fmt: skip
