"""The register: one proposes, another agrees, and nothing that was said is changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from backups.domain.governance import DataClass
from backups.domain.monitor import FindingCode
from backups.models import GovernanceVersion, LedgerEvent, Project
from backups.selectors.clock import database_now
from backups.selectors.governance import register
from backups.services.governance import (
    Proposal,
    agree_governance,
    propose_governance,
    refuse_governance,
    withdraw_governance,
)
from backups.services.monitor.controls.governance import findings_about
from backups.services.restore.errors import InvalidInput, Refused
from tests import factories
from tests.factories import People
from tests.support.governance import says

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def project() -> Project:
    return factories.project()


def proposed(people: People, project: Project, note: str = "", **changed: Any) -> GovernanceVersion:
    wanted = Proposal(replace(says(people), **changed), note)
    return propose_governance(actor=people.erin.actor, project_id=project.pk, proposal=wanted)


def test_one_proposes_and_another_agrees(people, project):
    version = proposed(people, project, "As talked over on Monday.")
    assert register(database_now())[0].present is None
    agree_governance(actor=people.bob.actor, version_id=version.pk)
    entry = register(database_now())[0]
    assert (entry.present, entry.gaps) == (version, [])
    agreed = LedgerEvent.objects.get(type="governance.agreed")
    assert agreed.members["data"]["voters"] == [people.erin.actor.ref, people.bob.actor.ref]
    first = LedgerEvent.objects.get(type="governance.proposed")
    assert "Monday" not in first.body
    assert "Restore plan" not in first.body, "the plan's title is a person's words"
    assert first.world == "sandbox"


def test_who_proposed_it_cannot_agree(people, project):
    version = propose_governance(actor=people.bob.actor, project_id=project.pk, proposal=Proposal(says(people)))
    with pytest.raises(Refused, match="somebody else must agree"):
        agree_governance(actor=people.bob.actor, version_id=version.pk)
    with pytest.raises(IntegrityError, match="governance_two_people"), transaction.atomic():
        sql(
            "UPDATE backups_governanceversion SET agreed_by_id = %s, agreed_by_name = 'bob', agreed_at = now()",
            people.bob.user.pk,
        )
    assert register(database_now())[0].present is None


def test_the_database_keeps_every_version_as_it_was(people, project):
    version = proposed(people, project)
    agree_governance(actor=people.bob.actor, version_id=version.pk)
    attacks = [
        "UPDATE backups_governanceversion SET rto_seconds = 1",
        "UPDATE backups_governanceversion SET agreed_by_name = 'carol'",
        "UPDATE backups_governanceversion SET dropped_by_id = 1, dropped_by_name = 'bob', dropped_at = now()",
        "DELETE FROM backups_governanceversion",
    ]
    for attack in attacks:
        with pytest.raises(DatabaseError), transaction.atomic():
            sql(attack)


def test_nobody_writes_a_version_that_is_agreed_on_from_its_beginning(people, project):
    version = proposed(people, project)
    agree_governance(actor=people.bob.actor, version_id=version.pk)
    version.refresh_from_db()
    version.pk, version.number = None, 2
    with pytest.raises(DatabaseError, match="is proposed first"), transaction.atomic():
        version.save(force_insert=True)


def test_one_proposal_at_a_time(people, project):
    version = proposed(people, project)
    with pytest.raises(Refused, match="waits for a second person"):
        proposed(people, project, rto_seconds=60)
    version.pk, version.number = None, 2
    with pytest.raises(IntegrityError, match="governance_one_open_proposal"), transaction.atomic():
        version.save(force_insert=True)


@pytest.mark.parametrize("who", ["alice", "dana", "charlie"])
def test_who_may_not_propose(people, project, who):
    with pytest.raises(Refused, match="Only a manager or an administrator"):
        propose_governance(actor=getattr(people, who).actor, project_id=project.pk, proposal=Proposal(says(people)))
    assert LedgerEvent.objects.filter(type="access.refused", target_id=project.neon_project_id).exists()


def test_an_administrator_proposes_and_does_not_agree(people, project):
    version = propose_governance(actor=people.bob.actor, project_id=project.pk, proposal=Proposal(says(people)))
    with pytest.raises(Refused, match="Only a manager agrees"):
        agree_governance(actor=people.erin.actor, version_id=version.pk)


def test_refused_and_taken_back(people, project):
    version = proposed(people, project)
    with pytest.raises(InvalidInput, match="Say why"):
        refuse_governance(actor=people.bob.actor, version_id=version.pk, reason=" ")
    with pytest.raises(Refused, match="Only who proposed"):
        withdraw_governance(actor=people.bob.actor, version_id=version.pk)
    refuse_governance(actor=people.bob.actor, version_id=version.pk, reason="The RTO is a dream.")
    with pytest.raises(Refused, match="decided already"):
        agree_governance(actor=people.carol.actor, version_id=version.pk)
    second = proposed(people, project)
    assert second.number == 2
    withdraw_governance(actor=people.erin.actor, version_id=second.pk)
    types = set(LedgerEvent.objects.filter(type__startswith="governance.").values_list("type", flat=True))
    assert types == {"governance.proposed", "governance.refused", "governance.withdrawn"}


def test_what_cannot_be_used_is_said_by_field(people, project):
    today = database_now().date()
    wrong = replace(
        says(people),
        rto_seconds=0,
        plan_title=" ",
        plan_url="http://plain.example",
        review_on=today,
        baa_on=today + DAY,
        owner_id=987654,
    )
    with pytest.raises(InvalidInput) as refused:
        propose_governance(actor=people.bob.actor, project_id=project.pk, proposal=Proposal(wrong))
    assert set(refused.value.errors) == {"rto_minutes", "plan_title", "plan_url", "review_on", "baa_on", "owner"}
    assert not GovernanceVersion.objects.exists()


def test_the_same_again_is_no_proposal(people, project):
    agree_governance(actor=people.bob.actor, version_id=proposed(people, project).pk)
    with pytest.raises(Refused, match="says already"):
        proposed(people, project)
    assert proposed(people, project, rto_seconds=7200).number == 2
    event = LedgerEvent.objects.filter(type="governance.proposed").latest("recorded_at")
    assert event.members["data"]["changed_fields"] == ["rto_seconds"]


def test_the_register_says_what_is_missing(people, project):
    assert register(database_now())[0].gaps == ["Nothing was agreed on yet."]
    version = proposed(people, project, data_class=DataClass.PHI, baa_on=None)
    agree_governance(actor=people.bob.actor, version_id=version.pk)
    assert "no business associate agreement" in register(database_now())[0].gaps[0]
    assert "to be read again" in register(database_now() + 400 * DAY)[0].gaps[0]


def test_the_monitor_says_it_of_real_production_only(people):
    real = factories.project(is_sandbox=False, api_host="https://console.neon.tech/api/v2", name="real")
    factories.branch(real)
    now = database_now()
    found = findings_about(real, production=True, now=now)
    assert [each.code for each in found] == [FindingCode.GOVERNANCE_DUE]
    assert findings_about(real, production=False, now=now) == []
    agree_governance(actor=people.bob.actor, version_id=proposed(people, real).pk)
    assert findings_about(real, production=True, now=now) == []
    assert findings_about(real, production=True, now=now + 400 * DAY)
    assert findings_about(factories.project(neon_project_id="other-1"), production=True, now=now) == []


def test_a_fixed_number_of_questions(people, django_assert_num_queries):
    for number in range(3):
        proposed(people, factories.project(neon_project_id=f"calm-{number}", name=f"p{number}"))
    with django_assert_num_queries(5):
        entries = register(database_now())
    assert len(entries) == 3


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
