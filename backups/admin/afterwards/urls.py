"""The addresses of what is left after a restore, of safety copies and of tokens."""

from __future__ import annotations

from django.urls import path

from backups.admin import api

urlpatterns = [
    path("api/safety-copies", api.safety_copies, name="api-safety-copies"),
    path("api/safety-copies/<slug:reference>", api.safety_copy, name="api-safety-copy"),
]
