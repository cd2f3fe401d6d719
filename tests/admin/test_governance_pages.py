"""The register on its pages: proposed, agreed by another, refused with a reason, and read by auditors."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups.models import GovernanceVersion, LedgerEvent, Project
from backups.selectors.clock import database_now
from backups.services.governance import Proposal, agree_governance, propose_governance
from tests import factories
from tests.admin.test_pages_show import text_of
from tests.support.drills import automatic_drill
from tests.support.governance import governance_proposal, says

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project()


@pytest.fixture
def bob(people, log_in):
    return log_in(people.bob)


@pytest.fixture
def typed(people) -> dict[str, str]:
    today = database_now().date()
    return {
        "data_class": "phi",
        "criticality": "critical",
        "rto_minutes": "60",
        "rpo_minutes": "5",
        "plan_title": "Restore plan, edition 3",
        "plan_url": "https://wiki.example/restore",
        "review_on": (today + dt.timedelta(days=90)).isoformat(),
        "baa_on": "2026-01-05",
        "owner": str(people.carol.user.pk),
        "technical_owner": str(people.alice.user.pk),
        "note": "After the audit.",
    }


def page(project: Project, name: str = "governance") -> str:
    return reverse(f"ops:{name}", args=[project.pk])


def decide(version: GovernanceVersion) -> str:
    return reverse("ops:governance-decide", args=[version.pk])


def test_proposed_by_one_and_agreed_by_another(project, bob, people, log_in, typed):
    assert "Nothing was agreed on yet." in text_of(bob.get(page(project)))
    assert bob.post(page(project, "governance-new"), typed).status_code == 302
    version = GovernanceVersion.objects.get()
    assert "Agree as the second person" not in text_of(bob.get(page(project)))
    carol = log_in(people.carol)
    assert f"The register of {project.name}" in text_of(carol.get("/"))
    words = text_of(carol.get(page(project)))
    assert "Restore plan, edition 3" in words
    assert "After the audit." in words
    carol.post(decide(version), {"answer": "agree"})
    assert "proposed by bob, agreed by carol" in text_of(bob.get(page(project)))


def test_the_proposer_does_not_agree_by_a_forged_post(project, bob, typed):
    bob.post(page(project, "governance-new"), typed)
    version = GovernanceVersion.objects.get()
    answer = bob.post(decide(version), {"answer": "agree"}, follow=True)
    assert "somebody else must agree" in text_of(answer)
    version.refresh_from_db()
    assert version.agreed_at is None
    assert LedgerEvent.objects.filter(type="access.refused", actor_ref=f"user:{version.proposed_by_id}").exists()


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(project, bob, typed):
    answer = bob.post(page(project, "governance-new"), typed | {"plan_url": "ftp://x", "review_on": "2020-01-01"})
    words = answer.content.decode()
    assert (answer.status_code, "The address begins with https://." in text_of(answer)) == (422, True)
    assert "This day is over" in text_of(answer)
    assert "Restore plan, edition 3" in words
    assert "After the audit." in words
    assert not GovernanceVersion.objects.exists()


def test_refusing_needs_a_reason(project, bob, people):
    version = governance_proposal(people, project)
    answer = bob.post(decide(version), {"answer": "refuse", "reason": " "})
    assert (answer.status_code, "Say why." in text_of(answer)) == (422, True)
    bob.post(decide(version), {"answer": "refuse", "reason": "Too optimistic."})
    assert "Refused by bob" in text_of(bob.get(page(project)))


def test_the_next_version_begins_with_the_present_one_and_shows_what_differs(project, bob, people, typed):
    agree_governance(actor=people.bob.actor, version_id=governance_proposal(people, project).pk)
    form = bob.get(page(project, "governance-new")).content.decode()
    assert 'value="Restore plan of CareCircle"' in form
    bob.post(page(project, "governance-new"), typed | {"rto_minutes": "120"})
    words = text_of(bob.get(page(project)))
    assert "1 h → 2 h" in words


def test_auditors_see_all_projects_and_what_is_missing(project, people, log_in):
    agree_governance(actor=people.bob.actor, version_id=governance_proposal(people, project).pk)
    factories.project(neon_project_id="other-1", name="carecircle-analytics")
    dana = log_in(people.dana)
    words = text_of(dana.get(reverse("ops:register")))
    assert "1 of 2 projects wants attention" in words
    assert "Nothing was agreed on yet." in words
    assert "Complete" in words
    assert LedgerEvent.objects.filter(type="ledger.read", actor_ref=people.dana.actor.ref).exists()


def test_the_last_drill_is_held_against_the_aim(project, people, log_in):
    aim = Proposal(replace(says(people), rto_seconds=5))
    version = propose_governance(actor=people.erin.actor, project_id=project.pk, proposal=aim)
    agree_governance(actor=people.bob.actor, version_id=version.pk)
    automatic_drill(factories.branch(project))
    words = text_of(log_in(people.dana).get(reverse("ops:register")))
    assert "back after 6 s longer than aimed at" in words
    assert "newest data 41 s old within the aim" in words


def test_questions_do_not_grow_with_projects(people, log_in):
    dana, counts = log_in(people.dana), []
    for number in range(2):
        made = [factories.project(neon_project_id=f"calm-{number}-{n}", name=f"p{number}{n}") for n in range(3)]
        for each in made:
            agree_governance(actor=people.bob.actor, version_id=governance_proposal(people, each).pk)
        with CaptureQueriesContext(connection) as asked:
            dana.get(reverse("ops:register"))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 16


def test_an_unknown_project_is_not_found(bob):
    for name in ("governance", "governance-new"):
        assert bob.get(reverse(f"ops:{name}", args=[987654])).status_code == 404
    assert bob.post(reverse("ops:governance-decide", args=[987654]), {"answer": "agree"}).status_code == 404
