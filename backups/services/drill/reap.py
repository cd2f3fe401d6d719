"""Drills whose run can't end them any more, and copies at Neon that no drill accounts for."""

from __future__ import annotations

import logging
import re

from django.db import transaction

from backups.domain.drill import DrillOutcome
from backups.domain.drill_verdict import Verdict
from backups.domain.execution import BranchFate, BranchPurpose, ExecutionState, Purpose
from backups.domain.ledger import Target
from backups.domain.people import SYSTEM
from backups.models import Drill, DrillPlan, Execution, LedgerEvent, OwnedBranch, Project
from backups.neon.errors import NeonError
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.selectors.drill_actions import UNDER_WAY
from backups.selectors.restore import governing_requests
from backups.services.drill.outcome import end_drill
from backups.services.execution.giving_way import hold_back_for
from backups.services.execution.own_copies import is_of_order
from backups.services.execution.queue import put_other_task
from backups.services.ledger import record_event
from backups.services.neon_access import client_for
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable

logger = logging.getLogger("backups.drill")

_OURS = re.compile(r"drill_D-\d{4,}")
_LOST = Verdict(
    DrillOutcome.INCONCLUSIVE,
    "run_lost",
    "The portal could not carry it on. Its copy, if there is one, is removed by the clean-up.",
)


def close_lost_drills() -> int:
    """A duty: ends drills whose run has halted or is over without ending them; returns how many."""
    over = Execution.objects.filter(purpose=Purpose.DRILL, drill__state__in=UNDER_WAY).exclude(
        state=ExecutionState.ACTIVE
    )
    return sum(_close(run_id) for run_id in over.values_list("pk", flat=True)[:100])


def ask_for_reconciliation() -> int:
    """A duty: has the worker compare Neon's list with ours, for each project that drills were held in."""
    projects = Project.objects.filter(pk__in=DrillPlan.objects.values("branch__project"))
    asked = 0
    for project in projects:
        if not governing_requests(project).exists():
            with transaction.atomic():
                put_other_task("reconcile_drill_copies", project.pk)
            asked += 1
    return asked


def reconcile_drill_copies(*, project_id: int) -> int:
    """Branches at Neon that carry a drill's name and that no row accounts for; returns how many were found.

    One that is provably of an order of ours comes back under our care and is removed; any other is left alone and
    told. Nothing is found while Neon can't be asked, or may not be because of a production request; the next look will.
    """
    project = Project.objects.get(pk=project_id)
    try:
        with client_for(project, correlation="reconcile-drills", hold_back=hold_back_for(project)) as client:
            branches = client.branches.list(project.neon_project_id)
    except (NeonError, SecretUnreadable, SecretsKeyUnusable) as error:
        logger.warning("copies of drills were not compared: %s", type(error).__name__)
        return 0
    return sum(_account_for(project, each) for each in branches if _OURS.fullmatch(each.name))


def _account_for(project: Project, branch: Branch) -> bool:
    """Whether the branch was an orphan."""
    rows = OwnedBranch.objects.filter(project=project, name=branch.name, purpose=BranchPurpose.DRILL)
    if rows.exclude(fate=BranchFate.GONE).exists():
        return False
    ours = next((row for row in rows if row.neon_branch_id in {"", branch.id} and _is_of(row, branch)), None)
    with transaction.atomic():
        if ours is not None:
            OwnedBranch.objects.filter(pk=ours.pk).update(
                fate=BranchFate.PRESENT, neon_branch_id=branch.id, gone_at=None
            )
        _tell_once(project, branch, "removed" if ours is not None else "left_alone")
    return True


def _is_of(row: OwnedBranch, branch: Branch) -> bool:
    return is_of_order(branch, row.expires_at)


def _tell_once(project: Project, branch: Branch, decision: str) -> None:
    """An orphan that stays is one event, not one for each look."""
    known = LedgerEvent.objects.filter(type="drill.orphan_found", target_id=branch.id)
    if decision == "left_alone" and known.exists():
        return
    record_event(
        type="drill.orphan_found",
        actor=SYSTEM,
        target=Target(kind="branch", id=branch.id, project=project.neon_project_id, branch=branch.id),
        details={"branch": branch.id, "branch_name": branch.name, "decision": decision},
        sandbox=project.is_sandbox,
    )


def _close(run_id: int) -> bool:
    with transaction.atomic():
        run = Execution.objects.select_for_update().get(pk=run_id)
        if run.state == ExecutionState.ACTIVE or run.drill_id is None:
            return False
        if run.state != ExecutionState.FINISHED:
            run.state, run.finished_at = ExecutionState.FINISHED, database_now()
            run.outcome_code = "run_lost"
            run.save(update_fields=["state", "finished_at", "outcome_code"])
        end_drill(drill_id=run.drill_id, verdict=_LOST, at=database_now())
        return Drill.objects.filter(pk=run.drill_id).exclude(state__in=UNDER_WAY).exists()
