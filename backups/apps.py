"""Django's description of the application."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BackupsConfig(AppConfig):
    name = "backups"
    label = "backups"
    verbose_name = "Restores"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        for module in ("backups.services.people_events", "backups.checks"):
            import_module(module)
        from backups.services.people_groups import synchronise_groups

        post_migrate.connect(synchronise_groups, sender=self, dispatch_uid="backups.groups")
