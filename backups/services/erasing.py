"""Erasing what somebody wrote: one person asks, another agrees, and text and salt go together.

The event keeps the hash of both, so the record verifies as before, and the words can't be guessed from it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db.models import QuerySet

from backups.domain.erasing import ErasureReason, hold_sentence
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import FreeText, TextErasure
from backups.selectors.clock import database_now
from backups.selectors.erasing import same_words
from backups.selectors.retention import legal_hold
from backups.services.afterwards.records import need, refuse_unless
from backups.services.ledger import record_event
from backups.services.restore.errors import Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

_GONE = "These words are not there, or were erased already. Nothing was changed."
_ONLY_ASKER = "Only who asked for this takes it back."


def ask_for_erasure(*, actor: Actor, event_id: UUID, reason: ErasureReason) -> TextErasure:
    """The first person's word. The same words kept with other events of the same thing are asked about along with it.

    Returns the erasure of this event's words. Nothing is erased before another person agrees. Raises Refused.
    """
    with refusals_recorded(actor=actor, target=_target(event_id)):
        person = with_roles_of_now(actor)
        user_id = need(person, Capability.ASK_ERASURE, "Only a manager or an administrator asks for this.")
        _refuse_under_hold()
        words = _locked_words(event_id)
        refuse_unless(not _open_of(words).exists(), "asked_already", "This was asked for already. Nothing was changed.")
        asked = [_ask(each, person, user_id, reason) for each in _unasked(words)]
        return next(each for each in asked if each.words_id == event_id)


def agree_to_erasure(*, actor: Actor, erasure_id: int) -> list[TextErasure]:
    """The second person's yes: the words go now, and so do the same ones that were asked about along with them.

    Returns every erasure that was carried out. What cannot be reached is said on the page: files that were downloaded,
    and backups of the portal's own database. Raises Refused.
    """
    with _about(actor, erasure_id) as (erasure, person):
        user_id = need(person, Capability.AGREE_ERASURE, "Only a manager agrees to this.")
        _refuse_under_hold()
        is_own = erasure.asked_by_id == user_id
        refuse_unless(not is_own, "own_erasure", "You asked for this, so another person must agree.")
        together = list(_asked_together(erasure))
        wrote_it = any(each.words.event.actor_ref == person.ref for each in together)
        refuse_unless(not wrote_it, "own_words", "You wrote these words yourself, so somebody else must agree.")
        for each in together:
            _erase(each, person, user_id)
        return together


def refuse_erasure(*, actor: Actor, erasure_id: int) -> TextErasure:
    """Another manager's no: the words stay. Raises Refused."""
    with _about(actor, erasure_id) as (erasure, person):
        user_id = need(person, Capability.AGREE_ERASURE, "Only a manager refuses this.")
        refuse_unless(erasure.asked_by_id != user_id, "own_erasure", "You asked for this; take it back instead.")
        return _drop(erasure, "text.erase_refused", person, user_id)


def withdraw_erasure(*, actor: Actor, erasure_id: int) -> TextErasure:
    """Who asked takes it back: the words stay. Raises Refused."""
    with _about(actor, erasure_id) as (erasure, person):
        user_id = need(person, Capability.ASK_ERASURE, _ONLY_ASKER)
        refuse_unless(erasure.asked_by_id == user_id, "not_own_erasure", _ONLY_ASKER)
        return _drop(erasure, "text.erase_withdrawn", person, user_id)


@contextmanager
def _about(actor: Actor, erasure_id: int) -> Iterator[tuple[TextErasure, Actor]]:
    """The erasure with its words locked, still without an answer."""
    event_id = TextErasure.objects.values_list("words_id", flat=True).get(pk=erasure_id)
    with refusals_recorded(actor=actor, target=_target(event_id)):
        _locked_words(event_id)
        erasure = TextErasure.objects.select_related("words__event").get(pk=erasure_id)
        refuse_unless(erasure.is_open, "erasure_decided", "This is decided already. Nothing was changed.")
        yield erasure, with_roles_of_now(actor)


def _locked_words(event_id: UUID) -> FreeText:
    """The words and the same ones elsewhere, locked in one order, so that two people never wait for each other."""
    list(same_words(_words(event_id)).select_for_update(of=("self",)).values_list("pk", flat=True))
    return _words(event_id)


def _words(event_id: UUID) -> FreeText:
    found = FreeText.objects.select_related("event").filter(pk=event_id, erased_at=None).first()
    if found is None:
        raise Refused(action=None, code="no_words", sentence=_GONE)
    return found


def _unasked(words: FreeText) -> Iterator[FreeText]:
    for each in same_words(words).select_related("event"):
        if not _open_of(each).exists():
            yield each


def _open_of(words: FreeText) -> QuerySet[TextErasure]:
    return TextErasure.objects.filter(words=words, agreed_at=None, dropped_at=None)


def _ask(words: FreeText, person: Actor, user_id: int, reason: ErasureReason) -> TextErasure:
    erasure = TextErasure.objects.create(
        words=words,
        reason=reason.value,
        asked_by_id=user_id,
        asked_by_name=person.name,
        asked_at=database_now(),
    )
    _record(erasure, "text.erase_asked", person, {})
    return erasure


def _asked_together(erasure: TextErasure) -> Iterator[TextErasure]:
    """What was asked for by the same person for the same words, this erasure among it."""
    waiting = TextErasure.objects.filter(agreed_at=None, dropped_at=None, asked_by=erasure.asked_by_id)
    yield from waiting.filter(words__in=same_words(erasure.words)).select_related("words__event").order_by("pk")


def _erase(erasure: TextErasure, person: Actor, user_id: int) -> None:
    """The agreement first: the database lets no words go without one."""
    erasure.agreed_by_id, erasure.agreed_by_name, erasure.agreed_at = user_id, person.name, database_now()
    erasure.save(update_fields=["agreed_by", "agreed_by_name", "agreed_at"])
    FreeText.objects.filter(pk=erasure.words_id).update(text="", salt="", erased_at=erasure.agreed_at)
    _record(erasure, "text.erased", person, {"voters": [f"user:{erasure.asked_by_id}", person.ref]})


def _drop(erasure: TextErasure, type: str, person: Actor, user_id: int) -> TextErasure:
    """The answer holds for all that was asked for together."""
    for each in list(_asked_together(erasure)):
        each.dropped_by_id, each.dropped_by_name, each.dropped_at = user_id, person.name, database_now()
        each.save(update_fields=["dropped_by", "dropped_by_name", "dropped_at"])
        _record(each, type, person, {})
    erasure.refresh_from_db()
    return erasure


def _refuse_under_hold() -> None:
    sentence = hold_sentence(legal_hold())
    refuse_unless(not sentence, "legal_hold", sentence)


def _target(event_id: UUID) -> Target:
    return Target(kind="event", id=str(event_id))


def _record(erasure: TextErasure, type: str, actor: Actor, details: dict[str, Detail]) -> None:
    event = erasure.words.event
    facts: dict[str, Detail] = {"erased_event": str(event.pk), "text_commitment": event.text_commitment}
    record_event(
        type=type,
        actor=actor,
        target=_target(event.pk),
        details=facts | details,
        reason_code=erasure.reason,
        sandbox={"sandbox": True, "real": False}.get(event.world),
        correlation=str(event.pk),
    )
