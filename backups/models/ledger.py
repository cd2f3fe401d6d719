"""The ledger's rows. Every searchable column is computed by the database from the exact bytes of the event,
so that what a page shows and what is hashed cannot differ."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from backups.domain.people import ActorKind, Role
from backups.models.event_columns import EventFamily, EventJson, EventRoles, EventTime, computed, text_member


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

    type = text_member("type")
    family = computed(EventFamily(), models.TextField())
    recorded_at = computed(EventTime("rec"), models.DateTimeField())
    occurred_at = computed(EventTime("time"), models.DateTimeField())
    actor_ref = text_member("actor,id")
    actor_kind = text_member("actor,kind")
    roles = computed(EventRoles(), ArrayField(models.TextField()))
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
