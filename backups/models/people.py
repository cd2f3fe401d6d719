"""Which roles people hold and have held, and what Django's user does not know about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.domain.people import Role


class RoleMembership(models.Model):
    """One person holding one role from a moment on.

    A trigger on the table of group memberships is the only writer, so a role given by any means at all, SQL
    included, carries the database's time of the gift.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="role_memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in Role])
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    database_user = models.CharField(max_length=63, blank=True, help_text="The session that gave it, for gifts by SQL")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "role"], condition=Q(until__isnull=True), name="role_held_once"),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="role_is_known"),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=models.F("since")), name="role_ends_after_it_began"
            ),
        )
        indexes = (
            # Who holds a role now.
            models.Index(fields=["role", "since"], condition=Q(until__isnull=True), name="role_holders"),
        )

    def __str__(self) -> str:
        return f"{self.role} since {self.since:%Y-%m-%d %H:%M} UTC"


class UserProfile(models.Model):
    """Reading zone of a person, and whether the account belongs to a program."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    time_zone = models.CharField(max_length=64, default="UTC")
    is_service_account = models.BooleanField(
        default=False, help_text="Used by a program: it may read and file, and it never votes."
    )

    def __str__(self) -> str:
        return f"{self.time_zone}"
