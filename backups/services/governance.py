"""The governance register: one person proposes what is said of a project, another agrees. Old versions stay."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from django.contrib.auth.models import User

from backups.domain.governance import Register, problems_with
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import GovernanceVersion, LedgerEvent, Project
from backups.selectors.clock import database_now
from backups.services.afterwards.records import need, refuse_unless
from backups.services.drill_log.governed import demand, text_errors
from backups.services.ledger import record_event
from backups.services.project import target_of_project
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import refusals_recorded, with_roles_of_now


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody wants the register to say, and why or what else."""

    register: Register
    note: str = ""


def propose_governance(*, actor: Actor, project_id: int, proposal: Proposal) -> GovernanceVersion:
    """The first person's word; it counts when another has agreed. Raises Refused, InvalidInput."""
    with _about(actor, project_id) as (project, person):
        user_id = need(person, Capability.PROPOSE_GOVERNANCE, "Only a manager or an administrator proposes this.")
        versions = GovernanceVersion.objects.filter(project=project)
        is_free = not versions.filter(agreed_at__isnull=True, dropped_at__isnull=True).exists()
        refuse_unless(is_free, "proposal_open", "A proposal for this project waits for a second person already.")
        now, says = database_now(), proposal.register
        owner, technical_owner = _checked(proposal, now.astimezone(dt.UTC).date())
        last = versions.order_by("-number").first()
        present = versions.filter(agreed_at__isnull=False).order_by("-number").first()
        changed = changed_fields(present.says if present else None, says)
        refuse_unless(bool(changed), "nothing_changed", "This is what the register says already.")
        version = GovernanceVersion(
            project=project,
            number=last.number + 1 if last else 1,
            **asdict(says),
            owner_name=owner.get_username(),
            technical_owner_name=technical_owner.get_username(),
            proposed_by_id=user_id,
            proposed_by_name=person.name,
            proposed_at=now,
        )
        event = _record(version, "governance.proposed", person, {"changed_fields": changed}, text=proposal.note.strip())
        version.note_id = event.pk if proposal.note.strip() else None
        version.save()
        return version


def agree_governance(*, actor: Actor, version_id: int) -> GovernanceVersion:
    """The other person's yes: from now on the register says so. Raises Refused."""
    with _about_version(actor, version_id) as (version, person):
        user_id = need(person, Capability.AGREE_GOVERNANCE, "Only a manager agrees to this.")
        refuse_unless(
            version.proposed_by_id != user_id, "own_proposal", "You proposed this, so somebody else must agree to it."
        )
        version.agreed_by_id, version.agreed_by_name, version.agreed_at = user_id, person.name, database_now()
        version.save(update_fields=["agreed_by", "agreed_by_name", "agreed_at"])
        _record(version, "governance.agreed", person, {"voters": [f"user:{version.proposed_by_id}", person.ref]})
        return version


def refuse_governance(*, actor: Actor, version_id: int, reason: str) -> GovernanceVersion:
    """Another manager's no, with its reason. Raises Refused, InvalidInput."""
    demand(text_errors("reason", reason, empty="Say why."))
    with _about_version(actor, version_id) as (version, person):
        user_id = need(person, Capability.AGREE_GOVERNANCE, "Only a manager refuses this.")
        own = version.proposed_by_id == user_id
        refuse_unless(not own, "own_proposal", "You proposed this; take it back instead.")
        return _drop(version, "governance.refused", person, user_id, reason.strip())


def withdraw_governance(*, actor: Actor, version_id: int) -> GovernanceVersion:
    """Who proposed it takes it back. Raises Refused."""
    with _about_version(actor, version_id) as (version, person):
        user_id = need(person, Capability.PROPOSE_GOVERNANCE, "Only who proposed this takes it back.")
        own = version.proposed_by_id == user_id
        refuse_unless(own, "not_own_proposal", "Only who proposed this takes it back.")
        return _drop(version, "governance.withdrawn", person, user_id, "")


def changed_fields(before: Register | None, after: Register) -> list[str]:
    """The names of what differs; all of them for the first version."""
    old = asdict(before) if before else {}
    return [name for name, value in asdict(after).items() if name not in old or old[name] != value]


@contextmanager
def _about(actor: Actor, project_id: int) -> Iterator[tuple[Project, Actor]]:
    found = Project.objects.get(pk=project_id)
    with refusals_recorded(actor=actor, target=target_of_project(found)):
        yield Project.objects.select_for_update().get(pk=project_id), with_roles_of_now(actor)


@contextmanager
def _about_version(actor: Actor, version_id: int) -> Iterator[tuple[GovernanceVersion, Actor]]:
    project_id = GovernanceVersion.objects.values_list("project_id", flat=True).get(pk=version_id)
    with _about(actor, project_id) as (_, person):
        version = GovernanceVersion.objects.select_related("project").get(pk=version_id)
        refuse_unless(version.is_open, "proposal_closed", "This proposal is decided already.")
        yield version, person


def _checked(proposal: Proposal, today: dt.date) -> tuple[User, User]:
    """The owners' accounts. Raises InvalidInput with a sentence for each field."""
    says = proposal.register
    errors = problems_with(says, today)
    people = User.objects.filter(pk__in=[says.owner_id, says.technical_owner_id], is_active=True).in_bulk()
    for name, key in (("owner", says.owner_id), ("technical_owner", says.technical_owner_id)):
        if key not in people:
            errors[name] = "Choose somebody with an account."
    if proposal.note.strip():
        errors |= text_errors("note", proposal.note, empty="")
    if errors:
        raise InvalidInput(errors)
    return people[says.owner_id], people[says.technical_owner_id]


def _drop(version: GovernanceVersion, type: str, person: Actor, user_id: int, reason: str) -> GovernanceVersion:
    version.dropped_by_id, version.dropped_by_name, version.dropped_at = user_id, person.name, database_now()
    version.save(update_fields=["dropped_by", "dropped_by_name", "dropped_at"])
    _record(version, type, person, {}, text=reason)
    return version


def _record(
    version: GovernanceVersion, type: str, actor: Actor, details: Mapping[str, Detail], *, text: str = ""
) -> LedgerEvent:
    says = version.says
    facts: dict[str, Detail] = {
        "governance_version": version.number,
        "data_class": says.data_class.value,
        "criticality": says.criticality.value,
        "rto_objective_seconds": says.rto_seconds,
        "rpo_objective_seconds": says.rpo_seconds,
        "review_on": says.review_on.isoformat(),
        "baa_on": says.baa_on.isoformat() if says.baa_on else None,
        "owners": [f"user:{says.owner_id}", f"user:{says.technical_owner_id}"],
        "evidence_sha256": _hash_of(says),
    }
    return record_event(
        type=type,
        actor=actor,
        target=target_of_project(version.project),
        details=facts | dict(details),
        text=text,
        sandbox=version.project.is_sandbox,
    )


def _hash_of(says: Register) -> str:
    """Over everything that the version says, the plan's title and address too, which no event repeats."""
    text = json.dumps(asdict(says), sort_keys=True, default=str, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
