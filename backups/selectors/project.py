"""What pages and services both need to know of projects and branches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from backups.domain.execution import BranchFate
from backups.models import EnvironmentProposal, FormerBranchId, OwnedBranch, Project, ProtectedBranch


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a table means to people."""

    text: str = ""
    patient_safety: bool = False


def governed_branches(project: Project | None = None) -> QuerySet[ProtectedBranch]:
    """Branches that exist at Neon as far as is known: root branches first, the default one at the top."""
    found = ProtectedBranch.objects.select_related("project").filter(missing_since__isnull=True)
    if project is not None:
        found = found.filter(project=project)
    return found.order_by("project__name", "-is_root", "-is_default", "name")


def open_proposals(project: Project | None = None) -> QuerySet[EnvironmentProposal]:
    """Lower labels that wait for a second person, oldest first."""
    waiting = EnvironmentProposal.objects.filter(confirmed_at__isnull=True, refused_at__isnull=True)
    if project is not None:
        waiting = waiting.filter(branch__project=project)
    return waiting.select_related("branch__project", "proposed_by").order_by("proposed_at")


def meanings_of(branch: ProtectedBranch) -> dict[str, Meaning]:
    """What people said of the branch's tables, by `schema.table`."""
    return {row.table: Meaning(row.meaning, row.patient_safety) for row in branch.meanings.all()}


def owned_branches_alive(project: Project) -> QuerySet[OwnedBranch]:
    """Branches that the portal made, or may have made, and that are not known to be gone."""
    ended = [BranchFate.GONE, BranchFate.PROMOTED]
    return OwnedBranch.objects.filter(project=project).exclude(fate__in=ended).order_by("created_at")


def made_by_portal(project: Project, branches: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of these (id, name) pairs the ids of those that the portal made.

    Known by id, or by the name that was written down before a call whose answer may have been lost.
    """
    pairs = list(branches)
    ids = [branch_id for branch_id, _ in pairs]
    names = [name for _, name in pairs]
    rows = (
        OwnedBranch.objects.filter(project=project)
        .exclude(fate=BranchFate.PROMOTED)
        .filter(Q(neon_branch_id__in=ids) | Q(neon_branch_id="", name__in=names))
    )
    known = set(rows.values_list("neon_branch_id", "name"))
    return frozenset(
        branch_id
        for branch_id, name in pairs
        if any(branch_id == made_id or (not made_id and name == made_name) for made_id, made_name in known)
    )


def source_id_at(branch: ProtectedBranch, at: dt.datetime | None) -> str:
    """Neon's id of the branch that keeps the history of that moment: what has the name now, or what it replaced.

    The history of a branch that came from a snapshot begins with it; what was before stays with the former id.
    """
    held = branch.former_ids.filter(until__gt=at).order_by("until").first() if at is not None else None
    return held.neon_branch_id if held else branch.neon_branch_id


def branch_names(project: Project) -> dict[str, str]:
    """Neon's branch ids, former ones too, and the names by which the portal knows them."""
    names: dict[str, str] = dict(
        OwnedBranch.objects.filter(project=project).exclude(neon_branch_id="").values_list("neon_branch_id", "name")
    )
    former = FormerBranchId.objects.filter(branch__project=project).select_related("branch")
    names |= {row.neon_branch_id: row.branch.name for row in former}
    return names | dict(ProtectedBranch.objects.filter(project=project).values_list("neon_branch_id", "name"))
