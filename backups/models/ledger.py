"""The ledger's rows. Every searchable column is filled by the database from the exact bytes of the event
(models/event_columns.py), so that what a page shows is what is hashed."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Lookup

from backups.domain.people import ActorKind, Role


@models.JSONField.register_lookup
class HasValue(Lookup):  # type: ignore[type-arg]
    """`members__has_value="x"`: some value, at any depth, is exactly this text; or one of these, for a list.

    Served by the GIN index, which finds in one go the events that fit several of these.
    """

    lookup_name = "has_value"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        texts = [self.rhs] if isinstance(self.rhs, str) else self.rhs
        path = " || ".join(f"$.** == {json.dumps(text)}" for text in texts)
        return f"{column} @@ %s::jsonpath", (*parameters, path)


def _of_role(role: Role) -> models.Index:
    """One small index for each role, because no index on a list of roles keeps the order of time."""
    return models.Index(
        fields=["-recorded_at", "-id"],
        condition=models.Q(roles__contains=[role.value]),
        name=f"ledger_role_{role.value}",
    )


class LedgerEvent(models.Model):
    """One event; never changed and never deleted, by triggers and by the web role's rights."""

    id = models.UUIDField(primary_key=True, editable=False)
    body = models.TextField(
        editable=False, help_text="The canonical bytes (UTF-8): what is hashed, signed and exported"
    )
    # The name at the time of the event. It is beside the bytes, which hold ids and no names.
    actor_name = models.TextField(editable=False, blank=True)

    # Filled by the trigger event_columns and by nothing else.
    type = models.TextField(editable=False)
    family = models.TextField(editable=False)
    recorded_at = models.DateTimeField(editable=False)
    occurred_at = models.DateTimeField(editable=False)
    actor_ref = models.TextField(editable=False)
    actor_kind = models.TextField(editable=False)
    roles = ArrayField(models.TextField(), editable=False)
    target_kind = models.TextField(editable=False)
    target_id = models.TextField(editable=False)
    project = models.TextField(editable=False)
    branch = models.TextField(editable=False)
    environment = models.TextField(editable=False)
    outcome = models.TextField(editable=False)
    world = models.TextField(editable=False)
    correlation = models.TextField(editable=False)
    web_request = models.TextField(editable=False)
    text_commitment = models.TextField(editable=False)
    members = models.JSONField(editable=False)

    class Meta:
        ordering = ("-recorded_at", "-id")
        verbose_name = "ledger event"
        indexes = (
            # The list and its pages by key: ORDER BY recorded_at DESC, id DESC LIMIT 51.
            models.Index(fields=["-recorded_at", "-id"], name="ledger_newest"),
            # The list narrowed by one filter, still in order. Several at once: selectors/event_list.py.
            # WHERE type = …, WHERE family = … (all types that begin alike).
            models.Index(fields=["type", "-recorded_at", "-id"], name="ledger_by_type"),
            models.Index(fields=["family", "-recorded_at", "-id"], name="ledger_by_family"),
            # WHERE actor_ref = …: what one person did. Strangers and programs: by their kind; the portal itself acts
            # most, so that its events are found in ledger_newest.
            models.Index(fields=["actor_ref", "-recorded_at", "-id"], name="ledger_by_actor"),
            models.Index(
                fields=["actor_kind", "-recorded_at", "-id"],
                condition=models.Q(actor_kind__in=[ActorKind.ANONYMOUS.value, ActorKind.SERVICE.value]),
                name="ledger_by_stranger",
            ),
            # WHERE roles @> ARRAY['manager']: who held the role at that time.
            *(_of_role(role) for role in Role),
            # WHERE world = …: sandbox or real. WHERE outcome = …: the few events that did not succeed.
            models.Index(fields=["world", "-recorded_at", "-id"], name="ledger_by_world"),
            models.Index(
                fields=["outcome", "-recorded_at", "-id"],
                condition=~models.Q(outcome="success"),
                name="ledger_by_failure",
            ),
            # WHERE target_kind = …, and WHERE target_id = … with or without its kind: the history of one thing.
            models.Index(fields=["target_kind", "-recorded_at", "-id"], name="ledger_by_kind"),
            models.Index(fields=["target_id", "-recorded_at", "-id"], name="ledger_by_target"),
            # WHERE correlation = …, WHERE web_request = …: everything that one run or one web request did.
            models.Index(fields=["correlation", "-recorded_at"], name="ledger_by_run"),
            models.Index(fields=["web_request", "-recorded_at", "-id"], name="ledger_by_web_request"),
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
