"""What a project's restores leave to do: its other systems, and a branch's health address."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.afterwards import OTHER_SYSTEMS
from backups.domain.people import Actor, Capability
from backups.models import Project, ProtectedBranch
from backups.services.afterwards.health_address import health_address_error
from backups.services.afterwards.records import refuse_unless
from backups.services.ledger import record_event
from backups.services.project import lock_branch, record_branch, target_of_branch, target_of_project
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

_MOST_SYSTEMS = 20
_LONGEST_NAME = 60


def set_up_afterwards(*, actor: Actor, branch_id: int, systems: Sequence[str], health_url: str) -> ProtectedBranch:
    """Which systems are asked about after a restore in this project, and where the branch's application tells that it
    is well. Raises Refused, InvalidInput."""
    found = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(found)):
        person = with_roles_of_now(actor)
        may = person.is_human and person.may(Capability.MANAGE_PROJECTS)
        refuse_unless(may, "not_allowed", "Only an administrator can change this.")
        names = list(dict.fromkeys(" ".join(name.split()) for name in systems if name.strip()))
        _check(names, health_url)
        branch = lock_branch(branch_id)
        if branch.health_url != health_url:
            branch.health_url = health_url
            branch.save(update_fields=["health_url"])
            record_branch(branch, "project.branch_changed", person, {"changed_fields": ["health_url"]})
        _store_systems(branch.project, names, person)
        return branch


def _store_systems(project: Project, names: list[str], actor: Actor) -> None:
    project = Project.objects.select_for_update().get(pk=project.pk)
    before = list(OTHER_SYSTEMS) if project.other_systems is None else project.other_systems
    if before == names:
        return
    project.other_systems = names
    project.save(update_fields=["other_systems"])
    record_event(
        type="project.changed",
        actor=actor,
        target=target_of_project(project),
        details={"changed_fields": ["other_systems"]},
        sandbox=project.is_sandbox,
    )


def _check(names: list[str], health_url: str) -> None:
    errors = {}
    if len(names) > _MOST_SYSTEMS or any(len(name) > _LONGEST_NAME or not name.isprintable() for name in names):
        errors["systems"] = f"Name at most {_MOST_SYSTEMS} systems, one a line, each in {_LONGEST_NAME} characters."
    if problem := health_address_error(health_url):
        errors["health_url"] = problem
    if errors:
        raise InvalidInput(errors)
