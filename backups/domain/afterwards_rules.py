"""Who may settle, review, remove and sign after a restore. None: allowed; else the sentence that says why not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.afterwards import SETTLED_ELSEWHERE, PointCode, PointState
from backups.domain.people import Actor, Capability


def settle_refusal(actor: Actor, *, code: PointCode, state: PointState, wanted: PointState) -> str | None:
    """Whether this person may put a point into the wanted state by hand."""
    if not (actor.is_human and actor.may(Capability.WORK_AFTERWARDS)):
        return "Your role does not let you work on what is left after a restore."
    if code in SETTLED_ELSEWHERE:
        return "The review is settled by its signature, not by hand."
    if state is wanted:
        return "It stands so already. Nothing was changed."
    return None


@dataclass(frozen=True, slots=True)
class ReviewSituation:
    """What decides whether a person may sign a review."""

    actor: Actor
    asked_by: int | None
    ran_by: int | None
    is_signed: bool
    is_complete: bool


def review_refusal(situation: ReviewSituation) -> str | None:
    """A manager signs who neither asked for the restore nor ran it, once every section says something."""
    if situation.is_signed:
        return "This review is signed already."
    if not (situation.actor.is_human and situation.actor.may(Capability.SIGN_REVIEW)):
        return "Only a manager can sign a review."
    if situation.actor.user_id == situation.asked_by:
        return "You asked for this restore, so another manager must sign its review."
    if situation.actor.user_id == situation.ran_by:
        return "You ran this restore, so another manager must sign its review."
    if not situation.is_complete:
        return "Some sections say nothing yet. Write them first."
    return None


@dataclass(frozen=True, slots=True)
class RecordSituation:
    """What decides whether a person may sign the record of a restore that was done by hand."""

    actor: Actor
    filed_by: int
    done_by: int | None
    is_signed: bool
    is_dropped: bool


def record_refusal(situation: RecordSituation) -> str | None:
    """Two people sign: who files it, and a manager who neither filed it nor did the restore."""
    if situation.is_signed or situation.is_dropped:
        return "This record is closed already."
    if not (situation.actor.is_human and situation.actor.may(Capability.SIGN_RETROSPECTIVE)):
        return "Only a manager can sign the record of a restore outside the portal."
    if situation.actor.user_id == situation.filed_by:
        return "You filed this record, so a second person must sign it."
    if situation.actor.user_id == situation.done_by:
        return "You made this restore, so a manager who did not must sign its record."
    return None


@dataclass(frozen=True, slots=True)
class RemovalSituation:
    """What decides whether a person may confirm that something kept is deleted."""

    actor: Actor
    asked_by: int
    is_answered: bool
    is_gone: bool
    is_needed_by: str = ""  # the reference of an undo that is open, if there is one


def removal_refusal(situation: RemovalSituation) -> str | None:
    """The second of two different people."""
    if situation.is_answered:
        return "This wish is decided already."
    if not may_remove(situation.actor):
        return "Your role does not let you have kept data deleted."
    if situation.actor.user_id == situation.asked_by:
        return "You asked for this, so somebody else must confirm it."
    if situation.is_gone:
        return "It is not at Neon any more; there is nothing to delete."
    if situation.is_needed_by:
        return f"{situation.is_needed_by} may still bring this state back. Withdraw that first."
    return None


def may_remove(actor: Actor) -> bool:
    """A person whose role lets him ask for, or confirm, the deletion of what is kept."""
    return actor.is_human and actor.may(Capability.REMOVE_KEPT)


LONGEST_KEEP = dt.timedelta(days=365)


def keep_error(until: dt.datetime | None, now: dt.datetime) -> str:
    """What is wrong with the day until which the state before is to be kept; empty when nothing is."""
    if until is None:
        return "Say until when it is kept."
    if until <= now:
        return "This time is over. Choose a later one, or ask for its removal."
    if until > now + LONGEST_KEEP:
        return "Choose a time within a year; it can be moved again later."
    return ""
