"""The canary of a branch: people turn it on and off; the worker writes it, one numbered row a minute, and keeps count.

It is the one thing that the portal writes into a branch in its care. The row holds a number and a time.
"""

from __future__ import annotations

from backups.domain.drill_actions import DrillAction
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Canary, ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill_actions import branch_situation
from backups.services.drill.rules import ask_the_rules
from backups.services.ledger import record_event
from backups.services.project import target_of_branch
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

SHORTEST_PACE_SECONDS = 5
LONGEST_PACE_SECONDS = 3600
#: For the page that turns it on.
WHAT_IT_DOES = (
    "The worker makes the table ops_canary.beat in the branch's main database and writes one numbered row into it, "
    "about once a minute. The row holds a number and a time, nothing else; old rows are removed. A drill must find "
    "the last row before its point and none after it."
)


def set_up_canary(*, actor: Actor, branch_id: int, every_seconds: int = 60) -> Canary:
    """Has the worker write the canary into the branch from now on. Raises Refused, InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        actor = with_roles_of_now(actor)
        ask_the_rules(DrillAction.SET_UP_CANARY, branch_situation(actor, branch))
        if not SHORTEST_PACE_SECONDS <= every_seconds <= LONGEST_PACE_SECONDS:
            sentence = f"Choose between {SHORTEST_PACE_SECONDS} and {LONGEST_PACE_SECONDS} seconds."
            raise InvalidInput({"every_seconds": sentence})
        now = database_now()
        known = Canary.objects.select_for_update().filter(branch=branch).first()
        canary = Canary(branch=branch) if known is None else known
        if known is None or not known.is_on:
            canary.started_at = now
        canary.is_on, canary.every_seconds, canary.next_at = True, every_seconds, now
        canary.problem, canary.problem_since = "", None
        canary.changed_by_name = actor.name
        canary.save()
        record_canary(branch, "canary.set_up", actor=actor, details={"every_seconds": every_seconds})
        return canary


def stop_canary(*, actor: Actor, branch_id: int) -> Canary:
    """Ends the writing; the table stays until its branch is gone. Raises Refused."""
    branch = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        actor = with_roles_of_now(actor)
        ask_the_rules(DrillAction.STOP_CANARY, branch_situation(actor, branch))
        canary = Canary.objects.select_for_update().get(branch=branch)
        canary.is_on, canary.next_at = False, None
        canary.problem, canary.problem_since = "", None
        canary.changed_by_name = actor.name
        canary.save()
        record_canary(branch, "canary.stopped", actor=actor)
        return canary


def record_canary(
    branch: ProtectedBranch, type: str, *, actor: Actor, details: dict[str, Detail] | None = None
) -> None:
    """One event about the canary of a branch, in the open transaction."""
    record_event(
        type=type,
        actor=actor,
        target=target_of_branch(branch),
        details={"branch_name": branch.name} | (details or {}),
        sandbox=branch.project.is_sandbox,
    )
