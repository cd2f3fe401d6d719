"""Who has seen a request: shown to the others who wait for a decision."""

from __future__ import annotations

from django.db import transaction

from backups.domain.people import Actor, Capability
from backups.domain.restore import UNDECIDED, RequestState
from backups.models import RequestOpened, RestoreRequest
from backups.services.restore.transition import record_on


def note_opened(*, actor: Actor, request: RestoreRequest) -> bool:
    """Notes the first time that somebody who can vote opens an undecided request; returns whether this was it."""
    if not actor.is_human or not actor.may(Capability.VOTE_ON_RESTORE) or actor.user_id == request.requester_id:
        return False
    if RequestState(request.state) not in UNDECIDED:
        return False
    if RequestOpened.objects.filter(request=request, person_id=actor.user_id).exists():
        return False
    with transaction.atomic():
        _, is_first = RequestOpened.objects.get_or_create(request=request, person_id=actor.user_id)
        if is_first:
            record_on(request, type="request.opened", actor=actor)
    return is_first
