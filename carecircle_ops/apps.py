"""Puts the portal's own admin site in the place of Django's."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib.admin.apps import AdminConfig


class OpsAdminConfig(AdminConfig):
    default_site = "carecircle_ops.admin_site.OpsAdminSite"

    def ready(self) -> None:
        super().ready()
        # The first connects the clocks of a login, the second registers itself.
        for module in ("carecircle_ops.sessions", "carecircle_ops.checks"):
            import_module(module)
        _hide_queue_pages()


def _hide_queue_pages() -> None:
    """Remove django-q's four pages.

    They unpickle what the queue tables hold and let whoever may edit a schedule name any function to run.
    """
    from django.contrib import admin

    for model in apps.get_app_config("django_q").get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)
