"""What the sealer wrote: leaves, checkpoints, receipts of anchors. The web role reads these tables and no more."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from backups.models.ledger import LedgerEvent


class LedgerLeaf(models.Model):
    """An event's place in the tree; places have no gap and follow the order of sealing, not of time."""

    index = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(LedgerEvent, on_delete=models.PROTECT, related_name="leaf")
    hash = models.BinaryField(help_text="SHA-256(0x00, the event's bytes)")

    class Meta:
        constraints = (models.CheckConstraint(name="ledger_leaf_index_counts", condition=models.Q(index__gte=0)),)

    def __str__(self) -> str:
        return f"leaf {self.index}"


class LedgerNode(models.Model):
    """The hash of a complete subtree of 2**level leaves. Only some levels are kept, so that proofs read little."""

    level = models.PositiveSmallIntegerField()
    position = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["level", "position"], name="ledger_node_once"),)

    def __str__(self) -> str:
        return f"node {self.level}/{self.position}"


class LedgerCheckpoint(models.Model):
    """A signed tree head: the first `size` events have this root."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField(help_text="The signed note, exactly as it is handed out")
    signed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("size",)
        constraints = (models.CheckConstraint(name="ledger_checkpoint_of_something", condition=models.Q(size__gt=0)),)

    def __str__(self) -> str:
        return f"checkpoint of {self.size} events"


class AnchorReceipt(models.Model):
    """An anchor outside of the database has taken the checkpoint."""

    checkpoint = models.ForeignKey(LedgerCheckpoint, on_delete=models.PROTECT, related_name="receipts")
    anchor = models.CharField(max_length=200, help_text="Its kind and place, such as directory:/mnt/worm")
    gates = models.BooleanField(help_text="Whether it lets acts go on that wait for the seal")
    reference = models.CharField(max_length=300, blank=True)
    taken_at = models.DateTimeField(db_default=Now())
    day = models.DateField(null=True, help_text="UTC; of an anchor that takes one checkpoint a day and no more")
    evidence = models.BinaryField(
        db_default=b"", help_text="What the anchor answered, whole, such as a time stamp with its certificates"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["checkpoint", "anchor"], name="anchor_takes_it_once"),
            models.UniqueConstraint(
                fields=["anchor", "day"], condition=models.Q(day__isnull=False), name="anchor_takes_one_a_day"
            ),
        )

    def __str__(self) -> str:
        return f"{self.anchor} took {self.checkpoint_id}"


class SealerRefusal(models.Model):
    """The sealer found something that it must not sign. While one is open, no production restore starts."""

    code = models.CharField(max_length=40)
    sentence = models.TextField()
    node = models.CharField(max_length=120)
    found_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)
    resolved_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once, by a trigger's rule
    resolution = models.TextField(null=True)  # noqa: DJ001 - the same

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["code", "node"], condition=models.Q(resolved_at__isnull=True), name="sealer_refusal_open_once"
            ),
            models.CheckConstraint(
                name="sealer_refusal_resolved_by_somebody",
                condition=models.Q(resolved_at__isnull=True)
                | (models.Q(resolved_by_name__isnull=False) & models.Q(resolution__isnull=False)),
            ),
        )

    def __str__(self) -> str:
        return self.sentence


class SealerHeartbeat(models.Model):
    """The last round of one sealer process that ended well, and what its anchors cannot do at present."""

    node = models.CharField(max_length=120, primary_key=True)
    beat_at = models.DateTimeField()
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.node} at {self.beat_at:%Y-%m-%d %H:%M:%S} UTC"
