"""One sandbox without storage for all tests of the monitor; each test gets a project of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from backups.domain.people import SYSTEM
from backups.models import Finding, Project, ProtectedBranch, RestoreRequest
from backups.neon.secret import Secret
from backups.services.monitor.cycle import monitor_now
from backups.services.neon_access import client_for
from backups.services.project import refresh_branches, refresh_project, register_project
from backups.services.secrets import store_api_key
from backups.services.worker import record_heartbeat
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests import factories
from tests.factories import People
from tests.sandbox.api import Api


@pytest.fixture(scope="package")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(plan="scale", operation_seconds=0) as sandbox:
        yield sandbox


@dataclass
class World:
    """A project in care, seen from both sides: the portal's, and that of somebody with Neon's own tools."""

    sandbox: RunningSandbox
    api: Api
    project: Project
    patch: pytest.MonkeyPatch
    settings: Any

    @property
    def branch(self) -> ProtectedBranch:
        """Production."""
        return ProtectedBranch.objects.select_related("project").get(project=self.project, is_default=True)

    @property
    def branch_id(self) -> str:
        return str(self.branch.neon_branch_id)

    def look(self) -> None:
        """One cycle, now."""
        monitor_now(actor=SYSTEM, origin="test")

    def open(self) -> dict[str, Finding]:
        """Open findings by code; the worker's and the drills' are not looked at here."""
        found = Finding.objects.filter(closed_at__isnull=True).order_by("pk")
        return {finding.code: finding for finding in found}

    def declare_as_found(self) -> None:
        """Neon is brought to what is declared, by hand, before anybody looks."""
        item = {"frequency": "daily", "hour": 2, "retention_seconds": 604_800}
        path = f"/branches/{self.branch_id}/backup_schedule"
        assert self.api.call("PUT", path, {"schedule": [item]}).is_success
        self.api.done(self.api.call("PATCH", "", {"project": {"history_retention_seconds": 604_800}}))


@pytest.fixture
def world(shared_sandbox: RunningSandbox, db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Healthy but for what no project has at first: a drill and a scheduled snapshot."""
    settings.NEON_CALL_DEADLINE_SECONDS = 2
    settings.MONITOR_CALL_SECONDS = 0.5
    settings.LEDGER_ORIGIN = "ops.example.org/audit"  # without a name for the log, that is a finding
    neon = shared_sandbox.sandbox.create_project(name="another", databases=["carecircle"])
    with_project = Api(shared_sandbox, project_id=neon.id)
    with with_project.http:
        project = _in_care(shared_sandbox, neon.id)
        made = World(shared_sandbox, with_project, project, monkeypatch, settings)
        made.declare_as_found()
        record_heartbeat(node="test")
        yield made
    shared_sandbox.faults.clear()


@pytest.fixture
def people(db: None) -> People:
    everybody = People()
    everybody.all()
    return everybody


def approved_restore(world: World, people: People) -> RestoreRequest:
    """A production restore that waits for its start."""
    request = factories.submitted(people.alice, world.branch)
    factories.publish(request)
    for person in (people.bob, people.carol):
        factories.approve(request, person)
    request.refresh_from_db()
    assert request.state == "approved"
    return request


def _in_care(sandbox: RunningSandbox, neon_project_id: str) -> Project:
    project = register_project(
        actor=SYSTEM, name="carecircle-prod", neon_project_id=neon_project_id, api_host=sandbox.url, is_sandbox=True
    )
    with transaction.atomic():
        store_api_key(project=project, api_key=Secret(sandbox.api_key), actor=SYSTEM)
    with client_for(project, correlation="tests") as client:
        refresh_project(project_id=project.pk, found=client.projects.get(neon_project_id), actor=SYSTEM)
        refresh_branches(project_id=project.pk, found=client.branches.list(neon_project_id), actor=SYSTEM)
    project.refresh_from_db()
    return project
