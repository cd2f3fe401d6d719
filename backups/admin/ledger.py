"""The ledger as auditors read it: a list that can be narrowed, and each event with its exact bytes."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backups.admin.audit.events import events
from backups.admin.capability_admin import CapabilityAdmin
from backups.domain.people import Capability
from backups.models import LedgerEvent
from backups.selectors.people import actor_of
from backups.services.ledger import event_meanings, event_sha256, words_match


@admin.register(LedgerEvent)
class LedgerEventAdmin(CapabilityAdmin):
    view_capability = Capability.READ_LEDGER

    fieldsets = (
        ("What happened", {"fields": ("meaning", "recorded", "occurred", "outcome", "what", "place", "evidence")}),
        ("Who", {"fields": ("who", "roles_then", "source")}),
        ("Their words", {"fields": ("words",)}),
        ("Details", {"fields": ("details", "related")}),
        ("Exact bytes", {"fields": ("id", "sha256", "bytes")}),
    )
    readonly_fields = flatten_fieldsets(fieldsets)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list is a page of the portal's own, at the address that Django gives it."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        return events(request, actor_of(request.user, request))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return super().changeform_view(request, object_id, form_url, {"title": "Event"} | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEvent]:
        return super().get_queryset(request).select_related("free_text")

    @admin.display(description="recorded (UTC)")
    def recorded(self, event: LedgerEvent) -> str:
        return f"{event.recorded_at:%Y-%m-%d %H:%M:%S.%f}"

    @admin.display(description="what happened")
    def happened(self, event: LedgerEvent) -> str:
        return event_meanings().get(event.type) or f"{event.type}: a type of an older version"

    @admin.display(description="happened (UTC)")
    def occurred(self, event: LedgerEvent) -> str:
        return f"{event.occurred_at:%Y-%m-%d %H:%M:%S.%f}"

    @admin.display(description="meaning")
    def meaning(self, event: LedgerEvent) -> str:
        return f"{event_meanings().get(event.type, 'A type of an older version')} ({event.type})"

    @admin.display(description="actor")
    def who(self, event: LedgerEvent) -> str:
        return f"{event.actor_name} ({event.actor_ref})"

    @admin.display(description="target")
    def what(self, event: LedgerEvent) -> str:
        return f"{event.target_kind.replace('_', ' ')} {event.target_id}"

    @admin.display(description="project, branch, environment")
    def place(self, event: LedgerEvent) -> str:
        return " / ".join(part for part in (event.project, event.branch, event.environment) if part) or "none"

    @admin.display(description="counts as evidence")
    def evidence(self, event: LedgerEvent) -> str:
        if event.is_sandbox:
            return "No: sandbox"
        return "Not known: no such project" if event.world == "unknown" else "Yes"

    @admin.display(description="roles at that time")
    def roles_then(self, event: LedgerEvent) -> str:
        return ", ".join(event.members["actor"].get("roles", ())) or "none"

    @admin.display(description="came from")
    def source(self, event: LedgerEvent) -> str:
        source = event.members.get("src", {})
        parts = (source.get("ip"), event.members["actor"].get("sess"))
        return ", ".join(part for part in parts if part) or "inside the portal"

    @admin.display(description="text")
    def words(self, event: LedgerEvent) -> str:
        if not event.text_commitment:
            return "None."
        words = getattr(event, "free_text", None)
        if words is None:
            return "Missing: the event names a text that is not there."
        if words.erased_at:
            return f"Erased on {words.erased_at:%Y-%m-%d %H:%M} UTC."
        verdict = "matches its hash" if words_match(event, words) else "DOES NOT MATCH ITS HASH"
        return f"{words.text}\n\n({verdict})"

    @admin.display(description="details")
    def details(self, event: LedgerEvent) -> SafeString:
        shown = {name: event.members[name] for name in ("data", "appr", "corr", "reason") if name in event.members}
        return _preformatted(json.dumps(shown, indent=2, ensure_ascii=False))

    @admin.display(description="related events")
    def related(self, event: LedgerEvent) -> SafeString:
        ways = (
            ("same run", event.correlation),
            ("same web request", event.web_request),
            ("same target", event.target_id),
        )
        links = [_search_link(label, value) for label, value in ways if value]
        return format_html("{}", SafeString(" · ".join(links))) if links else SafeString("none")

    @admin.display(description="SHA-256 of the bytes")
    def sha256(self, event: LedgerEvent) -> str:
        return event_sha256(event)

    @admin.display(description="bytes (UTF-8)")
    def bytes(self, event: LedgerEvent) -> SafeString:
        return _preformatted(event.body)


def _preformatted(text: str) -> SafeString:
    return format_html('<pre class="ledger-bytes" tabindex="0">{}</pre>', text)


def _search_link(label: str, value: str) -> str:
    address = reverse("admin:backups_ledgerevent_changelist", query={"q": value})
    return format_html('<a href="{}">{}: {}</a>', address, label, value)
