from __future__ import annotations

import pytest

from backups.domain.policy import Environment
from backups.models import EnvironmentProposal, LedgerEvent, ProtectedBranch, TableMeaning
from backups.services.environment import (
    confirm_lower_label,
    describe_table,
    refuse_lower_label,
    set_label,
)
from backups.services.restore.errors import InvalidInput, Refused
from tests import factories

pytestmark = pytest.mark.django_db

STAGING, PRODUCTION = Environment.STAGING, Environment.PRODUCTION


@pytest.fixture
def staging(db: None) -> ProtectedBranch:
    return factories.branch(name="staging", label="staging", is_default=False)


@pytest.fixture
def unlabelled(db: None) -> ProtectedBranch:
    return factories.branch(name="pr-311", label=None, is_default=False)


def test_one_administrator_may_guard_more(staging: ProtectedBranch, people: factories.People) -> None:
    assert set_label(branch_id=staging.pk, label=PRODUCTION, actor=people.erin.actor) is None
    staging.refresh_from_db()
    assert staging.environment is PRODUCTION
    event = LedgerEvent.objects.get(type="project.branch_changed")
    assert event.members["data"]["previous_environment"] == "staging"


def test_guarding_less_takes_a_second_person(unlabelled: ProtectedBranch, people: factories.People) -> None:
    proposal = set_label(branch_id=unlabelled.pk, label=STAGING, actor=people.erin.actor, reason="a pull request")
    assert proposal is not None
    unlabelled.refresh_from_db()
    assert unlabelled.environment is PRODUCTION
    with pytest.raises(Refused, match="somebody else"):
        confirm_lower_label(proposal_id=proposal.pk, actor=people.erin.actor)
    confirm_lower_label(proposal_id=proposal.pk, actor=people.bob.actor)
    unlabelled.refresh_from_db()
    assert unlabelled.environment is STAGING
    event = LedgerEvent.objects.get(type="project.label_lowered")
    assert event.members["data"]["voters"] == [people.erin.actor.ref, people.bob.actor.ref]


@pytest.mark.parametrize("name", ["alice", "bob", "dana", "charlie"])
def test_only_an_administrator_proposes(unlabelled: ProtectedBranch, people: factories.People, name: str) -> None:
    with pytest.raises(Refused, match="Only an administrator"):
        set_label(branch_id=unlabelled.pk, label=STAGING, actor=getattr(people, name).actor)
    assert LedgerEvent.objects.filter(type="access.refused").count() == 1
    assert not EnvironmentProposal.objects.exists()


@pytest.mark.parametrize("name", ["alice", "dana", "charlie"])
def test_who_neither_votes_nor_administers_confirms_nothing(
    unlabelled: ProtectedBranch, people: factories.People, name: str
) -> None:
    proposal = set_label(branch_id=unlabelled.pk, label=STAGING, actor=people.erin.actor)
    assert proposal is not None
    with pytest.raises(Refused, match="administrator or a manager"):
        confirm_lower_label(proposal_id=proposal.pk, actor=getattr(people, name).actor)
    unlabelled.refresh_from_db()
    assert unlabelled.label is None


def test_a_second_proposal_waits_for_the_first(unlabelled: ProtectedBranch, people: factories.People) -> None:
    proposal = set_label(branch_id=unlabelled.pk, label=STAGING, actor=people.erin.actor)
    assert proposal is not None
    with pytest.raises(Refused, match="proposed already"):
        set_label(branch_id=unlabelled.pk, label=Environment.DEVELOPMENT, actor=people.erin.actor)
    refuse_lower_label(proposal_id=proposal.pk, actor=people.carol.actor)
    with pytest.raises(Refused, match="decided already"):
        confirm_lower_label(proposal_id=proposal.pk, actor=people.bob.actor)
    assert set_label(branch_id=unlabelled.pk, label=STAGING, actor=people.erin.actor) is not None


def test_the_default_branch_counts_as_production_whatever_its_label(people: factories.People) -> None:
    main = factories.branch(label=None)
    proposal = set_label(branch_id=main.pk, label=STAGING, actor=people.erin.actor)
    assert proposal is not None
    confirm_lower_label(proposal_id=proposal.pk, actor=people.bob.actor)
    main.refresh_from_db()
    assert (main.label, main.environment) == ("staging", PRODUCTION)


def test_tables_are_described_in_plain_words(staging: ProtectedBranch, people: factories.People) -> None:
    about = {"branch_id": staging.pk, "table": "public.medication_logs", "actor": people.erin.actor}
    describe_table(meaning=" doses  given ", patient_safety=True, **about)  # type: ignore[arg-type]
    row = TableMeaning.objects.get()
    assert (row.meaning, row.patient_safety) == ("doses given", True)
    describe_table(meaning="", patient_safety=False, **about)  # type: ignore[arg-type]
    assert not TableMeaning.objects.exists()


@pytest.mark.parametrize(
    ("table", "meaning", "field"), [("medications", "prescribed", "table"), ("public.users", "x" * 121, "meaning")]
)
def test_a_description_that_cant_be_used_is_said_beside_its_field(
    staging: ProtectedBranch, people: factories.People, table: str, meaning: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        describe_table(
            branch_id=staging.pk, table=table, meaning=meaning, patient_safety=False, actor=people.erin.actor
        )
    assert set(refused.value.errors) == {field}
