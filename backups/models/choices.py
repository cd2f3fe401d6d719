"""Django choices and constraints made from the words of the domain."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


def choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    """(value, human label) for each member."""
    return [(word.value, word.value.replace("_", " ").capitalize()) for word in words]


def one_of(field: str, words: type[StrEnum], name: str) -> models.CheckConstraint:
    """A database constraint: `field` holds one of the words."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [word.value for word in words]}), name=name)


def only_one(*fields: str) -> models.Q:
    """A condition: exactly one of the columns is filled."""
    found = models.Q()
    for filled in fields:
        found |= models.Q(**{f"{field}__isnull": field != filled for field in fields})
    return found
