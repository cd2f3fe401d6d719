"""The outbox (messages that are written with the change and delivered later), and what steers it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.domain.notification import Channel, Control, Severity, SubjectKind
from backups.domain.people import Role
from backups.models.choices import choices, one_of
from backups.models.restore import RestoreRequest


class OutboxMessage(models.Model):
    """One message to one address or channel. No PHI, at most 200 characters and a link.

    Messages with the same `subject_key`, channel and person are delivered in the order of their ids.
    """

    channel = models.CharField(max_length=10, choices=choices(Channel))
    topic = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=choices(Severity), default=Severity.NOTICE)
    resolves = models.BooleanField(default=False, help_text="It says that the trouble is over")
    subject_kind = models.CharField(max_length=20, choices=choices(SubjectKind))
    subject_reference = models.CharField(max_length=100)
    subject_key = models.CharField(max_length=200)
    project_ref = models.CharField(max_length=60, blank=True, help_text="Neon's id of the project")
    is_sandbox = models.BooleanField(null=True)
    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, null=True, related_name="messages")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.CharField(max_length=200)
    link = models.CharField(max_length=300, blank=True)
    dedupe_key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: delivered or given up")
    lease_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    last_problem = models.CharField(max_length=200, blank=True)
    problem_code = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            one_of("channel", Channel, "outbox_channel"),
            one_of("severity", Severity, "outbox_severity"),
            one_of("subject_kind", SubjectKind, "outbox_subject_kind"),
            models.CheckConstraint(
                condition=Q(request__isnull=True) | Q(subject_kind=SubjectKind.REQUEST), name="outbox_request_subject"
            ),
            # Waiting, sent or given up: exactly one of them, so that nothing is forgotten and nothing sent twice.
            models.CheckConstraint(
                condition=Q(next_attempt_at__isnull=False, sent_at__isnull=True, given_up_at__isnull=True)
                | Q(next_attempt_at__isnull=True, sent_at__isnull=False)
                | Q(next_attempt_at__isnull=True, given_up_at__isnull=False),
                name="outbox_one_fate",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="outbox_due", condition=Q(next_attempt_at__isnull=False)),
            # The claim looks here for an earlier message of the same subject that can still be delivered.
            models.Index(
                fields=["subject_key", "channel", "id"], name="outbox_open", condition=Q(next_attempt_at__isnull=False)
            ),
            models.Index(fields=["subject_key", "topic"], name="outbox_subject"),
            models.Index(fields=["given_up_at"], name="outbox_given_up", condition=Q(given_up_at__isnull=False)),
        ]


class DampedAlert(models.Model):
    """What a flapping subject would have said; told as one summary when `due_at` has come, then removed."""

    subject_kind = models.CharField(max_length=20, choices=choices(SubjectKind))
    subject_reference = models.CharField(max_length=100)
    subject_key = models.CharField(max_length=200, unique=True)
    project_ref = models.CharField(max_length=60, blank=True)
    is_sandbox = models.BooleanField(null=True)
    severity = models.CharField(max_length=10, choices=choices(Severity))
    resolves = models.BooleanField(default=False, help_text="Of the newest one")
    topic = models.CharField(max_length=40, help_text="Of the newest one")
    occasion = models.CharField(max_length=200, help_text="Of the newest one")
    text = models.CharField(max_length=200, help_text="Of the newest one")
    link_path = models.CharField(max_length=200)
    people = models.JSONField(default=list)
    roles = models.JSONField(default=list)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            one_of("severity", Severity, "damped_severity"),
            one_of("subject_kind", SubjectKind, "damped_subject_kind"),
        ]


class NotificationRoute(models.Model):
    """One cell of the routing table that somebody set; a cell without a row is as the portal has it by default."""

    severity = models.CharField(max_length=10, choices=choices(Severity))
    channel = models.CharField(max_length=10, choices=choices(Channel))
    role = models.CharField(max_length=15, choices=choices(Role), blank=True)
    is_on = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["severity", "channel", "role"], name="route_once"),
            one_of("severity", Severity, "route_severity"),
            one_of("channel", Channel, "route_channel"),
            models.CheckConstraint(
                condition=Q(channel=Channel.MAIL, role__in=[role.value for role in Role])
                | (~Q(channel=Channel.MAIL) & Q(role="")),
                name="route_role_is_for_mail",
            ),
        ]


class ChannelState(models.Model):
    """How one channel does. Nothing is sent on it before `held_until`: its receiver asked for a pause."""

    channel = models.CharField(max_length=10, primary_key=True, choices=choices(Channel))
    held_until = models.DateTimeField(null=True)
    last_sent_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    last_problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [one_of("channel", Channel, "channel_state")]


class Heartbeat(models.Model):
    """When a control last ran and how, and when the outside watcher was last told."""

    control = models.CharField(max_length=20, primary_key=True, choices=choices(Control))
    beat_at = models.DateTimeField()
    went_well = models.BooleanField()
    told_beat_at = models.DateTimeField(null=True, help_text="The newest beat that the watcher was told of")
    told_well = models.BooleanField(null=True)
    tried_at = models.DateTimeField(null=True)
    last_problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [one_of("control", Control, "heartbeat_control")]
