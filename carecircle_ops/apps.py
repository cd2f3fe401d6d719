"""Puts the portal's own admin site in the place of Django's."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib.admin.apps import AdminConfig


class OpsAdminConfig(AdminConfig):
    default_site = "carecircle_ops.admin_site.OpsAdminSite"

    def ready(self) -> None:
        super().ready()
        import_module("carecircle_ops.sessions")  # connects the clocks of a login
        _hide_queue_pages()


def _hide_queue_pages() -> None:
    """Remove django-q's four pages.

    They unpickle what the queue tables hold and let whoever may edit a schedule name any function to run.
    """
    from django.contrib import admin

    for model in apps.get_app_config("django_q").get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)
