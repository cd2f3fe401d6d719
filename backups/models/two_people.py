"""What one person asks for and another agrees to: the fields of the people, and what the database holds of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q


def person_field(*, null: bool = False) -> Any:
    """Somebody who can't be deleted as long as the row names them."""
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, related_name="+")


def answered_by_another(prefix: str, *, first: str) -> list[models.CheckConstraint]:
    """Agreed by somebody else than `first`, or dropped, and never both; each with its name and its time.

    For the fields agreed_by, agreed_by_name, agreed_at and dropped_by, dropped_by_name, dropped_at.
    """
    return [
        models.CheckConstraint(
            condition=Q(agreed_by__isnull=True) | ~Q(agreed_by=F(first)), name=f"{prefix}_two_people"
        ),
        models.CheckConstraint(condition=_whole("agreed"), name=f"{prefix}_agreement"),
        models.CheckConstraint(condition=_whole("dropped"), name=f"{prefix}_dropped"),
        models.CheckConstraint(
            condition=Q(agreed_at__isnull=True) | Q(dropped_at__isnull=True), name=f"{prefix}_one_answer"
        ),
    ]


def _whole(answer: str) -> Q:
    """All of the answer's fields, or none."""
    fields = (f"{answer}_by", f"{answer}_by_name", f"{answer}_at")
    return Q(**dict.fromkeys(fields)) | Q(**{f"{field}__isnull": False for field in fields})
