"""The ledger's rows. Every searchable column is computed by the database from the exact bytes of the event,
so that what a page shows and what is hashed cannot differ."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from backups.models.event_columns import EventJson, EventTime, computed, text_member


class LedgerEvent(models.Model):
    """One event; never changed and never deleted, by triggers and by the web role's rights."""

    id = models.UUIDField(primary_key=True, editable=False)
    body = models.TextField(
        editable=False, help_text="The canonical bytes (UTF-8): what is hashed, signed and exported"
    )
    # The name at the time of the event. It is beside the bytes, which hold ids and no names.
    actor_name = models.TextField(editable=False, blank=True)

    type = text_member("type")
    recorded_at = computed(EventTime("rec"), models.DateTimeField())
    occurred_at = computed(EventTime("time"), models.DateTimeField())
    actor_ref = text_member("actor,id")
    actor_kind = text_member("actor,kind")
    target_kind = text_member("target,kind")
    target_id = text_member("target,id")
    project = text_member("target,proj")
    branch = text_member("target,branch")
    environment = text_member("target,env")
    outcome = text_member("out,s")
    world = text_member("env")
    correlation = text_member("corr,wf")
    web_request = text_member("src,req")
    text_commitment = text_member("reason,text_commit")
    members = computed(EventJson(), models.JSONField())

    class Meta:
        ordering = ("-recorded_at", "-id")
        verbose_name = "ledger event"
        indexes = (
            # The list and its pages by key.
            models.Index(fields=["-recorded_at", "-id"], name="ledger_newest"),
            # The list narrowed by one of its filters, still in order.
            models.Index(fields=["type", "-recorded_at", "-id"], name="ledger_by_type"),
            models.Index(fields=["actor_ref", "-recorded_at", "-id"], name="ledger_by_actor"),
            # Sandbox or real, and the few events that did not succeed.
            models.Index(fields=["world", "-recorded_at", "-id"], name="ledger_by_world"),
            models.Index(
                fields=["outcome", "-recorded_at", "-id"],
                condition=~models.Q(outcome="success"),
                name="ledger_by_failure",
            ),
            # The history of one request, project or account.
            models.Index(fields=["target_kind", "target_id", "-recorded_at"], name="ledger_by_target"),
            # Everything that one run or one web request did.
            models.Index(fields=["correlation", "-recorded_at"], name="ledger_by_run"),
            models.Index(fields=["web_request"], name="ledger_by_web_request"),
            # Search for an id anywhere in the event: members @@ '$.** == "…"', which jsonb_path_ops cannot serve.
            GinIndex(fields=["members"], name="ledger_members"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def is_sandbox(self) -> bool:
        return bool(self.world == "sandbox")


class FreeText(models.Model):
    """What a person wrote with an event. The event holds only the salted hash, so the words can be erased."""

    event = models.OneToOneField(LedgerEvent, on_delete=models.PROTECT, primary_key=True, related_name="free_text")
    salt = models.CharField(max_length=64, blank=True)
    text = models.TextField(blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="free_text_erased_with_its_salt",
                condition=(models.Q(erased_at__isnull=True) & ~models.Q(salt=""))
                | models.Q(erased_at__isnull=False, salt="", text=""),
            ),
        )

    def __str__(self) -> str:
        return "(erased)" if self.erased_at else self.text
