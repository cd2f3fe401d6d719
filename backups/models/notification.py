"""The outbox: messages that are written with the change and delivered later."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.models.choices import choices, one_of
from backups.models.restore import RestoreRequest


class Channel(StrEnum):
    """How a message travels."""

    MAIL = "mail"
    SLACK = "slack"
    WEBHOOK = "webhook"


class OutboxMessage(models.Model):
    """One message to one address or channel. No PHI, at most 200 characters and a link."""

    channel = models.CharField(max_length=10, choices=choices(Channel))
    topic = models.CharField(max_length=40)
    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, null=True, related_name="messages")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.CharField(max_length=200)
    link = models.CharField(max_length=300, blank=True)
    dedupe_key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: delivered or given up")
    lease_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    last_problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [one_of("channel", Channel, "outbox_channel")]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="outbox_due", condition=Q(next_attempt_at__isnull=False))
        ]
