"""Projects and branches under the portal's care: what Neon says of them, and what people decide about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from django.db import transaction

from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Project, ProtectedBranch, RestoreRequest
from backups.neon.types import Branch
from backups.neon.types import Project as NeonProject
from backups.selectors.clock import database_now
from backups.selectors.project import made_by_portal
from backups.selectors.restore import exchanges_under_way
from backups.services.ledger import record_event

#: Values of a row's fields, by name.
Facts: TypeAlias = Mapping[str, str | int | dt.datetime | None]

#: Root branches that a plan allows per project (Neon's documentation, October 2025; the API does not tell).
ROOT_BRANCH_CAPS = {"free": 3, "launch": 5, "scale": 25}


def target_of_project(project: Project) -> Target:
    """The project as the target of an event."""
    return Target(kind="project", id=project.neon_project_id, project=project.neon_project_id)


def target_of_branch(branch: ProtectedBranch) -> Target:
    """The branch as the target of an event."""
    return Target(
        kind="branch",
        id=branch.neon_branch_id,
        project=branch.project.neon_project_id,
        branch=branch.neon_branch_id,
        environment=branch.environment.value,
    )


def root_branch_cap(plan: str | None) -> int | None:
    """The plan's cap on root branches; None for a plan that is not known here. `launch_v3` counts as launch."""
    return ROOT_BRANCH_CAPS.get((plan or "").removesuffix("_v3").removesuffix("_v2").lower())


def register_project(*, actor: Actor, name: str, neon_project_id: str, api_host: str, is_sandbox: bool) -> Project:
    """The project's row, made when it is new. The API host can't be changed afterwards: it is part of its identity."""
    with transaction.atomic():
        project, created = Project.objects.select_for_update().get_or_create(
            api_host=api_host.rstrip("/"),
            neon_project_id=neon_project_id,
            defaults={"name": name, "is_sandbox": is_sandbox},
        )
        if created:
            record_event(type="project.connected", actor=actor, target=target_of_project(project), sandbox=is_sandbox)
        return project


def refresh_project(*, project_id: int, found: NeonProject, actor: Actor) -> Project:
    """Stores what Neon says of the project; a change is an event. What Neon does not tell becomes unknown."""
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project_id)
        facts: Facts = {
            "name": found.name or project.name,
            "plan": found.plan or "",
            "region": found.region_id or "",
            "pg_version": found.pg_version,
            "history_retention_seconds": found.history_retention_seconds,
            "root_branch_cap": root_branch_cap(found.plan),
        }
        changed = _assign(project, facts)
        if changed:
            project.save(update_fields=changed)
            record_event(
                type="project.changed",
                actor=actor,
                target=target_of_project(project),
                details={"changed_fields": sorted(changed)},
                sandbox=project.is_sandbox,
            )
        return project


def refresh_branches(*, project_id: int, found: Iterable[Branch], actor: Actor) -> list[ProtectedBranch]:
    """Takes every branch that the portal did not make itself under its care, and notes the ones that are gone.

    A new branch has no label, so it counts as production until people decide otherwise.
    """
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project_id)
        exchanges = exchanges_under_way(project)
        branches = [branch for branch in found if not any(_is_part_of(branch, each) for each in exchanges)]
        ours = made_by_portal(project, ((branch.id, branch.name) for branch in branches))
        theirs = [branch for branch in branches if branch.id not in ours]
        kept = [_take_care_of(project, branch, actor) for branch in theirs]
        present = {branch.id for branch in theirs} | {each.branch.neon_branch_id for each in exchanges}
        _note_missing(project, present, actor)
        return kept


def name_database(*, branch_id: int, database_name: str, role_name: str, actor: Actor) -> ProtectedBranch:
    """Which database and role the checks connect with first."""
    with transaction.atomic():
        branch = lock_branch(branch_id)
        changed = _assign(branch, {"database_name": database_name, "role_name": role_name})
        if changed:
            branch.save(update_fields=changed)
            record_branch(branch, "project.branch_changed", actor, {"changed_fields": sorted(changed)})
        return branch


def lock_branch(branch_id: int) -> ProtectedBranch:
    """The branch's row, locked until the transaction ends."""
    return ProtectedBranch.objects.select_for_update(of=("self",)).select_related("project").get(pk=branch_id)


def record_branch(
    branch: ProtectedBranch, type: str, actor: Actor, details: Mapping[str, Detail], *, text: str = ""
) -> None:
    """An event about the branch, in the caller's transaction."""
    facts: dict[str, Detail] = {"branch_name": branch.name, "environment": branch.environment.value}
    record_event(
        type=type,
        actor=actor,
        target=target_of_branch(branch),
        details=facts | dict(details),
        text=text,
        sandbox=branch.project.is_sandbox,
    )


def _is_part_of(found: Branch, exchange: RestoreRequest) -> bool:
    """While a snapshot takes a branch's place, ids and names say nothing; the run that ordered it follows them."""
    return (
        found.id == exchange.branch.neon_branch_id
        or found.name == exchange.branch.name
        or found.restored_from == exchange.snapshot_id
    )


def _take_care_of(project: Project, found: Branch, actor: Actor) -> ProtectedBranch:
    facts: Facts = {
        "name": found.name,
        "is_root": found.is_root,
        # Not told counts as the more guarded answer.
        "is_default": found.default is not False,
        "is_neon_protected": found.protected is not False,
        "is_from_snapshot": found.is_root and not found.can_be_restore_target,
        "missing_since": None,
    }
    branch = ProtectedBranch.objects.select_for_update().filter(project=project, neon_branch_id=found.id).first()
    if branch is None:
        branch = ProtectedBranch.objects.create(project=project, neon_branch_id=found.id, **facts)
        record_branch(branch, "project.branch_protected", actor, _marks(branch))
        return branch
    changed = _assign(branch, facts)
    if changed:
        branch.save(update_fields=changed)
        record_branch(branch, "project.branch_changed", actor, {"changed_fields": sorted(changed)} | _marks(branch))
    return branch


def _note_missing(project: Project, present: set[str], actor: Actor) -> None:
    known = ProtectedBranch.objects.select_for_update().filter(project=project, missing_since__isnull=True)
    for branch in known.exclude(neon_branch_id__in=present):
        branch.missing_since = database_now()
        branch.save(update_fields=["missing_since"])
        record_branch(branch, "project.branch_changed", actor, {"changed_fields": ["missing_since"]})


def _marks(branch: ProtectedBranch) -> dict[str, Detail]:
    return {"default_branch": branch.is_default, "neon_protected": branch.is_neon_protected}


def _assign(row: Project | ProtectedBranch, facts: Facts) -> list[str]:
    """Sets what differs and returns the names of those fields."""
    changed = [name for name, value in facts.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, facts[name])
    return changed
