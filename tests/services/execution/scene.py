"""A project in a sandbox, a request that was voted on, and a worker that is called directly."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction

from backups.domain.execution import CLAIMABLE, BranchFate, BranchPurpose, Purpose
from backups.domain.people import SYSTEM
from backups.domain.policy import Policy
from backups.domain.restore import (
    PointKind,
    RequestState,
    RestoreKind,
    RestorePoint,
    SnapshotMode,
    WritersStopped,
)
from backups.models import Execution, Intent, OwnedBranch, PolicyVersion, Project, ProtectedBranch, RestoreRequest
from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from backups.neon.results import BranchChange
from backups.neon.secret import Secret
from backups.selectors.clock import database_now
from backups.selectors.restore import restore_run
from backups.services.bound_facts import read_bound_facts
from backups.services.execution.advance import advance
from backups.services.restore.start import start_request
from backups.services.secrets import store_api_key
from backups.services.snapshot import choose_snapshot
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests import factories
from tests.factories import People
from tests.invariants import assert_invariants

#: What is asked of a database that does not really go back: it can't show that its server was replaced.
CHECKED = ("connection", "anchors", "as_approved", "no_commit_between", "required_tables", "schema", "table_content")

FINALIZES = "finalize_restore"
PATIENCE_SECONDS = 30.0


@dataclass
class Scene:
    """What the tests of runs play with."""

    sandbox: RunningSandbox
    people: People
    project: Project
    branch: ProtectedBranch
    strangers: set[str] = field(default_factory=set)

    @contextmanager
    def neon(self) -> Iterator[NeonClient]:
        """Neon as a stranger's client sees it."""
        with NeonClient(
            Secret(self.sandbox.api_key),
            base_url=self.sandbox.url,
            on_call=lambda call: self.strangers.add(call.request_id),
        ) as client:
            yield client

    def assert_invariants(self, **options: Any) -> None:
        """Everything that must hold at any moment."""
        canaries = [self.sandbox.api_key, "password-of-tests"]
        assert_invariants(self.sandbox, strangers=self.strangers, canaries=canaries, **options)

    def moment(self) -> dt.datetime:
        """Now, in whole milliseconds."""
        now = database_now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def submitted(self, **wish: Any) -> RestoreRequest:
        """A request whose facts are being gathered."""
        # Who votes must have held the role before the request was submitted.
        assert self.people.bob
        assert self.people.carol
        wish.setdefault("point", RestorePoint(PointKind.TIMESTAMP, at=self.moment()))
        return factories.submitted(self.people.alice, self.branch, **wish)

    def published(self, request: RestoreRequest) -> RestoreRequest:
        """Facts as Neon tells them now, frozen; with the preview copy that they were read from."""
        with self.neon() as client:
            if not OwnedBranch.objects.filter(request=request, name=request.preview_name).exists():
                self.make_preview(client, request)
            facts = asdict(read_bound_facts(client, request))
        del facts["request"]
        self.end_preparation(request)
        factories.publish(request, **facts)
        return request

    def approved(self, **wish: Any) -> RestoreRequest:
        """Voted on by as many people as it takes."""
        request = self.published(self.submitted(**wish))
        return self.voted(request)

    def voted(self, request: RestoreRequest) -> RestoreRequest:
        """Approvals by Bob and then Carol, as long as they are wanted."""
        for voter in (self.people.bob, self.people.carol):
            if request.state == RequestState.PENDING:
                factories.approve(request, voter)
        return request

    def started(self, request: RestoreRequest | None = None, **wish: Any) -> Execution:
        """The run of an approved request, not yet worked on."""
        chosen = request or self.approved(**wish)
        if chosen.start_asked_at is None:
            start_request(
                actor=self.people.alice.actor, request_id=chosen.pk, writers_stopped=WritersStopped.YES, minutes=0
            )
        run = restore_run(chosen)
        assert run is not None
        return run

    def make_preview(self, client: NeonClient, request: RestoreRequest) -> OwnedBranch:
        """The copy at the restore point, as a preparation leaves it."""
        change = self._copied(client, request)
        client.operations.wait_for(self.sandbox.project_id, change.operation_ids, deadline_seconds=10)
        assert change.branch is not None
        return OwnedBranch.objects.create(
            project=self.project,
            name=request.preview_name,
            neon_branch_id=change.branch.id,
            purpose=BranchPurpose.PREVIEW,
            fate=BranchFate.PRESENT,
            owner_name="alice",
            request=request,
        )

    def _copied(self, client: NeonClient, request: RestoreRequest) -> BranchChange:
        project_id, name = self.sandbox.project_id, request.preview_name
        if request.snapshot_id:
            return client.snapshots.restore(
                project_id,
                request.snapshot_id,
                name=name,
                target_branch_id=request.branch.neon_branch_id,
                finalize=False,
            )
        is_time = request.point_kind == PointKind.TIMESTAMP
        return client.branches.create(
            project_id,
            name=name,
            parent_id=request.source_branch_id,
            parent_timestamp=request.point_at if is_time else None,
            parent_lsn=request.point_lsn or None,
            endpoint=NewEndpoint(),
        )

    def snapshot_wish(self, mode: SnapshotMode, **wish: Any) -> dict[str, Any]:
        """What a request from a snapshot of the branch is filed with; the snapshot is taken by a stranger, now."""
        taken = self.sandbox.take_snapshot(name=f"by-hand-{secrets.token_hex(3)}")
        self.branch.refresh_from_db()
        point = choose_snapshot(branch_id=self.branch.pk, snapshot_id=taken.id)
        return {"kind": RestoreKind.SNAPSHOT, "snapshot_mode": mode, "point": point} | wish

    def end_preparation(self, request: RestoreRequest) -> None:
        """These tests publish facts by hand, so the run that would gather them is over."""
        Execution.objects.filter(request=request, purpose=Purpose.PREPARE).update(state="finished")

    def restores(self) -> list[dict[str, Any]]:
        """The calls of a restore that changed something at Neon."""
        return [call for call in self.sandbox.calls("POST", "/restore") if call["applied"]]

    def exchanges(self, *, applied: bool = True) -> list[dict[str, Any]]:
        """The calls that put a snapshot's content in the place of a branch; with `applied` those that did."""
        in_one_step = [each for each in self.sandbox.calls("POST", "/restore") if (each["body"] or {}).get(FINALIZES)]
        found = in_one_step + self.sandbox.calls("POST", "/finalize_restore")
        return [each for each in found if each["applied"] or not applied]

    def attempts(self) -> list[dict[str, Any]]:
        """Every call of a restore that arrived."""
        return self.sandbox.calls("POST", "/restore")


@contextmanager
def opened_scene(client_database_url: str | None, people: People, *, storage: str = "none") -> Iterator[Scene]:
    """`client_database_url` stands for the database behind every branch of a sandbox without data of its own."""
    with running_sandbox(storage=storage, connection_uri=client_database_url) as sandbox:
        project = factories.project(api_host=sandbox.url, neon_project_id=sandbox.project_id, root_branch_cap=None)
        with transaction.atomic():
            store_api_key(project=project, api_key=Secret(sandbox.api_key), actor=SYSTEM)
        body = Policy(required_checks=CHECKED).to_json()
        PolicyVersion.objects.create(number=2, body=body, created_by_name="erin")
        branch = factories.branch(project, neon_branch_id=sandbox.branch_id, name="main")
        yield Scene(sandbox, people, project, branch)


def work(run: Execution, *, until: str = "", seconds: float = PATIENCE_SECONDS) -> Execution:
    """Delivers tasks as the queue and the wake loop would, until the run rests or reaches the step `until`."""
    deadline = time.monotonic() + seconds
    while True:
        run.refresh_from_db()
        if run.state not in CLAIMABLE or run.step == until:
            return run
        assert time.monotonic() < deadline, f"still {run.step}, waiting for {run.waiting_for!r}"
        _wait_until_due(run)
        advance(run.pk)


def _wait_until_due(run: Execution) -> None:
    due = max((at for at in (run.next_attempt_at, run.lease_until) if at is not None), default=None)
    if due is not None:
        time.sleep(max(0.0, (due - database_now()).total_seconds()) + 0.002)


def intents(run: Execution) -> list[Intent]:
    """The run's calls that change something, in their order."""
    return list(Intent.objects.filter(execution=run).order_by("number"))
