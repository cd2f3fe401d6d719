"""What waits for somebody, what runs, and what is over."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Q, QuerySet

from backups.domain.people import Actor, Capability
from backups.domain.restore import TERMINAL, RequestState
from backups.models import RestoreRequest, Vote
from backups.selectors.people import people_with

_S = RequestState
_CLOSED_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests by what the reader has to do with them; newest first, what waits longest first."""

    yours: list[RestoreRequest]
    running: list[RestoreRequest]
    others: list[RestoreRequest]
    closed: list[RestoreRequest]


def queue_for(actor: Actor, *, with_closed: bool = True) -> Queue:
    """Two queries, whatever the number of requests."""
    open_requests = list(_rows().exclude(state__in=_words(TERMINAL)).order_by("votes_until", "pk"))
    seen = [request for request in open_requests if request.state != _S.DRAFT or _is_own(request, actor)]
    yours = [request for request in seen if waits_for(request, actor)]
    rest = [request for request in seen if request not in yours]
    closed = list(_rows().filter(state__in=_words(TERMINAL)).order_by("-pk")[:_CLOSED_SHOWN]) if with_closed else []
    return Queue(
        yours=yours,
        running=[request for request in rest if request.state in {_S.PREPARING, _S.RUNNING}],
        others=[request for request in rest if request.state not in {_S.PREPARING, _S.RUNNING}],
        closed=closed,
    )


def waits_for(request: RestoreRequest, actor: Actor) -> bool:
    """Whether the request waits for something that this person can do; whether he may is asked again by the service."""
    own = _is_own(request, actor)
    voted = actor.user_id in getattr(request, "voters", ())
    if request.state == _S.PENDING:
        return actor.may(Capability.VOTE_ON_RESTORE) and not own and not voted
    if request.state == _S.APPROVED:
        return actor.may(Capability.START_RESTORE) and request.start_asked_at is None
    if request.state == _S.NEEDS_ATTENTION:
        return actor.may(Capability.RESOLVE_RESTORE)
    return request.state == _S.DRAFT and own


def _is_own(request: RestoreRequest, actor: Actor) -> bool:
    return request.requester_id == actor.user_id


def _words(states: frozenset[RequestState]) -> list[str]:
    return [state.value for state in states]


def _rows() -> QuerySet[RestoreRequest]:
    current = Q(votes__packet=F("packet"), votes__taken_back_at__isnull=True)
    return RestoreRequest.objects.select_related("branch__project", "packet", "undo_of").annotate(
        approvals=Count("votes", filter=current & Q(votes__choice=Vote.Choice.APPROVE)),
        voters=ArrayAgg("votes__voter", filter=current, default=[]),
    )


def approver_count() -> int:
    """How many people can vote at present."""
    return people_with(Capability.VOTE_ON_RESTORE).count()
