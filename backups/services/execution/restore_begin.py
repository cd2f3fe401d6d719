"""The last count of the votes, in the transaction that writes the intent down."""

from __future__ import annotations

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.restore import RequestState
from backups.models import Execution, OwnedBranch
from backups.services.execution.events import the_worker
from backups.services.execution.served import request_of
from backups.services.restore.running import mark_running


def begin(run: Execution) -> None:
    """approved → running. A call that is sent once more finds the request running. Raises StartRefused."""
    request = request_of(run)
    if request.state != RequestState.RUNNING:
        mark_running(request_id=request.pk, execution=run, actor=the_worker())


def begin_overwrite(run: Execution) -> None:
    """As `begin`; the branch that Neon will make of the state before is owned from here on. Raises StartRefused."""
    begin(run)
    request = request_of(run)
    OwnedBranch.objects.get_or_create(
        project=run.project,
        name=request.preserve_name,
        defaults={
            "purpose": BranchPurpose.PRESERVED,
            "fate": BranchFate.INTENDED,
            "owner_name": request.requester_name,
            "request": request,
        },
    )
