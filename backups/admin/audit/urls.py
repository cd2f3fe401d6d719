"""The addresses of the auditor's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from backups.admin.audit import exports

urlpatterns: list[URLPattern] = [
    path("audit/exports/", exports.listed, name="audit-exports"),
    path("audit/exports/new/", exports.new, name="audit-export-new"),
    path("audit/exports/<int:pk>/", exports.show, name="audit-export"),
    path("audit/exports/<int:pk>/live/", exports.live, name="audit-export-live"),
    path("audit/exports/<int:pk>/file/", exports.download, name="audit-export-file"),
]
