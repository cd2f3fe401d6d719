"""What a person may do with a restore request now, and the sentence that refuses the rest.

Pages render what is allowed; services refuse with the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.people import Actor, Capability
from backups.domain.restore import OPEN, UNDECIDED, RequestState, RestoreKind, StartMode

_S = RequestState


class Action(StrEnum):
    """Something that a person can do with a request."""

    SUBMIT = "submit"
    EDIT = "edit"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - a vote, not a password
    TAKE_BACK = "take_back"
    ASK = "ask"
    COMMENT = "comment"
    START = "start"
    STOP = "stop"
    GO_ON_UNSEALED = "go_on_unsealed"
    LOOK_AGAIN = "look_again"
    VERIFY_AGAIN = "verify_again"
    ACCEPT = "accept"
    DISPROVE = "disprove"
    CONFIRM = "confirm"
    DROP_PROPOSAL = "drop_proposal"
    UNDO = "undo"
    FILE_AGAIN = "file_again"


VOTES = frozenset({Action.APPROVE, Action.REJECT, Action.PASS})


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the rules look at: the request and the person, read in one instant."""

    actor: Actor
    state: RequestState
    kind: RestoreKind
    start_mode: StartMode
    is_requester: bool
    has_active_vote: bool = False
    eligible_since_before_submission: bool = False
    votes_open: bool = False
    start_open: bool = False
    start_asked: bool = False
    run_is_halted: bool = False
    effect_is_known: bool = False
    call_may_be_under_way: bool = False
    resolution_open: bool = False
    proposed_resolution: bool = False
    has_preserved_branch: bool = False
    branch_is_from_snapshot: bool = False
    undo_is_open: bool = False
    waits_for_seal: bool = False
    """The run has waited for the seal for as long as it should, and a person is asked."""


Rule = Callable[[Situation], str | None]


def refusal(action: Action, situation: Situation) -> str | None:
    """None when the action is allowed, else the sentence that says why not."""
    return _RULES[action](situation)


def _needs(situation: Situation, capability: Capability, words: str) -> str | None:
    if situation.actor.may(capability):
        return None
    return f"Your role does not let you {words}."


def _state_is(situation: Situation, states: frozenset[RequestState], words: str) -> str | None:
    if situation.state in states:
        return None
    return f"{words} This request is {_WORDS[situation.state]}."


def _first(*answers: str | None) -> str | None:
    return next((answer for answer in answers if answer is not None), None)


def _unless(condition: bool, sentence: str) -> str | None:
    return None if condition else sentence


def _submit(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.FILE_RESTORE, "file a restore"),
        _state_is(s, frozenset({_S.DRAFT}), "Only a draft can be submitted."),
        _unless(s.is_requester, "Only the person who wrote the draft can submit it."),
    )


def _edit(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.FILE_RESTORE, "change a restore request"),
        _state_is(s, frozenset({_S.DRAFT, _S.PENDING, _S.APPROVED}), "It can't be changed any more."),
        _unless(s.is_requester, "Only the requester can change it."),
    )


def _withdraw(s: Situation) -> str | None:
    return _first(
        _state_is(s, UNDECIDED | {_S.DRAFT}, "It can't be withdrawn any more."),
        _unless(s.is_requester, "Only the requester can withdraw it; a manager can reject it."),
    )


def _may_vote(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.VOTE_ON_RESTORE, "vote on a restore"),
        _unless(s.actor.is_human, "A service account never votes."),
        _unless(not s.is_requester, "You asked for this restore, so somebody else must decide."),
        _unless(
            s.eligible_since_before_submission,
            "You were given this role after the request was submitted, so you can't vote on it.",
        ),
    )


def _vote(s: Situation) -> str | None:
    return _first(
        _may_vote(s),
        _state_is(s, frozenset({_S.PENDING}), "It is not waiting for votes."),
        _unless(not s.has_active_vote, "You have voted. Take your vote back first to vote differently."),
        _unless(s.votes_open, "The time for votes is over. Nothing was changed."),
    )


def _reject(s: Situation) -> str | None:
    if s.state is not _S.APPROVED:
        return _vote(s)
    return _first(
        _may_vote(s),
        _unless(not s.has_active_vote, "You have voted. Take your vote back first to vote differently."),
    )


def _take_back(s: Situation) -> str | None:
    return _first(
        _unless(s.has_active_vote, "You have no vote to take back."),
        _state_is(s, frozenset({_S.PENDING, _S.APPROVED}), "Votes can't be taken back any more."),
    )


def _ask(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.COMMENT, "ask questions here"),
        _state_is(s, OPEN - {_S.DRAFT}, "There is nobody left to answer."),
    )


def _comment(s: Situation) -> str | None:
    return _needs(s, Capability.COMMENT, "write here")


def _start(s: Situation) -> str | None:
    return _first(
        _unless(
            s.is_requester or s.actor.may(Capability.START_RESTORE), "Only the requester or an engineer can start it."
        ),
        _state_is(s, frozenset({_S.APPROVED}), "Only an approved request can be started."),
        _unless(s.start_mode is StartMode.BY_HAND or not s.start_asked, "It starts by itself."),
        _unless(not s.start_asked, "It has been started already."),
        _unless(s.start_open, "The time to start it is over. Nothing was changed; file it again."),
    )


def _stop(s: Situation) -> str | None:
    return _first(
        _unless(
            s.is_requester or s.actor.may(Capability.START_RESTORE) or s.actor.may(Capability.VOTE_ON_RESTORE),
            "Only the requester, an engineer or a manager can stop it.",
        ),
        _state_is(s, frozenset({_S.RUNNING}), "There is nothing to stop."),
        _unless(not s.call_may_be_under_way, "This can't be stopped: Neon has, or may have, accepted the order."),
    )


def _go_on_unsealed(s: Situation) -> str | None:
    return _first(
        _may_vote(s),
        _state_is(s, frozenset({_S.APPROVED}), "Only an approved request waits for the seal of its approvals."),
        _unless(s.waits_for_seal, "Nobody has to decide about the seal."),
        _unless(s.start_open, "The time to start it is over. Nothing was changed; file it again."),
    )


def _attend(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.RESOLVE_RESTORE, "decide on this"),
        _unless(s.actor.is_human, "A person has to decide this."),
        _state_is(s, frozenset({_S.NEEDS_ATTENTION}), "It does not need a person."),
    )


def _look_again(s: Situation) -> str | None:
    return _first(
        _attend(s),
        _unless(s.run_is_halted, "The portal is looking already."),
        _unless(not s.effect_is_known, "It is known that Neon carried it out. Verify again instead."),
    )


def _verify_again(s: Situation) -> str | None:
    return _first(
        _attend(s),
        _unless(s.run_is_halted, "The portal is verifying already."),
        _unless(s.effect_is_known, "It is not known yet whether Neon carried it out. Look again first."),
    )


def _propose(s: Situation) -> str | None:
    return _first(
        _attend(s),
        _unless(s.run_is_halted, "The portal is still looking. Wait for the result."),
        _unless(not s.resolution_open, "A proposal is waiting for a second person."),
    )


def _disprove(s: Situation) -> str | None:
    return _first(
        _propose(s), _unless(not s.effect_is_known, "Neon carried it out, so it can't be closed as not having run.")
    )


def _confirm(s: Situation) -> str | None:
    return _first(
        _attend(s),
        _unless(s.resolution_open, "There is no proposal to confirm."),
        _unless(not s.proposed_resolution, "You proposed this, so somebody else must confirm it."),
        _unless(s.run_is_halted, "The portal is still looking. Wait for the result."),
    )


def _drop_proposal(s: Situation) -> str | None:
    return _first(_attend(s), _unless(s.resolution_open, "There is no proposal to drop."))


#: Neon restores no branch in place that came from a snapshot, so an undo as of other restores can't be promised.
NO_UNDO_OF_SNAPSHOT = (
    "There is no undo of a restore from a snapshot: Neon does not restore such a branch in place. "
    "The state before is kept. Take a snapshot of it and file a restore from that, or copy rows back from it."
)
NO_UNDO_ON_SNAPSHOT = (
    "The branch has been replaced from a snapshot since, and Neon does not restore such a branch in place. "
    "The state before is still kept: copy rows back from it, or take a snapshot of it and file a restore from that."
)


def _undo(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.FILE_RESTORE, "request an undo"),
        _state_is(s, frozenset({_S.COMPLETED, _S.NEEDS_ATTENTION}), "There is nothing to undo."),
        _unless(s.kind.overwrites, "This restore made a copy beside the branch; nothing was overwritten."),
        _unless(s.kind is not RestoreKind.SNAPSHOT, NO_UNDO_OF_SNAPSHOT),
        _unless(not s.branch_is_from_snapshot, NO_UNDO_ON_SNAPSHOT),
        _unless(s.has_preserved_branch, "The state before is not known to be kept, so it can't be brought back."),
        _unless(not s.undo_is_open, "An undo of this restore is open already."),
    )


def _file_again(s: Situation) -> str | None:
    return _first(
        _needs(s, Capability.FILE_RESTORE, "file a restore"),
        _state_is(
            s, frozenset({_S.EXPIRED, _S.WITHDRAWN, _S.REJECTED, _S.FAILED}), "It is not closed without an effect."
        ),
        _unless(s.kind is not RestoreKind.UNDO, "Ask for the undo from the restore's own page."),
    )


_RULES: dict[Action, Rule] = {
    Action.SUBMIT: _submit,
    Action.EDIT: _edit,
    Action.WITHDRAW: _withdraw,
    Action.APPROVE: _vote,
    Action.REJECT: _reject,
    Action.PASS: _vote,
    Action.TAKE_BACK: _take_back,
    Action.ASK: _ask,
    Action.COMMENT: _comment,
    Action.START: _start,
    Action.STOP: _stop,
    Action.GO_ON_UNSEALED: _go_on_unsealed,
    Action.LOOK_AGAIN: _look_again,
    Action.VERIFY_AGAIN: _verify_again,
    Action.ACCEPT: _propose,
    Action.DISPROVE: _disprove,
    Action.CONFIRM: _confirm,
    Action.DROP_PROPOSAL: _drop_proposal,
    Action.UNDO: _undo,
    Action.FILE_AGAIN: _file_again,
}

_WORDS: dict[RequestState, str] = {
    _S.DRAFT: "still a draft",
    _S.PREPARING: "being prepared",
    _S.PENDING: "waiting for votes",
    _S.APPROVED: "approved and not started",
    _S.RUNNING: "running",
    _S.COMPLETED: "completed",
    _S.FAILED: "closed: it had no effect",
    _S.NEEDS_ATTENTION: "waiting for a person",
    _S.REJECTED: "rejected",
    _S.WITHDRAWN: "withdrawn",
    _S.EXPIRED: "expired: nothing was changed",
}
