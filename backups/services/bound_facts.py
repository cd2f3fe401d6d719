"""The facts that make the digest, read from Neon: once for the packet, and again just before the restore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backups.domain.packet import BoundFacts
from backups.domain.policy import Environment, effective_environment
from backups.domain.restore import PointKind, RestoreKind, rfc3339
from backups.models import ProtectedBranch, RestoreRequest
from backups.neon.client import NeonClient
from backups.neon.snapshots import Snapshot
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force, votes_needed_for
from backups.selectors.project import made_by_portal
from backups.services.snapshot import SnapshotGone, find_snapshot, taken_at


def read_bound_facts(
    client: NeonClient, request: RestoreRequest, *, branches: Sequence[Branch] | None = None
) -> BoundFacts:
    """What is so at Neon and in the policy now; `branches` when they were listed a moment ago.

    Writes nothing. Raises NeonError when a fact can't be read, and SnapshotGone.
    """
    project_id = request.branch.project.neon_project_id
    branch = client.branches.get(project_id, request.branch.neon_branch_id)
    snapshot = find_snapshot(client, project_id, request.snapshot_id) if request.snapshot_id else None
    if snapshot is None and request.source_branch_id != branch.id:
        client.branches.get(project_id, request.source_branch_id)
    databases = client.databases.list(project_id, branch.id)
    children = _children(request, branch, client.branches.list(project_id) if branches is None else branches)
    policy = policy_in_force()
    facts = BoundFacts(
        request=request.reference,
        revision=request.revision,
        project_id=project_id,
        branch_id=branch.id,
        branch_name=branch.name,
        source_branch_id=request.source_branch_id,
        kind=request.kind,
        point_kind=request.point_kind,
        point=point_text(request),
        preserve_name=request.preserve_name if RestoreKind(request.kind).overwrites else "",
        databases=tuple(sorted(database.name for database in databases)),
        children=children,
        environment=environment_now(request.branch, branch).value,
        policy_version=policy.version,
        votes_needed=votes_needed_for(request, at=request.submitted_at or database_now(), policy=policy),
    )
    return facts if snapshot is None else _of_snapshot(facts, request, snapshot)


def _of_snapshot(facts: BoundFacts, request: RestoreRequest, snapshot: Snapshot) -> BoundFacts:
    """What is restored is the snapshot's; the branch's own history has no part in it. Raises SnapshotGone."""
    at = taken_at(snapshot)
    if at is None:
        raise SnapshotGone("Neon does not tell when this snapshot was taken.")
    return replace(
        facts,
        source_branch_id=snapshot.source_branch_id or "",
        snapshot_name=snapshot.name,
        snapshot_at=rfc3339(at),
        snapshot_mode=request.snapshot_mode,
    )


def point_text(request: RestoreRequest) -> str:
    """The restore point as it stands in the digest: a UTC time, a log position, a snapshot's id, or `head`."""
    if request.point_kind == PointKind.SNAPSHOT:
        return request.snapshot_id
    if request.point_kind == PointKind.TIMESTAMP and request.point_at is not None:
        return rfc3339(request.point_at)
    return request.point_lsn.upper() if request.point_kind == PointKind.LSN else PointKind.HEAD.value


def environment_now(branch: ProtectedBranch, found: Branch) -> Environment:
    """The environment by the label and by what Neon says this minute; not told counts as guarded."""
    return effective_environment(
        label=Environment(branch.label) if branch.label else None,
        is_default=found.default is not False,
        is_neon_protected=found.protected is not False,
    )


def _branch(client: NeonClient, project_id: str, branch_id: str, everything: Sequence[Branch]) -> Branch:
    """From the list; a branch that is not in it is asked for by itself, which says why. Raises NeonNotFound."""
    listed = next((branch for branch in everything if branch.id == branch_id), None)
    return listed or client.branches.get(project_id, branch_id)


def _children(request: RestoreRequest, branch: Branch, all_branches: Sequence[Branch]) -> tuple[str, ...]:
    """Other people's branches that an overwrite would move under the preserved branch; a copy moves none."""
    if not RestoreKind(request.kind).overwrites:
        return ()
    born = [other for other in all_branches if other.parent_id == branch.id]
    ours = made_by_portal(request.branch.project, ((child.id, child.name) for child in born))
    return tuple(sorted(f"{child.name} ({child.id})" for child in born if child.id not in ours))
