"""Erasures of what people wrote: which wait, which words go together, and which files may still hold them."""

from __future__ import annotations

import datetime as dt

from django.db.models import QuerySet

from backups.domain.export import ExportFormat
from backups.models import FreeText, LedgerEvent, LedgerExport, TextErasure

#: An erasure is dated before its transaction ends, so a file that was begun just after may have read the words.
_COMMIT_TAKES = dt.timedelta(seconds=15)
_WITH_WORDS = (ExportFormat.BUNDLE.value, ExportFormat.LOG.value)


def erasures() -> QuerySet[TextErasure]:
    """With the words' events, the newest first."""
    return TextErasure.objects.select_related("words__event")


def open_erasures() -> QuerySet[TextErasure]:
    """Those that wait for a second person, the oldest first."""
    return erasures().filter(agreed_at=None, dropped_at=None).order_by("asked_at", "pk")


def open_erasure_of(event: LedgerEvent) -> TextErasure | None:
    """The one that waits for its second person."""
    return TextErasure.objects.filter(words=event.pk, agreed_at=None, dropped_at=None).first()


def same_words(words: FreeText) -> QuerySet[FreeText]:
    """These words wherever they were kept with an event about the same thing, as a form that is sent twice does.

    The same sentence about something else was written by itself, and is somebody's record of that.
    """
    event = words.event
    alike = FreeText.objects.filter(text=words.text, erased_at__isnull=True)
    return alike.filter(event__target_kind=event.target_kind, event__target_id=event.target_id).order_by("pk")


def may_hold_erased_words(export: LedgerExport) -> bool:
    """Whether words were erased since this file was begun; only bundles hold words."""
    return export.format in _WITH_WORDS and files_with_erased_words().filter(pk=export.pk).exists()


def files_with_erased_words() -> QuerySet[LedgerExport]:
    """Exports with words that were begun before the newest erasure, in whatever state."""
    newest = TextErasure.objects.filter(agreed_at__isnull=False).order_by("-agreed_at").first()
    if newest is None or newest.agreed_at is None:
        return LedgerExport.objects.none()
    return LedgerExport.objects.filter(format__in=_WITH_WORDS, began_at__lt=newest.agreed_at + _COMMIT_TAKES)
