"""Votes on a branch that has another id at Neon since: what was agreed is not what would be restored."""

from __future__ import annotations

from django.db import transaction

from backups.domain.restore import RequestState
from backups.models import RestoreRequest
from backups.services.restore.packet import void_for_drift
from backups.services.restore.transition import lock_request, packet_of

_VOTED_ON = [RequestState.PENDING, RequestState.APPROVED]


def void_votes_on_former_ids() -> int:
    """Has the facts gathered again where the branch was re-keyed; returns how often. Harmless at any time.

    The worker would find it out before its call; whoever votes until then should not vote for nothing.
    """
    perhaps = RestoreRequest.objects.filter(
        state__in=_VOTED_ON, packet__isnull=False, branch__former_ids__isnull=False
    ).distinct()
    return sum(_void(pk) for pk in perhaps.values_list("pk", flat=True))


def _void(request_id: int) -> bool:
    with transaction.atomic():
        request = lock_request(request_id)
        if request.state not in _VOTED_ON or packet_of(request).bound["branch_id"] == request.branch.neon_branch_id:
            return False
        void_for_drift(request_id=request_id, changed=["branch_id"])
        return True
