"""What became of an order that puts a snapshot's content in the place of a branch: ids and names must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from backups.models import Intent
from backups.neon.types import Branch, Operation
from backups.selectors.project import made_by_portal
from backups.services.execution.context import StepContext
from backups.services.execution.intents import Absent, Busy, Found, LookUp, Unclear
from backups.services.execution.lookups import fresh, may_still_act, recent_operations


def facts_before_exchange(branch: Branch, branches: Iterable[Branch], snapshot_id: str) -> dict[str, Any]:
    """What the order remembers of the moment before: whose place is taken, and which branches were there already."""
    return {
        "branch_id": branch.id,
        "branch_name": branch.name,
        "snapshot": snapshot_id,
        "known_branches": sorted(each.id for each in branches),
    }


def look_up_exchange(context: StepContext, copy_id: str = "") -> Callable[[Intent], LookUp]:
    """The look-up of either order. `copy_id`: the copy that was to take the place; empty for a one-step restore."""

    def look_up(intent: Intent) -> LookUp:
        branches = context.client.branches.list(context.project_id)
        operations = recent_operations(context, since=intent.created_at)
        ours = made_by_portal(context.execution.project, ((branch.id, branch.name) for branch in branches))
        return judge_exchange(intent.facts, branches=branches, operations=operations, ours=ours, copy_id=copy_id)

    return look_up


def judge_exchange(
    facts: Mapping[str, Any],
    *,
    branches: Sequence[Branch],
    operations: Iterable[Operation],
    ours: Collection[str] = (),
    copy_id: str = "",
) -> LookUp:
    """Found only if the name now belongs to the branch that this very order was about; else nothing is guessed."""
    news = fresh(facts, operations)
    holder = holder_of(facts, branches)
    if holder is not None and holder.id != facts["branch_id"]:
        if not is_of_order(facts, holder, copy_id):
            return Unclear(f"The name {holder.name} belongs to a branch that this order did not make.")
        ids = {holder.id, facts["branch_id"]}
        return Found(tuple(each.id for each in news if each.branch_id in ids), {"branch_id": holder.id})
    if may_still_act(news):
        return Busy("Neon is still working on something in this project.")
    if holder is None:
        return Unclear(f"No branch at Neon has the name {facts['branch_name']} any more.")
    if copy_id:
        return _copy_waits(branches, copy_id)
    made = [branch for branch in branches if branch.restored_from == facts["snapshot"] and branch.id not in ours]
    if any(branch.id not in facts["known_branches"] for branch in made):
        return Unclear("A new branch came of the snapshot, but it did not take the place of the branch.")
    return Absent()


def holder_of(facts: Mapping[str, Any], branches: Iterable[Branch]) -> Branch | None:
    """The branch that has the governed branch's name now."""
    return next((branch for branch in branches if branch.name == facts["branch_name"]), None)


def is_of_order(facts: Mapping[str, Any], branch: Branch, copy_id: str = "") -> bool:
    """Whether the branch is the copy that was to take the place, or new since the order and from its snapshot."""
    if copy_id:
        return branch.id == copy_id
    return branch.restored_from == facts["snapshot"] and branch.id not in facts["known_branches"]


def _copy_waits(branches: Iterable[Branch], copy_id: str) -> LookUp:
    copy = next((branch for branch in branches if branch.id == copy_id), None)
    if copy is None:
        return Unclear("The copy that was to take the place is not at Neon any more.")
    if copy.restore_status == "finalized":
        return Unclear(f"Neon calls {copy.name} finalised, but it does not have the branch's name.")
    return Absent()
