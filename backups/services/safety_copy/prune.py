"""Which safety copies have had their time. Only rows of SafetyCopy are ever looked at: nobody else's is deleted.

Copies that are branches go with the portal's other branches (services/dispose.py).
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q, QuerySet

from backups.domain.execution import BLOCKING, ExecutionState, Purpose, Step
from backups.domain.safety_copy import CopyKind, CopyState
from backups.models import Execution, SafetyCopy
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.dispose import pause_after
from backups.services.execution.create import create_execution

_MOST_AT_ONCE = 20


def prune_due_copies() -> int:
    """Starts the removal of snapshots whose retention is over, or whose removal two people agreed on."""
    due = [
        copy for copy in _due(database_now())[:_MOST_AT_ONCE] if not governing_requests(copy.branch.project).exists()
    ]
    return sum(_start(copy.pk) for copy in due)


def _due(now: dt.datetime) -> QuerySet[SafetyCopy]:
    agreed = Q(removals__confirmed_at__isnull=False, removals__dropped_at__isnull=True, removals__not_before__lte=now)
    return (
        SafetyCopy.objects.filter(Q(expires_at__lte=now) | agreed, state=CopyState.MADE, kind=CopyKind.SNAPSHOT)
        .select_related("branch__project")
        .order_by("expires_at")
        .distinct()
    )


def _start(copy_id: int) -> bool:
    with transaction.atomic():
        copy = (
            SafetyCopy.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("branch__project")
            .filter(pk=copy_id, state=CopyState.MADE)
            .first()
        )
        if copy is None or _is_under_way(copy) or _rests(copy, database_now()):
            return False
        create_execution(
            purpose=Purpose.PRUNE,
            project=copy.branch.project,
            branch=copy.branch,
            safety_copy=copy,
            step=Step.REMOVE,
        )
        return True


def _is_under_way(copy: SafetyCopy) -> bool:
    return Execution.objects.filter(
        safety_copy=copy, purpose=Purpose.PRUNE, state__in=[state.value for state in BLOCKING]
    ).exists()


def _rests(copy: SafetyCopy, now: dt.datetime) -> bool:
    """True for a while after a removal that did not succeed."""
    earlier = Execution.objects.filter(safety_copy=copy, purpose=Purpose.PRUNE, state=ExecutionState.FINISHED)
    last = earlier.order_by("-finished_at").first()
    return last is not None and last.finished_at is not None and now < last.finished_at + pause_after(earlier.count())
