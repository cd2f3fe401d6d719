"""A project in a sandbox, in the portal's care: key stored, branches registered."""

from __future__ import annotations

from django.db import transaction
from django.test import override_settings

from backups.domain.people import SYSTEM
from backups.models import Execution, Project, ProtectedBranch
from backups.neon.secret import Secret
from backups.services.execution.advance import advance
from backups.services.neon_access import client_for
from backups.services.project import refresh_branches, refresh_project, register_project
from backups.services.secrets import store_api_key
from neon_sandbox.testing import RunningSandbox


def in_care(sandbox: RunningSandbox) -> Project:
    """The sandbox's project with its branches, as `manage.py connect` would leave it."""
    project = register_project(
        actor=SYSTEM,
        name="carecircle-prod",
        neon_project_id=sandbox.project_id,
        api_host=sandbox.url,
        is_sandbox=True,
    )
    with transaction.atomic():
        store_api_key(project=project, api_key=Secret(sandbox.api_key), actor=SYSTEM)
    # What a test shortens is not meant for this, and a busy machine may well take a second for it.
    with override_settings(NEON_CALL_DEADLINE_SECONDS=10.0), client_for(project, correlation="tests") as client:
        refresh_project(project_id=project.pk, found=client.projects.get(sandbox.project_id), actor=SYSTEM)
        refresh_branches(project_id=project.pk, found=client.branches.list(sandbox.project_id), actor=SYSTEM)
    project.refresh_from_db()
    return project


def main_branch(project: Project) -> ProtectedBranch:
    return ProtectedBranch.objects.select_related("project").get(project=project, is_default=True)


def run_once(execution: Execution) -> Execution:
    """One task of the run, even if it is not due yet."""
    Execution.objects.filter(pk=execution.pk).update(next_attempt_at=None)
    advance(execution.pk)
    execution.refresh_from_db()
    return execution


def run_to_end(execution: Execution, *, most: int = 30) -> Execution:
    """Tasks until the run has ended."""
    for _ in range(most):
        if execution.state != "active":
            return execution
        run_once(execution)
    raise AssertionError(f"still {execution.step}, waiting for {execution.waiting_for!r}")
