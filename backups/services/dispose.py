"""Which branches that the portal made are no longer needed. Only rows of OwnedBranch are ever looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from backups.domain.drill import DrillState
from backups.domain.execution import BLOCKING, BranchFate, BranchPurpose, ExecutionState, Purpose, Step
from backups.domain.restore import UNDECIDED, RequestState
from backups.models import Execution, LookState, OwnedBranch, RemovalRequest
from backups.selectors.afterwards import undo_that_needs
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.execution.create import create_execution

#: A removal that ended without success is tried again after this, doubled each time, up to a day.
RETRY_AFTER = dt.timedelta(minutes=5)
_LONGEST_RETRY = dt.timedelta(days=1)
_MOST_AT_ONCE = 20
#: A draft that came back asks for a new copy when it is submitted again.
_NEED_THEIR_COPY = UNDECIDED | {RequestState.RUNNING, RequestState.NEEDS_ATTENTION}


def dispose_due_branches() -> int:
    """Starts the removal of what is no longer needed; returns how many. Harmless to run at any time.

    Previews go after the end of their request or when a newer revision has its own; looks when they are closed;
    safety copies when their retention is over; copies that a drill could not remove itself, when it has ended.
    A handed-over copy is never removed, only noted as gone after its expiry. Preserved branches, and safety copies
    before their time, go when two people agreed on it.
    """
    return sum(_start_removal(pk) for pk in list(_due_ids())[:_MOST_AT_ONCE])


def _due_ids() -> Iterator[int]:
    now = database_now()
    for owned in _candidates(now):
        if _is_needed(owned, now) or _is_being_removed(owned) or _rests(owned, now):
            continue
        if not governing_requests(owned.project).exists():
            yield owned.pk


def _candidates(now: dt.datetime) -> QuerySet[OwnedBranch]:
    over = Q(expires_at__lte=now)
    ours = Q(fate__in=[BranchFate.INTENDED, BranchFate.PRESENT])
    preview = ours & Q(purpose=BranchPurpose.PREVIEW)
    look = ours & Q(purpose=BranchPurpose.LOOK) & (Q(look__state__in=[LookState.CLOSED, LookState.FAILED]) | over)
    drill = ours & Q(purpose=BranchPurpose.DRILL) & Q(drill__state__in=[DrillState.ENDED, DrillState.CANCELLED])
    handed_over = Q(fate=BranchFate.HANDED_OVER) & over
    preserved = ours & Q(purpose=BranchPurpose.PRESERVED, pk__in=_agreed(now, "owned_branch"))
    safety = ours & Q(purpose=BranchPurpose.SAFETY) & (over | Q(safety_copy__in=_agreed(now, "safety_copy")))
    return (
        OwnedBranch.objects.filter(preview | look | drill | handed_over | preserved | safety)
        .select_related("project", "request__branch", "look")
        .order_by("pk")
    )


def _agreed(now: dt.datetime, what: str) -> QuerySet[RemovalRequest, Any]:
    """The keys of what two people agreed to remove, as of now."""
    agreed = RemovalRequest.objects.filter(confirmed_at__isnull=False, dropped_at__isnull=True, not_before__lte=now)
    keys: QuerySet[RemovalRequest, Any] = agreed.filter(**{f"{what}__isnull": False}).values(what)
    return keys


def _is_needed(owned: OwnedBranch, now: dt.datetime) -> bool:
    """A preview serves the present revision of a request that has not ended, until Neon removes it itself.

    A preserved branch serves an undo that is not closed; and Neon deletes no branch that has children, as which the
    copies that were made of the restored branch hang on it now, so those go first.
    """
    if owned.purpose == BranchPurpose.PRESERVED:
        return undo_that_needs(owned) is not None or _has_copies(owned)
    request = owned.request
    if owned.purpose != BranchPurpose.PREVIEW or request is None or _passed(owned.expires_at, now):
        return False
    if Execution.objects.filter(
        request=request, purpose=Purpose.RESTORE, state__in=[state.value for state in BLOCKING]
    ).exists():
        return True
    return RequestState(request.state) in _NEED_THEIR_COPY and bool(owned.name == request.preview_name)


def _has_copies(owned: OwnedBranch) -> bool:
    alive = [BranchFate.INTENDED, BranchFate.PRESENT]
    return OwnedBranch.objects.filter(request=owned.request, purpose=BranchPurpose.PREVIEW, fate__in=alive).exists()


def _passed(expires_at: dt.datetime | None, now: dt.datetime) -> bool:
    return expires_at is not None and expires_at <= now


def _is_being_removed(owned: OwnedBranch) -> bool:
    return Execution.objects.filter(
        owned_branch=owned, purpose=Purpose.DISPOSE, state__in=[state.value for state in BLOCKING]
    ).exists()


def _rests(owned: OwnedBranch, now: dt.datetime) -> bool:
    """True for a while after a removal that did not succeed."""
    earlier = Execution.objects.filter(owned_branch=owned, purpose=Purpose.DISPOSE, state=ExecutionState.FINISHED)
    last = earlier.order_by("-finished_at").first()
    if last is None or last.finished_at is None:
        return False
    return now < last.finished_at + pause_after(earlier.count())


def pause_after(failures: int) -> dt.timedelta:
    """How long after so many removals that did not succeed the next one is tried."""
    return min(RETRY_AFTER * (1 << min(failures - 1, 10)), _LONGEST_RETRY)


def _start_removal(owned_id: int) -> bool:
    with transaction.atomic():
        owned = (
            OwnedBranch.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("project")
            .filter(pk=owned_id)
            .first()
        )
        if owned is None or owned.fate == BranchFate.GONE or _is_being_removed(owned):
            return False
        create_execution(purpose=Purpose.DISPOSE, project=owned.project, owned_branch=owned, step=Step.REMOVE)
        return True
