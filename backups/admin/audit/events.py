"""The list of events, with filters that can be kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.audit.event_filter import EventFilterForm
from backups.admin.audit.event_words import event_row, list_url
from backups.admin.audit.export_link import ExportLink, export_of_list
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.people import Actor, Capability
from backups.models import SavedFilter
from backups.selectors.event_list import EventPage, Key, event_page
from backups.services.reading import record_reading
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.saved_filters import remove_filter, save_filter

PAGE = "events"


def events(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The list, narrowed by the address. That it was read or searched is recorded first."""
    form = EventFilterForm(request.GET)
    return _shown(request, actor, form, request.GET)


@for_people_who_may(Capability.READ_LEDGER, "POST")
def save(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Keeps the filter that the list was narrowed to; a refusal stands beside the name, over the same list."""
    form = EventFilterForm(request.POST)
    name = request.POST.get("name", "")
    try:
        saved = save_filter(actor=actor, name=name, narrowed_by=form.narrowed_by)
    except InvalidInput as invalid:
        return _shown(request, actor, form, {}, name=name, refusal=invalid.errors["name"])
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, f"The filter is kept as “{saved.name}”.")
    return redirect(f"{list_url()}?{form.query()}")


@for_people_who_may(Capability.READ_LEDGER, "POST")
def remove(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Forgets a filter; the list stays as it was narrowed."""
    try:
        name = remove_filter(actor=actor, filter_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, f"The filter “{name}” is removed.")
    return redirect(list_url())


def _shown(
    request: HttpRequest,
    actor: Actor,
    form: EventFilterForm,
    asked: Mapping[str, Any],
    *,
    name: str = "",
    refusal: str = "",
) -> HttpResponse:
    wanted = form.wanted()
    record_reading(actor=actor, page=PAGE, narrowed_by=form.narrowed_by)
    older_than, newer_than = read_key(asked.get("older", "")), read_key(asked.get("newer", ""))
    found = event_page(wanted, older_than=older_than, newer_than=newer_than) if wanted else EventPage([], None, None)
    context = {
        "tabs": audit_tabs(actor, "events"),
        "form": form,
        "rows": [event_row(event) for event in found.events],
        "older": form.query(older=written_key(found.older)) if found.older else "",
        "newer": form.query(newer=written_key(found.newer)) if found.newer else "",
        "is_newest": not (older_than or newer_than),
        "newest": form.query(),
        "saved": SavedFilter.objects.filter(owner=actor.user_id),
        "export": _export(actor, form),
        "name": name,
        "refusal": refusal,
    }
    return render(request, "audit/events.html", context, status=422 if wanted is None or refusal else 200)


def _export(actor: Actor, form: EventFilterForm) -> ExportLink | None:
    if not actor.may(Capability.EXPORT_LEDGER):
        return None
    return export_of_list(form.narrowed_by, dt.datetime.now(dt.UTC).date())


def written_key(key: Key) -> str:
    """A key as an address carries it."""
    return f"{key.recorded_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}_{key.id}"


def read_key(text: str) -> Key | None:
    """The key; None for what is none, which shows the newest page."""
    moment, _, event_id = text.partition("_")
    try:
        return Key(dt.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC), UUID(event_id))
    except ValueError:
        return None
