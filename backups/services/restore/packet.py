"""What becomes of a request when its facts are gathered, can't be gathered, or changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backups.domain.notification import Topic
from backups.domain.packet import BoundFacts, canonical_text
from backups.domain.people import SYSTEM
from backups.domain.restore import RequestState, Verb
from backups.models import DecisionPacket, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.services.notification.tell import tell
from backups.services.restore.revision import prepare_revision
from backups.services.restore.transition import change_state, lock_request
from backups.services.restore.votes import approve_when_agreed


def publish_packet(
    *,
    request_id: int,
    revision: int,
    bound: BoundFacts,
    observed: dict[str, Any],
    consequence: str,
    preparation_milliseconds: int,
) -> DecisionPacket | None:
    """Freezes the facts, starts the clock for votes and tells who can vote. None when the revision is history."""
    request = lock_request(request_id)
    if not _awaits(request, revision):
        return None
    now = database_now()
    packet = DecisionPacket.objects.create(
        request=request,
        revision=revision,
        bound=bound.to_json(),
        bound_text=canonical_text(bound.to_json()),
        digest=bound.digest(),
        observed=observed,
        consequence=consequence,
        votes_needed=bound.votes_needed,
        built_at=now,
        preparation_milliseconds=preparation_milliseconds,
    )
    change_state(
        request,
        verb=Verb.PREPARED,
        actor=SYSTEM,
        now=now,
        details={"duration_ms": preparation_milliseconds, "policy_version": bound.policy_version},
        fields={
            "packet": packet,
            "votes_until": now + dt.timedelta(seconds=policy_in_force().vote_window_seconds),
        },
    )
    if not approve_when_agreed(request, actor=SYSTEM, now=now):
        tell(topic=Topic.VOTES_WANTED, request=request)
    return packet


def return_to_draft(*, request_id: int, revision: int, code: str, sentence: str) -> None:
    """The bound facts could not be read, so there is nothing to vote on: the requester gets the draft back."""
    request = lock_request(request_id)
    if not _awaits(request, revision):
        return
    change_state(
        request,
        verb=Verb.RETURNED,
        actor=SYSTEM,
        now=database_now(),
        sentence=sentence,
        fields={"outcome_code": code, "outcome_sentence": sentence[:400]},
    )
    tell(topic=Topic.RETURNED, request=request)


def void_for_drift(*, request_id: int, changed: list[str]) -> None:
    """A fact that was voted on is no longer so: votes lapse and the facts are gathered again."""
    request = lock_request(request_id)
    if RequestState(request.state) not in {RequestState.PENDING, RequestState.APPROVED}:
        return
    names = ", ".join(name.replace("_", " ") for name in changed)
    prepare_revision(
        request,
        verb=Verb.DRIFT,
        actor=SYSTEM,
        now=database_now(),
        details={"changed_facts": list(changed)},
        sentence=f"Changed since the votes: {names}.",
    )
    tell(topic=Topic.DRIFTED, request=request)


def _awaits(request: RestoreRequest, revision: int) -> bool:
    return request.state == RequestState.PREPARING and request.revision == revision
