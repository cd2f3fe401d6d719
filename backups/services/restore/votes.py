"""Voting, taking a vote back, asking, commenting and withdrawing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from backups.domain.actions import Action
from backups.domain.notification import Topic
from backups.domain.people import Actor
from backups.domain.policy import reason_required
from backups.domain.restore import RequestState, StartMode, Verb
from backups.ledger.errors import TextRefused
from backups.ledger.text import check_words
from backups.models import Comment, LedgerEvent, RestoreRequest, Vote
from backups.selectors.policy import policy_in_force
from backups.selectors.restore import valid_approvals
from backups.services.notification.tell import tell
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import Granted, account_of, on_request
from backups.services.restore.revision import end_runs
from backups.services.restore.start import order_start
from backups.services.restore.transition import change_state, packet_of, record_on

_ACTION_OF_CHOICE = {
    Vote.Choice.APPROVE: Action.APPROVE,
    Vote.Choice.REJECT: Action.REJECT,
    Vote.Choice.PASS: Action.PASS,
}


def cast_vote(
    *, actor: Actor, request_id: int, digest: str, choice: Vote.Choice, reason: str = "", chips: Sequence[str] = ()
) -> Vote:
    """One person's vote on exactly the facts that `digest` names. Raises Refused, InvalidInput.

    The last approval that the policy asks for approves the request in the same transaction; one rejection ends it.
    """
    return on_request(
        actor=actor,
        request_id=request_id,
        action=_ACTION_OF_CHOICE[choice],
        act=lambda granted: _cast(granted, digest=digest, choice=choice, reason=_with_chips(reason, chips)),
    )


def take_vote_back(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Takes the person's vote back; possible until the worker claims the request. Raises Refused."""
    return on_request(actor=actor, request_id=request_id, action=Action.TAKE_BACK, act=_take_back)


def comment_on_request(*, actor: Actor, request_id: int, text: str, question: bool = False) -> Comment:
    """Adds to the talk; a question tells the requester and the voters at once. Raises Refused, InvalidInput."""
    if not text.strip():
        raise InvalidInput({"text": "Write something first. No patient details, please."})
    try:
        check_words(text, confirmed=actor.may_write)
    except TextRefused as refused:
        raise InvalidInput({"text": str(refused)}) from None
    return on_request(
        actor=actor,
        request_id=request_id,
        action=Action.ASK if question else Action.COMMENT,
        act=lambda granted: _comment(granted, text=text, question=question),
    )


def withdraw_request(*, actor: Actor, request_id: int, reason: str = "") -> RestoreRequest:
    """The requester takes the request back; nothing was changed at Neon. Raises Refused."""
    return on_request(
        actor=actor, request_id=request_id, action=Action.WITHDRAW, act=lambda granted: _withdraw(granted, reason)
    )


def approve_when_agreed(request: RestoreRequest, *, actor: Actor, now: dt.datetime) -> bool:
    """Approves the locked, pending request once enough valid approvals stand; starts it where it starts by itself."""
    approvals = valid_approvals(request)
    needed = packet_of(request).votes_needed
    if len(approvals) < needed:
        return False
    change_state(
        request,
        verb=Verb.QUORUM,
        actor=actor,
        now=now,
        sentence=f"{len(approvals)} of {needed} approvals.",
        details={
            "voters": [f"user:{vote.voter_id}" for vote in approvals],
            "step": len(approvals),
            "of": needed,
        },
        fields={
            "approved_at": now,
            "start_until": now + dt.timedelta(seconds=policy_in_force().start_window_seconds),
        },
    )
    tell(topic=Topic.APPROVED, request=request)
    if request.start_mode == StartMode.AT_ONCE and not order_start(request, actor=actor, now=now):
        tell(topic=Topic.START_WANTED, request=request)
    return True


def _with_chips(reason: str, chips: Sequence[str]) -> str:
    return "; ".join([*chips, reason.strip()] if reason.strip() else chips)


def _cast(granted: Granted, *, digest: str, choice: Vote.Choice, reason: str) -> Vote:
    request = granted.request
    _same_facts(request, digest)
    if reason_required(request.branch.environment) and not reason:
        raise InvalidInput({"reason": "Say why, or tap what you checked. This goes into the audit log."})
    event = _record_vote(granted, choice, reason)
    vote = Vote.objects.create(
        request=request,
        packet=packet_of(request),
        digest=digest,
        choice=choice,
        voter_id=account_of(granted.actor),
        voter_name=granted.actor.name,
        requester_id=request.requester_id,
        reason=event.free_text if reason else None,
        cast_at=granted.now,
    )
    _follow(granted, choice)
    return vote


def _same_facts(request: RestoreRequest, digest: str) -> None:
    if request.packet is None or request.packet.digest != digest:
        raise Refused(
            action=None,
            code="facts_changed",
            sentence="The facts changed while you were reading. Nothing was recorded; look at them again.",
        )


def _record_vote(granted: Granted, choice: Vote.Choice, reason: str) -> LedgerEvent:
    packet = packet_of(granted.request)
    return record_on(
        granted.request,
        type="request.voted",
        actor=granted.actor,
        details={"digest": packet.digest, "vote": choice.value, "packet_number": packet.revision},
        text=reason,
    )


def _follow(granted: Granted, choice: Vote.Choice) -> None:
    if choice == Vote.Choice.REJECT:
        _reject(granted)
    elif choice == Vote.Choice.APPROVE:
        approve_when_agreed(granted.request, actor=granted.actor, now=granted.now)


def _reject(granted: Granted) -> None:
    end_runs(granted.request, outcome_code="rejected", now=granted.now)
    change_state(
        granted.request,
        verb=Verb.REJECT,
        actor=granted.actor,
        now=granted.now,
        fields={
            "closed_at": granted.now,
            "outcome_code": "rejected",
            "outcome_sentence": f"Rejected by {granted.actor.name}. Nothing was changed.",
        },
    )
    tell(topic=Topic.REJECTED, request=granted.request)


def _take_back(granted: Granted) -> RestoreRequest:
    request = granted.request
    vote = Vote.objects.select_for_update().get(
        packet=request.packet, voter_id=granted.actor.user_id, taken_back_at__isnull=True
    )
    vote.taken_back_at = granted.now
    vote.save(update_fields=["taken_back_at"])
    record_on(
        request,
        type="request.vote_taken_back",
        actor=granted.actor,
        details={"digest": vote.digest, "vote": vote.choice},
    )
    if request.state == RequestState.APPROVED and _falls_short(request):
        _back_to_pending(granted)
    return request


def _falls_short(request: RestoreRequest) -> bool:
    return len(valid_approvals(request)) < packet_of(request).votes_needed


def _back_to_pending(granted: Granted) -> None:
    end_runs(granted.request, outcome_code="vote_taken_back", now=granted.now)
    change_state(
        granted.request,
        verb=Verb.TAKE_BACK,
        actor=granted.actor,
        now=granted.now,
        sentence=f"{granted.actor.name} took the approval back.",
        fields={"start_until": None, "start_asked_at": None, "start_asked_by": None, "start_asked_by_name": ""},
    )
    tell(topic=Topic.VOTES_WANTED, request=granted.request)


def _comment(granted: Granted, *, text: str, question: bool) -> Comment:
    event = record_on(
        granted.request,
        type="request.asked" if question else "request.commented",
        actor=granted.actor,
        details={"question": question},
        text=text.strip(),
    )
    comment = Comment.objects.create(
        request=granted.request,
        author_id=account_of(granted.actor),
        author_name=granted.actor.name,
        is_question=question,
        text=event.free_text,
        at=granted.now,
    )
    tell(topic=Topic.QUESTION if question else Topic.COMMENT, request=granted.request)
    return comment


def _withdraw(granted: Granted, reason: str) -> RestoreRequest:
    was_submitted = granted.request.submitted_at is not None
    end_runs(granted.request, outcome_code="withdrawn", now=granted.now)
    change_state(
        granted.request,
        verb=Verb.WITHDRAW,
        actor=granted.actor,
        now=granted.now,
        text=reason,
        fields={
            "closed_at": granted.now,
            "outcome_code": "withdrawn",
            "outcome_sentence": f"Withdrawn by {granted.actor.name}. Nothing was changed.",
        },
    )
    if was_submitted:
        tell(topic=Topic.WITHDRAWN, request=granted.request)
    return granted.request
