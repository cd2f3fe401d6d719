"""Erasures in tests."""

from __future__ import annotations

from backups.domain.erasing import ErasureReason
from backups.models import FreeText, TextErasure
from backups.selectors.clock import database_now
from backups.services.erasing import agree_to_erasure, ask_for_erasure
from tests.factories import People, Person


def asked_erasure(words: FreeText, by: Person) -> TextErasure:
    """Nobody has agreed yet."""
    return ask_for_erasure(actor=by.actor, event_id=words.pk, reason=ErasureReason.PATIENT_DATA)


def erased(words: FreeText, people: People) -> FreeText:
    """Erin asks, Carol agrees."""
    erasure = asked_erasure(words, people.erin)
    agree_to_erasure(actor=people.carol.actor, erasure_id=erasure.pk)
    words.refresh_from_db()
    return words


def agreed_on(words: FreeText, people: People) -> None:
    """Two people agreed, and nothing was erased: a state that only a test makes, to try the database's own rule."""
    TextErasure.objects.create(words=words, reason=ErasureReason.SECRET, asked_by=people.erin.user,
                               asked_by_name="erin", asked_at=database_now())  # fmt: skip
    TextErasure.objects.update(agreed_by=people.carol.user, agreed_by_name="carol", agreed_at=database_now())
