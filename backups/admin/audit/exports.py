"""Exports of the record: asked for, watched while the worker writes them, and downloaded."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.audit.export_form import ExportForm, logins
from backups.admin.audit.export_words import shown
from backups.admin.audit.tabs import audit_tabs
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render, render_moving
from backups.domain.export import ExportFormat
from backups.domain.people import Actor, Capability
from backups.models import LedgerExport
from backups.selectors.export import exports
from backups.services.export.ask import ask_for_export, take_file
from backups.services.reading import record_reading
from backups.services.restore.errors import Refused

_SHOWN = 100


@for_people_who_may(Capability.EXPORT_LEDGER)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Who took what out of the record, and what is being made."""
    record_reading(actor=actor, page="exports")
    names = logins()
    context = {
        "tabs": audit_tabs(actor, "exports"),
        "rows": [shown(export, names) for export in exports()[:_SHOWN]],
        "keep_days": settings.LEDGER_EXPORT_KEEP_DAYS,
        "most": _SHOWN,
    }
    return render(request, "audit/exports.html", context)


@for_people_who_may(Capability.EXPORT_LEDGER, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Asks for one; the address may name what to begin with, such as ?target=R-0007."""
    initial = {"format": ExportFormat.CSV.value} | request.GET.dict()
    form = ExportForm(request.POST or None, initial=initial, reader_zone=reader_zone_name(request))

    def do(typed: ExportForm) -> tuple[str, str]:
        wanted = ExportFormat(typed.cleaned_data["format"])
        export = ask_for_export(actor=actor, format=wanted, scope=typed.scope())
        return reverse("ops:audit-export", args=[export.pk]), "Asked for. This page says when the file is ready."

    page = FormPage(
        title="Export events",
        button="Make the file",
        back=reverse("ops:audit-exports"),
        back_words="Exports",
        hint="Asking and each download go on record. Handle the file as you would handle the record itself.",
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.EXPORT_LEDGER)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """One export: how far it is, or what it was."""
    export = _get(pk)
    record_reading(actor=actor, page="export")
    context = _context(export) | {"tabs": audit_tabs(actor, "exports")}
    return render(request, "audit/export.html", context)


@for_people_who_may(Capability.EXPORT_LEDGER)
def live(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The moving part of one that is being made."""
    context = _context(_get(pk))
    return render_moving(request, "audit/export_live.html", context, mark=context["export"].state, replaces=True)


@for_people_who_may(Capability.EXPORT_LEDGER)
def download(request: HttpRequest, actor: Actor, pk: int) -> HttpResponseBase:
    """The file, in pieces. Each download is an event of its own, written before the first byte leaves."""
    _get(pk)
    try:
        export, file = take_file(actor=actor, export_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect("ops:audit-export", pk=pk)
    response = FileResponse(file, as_attachment=True, filename=export.file_name, content_type=export.kind.content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _get(pk: int) -> LedgerExport:
    export = exports().filter(pk=pk).first()
    if export is None:
        raise Http404
    return export


def _context(export: LedgerExport) -> dict[str, Any]:
    context = shown(export, logins())
    return context | {
        "keep_days": settings.LEDGER_EXPORT_KEEP_DAYS,
        "refresh_seconds": 2 if context["is_open"] else 0,
    }
