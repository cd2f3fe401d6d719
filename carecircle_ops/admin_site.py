"""The portal's admin site: Django's lists and log-in inside the portal's own frame."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest
from django.template.response import TemplateResponse

from backups.selectors.people import actor_of


class OpsAdminSite(AdminSite):
    site_title = "CareCircle Ops"
    site_header = "CareCircle Ops"
    index_title = "Overview"
    enable_nav_sidebar = False
    # Whoever has an account can log in; without a role every page then says plainly that it is closed.
    login_form = AuthenticationForm
    login_template = "login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """A role lets people in; being staff or a superuser does not."""
        return bool(request.user.is_active and actor_of(request.user, request).roles)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Django saves first and tells of it afterwards; the password and its event stand or fall together."""
        with transaction.atomic():
            return super().password_change(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's own pages get the portal's frame."""
        from backups.admin.frame import frame

        return super().each_context(request) | frame(request)
