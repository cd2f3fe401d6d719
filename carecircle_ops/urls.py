"""Every address of the portal."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path

from carecircle_ops import health


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(static("backups/favicon.svg"))


urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("workerz", health.workerz, name="workerz"),
    path("health/backups", health.backups, name="health-backups"),
    path("metrics", health.metrics, name="metrics"),
    path("favicon.ico", favicon, name="favicon"),
    path("", include("backups.admin.urls")),
    path("", admin.site.urls),
]

handler400 = "carecircle_ops.errors.bad_request"
handler403 = "carecircle_ops.errors.permission_denied"
handler404 = "carecircle_ops.errors.page_not_found"
handler500 = "carecircle_ops.errors.server_error"
