"""The portal's admin site."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class OpsAdminSite(AdminSite):
    site_title = "CareCircle Ops"
    site_header = "CareCircle Ops"
    index_title = "Overview"
    enable_nav_sidebar = False
