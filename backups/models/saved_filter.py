"""Filters of the list of events that people kept under a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

MAX_NAME = 60
MAX_QUERY = 2000


class SavedFilter(models.Model):
    """One person's filter; only its owner sees it and removes it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_filters")
    name = models.CharField(max_length=MAX_NAME)
    query = models.CharField(max_length=MAX_QUERY, help_text="The filter as the address of the list carries it")
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=["owner", "name"], name="saved_filter_name_once"),
            models.CheckConstraint(
                condition=models.Q(name__regex=r"^\S(.*\S)?$") & ~models.Q(query=""), name="saved_filter_says_something"
            ),
        )

    def __str__(self) -> str:
        return self.name
