"""Django's description of the application."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "backups"
    label = "backups"
    verbose_name = "Restores"
    default_auto_field = "django.db.models.BigAutoField"
