"""What a test's register says."""

from __future__ import annotations

import datetime as dt

from backups.domain.governance import Criticality, DataClass, Register
from backups.models import GovernanceVersion, Project
from backups.selectors.clock import database_now
from backups.services.governance import Proposal, propose_governance
from tests.factories import People


def says(people: People) -> Register:
    """Health information, critical, back within an hour."""
    today = database_now().date()
    return Register(
        data_class=DataClass.PHI,
        criticality=Criticality.CRITICAL,
        rto_seconds=3600,
        rpo_seconds=300,
        plan_title="Restore plan of CareCircle",
        plan_url="https://wiki.example/restore",
        review_on=today + dt.timedelta(days=180),
        baa_on=today - dt.timedelta(days=30),
        owner_id=people.carol.user.pk,
        technical_owner_id=people.alice.user.pk,
    )


def governance_proposal(people: People, project: Project) -> GovernanceVersion:
    """By Erin; Bob or Carol may agree."""
    wanted = Proposal(says(people), "The first version.")
    return propose_governance(actor=people.erin.actor, project_id=project.pk, proposal=wanted)
