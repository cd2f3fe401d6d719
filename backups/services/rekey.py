"""A governed branch whose content came from a snapshot has another id at Neon; everything here follows it."""

from __future__ import annotations

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.people import Actor
from backups.models import FormerBranchId, OwnedBranch, ProtectedBranch, RestoreRequest
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.services.project import lock_branch, record_branch


def rekey_branch(
    *, branch_id: int, found: Branch, kept: Branch, request: RestoreRequest, actor: Actor
) -> ProtectedBranch:
    """The branch goes on under `found`'s id; `kept`, what it was until now, belongs to the request. Harmless twice.

    Runs in the transaction of the step that read it back. Environment, tables and everything else that people decided
    stay with the row, which is the same branch to them.
    """
    branch = lock_branch(branch_id)
    if branch.neon_branch_id == found.id:
        return branch
    former = branch.neon_branch_id
    # What was written up to the order is in the former branch's history, and nothing of it in the new one's.
    until = request.submitted_to_neon_at or database_now()
    FormerBranchId.objects.get_or_create(
        branch=branch, neon_branch_id=former, defaults={"request": request, "until": until}
    )
    # Somebody's look at the project may have taken the new id for a new branch; nothing refers to it yet.
    ProtectedBranch.objects.filter(project=branch.project, neon_branch_id=found.id).delete()
    branch.neon_branch_id = found.id
    branch.is_from_snapshot = True
    branch.missing_since = None
    branch.save(update_fields=["neon_branch_id", "is_from_snapshot", "missing_since"])
    OwnedBranch.objects.filter(project=branch.project, neon_branch_id=found.id).update(
        fate=BranchFate.PROMOTED, expires_at=None
    )
    _keep(branch, kept, request)
    details = {
        "request": request.reference,
        "previous_branch": former,
        "branch": found.id,
        "preserved_name": kept.name,
        "point_snapshot": request.snapshot_id,
    }
    record_branch(branch, "project.branch_rekeyed", actor, details)
    return branch


def _keep(branch: ProtectedBranch, kept: Branch, request: RestoreRequest) -> None:
    """The state before, under the name that Neon gave it. A row that still claims this name is out of date."""
    namesakes = OwnedBranch.objects.filter(project=branch.project, name=kept.name).exclude(fate=BranchFate.GONE)
    for stale in namesakes.exclude(neon_branch_id=kept.id):
        stale.name = stale.neon_branch_id or f"{stale.name} #{stale.pk}"
        stale.save(update_fields=["name"])
    OwnedBranch.objects.update_or_create(
        project=branch.project,
        neon_branch_id=kept.id,
        defaults={
            "name": kept.name,
            "purpose": BranchPurpose.PRESERVED,
            "fate": BranchFate.PRESENT,
            "owner_name": request.requester_name,
            "request": request,
            "expires_at": None,
        },
    )
