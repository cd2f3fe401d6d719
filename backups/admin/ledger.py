"""The ledger at the addresses that Django's admin gives it: a list that can be narrowed, and each event."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from backups.admin.audit.event import event_page
from backups.admin.audit.events import events
from backups.admin.capability_admin import CapabilityAdmin
from backups.domain.people import Actor, Capability
from backups.models import LedgerEvent
from backups.selectors.people import actor_of


@admin.register(LedgerEvent)
class LedgerEventAdmin(CapabilityAdmin):
    """Both pages are the portal's own."""

    view_capability = Capability.READ_LEDGER

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return events(request, self._reader(request))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Without an id it is the address for adding one, which nobody may."""
        reader = self._reader(request)
        if object_id is None:
            raise PermissionDenied
        return event_page(request, reader, object_id)

    def _reader(self, request: HttpRequest) -> Actor:
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        return actor_of(request.user, request)
