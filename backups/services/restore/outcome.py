"""How a running request ends, and the two moments in between that recovery times are made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from backups.domain.notification import Topic
from backups.domain.people import SYSTEM
from backups.domain.restore import RequestState, Verb
from backups.ledger.fields import Detail
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore import valid_approvals
from backups.services.afterwards.opening import open_checklist
from backups.services.notification.tell import tell
from backups.services.restore.transition import change_state, lock_request, packet_of


def complete(*, request_id: int, sentence: str, details: Mapping[str, Detail] | None = None) -> None:
    """Restored, and every required check passed."""
    _close(request_id, Verb.COMPLETE, Topic.COMPLETED, "completed", sentence, details)


def fail_without_effect(*, request_id: int, code: str, sentence: str) -> None:
    """Proven to have had no effect. A request that never ran stays as it is, except that its start is taken back."""
    request = lock_request(request_id)
    if request.state == RequestState.APPROVED:
        _take_start_back(request, code, sentence)
        return
    _close(request_id, Verb.NO_EFFECT, Topic.FAILED, code, sentence, None)


def needs_attention(*, request_id: int, code: str, sentence: str) -> None:
    """The effect is unknown, or a required check did not pass: a person decides."""
    request = lock_request(request_id)
    if request.state == RequestState.NEEDS_ATTENTION:
        request.outcome_code, request.outcome_sentence = code, sentence[:400]
        request.save(update_fields=["outcome_code", "outcome_sentence"])
        tell(topic=Topic.NEEDS_ATTENTION, request=request)
        return
    _move(request, Verb.HALT, Topic.NEEDS_ATTENTION, code, sentence, None)


def note_submitted(*, request_id: int, at: dt.datetime) -> None:
    """Neon took the order at `at`."""
    RestoreRequest.objects.filter(pk=request_id, submitted_to_neon_at__isnull=True).update(submitted_to_neon_at=at)


def note_connectable(*, request_id: int, at: dt.datetime) -> None:
    """The restored branch took its first connection at `at`."""
    RestoreRequest.objects.filter(pk=request_id, connectable_at__isnull=True).update(connectable_at=at)


def _take_start_back(request: RestoreRequest, code: str, sentence: str) -> None:
    """The request stays approved until its clock runs out; where votes are missing it waits for votes again."""
    request.start_asked_at = request.start_asked_by = None
    request.start_asked_by_name = ""
    request.outcome_code, request.outcome_sentence = code, sentence[:400]
    request.save()
    if len(valid_approvals(request)) < packet_of(request).votes_needed:
        change_state(
            request,
            verb=Verb.TAKE_BACK,
            actor=SYSTEM,
            now=database_now(),
            sentence=sentence,
            fields={"start_until": None},
        )
        tell(topic=Topic.VOTES_WANTED, request=request)
    tell(topic=Topic.FAILED, request=request)


def _close(
    request_id: int, verb: Verb, topic: Topic, code: str, sentence: str, details: Mapping[str, Detail] | None
) -> None:
    _move(lock_request(request_id), verb, topic, code, sentence, details)


def _move(
    request: RestoreRequest,
    verb: Verb,
    topic: Topic,
    code: str,
    sentence: str,
    details: Mapping[str, Detail] | None,
) -> None:
    now = database_now()
    closes = verb is not Verb.HALT
    change_state(
        request,
        verb=verb,
        actor=SYSTEM,
        now=now,
        sentence=sentence,
        details=details,
        fields={
            "outcome_code": code,
            "outcome_sentence": sentence[:400],
            "closed_at": now if closes else None,
        },
    )
    if verb is Verb.COMPLETE:
        open_checklist(request, actor=SYSTEM, now=now)
    tell(topic=topic, request=request)
